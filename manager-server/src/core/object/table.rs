//! A table: keys in insertion order, each found by what it equals, and perhaps with a value.
//!
//! This is what dicts and sets are made of. Everything that changes one goes through the primitives
//! here, which keep the version and what a transaction needs to take its operations back.

mod entries;
mod index;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use manager_protocol::{Code, Encoded, Error, Result};

use super::{Discards, PAGE_BYTES, PAGE_ITEMS, Transactional};
use crate::core::Limits;
use crate::core::value::{Key, canonical};
use entries::Entries;
pub(in crate::core) use entries::{Entry, Snapshot};
use index::Index;

#[derive(Debug)]
pub(super) struct Table {
    index: Index,
    entries: Entries,
    hasher: RandomState,
    version: u64,
    changed: bool,
    max_items: usize,
    /// What the object is and what it has, for messages.
    names: Names,
    /// What nobody can reach any more, until the lock is let go.
    discarded: Vec<Undo>,
    /// How to take back what the running transaction did, in the order it was done.
    undo: Option<Vec<Undo>>,
    /// The version before the running transaction.
    version_before: u64,
}

/// An object and its items.
pub(super) type Names = (&'static str, &'static str);

#[derive(Debug)]
enum Undo {
    Pushed(u64),
    Replaced(u64, Entry),
    Removed(u64, Entry),
    Cleared(Index, Entries),
}

