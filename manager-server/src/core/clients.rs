//! The clients of a core: connections come, join sessions, lose them, and sessions end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use dashmap::DashMap;
use manager_protocol::{Acknowledge, Code, Error, Result, SessionChoice, SessionToken};

use super::Core;
use super::chores::Chores;
use super::mailbox::Mailbox;
use super::object::Object;
use super::requests::{Unwanted, Wait};
use super::session::{Estate, Left, Session, SessionId};
use super::timers::{Due, Time};
use super::waiting::{Effects, Ended, WaitKey};

/// One connection of a client, as the core sees it.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) session: Arc<Session>,
    pub(super) mailbox: Arc<Mailbox>,
}

/// A session, to see when it ends.
#[derive(Debug)]
pub struct SessionWatch(Arc<Session>);

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: DashMap<SessionId, Arc<Session>>,
    next: AtomicU64,
    connections: AtomicU64,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The client closed it, and had taken all that was sent.
    Left,
    /// It broke: something that was sent may not have been taken.
    Broke,
}

impl Client {
    /// The session's number.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session.id
    }

    /// What shows the right to join the session, if it can be joined.
    #[must_use]
    pub fn token(&self) -> Option<SessionToken> {
        self.session.token
    }

    /// Where the connection finds replies that are ready later.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// The session, to see when it ends.
    #[must_use]
    pub fn watch(&self) -> SessionWatch {
        SessionWatch(Arc::clone(&self.session))
    }

    /// The last part of the reply to a request is about to be sent.
    pub fn sent(&self, request: u64) {
        self.mailbox.sent(request);
    }

    /// The client was heard of again, after all that was collected had been sent to it.
    pub fn heard(&self) {
        self.session.delivered(&self.mailbox);
    }
}

impl SessionWatch {
    /// Ready when the session has ended. One at a time can wait for that.
    pub fn poll_ended(&self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_ended(context)
    }

    /// The session's number.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.0.id
    }

    /// Whether it has a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }
}

impl Core {
    /// A new connection of a user. `token` is for a new session that can be joined: the core draws no
    /// random numbers.
    ///
    /// # Errors
    /// `SessionExpired` or `NotAuthorised` if the session cannot be joined, `LimitExceeded` if there
    /// are too many.
    pub fn connect(&self, uid: u32, choice: SessionChoice, token: SessionToken) -> Result<Client> {
        let mailbox = Arc::new(Mailbox::new(self.sessions.connections.fetch_add(1, Ordering::Relaxed)));
        let session = match choice {
            SessionChoice::Join(id, shown) => {
                let found = self.sessions.all.get(&id).map(|session| Arc::clone(&session));
                let session =
                    found.ok_or_else(|| Error::new(Code::SessionExpired, format!("session {id} has ended")))?;
                session.judge(uid, shown)?;
                session
            }
            SessionChoice::New(true) => self.new_session(uid, Some(token))?,
            SessionChoice::New(false) | SessionChoice::Own => self.new_session(uid, None)?,
        };
        if let Some(timer) = session.connect(Arc::clone(&mailbox))? {
            self.timers.cancel(timer);
        }
        Ok(Client { session, mailbox })
    }

    fn new_session(&self, uid: u32, token: Option<SessionToken>) -> Result<Arc<Session>> {
        let limit = self.limits.max_sessions;
        if self.sessions.all.len() >= limit {
            return Err(Error::new(Code::LimitExceeded, format!("there are {limit} sessions, the server's limit")));
        }
        let id = self.sessions.next.fetch_add(1, Ordering::Relaxed) + 1;
        let session = Arc::new(Session::new(id, uid, token));
        self.sessions.all.insert(id, Arc::clone(&session));
        Ok(session)
    }

    /// A connection has gone. What waits for its sake waits no more; its session may go on without it.
    pub fn disconnect(&self, client: &Client, departure: Departure, now: Time) {
        if departure == Departure::Left {
            client.heard();
        }
        let until = now + self.limits.grace;
        let left = client.session.disconnect(&client.mailbox, until);
        let mut effects = Effects::new(self, now);
        for wait in client.session.waits_of(&client.mailbox) {
            let key = WaitKey { session: client.session.id, number: wait.number };
            wait.object.visit(&mut effects, |state, effects| {
                // What was granted already is remembered, for who asks again.
                if state.is_waiting(key) && client.session.let_go(&wait, &client.mailbox) {
                    state.end_wait(key, Ended::Disconnected, &wait.object, effects);
                }
            });
        }
        effects.carry_out();
        match left {
            Left::Connected => {}
            Left::Over => self.end(&client.session, now),
            Left::Alone => {
                let timer = self.timers.set(until, Due::Grace(client.session.id));
                if let Some(timer) = client.session.set_grace(timer) {
                    self.timers.cancel(timer);
                }
            }
        }
    }

    /// The client ends its session.
    pub fn leave(&self, client: &Client, now: Time) {
        client.heard();
        self.end(&client.session, now);
    }

    /// The process whose session this is has ended.
    pub fn abandon(&self, session: &SessionWatch, now: Time) {
        self.end(&session.0, now);
    }

    /// The client has these answers.
    pub fn acknowledge(&self, client: &Client, acknowledged: Acknowledge) {
        client.session.acknowledge(acknowledged);
    }

