//! What the frames of one client mean, after its hello: requests, parts of requests, cancels,
//! acknowledgements.
//!
//! No I/O and no waiting here: frames go in, reply frames are appended to a buffer, and what may
//! take long is handed back to be run elsewhere.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use manager_protocol::{
    Acknowledge, Assembly, Cancel, Code, Error, Frame, FrameKind, Leave, OpenLane, Part, Reader, RequestHeader, Result,
    Token, Wake, decode_body, write_error_reply,
};

use crate::core::{Client, Core, Mail, Now, Outcome, Pace, Stream, Time};
use crate::inbox::OwnedBody;

/// The state of one client's conversation with the core.
pub(crate) struct Conversation {
    core: Arc<Core>,
    client: Client,
    max_message: usize,
    /// Replies of which parts are still to be sent.
    streams: VecDeque<Stream>,
    /// Streams that ended; freeing them may take long.
    ended: Vec<Stream>,
    /// The request that is arriving in parts.
    assembly: Option<(u64, Assembly)>,
}

impl fmt::Debug for Conversation {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").field("session", &self.client.session()).finish_non_exhaustive()
    }
}

/// What became of a frame.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It is dealt with.
    Done,
    /// It is a request of this id that may take long: a [`Job`] is to be made of the frame.
    Patient(u64),
    /// It was the last part of a request that may take long.
    Assembled(Job),
    /// The client asks for a lane.
    Lane,
    /// The client has its lane, and may have written into it.
    Woken,
}

/// A request that is run on a thread which may be kept busy.
#[derive(Debug)]
pub(crate) struct Job {
    /// The request's id.
    pub(crate) id: u64,
    /// The request's body.
    pub(crate) body: OwnedBody,
}

impl Conversation {
    /// A conversation with nothing said yet.
    pub(crate) fn new(core: Arc<Core>, client: Client, max_message: usize) -> Self {
        Self { core, client, max_message, streams: VecDeque::new(), ended: Vec::new(), assembly: None }
    }

    /// The client, as the core sees it.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Deals with one frame, appending whatever it is answered with to `out`.
    ///
    /// # Errors
    /// Why the connection must end: the frame is out of turn, or cannot be answered.
    pub(crate) fn hear(&mut self, frame: Frame<'_>, now: Now<'_>, out: &mut Vec<u8>) -> Result<Turn> {
        match frame.kind {
            FrameKind::Request => self.request(frame.body, now, out),
            FrameKind::RequestPart => self.part(&decode_body(frame.kind, frame.body)?, out),
            FrameKind::Cancel => {
                let cancel: Cancel = decode_body(frame.kind, frame.body)?;
                self.cancel(cancel.id, now.time(), out);
                Ok(Turn::Done)
            }
            FrameKind::Acknowledge => {
                let acknowledged: Acknowledge = decode_body(frame.kind, frame.body)?;
                self.core.acknowledge(&self.client, acknowledged);
                Ok(Turn::Done)
            }
            FrameKind::Leave => {
                let Leave() = decode_body(frame.kind, frame.body)?;
                self.core.leave(&self.client, now.time());
                Ok(Turn::Done)
            }
            FrameKind::OpenLane => {
                let OpenLane() = decode_body(frame.kind, frame.body)?;
                Ok(Turn::Lane)
            }
            FrameKind::WakeServer => {
                let Wake() = decode_body(frame.kind, frame.body)?;
                Ok(Turn::Woken)
            }
            FrameKind::Hello => Err(malformed("a second hello")),
            FrameKind::Held
            | FrameKind::Lane
            | FrameKind::WakeClient
            | FrameKind::Welcome
            | FrameKind::Reply
            | FrameKind::ReplyPart
            | FrameKind::Error
            | FrameKind::Goodbye => Err(malformed(format!("a {:?} frame, which only a server sends", frame.kind))),
        }
    }

    /// Takes up what came of a [`Job`].
    pub(crate) fn resume(&mut self, id: u64, outcome: Outcome, out: &mut Vec<u8>) {
        match outcome {
            Outcome::Replied | Outcome::Waiting => {}
            Outcome::Streaming(stream) => self.streams.push_back(stream),
            Outcome::Postponed => {
                write_error_reply(out, id, &Error::new(Code::Internal, "a request was postponed twice"));
            }
        }
    }

