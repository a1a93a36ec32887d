//! A reply that is longer than a frame: its parts are encoded one at a time, as they are sent.

use manager_protocol::{FrameKind, Part, write_part};

/// Bytes of a reply in one part, unless frames are smaller.
const PART_BYTES: usize = 64 * 1024;

/// Room for what a part's frame has besides the bytes: kind, array, id, flag, length.
const PART_OVERHEAD: usize = 32;

/// What the rest of a long reply is encoded from.
pub(super) trait Source: Send {
    /// Appends about so many bytes more; false if that was the end.
    fn encode(&mut self, out: &mut Vec<u8>, bytes: usize) -> bool;
}

/// What is still to be sent of a long reply.
pub struct Stream {
    id: u64,
    part_bytes: usize,
    /// Encoded and not sent yet: from `sent` on.
    encoded: Vec<u8>,
    sent: usize,
    /// What follows, not encoded yet.
    source: Option<Box<dyn Source>>,
}

impl Stream {
    /// `encoded` is the beginning of the reply: its kind and body.
    pub(super) fn new(id: u64, max_frame: usize, encoded: Vec<u8>, source: Box<dyn Source>) -> Self {
        let part_bytes = PART_BYTES.min(max_frame.saturating_sub(PART_OVERHEAD)).max(1);
        Self { id, part_bytes, encoded, sent: 0, source: Some(source) }
    }

    /// The request's id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Appends the next part's frame to `out`; false when it was the last.
    pub fn next_part(&mut self, out: &mut Vec<u8>) -> bool {
        self.encode_ahead();
        let end = self.encoded.len().min(self.sent + self.part_bytes);
        let last = end == self.encoded.len() && self.source.is_none();
        write_part(out, FrameKind::ReplyPart, &Part { id: self.id, last, bytes: &self.encoded[self.sent..end] });
        self.sent = end;
        !last
    }

    /// Encodes until there is more than one part, so that the last part is known for what it is.
    fn encode_ahead(&mut self) {
        if self.encoded.len() - self.sent > self.part_bytes {
            return;
        }
        self.encoded.drain(..self.sent);
        self.sent = 0;
        while let Some(source) = &mut self.source
            && self.encoded.len() <= self.part_bytes
        {
            if !source.encode(&mut self.encoded, self.part_bytes) {
                self.source = None;
            }
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("id", &self.id).finish_non_exhaustive()
    }
}
