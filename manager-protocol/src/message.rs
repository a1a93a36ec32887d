//! The bodies of frames: each is one MessagePack value.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::frame::{FrameKind, HEADER_BYTES, finish_frame, start_frame};
use crate::msgpack::{self, Reader};
use crate::operation::ObjectId;

/// The version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u16 = 1;

/// The client's first message. A map, so that later versions can add to it; unknown keys are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version that the client speaks.
    pub protocol: u16,
    /// The client's name and version, for the server's log. At most 256 bytes are kept.
    #[serde(default)]
    pub client: String,
    /// Which session the connection is for.
    #[serde(default)]
    pub session: SessionChoice,
}

/// Which session a connection is for: nil, true, or `[id, token]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SessionChoice {
    /// One of its own, which ends with it; nothing is remembered.
    #[default]
    Own,
    /// A new one that can be joined and resumed. On the wire true.
    New(bool),
    /// One that exists: by its id, and by the token that shows the right to it.
    Join(u64, SessionToken),
}

/// What shows the right to a session; on the wire a bin of 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionToken(pub [u8; 16]);

impl std::fmt::Debug for SessionToken {
    /// Without the token: it is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken")
    }
}

impl Serialize for SessionToken {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionToken {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = SessionToken;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("16 bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<SessionToken, E> {
                bytes.try_into().map(SessionToken).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The server's answer to the hello. A map; unknown keys are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol version spoken from here on.
    pub protocol: u16,
    /// The server's name and version.
    pub server: String,
    /// A number drawn when the server started. Object ids mean nothing to another epoch.
    pub epoch: u64,
    /// Largest frame that the server takes and sends, in bytes after the length.
    pub max_frame: u64,
    /// Largest request that the server puts together from parts, in bytes. Replies have no limit.
    pub max_message: u64,
    /// The session's number.
    pub session: u64,
    /// What shows the right to join the session, if it can be joined.
    pub token: Option<SessionToken>,
    /// How long the session lives on without a connection, in milliseconds.
    pub grace_ms: u64,
}

/// A piece of a message that is larger than a frame, as `[id, last, bytes]`.
///
/// The pieces of one id, put together, are what would have followed the length of one large frame:
/// its kind and its body.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Part<'a> {
    /// The request's id.
    pub id: u64,
    /// No more pieces follow.
    pub last: bool,
    /// The piece.
    #[serde(borrow)]
    pub bytes: &'a [u8],
}

/// The client no longer wants the reply to a request, as `[id]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// The request's id.
    pub id: u64,
}

/// Which replies a session's client has, as `[next, [id]]`: the server need not remember them longer.
///
/// Every request with an id below `next` was answered, but for those that are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledge {
    /// No request with this id or a higher one was sent yet.
    pub next: u64,
    /// The requests below `next` whose replies are still awaited.
    pub awaited: Vec<u64>,
}

/// The client ends its session, as `[]`: everything that the session holds is let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave();

/// The client asks for a lane, as `[]`: rings in shared memory beside this connection's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLane();

/// The lane that was asked for, as `[request_slots, reply_slots]`. The descriptor of its memory comes with the frame,
/// unless there are 0 slots: the server has none to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Slots of the ring of requests, a power of two.
    pub request_slots: u32,
    /// Slots of the ring of replies, a power of two.
    pub reply_slots: u32,
}

/// Something was written into the lane of one who had said that it does not look, as `[]`. A client also sends it
/// once when it has mapped the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake();

/// Objects without names that a reply refers to, as `[id, [object]]`: the session holds each of them once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The request's id; its reply, or the next part of it, follows.
    pub id: u64,
    /// The objects; one that is referred to twice is there twice.
    pub objects: Vec<ObjectId>,
}

/// The refusal of one request, as `[id, code, message]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// The request's id.
    pub id: u64,
    /// [`Code::number`].
    pub code: u16,
    /// What was wrong.
    pub message: String,
}

/// Why the server closes the connection, as `[code, message]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    /// [`Code::number`].
    pub code: u16,
    /// What was wrong.
    pub message: String,
}

/// The head of a request, `[id, operation, object, arguments]`, its arguments not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// Chosen by the client; the reply carries it.
    pub id: u64,
    /// Which operation.
    pub operation: u16,
    /// On which object; 0 is the manager itself.
    pub object: ObjectId,
    /// An array of the operation's arguments, encoded.
    pub arguments: &'a [u8],
}

impl<'a> RequestHeader<'a> {
    /// Reads the head of a request's body.
    ///
    /// # Errors
    /// The request's id, as far as it could be read, and [`Code::MalformedRequest`].
    #[inline]
    pub fn parse(body: &'a [u8]) -> Result<Self, (Option<u64>, Error)> {
        let mut reader = Reader::new(body);
        if !reader.array_of(4) {
            return Err((None, malformed("a request is an array of id, operation, object and arguments")));
        }
        let id = reader.unsigned().ok_or_else(|| (None, malformed("a request's id is an unsigned integer")))?;
        let operation = reader
            .unsigned()
            .and_then(|number| u16::try_from(number).ok())
            .ok_or_else(|| (Some(id), malformed("a request's operation is an integer from 0 to 65535")))?;
        let object =
            reader.unsigned().ok_or_else(|| (Some(id), malformed("a request's object is an unsigned integer")))?;
        Ok(Self { id, operation, object, arguments: reader.rest() })
    }
}

