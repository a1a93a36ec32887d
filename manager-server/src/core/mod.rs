//! The state machine: objects, and what operations do to them.
//!
//! Synchronous by design. There is no socket here, no runtime, no clock and no thread: whoever
//! calls [`Core::dispatch`] lends it all of those. So it is driven by connections, and by tests
//! without any. A request that has to wait leaves a ticket with its object; its reply is put into the
//! mailbox of its connection later.

mod chores;
mod clients;
mod data;
mod deadlock;
mod dispatch;
mod garbage;
mod giving;
mod hashing;
mod inside;
mod lifetime;
mod mailbox;
mod moment;
mod object;
mod reference;
mod registry;
mod requests;
mod session;
mod setup;
mod sink;
mod stream;
mod sync;
mod timers;
mod transaction;
mod value;
mod waitable;
mod waiting;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use manager_protocol::{
    Code, DEFAULT_MAX_FRAME, DEFAULT_MAX_MESSAGE, Error, RequestHeader, Row, Served, write_error_reply,
};

pub use chores::Chores;
use clients::Sessions;
pub use clients::{Client, Departure, SessionWatch};
use deadlock::WaitsFor;
use dispatch::Stop;
pub use garbage::Untidy;
use mailbox::Letter;
pub use mailbox::{Mail, Mailbox};
use registry::Registry;
use requests::{Answer, Arrival, Delivery};
use session::Session;
pub use session::SessionId;
use sink::FrameSink;
pub use stream::Stream;
use timers::Timers;
pub use timers::{Clock, Now, Time};
use waitable::Reversal;
use waiting::Effects;

/// An object with more items is large: what visits all of them is not done inline.
const LARGE: usize = 4096;

/// More bytes than this are many to look into: what does is not done inline.
const LARGE_BYTES: usize = 64 * 1024;

/// What the core may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most objects at a time.
    pub max_objects: usize,
    /// Most entries of a dict, or values of a list, a set or an array.
    pub max_items: usize,
    /// Largest frame, in bytes after the length; a longer reply is sent in parts.
    pub max_frame: usize,
    /// Largest message put together from parts, in bytes.
    pub max_message: usize,
    /// Most sessions at a time.
    pub max_sessions: usize,
    /// Most requests of one session that wait at a time.
    pub max_waiting: usize,
    /// Most changes of one object that are kept for its watches.
    pub max_kept: usize,
    /// How long a session lives on without a connection.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_objects: 10_000_000,
            max_items: 1 << 27,
            max_frame: DEFAULT_MAX_FRAME,
            max_message: DEFAULT_MAX_MESSAGE,
            max_sessions: 100_000,
            max_waiting: 100_000,
            max_kept: 16 * 1024,
            grace: Duration::from_secs(10),
        }
    }
}

/// How much time a request may take from the calling thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Little: many connections wait for the thread. What may take long is postponed.
    Inline,
    /// As much as it needs, waiting for locks included.
    Patient,
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// The reply, or the refusal, was appended.
    Replied,
    /// The reply is longer than a frame: its parts are to be made one at a time.
    Streaming(Stream),
    /// The request waits: its reply will be in the connection's mailbox.
    Waiting,
    /// Not begun, and nothing appended: to be dispatched again at [`Pace::Patient`], on a thread
    /// that may be kept busy.
    Postponed,
}

/// All state of a server.
#[derive(Debug)]
pub struct Core {
    registry: Arc<Registry>,
    sessions: Sessions,
    timers: Timers,
    waits_for: WaitsFor,
    limits: Limits,
    epoch: u64,
    /// How many watches there have been.
    watches: AtomicU64,
}

/// How much of what there is to hold is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Objects, those without names included.
    pub objects: usize,
    /// Objects without names that sessions keep alive.
    pub kept: usize,
    /// Sessions.
    pub sessions: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Those of them that could be part of a deadlock.
    pub watched: usize,
    /// Locks, permits, leases, ends of pipes, entries and watches that sessions hold.
    pub held: usize,
    /// Timers that are set for requests, leases and sessions.
    pub timers: usize,
}

