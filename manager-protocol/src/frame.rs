//! The frame: how a stream of bytes is cut into messages.
//!
//! ```text
//! +----------------+---------+---------------------------+
//! | length: 4, BE  | kind: 1 | body: length - 1 bytes    |
//! +----------------+---------+---------------------------+
//! ```
//!
//! The length counts the kind and the body. The body is exactly one MessagePack value.

use crate::error::{Code, Error, Result};

/// Bytes of the length in front of each frame.
pub const HEADER_BYTES: usize = 4;

/// What a frame is. The high nibble says who sends it: 0 a client, 1 the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// The client's first frame.
    Hello = 0x01,
    /// One operation.
    Request = 0x02,
    /// A piece of a request that is larger than a frame.
    RequestPart = 0x03,
    /// The client no longer wants a reply.
    Cancel = 0x04,
    /// Which replies the client has.
    Acknowledge = 0x05,
    /// The client ends its session.
    Leave = 0x06,
    /// The client asks for rings in shared memory.
    OpenLane = 0x07,
    /// There is something in the ring of requests.
    WakeServer = 0x08,
    /// The server's answer to the hello.
    Welcome = 0x11,
    /// The result of a request.
    Reply = 0x12,
    /// A piece of a reply that is larger than a frame.
    ReplyPart = 0x13,
    /// The refusal of a request.
    Error = 0x14,
    /// Why the server closes the connection: its last frame.
    Goodbye = 0x15,
    /// Objects that the session holds from now on, before the reply that names them.
    Held = 0x16,
    /// Rings in shared memory, whose descriptor comes along; or that there are none.
    Lane = 0x17,
    /// There is something in the ring of replies.
    WakeClient = 0x18,
}

impl FrameKind {
    /// The kind with this number.
    #[must_use]
    #[inline]
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0x01 => Self::Hello,
            0x02 => Self::Request,
            0x03 => Self::RequestPart,
            0x04 => Self::Cancel,
            0x05 => Self::Acknowledge,
            0x06 => Self::Leave,
            0x07 => Self::OpenLane,
            0x08 => Self::WakeServer,
            0x11 => Self::Welcome,
            0x12 => Self::Reply,
            0x13 => Self::ReplyPart,
            0x14 => Self::Error,
            0x15 => Self::Goodbye,
            0x16 => Self::Held,
            0x17 => Self::Lane,
            0x18 => Self::WakeClient,
            _ => return None,
        })
    }
}

/// One frame, borrowed from the buffer it was read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: FrameKind,
    /// One MessagePack value, not checked yet.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame whose kind and body are these bytes: what follows a length, or the parts of a
    /// message put together.
    ///
    /// # Errors
    /// [`Code::MalformedFrame`] if there is no kind, or an unknown one.
    #[inline]
    pub fn from_content(content: &'a [u8]) -> Result<Self> {
        let (&number, body) =
            content.split_first().ok_or_else(|| Error::new(Code::MalformedFrame, "a frame without a kind"))?;
        let kind = FrameKind::from_number(number)
            .ok_or_else(|| Error::new(Code::MalformedFrame, format!("unknown frame kind {number:#04x}")))?;
        Ok(Self { kind, body })
    }
}

/// Takes the first frame off `buffer`: the frame and the bytes it occupies, or `None` if it has not
/// arrived whole. The length is judged as soon as it is there, before anything waits for the rest.
///
/// # Errors
/// [`Code::FrameTooLarge`] for a length over `max`, [`Code::MalformedFrame`] for an empty frame or
/// an unknown kind. The stream cannot be read on after either.
#[inline]
pub fn split_frame(buffer: &[u8], max: usize) -> Result<Option<(Frame<'_>, usize)>> {
    let Some((header, rest)) = buffer.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let claimed = u32::from_be_bytes(*header);
    let length = usize::try_from(claimed).unwrap_or(usize::MAX);
    if length > max {
        return Err(Error::new(
            Code::FrameTooLarge,
            format!("a frame of {claimed} bytes is over the limit of {max} (is this a client of this protocol?)"),
        ));
    }
    if let Some(&number) = rest.first() {
        // A stream of garbage is found out by its first byte, not after `length` more.
        Frame::from_content(&[number])?;
    }
    match rest.get(..length) {
        Some(content) => Ok(Some((Frame::from_content(content)?, HEADER_BYTES + length))),
        None => Ok(None),
    }
}

/// Begins a frame at the end of `out` and returns where, for [`finish_frame`].
#[inline]
pub fn start_frame(out: &mut Vec<u8>, kind: FrameKind) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind as u8]);
    start
}

/// Ends the frame begun at `start` by writing its length, and returns that length.
///
/// # Panics
/// If the frame is 4 GiB or more: callers cut messages into parts far below that.
#[inline]
pub fn finish_frame(out: &mut [u8], start: usize) -> usize {
    let length = out.len() - start - HEADER_BYTES;
    let claimed = u32::try_from(length).expect("messages over the frame limit are cut into parts");
    out[start..start + HEADER_BYTES].copy_from_slice(&claimed.to_be_bytes());
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: FrameKind, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let start = start_frame(&mut out, kind);
        out.extend(body);
        finish_frame(&mut out, start);
        out
    }

    #[test]
    fn a_frame_is_whole_only_at_its_last_byte() {
        let bytes = frame(FrameKind::Request, b"body");
        for cut in 0..bytes.len() {
            assert_eq!(split_frame(&bytes[..cut], 100).unwrap(), None, "cut at {cut}");
        }
        let (whole, used) = split_frame(&bytes, 100).unwrap().unwrap();
        assert_eq!((whole.kind, whole.body, used), (FrameKind::Request, &b"body"[..], bytes.len()));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_from_the_header_alone() {
        let error = split_frame(&[0xff; 4], 16 * 1024).unwrap_err();
        assert_eq!(error.code, Code::FrameTooLarge);
        assert!(error.message.contains("4294967295") && error.message.contains("16384"), "{error}");
    }

    #[test]
    fn empty_and_unknown_frames_are_refused() {
        assert_eq!(split_frame(&[0, 0, 0, 0], 100).unwrap_err().code, Code::MalformedFrame);
        assert_eq!(split_frame(&[0, 0, 0, 9, 0x77], 100).unwrap_err().code, Code::MalformedFrame);
    }
}