    /// Appends the replies to requests that have waited.
    ///
    /// # Errors
    /// Why the connection must end: its session has.
    pub(crate) fn collect(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let Mail { streams, ending } = self.client.mailbox().collect(out);
        self.streams.extend(streams);
        ending.map_or(Ok(()), Err)
    }

    /// Appends the next part of one unfinished reply: each has its turn, and so have others in between.
    pub(crate) fn stream(&mut self, out: &mut Vec<u8>) {
        let Some(mut stream) = self.streams.pop_front() else { return };
        if stream.next_part(out) {
            self.streams.push_back(stream);
        } else {
            self.client.sent(stream.id());
            self.ended.push(stream);
        }
    }

    /// Whether parts of replies are still to be sent.
    pub(crate) fn is_streaming(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Whether no request can be taken until a reply in parts is finished.
    pub(crate) fn is_full(&self) -> bool {
        self.streams.len() >= MAX_STREAMS
    }

    /// Whether a request has arrived in part.
    pub(crate) fn is_inside_message(&self) -> bool {
        self.assembly.is_some()
    }

    /// Streams that have ended, to be dropped where that may take long.
    pub(crate) fn take_ended(&mut self) -> Vec<Stream> {
        std::mem::take(&mut self.ended)
    }

    /// Every stream, to be dropped where that may take long.
    pub(crate) fn into_streams(mut self) -> Vec<Stream> {
        self.ended.extend(self.streams);
        self.ended
    }

    fn request(&mut self, body: &[u8], now: Now<'_>, out: &mut Vec<u8>) -> Result<Turn> {
        let header = match RequestHeader::parse(body) {
            Ok(header) => header,
            Err((id, error)) => return refuse(id, error, out),
        };
        let id = header.id;
        if body.len() > LARGE_REQUEST || body.len() > MANY_BYTES && !has_few_items(header.arguments) {
            return Ok(Turn::Patient(id));
        }
        match self.core.dispatch(&self.client, header, Pace::Inline, now, out) {
            Outcome::Replied | Outcome::Waiting => {}
            Outcome::Streaming(stream) => self.streams.push_back(stream),
            Outcome::Postponed => return Ok(Turn::Patient(id)),
        }
        Ok(Turn::Done)
    }

    fn part(&mut self, part: &Part<'_>, out: &mut Vec<u8>) -> Result<Turn> {
        let (id, mut assembly) = self.assembly.take().unwrap_or_else(|| (part.id, Assembly::new(self.max_message)));
        if part.id != id {
            return Err(malformed("parts of two requests at once"));
        }
        assembly.push(part.bytes)?;
        if !part.last {
            self.assembly = Some((id, assembly));
            return Ok(Turn::Done);
        }
        let content = assembly.into_content();
        let whole = Frame::from_content(&content)?;
        if whole.kind != FrameKind::Request {
            return Err(malformed(format!("a {:?} in parts", whole.kind)));
        }
        match RequestHeader::parse(whole.body) {
            Ok(header) if header.id == id => Ok(Turn::Assembled(Job { id, body: OwnedBody::new(content, KIND_BYTES) })),
            Ok(_) => Err(malformed("a request in parts of another id")),
            Err((_, error)) => refuse(Some(id), error, out),
        }
    }

    fn cancel(&mut self, id: u64, now: Time, out: &mut Vec<u8>) {
        // What it was done for is not wanted, however much of the reply was sent.
        self.core.cancel(&self.client, id, now);
        if let Some(place) = self.streams.iter().position(|stream| stream.id() == id) {
            self.ended.extend(self.streams.remove(place));
            write_error_reply(out, id, &Error::new(Code::Cancelled, "the request was cancelled"));
        }
    }
}

impl Job {
    /// Runs the request and appends its reply to `out`. May take long.
    pub(crate) fn run(&self, core: &Core, client: &Client, now: Time, out: &mut Vec<u8>) -> Outcome {
        match RequestHeader::parse(self.body.as_slice()) {
            Ok(header) => core.dispatch(client, header, Pace::Patient, now, out),
            Err((_, error)) => {
                write_error_reply(out, self.id, &error);
                Outcome::Replied
            }
        }
    }
}

/// Whether arguments are values, and at the end perhaps a sequence that is not long: then their bytes are mostly
/// copied, and looked at one by one in few places.
fn has_few_items(arguments: &[u8]) -> bool {
    let mut reader = Reader::new(arguments);
    let Ok(Token::Array(len @ 0..16)) = reader.token() else { return false };
    (1..=len).all(|nth| match reader.token() {
        Ok(Token::Array(items)) => nth == len && items <= FEW_ITEMS,
        Ok(Token::Map(_) | Token::Extension(..)) | Err(_) => false,
        Ok(
            Token::Nil
            | Token::Bool(_)
            | Token::Integer(_)
            | Token::Float32(_)
            | Token::Float64(_)
            | Token::Text(_)
            | Token::Bytes(_),
        ) => true,
    })
}

fn refuse(id: Option<u64>, error: Error, out: &mut Vec<u8>) -> Result<Turn> {
    let Some(id) = id else {
        return Err(malformed(error.message));
    };
    write_error_reply(out, id, &error);
    Ok(Turn::Done)
}

fn malformed(message: impl Into<String>) -> Error {
    Error::new(Code::MalformedFrame, message)
}

/// Most replies that are being sent in parts at one time.
const MAX_STREAMS: usize = 16;

/// A request with a body over this may take long if it has many items: a hundred nanoseconds and more each.
const MANY_BYTES: usize = 64 * 1024;

/// Most items of a request with a longer body that is run on a connection's own thread.
const FEW_ITEMS: u32 = 2048;

/// A request with a body over this is never run on a connection's own thread.
const LARGE_REQUEST: usize = 128 * 1024;

/// The kind in front of a body.
const KIND_BYTES: usize = 1;

#[cfg(test)]
mod tests {
    use manager_protocol::{ErrorReply, SessionChoice, SessionToken, split_frame, write_part, write_request_header};

