//! Waiting: the one piece that queues, locks and all the others share.
//!
//! An operation that cannot be done yet leaves a [`Ticket`] with its object. Whoever makes it
//! possible (another operation, a timer, the end of a session) takes the ticket and completes it.
//! What is to happen after the object was let go of is collected as [`Effects`] meanwhile.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};
use std::time::Duration;

use manager_protocol::{Code, Error, Operation, Reply, Result, Turn};

use super::Core;
use super::hashing::Seeded;
use super::moment::Moment;
use super::object::{Guard, Object};
use super::session::{Session, SessionId};
use super::sink::FrameSink;
use super::timers::{Due, Now, Time, TimerKey};
use super::waitable::{Reversal, Waitable};

/// What names a wait among all. A request that is sent again waits under another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WaitKey {
    pub(super) session: SessionId,
    pub(super) number: u64,
}

/// Who holds a lock: a session, and a number that its client has chosen.
pub(super) type Holder = (SessionId, u64);

/// The right, and the duty, to answer a request that waits.
#[derive(Debug)]
pub(super) struct Ticket {
    session: Arc<Session>,
    /// The request's id.
    id: u64,
    number: u64,
    timer: Option<TimerKey>,
}

impl Ticket {
    pub(super) fn key(&self) -> WaitKey {
        WaitKey { session: self.session.id, number: self.number }
    }

    /// Whether its session has ended, though the object it waits in may not have been told yet.
    pub(super) fn is_orphaned(&self) -> bool {
        self.session.is_ended()
    }
}

/// Requests that wait for the same thing, each with what it wants, in the order of coming.
#[derive(Debug)]
pub(super) struct Waiters<W> {
    queue: BTreeMap<u64, (Ticket, W)>,
    places: HashMap<WaitKey, u64, Seeded>,
    next: u64,
}

impl<W> Default for Waiters<W> {
    fn default() -> Self {
        Self { queue: BTreeMap::new(), places: HashMap::default(), next: 0 }
    }
}

impl<W> Waiters<W> {
    pub(super) fn push(&mut self, ticket: Ticket, wants: W) {
        self.places.insert(ticket.key(), self.next);
        self.queue.insert(self.next, (ticket, wants));
        self.next += 1;
    }

    pub(super) fn pop(&mut self) -> Option<(Ticket, W)> {
        let (_, waiter) = self.queue.pop_first()?;
        self.places.remove(&waiter.0.key());
        Some(waiter)
    }

    /// Takes out the one that has waited longest, if it is to have what it wants.
    pub(super) fn pop_if(&mut self, wanted: impl FnOnce(&W) -> bool) -> Option<(Ticket, W)> {
        let (_, (_, wants)) = self.queue.first_key_value()?;
        if wanted(wants) { self.pop() } else { None }
    }

    pub(super) fn get(&self, wait: WaitKey) -> Option<&W> {
        self.queue.get(self.places.get(&wait)?).map(|(_, wants)| wants)
    }

    pub(super) fn get_mut(&mut self, wait: WaitKey) -> Option<&mut W> {
        self.queue.get_mut(self.places.get(&wait)?).map(|(_, wants)| wants)
    }

    pub(super) fn contains(&self, wait: WaitKey) -> bool {
        self.places.contains_key(&wait)
    }

    pub(super) fn remove(&mut self, wait: WaitKey) -> Option<(Ticket, W)> {
        let place = self.places.remove(&wait)?;
        self.queue.remove(&place)
    }

    /// Takes out all that wait for a session.
    pub(super) fn remove_session(&mut self, session: SessionId) -> Vec<(Ticket, W)> {
        let keys: Vec<WaitKey> = self.places.keys().filter(|key| key.session == session).copied().collect();
        keys.into_iter().filter_map(|key| self.remove(key)).collect()
    }

    /// A session is over and waits no more; whether it did.
    pub(super) fn end_waits(&mut self, session: SessionId, effects: &Effects<'_>) -> bool {
        let waited = self.remove_session(session);
        let any = !waited.is_empty();
        waited.into_iter().for_each(|(ticket, _)| effects.forget(ticket));
        any
    }

    /// Takes out all, whatever they want.
    pub(super) fn drain_tickets(&mut self) -> impl Iterator<Item = Ticket> + use<W> {
        self.drain().map(|(ticket, _)| ticket)
    }