    /// The client no longer wants the answer to a request. If it waits, it is answered; if it was done,
    /// and gave something, that is taken back. Whether there was something to be stopped or taken back.
    pub fn cancel(&self, client: &Client, id: u64, now: Time) -> bool {
        let mut effects = Effects::new(self, now);
        let unwanted = client.session.cancel(id);
        if let Unwanted::Waiting(number, object) = &unwanted {
            // If it was granted just before, the session takes that back when the answer comes to it.
            let wait = WaitKey { session: client.session.id, number: *number };
            object.visit(&mut effects, |state, effects| {
                state.end_wait(wait, Ended::Cancelled(Code::Cancelled), object, effects);
            });
        }
        let known = match unwanted {
            Unwanted::Nothing => false,
            Unwanted::Noted | Unwanted::Waiting(..) => true,
            Unwanted::Reverse(reversal) => {
                reversal.carry_out(&mut effects);
                true
            }
        };
        effects.carry_out();
        known
    }

    /// The server shuts down: what waits for the sake of a connection is answered with that.
    pub fn turn_away(&self, client: &Client, now: Time) {
        let waits = client.session.waits_of(&client.mailbox);
        self.end_waits(client.session.id, &waits, Ended::Cancelled(Code::ShuttingDown), now);
    }

    fn end_waits(&self, session: SessionId, waits: &[Wait], ended: Ended, now: Time) {
        let mut effects = Effects::new(self, now);
        for Wait { number, object, .. } in waits {
            let key = WaitKey { session, number: *number };
            object.visit(&mut effects, |state, effects| state.end_wait(key, ended, object, effects));
        }
        effects.carry_out();
    }

    /// Does what is due by now.
    pub fn expire(&self, now: Time) {
        if let Some(mut chores) = self.expire_inline(now) {
            while chores.go_on(self) {}
        }
    }

    /// Does what is due by now and does not take long. Gives what does.
    pub fn expire_inline(&self, now: Time) -> Option<Chores> {
        let mut chores = Chores::new(now);
        for due in self.timers.take(now) {
            let mut effects = Effects::new(self, now);
            match due {
                Due::Wait { object, wait } => {
                    let Some(object) = object.upgrade() else { continue };
                    let done = object.visit_at(object.pace_of_visits(), &mut effects, |state, effects| {
                        state.end_wait(wait, Ended::TimedOut, &object, effects);
                    });
                    if !done {
                        chores.note_over(object, wait);
                    }
                }
                Due::Lease { object, lease } => {
                    let Some(object) = object.upgrade() else { continue };
                    object.visit(&mut effects, |state, effects| state.end_lease(lease, &object, effects));
                }
                Due::Items { object } => {
                    let Some(object) = object.upgrade() else { continue };
                    chores.sweep(self, object);
                }
                Due::Leaving { object, session } => {
                    let Some(object) = object.upgrade() else { continue };
                    chores.note_left(object, session);
                }
                Due::Grace(session) => {
                    let session = self.sessions.all.get(&session).map(|session| Arc::clone(&session));
                    if let Some(session) = session
                        && let Some(estate) = session.expire(now)
                    {
                        self.settle(&session, estate, now);
                    }
                }
            }
            effects.carry_out();
        }
        (!chores.is_empty()).then_some(chores)
    }

    /// When [`expire`](Self::expire) is to be called next. Whoever asks is woken when that becomes earlier.
    pub fn next_due(&self, context: &mut Context<'_>) -> Option<Time> {
        self.timers.next(context)
    }

    fn end(&self, session: &Session, now: Time) {
        if let Some(estate) = session.end() {
            self.settle(session, estate, now);
        }
    }

    /// Lets go of what a session leaves behind.
    fn settle(&self, session: &Session, estate: Estate, now: Time) {
        self.sessions.all.remove(&session.id);
        if let Some(timer) = estate.grace {
            self.timers.cancel(timer);
        }
        // Before anything is given back: it would be given to those who wait for the session itself.
        self.end_waits(session.id, &estate.waits, Ended::Disconnected, now);
        let mut effects = Effects::new(self, now);
        // First, so that a lock which was granted and never delivered does not count as its owner's death.
        for reversal in estate.undelivered {
            reversal.carry_out(&mut effects);
        }
        for object in estate.holdings {
            self.let_go(session.id, &object, &mut effects);
        }
        effects.carry_out();
        // Last, for what is given back above may be in an object that lives by these.
        drop(estate.kept);
    }

    /// How many objects without names sessions keep alive.
    pub(super) fn sessions_kept(&self) -> usize {
        self.sessions.all.iter().map(|session| session.kept()).sum()
    }

    /// Lets go of what a session holds of an object: at once, or if that takes long, on another thread.
    fn let_go(&self, session: SessionId, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let mut done = false;
        object.visit_at(object.pace_of_visits(), effects, |state, effects| {
            done = !state.holds_much(session);
            if done {
                state.end_session(session, object, effects);
            }
        });
        if !done {
            self.timers.set(effects.now(), Due::Leaving { object: Arc::downgrade(object), session });
        }
    }

    pub(super) fn session_count(&self) -> usize {
        self.sessions.all.len()
    }
}