    use super::*;
    use crate::core::Limits;

    fn conversation() -> Conversation {
        conversation_with(1 << 20)
    }

    fn conversation_with(max_message: usize) -> Conversation {
        let core = Arc::new(Core::new(Limits::default()));
        let client = core.connect(0, SessionChoice::Own, SessionToken([0; 16])).unwrap();
        Conversation::new(core, client, max_message)
    }

    fn ping(id: u64) -> Vec<u8> {
        let mut body = Vec::new();
        write_request_header(&mut body, id, 1, 0);
        body.push(0x90);
        body
    }

    fn part(id: u64, last: bool, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_part(&mut out, FrameKind::RequestPart, &Part { id, last, bytes });
        out
    }

    fn hear(conversation: &mut Conversation, bytes: &[u8], out: &mut Vec<u8>) -> Result<Turn> {
        let (frame, _) = split_frame(bytes, 1 << 20).unwrap().unwrap();
        conversation.hear(frame, Time::ZERO.into(), out)
    }

    fn error_reply(out: &[u8]) -> ErrorReply {
        let (frame, _) = split_frame(out, 1 << 20).unwrap().unwrap();
        assert_eq!(frame.kind, FrameKind::Error);
        decode_body(frame.kind, frame.body).unwrap()
    }

    #[test]
    fn a_small_request_is_answered_at_once() {
        let mut out = Vec::new();
        let frame = Frame { kind: FrameKind::Request, body: &ping(7) };
        assert!(matches!(conversation().hear(frame, Time::ZERO.into(), &mut out), Ok(Turn::Done)));
        assert_eq!(split_frame(&out, 100).unwrap().unwrap().0.kind, FrameKind::Reply);
    }

    #[test]
    fn a_large_request_is_run_elsewhere() {
        let mut body = ping(7);
        body.resize(LARGE_REQUEST + 1, 0);
        let frame = Frame { kind: FrameKind::Request, body: &body };
        assert!(matches!(conversation().hear(frame, Time::ZERO.into(), &mut Vec::new()), Ok(Turn::Patient(7))));
    }

