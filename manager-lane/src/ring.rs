//! One ring: a stream of bytes from one process to another.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as Position, Ordering};

use crate::memory::Memory;
use crate::sync::AtomicU64;

/// The peer wrote into the memory what it must not. Nothing more can be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer has written over the memory of the lane")
    }
}

impl std::error::Error for Corrupt {}

/// Where a ring is in its memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The word that tells how many slots were taken.
    pub(crate) taken: usize,
    /// The first word of the first slot.
    pub(crate) first: usize,
    /// How many slots there are: a power of two.
    pub(crate) slots: u64,
}

/// A place in the memory.
#[derive(Debug)]
struct Ring {
    memory: Arc<Memory>,
    place: Place,
    is_corrupt: bool,
}

impl Ring {
    #[inline]
    fn slot(&self, number: u64) -> &[AtomicU64; SLOT_WORDS] {
        let slot = self.memory.words()[first_word(&self.place, number)..].first_chunk();
        slot.expect("a ring lies inside of its memory")
    }

    #[inline]
    fn taken(&self) -> &AtomicU64 {
        &self.memory.words()[self.place.taken]
    }

    fn corrupt(&mut self) -> Corrupt {
        self.is_corrupt = true;
        Corrupt
    }
}

/// The end of a ring that writes.
#[derive(Debug)]
pub struct Writer {
    ring: Ring,
    /// How many slots were written.
    written: u64,
    /// How many of them were taken, as far as is known.
    taken: u64,
}

impl Writer {
    pub(crate) fn new(memory: Arc<Memory>, place: Place) -> Self {
        Self { ring: Ring { memory, place, is_corrupt: false }, written: 0, taken: 0 }
    }

    /// Writes as much as there is room for; 0 if there is none.
    ///
    /// # Errors
    /// If the reader claims to have taken what was not written, or less than before.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Corrupt> {
        if self.ring.is_corrupt {
            return Err(Corrupt);
        }
        let mut done = 0;
        while done < bytes.len() {
            if self.written - self.taken == self.ring.place.slots && !self.look()? {
                break;
            }
            let room = (self.ring.place.slots - (self.written - self.taken)).min(SLOTS_AT_ONCE) as usize;
            let group = &bytes[done..bytes.len().min(done + room * SLOT_BYTES)];
            // The first one last: who sees it finds all of them, and does not look in vain for the others.
            for (index, piece) in group.chunks(SLOT_BYTES).enumerate().rev() {
                self.write_slot(self.written + index as u64, piece);
            }
            self.written += group.len().div_ceil(SLOT_BYTES) as u64;
            done += group.len();
        }
        Ok(done)
    }

    /// Writes what goes into one slot.
    #[inline]
    fn write_slot(&self, number: u64, piece: &[u8]) {
        let [stamp, payload @ ..] = self.ring.slot(number);
        let (words, rest) = piece.as_chunks::<WORD>();
        for (place, word) in payload.iter().zip(words) {
            place.store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
        if !rest.is_empty() {
            let mut word = [0; WORD];
            word[..rest.len()].copy_from_slice(rest);
            payload[words.len()].store(u64::from_le_bytes(word), Ordering::Relaxed);
        }
        // Whoever sees the stamp sees the bytes.
        stamp.store(stamp_of(number, piece.len()), Ordering::Release);
    }

    /// Whether the reader has taken all that was written.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn is_taken(&mut self) -> Result<bool, Corrupt> {
        self.look()?;
        Ok(self.taken == self.written)
    }

    /// How many bytes the reader has not taken. Of what it has not taken when its process ends, it has done nothing.
    ///
    /// # Errors
    /// As [`write`](Self::write), or if the reader has written over what was there.
    pub fn untaken(&mut self) -> Result<usize, Corrupt> {
        self.look()?;
        let mut bytes = 0;
        for number in self.taken..self.written {
            let stamp = self.ring.slot(number)[0].load(Ordering::Relaxed);
            let length = (stamp & LENGTH) as usize;
            if stamp != stamp_of(number, length) || length > SLOT_BYTES {
                return Err(self.ring.corrupt());
            }
            bytes += length;
        }
        Ok(bytes)
    }

    /// Looks how much was taken; whether there is room.
    fn look(&mut self) -> Result<bool, Corrupt> {
        // What is written next is not seen by a reader that has yet to copy what was there.
        let taken = self.ring.taken().load(Ordering::Acquire);
        if self.ring.is_corrupt || taken < self.taken || taken > self.written {
            return Err(self.ring.corrupt());
        }
        self.taken = taken;
        Ok(self.written - taken < self.ring.place.slots)
    }
}

/// The end of a ring that reads.
#[derive(Debug)]
pub struct Reader {
    ring: Ring,
    /// How many slots were taken.
    next: u64,
    /// The same number, for who watches the ring. Never in shared memory.
    told: Arc<Position>,
    /// What was in the last one and did not fit: `rest.0[rest.1..rest.2]`.
    rest: ([u8; SLOT_BYTES], usize, usize),
}

/// Sees whether there is something for a reader, without being it.
#[derive(Debug)]
pub(crate) struct Sight {
    memory: Arc<Memory>,
    place: Place,
    next: Arc<Position>,
}

impl Sight {
    /// Whether there is something new to be read, or an error to be told.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        let next = self.next.load(Ordering::Relaxed);
        let stamp = self.memory.words()[first_word(&self.place, next)].load(Ordering::Acquire);
        let nothing = next.checked_sub(self.place.slots).map_or(0, |last| stamp_of(last, 0));
        (stamp ^ nothing) & !LENGTH != 0
    }
}

