//! What a call that is being made refers to: its objects must be held until it has been carried out.
//!
//! Proxies note their holds here while they are encoded. Who sends later collects them.

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
