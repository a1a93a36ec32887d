//! A core and one client of it, without a socket between them: requests are made beforehand, so that
//! sending one costs what the core takes for it and nothing else.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by programs, each of which uses its own part"
)]

use manager_protocol::{
    Acknowledge, FrameKind, Kind, Operation, ReplyHeader, RequestHeader, SessionChoice, SessionToken, decode_value,
    manager, split_frame,
};
use manager_server::core::{Client, Core, Limits, Outcome, Pace, Time};

/// A core, a client, and what the client was answered.
pub struct Desk {
    core: Core,
    client: Client,
    /// The id of the next request.
    next: u64,
    out: Vec<u8>,
}

/// A request that can be sent any number of times.
#[derive(Debug)]
pub struct Request {
    operation: u16,
    object: u64,
    arguments: Vec<u8>,
}

impl Request {
    pub fn new<O: Operation>(object: u64, operation: O) -> Self {
        let mut arguments = Vec::new();
        operation.encode(&mut arguments);
        Self { operation: O::ROW.number, object, arguments }
    }
}

impl Desk {
    /// A client with a session of its own, which ends with it.
    pub fn own() -> Self {
        Self::new(SessionChoice::Own)
    }

    /// A client with a session that others can join: what its changes were answered is remembered.
    pub fn joinable() -> Self {
        Self::new(SessionChoice::New(true))
    }

    fn new(choice: SessionChoice) -> Self {
        let core = Core::new(Limits::default());
        let client = core.connect(0, choice, SessionToken([7; 16])).unwrap();
        // Ids as long as those of a client that has been there for a while.
        Self { core, client, next: 1 << 20, out: Vec::with_capacity(1 << 20) }
    }

    /// The object with this name.
    pub fn open(&mut self, name: &str, kind: Kind) -> u64 {
        self.send(&Request::new(0, manager::Open { name: Some(name), kind }));
        let (frame, _) = split_frame(&self.out, usize::MAX).unwrap().unwrap();
        assert_eq!(frame.kind, FrameKind::Reply);
        let object = decode_value(ReplyHeader::parse(frame.body).unwrap().result).unwrap();
        self.acknowledge();
        object
    }

    /// Sends a request as a new one, which is answered at once.
    #[inline]
    pub fn send(&mut self, request: &Request) {
        let Request { operation, object, arguments } = request;
        let request = RequestHeader { id: self.next, operation: *operation, object: *object, arguments };
        self.next += 1;
        let outcome = self.core.dispatch(&self.client, request, Pace::Inline, Time::ZERO, &mut self.out);
        assert!(matches!(outcome, Outcome::Replied), "the reply to {operation:#06x} did not come at once");
    }

    /// Takes all answers, and says so.
    #[inline]
    pub fn acknowledge(&mut self) {
        assert_ne!(self.out.get(4), Some(&(FrameKind::Error as u8)), "the first answer is a refusal");
        self.out.clear();
        self.client.heard();
        self.core.acknowledge(&self.client, Acknowledge { next: self.next, awaited: Vec::new() });
    }
}
