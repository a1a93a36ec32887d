//! An object: its id, its name, and its state behind one mutex.

pub(super) mod array;
pub(super) mod barrier;
pub(super) mod condition;
pub(super) mod dict;
pub(super) mod event;
pub(super) mod list;
pub(super) mod lock;
pub(super) mod pipe;
pub(super) mod pool;
pub(super) mod queue;
pub(super) mod referring;
pub(super) mod semaphore;
pub(super) mod set;
mod table;
pub(super) mod value;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use manager_protocol::{Code, Error, Kind, ObjectId, Result, a_kind, kind_name};

use super::Pace;
use super::data::Stored;
use super::garbage::Garbage;
use super::setup::Setup;
use super::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, PoisonError, TryLockError, spin_loop, yield_now};
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
use pool::Pool;
use queue::Queue;
use semaphore::Semaphore;
use set::Set;
use value::Value;

/// A page of entries or values ends when it has so many bytes.
pub(super) const PAGE_BYTES: usize = 256 * 1024;

/// And when it has so many of them.
pub(super) const PAGE_ITEMS: u32 = 10_000;

/// How often an inline operation looks for a lock that others hold, with a pause of a tenth of a microsecond in between.
/// Most operations take no longer than a few of these, and for a program that wants the core a yield is a turn of
/// milliseconds.
const SPINS: usize = 32;
const PAUSES_A_SPIN: usize = 8;

/// How often it looks for a lock that others hold for longer, and yields in between.
const TRIES: usize = 100;

/// And how often if somebody patient holds it, or waits for it. Most patient operations are brief too,
/// and whoever is postponed is patient next time: giving up at once would keep that going.
const TRIES_BESIDE_PATIENT: usize = 10;

/// Anybody may link to the object,
const OPEN: usize = 0;
/// nobody may just now,
const SEALED: usize = 1;
/// nobody will any more.
const GONE: usize = 2;

/// One shared object.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) id: ObjectId,
    pub(super) name: Label,
    /// What it was made as, spelled out.
    pub(super) setup: Setup,
    pub(super) state: State,
    /// Set before those who wait in it are sent away: whoever sees it unset while the object is locked
    /// may wait in it.
    deleted: AtomicBool,
    /// How many links there are to it. Without a name, once there is none there is never one again.
    links: AtomicUsize,
    /// Whether it is noted among those that may be part of a circle.
    suspected: AtomicBool,
    /// [`OPEN`], [`SEALED`] or [`GONE`].
    seal: AtomicUsize,
    garbage: Arc<Garbage>,
}

/// What an object is called in messages: its name, or else its kind and number.
#[derive(Clone)]
pub(super) struct Label {
    name: Option<Box<str>>,
    kind: Kind,
    id: ObjectId,
}

impl Label {
    pub(super) fn new(name: Option<&str>, kind: Kind, id: ObjectId) -> Self {
        Self { name: name.map(Into::into), kind, id }
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name:?}"),
            None => write!(f, "{} {}", kind_name(self.kind), self.id),
        }
    }
}

/// The state of an object, by its kind. Most objects are small ones, so what is large is boxed.
#[derive(Debug)]
pub(super) enum State {
    Dict(Shared<Dict>),
    List(Shared<List>),
    Set(Shared<Set>),
    Value(Shared<Value>),
    Array(Shared<Array>),
    Queue(Box<Shared<Queue>>),
    Pipe(Box<Shared<Pipe>>),
    Lock(Shared<Lock>),
    Semaphore(Shared<Semaphore>),
    Event(Shared<Event>),
    Condition(Box<Shared<Condition>>),
    Barrier(Shared<Barrier>),
    Pool(Box<Shared<Pool>>),
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
    pub(super) fn new(id: ObjectId, name: Option<&str>, setup: Setup, state: State, garbage: Arc<Garbage>) -> Self {
        let name = Label::new(name, state.kind(), id);
        let (deleted, suspected) = (AtomicBool::new(false), AtomicBool::new(false));
        // An object without a name is made for the first link to it.
        let links = AtomicUsize::new(usize::from(name.name.is_none()));
        Self { id, name, setup, state, deleted, links, suspected, seal: AtomicUsize::new(OPEN), garbage }
    }

    pub(super) fn kind(&self) -> Kind {
        self.name.kind
    }

