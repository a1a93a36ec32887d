//! Up to 256 entries with consecutive numbers, side by side in one allocation.
//!
//! A record is a head (the length of the key, whether it is canonical, the version), the key and the
//! value; the next one follows at once. So an entry costs its bytes and some four more, and a copy of the
//! chunk is a copy of bytes. What does not fit stands apart, in an allocation of its own.

use std::hint::black_box;

use super::entry::{Entry, Lone};

/// Numbers in one chunk.
pub(super) const CHUNK: u64 = 256;

/// A larger entry stands apart: it costs little then, and is shared with replies and not copied.
pub(super) const RECORD: usize = 512;

#[derive(Debug, Clone, Default)]
pub(super) struct Chunk {
    /// The numbers that have an entry, modulo [`CHUNK`]: one bit for each.
    present: [u64; 4],
    /// Where each record ends, in the order of numbers. The record of an entry that stands apart is empty.
    ends: Vec<u16>,
    records: Vec<u8>,
    /// By their numbers modulo [`CHUNK`], ascending.
    apart: Vec<(u8, Lone)>,
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The entries that stand apart.
    pub(super) fn apart(&self) -> impl Iterator<Item = &Lone> {
        self.apart.iter().map(|(_, lone)| lone)
    }

    /// The numbers that have an entry, ascending.
    pub(super) fn offsets(&self) -> impl DoubleEndedIterator<Item = u8> {
        (0..=u8::MAX).filter(|offset| self.has(*offset))
    }

    pub(super) fn has(&self, offset: u8) -> bool {
        self.present[usize::from(offset / 64)] >> (offset % 64) & 1 == 1
    }

