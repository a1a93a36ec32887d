//! The bytes that one peer has sent and nobody has read: one buffer that grows with what arrives.
//!
//! It never allocates by what a length claims.

use std::ops::Range;

use manager_protocol::{Frame, HEADER_BYTES, Result, split_frame};

/// The read buffer of one connection.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// Where what was not taken yet begins.
    start: usize,
}

/// A frame's body with the allocation that holds it: what a request is run from on another thread.
#[derive(Debug)]
pub(crate) struct OwnedBody {
    bytes: Vec<u8>,
    range: Range<usize>,
}

impl Inbox {
    /// The first frame, if it has arrived whole. It stays until [`Inbox::advance`] or
    /// [`Inbox::take_body`].
    ///
    /// # Errors
    /// As [`split_frame`]: the stream cannot be read on.
    pub(crate) fn frame(&self, max: usize) -> Result<Option<Frame<'_>>> {
        Ok(split_frame(&self.bytes[self.start..], max)?.map(|(frame, _)| frame))
    }

    /// Whether part of a frame is here.
    pub(crate) fn is_inside_frame(&self) -> bool {
        self.start < self.bytes.len()
    }

    /// Takes the first frame, whose body has this length, off.
    pub(crate) fn advance(&mut self, body: usize) {
        self.start += FRAME_OVERHEAD + body;
        if self.start == self.bytes.len() {
            self.clear();
        }
    }

    /// Takes the first frame, whose body has this length, off and hands its body out.
    ///
    /// Of the body and of what follows it, the shorter is copied.
    pub(crate) fn take_body(&mut self, body: usize) -> OwnedBody {
        let start = self.start + FRAME_OVERHEAD;
        let range = start..start + body;
        let rest = &self.bytes[range.end..];
        if rest.len() > body {
            let bytes = self.bytes[range].to_vec();
            self.advance(body);
            return OwnedBody { range: 0..bytes.len(), bytes };
        }
        let rest = rest.to_vec();
        self.start = 0;
        OwnedBody { bytes: std::mem::replace(&mut self.bytes, rest), range }
    }

    /// The buffer, with free space behind its contents, to be read into.
    ///
    /// It has at least `floor` bytes, doubles when it is full, and stays within one frame of `max`.
    /// Only to be called when no whole frame is there, so that there is always room to grow into.
    pub(crate) fn room(&mut self, floor: usize, max: usize) -> &mut Vec<u8> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let length = self.bytes.len();
        let capacity = self.bytes.capacity();
        let wanted = if length < capacity { floor } else { floor.max((2 * capacity).min(HEADER_BYTES + max)) };
        if wanted > capacity {
            self.bytes.reserve_exact(wanted - length);
        }
        &mut self.bytes
    }

    /// Forgets everything, and the memory that a large frame needed.
    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes = Vec::new();
        }
    }
}

impl OwnedBody {
    /// A body that begins at `start` of these bytes.
    pub(crate) fn new(bytes: Vec<u8>, start: usize) -> Self {
        Self { range: start..bytes.len(), bytes }
    }

    /// The body.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

/// What a frame has beside its body: the length and the kind.
const FRAME_OVERHEAD: usize = HEADER_BYTES + 1;

/// An empty buffer above this is given back.
const KEPT_CAPACITY: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use manager_protocol::{FrameKind, finish_frame, start_frame};

    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let start = start_frame(&mut out, FrameKind::Request);
        out.extend(body);
        finish_frame(&mut out, start);
        out
    }

    fn receive(inbox: &mut Inbox, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = inbox.room(8, 1 << 20);
            let taken = (room.capacity() - room.len()).min(bytes.len());
            assert!(taken > 0, "there is room for the rest of a frame");
            room.extend(&bytes[..taken]);
            bytes = &bytes[taken..];
        }
    }

    fn body(inbox: &Inbox) -> Option<Vec<u8>> {
        inbox.frame(1 << 20).unwrap().map(|frame| frame.body.to_vec())
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut inbox = Inbox::default();
        receive(&mut inbox, &[frame(b"one"), frame(b""), frame(b"three")].concat()[..20]);
        assert_eq!(body(&inbox).unwrap(), b"one");
        inbox.advance(3);
        assert_eq!(body(&inbox).unwrap(), b"");
        inbox.advance(0);
        assert_eq!(body(&inbox), None);
        assert!(inbox.is_inside_frame());
        receive(&mut inbox, &frame(b"three")[7..]);
        assert_eq!(body(&inbox).unwrap(), b"three");
        inbox.advance(5);
        assert!(!inbox.is_inside_frame());
    }

    #[test]
    fn a_body_is_taken_whatever_follows_it() {
        for rest in [&b""[..], b"x", &[b'x'; 100]] {
            let mut inbox = Inbox::default();
            receive(&mut inbox, &[frame(b"first"), frame(b"second"), frame(rest)].concat());
            inbox.advance(5);
            assert_eq!(inbox.take_body(6).as_slice(), b"second");
            assert_eq!(body(&inbox).unwrap(), rest);
        }
    }

    #[test]
    fn memory_follows_what_arrived_and_not_the_claimed_length() {
        let mut inbox = Inbox::default();
        receive(&mut inbox, &[0, 15, 0, 0, FrameKind::Request as u8]);
        assert!(inbox.room(64, 1 << 20).capacity() <= 64);
        receive(&mut inbox, &[0; 1000]);
        assert!(inbox.bytes.capacity() <= 2048);
    }

    #[test]
    fn memory_is_given_back_after_a_large_frame() {
        let mut inbox = Inbox::default();
        receive(&mut inbox, &frame(&vec![0; 1_000_000]));
        inbox.advance(1_000_000);
        assert!(inbox.bytes.capacity() <= KEPT_CAPACITY);
    }
}