impl Table {
    pub(super) fn new(names: Names, limits: &Limits) -> Self {
        Self {
            index: Index::default(),
            entries: Entries::default(),
            hasher: RandomState::new(),
            version: 0,
            changed: false,
            max_items: limits.max_items,
            names,
            discarded: Vec::new(),
            undo: None,
            version_before: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Ends an operation: counts it if it changed anything, and returns the version.
    pub(super) fn settle(&mut self) -> u64 {
        self.version += u64::from(std::mem::take(&mut self.changed));
        self.version
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.entries.snapshot()
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.entries.first()
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.entries.last()
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(seq)
    }

    /// Some entries behind a place (or before it), and the place to go on from.
    ///
    /// The page ends when there are `limit` of them, or when it is as large as pages get.
    pub(super) fn page(&self, from: Option<u64>, limit: u32, backward: bool) -> (Vec<&Entry>, Option<u64>) {
        if backward { page(self.entries.before(from), limit) } else { page(self.entries.after(from), limit) }
    }

    /// The size of an entry's key: when the entry is removed, the hash is made anew from it.
    pub(super) fn key_size(&self, seq: Option<u64>) -> usize {
        seq.and_then(|seq| self.get(seq)).map_or(0, |entry| entry.key().len())
    }

    /// Checks that so many new entries may be added.
    pub(super) fn check_room(&self, new: usize) -> Result<()> {
        if new > self.max_items.saturating_sub(self.len()) {
            let (object, items) = self.names;
            return Err(Error::new(
                Code::LimitExceeded,
                format!("the {object} would have more than {} {items}, the server's limit", self.max_items),
            ));
        }
        Ok(())
    }

    pub(super) fn check_room_for(&self, keys: &[Key<'_>]) -> Result<()> {
        if self.check_room(keys.len()).is_ok() {
            return Ok(());
        }
        // A key that comes twice needs room once.
        let new: HashSet<&[u8]> =
            keys.iter().filter(|key| self.find(key).is_none()).map(|key| &*key.canonical).collect();
        self.check_room(new.len())
    }

    // The primitives. All changes go through these.

    fn hash(&self, canonical: &[u8]) -> u64 {
        self.hasher.hash_one(canonical)
    }

    pub(super) fn find(&self, key: &Key<'_>) -> Option<u64> {
        self.index.find(self.hash(&key.canonical), |seq| {
            self.entries.get(seq).is_some_and(|entry| {
                if entry.canonical { entry.key() == &*key.canonical } else { canonical(entry.key()) == key.canonical }
            })
        })
    }

    /// Puts a value under a key and returns the entry that was there.
    pub(super) fn put(&mut self, key: &Key<'_>, value: &[u8]) -> Option<Entry> {
        let Some(seq) = self.find(key) else {
            self.push(key, value);
            return None;
        };
        self.changed = true;
        let stored = self.entries.get(seq).expect("the index names only entries that are there");
        let entry = Entry::new(stored.key(), stored.canonical, value, self.version + 1);
        let old = self.entries.replace(seq, entry);
        self.record(|| Undo::Replaced(seq, old.clone()));
        Some(old)
    }

    /// Adds an entry with a key that is not there.
    pub(super) fn push(&mut self, key: &Key<'_>, value: &[u8]) {
        self.changed = true;
        let entry = Entry::new(key.original, key.is_canonical(), value, self.version + 1);
        let seq = self.entries.push(entry);
        self.index.insert(self.hash(&key.canonical), seq);
        self.record(|| Undo::Pushed(seq));
    }

    /// Removes an entry that is there.
    pub(super) fn take(&mut self, seq: u64) -> Entry {
        self.changed = true;
        let entry = self.entries.remove(seq);
        self.index.remove(self.hash(&canonical(entry.key())), seq);
        self.record(|| Undo::Removed(seq, entry.clone()));
        entry
    }

    /// Removes the entries under these keys; how many there were.
    pub(super) fn take_many(&mut self, keys: &[Key<'_>]) -> u64 {
        let before = self.len();
        for key in keys {
            if let Some(seq) = self.find(key) {
                self.take(seq);
            }
        }
        (before - self.len()) as u64
    }

    pub(super) fn take_all(&mut self) {
        self.changed |= self.len() > 0;
        let (index, entries) = (std::mem::take(&mut self.index), std::mem::take(&mut self.entries));
        self.entries.continue_from(&entries);
        self.undo.as_mut().unwrap_or(&mut self.discarded).push(Undo::Cleared(index, entries));
    }

    fn record(&mut self, undo: impl FnOnce() -> Undo) {
        if let Some(log) = &mut self.undo {
            log.push(undo());
        }
    }
}

/// Judges keys: none may have a NaN in it.
pub(super) fn keys<'a>(keys: &'a [Encoded<'_>]) -> Result<Vec<Key<'a>>> {
    keys.iter().map(Key::new).collect()
}

fn page<'a>(mut entries: impl Iterator<Item = (u64, &'a Entry)>, limit: u32) -> (Vec<&'a Entry>, Option<u64>) {
    let limit = limit.clamp(1, PAGE_ITEMS) as usize;
    let mut page = Vec::new();
    let mut bytes = 0;
    let mut last = None;
    while page.len() < limit && bytes < PAGE_BYTES {
        let Some((seq, entry)) = entries.next() else {
            return (page, None);
        };
        bytes += entry.size();
        page.push(entry);
        last = Some(seq);
    }
    (page, last.filter(|_| entries.next().is_some()))
}

impl Discards for Table {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        let discarded = std::mem::take(&mut self.discarded);
        (!discarded.is_empty()).then(|| Box::new(discarded) as Box<dyn Send>)
    }
}

impl Transactional for Table {
    fn begin(&mut self) {
        self.version_before = self.version;
        self.undo = Some(Vec::new());
    }

    fn commit(&mut self) {
        self.discarded = self.undo.take().unwrap_or_default();
    }

    fn roll_back(&mut self) {
        for undo in self.undo.take().into_iter().flatten().rev() {
            match undo {
                Undo::Pushed(seq) => drop(self.take(seq)),
                Undo::Replaced(seq, entry) => drop(self.entries.replace(seq, entry)),
                Undo::Removed(seq, entry) => {
                    self.index.insert(self.hash(&canonical(entry.key())), seq);
                    self.entries.put_back(seq, entry);
                }
                Undo::Cleared(index, entries) => {
                    self.index = index;
                    self.entries = entries;
                }
            }
        }
        self.version = self.version_before;
        self.changed = false;
    }
}