    pub(super) fn get(&self, offset: u8) -> Option<Entry<'_>> {
        let rank = self.rank(offset);
        self.touch(rank);
        self.has(offset).then(|| self.at(offset, rank))
    }

    /// Reads where the record of this rank is if all are of one size, so that the processor brings it while it is looked
    /// up where it begins. With 80,000 entries, whose records are in no cache, a look takes a tenth less of a get.
    fn touch(&self, rank: usize) {
        if let Some(size) = self.records.len().checked_div(self.ends.len()) {
            let guess = self.records.get(size * rank..).unwrap_or_default();
            black_box([guess.first(), guess.get(CACHE_LINE)].map(Option::<&u8>::copied));
        }
    }

    /// The entry with this number, of which the rank is known.
    pub(super) fn at(&self, offset: u8, rank: usize) -> Entry<'_> {
        let record = &self.records[self.start(rank)..usize::from(self.ends[rank])];
        if record.is_empty() {
            return self.apart[self.place_apart(offset).expect(APART)].1.entry();
        }
        let head = Head::read(record);
        let (key, value) = record[head.len..].split_at(head.key_len);
        Entry::new(key, head.canonical, value, head.version)
    }

    /// Puts an entry at a number that is free. The last of the chunk is expected to stay the last.
    pub(super) fn insert(&mut self, offset: u8, entry: Entry<'_>) {
        let rank = self.rank(offset);
        self.present[usize::from(offset / 64)] |= 1 << (offset % 64);
        if rank < self.ends.len() || !self.append(&entry) {
            self.ends.insert(rank, self.start(rank) as u16);
            self.write(offset, rank, entry);
        }
        if offset == u8::MAX {
            self.records.shrink_to_fit();
            self.ends.shrink_to_fit();
        }
    }

    /// Exchanges the value of an entry that is there.
    pub(super) fn replace(&mut self, offset: u8, content: Content<'_>) {
        let rank = self.rank(offset);
        match content {
            Content::Plain { value, version } => {
                if self.replace_value(rank, value, version) {
                    return;
                }
                let stored = self.at(offset, rank);
                let key = stored.key().to_vec();
                let canonical = stored.canonical;
                self.write(offset, rank, Entry::new(&key, canonical, value, version));
            }
            Content::Lone(lone) => self.write(offset, rank, lone.entry()),
        }
    }

    /// Exchanges the value of the record of this rank, if there is one: the key stays where it is.
    fn replace_value(&mut self, rank: usize, value: &[u8], version: u64) -> bool {
        let start = self.start(rank);
        let record = &self.records[start..usize::from(self.ends[rank])];
        if record.is_empty() {
            return false;
        }
        let stored = Head::read(record);
        let head = Head { version, ..stored }.measured();
        let before = head.len + head.key_len;
        if head.len != stored.len || !self.takes(rank, before + value.len()) {
            return false;
        }
        self.resize(rank, start + before, value.len());
        head.write(&mut self.records[start..]);
        self.records[start + before..][..value.len()].copy_from_slice(value);
        true
    }

    /// Removes an entry that is there.
    pub(super) fn remove(&mut self, offset: u8) -> Lone {
        let rank = self.rank(offset);
        let entry = self.at(offset, rank).to_lone();
        self.resize(rank, self.start(rank), 0);
        self.ends.remove(rank);
        if let Some(place) = self.place_apart(offset) {
            self.apart.remove(place);
        }
        self.present[usize::from(offset / 64)] &= !(1 << (offset % 64));
        shrink(&mut self.records);
        shrink(&mut self.ends);
        shrink(&mut self.apart);
        entry
    }

    /// Writes an entry behind all others, if it can be a record there.
    fn append(&mut self, entry: &Entry<'_>) -> bool {
        let head = Head::of(entry);
        let size = head.len + entry.size();
        let end = self.records.len() + size;
        let Ok(end) = u16::try_from(end) else { return false };
        if entry.has_extra() || size > RECORD {
            return false;
        }
        let mut bytes = [0; HEAD];
        head.write(&mut bytes);
        self.records.reserve(size);
        self.records.extend_from_slice(&bytes[..head.len]);
        self.records.extend_from_slice(entry.key());
        self.records.extend_from_slice(entry.value());
        self.ends.push(end);
        true
    }

    /// Writes an entry in the place of the record of this rank.
    fn write(&mut self, offset: u8, rank: usize, entry: Entry<'_>) {
        let head = Head::of(&entry);
        let size = head.len + entry.size();
        let (start, place) = (self.start(rank), self.place_apart(offset));
        if entry.has_extra() || !self.takes(rank, size) {
            let lone = entry.to_lone();
            self.resize(rank, start, 0);
            match place {
                Some(place) => self.apart[place].1 = lone,
                None => {
                    let place = self.apart.partition_point(|(other, _)| *other < offset);
                    self.apart.insert(place, (offset, lone));
                }
            }
            return;
        }
        self.resize(rank, start, size);
        let record = &mut self.records[start..start + size];
        head.write(record);
        let (key, value) = record[head.len..].split_at_mut(head.key_len);
        key.copy_from_slice(entry.key());
        value.copy_from_slice(entry.value());
        if let Some(place) = place {
            self.apart.remove(place);
            shrink(&mut self.apart);
        }
    }

    /// Whether the record of this rank may have so many bytes.
    fn takes(&self, rank: usize, size: usize) -> bool {
        let others = self.records.len() - (usize::from(self.ends[rank]) - self.start(rank));
        size <= RECORD && others + size <= usize::from(u16::MAX)
    }

    /// Lets the record of this rank have so many bytes behind `from`; what follows it moves.
    fn resize(&mut self, rank: usize, from: usize, size: usize) {
        let (old, new) = (usize::from(self.ends[rank]), from + size);
        if old == new {
            return;
        }
        let len = self.records.len();
        let is_last = old == len;
        if new > old {
            let more = new - old;
            let grows = is_last && self.ends.len() < CHUNK as usize;
            if !grows && self.records.capacity() - len < more {
                // More entries will not come, and few of those that are there become larger.
                self.records.reserve_exact(more + len / 16);
            }
            self.records.resize(len + more, 0);
            self.records.copy_within(old..len, new);
        } else {
            self.records.copy_within(old..len, new);
            self.records.truncate(len - (old - new));
        }
        let moved = (new as u16).wrapping_sub(old as u16);
        for end in &mut self.ends[rank..] {
            *end = end.wrapping_add(moved);
        }
    }

    /// How many entries have a smaller number.
    fn rank(&self, offset: u8) -> usize {
        // In most chunks none was removed.
        if self.room() == self.ends.len() {
            return self.ends.len().min(offset.into());
        }
        let (word, bit) = (usize::from(offset / 64), offset % 64);
        let before: u32 = self.present[..word].iter().map(|bits| bits.count_ones()).sum();
        (before + (self.present[word] & ((1 << bit) - 1)).count_ones()) as usize
    }

    /// How many entries there would be if none was missing before the last.
    fn room(&self) -> usize {
        let mut words = self.present.iter().enumerate().rev();
        let last = words.find(|(_, bits)| **bits != 0);
        last.map_or(0, |(word, bits)| 64 * word + 64 - bits.leading_zeros() as usize)
    }

    /// Where the record of this rank begins.
    fn start(&self, rank: usize) -> usize {
        rank.checked_sub(1).map_or(0, |before| usize::from(self.ends[before]))
    }

    fn place_apart(&self, offset: u8) -> Option<usize> {
        self.apart.binary_search_by_key(&offset, |(offset, _)| *offset).ok()
    }
}

