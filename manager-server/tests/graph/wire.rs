//! Requests to a core, and its answers taken apart.

use manager_protocol::{
    Code, ErrorReply, FrameKind, Held, Operation, ReplyHeader, RequestHeader, SessionToken, decode_body, split_frame,
};
use manager_server::core::{Client, Core, Outcome, Pace, Time};

/// The secret of every session of these tests.
pub(crate) const TOKEN: SessionToken = SessionToken([7; 16]);

/// What a request was answered.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The objects that the session was told it holds.
    pub(crate) held: Vec<u64>,
    /// The encoded result, or why it was refused.
    pub(crate) result: Option<Result<Vec<u8>, Code>>,
}

impl Answer {
    pub(crate) fn ok(&self) -> &[u8] {
        self.result.as_ref().unwrap().as_ref().unwrap()
    }

    pub(crate) fn number(&self) -> u64 {
        rmp_serde::from_slice(self.ok()).unwrap()
    }
}

/// Sends an operation and takes its answer.
pub(crate) fn call<O: Operation>(core: &Core, client: &Client, id: u64, object: u64, operation: O) -> Answer {
    let (mut arguments, mut out) = (Vec::new(), Vec::new());
    operation.encode(&mut arguments);
    let request = RequestHeader { id, operation: O::ROW.number, object, arguments: &arguments };
    let outcome = core.dispatch(client, request, Pace::Patient, Time::ZERO, &mut out);
    assert!(matches!(outcome, Outcome::Replied), "{}: {outcome:?}", O::ROW.name);
    let (mut answer, mut bytes) = (Answer::default(), &out[..]);
    while let Some((frame, used)) = split_frame(bytes, usize::MAX).unwrap() {
        if frame.kind == FrameKind::Held {
            assert!(answer.result.is_none(), "what is held is told before the reply");
            answer.held.extend(decode_body::<Held>(frame.kind, frame.body).unwrap().objects);
        } else if frame.kind == FrameKind::Error {
            let error: ErrorReply = decode_body(frame.kind, frame.body).unwrap();
            answer.result = Some(Err(Code::from_number(error.code).unwrap()));
        } else {
            answer.result = Some(Ok(ReplyHeader::parse(frame.body).unwrap().result.to_vec()));
        }
        bytes = &bytes[used..];
    }
    answer
}
