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

use super::chunk::{CHUNK, Chunk, Content};
use super::entry::{Entry, Lone};
use crate::core::reference::Links;

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
    pub(super) fn push(&mut self, entry: Entry<'_>) -> u64 {
        let seq = self.next;
        self.next += 1;
        self.put_back(seq, entry);
        seq
    }

    /// Gives no number again that `older` gave: a page read across a clear must not begin anew.
    pub(super) fn continue_from(&mut self, older: &Self) {
        self.next = older.next;
    }

    pub(super) fn get(&self, seq: u64) -> Option<Entry<'_>> {
        self.chunks[self.chunk(seq / CHUNK).ok()?].1.get(offset(seq))
    }

    /// Exchanges what is in an entry that is there.
    pub(super) fn replace(&mut self, seq: u64, content: Content<'_>) {
        let chunk = self.chunk(seq / CHUNK).expect(INDEXED);
        Arc::make_mut(&mut self.chunks[chunk].1).replace(offset(seq), content);
    }

    /// Removes an entry that is there.
    pub(super) fn remove(&mut self, seq: u64) -> Lone {
        let chunk = self.chunk(seq / CHUNK).expect(INDEXED);
        let entries = Arc::make_mut(&mut self.chunks[chunk].1);
        let entry = entries.remove(offset(seq));
        if entries.is_empty() {
            self.chunks.remove(chunk);
            shrink_queue(&mut self.chunks);
        }
        self.len -= 1;
        entry
    }

    /// Puts an entry at a number that is free: a new one, or where it was before.
    pub(super) fn put_back(&mut self, seq: u64, entry: Entry<'_>) {
        let number = seq / CHUNK;
        let chunk = self.chunk(number).unwrap_or_else(|free| {
            self.chunks.insert(free, (number, Arc::default()));
            free
        });
        Arc::make_mut(&mut self.chunks[chunk].1).insert(offset(seq), entry);
        self.len += 1;
    }

    /// The position of the chunk with this number, or else where it would be.
    fn chunk(&self, number: u64) -> Result<usize, usize> {
        let (Some((first, _)), Some((last, _))) = (self.chunks.front(), self.chunks.back()) else {
            return Err(0);
        };
        if number > *last {
            return Err(self.chunks.len());
        }
        // Most chunks stand where they would if none was missing.
        let latest = number.saturating_sub(*first).min(self.chunks.len() as u64 - 1) as usize;
        if self.chunks[latest].0 == number {
            return Ok(latest);
        }
        self.chunks.binary_search_by_key(&number, |(number, _)| *number)
    }

    pub(super) fn first(&self) -> Option<u64> {
        let (number, chunk) = self.chunks.front()?;
        Some(number * CHUNK + u64::from(chunk.offsets().next()?))
    }

    pub(super) fn last(&self) -> Option<u64> {
        let (number, chunk) = self.chunks.back()?;
        Some(number * CHUNK + u64::from(chunk.offsets().next_back()?))
    }

    /// The entries behind a number (or from the first on).
    pub(super) fn after(&self, seq: Option<u64>) -> impl Iterator<Item = (u64, Entry<'_>)> {
        let start = seq.map_or(0, |seq| seq.saturating_add(1));
        let chunk = self.chunk(start / CHUNK).unwrap_or_else(|free| free);
        self.chunks.range(chunk..).flat_map(numbered).skip_while(move |(seq, _)| *seq < start)
    }

    /// The entries before a number (or from the last on), backwards.
    pub(super) fn before(&self, seq: Option<u64>) -> impl Iterator<Item = (u64, Entry<'_>)> {
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

fn numbered((number, chunk): &(u64, Arc<Chunk>)) -> impl DoubleEndedIterator<Item = (u64, Entry<'_>)> {
    let first = number * CHUNK;
    chunk.offsets().filter_map(move |offset| Some((first + u64::from(offset), chunk.get(offset)?)))
}

fn offset(seq: u64) -> u8 {
    (seq % CHUNK) as u8
}

const INDEXED: &str = "the index names only entries that are there";

/// The entries of one moment, with their numbers, in order.
#[derive(Debug, Clone)]
pub(in crate::core) struct Snapshot {
    chunks: std::vec::IntoIter<(u64, Arc<Chunk>)>,
    current: Option<Cursor>,
    left: usize,
}

/// A place in a chunk.
#[derive(Debug, Clone)]
struct Cursor {
    number: u64,
    chunk: Arc<Chunk>,
    offset: u8,
    rank: usize,
}

impl Snapshot {
    /// The links of each value that has any, of those chunks that were not begun yet.
    pub(in crate::core) fn links(&self) -> impl Iterator<Item = &Links> {
        self.chunks.as_slice().iter().flat_map(|(_, chunk)| chunk.apart()).filter_map(Lone::links)
    }
}

impl Snapshot {
    /// What `look` sees in each entry.
    pub(in crate::core) fn looked<R>(mut self, look: impl Fn(Entry<'_>) -> R) -> impl ExactSizeIterator<Item = R> {
        (0..self.left).map(move |_| self.next_with(|_, entry| look(entry)).expect("as many as are left"))
    }

    fn next_with<R>(&mut self, look: impl FnOnce(u64, Entry<'_>) -> R) -> Option<R> {
        let mut cursor = match self.current.take() {
            Some(cursor) => cursor,
            None => {
                let (number, chunk) = self.chunks.next()?;
                Cursor { number, chunk, offset: 0, rank: 0 }
            }
        };
        while !cursor.chunk.has(cursor.offset) {
            cursor.offset += 1;
        }
        let seq = cursor.number * CHUNK + u64::from(cursor.offset);
        let seen = look(seq, cursor.chunk.at(cursor.offset, cursor.rank));
        self.left -= 1;
        cursor.rank += 1;
        if cursor.rank < cursor.chunk.len() {
            cursor.offset += 1;
            self.current = Some(cursor);
        }
        Some(seen)
    }
}

impl Iterator for Snapshot {
    type Item = (u64, Lone);

    fn next(&mut self) -> Option<(u64, Lone)> {
        self.next_with(|seq, entry| (seq, entry.to_lone()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Snapshot {}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u16) -> Lone {
        Lone::new(&key.to_be_bytes(), true, b"value", 0)
    }

    fn seqs<'a>(entries: impl Iterator<Item = (u64, Entry<'a>)>) -> Vec<u64> {
        entries.map(|(seq, _)| seq).collect()
    }

    #[test]
    fn order_survives_removal_and_return() {
        let mut entries = Entries::default();
        for key in 0..1000 {
            assert_eq!(entries.push(entry(key).entry()), u64::from(key));
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
        entries.put_back(505, entry(505).entry());
        assert_eq!(seqs(entries.after(Some(493))).first_chunk(), Some(&[503, 505, 513]));
        assert_eq!((entries.first(), entries.last(), entries.len()), (Some(3), Some(993), 101));
    }

    #[test]
    fn a_snapshot_does_not_see_what_comes_later() {
        let mut entries = Entries::default();
        for key in 0..600 {
            entries.push(entry(key).entry());
        }
        let snapshot = entries.snapshot();
        entries.remove(5);
        entries.replace(6, Content::Plain { value: b"new", version: 1 });
        entries.push(entry(600).entry());
        assert_eq!(snapshot.len(), 600);
        assert!(snapshot.enumerate().all(|(at, (seq, entry))| seq == at as u64 && entry.entry().value() == b"value"));
    }
}