/// What a processor brings at once.
const CACHE_LINE: usize = 64;

/// More bytes than any head of a record has: two for the length of its key, ten for the version.
const HEAD: usize = 16;

/// What is to be in the place of an entry, under the same key.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// A value that refers to nothing, without end.
    Plain { value: &'a [u8], version: u64 },
    /// Any entry.
    Lone(Lone),
}

/// What a record begins with: two numbers of seven bits a byte, the lowest first.
#[derive(Debug, Clone, Copy)]
struct Head {
    key_len: usize,
    canonical: bool,
    version: u64,
    /// How many bytes it has itself.
    len: usize,
}

impl Head {
    fn of(entry: &Entry<'_>) -> Self {
        Self { key_len: entry.key().len(), canonical: entry.canonical, version: entry.version, len: 0 }.measured()
    }

    fn measured(self) -> Self {
        Self { len: length(self.first()) + length(self.version), ..self }
    }

    fn first(&self) -> u64 {
        (self.key_len as u64) << 1 | u64::from(self.canonical)
    }

    fn read(record: &[u8]) -> Self {
        let (first, first_len) = read_number(record);
        let (version, version_len) = read_number(&record[first_len..]);
        Self { key_len: (first >> 1) as usize, canonical: first & 1 == 1, version, len: first_len + version_len }
    }

    fn write(&self, record: &mut [u8]) {
        let len = write_number(record, self.first());
        write_number(&mut record[len..], self.version);
    }
}

/// How many bytes a number has.
fn length(number: u64) -> usize {
    (64 - (number | 1).leading_zeros()).div_ceil(7) as usize
}

fn write_number(out: &mut [u8], mut number: u64) -> usize {
    let mut len = 0;
    while number > 0x7f {
        out[len] = number as u8 | 0x80;
        number >>= 7;
        len += 1;
    }
    out[len] = number as u8;
    len + 1
}

fn read_number(bytes: &[u8]) -> (u64, usize) {
    let (mut number, mut len) = (0, 0);
    loop {
        let byte = bytes[len];
        number |= u64::from(byte & 0x7f) << (7 * len);
        len += 1;
        if byte & 0x80 == 0 {
            return (number, len);
        }
    }
}

/// Where most have gone, those that stay must not keep the room of all.
fn shrink<T>(items: &mut Vec<T>) {
    if items.capacity() > 16 && items.len() < items.capacity() / 2 {
        items.shrink_to(items.len() + items.len() / 4);
    }
}

const APART: &str = "an entry without a record stands apart";

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
