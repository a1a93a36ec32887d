//! The state machine: objects, and what operations do to them.
//!
//! Synchronous by design. There is no socket here, no runtime, no clock and no thread: whoever
//! calls [`Core::dispatch`] lends it all of those. So it is driven by connections, and by tests
//! without any. A request that has to wait leaves a ticket with its object; its reply is put into the
//! mailbox of its connection later.

mod clients;
mod data;
mod deadlock;
mod dispatch;
mod mailbox;
mod object;
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

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use manager_protocol::{
    Code, DEFAULT_MAX_FRAME, DEFAULT_MAX_MESSAGE, Error, RequestHeader, Row, Served, write_error_reply,
};

use clients::Sessions;
pub use clients::{Client, Departure, SessionWatch};
use deadlock::WaitsFor;
use dispatch::Stop;
pub use mailbox::{Mail, Mailbox};
use registry::Registry;
use requests::{Answer, Arrival, Delivery};
use session::Session;
pub use session::SessionId;
use sink::FrameSink;
pub use stream::Stream;
pub use timers::Time;
use timers::Timers;
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
    /// How long a session lives on without a connection.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_objects: 1_000_000,
            max_items: 1 << 27,
            max_frame: DEFAULT_MAX_FRAME,
            max_message: DEFAULT_MAX_MESSAGE,
            max_sessions: 100_000,
            max_waiting: 100_000,
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
    registry: Registry,
    sessions: Sessions,
    timers: Timers,
    waits_for: WaitsFor,
    limits: Limits,
    epoch: u64,
}

/// How much of what there is to hold is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Objects with names.
    pub objects: usize,
    /// Sessions.
    pub sessions: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Those of them that could be part of a deadlock.
    pub watched: usize,
    /// Locks, permits, leases and ends of pipes that sessions hold.
    pub held: usize,
    /// Timers that are set.
    pub timers: usize,
}

