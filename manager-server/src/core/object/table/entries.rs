//! The entries of a table in insertion order.
//!
//! Each entry gets the next number (`seq`) when it is inserted and keeps it while it lives; chunks
//! hold up to 256 consecutive numbers. So a removal moves at most one chunk's worth of memory, a
//! place can be resumed from whatever happened meanwhile, and nothing is ever renumbered.
//!
//! Chunks are shared with snapshots and copied when one of the two changes them: taking a snapshot
//! of a million entries takes a fraction of a millisecond, however long it is then read.

use std::collections::VecDeque;
use std::sync::Arc;

use manager_protocol::{Encoded, SharedBytes};

use crate::core::reference::Links;
use crate::core::session::SessionId;
use crate::core::timers::Time;

const CHUNK: u64 = 256;

/// One key and its value, in one allocation.
#[derive(Debug, Clone)]
pub(in crate::core) struct Entry {
    bytes: Arc<[u8]>,
    key_len: u32,
    /// Whether the key is written in its canonical form.
    pub(in crate::core) canonical: bool,
    /// The object's version when the entry was inserted or replaced.
    pub(in crate::core) version: u64,
    /// What few entries have.
    extra: Option<Arc<Extra>>,
}

/// What an entry has besides its key and value, if it has any of it.
#[derive(Debug)]
struct Extra {
    links: Links,
    life: Life,
}

/// How long an entry lives, if not without end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::core) struct Life {
    /// Until then.
    pub(in crate::core) expires: Option<Time>,
    /// As long as this session.
    pub(in crate::core) session: Option<SessionId>,
}

impl Entry {
    pub(in crate::core) fn new(key: &[u8], canonical: bool, value: &[u8], version: u64) -> Self {
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, key.len() + value.len()).collect();
        let parts = Arc::get_mut(&mut bytes).expect("the allocation was just made").split_at_mut(key.len());
        parts.0.copy_from_slice(key);
        parts.1.copy_from_slice(value);
        let key_len = u32::try_from(key.len()).expect("messages are limited far below 4 GiB");
        Self { bytes, key_len, canonical, version, extra: None }
    }

    /// The same entry with links for its value, and an end.
    pub(in crate::core) fn with(mut self, links: Links, life: Life) -> Self {
        let has_extra = !links.is_empty() || life != Life::default();
        self.extra = has_extra.then(|| Arc::new(Extra { links, life }));
        self
    }

    pub(in crate::core) fn links(&self) -> Option<&Links> {
        self.extra.as_ref().map(|extra| &extra.links).filter(|links| !links.is_empty())
    }

    pub(in crate::core) fn life(&self) -> Life {
        self.extra.as_ref().map(|extra| extra.life).unwrap_or_default()
    }

    pub(in crate::core) fn key(&self) -> &[u8] {
        &self.bytes[..self.key_len as usize]
    }

    pub(in crate::core) fn value(&self) -> &[u8] {
        &self.bytes[self.key_len as usize..]
    }

    pub(in crate::core) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(in crate::core) fn shared_key(&self) -> Encoded<'static> {
        Encoded::Shared(SharedBytes::new(Arc::clone(&self.bytes), 0..self.key_len as usize))
    }

    pub(in crate::core) fn shared_value(&self) -> Encoded<'static> {
        let bytes = SharedBytes::new(Arc::clone(&self.bytes), self.key_len as usize..self.bytes.len());
        Encoded::Shared(match &self.extra {
            Some(extra) => extra.links.keep(bytes),
            None => bytes,
        })
    }

    pub(in crate::core) fn shared(&self) -> (Encoded<'static>, Encoded<'static>) {
        (self.shared_key(), self.shared_value())
    }
}

/// Entries by their number modulo [`CHUNK`], ascending; never empty.
type Chunk = Vec<(u8, Entry)>;

#[derive(Debug, Default)]
pub(super) struct Entries {
    /// By their number, ascending; those that would be empty are missing.
    chunks: VecDeque<(u64, Arc<Chunk>)>,
    len: usize,
    next: u64,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry at the end and returns its number.
    pub(super) fn push(&mut self, entry: Entry) -> u64 {
        let seq = self.next;
        self.next += 1;
        self.put_back(seq, entry);
        seq
    }

