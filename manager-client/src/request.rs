//! A request on its way out: one frame, or parts if it is larger than a frame.

use manager_protocol::{
    FrameKind, HEADER_BYTES, ObjectId, Part, Row, finish_frame, start_frame, write_part, write_request_header,
};

use crate::error::{Error, Reason, Result};

/// What a server takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Largest frame, in bytes after the length.
    pub(crate) frame: usize,
    /// Largest message put together from parts.
    pub(crate) message: usize,
}

/// Appends a request to `out`; or returns its parts, if it is larger than a frame.
///
/// # Errors
/// If it is larger than the server takes; `out` is then as it was.
pub(crate) fn write_request(
    out: &mut Vec<u8>,
    id: u64,
    row: Row,
    object: ObjectId,
    encode: impl FnOnce(&mut Vec<u8>),
    limits: Limits,
) -> Result<Option<Parts>> {
    let start = start_frame(out, FrameKind::Request);
    write_request_header(out, id, row.number, object);
    encode(out);
    let length = out.len() - start - HEADER_BYTES;
    if length <= limits.frame {
        finish_frame(out, start);
        return Ok(None);
    }
    let content = out.split_off(start);
    if length > limits.message {
        return Err(Error::new(Reason::TooLarge { bytes: length, limit: limits.message }));
    }
    Ok(Some(Parts { id, content, sent: HEADER_BYTES }))
}

/// A request that is sent in parts.
#[derive(Debug)]
pub(crate) struct Parts {
    id: u64,
    /// The frame that it would be, without a length in its header.
    content: Vec<u8>,
    sent: usize,
}

impl Parts {
    #[cfg(feature = "aio")]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether nothing of it was sent.
    #[cfg(feature = "aio")]
    pub(crate) fn is_untouched(&self) -> bool {
        self.sent == HEADER_BYTES
    }

    pub(crate) fn is_done(&self) -> bool {
        self.sent == self.content.len()
    }

    /// Appends the frame of the next part.
    pub(crate) fn write_next(&mut self, out: &mut Vec<u8>, limits: Limits) {
        let rest = &self.content[self.sent..];
        let most = limits.frame.saturating_sub(PART_OVERHEAD).clamp(1, PIECE);
        let bytes = &rest[..rest.len().min(most)];
        let last = bytes.len() == rest.len();
        write_part(out, FrameKind::RequestPart, &Part { id: self.id, last, bytes });
        self.sent += bytes.len();
    }
}

/// Bytes of the content in one part.
const PIECE: usize = 1024 * 1024;

/// Most bytes of a part's frame that are not content: kind 1, array 1, id 9, last 1, bin 5.
const PART_OVERHEAD: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;
    use manager_protocol::{Assembly, Operation, RequestHeader, decode_body, dict, split_frame};

    fn request(arguments: usize, limits: Limits) -> Result<Vec<u8>> {
        let mut out = vec![9];
        let encode = |out: &mut Vec<u8>| out.resize(out.len() + arguments, 0xc0);
        let written = write_request(&mut out, 1 << 40, dict::Get::ROW, 3, encode, limits);
        if written.is_err() {
            assert_eq!(out, [9]);
        }
        if let Some(mut parts) = written? {
            while !parts.is_done() {
                parts.write_next(&mut out, limits);
            }
        }
        Ok(out.split_off(1))
    }

    #[test]
    fn a_request_is_cut_into_frames_that_the_server_takes() {
        for arguments in [0, 1, 40, 100, 101, 500] {
            let out = request(arguments, Limits { frame: 64, message: 10_000 }).unwrap();
            let (mut rest, mut content) = (&out[..], Assembly::new(10_000));
            while let Some((frame, used)) = split_frame(rest, 64).unwrap() {
                rest = &rest[used..];
                if frame.kind == FrameKind::Request {
                    content.push(&[frame.kind as u8]).unwrap();
                    content.push(frame.body).unwrap();
                } else {
                    let part: Part<'_> = decode_body(frame.kind, frame.body).unwrap();
                    assert_eq!((part.id, part.last), (1 << 40, rest.is_empty()));
                    content.push(part.bytes).unwrap();
                }
            }
            assert!(rest.is_empty());
            let content = content.into_content();
            assert_eq!(content[0], FrameKind::Request as u8);
            let header = RequestHeader::parse(&content[1..]).unwrap();
            assert_eq!((header.id, header.object, header.arguments.len()), (1 << 40, 3, arguments));
        }
    }

    #[test]
    fn a_request_over_the_limit_is_refused_before_it_is_sent() {
        let error = request(2000, Limits { frame: 64, message: 1000 }).unwrap_err();
        assert!(error.is_limit_exceeded(), "{error}");
    }
}
