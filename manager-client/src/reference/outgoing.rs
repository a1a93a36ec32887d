//! What a call that is being made refers to: its objects must be held until it has been carried out.
//!
//! Proxies note their holds here while they are encoded. Who sends later collects them.

#[cfg(feature = "process")]
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::Hold;

thread_local! {
    /// In how many [`collect`]s this thread is, one inside of another.
    static DEPTH: Cell<usize> = const { Cell::new(0) };

    /// How much was noted in all of them. Most calls note nothing, and look no further.
    static COUNT: Cell<usize> = const { Cell::new(0) };

    /// What was noted, in the innermost last.
    static NOTED: RefCell<Vec<Arc<Hold>>> = const { RefCell::new(Vec::new()) };
}

/// Runs what encodes, and gives what it noted.
#[inline]
pub(crate) fn collect<T>(work: impl FnOnce() -> T) -> (T, Vec<Arc<Hold>>) {
    let inside = Inside { start: COUNT.get() };
    DEPTH.set(DEPTH.get() + 1);
    let value = work();
    let noted = inside.take();
    drop(inside);
    (value, noted)
}

/// A [`collect`] that was begun, ended also by a panic.
struct Inside {
    /// How much was noted outside of it.
    start: usize,
}

impl Inside {
    /// What was noted in it.
    #[inline]
    fn take(&self) -> Vec<Arc<Hold>> {
        if COUNT.get() == self.start {
            return Vec::new();
        }
        COUNT.set(self.start);
        NOTED.with_borrow_mut(|noted| noted.split_off(self.start))
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        // What a panic left behind is dropped when the place is free again.
        drop(self.take());
    }
}

/// What keeps the objects of a value beyond the life of everything else: their holds, and the links that those
/// are of.
#[cfg(feature = "process")]
pub(crate) type Keepers = Vec<Arc<dyn Any + Send + Sync>>;

#[cfg(feature = "process")]
thread_local! {
    /// Whether what is being encoded is a result, which outlives the task that had its proxies.
    static KEEPS: Cell<bool> = const { Cell::new(false) };

    /// What keeps the objects of this thread's results.
    static KEEPERS: RefCell<Keepers> = const { RefCell::new(Vec::new()) };
}

/// Runs what encodes a result, and keeps what it refers to for [`take_keepers`].
#[cfg(feature = "process")]
pub(crate) fn keeping<T>(work: impl FnOnce() -> T) -> T {
    /// Put back also after a panic.
    struct Keeping;

    impl Drop for Keeping {
        fn drop(&mut self) {
            KEEPS.set(false);
        }
    }

    KEEPS.set(true);
    let _keeping = Keeping;
    work()
}

/// What keeps the objects that this thread's results refer to: to be dropped when another process holds them.
#[cfg(feature = "process")]
pub(crate) fn take_keepers() -> Keepers {
    KEEPERS.take()
}

/// Keeps what a proxy needs that is being encoded in a result. Without its link, what a session holds is let go.
#[cfg(feature = "process")]
pub(crate) fn keep(hold: &Arc<Hold>, link: &(impl Clone + Send + Sync + 'static)) {
    if KEEPS.get() {
        KEEPERS.with_borrow_mut(|keepers| {
            keepers.push(Arc::clone(hold) as _);
            keepers.push(Arc::new(link.clone()));
        });
    }
}

/// Notes what is needed until the call has been carried out.
pub(crate) fn note(hold: &Arc<Hold>) {
    if DEPTH.get() > 0 {
        NOTED.with_borrow_mut(|noted| noted.push(Arc::clone(hold)));
        COUNT.set(COUNT.get() + 1);
    }
}

pub(crate) fn note_all(holds: &[Arc<Hold>]) {
    holds.iter().for_each(note);
}
