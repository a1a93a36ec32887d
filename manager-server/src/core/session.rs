//! A session: what a client is to the server, over all of its connections.
//!
//! Locks, leases, waits and remembered answers belong to a session. One that can be joined outlives
//! its connections for a while; one that cannot ends with its only connection.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use manager_protocol::{Acknowledge, Code, Error, ObjectId, RequestHeader, Result, Row, SessionToken};

use super::Pace;
use super::hashing::Seeded;
use super::mailbox::{Letter, Mailbox};
use super::object::Object;
use super::reference::Link;
use super::requests::{Arrival, Delivery, Requests, Unwanted, Wait};
use super::sync::{AtomicBool, Mutex, lock};
use super::timers::{Time, TimerKey};
use super::waitable::Reversal;

/// The number of a session within one run of a server.
pub type SessionId = u64;

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    uid: u32,
    /// What shows the right to join it; `None` if it cannot be joined.
    pub(super) token: Option<SessionToken>,
    /// Set before what it holds is let go of. Whoever sees it unset while an object is locked can give
    /// the session something: it will be seen.
    ended: AtomicBool,
    /// Locked after objects, and before mailboxes.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: Vec<Arc<Mailbox>>,
    requests: Requests,
    /// Objects in which it may hold something, or wait.
    holdings: HashMap<ObjectId, Weak<Object>, Seeded>,
    /// With so many holdings, those that are gone are looked for.
    prune_at: usize,
    grace: Option<TimerKey>,
    /// Until when it lives without a connection.
    alone_until: Option<Time>,
    /// Woken when the session ends.
    watcher: Option<Waker>,
    /// What it has proxies of, without a name, and how often it was given one.
    kept: HashMap<ObjectId, (Link, u64), Seeded>,
}

/// So many holdings may be of objects that are gone.
const FEW: usize = 64;

/// What a session leaves behind.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) holdings: Vec<Arc<Object>>,
    /// Requests that wait, and where.
    pub(super) waits: Vec<Wait>,
    pub(super) undelivered: Vec<Reversal>,
    pub(super) grace: Option<TimerKey>,
    /// What it kept alive.
    pub(super) kept: Vec<Link>,
}

/// What a session is after one of its connections has gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It has other connections, or has ended before.
    Connected,
    /// It has none, and waits for one.
    Alone,
    /// It has none and cannot get another.
    Over,
}

