//! A reply that is longer than a frame: its parts are encoded one at a time, as they are sent.

use std::sync::{Arc, Weak};

use manager_protocol::{FrameKind, ObjectId, Part, write_part};

use super::giving::{Finder, write_held};
use super::registry::Registry;
use super::session::Session;
use super::sync::{Mutex, lock};

/// Bytes of a reply in one part, unless frames are smaller.
const PART_BYTES: usize = 64 * 1024;

/// Room for what a part's frame has besides the bytes: kind, array, id, flag, length.
const PART_OVERHEAD: usize = 32;

/// What the rest of a long reply is encoded from.
pub(super) trait Source: Send {
    /// Appends about so many bytes more; false if that was the end.
    fn encode(&mut self, out: &mut Vec<u8>, bytes: usize, finder: &mut Finder<'_>) -> bool;
}

/// What is still to be sent of a long reply.
///
/// A clone sends the same bytes again from the first, if they are kept.
pub struct Stream {
    id: u64,
    part_bytes: usize,
    /// How much was sent, of all that was ever encoded.
    sent: usize,
    /// Of how many objects the client was told that the session holds them.
    told: usize,
    /// Locked to make one part.
    encoding: Arc<Mutex<Encoding>>,
}

/// A long reply, as far as it is encoded.
struct Encoding {
    bytes: Vec<u8>,
    /// How many bytes before these were sent and dropped.
    dropped: usize,
    /// What follows, not encoded yet.
    source: Option<Box<dyn Source>>,
    /// Whether what was sent is kept, to be sent again.
    kept: bool,
    /// Objects that the session holds by what is encoded.
    held: Vec<ObjectId>,
    registry: Arc<Registry>,
    session: Weak<Session>,
}

impl Stream {
    /// `encoded` is the beginning of the reply: its kind and body.
    pub(super) fn new(
        id: u64,
        max_frame: usize,
        encoded: Vec<u8>,
        source: Box<dyn Source>,
        registry: Arc<Registry>,
        session: Weak<Session>,
    ) -> Self {
        let part_bytes = PART_BYTES.min(max_frame.saturating_sub(PART_OVERHEAD)).max(1);
        let (source, held) = (Some(source), Vec::new());
        let encoding = Encoding { bytes: encoded, dropped: 0, source, kept: false, held, registry, session };
        Self { id, part_bytes, sent: 0, told: 0, encoding: Arc::new(Mutex::new(encoding)) }
    }

    /// The request's id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Keeps what is sent, so that a clone can send it again. To be called before the first part.
    pub(super) fn keep(&self) {
        lock(&self.encoding).kept = true;
    }

    /// The session holds these objects by the reply. To be called before the first part.
    pub(super) fn hold(&self, objects: &[ObjectId]) {
        lock(&self.encoding).held.extend(objects);
    }

    /// Appends the next part's frame to `out`; false when it was the last.
    pub fn next_part(&mut self, out: &mut Vec<u8>) -> bool {
        let mut encoding = lock(&self.encoding);
        let end = encoding.encode(self.sent, self.part_bytes);
        let last = encoding.source.is_none() && end == encoding.dropped + encoding.bytes.len();
        let bytes = &encoding.bytes[self.sent - encoding.dropped..end - encoding.dropped];
        if self.told < encoding.held.len() {
            write_held(out, self.id, &encoding.held[self.told..]);
            self.told = encoding.held.len();
        }
        write_part(out, FrameKind::ReplyPart, &Part { id: self.id, last, bytes });
        self.sent = end;
        !last
    }
}

impl Clone for Stream {
    fn clone(&self) -> Self {
        Self { id: self.id, part_bytes: self.part_bytes, sent: 0, told: 0, encoding: Arc::clone(&self.encoding) }
    }
}

impl Encoding {
    /// Encodes until there is more than one part after `sent`, so that the last part is known for what
    /// it is. Where that part ends.
    fn encode(&mut self, sent: usize, part_bytes: usize) -> usize {
        if self.ahead(sent) <= part_bytes && !self.kept {
            self.bytes.drain(..sent - self.dropped);
            self.dropped = sent;
        }
        let mut finder = Finder::new(&self.registry);
        while self.dropped + self.bytes.len() - sent <= part_bytes
            && let Some(source) = &mut self.source
        {
            if !source.encode(&mut self.bytes, part_bytes, &mut finder) {
                self.source = None;
            }
        }
        if let Some(session) = self.session.upgrade() {
            self.held.extend(finder.give(&session));
        }
        sent + self.ahead(sent).min(part_bytes)
    }

    /// How much is encoded and not sent.
    fn ahead(&self, sent: usize) -> usize {
        self.dropped + self.bytes.len() - sent
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("id", &self.id).finish_non_exhaustive()
    }
}