impl Core {
    /// A core without objects.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        use std::hash::{BuildHasher, RandomState};
        // The standard library's only source of random bits; the seed is the system's.
        let epoch = RandomState::new().hash_one(std::process::id());
        Self {
            registry: Registry::new(limits.clone()),
            sessions: Sessions::default(),
            timers: Timers::default(),
            waits_for: WaitsFor::default(),
            limits,
            epoch,
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
        let mut census = Census { sessions, timers, watched, ..Census::default() };
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
    pub fn dispatch(
        &self,
        client: &Client,
        request: RequestHeader<'_>,
        pace: Pace,
        now: Time,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let session = &client.session;
        let noted = manager_protocol::row(request.operation).filter(|row| session.notes(*row));
        if let Some(row) = noted {
            match session.begin(&request, row, pace, &client.mailbox) {
                Ok(Arrival::New) => {}
                Ok(Arrival::Joined) => return Outcome::Waiting,
                Ok(Arrival::Answered(Answer::Frame(frame))) => {
                    out.extend_from_slice(&frame);
                    return Outcome::Replied;
                }
                Ok(Arrival::Answered(Answer::Stream(stream))) => return Outcome::Streaming(stream),
                Err(error) => {
                    write_error_reply(out, request.id, &error.during(row.name));
                    return Outcome::Replied;
                }
            }
        }
        let start = out.len();
        let mut effects = Effects::new(self, now);
        let outcome = self.answer(request, out, |sink| {
            if request.object == 0 {
                dispatch::run_manager(&self.registry, request, pace, sink, &mut effects)
            } else {
                dispatch::run(&self.registry, client, request, pace, sink, &mut effects)
            }
        });
        let outcome = match noted {
            Some(row) => self.note(client, &request, row, outcome, start, out, &mut effects),
            None => outcome,
        };
        effects.carry_out();
        outcome
    }

    /// Takes note of what became of a request.
    #[allow(clippy::too_many_arguments, reason = "all that is known of one request")]
    fn note(
        &self,
        client: &Client,
        request: &RequestHeader<'_>,
        row: Row,
        outcome: Outcome,
        start: usize,
        out: &mut Vec<u8>,
        effects: &mut Effects<'_>,
    ) -> Outcome {
        let session = &client.session;
        let answer = match &outcome {
            Outcome::Waiting => return outcome,
            Outcome::Postponed => {
                session.postpone(request.id);
                return outcome;
            }
            Outcome::Replied => Answer::Frame(Arc::from(&out[start..])),
            Outcome::Streaming(stream) => {
                if session.keeps(row) {
                    stream.keep();
                }
                Answer::Stream(stream.clone())
            }
        };
        let (delivery, undone) =
            session.answer(request.id, None, answer, effects.reversal.take(), Some(&client.mailbox));
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
        session: &Session,
        (id, wait): (u64, u64),
        answer: manager_protocol::Result<waiting::WriteReply>,
        reversal: Option<Reversal>,
    ) -> Option<Reversal> {
        let mut out = Vec::new();
        let mut stream = None;
        match answer {
            Ok(send) => {
                let mut sink = FrameSink::new(id, self.limits.max_frame, &mut out);
                send(&mut sink);
                stream = sink.stream.take();
            }
            Err(error) => write_error_reply(&mut out, id, &error),
        }
        let answer = match stream {
            Some(stream) => {
                // Only what is sent again from here is lost if nobody keeps it.
                if session.token.is_some() {
                    stream.keep();
                }
                Answer::Stream(stream)
            }
            None => Answer::Frame(out.into()),
        };
        session.answer(id, Some(wait), answer, reversal, None).1
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
        request: RequestHeader<'_>,
        out: &mut Vec<u8>,
        serve: impl FnOnce(&mut FrameSink<'_>) -> Result<Served, Stop>,
    ) -> Outcome {
        let mut sink = FrameSink::new(request.id, self.limits.max_frame, out);
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
mod tests {
    use manager_protocol::{
        Bin, Encoded, ErrorReply, FrameKind, Kind, Many, Operation, SessionChoice, SessionToken, array, decode_body,
        dict, list, manager, set, split_frame, value,
    };
    use proptest::prelude::*;

    use super::*;

    /// The code of the refusal that `out` holds, if it holds one.
    fn refusal(out: &[u8]) -> Option<u16> {
        let (frame, _) = split_frame(out, usize::MAX).unwrap()?;
        (frame.kind == FrameKind::Error).then(|| decode_body::<ErrorReply>(frame.kind, frame.body).unwrap().code)
    }

    /// One argument: what operations expect, and what they do not.
    fn argument() -> impl Strategy<Value = Vec<u8>> {
        let bin = |value: Vec<u8>| {
            let mut out = Vec::new();
            rmp::encode::write_bin(&mut out, &value).unwrap();
            out
        };
        let scalar = prop_oneof![
            any::<i64>().prop_map(|number| rmp_serde::to_vec(&number).unwrap()),
            (-5_i64..5).prop_map(|number| rmp_serde::to_vec(&number).unwrap()),
            any::<f64>().prop_map(|number| rmp_serde::to_vec(&number).unwrap()),
            any::<bool>().prop_map(|yes| rmp_serde::to_vec(&yes).unwrap()),
            "[ab]{0,2}".prop_map(|text| rmp_serde::to_vec(&text).unwrap()),
            Just(vec![0xc0]),
            Just(vec![0x82, 0x01, 0x02, 0xa1, b'k', 0x92, 0x01, 0xc0]),
        ];
        let encoded = scalar.clone().prop_map(bin);
        let leaf = prop_oneof![3 => encoded, 2 => scalar, 1 => any::<Vec<u8>>()];
        leaf.prop_recursive(2, 12, 4, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(|items| {
                let mut out = vec![0x90 | items.len() as u8];
                items.iter().for_each(|item| out.extend(item));
                out
            })
        })
    }

    fn client(core: &Core) -> Client {
        core.connect(0, SessionChoice::Own, SessionToken([0; 16])).unwrap()
    }

    /// A core with the dict 1 and the list 2.
    fn core(limits: Limits) -> Core {
        let core = Core::new(limits);
        for (name, kind) in [("dict", Kind::Dict), ("list", Kind::List)] {
            assert!(matches!(call(&core, 0, manager::Open { name, kind }, Pace::Inline).0, Outcome::Replied));
        }
        core
    }

    fn call<O: Operation>(core: &Core, object: u64, operation: O, pace: Pace) -> (Outcome, Vec<u8>) {
        let (mut arguments, mut out) = (Vec::new(), Vec::new());
        operation.encode(&mut arguments);
        let request = RequestHeader { id: 1, operation: O::ROW.number, object, arguments: &arguments };
        let outcome = core.dispatch(&client(core), request, pace, Time::ZERO, &mut out);
        (outcome, out)
    }

    fn step<O: Operation>(object: u64, operation: O) -> manager::Step<'static> {
        let mut arguments = Vec::new();
        operation.encode(&mut arguments);
        manager::Step { object, operation: O::ROW.number, arguments: Bin(arguments.into()) }
    }

    fn transaction(steps: Vec<manager::Step<'_>>) -> manager::Transaction<'_> {
        manager::Transaction { checks: Many::new([].into_iter()), operations: Many::new(steps.into_iter()) }
    }

    #[test]
    fn a_small_request_cannot_ask_for_more_memory_than_a_message_may_have() {
        let core = core(Limits { max_message: 10_000, ..Limits::default() });
        call(&core, 2, list::Push { value: (&vec![0x01]).into() }, Pace::Inline);
        let steps = vec![step(2, list::Push { value: (&vec![0x02]).into() }), step(2, list::Repeat { times: 1 << 25 })];
        let (_, out) = call(&core, 0, transaction(steps), Pace::Patient);
        assert_eq!(refusal(&out), Some(Code::LimitExceeded.number()));
        let value = manager_protocol::encode_value(&"x".repeat(1000)).unwrap();
        let keys: Vec<Vec<u8>> = (0..20).map(|key| vec![key]).collect();
        let keys = Many::new(keys.iter().map(Encoded::from));
        let (_, out) = call(&core, 1, dict::InsertKeys { keys, value: (&value).into() }, Pace::Patient);
        assert_eq!(refusal(&out), Some(Code::LimitExceeded.number()));
        for (object, len) in [(1, 0), (2, 1)] {
            let (_, out) = if object == 1 {
                call(&core, 1, dict::Len {}, Pace::Inline)
            } else {
                call(&core, 2, list::Len {}, Pace::Inline)
            };
            assert_eq!(out.last(), Some(&len), "nothing was done");
        }
    }

    #[test]
    fn what_may_take_long_is_postponed_whatever_makes_it_long() {
        let core = core(Limits::default());
        let large = manager_protocol::encode_value(&vec!["x".repeat(1000); 100]).unwrap();
        call(&core, 2, list::Push { value: (&large).into() }, Pace::Inline);
        call(&core, 1, dict::Set { key: (&large).into(), value: (&large).into() }, Pace::Inline);
        let postponed = |(outcome, out): (Outcome, Vec<u8>)| matches!(outcome, Outcome::Postponed) && out.is_empty();
        let one = || Encoded::Borrowed(&[0x01]);
        assert!(postponed(call(&core, 2, list::Contains { value: one() }, Pace::Inline)), "large values");
        assert!(postponed(call(&core, 2, list::RepeatInPlace { times: 5000 }, Pace::Inline)), "a large result");
        assert!(postponed(call(&core, 1, dict::PopLast {}, Pace::Inline)), "a large key");
        let swap = dict::CompareAndSet { key: (&large).into(), expected: Some(one()), new: None };
        assert!(postponed(call(&core, 1, swap, Pace::Inline)), "a large value to compare with");
        let steps = (0..5000).map(|_| step(1, dict::Items {})).collect();
        assert!(postponed(call(&core, 0, transaction(steps), Pace::Inline)), "many steps");
        assert!(!postponed(call(&core, 2, list::Get { index: 0 }, Pace::Inline)), "sharing a value takes no time");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn no_arguments_whatever_make_an_operation_panic(
            calls in prop::collection::vec((0_usize..150, 0_u64..7, prop::collection::vec(argument(), 0..4)), 1..40),
        ) {
            let core = Core::new(Limits { max_items: 1000, max_frame: 200, ..Limits::default() });
            let client = client(&core);
            for (name, kind) in [("dict", Kind::Dict), ("list", Kind::List), ("set", Kind::Set)] {
                call(&core, 0, manager::Open { name, kind }, Pace::Inline);
            }
            let one = || Encoded::Borrowed(&[0x01]);
            call(&core, 0, manager::OpenValue { name: "value", initial: one() }, Pace::Inline);
            let values = Many::new(vec![one(), one(), one()].into_iter());
            call(&core, 0, manager::OpenArray { name: "array", values }, Pace::Inline);
            let rows = [manager::ROWS, dict::ROWS, list::ROWS, set::ROWS, value::ROWS, array::ROWS].concat();
            for (row, object, arguments) in calls {
                let row = rows[row % rows.len()];
                let mut encoded = vec![0x90 | arguments.len() as u8];
                arguments.iter().for_each(|argument| encoded.extend(argument));
                let request = RequestHeader { id: 1, operation: row.number, object, arguments: &encoded };
                let mut out = Vec::new();
                match core.dispatch(&client, request, Pace::Patient, Time::ZERO, &mut out) {
                    Outcome::Replied => prop_assert_ne!(refusal(&out), Some(Code::Internal.number()), "{}", row.name),
                    Outcome::Streaming(mut stream) => while stream.next_part(&mut out) {},
                    Outcome::Waiting => {}
                    Outcome::Postponed => prop_assert!(false, "{} was postponed though there is time", row.name),
                }
            }
        }
    }

    #[test]
    fn a_panic_answers_its_own_request_and_leaves_the_replies_before_it() {
        let core = Core::new(Limits::default());
        let ping = |id| RequestHeader { id, operation: 1, object: 0, arguments: &[0x90] };
        let mut out = Vec::new();
        let client = client(&core);
        core.dispatch(&client, ping(1), Pace::Inline, Time::ZERO, &mut out);
        let before = out.clone();
        let outcome = core.answer(ping(2), &mut out, |sink| {
            manager_protocol::Sink::value(sink, 0, "half a reply");
            panic!("as a bug would");
        });
        assert!(matches!(outcome, Outcome::Replied));
        let after = out.strip_prefix(before.as_slice()).expect("earlier replies are untouched");
        let (frame, used) = split_frame(after, 1000).unwrap().unwrap();
        assert_eq!((frame.kind, used), (FrameKind::Error, after.len()));
        let error: ErrorReply = decode_body(frame.kind, frame.body).unwrap();
        assert_eq!((error.id, error.code), (2, Code::Internal.number()));
        let mut next = Vec::new();
        core.dispatch(&client, ping(1), Pace::Inline, Time::ZERO, &mut next);
        assert_eq!(next, before, "the core goes on");
    }
}