impl Session {
    pub(super) fn new(id: SessionId, uid: u32, token: Option<SessionToken>) -> Self {
        Self { id, uid, token, ended: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Whether this user may join with this token.
    pub(super) fn judge(&self, uid: u32, token: SessionToken) -> Result<()> {
        // All bytes are looked at, however early two differ.
        let differ = |own: SessionToken| own.0.iter().zip(token.0).fold(0, |all, (a, b)| all | (a ^ b)) != 0;
        if uid != self.uid || self.token.is_none_or(differ) {
            let fault = format!("the token is not that of session {}, or it is another user's", self.id);
            return Err(Error::new(Code::NotAuthorised, fault));
        }
        Ok(())
    }

    /// Keeps an object alive, once more.
    pub(super) fn keep(&self, link: Link) -> Result<()> {
        let mut state = lock(&self.state);
        self.check_alive()?;
        let id = link.object().id;
        let (_link, times) = state.kept.entry(id).or_insert((link, 0));
        *times += 1;
        Ok(())
    }

    /// Keeps objects alive so many times less. Gives what it keeps alive no longer.
    pub(super) fn release(&self, objects: impl Iterator<Item = (ObjectId, u64)>) -> Vec<Link> {
        let mut state = lock(&self.state);
        let mut released = Vec::new();
        for (id, times) in objects {
            if let Entry::Occupied(mut kept) = state.kept.entry(id) {
                let left = kept.get().1.saturating_sub(times);
                kept.get_mut().1 = left;
                if left == 0 {
                    released.push(kept.remove().0);
                }
            }
        }
        released
    }

    /// How many objects it keeps alive.
    pub(super) fn kept(&self) -> usize {
        lock(&self.state).kept.len()
    }

    /// Adds a connection. Gives the timer that is no longer needed.
    pub(super) fn connect(&self, mailbox: Arc<Mailbox>) -> Result<Option<TimerKey>> {
        let mut state = lock(&self.state);
        self.check_alive()?;
        state.connections.push(mailbox);
        state.alone_until = None;
        Ok(state.grace.take())
    }

    /// Takes a connection away. Without any the session lives until then, if it can get another.
    pub(super) fn disconnect(&self, mailbox: &Arc<Mailbox>, until: Time) -> Left {
        mailbox.close();
        let mut state = lock(&self.state);
        state.connections.retain(|connected| !Arc::ptr_eq(connected, mailbox));
        if !state.connections.is_empty() || self.is_ended() {
            return Left::Connected;
        }
        if self.token.is_none() {
            return Left::Over;
        }
        state.alone_until = Some(until);
        Left::Alone
    }

    /// Notes the timer that ends the session. Gives the one that is not needed: this one, if the session
    /// got a connection meanwhile or has ended, or another, if it also lost that one.
    pub(super) fn set_grace(&self, timer: TimerKey) -> Option<TimerKey> {
        let mut state = lock(&self.state);
        if !state.connections.is_empty() || self.is_ended() {
            return Some(timer);
        }
        match state.grace.replace(timer) {
            Some(later) if later > timer => state.grace.replace(later),
            other => other,
        }
    }

    /// Ends the session, if it has not ended before.
    pub(super) fn end(&self) -> Option<Estate> {
        self.end_if(|_| true)
    }

    /// Ends the session, if it has not ended before and has had no connection for too long.
    pub(super) fn expire(&self, now: Time) -> Option<Estate> {
        self.end_if(|state| state.connections.is_empty() && state.alone_until.is_some_and(|until| until <= now))
    }

    fn end_if(&self, judge: impl FnOnce(&State) -> bool) -> Option<Estate> {
        let mut state = lock(&self.state);
        if self.is_ended() || !judge(&state) {
            return None;
        }
        self.ended.store(true, Ordering::SeqCst);
        for mailbox in state.connections.drain(..) {
            mailbox.end(self.expired());
        }
        let watcher = state.watcher.take();
        let estate = Estate {
            holdings: state.holdings.drain().filter_map(|(_, object)| object.upgrade()).collect(),
            waits: state.requests.waits(),
            undelivered: state.requests.take_undelivered(),
            grace: state.grace.take(),
            kept: state.kept.drain().map(|(_, (link, _))| link).collect(),
        };
        drop(state);
        if let Some(watcher) = watcher {
            watcher.wake();
        }
        Some(estate)
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(super) fn check_alive(&self) -> Result<()> {
        if self.is_ended() { Err(self.expired()) } else { Ok(()) }
    }

    fn expired(&self) -> Error {
        Error::new(Code::SessionExpired, format!("session {} has ended", self.id))
    }

    /// Ready when the session has ended.
    pub(super) fn poll_ended(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if self.is_ended() {
            return Poll::Ready(());
        }
        state.watcher = Some(context.waker().clone());
        Poll::Pending
    }

    /// Whether requests of this sort are taken note of.
    pub(super) fn notes(&self, row: &Row) -> bool {
        row.waits || self.keeps(row)
    }

    /// Whether answers to requests of this sort are remembered.
    pub(super) fn keeps(&self, row: &Row) -> bool {
        self.token.is_some() && row.effect != manager_protocol::Effect::Read
    }

    pub(super) fn begin(
        &self,
        request: &RequestHeader<'_>,
        row: &Row,
        pace: Pace,
        mailbox: &Arc<Mailbox>,
    ) -> Result<Arrival> {
        let mut state = lock(&self.state);
        self.check_alive()?;
        state.requests.begin(request, self.keeps(row), pace, mailbox)
    }

    /// From now on the session is told of what happens to the object. To be called with the object
    /// locked.
    pub(super) fn hold(&self, object: &Arc<Object>) -> Result<()> {
        let mut state = lock(&self.state);
        self.check_alive()?;
        if state.holdings.len() >= state.prune_at {
            // Objects that are gone.
            state.holdings.retain(|_, object| object.strong_count() > 0);
            state.prune_at = (2 * state.holdings.len()).max(FEW);
        }
        state.holdings.entry(object.id).or_insert_with(|| Arc::downgrade(object));
        Ok(())
    }

    /// The request waits from now on; the number of the wait.
    pub(super) fn wait(&self, id: u64, object: &Arc<Object>) -> Result<u64> {
        lock(&self.state).requests.wait(id, Arc::clone(object))
    }

    /// A request waited until then, and lost its connection.
    pub(super) fn interrupt(&self, id: u64, until: Time) {
        lock(&self.state).requests.interrupt(id, until);
    }

    /// Until when a request was to wait that was interrupted.
    pub(super) fn take_interrupted(&self, id: u64) -> Option<Time> {
        lock(&self.state).requests.take_interrupted(id)
    }

    pub(super) fn postpone(&self, id: u64) {
        lock(&self.state).requests.postpone(id);
    }

    pub(super) fn answer(
        &self,
        id: u64,
        wait: Option<u64>,
        answer: Letter<'_>,
        reversal: Option<Reversal>,
        here: Option<&Arc<Mailbox>>,
    ) -> (Delivery, Option<Reversal>) {
        lock(&self.state).requests.answer(id, wait, answer, reversal, here)
    }

    pub(super) fn acknowledge(&self, acknowledged: Acknowledge) {
        lock(&self.state).requests.acknowledge(acknowledged);
    }

    /// The client has what was sent to one of its connections.
    pub(super) fn delivered(&self, mailbox: &Mailbox) {
        let ids = mailbox.take_unconfirmed();
        if !ids.is_empty() {
            lock(&self.state).requests.delivered(&ids);
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        !lock(&self.state).connections.is_empty()
    }

    pub(super) fn cancel(&self, id: u64) -> Unwanted {
        let mut state = lock(&self.state);
        if self.token.is_some() {
            state.requests.expect_cancelled(id);
        }
        state.requests.cancel(id)
    }

    pub(super) fn waits_of(&self, mailbox: &Arc<Mailbox>) -> Vec<Wait> {
        lock(&self.state).requests.waits_of(mailbox)
    }

    /// Forgets a request that waits, unless another connection has asked for it. To be called with the
    /// object locked: who asks later finds what is left there.
    pub(super) fn let_go(&self, wait: &Wait, mailbox: &Arc<Mailbox>) -> bool {
        lock(&self.state).requests.let_go(wait, mailbox)
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.state).requests.waiting()
    }
}
