//! An object: its id, its name, and its state behind one mutex.

pub(super) mod array;
pub(super) mod barrier;
pub(super) mod condition;
pub(super) mod dict;
pub(super) mod event;
pub(super) mod list;
pub(super) mod lock;
pub(super) mod pipe;
pub(super) mod queue;
pub(super) mod semaphore;
pub(super) mod set;
mod table;
pub(super) mod value;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use manager_protocol::{Code, Error, Kind, ObjectId, Result};

use super::Pace;
use super::data::Stored;
use super::setup::Setup;
use super::sync::{AtomicBool, Mutex, MutexGuard, PoisonError, TryLockError, yield_now};
use super::waitable::Waitable;
use super::waiting::Effects;
use array::Array;
use barrier::Barrier;
use condition::Condition;
use dict::Dict;
use event::Event;
use list::List;
use lock::Lock;
use pipe::Pipe;
use queue::Queue;
use semaphore::Semaphore;
use set::Set;
use value::Value;

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
    /// What it was made as, spelled out.
    pub(super) setup: Setup,
    pub(super) state: State,
    /// Set before those who wait in it are sent away: whoever sees it unset while the object is locked
    /// may wait in it.
    deleted: AtomicBool,
}

/// The state of an object, by its kind.
#[derive(Debug)]
pub(super) enum State {
    Dict(Shared<Dict>),
    List(Shared<List>),
    Set(Shared<Set>),
    Value(Shared<Value>),
    Array(Shared<Array>),
    Queue(Shared<Queue>),
    Pipe(Shared<Pipe>),
    Lock(Shared<Lock>),
    Semaphore(Shared<Semaphore>),
    Event(Shared<Event>),
    Condition(Shared<Condition>),
    Barrier(Shared<Barrier>),
}

/// A state that may have let go of much at once.
pub(super) trait Discards {
    /// Hands over what was let go of, to be freed after the lock is: that takes long. Most have nothing.
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        None
    }
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
    pub(super) fn new(id: ObjectId, name: &str, setup: Setup, state: State) -> Self {
        Self { id, name: name.into(), setup, state, deleted: AtomicBool::new(false) }
    }

    pub(super) fn kind(&self) -> Kind {
        match &self.state {
            State::Dict(_) => Kind::Dict,
            State::List(_) => Kind::List,
            State::Queue(_) => Kind::Queue,
            State::Pipe(_) => Kind::Pipe,
            State::Lock(_) => Kind::Lock,
            State::Semaphore(_) => Kind::Semaphore,
            State::Event(_) => Kind::Event,
            State::Condition(_) => Kind::Condition,
            State::Barrier(_) => Kind::Barrier,
            State::Set(_) => Kind::Set,
            State::Value(_) => Kind::Value,
            State::Array(_) => Kind::Array,
        }
    }

    /// How many items it has; `None` if somebody holds it for long.
    pub(super) fn len(&self) -> Option<usize> {
        match &self.state {
            State::Queue(queue) => queue.lock(Pace::Inline).map(|queue| queue.len()),
            State::Pipe(pipe) => pipe.lock(Pace::Inline).map(|pipe| pipe.len()),
            State::Dict(_)
            | State::List(_)
            | State::Set(_)
            | State::Value(_)
            | State::Array(_)
            | State::Lock(_)
            | State::Semaphore(_)
            | State::Event(_)
            | State::Condition(_)
            | State::Barrier(_) => self.state.data().map_or(Some(0), Stored::len),
        }
    }

    /// Acts on the state, locked, if sessions can wait in it.
    pub(super) fn visit(&self, effects: &mut Effects<'_>, act: impl FnOnce(&mut dyn Waitable, &mut Effects<'_>)) {
        fn locked<T: Waitable>(
            state: &Shared<T>,
            effects: &mut Effects<'_>,
            act: impl FnOnce(&mut dyn Waitable, &mut Effects<'_>),
        ) {
            if let Some(mut guard) = state.lock(Pace::Patient) {
                act(&mut *guard, effects);
            }
        }
        match &self.state {
            State::Dict(_) | State::List(_) | State::Set(_) | State::Value(_) | State::Array(_) => {}
            State::Queue(queue) => locked(queue, effects, act),
            State::Pipe(pipe) => locked(pipe, effects, act),
            State::Lock(lock) => locked(lock, effects, act),
            State::Semaphore(semaphore) => locked(semaphore, effects, act),
            State::Event(event) => locked(event, effects, act),
            State::Condition(condition) => locked(condition, effects, act),
            State::Barrier(barrier) => locked(barrier, effects, act),
        }
    }

    /// To be called once nobody can find the object any more: those who wait in it are told.
    pub(super) fn delete(self: &Arc<Self>, effects: &mut Effects<'_>) {
        self.deleted.store(true, Ordering::SeqCst);
        self.visit(effects, |state, effects| {
            for ticket in state.drain(self, effects) {
                effects.refuse(ticket, self.deleted());
            }
        });
    }

    /// Checks that the object is not deleted. To be called with the object locked.
    pub(super) fn check_alive(&self) -> Result<()> {
        if self.deleted.load(Ordering::SeqCst) { Err(self.deleted()) } else { Ok(()) }
    }

    fn deleted(&self) -> Error {
        Error::new(Code::NoSuchObject, format!("{:?} was deleted", self.name))
    }
}

impl State {
    /// The state as data, if it is such.
    pub(super) fn data(&self) -> Option<&dyn Stored> {
        match self {
            Self::Dict(dict) => Some(dict),
            Self::List(list) => Some(list),
            Self::Set(set) => Some(set),
            Self::Value(value) => Some(value),
            Self::Array(array) => Some(array),
            Self::Queue(_)
            | Self::Pipe(_)
            | Self::Lock(_)
            | Self::Semaphore(_)
            | Self::Event(_)
            | Self::Condition(_)
            | Self::Barrier(_) => None,
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
                            yield_now();
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
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    impl Discards for u32 {}

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