    /// Takes out all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Ticket, W)> + use<W> {
        self.places.clear();
        std::mem::take(&mut self.queue).into_values()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Why a wait ends without what was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its time is over: it is answered.
    TimedOut,
    /// The client has cancelled it, or the server shuts down: it is answered with that.
    Cancelled(Code),
    /// Its connection has gone: there is nobody to answer, but the client may ask again.
    Disconnected,
}

/// How long an operation may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    For(Duration),
    Endless,
}

impl Patience {
    /// Judges the argument of an operation.
    pub(super) fn new(timeout_ms: Option<i64>) -> Result<Self> {
        match timeout_ms {
            None => Ok(Self::Endless),
            Some(0) => Ok(Self::None),
            Some(milliseconds) => Ok(Self::For(milliseconds_of(milliseconds, "timeout")?)),
        }
    }
}

/// A time that must not be negative.
pub(super) fn milliseconds_of(number: i64, what: &str) -> Result<Duration> {
    let number = u64::try_from(number)
        .map_err(|_| Error::new(Code::InvalidArgument, format!("a {what} of {number} ms is negative")))?;
    Ok(Duration::from_millis(number))
}

/// Who asks for an operation, and from where it is answered if it waits.
pub(super) struct Caller<'a> {
    pub(super) session: &'a Arc<Session>,
    pub(super) request: u64,
    pub(super) object: &'a Arc<Object>,
    pub(super) moment: &'a Moment,
}

impl Caller<'_> {
    /// The caller's session, which is told of the end from now on: to be called before anything of
    /// the object is given to it.
    pub(super) fn hold(&self) -> Result<SessionId> {
        self.object.check_alive()?;
        self.session.hold(self.object)?;
        Ok(self.session.id)
    }

    /// Makes the operation wait.
    pub(super) fn wait(&self, patience: Duration, effects: &Effects<'_>) -> Result<Ticket> {
        self.ticket(Some(patience), effects)
    }

    /// Makes the operation wait for as long as it takes.
    pub(super) fn wait_endlessly(&self, effects: &Effects<'_>) -> Result<Ticket> {
        self.ticket(None, effects)
    }

    /// Makes the operation wait, unless it has no patience.
    pub(super) fn wait_with(&self, patience: Patience, effects: &Effects<'_>) -> Result<Option<Ticket>> {
        match patience {
            Patience::None => Ok(None),
            Patience::For(time) => self.wait(time, effects).map(Some),
            Patience::Endless => self.wait_endlessly(effects).map(Some),
        }
    }

    fn ticket(&self, patience: Option<Duration>, effects: &Effects<'_>) -> Result<Ticket> {
        self.hold()?;
        effects.core.check_room_to_wait(self.session)?;
        let number = self.session.wait(self.request, self.object)?;
        let mut ticket = Ticket { session: Arc::clone(self.session), id: self.request, number, timer: None };
        let at = patience.and_then(|patience| effects.now().checked_add(patience));
        // One that is sent again ends when it was to end at first.
        let at = at.map(|at| self.session.take_interrupted(self.request).map_or(at, |before| before.min(at)));
        let due = || Due::Wait { object: Arc::downgrade(self.object), wait: ticket.key() };
        ticket.timer = at.map(|at| effects.core.timers.set(at, due()));
        Ok(ticket)
    }
}

/// An operation at work on a locked object.
pub(super) struct Visit<'a, 'c, T: Waitable> {
    pub(super) state: Guard<'a, T>,
    pub(super) caller: &'a Caller<'a>,
    pub(super) effects: &'a mut Effects<'c>,
}

/// A [`Visit`] that an operation can be served with: letting go of it unlocks the object.
pub(super) struct Visiting<'a, 'c, T: Waitable>(pub(super) Visit<'a, 'c, T>);

impl<'a, 'c, T: Waitable> Deref for Visiting<'a, 'c, T> {
    type Target = Visit<'a, 'c, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Waitable> DerefMut for Visiting<'_, '_, T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// What an operation causes beside its own reply. Carried out once the object is unlocked.
pub(super) struct Effects<'c> {
    pub(super) core: &'c Core,
    now: Now<'c>,
    /// Several pieces of data may be locked at a time, and each adds to these.
    completions: RefCell<Vec<Completion>>,
    later: Vec<Later<'c>>,
    /// How what the operation itself did can be taken back.
    pub(super) reversal: Option<Reversal>,
}

/// What is to be done once the object is unlocked.
type Later<'c> = Box<dyn FnOnce(&mut Effects<'_>) + 'c>;