    /// Gives no number again that `older` gave: a page read across a clear must not begin anew.
    pub(super) fn continue_from(&mut self, older: &Self) {
        self.next = older.next;
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Entry> {
        let (chunk, at) = self.place(seq)?;
        Some(&self.chunks[chunk].1[at].1)
    }

    /// Exchanges an entry that is there and returns the old one.
    pub(super) fn replace(&mut self, seq: u64, entry: Entry) -> Entry {
        let (chunk, at) = self.place(seq).expect(INDEXED);
        std::mem::replace(&mut Arc::make_mut(&mut self.chunks[chunk].1)[at].1, entry)
    }

    /// Removes an entry that is there.
    pub(super) fn remove(&mut self, seq: u64) -> Entry {
        let (chunk, at) = self.place(seq).expect(INDEXED);
        let entries = Arc::make_mut(&mut self.chunks[chunk].1);
        let (_, entry) = entries.remove(at);
        if entries.is_empty() {
            self.chunks.remove(chunk);
            shrink_queue(&mut self.chunks);
        } else if entries.capacity() > 16 && entries.len() < entries.capacity() / 4 {
            // Where most have gone, those that stay must not keep the room of all.
            entries.shrink_to(entries.len() * 2);
        }
        self.len -= 1;
        entry
    }

    /// Puts an entry at a number that is free: a new one, or where it was before.
    pub(super) fn put_back(&mut self, seq: u64, entry: Entry) {
        let number = seq / CHUNK;
        let chunk = self.chunk(number).unwrap_or_else(|free| {
            self.chunks.insert(free, (number, Arc::default()));
            free
        });
        let entries = Arc::make_mut(&mut self.chunks[chunk].1);
        let at = entries.partition_point(|(offset, _)| *offset < self::offset(seq));
        entries.insert(at, (offset(seq), entry));
        self.len += 1;
    }

    /// The chunk and the position of an entry, if it is there.
    fn place(&self, seq: u64) -> Option<(usize, usize)> {
        let chunk = self.chunk(seq / CHUNK).ok()?;
        let entries = &self.chunks[chunk].1;
        let offset = offset(seq);
        // Where it is if nothing was removed before it, and past where it is otherwise.
        let latest = usize::from(offset).min(entries.len() - 1);
        if entries[latest].0 == offset {
            return Some((chunk, latest));
        }
        let at = entries[..latest].binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        Some((chunk, at))
    }

    /// The position of the chunk with this number, or else where it would be.
    fn chunk(&self, number: u64) -> Result<usize, usize> {
        let (Some((first, _)), Some((last, _))) = (self.chunks.front(), self.chunks.back()) else {
            return Err(0);
        };
        if number > *last {
            return Err(self.chunks.len());
        }
        // As above: most chunks stand where they would if none was missing.
        let latest = number.saturating_sub(*first).min(self.chunks.len() as u64 - 1) as usize;
        if self.chunks[latest].0 == number {
            return Ok(latest);
        }
        self.chunks.binary_search_by_key(&number, |(number, _)| *number)
    }

    pub(super) fn first(&self) -> Option<u64> {
        let (number, chunk) = self.chunks.front()?;
        Some(number * CHUNK + u64::from(chunk.first()?.0))
    }

    pub(super) fn last(&self) -> Option<u64> {
        let (number, chunk) = self.chunks.back()?;
        Some(number * CHUNK + u64::from(chunk.last()?.0))
    }

    /// The entries behind a number (or from the first on).
    pub(super) fn after(&self, seq: Option<u64>) -> impl Iterator<Item = (u64, &Entry)> {
        let start = seq.map_or(0, |seq| seq.saturating_add(1));
        let chunk = self.chunk(start / CHUNK).unwrap_or_else(|free| free);
        self.chunks.range(chunk..).flat_map(numbered).skip_while(move |(seq, _)| *seq < start)
    }

    /// The entries before a number (or from the last on), backwards.
    pub(super) fn before(&self, seq: Option<u64>) -> impl Iterator<Item = (u64, &Entry)> {
        let end = seq.unwrap_or(u64::MAX);
        let chunks = self.chunk(end / CHUNK).map_or_else(|free| free, |chunk| chunk + 1);
        self.chunks
            .range(..chunks)
            .rev()
            .flat_map(|chunk| numbered(chunk).rev())
            .skip_while(move |(seq, _)| *seq >= end)
    }

    /// All entries as they are now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let chunks: Vec<_> = self.chunks.iter().cloned().collect();
        Snapshot { chunks: chunks.into_iter(), current: None, left: self.len }
    }
}