    /// Whether it lives until it is deleted, rather than by links.
    pub(super) fn is_named(&self) -> bool {
        self.name.name.is_some()
    }

    /// Checks that it is of a kind.
    pub(super) fn check_kind(&self, kind: Kind) -> Result<()> {
        if self.kind() == kind {
            return Ok(());
        }
        let fault = format!("{:?} is {}, not {}", self.name, a_kind(self.kind()), a_kind(kind));
        Err(Error::new(Code::WrongKind, fault))
    }

    /// Counts one link more, unless the last one is gone.
    ///
    /// While the object is [sealed](Self::seal) it waits for what becomes of it.
    pub(super) fn link(object: &Arc<Self>) -> bool {
        loop {
            if !object.count_link() {
                return false;
            }
            match object.seal.load(Ordering::SeqCst) {
                OPEN => return true,
                SEALED => {
                    Self::unlink(object);
                    yield_now();
                }
                _ => {
                    Self::unlink(object);
                    return false;
                }
            }
        }
    }

    fn count_link(&self) -> bool {
        let linked = |links: usize| (links > 0 || self.is_named()).then_some(links + 1);
        self.links.fetch_update(Ordering::SeqCst, Ordering::SeqCst, linked).is_ok()
    }

    /// Counts one link more for somebody who has one.
    pub(super) fn link_again(&self) {
        self.links.fetch_add(1, Ordering::SeqCst);
    }

    /// From here on nobody new links to it, until it is found to be garbage or not: whoever tries does so
    /// before the links are counted, or waits.
    pub(super) fn seal(&self) {
        self.seal.store(SEALED, Ordering::SeqCst);
    }

    /// Ends what [`seal`](Self::seal) began: it is garbage, or others link to it again.
    pub(super) fn unseal(&self, is_garbage: bool) {
        self.seal.store(if is_garbage { GONE } else { OPEN }, Ordering::SeqCst);
    }

    /// Counts one link less.
    pub(super) fn unlink(object: &Arc<Self>) {
        let left = object.links.fetch_sub(1, Ordering::SeqCst) - 1;
        if object.is_named() {
            return;
        }
        if left == 0 {
            object.garbage.note_dead(Arc::clone(object));
        } else {
            Self::suspect(object);
        }
    }

    /// Notes that it may be part of a circle that nobody else refers to.
    pub(super) fn suspect(object: &Arc<Self>) {
        if object.can_refer() && object.links() > 0 && !object.suspected.swap(true, Ordering::SeqCst) {
            object.garbage.note_suspect(Arc::clone(object));
        }
    }

    /// What loses a link from now on is noted again.
    pub(super) fn clear_suspicion(&self) {
        self.suspected.store(false, Ordering::SeqCst);
    }

    /// How many links there are to it.
    pub(super) fn links(&self) -> usize {
        self.links.load(Ordering::SeqCst)
    }

    /// Whether its values can refer to other objects: what cannot is in no circle.
    fn can_refer(&self) -> bool {
        match self.kind() {
            Kind::Dict | Kind::List | Kind::Array | Kind::Value | Kind::Queue | Kind::Pipe | Kind::Pool => true,
            Kind::Set | Kind::Lock | Kind::Semaphore | Kind::Event | Kind::Condition | Kind::Barrier => false,
        }
    }

    /// How many items it has; `None` if somebody holds it for long.
    pub(super) fn len(&self) -> Option<usize> {
        match &self.state {
            State::Queue(queue) => queue.lock(Pace::Inline).map(|queue| queue.len()),
            State::Pipe(pipe) => pipe.lock(Pace::Inline).map(|pipe| pipe.len()),
            State::Pool(pool) => pool.lock(Pace::Inline).map(|pool| pool.len()),
            State::Dict(_)
            | State::List(_)
            | State::Set(_)
            | State::Value(_)
            | State::Array(_)
            | State::Lock(_)
            | State::Semaphore(_)
            | State::Event(_)
            | State::Condition(_)
            | State::Barrier(_) => self.state.data().map_or(Some(0), |data| data.len(Pace::Inline)),
        }
    }