impl Core {
    /// A core without objects.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let epoch = hashing::random();
        Self {
            registry: Arc::new(Registry::new(limits.clone(), epoch)),
            sessions: Sessions::default(),
            timers: Timers::default(),
            waits_for: WaitsFor::default(),
            limits,
            epoch,
            watches: AtomicU64::new(0),
        }
    }

    /// A number that tells this core from any other, so that object ids are not mistaken.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Counts what is held. Not of one moment, if others go on.
    #[must_use]
    pub fn census(&self) -> Census {
        let (sessions, timers, watched) = (self.session_count(), self.timers.len(), self.waits_for.len());
        let kept = self.sessions_kept();
        let mut census = Census { sessions, kept, timers, watched, ..Census::default() };
        for object in self.registry.all() {
            let mut effects = Effects::new(self, Time::ZERO);
            census.objects += 1;
            object.visit(&mut effects, |state, _| {
                census.waiting += state.waiting();
                census.held += state.held();
            });
        }
        census
    }

    /// Runs one request and appends its whole reply, or its refusal, to `out`; or says why not.
    ///
    /// A panic in an operation is answered as [`Code::Internal`] and harms no other request.
    pub fn dispatch<'n>(
        &self,
        client: &Client,
        request: RequestHeader<'_>,
        pace: Pace,
        now: impl Into<Now<'n>>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let now: Now<'_> = now.into();
        let row = manager_protocol::row(request.operation);
        let Some(noted) = row.filter(|row| client.session.notes(row)) else {
            let mut effects = Effects::new(self, now);
            let outcome = self.carry_out(client, &request, row, pace, out, &mut effects);
            effects.carry_out();
            return outcome;
        };
        match client.session.begin(&request, noted, pace, &client.mailbox) {
            Ok(Arrival::New) => {}
            Ok(Arrival::Joined) => return Outcome::Waiting,
            Ok(Arrival::Answered(Answer::Frame(frame))) => {
                out.extend_from_slice(&frame);
                return Outcome::Replied;
            }
            Ok(Arrival::Answered(Answer::Stream(stream))) => return Outcome::Streaming(stream),
            Err(error) => {
                write_error_reply(out, request.id, &error.during(noted.name));
                return Outcome::Replied;
            }
        }
        let start = out.len();
        let mut effects = Effects::new(self, now);
        let outcome = self.carry_out(client, &request, row, pace, out, &mut effects);
        let outcome = self.note(client, (request.id, noted), outcome, start, out, &mut effects);
        effects.carry_out();
        outcome
    }

    /// Runs one request, and appends its reply or its refusal.
    #[inline]
    fn carry_out(
        &self,
        client: &Client,
        request: &RequestHeader<'_>,
        row: Option<&'static Row>,
        pace: Pace,
        out: &mut Vec<u8>,
        effects: &mut Effects<'_>,
    ) -> Outcome {
        self.answer(&client.session, request, out, |sink| {
            if request.object == 0 {
                dispatch::run_manager(&self.registry, client, request, pace, sink, effects)
            } else {
                dispatch::run(&self.registry, client, request, row, pace, sink, effects)
            }
        })
    }

    /// Takes note of what became of a request.
    fn note(
        &self,
        client: &Client,
        (id, row): (u64, &Row),
        outcome: Outcome,
        start: usize,
        out: &mut Vec<u8>,
        effects: &mut Effects<'_>,
    ) -> Outcome {
        let session = &client.session;
        let answer = match &outcome {
            Outcome::Waiting => return outcome,
            Outcome::Postponed => {
                session.postpone(id);
                return outcome;
            }
            Outcome::Replied => Letter::Frame(&out[start..]),
            Outcome::Streaming(stream) => {
                if session.keeps(row) {
                    stream.keep();
                }
                Letter::Stream(stream.clone())
            }
        };
        let (delivery, undone) = session.answer(id, None, answer, effects.reversal.take(), Some(&client.mailbox));
        if let Some(reversal) = undone {
            reversal.carry_out(effects);
        }
        match delivery {
            Delivery::Here | Delivery::ToNobody => outcome,
            Delivery::Elsewhere => {
                out.truncate(start);
                Outcome::Waiting
            }
        }
    }

    /// Sends the answer to a request that waited. Gives back what must be taken back, as nobody is
    /// there to be answered, or wants it.
    fn answer_late(
        &self,
        session: &Arc<Session>,
        (id, wait): (u64, u64),
        answer: manager_protocol::Result<waiting::WriteReply>,
        reversal: Option<Reversal>,
    ) -> Option<Reversal> {
        let mut out = Vec::new();
        let (mut stream, mut held) = (None, Vec::new());
        match answer {
            Ok(send) => {
                let mut sink = FrameSink::new(id, self.limits.max_frame, &mut out, &self.registry, session);
                send(&mut sink);
                stream = sink.stream.take();
                held = sink.held;
            }
            Err(error) => write_error_reply(&mut out, id, &error),
        }
        let answer = match stream {
            Some(stream) => {
                // Only what is sent again from here is lost if nobody keeps it.
                if session.token.is_some() {
                    stream.keep();
                }
                Letter::Stream(stream)
            }
            None => Letter::Frame(&out),
        };
        let undone = session.answer(id, Some(wait), answer, reversal, None).1;
        if undone.is_some() && !held.is_empty() {
            // The client never hears of the reply, so it will not give back what it would hold by it.
            drop(session.release(held.into_iter().map(|object| (object, 1))));
        }
        undone
    }

    /// A number for a new watch.
    fn number_of_watch(&self) -> u64 {
        self.watches.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn check_room_to_wait(&self, session: &Session) -> manager_protocol::Result<()> {
        let limit = self.limits.max_waiting;
        if session.waiting() < limit {
            return Ok(());
        }
        Err(Error::new(Code::LimitExceeded, format!("{limit} requests of the session wait, the server's limit")))
    }

    fn answer(
        &self,
        session: &Arc<Session>,
        request: &RequestHeader<'_>,
        out: &mut Vec<u8>,
        serve: impl FnOnce(&mut FrameSink<'_>) -> Result<Served, Stop>,
    ) -> Outcome {
        let mut sink = FrameSink::new(request.id, self.limits.max_frame, out, &self.registry, session);
        let error = match catch_unwind(AssertUnwindSafe(|| serve(&mut sink))) {
            Ok(Ok(Served::Replied)) => return sink.stream.take().map_or(Outcome::Replied, Outcome::Streaming),
            Ok(Ok(Served::Waiting)) => return Outcome::Waiting,
            Ok(Err(Stop::Refused(error))) => error,
            Ok(Err(Stop::Postponed)) => {
                sink.rewind();
                return Outcome::Postponed;
            }
            Err(_) => Error::new(
                Code::Internal,
                format!("operation {:#06x} failed inside the server; this is a bug", request.operation),
            ),
        };
        sink.rewind();
        write_error_reply(out, request.id, &error);
        Outcome::Replied
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