fn shrink_queue<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > 64 && queue.len() < queue.capacity() / 4 {
        queue.shrink_to(queue.len() * 2);
    }
}

fn numbered((number, chunk): &(u64, Arc<Chunk>)) -> impl DoubleEndedIterator<Item = (u64, &Entry)> {
    let first = number * CHUNK;
    chunk.iter().map(move |(offset, entry)| (first + u64::from(*offset), entry))
}

fn offset(seq: u64) -> u8 {
    (seq % CHUNK) as u8
}

const INDEXED: &str = "the index names only entries that are there";

/// The entries of one moment, with their numbers, in order.
#[derive(Debug, Clone)]
pub(in crate::core) struct Snapshot {
    chunks: std::vec::IntoIter<(u64, Arc<Chunk>)>,
    current: Option<(u64, Arc<Chunk>, usize)>,
    left: usize,
}

impl Snapshot {
    /// The links of each value that has any, of those that were not taken out yet.
    pub(in crate::core) fn links(&self) -> impl Iterator<Item = &Links> {
        self.chunks.as_slice().iter().flat_map(|(_, chunk)| chunk.iter()).filter_map(|(_, entry)| entry.links())
    }
}

impl Iterator for Snapshot {
    type Item = (u64, Entry);

    fn next(&mut self) -> Option<(u64, Entry)> {
        loop {
            if let Some((number, chunk, at)) = &mut self.current
                && let Some((offset, entry)) = chunk.get(*at)
            {
                *at += 1;
                self.left -= 1;
                return Some((*number * CHUNK + u64::from(*offset), entry.clone()));
            }
            let (number, chunk) = self.chunks.next()?;
            self.current = Some((number, chunk, 0));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Snapshot {}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u16) -> Entry {
        Entry::new(&key.to_be_bytes(), true, b"value", 0)
    }

    fn seqs<'a>(entries: impl Iterator<Item = (u64, &'a Entry)>) -> Vec<u64> {
        entries.map(|(seq, _)| seq).collect()
    }

    #[test]
    fn order_survives_removal_and_return() {
        let mut entries = Entries::default();
        for key in 0..1000 {
            assert_eq!(entries.push(entry(key)), u64::from(key));
        }
        for seq in (0..1000).filter(|seq| seq % 10 != 3) {
            entries.remove(seq);
        }
        let kept: Vec<u64> = (0..100).map(|tenth| tenth * 10 + 3).collect();
        assert_eq!(seqs(entries.after(None)), kept);
        assert_eq!(seqs(entries.after(Some(503))), kept[51..]);
        assert_eq!(seqs(entries.after(Some(500))), kept[50..]);
        assert_eq!(seqs(entries.before(None)), kept.iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(seqs(entries.before(Some(503))), kept[..50].iter().rev().copied().collect::<Vec<_>>());
        entries.put_back(505, entry(505));
        assert_eq!(seqs(entries.after(Some(493))).first_chunk(), Some(&[503, 505, 513]));
        assert_eq!((entries.first(), entries.last(), entries.len()), (Some(3), Some(993), 101));
    }

    #[test]
    fn a_snapshot_does_not_see_what_comes_later() {
        let mut entries = Entries::default();
        for key in 0..600 {
            entries.push(entry(key));
        }
        let snapshot = entries.snapshot();
        entries.remove(5);
        entries.replace(6, Entry::new(b"6", true, b"new", 1));
        entries.push(entry(600));
        assert_eq!(snapshot.len(), 600);
        assert!(snapshot.enumerate().all(|(at, (seq, entry))| seq == at as u64 && entry.value() == b"value"));
    }
}