    #[test]
    fn a_long_request_is_run_elsewhere_if_it_has_many_items() {
        let array = |len: u32| [&[0xdd][..], &len.to_be_bytes()].concat();
        let value = |len: u32| [&[0xc6][..], &len.to_be_bytes(), &vec![0xc0; len as usize]].concat();
        let cases = [
            ([vec![0x92], value(9), value(70_000)].concat(), false),
            ([vec![0x91], array(FEW_ITEMS), value(70_000)].concat(), false),
            ([vec![0x91], array(FEW_ITEMS + 1), value(70_000)].concat(), true),
            ([vec![0x92], array(3), vec![0xc0; 3], value(70_000)].concat(), true),
            ([vec![0x91, 0x80], value(70_000)].concat(), true),
        ];
        for (arguments, patient) in cases {
            let mut body = Vec::new();
            write_request_header(&mut body, 7, 1, 0);
            body.extend(arguments);
            let frame = Frame { kind: FrameKind::Request, body: &body };
            let turn = conversation().hear(frame, Time::ZERO.into(), &mut Vec::new()).unwrap();
            assert_eq!(matches!(turn, Turn::Patient(7)), patient);
        }
    }

    #[test]
    fn a_request_that_does_not_parse_is_refused_if_its_id_is_known() {
        let mut out = Vec::new();
        let frame = Frame { kind: FrameKind::Request, body: &[0x94, 0x07, 0xc0, 0x00, 0x90] };
        assert!(matches!(conversation().hear(frame, Time::ZERO.into(), &mut out), Ok(Turn::Done)));
        assert_eq!((error_reply(&out).id, error_reply(&out).code), (7, Code::MalformedRequest.number()));
        let frame = Frame { kind: FrameKind::Request, body: &[0xc0] };
        assert_eq!(conversation().hear(frame, Time::ZERO.into(), &mut out).unwrap_err().code, Code::MalformedFrame);
    }

    #[test]
    fn parts_make_a_request() {
        let (mut conversation, mut out) = (conversation(), Vec::new());
        let content = [&[FrameKind::Request as u8], &ping(9)[..]].concat();
        let (head, tail) = content.split_at(2);
        assert!(matches!(hear(&mut conversation, &part(9, false, head), &mut out), Ok(Turn::Done)));
        assert!(conversation.is_inside_message());
        let Ok(Turn::Assembled(job)) = hear(&mut conversation, &part(9, true, tail), &mut out) else {
            panic!("the last part makes it whole");
        };
        assert_eq!((job.id, job.body.as_slice()), (9, &ping(9)[..]));
        assert!(matches!(job.run(&conversation.core, &conversation.client, Time::ZERO, &mut out), Outcome::Replied));
        assert!(!conversation.is_inside_message());
    }

    #[test]
    fn parts_are_of_one_request_and_within_the_limit() {
        let mut out = Vec::new();
        let mut mixed = conversation();
        hear(&mut mixed, &part(1, false, b"x"), &mut out).unwrap();
        assert_eq!(hear(&mut mixed, &part(2, false, b"x"), &mut out).unwrap_err().code, Code::MalformedFrame);

        let mut long = conversation_with(3);
        assert_eq!(hear(&mut long, &part(1, false, b"four"), &mut out).unwrap_err().code, Code::FrameTooLarge);

        let content = [&[FrameKind::Request as u8], &ping(9)[..]].concat();
        assert!(hear(&mut conversation(), &part(8, true, &content), &mut out).is_err(), "another id inside");
        assert!(hear(&mut conversation(), &part(8, true, &[FrameKind::Hello as u8]), &mut out).is_err());
    }

    #[test]
    fn frames_out_of_turn_end_the_conversation() {
        for kind in [FrameKind::Hello, FrameKind::Welcome, FrameKind::Reply, FrameKind::Goodbye] {
            let error =
                conversation().hear(Frame { kind, body: &[0xc0] }, Time::ZERO.into(), &mut Vec::new()).unwrap_err();
            assert_eq!(error.code, Code::MalformedFrame);
        }
    }

    #[test]
    fn a_cancel_of_what_is_unknown_is_ignored() {
        let mut out = Vec::new();
        let frame = Frame { kind: FrameKind::Cancel, body: &[0x91, 0x05] };
        assert!(matches!(conversation().hear(frame, Time::ZERO.into(), &mut out), Ok(Turn::Done)));
        assert!(out.is_empty());
    }
}
