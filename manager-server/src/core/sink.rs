//! Where replies are written: into a frame, or into the reply of a transaction.

use std::any::Any;
use std::io;
use std::sync::Arc;

use manager_protocol::{Encoded, HEADER_BYTES, Many, ObjectId, Sink, finish_frame, start_reply, write_value};
use serde::Serialize;

use super::giving::{Finder, give, write_held};
use super::reference::Link;
use super::registry::Registry;
use super::session::Session;
use super::stream::{Source, Stream};

/// A sequence of more items than this is sent in parts, without being encoded as a whole.
const WHOLE_ITEMS: usize = 1024;

/// So is a value whose encoding is longer than this.
const WHOLE_BYTES: usize = 1024 * 1024;

/// A value that is not longer is written at once, without being taken in pieces.
const PLAIN_BYTES: usize = 16 * 1024;

/// What the head of a reply and of a value in it have at most.
const PLAIN_HEAD: usize = 32;

/// What the head of a bin has at most.
const BIN_HEAD: usize = 5;

/// The head of an array of two.
const PAIR: u8 = 0x92;

/// The encoding of nothing.
const NIL: u8 = 0xc0;

/// Appends one reply frame to a connection's buffer, and before it what the session holds by it.
pub(super) struct FrameSink<'a> {
    id: u64,
    max_frame: usize,
    out: &'a mut Vec<u8>,
    start: usize,
    registry: &'a Arc<Registry>,
    session: &'a Arc<Session>,
    finder: Finder<'a>,
    /// The objects that the session holds by this reply, so far.
    pub(super) held: Vec<ObjectId>,
    /// The reply, if it is to be sent in parts.
    pub(super) stream: Option<Stream>,
}

impl<'a> FrameSink<'a> {
    #[inline]
    pub(super) fn new(
        id: u64,
        max_frame: usize,
        out: &'a mut Vec<u8>,
        registry: &'a Arc<Registry>,
        session: &'a Arc<Session>,
    ) -> Self {
        let (start, finder) = (out.len(), Finder::new(registry));
        Self { id, max_frame, out, start, registry, session, finder, held: Vec::new(), stream: None }
    }

    /// Forgets what was written.
    pub(super) fn rewind(&mut self) {
        self.out.truncate(self.start);
        self.finder.clear();
        self.stream = None;
    }

    /// Has the session hold these objects, which the reply refers to; to be called once it was written.
    pub(super) fn give(&mut self, links: Vec<Link>) {
        let objects = give(links, self.session);
        if objects.is_empty() {
            return;
        }
        match &self.stream {
            Some(stream) => stream.hold(&objects),
            None => insert_held(self.out, self.start, self.id, &objects),
        }
        self.held.extend(objects);
    }

    #[inline]
    fn begin(&mut self, version: u64) {
        start_reply(self.out, self.id, version);
    }

    /// Ends the frame, if it is not longer than a frame may be.
    #[inline]
    fn end(&mut self) -> bool {
        let fits = self.out.len() - self.start - HEADER_BYTES <= self.max_frame;
        if fits {
            finish_frame(self.out, self.start);
            if !self.finder.is_empty() {
                self.held = self.finder.give(self.session);
                insert_held(self.out, self.start, self.id, &self.held);
            }
        }
        fits
    }

    /// Writes the whole frame of a stored value that refers to nothing, or of nil, if a frame may be so long; otherwise
    /// nothing is written.
    #[inline]
    pub(super) fn stored(&mut self, version: u64, reply: Option<&[u8]>) -> bool {
        self.plain(version, reply, |_, _| ())
    }

