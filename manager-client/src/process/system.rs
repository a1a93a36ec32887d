//! What std has no safe way for: the end of the process, faults of its memory, and whether it is a fork.

#![expect(unsafe_code, reason = "calls of the C library that neither std nor rustix wraps; each says why it is sound")]

use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

use super::lifeline::FAULT;

/// The number of this process, as `std::process::id` tells it, but without a call of the system each time.
///
/// It is kept in a page that the kernel wipes in every child that has memory of its own, however that was made.
pub(crate) fn process_id() -> u32 {
    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        page = map_page();
    }
    // SAFETY: it is the address of a static, or of a page that is never unmapped and is aligned as every page is.
    // A page of zeroes is an `AtomicU32`, and so is one that the kernel has wiped. Nobody has it but this function,
    // which shares it between threads by atomic operations alone; the kernel wipes it while it has no other thread.
    let known = unsafe { &*page };
    match known.load(Ordering::Relaxed) {
        0 => {
            let pid = std::process::id();
            if !ptr::eq(known, &raw const UNKNOWN) {
                known.store(pid, Ordering::Relaxed);
            }
            pid
        }
        pid => pid,
    }
}

/// Where the number of this process is; null if nobody has asked for it yet.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());

/// What is there instead where the system does not wipe pages: always 0.
static UNKNOWN: AtomicU32 = AtomicU32::new(0);

/// Makes the page of [`process_id`]. Threads may do this at once, and a fork may come in between: one page wins, and
/// nothing is waited for.
#[cold]
fn map_page() -> *mut AtomicU32 {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let bytes = size_of::<AtomicU32>();
    // SAFETY: a new mapping at an address that the kernel chooses: it touches no memory that there is.
    let mapped = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    let mut page = (&raw const UNKNOWN).cast_mut();
    if mapped != libc::MAP_FAILED {
        // SAFETY: it is about the page that was just mapped, of which nobody else knows.
        let wiped = unsafe { libc::madvise(mapped, bytes, libc::MADV_WIPEONFORK) } == 0;
        if wiped {
            page = mapped.cast();
        }
    }
    let won = PAGE.compare_exchange(ptr::null_mut(), page, Ordering::AcqRel, Ordering::Acquire);
    if mapped != libc::MAP_FAILED && (won.is_err() || page != mapped.cast()) {
        // SAFETY: nobody was told of the page.
        unsafe { libc::munmap(mapped, bytes) };
    }
    won.map_or_else(|earlier| earlier, |_| page)
}

/// Runs a function when the process exits by returning from `main` or by `exit`, not when it is killed.
pub(super) fn at_exit(act: fn()) {
    static ACT: OnceLock<fn()> = OnceLock::new();

    extern "C" fn run() {
        if let Some(act) = ACT.get() {
            // To unwind into the C library would be undefined; from an `extern "C"` function it aborts.
            act();
        }
    }

    ACT.get_or_init(|| act);
    // SAFETY: `run` is a function without arguments that lives as long as the program. It is called while
    // other threads may still run, as any code of theirs: it shares nothing with them but locks and atomics.
    // Thread-locals of the calling thread may be gone, and `act` uses none. If there is no room for another
    // function, nothing is registered: the children then end by their lifelines.
    let _registered = unsafe { libc::atexit(run) };
}

/// Ends the process without running what was registered for its exit: it is called while that runs.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: it never returns, and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// From now on the first of the signals that comes is noted in `noted`; whether that could be done. In a fork of
/// this process, which has the handlers but none of the threads, the signal does what it does by default.
pub(super) fn note_signal(signal: i32, noted: &'static AtomicI32) -> bool {
    let pid = std::process::id();
    let note = move || {
        if std::process::id() == pid {
            let _earlier = noted.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
        } else {
            let _ended = signal_hook::low_level::emulate_default_handler(signal);
        }
    };
    // SAFETY: the function calls only what may be called from a signal handler: `getpid`, operations on an atomic,
    // and `emulate_default_handler`, which is made for that. It cannot panic.
    unsafe { signal_hook::low_level::register(signal, note) }.is_ok()
}

/// The lifeline's descriptor, once faults are told.
static LIFELINE: AtomicI32 = AtomicI32::new(-1);

/// What handled segmentation faults before: std's own handler, which knows a stack overflow.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// From now on a fault of the memory is told on the lifeline before it takes its usual course, so that the
/// parent can tell a stack overflow from an abort. The descriptor must stay open.
pub(super) fn tell_faults(lifeline: RawFd) {
    LIFELINE.store(lifeline, Ordering::Relaxed);
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null pointer as the new action only asks for the present one, which is written to `before`.
    let asked = unsafe { libc::sigaction(libc::SIGSEGV, ptr::null(), before.as_mut_ptr()) };
    if asked != 0 {
        return;
    }
    // SAFETY: the call has succeeded, so it has written all of it.
    let before = unsafe { before.assume_init() };
    if BEFORE.set(before).is_err() {
        return; // It was done already.
    }
    let mut action = before;
    action.sa_sigaction = on_fault as extern "C" fn(libc::c_int) as usize;
    // On the stack that std has set aside for this: the ordinary one may be full.
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: `action` is a whole action with a handler of the form that its flags (no SA_SIGINFO) say, and
    // the handler calls only what may be called from one: see there.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };
}

/// Tells of the fault and puts the handler before this one back: the instruction faults again, and that one
/// has it with all that it needs to know.
extern "C" fn on_fault(_signal: libc::c_int) {
    let lifeline = LIFELINE.load(Ordering::Relaxed);
    // SAFETY: `send` and `sigaction` may be called from a signal handler (signal-safety(7)). The buffer is a
    // constant. Loading an atomic, and reading a `OnceLock` that was set before the handler was there, take no
    // lock. Nothing here blocks: a full socket is left as it is.
    unsafe {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        libc::send(lifeline, FAULT.as_ptr().cast(), FAULT.len(), flags);
        let before = BEFORE.get().map_or(ptr::null(), ptr::from_ref);
        libc::sigaction(libc::SIGSEGV, before, ptr::null_mut());
    }
}