/// Writes a reply.
pub(super) type WriteReply = Box<dyn FnOnce(&mut FrameSink<'_>)>;

/// The answer to a request that waited.
struct Completion {
    ticket: Ticket,
    answer: Result<WriteReply>,
    reversal: Option<Reversal>,
}

impl<'c> Effects<'c> {
    #[inline]
    pub(super) fn new(core: &'c Core, now: impl Into<Now<'c>>) -> Self {
        Self { core, now: now.into(), completions: RefCell::default(), later: Vec::new(), reversal: None }
    }

    /// The time of what causes them.
    pub(super) fn now(&self) -> Time {
        self.now.time()
    }

    /// Answers a request that waited with the reply of its operation.
    pub(super) fn complete<O: Operation>(
        &self,
        ticket: Ticket,
        version: u64,
        reply: O::Reply<'static>,
        reversal: Option<Reversal>,
    ) where
        O::Reply<'static>: Reply + 'static,
    {
        let answer: WriteReply = Box::new(move |sink| reply.send(version, sink));
        self.completions.borrow_mut().push(Completion { ticket, answer: Ok(answer), reversal });
    }

    /// Refuses a request that waited.
    pub(super) fn refuse(&self, ticket: Ticket, error: Error) {
        self.completions.borrow_mut().push(Completion { ticket, answer: Err(error), reversal: None });
    }

    /// Ends a wait in the way that is the same for all operations; gives the ticket back if its time is
    /// over, for each operation answers that in its own way.
    pub(super) fn dismiss(&self, ticket: Ticket, ended: Ended) -> Option<Ticket> {
        match ended {
            Ended::TimedOut => return Some(ticket),
            Ended::Cancelled(code) => {
                let message = if code == Code::ShuttingDown {
                    "the server is shutting down"
                } else {
                    "the request was cancelled"
                };
                self.refuse(ticket, Error::new(code, message));
            }
            Ended::Disconnected => self.forget(ticket),
        }
        None
    }

    /// Lets go of a wait that nobody asks for any more: its session has ended, or knows no more of it.
    ///
    /// If it is sent again, it ends when it was to end.
    pub(super) fn forget(&self, ticket: Ticket) {
        if let Some((until, _)) = ticket.timer {
            ticket.session.interrupt(ticket.id, until);
        }
        self.cancel_timer(&ticket);
    }

    /// Ends a wait that is of no use any more: refuses it, if anybody hears that.
    pub(super) fn turn_away(&self, ticket: Ticket, refusal: Option<&Error>) {
        match refusal {
            Some(error) => self.refuse(ticket, error.clone()),
            None => self.forget(ticket),
        }
    }

    /// Has something done once the object is unlocked.
    pub(super) fn after(&mut self, act: impl FnOnce(&mut Effects<'_>) + 'c) {
        self.later.push(Box::new(act));
    }

    pub(super) fn set_lease_timer(&self, at: Time, object: Weak<Object>, lease: u64) -> TimerKey {
        self.core.timers.set(at, Due::Lease { object, lease })
    }

    /// From now on the wait has no end of its own.
    pub(super) fn stop_timer(&self, ticket: &mut Ticket) {
        if let Some(timer) = ticket.timer.take() {
            self.core.timers.cancel(timer);
        }
    }

    fn cancel_timer(&self, ticket: &Ticket) {
        if let Some(timer) = ticket.timer {
            self.core.timers.cancel(timer);
        }
    }

    /// Carries everything out. No object may be locked by the caller.
    #[inline]
    pub(super) fn carry_out(mut self) {
        if !self.completions.get_mut().is_empty() || !self.later.is_empty() {
            self.carry_out_all();
        }
    }

    fn carry_out_all(&mut self) {
        while !self.completions.get_mut().is_empty() || !self.later.is_empty() {
            for completion in std::mem::take(self.completions.get_mut()) {
                self.cancel_timer(&completion.ticket);
                let Completion { ticket, answer, reversal } = completion;
                let undone = self.core.answer_late(&ticket.session, (ticket.id, ticket.number), answer, reversal);
                if let Some(reversal) = undone {
                    reversal.carry_out(self);
                }
            }
            for act in std::mem::take(&mut self.later) {
                act(self);
            }
        }
    }
}

impl fmt::Debug for Effects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effects").field("completions", &self.completions.borrow().len()).finish_non_exhaustive()
    }
}

/// The outcome of an operation that was done at once, with how it can be taken back.
pub(super) fn now<T>(reply: T) -> Result<Turn<T>> {
    Ok(Turn::Now(reply))
}
