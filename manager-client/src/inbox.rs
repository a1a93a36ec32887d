//! What has arrived from a server and was not looked at yet; puts replies in parts together.
//!
//! It does no I/O: a driver reads into [`Inbox::room`].

use std::collections::HashMap;

use manager_protocol::{
    Assembly, ErrorReply, Frame, FrameKind, Goodbye, Held, Lane, MAX_HELLO_BYTES, ObjectId, Part, ReplyHeader,
    decode_body, split_frame,
};

use crate::error::{Error, Reason, Result};
use crate::link::Answer;

/// One message of the server.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    /// The request that it is about.
    pub(crate) id: u64,
    /// The reply, or the refusal.
    pub(crate) outcome: Result<Answer<'a>>,
    /// What the session holds by it, an object for each time.
    pub(crate) held: Vec<ObjectId>,
}

/// A buffer of bytes that arrived.
pub(crate) struct Inbox {
    /// All of it is initialised; `start..end` is what arrived and was not taken.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    parts: HashMap<u64, Assembly>,
    /// What the session holds by messages that are still to come.
    held: HashMap<u64, Vec<ObjectId>>,
    /// The last message that came in parts, while it is looked at.
    whole: Vec<u8>,
    /// The lane that the server offers.
    offer: Option<Lane>,
    max_frame: usize,
    max_message: usize,
}

impl std::fmt::Debug for Inbox {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbox({} bytes)", self.end - self.start)
    }
}

impl Inbox {
    /// An empty inbox that takes only what may come before the hello is answered.
    pub(crate) fn new(max_message: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            parts: HashMap::new(),
            held: HashMap::new(),
            whole: Vec::new(),
            offer: None,
            max_frame: MAX_HELLO_BYTES,
            max_message,
        }
    }

    /// Takes frames of up to so many bytes from now on.
    pub(crate) fn allow(&mut self, max_frame: usize) {
        self.max_frame = max_frame;
    }

    /// Whether nothing is waiting, not even a part of something.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end && self.parts.is_empty() && self.held.is_empty()
    }

    /// Takes what the session holds by messages that will not come here any more, or were not looked at.
    pub(crate) fn take_held(&mut self) -> HashMap<u64, Vec<ObjectId>> {
        std::mem::take(&mut self.held)
    }

    /// Takes what the server has answered to who asked for a lane.
    #[inline]
    pub(crate) fn take_offer(&mut self) -> Option<Lane> {
        self.offer.take()
    }

    /// Where to read to. What was read is to be told to [`filled`](Self::filled).
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > KEPT {
                self.bytes = Vec::new();
            }
        }
        if self.bytes.len() - self.end < LEAST_ROOM {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            // Doubling: memory follows what has arrived, never what a length claims.
            let len = (self.end * 2).max(self.end + LEAST_ROOM).max(self.bytes.len());
            self.bytes.resize(len, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Tells that so many bytes were read into [`room`](Self::room).
    pub(crate) fn filled(&mut self, read: usize) {
        self.end += read;
        assert!(self.end <= self.bytes.len(), "no more is read than there is room for");
    }

    /// Takes the next whole frame.
    pub(crate) fn frame(&mut self) -> Result<Option<Frame<'_>>> {
        let arrived = &self.bytes[self.start..self.end];
        let Some((frame, used)) = split_frame(arrived, self.max_frame).map_err(not_the_protocol)? else {
            return Ok(None);
        };
        self.start += used;
        Ok(Some(frame))
    }

    /// Passes over the whole messages that have arrived. What the session holds by them is kept.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) fn skip(&mut self) -> Result<()> {
        while let Some(message) = self.next()? {
            let (id, held) = (message.id, message.held);
            if !held.is_empty() {
                self.held.insert(id, held);
            }
        }
        Ok(())
    }

    /// Takes the next whole message.
    ///
    /// # Errors
    /// A goodbye, or bytes that are not the protocol. The stream cannot be read on after either.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming<'_>>> {
        loop {
            let arrived = &self.bytes[self.start..self.end];
            let Some((frame, used)) = split_frame(arrived, self.max_frame).map_err(not_the_protocol)? else {
                return Ok(None);
            };
            let kind = frame.kind;
            // By its place: a frame that is returned from inside a loop would be borrowed for all of it.
            let body = self.start + used - frame.body.len()..self.start + used;
            self.start += used;
            if kind == FrameKind::Held {
                let held: Held = decode_body(kind, &self.bytes[body]).map_err(not_the_protocol)?;
                self.held.entry(held.id).or_default().extend(held.objects);
                continue;
            }
            if kind == FrameKind::WakeClient {
                continue; // Whoever was woken by it looks into its lane.
            }
            if kind == FrameKind::Lane {
                self.offer = Some(decode_body(kind, &self.bytes[body]).map_err(not_the_protocol)?);
                continue;
            }
            if kind != FrameKind::ReplyPart {
                let mut message = message(Frame { kind, body: &self.bytes[body] })?;
                message.held = taken(&mut self.held, message.id);
                if !self.parts.is_empty() {
                    // A reply that was cancelled after some of its parts ends with an error.
                    self.parts.remove(&message.id);
                }
                return Ok(Some(message));
            }
            let part: Part<'_> = decode_body(kind, &self.bytes[body]).map_err(not_the_protocol)?;
            let limit = self.max_message;
            let parts = self.parts.entry(part.id).or_insert_with(|| Assembly::new(limit));
            parts.push(part.bytes).map_err(|_| Error::new(Reason::ReplyTooLarge { limit }))?;
            if part.last {
                let id = part.id;
                self.whole = self.parts.remove(&id).map(Assembly::into_content).unwrap_or_default();
                let mut message = message(Frame::from_content(&self.whole).map_err(not_the_protocol)?)?;
                message.held = taken(&mut self.held, id);
                if message.id != id {
                    return Err(protocol("parts of one request that make the reply to another"));
                }
                return Ok(Some(message));
            }
        }
    }
}