/// The head of a reply, `[id, version, result]`, its result not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyHeader<'a> {
    /// The request's id.
    pub id: u64,
    /// The object's version right after the operation.
    pub version: u64,
    /// The result, encoded.
    pub result: &'a [u8],
}

impl<'a> ReplyHeader<'a> {
    /// Reads the head of a reply's body.
    ///
    /// # Errors
    /// [`Code::MalformedFrame`]: the peer does not speak this protocol.
    #[inline]
    pub fn parse(body: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new(body);
        match (reader.array_of(3), reader.unsigned(), reader.unsigned()) {
            (true, Some(id), Some(version)) => Ok(Self { id, version, result: reader.rest() }),
            _ => Err(Error::new(Code::MalformedFrame, "a reply is an array of id, version and result")),
        }
    }
}

/// Decodes the body of a hello, welcome, part, cancel, error or goodbye.
///
/// # Errors
/// [`Code::MalformedFrame`]; the message repeats nothing of what the peer sent.
pub fn decode_body<'a, T: Deserialize<'a>>(kind: FrameKind, body: &'a [u8]) -> Result<T> {
    let refused = |reason: String| Error::new(Code::MalformedFrame, format!("the body of a {kind:?} frame {reason}"));
    msgpack::check(body).map_err(|fault| refused(format!("is malformed MessagePack: {fault}")))?;
    rmp_serde::from_slice(body).map_err(|_| refused("does not have the fields it should".to_owned()))
}

/// Writes a whole frame whose body is `value`: hello and welcome as maps, the others as arrays.
///
/// # Panics
/// Never: these types always serialise.
pub fn write_control<T: Serialize>(out: &mut Vec<u8>, kind: FrameKind, value: &T) {
    let start = start_frame(out, kind);
    let written = match kind {
        FrameKind::Hello | FrameKind::Welcome => rmp_serde::encode::write_named(out, value),
        FrameKind::Request
        | FrameKind::RequestPart
        | FrameKind::Cancel
        | FrameKind::Acknowledge
        | FrameKind::Leave
        | FrameKind::OpenLane
        | FrameKind::WakeServer
        | FrameKind::Reply
        | FrameKind::ReplyPart
        | FrameKind::Error
        | FrameKind::Held
        | FrameKind::Lane
        | FrameKind::WakeClient
        | FrameKind::Goodbye => rmp_serde::encode::write(out, value),
    };
    written.expect("plain fields always serialise into memory");
    finish_frame(out, start);
}

/// Writes the frame that refuses a request.
pub fn write_error_reply(out: &mut Vec<u8>, id: u64, error: &Error) {
    let reply = ErrorReply { id, code: error.code.number(), message: error.message.clone() };
    write_control(out, FrameKind::Error, &reply);
}

/// Writes one piece of a message as a frame of `kind` (`RequestPart` or `ReplyPart`).
pub fn write_part(out: &mut Vec<u8>, kind: FrameKind, part: &Part<'_>) {
    let start = start_frame(out, kind);
    write_array(out, 3);
    write_unsigned(out, part.id);
    rmp::encode::write_bool(out, part.last).expect(MEMORY);
    rmp::encode::write_bin(out, part.bytes).expect(MEMORY);
    finish_frame(out, start);
}

/// Writes `[id, operation, object, …`: the arguments must follow.
#[inline]
pub fn write_request_header(out: &mut Vec<u8>, id: u64, operation: u16, object: ObjectId) {
    write_array(out, 4);
    write_unsigned(out, id);
    write_unsigned(out, operation.into());
    write_unsigned(out, object);
}

/// Writes `[id, version, …`: the result must follow.
pub fn write_reply_header(out: &mut Vec<u8>, id: u64, version: u64) {
    write_array(out, 3);
    write_unsigned(out, id);
    write_unsigned(out, version);
}

/// Begins the frame of a reply with `[id, version, …`: the result must follow. Returns where it begins, for
/// [`finish_frame`].
#[inline]
pub fn start_reply(out: &mut Vec<u8>, id: u64, version: u64) -> usize {
    let start = out.len();
    let mut head = [0; REPLY_HEAD];
    head[HEADER_BYTES] = FrameKind::Reply as u8;
    head[HEADER_BYTES + 1] = 0x93;
    let end = put_unsigned(&mut head, HEADER_BYTES + 2, id);
    let end = put_unsigned(&mut head, end, version);
    // A copy of a fixed size costs less than one of just what is needed.
    out.extend_from_slice(&head);
    out.truncate(start + end);
    start
}