impl Reader {
    pub(crate) fn new(memory: Arc<Memory>, place: Place) -> Self {
        let told = Arc::new(Position::new(0));
        Self { ring: Ring { memory, place, is_corrupt: false }, next: 0, told, rest: ([0; SLOT_BYTES], 0, 0) }
    }

    pub(crate) fn sight(&self) -> Sight {
        let Ring { memory, place, .. } = &self.ring;
        Sight { memory: Arc::clone(memory), place: *place, next: Arc::clone(&self.told) }
    }

    /// Reads as much as there is and fits; 0 if there is nothing.
    ///
    /// # Errors
    /// If the writer has written what is no slot.
    #[inline]
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, Corrupt> {
        let mut done = self.take_rest(out);
        let first = self.next;
        while let Some(room) = out[done..].first_chunk_mut() {
            let Some(bytes) = self.copy_next(room)? else { break };
            done += bytes;
        }
        while done < out.len() {
            let mut copy = [0; SLOT_BYTES];
            let Some(bytes) = self.copy_next(&mut copy)? else { break };
            let fits = bytes.min(out.len() - done);
            out[done..done + fits].copy_from_slice(&copy[..fits]);
            done += fits;
            if fits < bytes {
                self.rest = (copy, fits, bytes);
            }
        }
        self.tell_taken(first);
        Ok(done)
    }

    /// Appends what there is to `out`, as far as that need not grow; how much that was.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[inline]
    pub fn append(&mut self, out: &mut Vec<u8>) -> Result<usize, Corrupt> {
        let (length, first) = (out.len(), self.next);
        let (bytes, start, end) = &mut self.rest;
        let fits = (*end - *start).min(out.capacity() - length);
        out.extend_from_slice(&bytes[*start..*start + fits]);
        *start += fits;
        while out.len() < out.capacity() {
            let mut copy = [0; SLOT_BYTES];
            let Some(bytes) = self.copy_next(&mut copy)? else { break };
            let before = out.len();
            if out.capacity() - before >= SLOT_BYTES {
                // A copy of a fixed size is quicker than one of a size that is yet to be looked at.
                out.extend_from_slice(&copy);
                out.truncate(before + bytes);
                continue;
            }
            let fits = bytes.min(out.capacity() - before);
            out.extend_from_slice(&copy[..fits]);
            if fits < bytes {
                self.rest = (copy, fits, bytes);
            }
        }
        self.tell_taken(first);
        Ok(out.len() - length)
    }

    /// Takes the next slot, if it was written: all that is in it goes to `copy`; how much of that counts.
    #[inline]
    fn copy_next(&mut self, copy: &mut [u8; SLOT_BYTES]) -> Result<Option<usize>, Corrupt> {
        let Some(bytes) = self.arrived()? else { return Ok(None) };
        let [_, payload @ ..] = self.ring.slot(self.next);
        for (word, place) in copy.as_chunks_mut::<WORD>().0.iter_mut().zip(payload) {
            *word = place.load(Ordering::Relaxed).to_le_bytes();
        }
        self.next += 1;
        Ok(Some(bytes))
    }

    /// Lets the slots that were copied since be written again.
    #[inline]
    fn tell_taken(&self, first: u64) {
        if self.next != first {
            self.ring.taken().store(self.next, Ordering::Release);
            self.told.store(self.next, Ordering::Relaxed);
        }
    }

    /// Whether there is something to be read, or an error to be told.
    #[inline]
    #[must_use]
    pub fn has_more(&mut self) -> bool {
        self.rest.1 < self.rest.2 || self.arrived() != Ok(None)
    }

    /// How many bytes the next slot holds, if it was written.
    #[inline]
    fn arrived(&mut self) -> Result<Option<usize>, Corrupt> {
        if self.ring.is_corrupt {
            return Err(Corrupt);
        }
        let stamp = self.ring.slot(self.next)[0].load(Ordering::Acquire);
        let bytes = (stamp & LENGTH) as usize;
        if stamp == stamp_of(self.next, bytes) && (1..=SLOT_BYTES).contains(&bytes) {
            return Ok(Some(bytes));
        }
        let last_round = self.next.checked_sub(self.ring.place.slots);
        match last_round {
            Some(last) if stamp == stamp_of(last, bytes) => Ok(None),
            None if stamp == 0 => Ok(None),
            Some(_) | None => Err(self.ring.corrupt()),
        }
    }

    #[inline]
    fn take_rest(&mut self, out: &mut [u8]) -> usize {
        let (bytes, start, end) = &mut self.rest;
        let fits = (*end - *start).min(out.len());
        out[..fits].copy_from_slice(&bytes[*start..*start + fits]);
        *start += fits;
        fits
    }
}

/// Where a slot begins, in words.
#[inline]
fn first_word(place: &Place, number: u64) -> usize {
    place.first + (number & (place.slots - 1)) as usize * SLOT_WORDS
}

/// The stamp of a slot that holds so many bytes.
#[inline]
fn stamp_of(number: u64, bytes: usize) -> u64 {
    ((number + 1) << LENGTH_BITS) | bytes as u64
}

/// So many slots are written as one: as many as the reply to a call mostly has. Of more, the first are read while the
/// last are written.
const SLOTS_AT_ONCE: u64 = 4;

/// Bytes that a slot carries.
pub const SLOT_BYTES: usize = (SLOT_WORDS - 1) * WORD;

/// Words of a slot: those of a cache line.
pub(crate) const SLOT_WORDS: usize = 8;

const WORD: usize = 8;
const LENGTH_BITS: u32 = 8;
const LENGTH: u64 = 0xff;

#[cfg(all(test, not(any(feature = "shuttle", feature = "loom"))))]
mod tests;
