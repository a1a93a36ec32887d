//! A core with some clients and a clock that goes when it is told to.

use std::time::Duration;

use manager_protocol::{
    Acknowledge, Code, Encode, Encoded, ErrorReply, FrameKind, ObjectId, Operation, ReplyHeader, RequestHeader,
    SessionChoice, SessionToken, decode_body, encode_value, split_frame,
};

use crate::core::{Census, Client, Core, Departure, Limits, Outcome, Pace, SessionId, Time};

/// What names a request: the client, and the number.
pub(in crate::core::object) type Request = (usize, u64);

/// What a request was answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::core::object) enum Answer {
    /// The result, encoded.
    Reply(Vec<u8>),
    /// The code of the refusal.
    Refused(u16),
}

pub(in crate::core::object) fn reply(result: impl Encode) -> Answer {
    let mut out = Vec::new();
    result.encode(&mut out);
    Answer::Reply(out)
}

pub(in crate::core::object) fn refused(code: Code) -> Answer {
    Answer::Refused(code.number())
}

/// The encoded form of a test's value.
pub(in crate::core::object) fn bytes(value: u64) -> Vec<u8> {
    encode_value(&value).unwrap()
}

pub(in crate::core::object) fn encoded(value: u64) -> Encoded<'static> {
    Encoded::from(std::sync::Arc::<[u8]>::from(bytes(value)))
}

/// One client: its session, and its connection if it has one.
struct Seat {
    session: SessionId,
    token: SessionToken,
    connection: Option<Client>,
    last_request: u64,
}

pub(in crate::core::object) struct World {
    pub(in crate::core::object) core: Core,
    pub(in crate::core::object) now: Time,
    seats: Vec<Seat>,
}

const UID: u32 = 7;

impl World {
    /// Some clients, none of them connected.
    pub(in crate::core::object) fn new(limits: Limits, seats: usize) -> Self {
        let seat =
            |number| Seat { session: 0, token: SessionToken([number as u8; 16]), connection: None, last_request: 0 };
        Self { core: Core::new(limits), now: Duration::from_secs(1), seats: (0..seats).map(seat).collect() }
    }

    pub(in crate::core::object) fn is_connected(&self, seat: usize) -> bool {
        self.seats[seat].connection.is_some()
    }

    /// Connects a client, to its session if that lives; whether it does.
    pub(in crate::core::object) fn connect(&mut self, seat: usize) -> bool {
        let seat = &mut self.seats[seat];
        let joined = self.core.connect(UID, SessionChoice::Join(seat.session, seat.token), seat.token);
        let lives = joined.is_ok();
        let client = joined.or_else(|_| self.core.connect(UID, SessionChoice::New(true), seat.token)).unwrap();
        seat.session = client.session();
        seat.connection = Some(client);
        lives
    }

    /// Breaks a client's connection; the replies that it has not taken are lost.
    pub(in crate::core::object) fn disconnect(&mut self, seat: usize) {
        let client = self.seats[seat].connection.take().unwrap();
        self.core.disconnect(&client, Departure::Broke, self.now);
    }

    /// The client's process ends.
    pub(in crate::core::object) fn abandon(&mut self, seat: usize) {
        let watch = self.client(seat).watch();
        self.disconnect(seat);
        self.core.abandon(&watch, self.now);
    }

    pub(in crate::core::object) fn client(&self, seat: usize) -> &Client {
        self.seats[seat].connection.as_ref().expect("connected")
    }

    /// Sends a request. Gives its number, and the answer unless it waits.
    pub(in crate::core::object) fn send<O: Operation>(
        &mut self,
        seat: usize,
        object: ObjectId,
        operation: O,
    ) -> (Request, Option<Answer>) {
        self.seats[seat].last_request += 1;
        let request = (seat, self.seats[seat].last_request);
        (request, self.resend(request, object, operation))
    }