    /// Writes the whole frame, if it is one that nothing need be known of; otherwise nothing is written.
    #[inline]
    fn plain(&mut self, version: u64, reply: Option<&[u8]>, look: impl FnOnce(&mut Finder<'_>, &[u8])) -> bool {
        let value = reply.unwrap_or_default();
        if value.len() > PLAIN_BYTES {
            return false;
        }
        self.out.reserve(PLAIN_HEAD + value.len());
        self.begin(version);
        match reply {
            Some(value) => {
                write_value(self.out, value);
                look(&mut self.finder, value);
            }
            None => self.out.push(NIL),
        }
        let ended = self.end();
        if !ended {
            self.rewind();
        }
        ended
    }

    /// Sends what was begun in parts instead: these bytes and what `source` adds to them.
    fn stream(&mut self, head: usize, source: impl Source + 'static) {
        let head = self.out[self.start + HEADER_BYTES..head].to_vec();
        self.out.truncate(self.start);
        // What was found before is found again.
        self.finder.clear();
        let (registry, session) = (Arc::clone(self.registry), Arc::downgrade(self.session));
        self.stream = Some(Stream::new(self.id, self.max_frame, head, Box::new(source), registry, session));
    }
}

impl Sink for FrameSink<'_> {
    fn value<T: Serialize + Send + 'static>(&mut self, version: u64, value: T) {
        if plain(&value).is_some_and(|reply| self.plain(version, reply, |finder, value| finder.look(value))) {
            return;
        }
        self.begin(version);
        let head = self.out.len();
        let whole = write_window(self.out, &value, 0, WHOLE_BYTES, &mut self.finder);
        if !whole || !self.end() {
            self.stream(head, ValueSource { value, encoded: 0 });
        }
    }

    fn many<T: Serialize + Send + 'static>(&mut self, version: u64, items: Many<'static, T>) {
        self.begin(version);
        write_array_head(self.out, items.count_u32());
        let head = self.out.len();
        if items.len() > WHOLE_ITEMS {
            return self.stream(head, ItemSource::new(items));
        }
        // Few items may be long ones, so they are kept until it is known that all fit.
        let items: Vec<T> = items.collect();
        let mut room = WHOLE_BYTES;
        let whole = items.iter().all(|item| {
            let before = self.out.len();
            let whole = write_window(self.out, item, 0, room, &mut self.finder);
            room -= self.out.len() - before;
            whole
        });
        if !whole || !self.end() {
            self.stream(head, ItemSource::new(Many::new(items.into_iter())));
        }
    }
}

/// What the encoding of a reply is, if it is that of nearly all: nil, or one stored value.
#[inline]
fn plain<T: 'static>(reply: &T) -> Option<Option<&[u8]>> {
    // The types are known when this is compiled, and no more than one of these is left of it.
    let reply: &dyn Any = reply;
    if let Some(found) = reply.downcast_ref::<Option<Encoded<'static>>>() {
        return Some(found.as_ref().map(Encoded::as_slice));
    }
    if let Some(value) = reply.downcast_ref::<Encoded<'static>>() {
        return Some(Some(value.as_slice()));
    }
    reply.is::<()>().then_some(None)
}

/// Encodes a long value piece by piece.
struct ValueSource<T> {
    value: T,
    /// How much of its encoding was given out.
    encoded: usize,
}

impl<T: Serialize + Send> Source for ValueSource<T> {
    fn encode(&mut self, out: &mut Vec<u8>, bytes: usize, finder: &mut Finder<'_>) -> bool {
        let before = out.len();
        let ended = write_window(out, &self.value, self.encoded, bytes, finder);
        self.encoded += out.len() - before;
        !ended
    }
}

/// Encodes a long sequence item by item, and long items piece by piece.
struct ItemSource<T: 'static> {
    items: Many<'static, T>,
    /// The item that was begun.
    current: Option<ValueSource<T>>,
}

impl<T: 'static> ItemSource<T> {
    fn new(items: Many<'static, T>) -> Self {
        Self { items, current: None }
    }
}

impl<T: Serialize + Send> Source for ItemSource<T> {
    fn encode(&mut self, out: &mut Vec<u8>, bytes: usize, finder: &mut Finder<'_>) -> bool {
        let end = out.len() + bytes;
        while out.len() < end {
            let next = || self.items.next().map(|value| ValueSource { value, encoded: 0 });
            let Some(mut item) = self.current.take().or_else(next) else { return false };
            if item.encoded == 0 && write_plain(out, &item.value, end, finder) {
                continue;
            }
            if item.encode(out, end - out.len(), finder) {
                self.current = Some(item);
            }
        }
        true
    }
}

/// Appends the whole of an item of the sorts that long sequences are mostly made of, if it ends before `end`;
/// otherwise nothing.
#[inline]
fn write_plain<T: 'static>(out: &mut Vec<u8>, item: &T, end: usize, finder: &mut Finder<'_>) -> bool {
    let room = end.saturating_sub(out.len());
    let item: &dyn Any = item;
    if let Some(value) = item.downcast_ref::<Encoded<'static>>() {
        let value = value.as_slice();
        if value.len() + BIN_HEAD > room {
            return false;
        }
        write_value(out, value);
        finder.look(value);
        return true;
    }
    let Some((key, value)) = item.downcast_ref::<(Encoded<'static>, Encoded<'static>)>() else { return false };
    let (key, value) = (key.as_slice(), value.as_slice());
    if 1 + key.len() + value.len() + 2 * BIN_HEAD > room {
        return false;
    }
    out.push(PAIR);
    for bytes in [key, value] {
        write_value(out, bytes);
        finder.look(bytes);
    }
    true
}