    /// Acts on the state, locked.
    pub(super) fn visit(&self, effects: &mut Effects<'_>, act: impl FnOnce(&mut dyn Waitable, &mut Effects<'_>)) {
        self.visit_at(Pace::Patient, effects, act);
    }

    /// How a thread with other things to do visits it: data may be held for long, nothing else is.
    pub(super) fn pace_of_visits(&self) -> Pace {
        if self.state.data().is_some() { Pace::Inline } else { Pace::Patient }
    }

    /// Acts on the state, locked, if it is to be locked at this pace; whether it was.
    pub(super) fn visit_at(
        &self,
        pace: Pace,
        effects: &mut Effects<'_>,
        act: impl FnOnce(&mut dyn Waitable, &mut Effects<'_>),
    ) -> bool {
        let visitor = Visitor { pace, effects, act };
        match &self.state {
            State::Dict(dict) => visitor.visit(dict),
            State::List(list) => visitor.visit(list),
            State::Set(set) => visitor.visit(set),
            State::Value(value) => visitor.visit(value),
            State::Array(array) => visitor.visit(array),
            State::Queue(queue) => visitor.visit(queue),
            State::Pipe(pipe) => visitor.visit(pipe),
            State::Lock(lock) => visitor.visit(lock),
            State::Semaphore(semaphore) => visitor.visit(semaphore),
            State::Event(event) => visitor.visit(event),
            State::Condition(condition) => visitor.visit(condition),
            State::Barrier(barrier) => visitor.visit(barrier),
            State::Pool(pool) => visitor.visit(pool),
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
        // What it refers to need not wait until the last operation has let go of it.
        drop(self.take_contents());
    }

    /// Checks that the object is not deleted. To be called with the object locked.
    pub(super) fn check_alive(&self) -> Result<()> {
        if self.deleted.load(Ordering::SeqCst) { Err(self.deleted()) } else { Ok(()) }
    }

    pub(super) fn deleted(&self) -> Error {
        Error::new(Code::NoSuchObject, format!("{:?} was deleted", self.name))
    }
}

/// Who visits the state of an object.
struct Visitor<'a, 'c, A> {
    pace: Pace,
    effects: &'a mut Effects<'c>,
    act: A,
}

impl<A: FnOnce(&mut dyn Waitable, &mut Effects<'_>)> Visitor<'_, '_, A> {
    fn visit<T: Waitable>(self, state: &Shared<T>) -> bool {
        let Some(mut guard) = state.lock(self.pace) else { return false };
        (self.act)(&mut *guard, self.effects);
        true
    }
}

impl State {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Dict(_) => Kind::Dict,
            Self::List(_) => Kind::List,
            Self::Queue(_) => Kind::Queue,
            Self::Pipe(_) => Kind::Pipe,
            Self::Lock(_) => Kind::Lock,
            Self::Semaphore(_) => Kind::Semaphore,
            Self::Event(_) => Kind::Event,
            Self::Condition(_) => Kind::Condition,
            Self::Barrier(_) => Kind::Barrier,
            Self::Pool(_) => Kind::Pool,
            Self::Set(_) => Kind::Set,
            Self::Value(_) => Kind::Value,
            Self::Array(_) => Kind::Array,
        }
    }

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
            | Self::Barrier(_)
            | Self::Pool(_) => None,
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
    #[inline]
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
                for tries in 0..SPINS + TRIES {
                    match self.state.try_lock() {
                        Ok(state) => return Some(Guard { state, patient: None, discarded: None }),
                        Err(TryLockError::Poisoned(poisoned)) => {
                            return Some(Guard { state: poisoned.into_inner(), patient: None, discarded: None });
                        }
                        Err(TryLockError::WouldBlock) if tries < SPINS => {
                            (0..PAUSES_A_SPIN).for_each(|_| spin_loop());
                        }
                        Err(TryLockError::WouldBlock) => {
                            if tries >= SPINS + TRIES_BESIDE_PATIENT && self.patient.load(Ordering::Relaxed) > 0 {
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

    /// Lets those go first who wait for the lock: whoever let go of it a moment ago would get it before them.
    pub(super) fn give_way(&self) {
        for _ in 0..TRIES {
            if self.patient.load(Ordering::Relaxed) == 0 {
                return;
            }
            yield_now();
        }
    }
}

impl<T: Discards> Drop for Guard<'_, T> {
    #[inline]
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