    /// Sends a request under the number that it had before.
    pub(in crate::core::object) fn resend<O: Operation>(
        &mut self,
        (seat, id): Request,
        object: ObjectId,
        operation: O,
    ) -> Option<Answer> {
        let (mut arguments, mut out) = (Vec::new(), Vec::new());
        operation.encode(&mut arguments);
        let request = RequestHeader { id, operation: O::ROW.number, object, arguments: &arguments };
        match self.core.dispatch(self.client(seat), request, Pace::Inline, self.now, &mut out) {
            Outcome::Replied => answers(&out).pop().map(|(_, answer)| answer),
            Outcome::Waiting => None,
            outcome @ (Outcome::Streaming(_) | Outcome::Postponed) => panic!("{} gave {outcome:?}", O::ROW.name),
        }
    }

    /// Sends a request that is answered at once.
    pub(in crate::core::object) fn call<O: Operation>(
        &mut self,
        seat: usize,
        object: ObjectId,
        operation: O,
    ) -> Answer {
        self.send(seat, object, operation).1.expect("it does not wait")
    }

    /// Sends a request that is answered at once, at length perhaps; nobody looks at the answer.
    pub(in crate::core::object) fn send_anyhow<O: Operation>(&mut self, seat: usize, object: ObjectId, operation: O) {
        self.seats[seat].last_request += 1;
        let id = self.seats[seat].last_request;
        let (mut arguments, mut out) = (Vec::new(), Vec::new());
        operation.encode(&mut arguments);
        let request = RequestHeader { id, operation: O::ROW.number, object, arguments: &arguments };
        let outcome = self.core.dispatch(self.client(seat), request, Pace::Patient, self.now, &mut out);
        assert!(matches!(outcome, Outcome::Replied | Outcome::Streaming(_)), "{} gave {outcome:?}", O::ROW.name);
    }

    /// The number of the object that an operation opens.
    pub(in crate::core::object) fn open<O: Operation>(&mut self, seat: usize, operation: O) -> ObjectId {
        let Answer::Reply(result) = self.call(seat, 0, operation) else { panic!("{} was refused", O::ROW.name) };
        manager_protocol::decode_value(&result).unwrap()
    }

    /// What arrived late, in the order of the clients.
    pub(in crate::core::object) fn collect(&mut self) -> Vec<(Request, Answer)> {
        let mut all = Vec::new();
        for (number, seat) in self.seats.iter().enumerate() {
            let Some(client) = &seat.connection else { continue };
            let mut out = Vec::new();
            let mail = client.mailbox().collect(&mut out);
            assert!(mail.streams.is_empty(), "the replies of these tests are short");
            all.extend(answers(&out).into_iter().map(|(id, answer)| ((number, id), answer)));
        }
        all
    }

    pub(in crate::core::object) fn cancel(&mut self, request: Request) -> bool {
        self.core.cancel(self.client(request.0), request.1, self.now)
    }

    /// The client says that it has all answers but those to some requests.
    pub(in crate::core::object) fn acknowledge(&mut self, seat: usize, awaited: Vec<u64>) {
        let acknowledged = Acknowledge { next: self.seats[seat].last_request + 1, awaited };
        self.core.acknowledge(self.client(seat), acknowledged);
    }

    pub(in crate::core::object) fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.core.expire(self.now);
    }

    pub(in crate::core::object) fn last_request(&self, seat: usize) -> u64 {
        self.seats[seat].last_request
    }

    pub(in crate::core::object) fn census(&self) -> Census {
        self.core.census()
    }
}

fn answers(mut bytes: &[u8]) -> Vec<(u64, Answer)> {
    let mut all = Vec::new();
    while let Some((frame, used)) = split_frame(bytes, usize::MAX).unwrap() {
        bytes = &bytes[used..];
        if frame.kind == FrameKind::Held {
            continue;
        }
        all.push(if frame.kind == FrameKind::Error {
            let error: ErrorReply = decode_body(frame.kind, frame.body).unwrap();
            (error.id, Answer::Refused(error.code))
        } else {
            assert_eq!(frame.kind, FrameKind::Reply);
            let header = ReplyHeader::parse(frame.body).unwrap();
            (header.id, Answer::Reply(header.result.to_vec()))
        });
    }
    all
}