/// Appends up to `room` bytes of a value's encoding, from byte `skip` of it on; true if that was
/// the end of it.
///
/// What is skipped or left out is not copied, so a value of many megabytes can be taken in pieces
/// for what each piece costs.
fn write_window<T: Serialize>(out: &mut Vec<u8>, value: &T, skip: usize, room: usize, finder: &mut Finder<'_>) -> bool {
    let mut window = Window { out, skip, room, finder };
    rmp_serde::encode::write(&mut window, value).is_ok()
}

/// Writes a stretch of what it is given, and fails behind its end.
struct Window<'a, 'f> {
    out: &'a mut Vec<u8>,
    skip: usize,
    room: usize,
    finder: &'a mut Finder<'f>,
}

impl io::Write for Window<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wanted = &bytes[self.skip.min(bytes.len())..];
        self.skip -= bytes.len() - wanted.len();
        let taken = &wanted[..self.room.min(wanted.len())];
        self.out.extend_from_slice(taken);
        self.room -= taken.len();
        // An encoded value comes whole, however many pieces it is taken in: it counts with its last byte.
        if !wanted.is_empty() && taken.len() == wanted.len() {
            self.finder.look(bytes);
        }
        if taken.len() < wanted.len() { Err(io::ErrorKind::WriteZero.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps one reply whole, if there is room for it, and what it refers to.
pub(super) struct StepSink<'a> {
    version: u64,
    result: Vec<u8>,
    room: usize,
    fits: bool,
    finder: Finder<'a>,
}

/// The version, the encoded reply, and what it refers to.
pub(super) type StepResult = (u64, Vec<u8>, Vec<Link>);

impl<'a> StepSink<'a> {
    /// A place for a reply of so many bytes at most.
    pub(super) fn new(room: usize, registry: &'a Registry) -> Self {
        Self { version: 0, result: Vec::new(), room, fits: true, finder: Finder::new(registry) }
    }

    /// The reply; `None` if there was no room for it.
    pub(super) fn finish(self) -> Option<StepResult> {
        self.fits.then(|| (self.version, self.result, self.finder.into_links()))
    }

    fn put<T: Serialize>(&mut self, value: &T) {
        let room = self.room - self.result.len().min(self.room);
        self.fits = self.fits && write_window(&mut self.result, value, 0, room, &mut self.finder);
    }
}

impl Sink for StepSink<'_> {
    fn value<T: Serialize + Send + 'static>(&mut self, version: u64, value: T) {
        self.version = version;
        self.put(&value);
    }

    fn many<T: Serialize + Send + 'static>(&mut self, version: u64, items: Many<'static, T>) {
        self.version = version;
        write_array_head(&mut self.result, items.count_u32());
        for item in items {
            self.put(&item);
            if !self.fits {
                return;
            }
        }
    }
}

/// Says before a reply, which begins at `start`, what the session holds by it.
fn insert_held(out: &mut Vec<u8>, start: usize, id: u64, objects: &[ObjectId]) {
    let mut frames = Vec::new();
    write_held(&mut frames, id, objects);
    out.splice(start..start, frames);
}

fn write_array_head(out: &mut Vec<u8>, len: u32) {
    rmp::encode::write_array_len(out, len).expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use manager_protocol::write_item;

    use super::*;
    use crate::core::Limits;

    #[test]
    fn a_value_comes_out_the_same_in_pieces_of_any_size() {
        let registry = Registry::new(Limits::default(), 0);
        let value = (7_u64, "text", Some(vec![1_u8, 2, 3]), ["a", "b"]);
        let mut whole = Vec::new();
        write_item(&mut whole, &value);
        for bytes in 1..=whole.len() + 1 {
            let mut source = ValueSource { value: value.clone(), encoded: 0 };
            let mut pieces = Vec::new();
            while source.encode(&mut pieces, bytes, &mut Finder::new(&registry)) {
                assert!(pieces.len() % bytes == 0, "a piece before the last is as long as it was asked for");
            }
            assert_eq!(pieces, whole, "in pieces of {bytes}");
        }
    }

    #[test]
    fn items_come_out_the_same_in_pieces_of_any_size() {
        let registry = Registry::new(Limits::default(), 0);
        let items = ["", "a", "longer than most pieces are"];
        let mut whole = Vec::new();
        items.iter().for_each(|item| write_item(&mut whole, item));
        for bytes in 1..=whole.len() + 1 {
            let mut source = ItemSource::new(Many::new(items.into_iter()));
            let mut pieces = Vec::new();
            while source.encode(&mut pieces, bytes, &mut Finder::new(&registry)) {}
            assert_eq!(pieces, whole, "in pieces of {bytes}");
        }
    }
}
