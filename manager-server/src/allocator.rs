//! The allocator of the program: what is freed goes back to the system soon.
//!
//! A dict may lose a million entries at once, each in an allocation of its own that one thread made
//! and another frees. The allocator of the C library keeps nearly all of that; this one has a thread
//! that returns it.

use tikv_jemalloc_ctl::{Access, AsName, background_thread};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Sets the allocator up; to be called before there are other threads. Whatever of it is refused is
/// left as it is.
pub(crate) fn set_up() {
    let settings = [
        // For arenas that are made later, and for the one that there is.
        b"arenas.dirty_decay_ms\0".name().write(UNUSED_MS),
        b"arenas.muzzy_decay_ms\0".name().write(0_isize),
        b"arena.0.dirty_decay_ms\0".name().write(UNUSED_MS),
        b"arena.0.muzzy_decay_ms\0".name().write(0_isize),
        background_thread::write(true),
    ];
    let _refused = settings.iter().any(Result::is_err);
}

/// Memory that was not used for so long is returned.
const UNUSED_MS: isize = 250;
