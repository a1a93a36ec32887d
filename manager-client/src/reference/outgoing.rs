//! What a call that is being made refers to: its objects must be held until it has been carried out.
//!
//! Proxies note their holds here while they are encoded. Who sends later collects them.

#[cfg(feature = "process")]
use std::any::Any;
#[cfg(feature = "process")]
use std::cell::Cell;
use std::cell::RefCell;
use std::sync::Arc;

use super::Hold;

thread_local! {
    /// What was noted in the innermost [`collect`]; `None` outside of all.
    static NOTED: RefCell<Option<Vec<Arc<Hold>>>> = const { RefCell::new(None) };
}

/// Runs what encodes, and gives what it noted.
pub(crate) fn collect<T>(work: impl FnOnce() -> T) -> (T, Vec<Arc<Hold>>) {
    let outer = Outer(NOTED.replace(Some(Vec::new())));
    let value = work();
    let noted = NOTED.take().unwrap_or_default();
    drop(outer);
    (value, noted)
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
    struct Inside;

    impl Drop for Inside {
        fn drop(&mut self) {
            KEEPS.set(false);
        }
    }

    KEEPS.set(true);
    let _inside = Inside;
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
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            noted.push(Arc::clone(hold));
        }
    });
}

pub(crate) fn note_all(holds: &[Arc<Hold>]) {
    holds.iter().for_each(note);
}

/// What was noted outside, put back also after a panic.
struct Outer(Option<Vec<Arc<Hold>>>);

impl Drop for Outer {
    fn drop(&mut self) {
        // Holds that a panic left behind are dropped after the place is free again.
        let inner = NOTED.replace(self.0.take());
        drop(inner);
    }
}