/// Without looking where nothing is: most replies refer to nothing.
fn taken(held: &mut HashMap<u64, Vec<ObjectId>>, id: u64) -> Vec<ObjectId> {
    if held.is_empty() { Vec::new() } else { held.remove(&id).unwrap_or_default() }
}

fn message(frame: Frame<'_>) -> Result<Incoming<'_>> {
    match frame.kind {
        FrameKind::Reply => {
            let reply = ReplyHeader::parse(frame.body).map_err(not_the_protocol)?;
            let answer = Answer::new(reply.version, reply.result);
            Ok(Incoming { id: reply.id, outcome: Ok(answer), held: Vec::new() })
        }
        FrameKind::Error => {
            let refusal: ErrorReply = decode_body(frame.kind, frame.body).map_err(not_the_protocol)?;
            let outcome = Err(Error::refused(refusal.code, refusal.message));
            Ok(Incoming { id: refusal.id, outcome, held: Vec::new() })
        }
        FrameKind::Goodbye => Err(goodbye(frame)),
        FrameKind::Hello
        | FrameKind::Request
        | FrameKind::RequestPart
        | FrameKind::Cancel
        | FrameKind::Acknowledge
        | FrameKind::Leave
        | FrameKind::OpenLane
        | FrameKind::WakeServer
        | FrameKind::Welcome
        | FrameKind::Held
        | FrameKind::Lane
        | FrameKind::WakeClient
        | FrameKind::ReplyPart => Err(protocol("a frame that has no place here")),
    }
}

/// The error that a goodbye tells.
pub(crate) fn goodbye(frame: Frame<'_>) -> Error {
    match decode_body::<Goodbye>(frame.kind, frame.body) {
        Ok(goodbye) => Error::goodbye(goodbye.code, goodbye.message),
        Err(error) => not_the_protocol(error),
    }
}

pub(crate) fn not_the_protocol(error: manager_protocol::Error) -> Error {
    Error::with_source(Reason::Protocol, error)
}

pub(crate) fn protocol(fault: &'static str) -> Error {
    Error::with_source(Reason::Protocol, fault)
}

/// A read has at least so much room.
const LEAST_ROOM: usize = 64 * 1024;

/// An empty buffer larger than this is given back.
const KEPT: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use manager_protocol::{finish_frame, start_frame, write_part, write_reply_header};

    fn reply(id: u64, result: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let start = start_frame(&mut out, FrameKind::Reply);
        write_reply_header(&mut out, id, 7);
        out.extend_from_slice(result);
        finish_frame(&mut out, start);
        out
    }

    /// The messages of a stream that arrives in two pieces.
    fn arrive(stream: &[u8], cut: usize) -> Vec<(u64, Vec<u8>)> {
        let mut inbox = Inbox::new(1000);
        let mut messages = Vec::new();
        for piece in [&stream[..cut], &stream[cut..]] {
            inbox.room()[..piece.len()].copy_from_slice(piece);
            inbox.filled(piece.len());
            while let Some(message) = inbox.next().unwrap() {
                messages.push((message.id, message.outcome.unwrap().result.to_vec()));
            }
        }
        assert!(inbox.is_empty());
        messages
    }

    #[test]
    fn messages_are_the_same_wherever_the_stream_is_cut() {
        let mut stream = reply(1, b"one");
        let content = reply(2, b"two")[4..].to_vec();
        for (index, bytes) in content.chunks(3).enumerate() {
            let last = (index + 1) * 3 >= content.len();
            write_part(&mut stream, FrameKind::ReplyPart, &Part { id: 2, last, bytes });
            if index == 0 {
                stream.extend(reply(3, b"three"));
            }
        }
        let whole = arrive(&stream, stream.len());
        assert_eq!(whole, [(1, b"one".to_vec()), (3, b"three".to_vec()), (2, b"two".to_vec())]);
        for cut in 0..stream.len() {
            assert_eq!(arrive(&stream, cut), whole, "cut at {cut}");
        }
    }

    #[test]
    fn parts_over_the_limit_are_refused() {
        let mut inbox = Inbox::new(4);
        let mut stream = Vec::new();
        write_part(&mut stream, FrameKind::ReplyPart, &Part { id: 1, last: false, bytes: &[0; 5] });
        inbox.room()[..stream.len()].copy_from_slice(&stream);
        inbox.filled(stream.len());
        let error = inbox.next().unwrap_err();
        assert!(error.is_disconnected() && error.is_limit_exceeded());
    }

    #[test]
    fn the_parts_of_a_cancelled_reply_are_not_kept() {
        let mut inbox = Inbox::new(1000);
        let mut stream = Vec::new();
        write_part(&mut stream, FrameKind::ReplyPart, &Part { id: 1, last: false, bytes: &[0; 5] });
        let cancelled = manager_protocol::Error::new(manager_protocol::Code::Cancelled, "cancelled");
        manager_protocol::write_error_reply(&mut stream, 1, &cancelled);
        inbox.room()[..stream.len()].copy_from_slice(&stream);
        inbox.filled(stream.len());
        let message = inbox.next().unwrap().unwrap();
        assert!(message.id == 1 && message.outcome.is_err());
        assert!(inbox.is_empty());
    }

    #[test]
    fn a_buffer_grows_with_what_arrives() {
        let mut inbox = Inbox::new(1000);
        inbox.allow(usize::MAX);
        let claim = [0xff, 0xff, 0xff, 0xff, FrameKind::Reply as u8];
        inbox.room()[..5].copy_from_slice(&claim);
        inbox.filled(5);
        assert!(inbox.next().unwrap().is_none());
        assert!(inbox.room().len() <= 2 * LEAST_ROOM);
    }
}
