//! An object: its id, its name, and its state behind one mutex.

pub(super) mod dict;
pub(super) mod list;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use manager_protocol::{Kind, ObjectId};

use super::Pace;
use dict::Dict;
use list::List;

/// A page of entries or values ends when it has so many bytes.
const PAGE_BYTES: usize = 256 * 1024;

/// And when it has so many of them.
const PAGE_ITEMS: u32 = 10_000;

/// How often an inline operation looks for a lock that others hold briefly.
const TRIES: usize = 100;

/// And how often if somebody patient holds it, or waits for it. Most patient operations are brief too,
/// and whoever is postponed is patient next time: giving up at once would keep that going.
const TRIES_BESIDE_PATIENT: usize = 10;

/// One shared object.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) id: ObjectId,
    pub(super) name: Box<str>,
    pub(super) state: State,
}

/// The state of an object, by its kind.
#[derive(Debug)]
pub(super) enum State {
    Dict(Shared<Dict>),
    List(Shared<List>),
}

/// A state that may have let go of much at once.
pub(super) trait Discards {
    /// Hands over what was let go of, to be freed after the lock is: that takes long.
    fn discarded(&mut self) -> Option<Box<dyn Send>>;
}

/// What a transaction needs of a state.
pub(super) trait Transactional {
    /// From here on, remembers how to take everything back.
    fn begin(&mut self);
    /// Keeps what was done since [`begin`](Self::begin).
    fn commit(&mut self);
    /// Takes back what was done since [`begin`](Self::begin), versions included.
    fn roll_back(&mut self);
}

impl Object {
    pub(super) fn kind(&self) -> Kind {
        match &self.state {
            State::Dict(_) => Kind::Dict,
            State::List(_) => Kind::List,
        }
    }

    /// How many items it has; `None` if somebody holds it for long.
    pub(super) fn len(&self) -> Option<usize> {
        match &self.state {
            State::Dict(dict) => dict.lock(Pace::Inline).map(|dict| dict.len()),
            State::List(list) => list.lock(Pace::Inline).map(|list| list.len()),
        }
    }
}

/// A state that is locked briefly by most and for long by few, who say so.
#[derive(Debug)]
pub(super) struct Shared<T> {
    /// Guards the whole state: each operation holds it from its first look to its last change.
    state: Mutex<T>,
    /// How many hold, or wait for, the lock at their leisure.
    patient: AtomicUsize,
}

/// The lock of a [`Shared`] state.
///
/// Fields are dropped in their order: the lock before what was discarded under it.
pub(super) struct Guard<'a, T: Discards> {
    state: MutexGuard<'a, T>,
    patient: Option<&'a AtomicUsize>,
    discarded: Option<Box<dyn Send>>,
}

impl<T: Discards> Shared<T> {
    pub(super) fn new(state: T) -> Self {
        Self { state: Mutex::new(state), patient: AtomicUsize::new(0) }
    }

    /// How many hold, or wait for, the lock at their leisure.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.patient.load(Ordering::Relaxed)
    }

    /// Locks the state. At the pace [`Pace::Inline`] it never waits for somebody who holds it for
    /// long, and gives `None` instead.
    pub(super) fn lock(&self, pace: Pace) -> Option<Guard<'_, T>> {
        match pace {
            Pace::Patient => {
                self.patient.fetch_add(1, Ordering::Relaxed);
                // A panic while the lock was held answered its own request; the state is what it was,
                // for operations judge before they apply.
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                Some(Guard { state, patient: Some(&self.patient), discarded: None })
            }
            Pace::Inline => {
                for tries in 0..TRIES {
                    match self.state.try_lock() {
                        Ok(state) => return Some(Guard { state, patient: None, discarded: None }),
                        Err(TryLockError::Poisoned(poisoned)) => {
                            return Some(Guard { state: poisoned.into_inner(), patient: None, discarded: None });
                        }
                        Err(TryLockError::WouldBlock) => {
                            if tries >= TRIES_BESIDE_PATIENT && self.patient.load(Ordering::Relaxed) > 0 {
                                return None;
                            }
                            std::thread::yield_now();
                        }
                    }
                }
                None
            }
        }
    }
}

impl<T: Discards> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.discarded = self.state.discarded();
        if let Some(patient) = self.patient {
            patient.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<T: Discards> std::ops::Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<T: Discards> std::ops::DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Discards for u32 {
        fn discarded(&mut self) -> Option<Box<dyn Send>> {
            None
        }
    }

    #[test]
    fn nobody_waits_inline_for_a_patient_holder() {
        let shared = Shared::new(7_u32);
        let held = shared.lock(Pace::Patient);
        assert!(shared.lock(Pace::Inline).is_none());
        drop(held);
        assert!(shared.lock(Pace::Inline).is_some());
    }

    #[test]
    fn a_panic_under_the_lock_does_not_lock_others_out() {
        let shared = Shared::new(7_u32);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = shared.lock(Pace::Inline);
            panic!("under the lock");
        }));
        assert!(panicked.is_err());
        assert_eq!(shared.lock(Pace::Inline).as_deref(), Some(&7));
        assert_eq!(shared.lock(Pace::Patient).as_deref(), Some(&7));
    }
}
