//! Requests to a core, and its answers taken apart.

use manager_protocol::{
    Code, Decode, Decoder, ErrorReply, FrameKind, Operation, ReplyHeader, RequestHeader, Row, SessionToken,
    decode_body, split_frame,
};
use manager_server::core::{Client, Core, Outcome, Pace, Time};

/// The secret of every session of these tests.
pub(crate) const TOKEN: SessionToken = SessionToken([7; 16]);

/// A request as it is sent, and sent again.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) row: Row,
    pub(crate) object: u64,
    pub(crate) arguments: Vec<u8>,
}

impl Message {
    pub(crate) fn new<O: Operation>(object: u64, operation: O) -> Self {
        let mut arguments = Vec::new();
        operation.encode(&mut arguments);
        Self { row: O::ROW, object, arguments }
    }

    /// Sends it under an id; what is answered at once is appended to `out`.
    pub(crate) fn send(&self, core: &Core, client: &Client, id: u64, now: Time, out: &mut Vec<u8>) -> Outcome {
        let (operation, object) = (self.row.number, self.object);
        let request = RequestHeader { id, operation, object, arguments: &self.arguments };
        core.dispatch(client, request, Pace::Patient, now, out)
    }
}

/// What was heard of a request.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) id: u64,
    /// The encoded result, or the refusal.
    pub(crate) answer: Result<Vec<u8>, (Code, String)>,
    /// All of the answer's bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Takes frames apart.
pub(crate) fn heard(mut bytes: &[u8]) -> Vec<Heard> {
    let mut heard = Vec::new();
    while let Some((frame, used)) = split_frame(bytes, usize::MAX).unwrap() {
        if frame.kind == FrameKind::Held {
            bytes = &bytes[used..];
            continue;
        }
        let (id, answer) = if frame.kind == FrameKind::Error {
            let error: ErrorReply = decode_body(frame.kind, frame.body).unwrap();
            (error.id, Err((Code::from_number(error.code).unwrap(), error.message)))
        } else {
            assert_eq!(frame.kind, FrameKind::Reply);
            let reply = ReplyHeader::parse(frame.body).unwrap();
            (reply.id, Ok(reply.result.to_vec()))
        };
        heard.push(Heard { id, answer, bytes: bytes[..used].to_vec() });
        bytes = &bytes[used..];
    }
    assert!(bytes.is_empty(), "whole frames");
    heard
}

/// Decodes a result.
pub(crate) fn decode<'a, T: Decode<'a>>(bytes: &'a [u8]) -> T {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.argument("result").unwrap();
    decoder.finish().unwrap();
    value
}