/// The longest head of a reply: length, kind, array, two integers.
const REPLY_HEAD: usize = HEADER_BYTES + 2 + 2 * 9;

/// Puts an integer at a place, and returns where it ends.
#[inline]
fn put_unsigned(bytes: &mut [u8; REPLY_HEAD], at: usize, number: u64) -> usize {
    let (marker, len) = match number {
        0..=0x7f => {
            bytes[at] = number as u8;
            return at + 1;
        }
        0x80..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        _ => (0xcf, 8),
    };
    bytes[at] = marker;
    // The highest byte comes first, so what there is of it is shifted to the front.
    bytes[at + 1..at + 9].copy_from_slice(&(number << (64 - 8 * len)).to_be_bytes());
    at + 1 + len
}

const MEMORY: &str = "writing to memory does not fail";

#[inline]
pub(crate) fn write_array(out: &mut Vec<u8>, len: u32) {
    match u8::try_from(len) {
        Ok(len @ 0..=15) => out.push(0x90 + len),
        Ok(_) | Err(_) => _ = rmp::encode::write_array_len(out, len).expect(MEMORY),
    }
}

#[inline]
fn write_unsigned(out: &mut Vec<u8>, number: u64) {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    match number {
        0..=0x7f => out.push(h),
        0x80..=0xff => out.extend_from_slice(&[0xcc, h]),
        0x100..=0xffff => out.extend_from_slice(&[0xcd, g, h]),
        0x1_0000..=0xffff_ffff => out.extend_from_slice(&[0xce, e, f, g, h]),
        _ => out.extend_from_slice(&[0xcf, a, b, c, d, e, f, g, h]),
    }
}

/// Appends one encoded value as an argument or a reply has it: as a bin.
#[inline]
pub fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    match u8::try_from(value.len()) {
        Ok(len) => out.extend_from_slice(&[0xc4, len]),
        Err(_) => {
            let len = u32::try_from(value.len()).expect("messages are limited far below 4 GiB");
            rmp::encode::write_bin_len(out, len).expect(MEMORY);
        }
    }
    out.extend_from_slice(value);
}

fn malformed(message: &str) -> Error {
    Error::new(Code::MalformedRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::split_frame;

    #[test]
    fn control_messages_round_trip() {
        let mut out = Vec::new();
        let hello = Hello { protocol: 1, client: "test".into(), session: SessionChoice::New(true) };
        write_control(&mut out, FrameKind::Hello, &hello);
        let (frame, used) = split_frame(&out, 1000).unwrap().unwrap();
        assert_eq!(used, out.len());
        assert_eq!(decode_body::<Hello>(frame.kind, frame.body).unwrap(), hello);
    }

    #[test]
    fn a_hello_names_its_session_in_one_of_three_ways() {
        let token = SessionToken([7; 16]);
        for (session, wire) in [
            (SessionChoice::Own, vec![0xc0]),
            (SessionChoice::New(true), vec![0xc3]),
            (SessionChoice::Join(5, token), [&[0x92, 5, 0xc4, 16][..], &[7; 16]].concat()),
        ] {
            assert_eq!(rmp_serde::to_vec(&session).unwrap(), wire);
            assert_eq!(rmp_serde::from_slice::<SessionChoice>(&wire).unwrap(), session);
        }
        assert!(rmp_serde::from_slice::<SessionChoice>(&[0x92, 5, 0xc4, 1, 7]).is_err(), "a token has 16 bytes");
    }

    #[test]
    fn a_hello_may_have_keys_that_this_version_does_not_know() {
        let body = rmp_serde::to_vec_named(
            &[("protocol", 1), ("later", 2)].into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        )
        .unwrap();
        assert_eq!(decode_body::<Hello>(FrameKind::Hello, &body).unwrap().protocol, 1);
    }

    #[test]
    fn the_head_of_a_reply_has_the_shortest_integers() {
        let numbers = [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
        for (id, version) in numbers.into_iter().flat_map(|id| numbers.map(|version| (id, version))) {
            let mut out = vec![7];
            assert_eq!(start_reply(&mut out, id, version), 1);
            out.push(0xc0);
            finish_frame(&mut out, 1);
            let (frame, used) = split_frame(&out[1..], 100).unwrap().unwrap();
            assert_eq!((frame.kind, used), (FrameKind::Reply, out.len() - 1));
            assert_eq!(ReplyHeader::parse(frame.body).unwrap(), ReplyHeader { id, version, result: &[0xc0] });
            assert_eq!(frame.body, rmp_serde::to_vec(&(id, version, ())).unwrap());
        }
    }

    #[test]
    fn a_request_whose_id_can_be_read_is_refused_under_that_id() {
        let (id, error) = RequestHeader::parse(&[0x94, 0x07, 0xc0, 0x00, 0x90]).unwrap_err();
        assert_eq!((id, error.code), (Some(7), Code::MalformedRequest));
        let (id, _) = RequestHeader::parse(&[0x93, 0x07]).unwrap_err();
        assert_eq!(id, None);
    }
}
