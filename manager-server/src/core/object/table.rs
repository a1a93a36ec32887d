//! A table: keys in insertion order, each found by what it equals, and perhaps with a value.
//!
//! This is what dicts and sets are made of. Everything that changes one goes through the primitives
//! here, which keep the version and what a transaction needs to take its operations back.

mod chunk;
mod ends;
mod entries;
mod entry;
mod index;

use std::collections::HashSet;
use std::hash::BuildHasher;

use manager_protocol::{Code, Encoded, Error, Result};

use super::{Discards, PAGE_BYTES, PAGE_ITEMS, Transactional};
use crate::core::Limits;
use crate::core::hashing::Seeded;
use crate::core::lifetime::{Alarm, Lifetimes};
use crate::core::moment::Moment;
use crate::core::reference::Links;
use crate::core::session::SessionId;
use crate::core::timers::Time;
use crate::core::value::{Key, canonical};
use crate::core::watch::Slot;
use chunk::Content;
use ends::Ends;
use entries::Entries;
pub(in crate::core) use entries::Snapshot;
pub(in crate::core) use entry::{Entry, Life, Lone};
use index::Index;

#[derive(Debug)]
pub(super) struct Table {
    index: Index,
    entries: Entries,
    hasher: Seeded,
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
    moment: Moment,
    /// Which entries do not live without end.
    ends: Ends,
    /// The time that was told last; it never goes back, whatever order operations come in.
    now: Time,
    /// It was told for this moment.
    is_told: bool,
    alarm: Alarm,
    slot: Slot,
}

/// An object and its items.
pub(super) type Names = (&'static str, &'static str);

/// What is to be in the place of an entry, and what of that one must be known.
struct Renewed<'v> {
    content: Content<'v>,
    life: Life,
    old: Life,
    undo: Option<Lone>,
}

#[derive(Debug)]
enum Undo {
    Pushed(u64),
    Replaced(u64, Lone),
    Removed(u64, Lone),
    Cleared(Index, Entries, Ends),
}

impl Table {
    pub(super) fn new(names: Names, limits: &Limits) -> Self {
        Self {
            index: Index::default(),
            entries: Entries::default(),
            hasher: Seeded::default(),
            version: 0,
            changed: false,
            max_items: limits.max_items,
            names,
            discarded: Vec::new(),
            undo: None,
            version_before: 0,
            moment: Moment::default(),
            ends: Ends::default(),
            now: Time::ZERO,
            is_told: false,
            alarm: Alarm::default(),
            slot: Slot::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The circumstances of the operation that comes.
    pub(super) fn attend(&mut self, moment: &Moment) {
        self.moment = moment.clone();
        self.is_told = false;
    }

    /// Ends an operation: counts it if it changed anything, and returns the version.
    pub(super) fn settle(&mut self) -> u64 {
        if std::mem::take(&mut self.changed) {
            self.version += 1;
            let len = self.len();
            if let Some(watchers) = self.slot.get_mut() {
                watchers.settle(self.version, len);
            }
        }
        self.version
    }

    pub(super) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(super) fn slot_mut(&mut self) -> &mut Slot {
        &mut self.slot
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

    pub(super) fn get(&self, seq: u64) -> Option<Entry<'_>> {
        self.entries.get(seq)
    }

    /// Some entries behind a place (or before it), and the place to go on from.
    ///
    /// The page ends when there are `limit` of them, or when it is as large as pages get.
    pub(super) fn page(&self, from: Option<u64>, limit: u32, backward: bool) -> (Vec<Entry<'_>>, Option<u64>) {
        if backward { page(self.entries.before(from), limit) } else { page(self.entries.after(from), limit) }
    }

    /// The time, as operations on this table see it.
    pub(super) fn now(&self) -> Time {
        debug_assert!(self.is_told, "what asks for the time has said so");
        self.now
    }

    /// Whose operation it is.
    pub(super) fn session(&self) -> SessionId {
        self.moment.session
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
        self.find_canonical(&key.canonical)
    }

    pub(super) fn find_entry(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        self.locate(&key.canonical, self.hash(&key.canonical)).map(|(_, entry)| entry)
    }

    fn find_canonical(&self, key: &[u8]) -> Option<u64> {
        self.locate(key, self.hash(key)).map(|(seq, _)| seq)
    }

    fn locate(&self, key: &[u8], hash: u64) -> Option<(u64, Entry<'_>)> {
        let mut found = None;
        let seq = self.index.find(hash, |seq| {
            found = self
                .entries
                .get(seq)
                .filter(|entry| if entry.canonical { entry.key() == key } else { *canonical(entry.key()) == *key });
            found.is_some()
        })?;
        Some((seq, found?))
    }

    /// Puts a value under a key. The entry lives without end.
    pub(super) fn put(&mut self, key: &Key<'_>, value: &[u8]) {
        self.put_with(key, value, Life::default(), |_| ());
    }

    /// Puts a value under a key, for so long, and returns what `look` sees in the entry that was there.
    pub(super) fn put_with<R>(
        &mut self,
        key: &Key<'_>,
        value: &[u8],
        life: Life,
        look: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let links = self.moment.claims.links(value);
        self.write(key, value, links, life, look)
    }

    /// Puts what another table has, under a key that equals the entry's.
    pub(super) fn put_from(&mut self, key: &Key<'_>, entry: Entry<'_>) {
        let links = entry.links().map(Links::anew).unwrap_or_default();
        self.write(key, entry.value(), links, Life::default(), |_| ());
    }

    /// Adds a key that is not there, with nothing under it.
    pub(super) fn add(&mut self, key: &Key<'_>) {
        self.push(key, self.hash(&key.canonical), &[], Links::default(), Life::default());
    }

    /// Changes the value of an entry that is there, and not how long it lives.
    pub(super) fn change(&mut self, seq: u64, value: &[u8]) {
        let stored = self.entries.get(seq).expect(INDEXED);
        let (before, life) = (stored.links().cloned().unwrap_or_default(), stored.life());
        let links = before.changed(value, &self.moment.claims);
        let renewed = self.renewed(stored, value, links, life);
        self.replace(seq, renewed);
    }

    /// Lets an entry that is there live so long, and says whether it did not already.
    pub(super) fn set_life(&mut self, seq: u64, life: Life) -> bool {
        let stored = self.entries.get(seq).expect(INDEXED);
        if stored.life() == life {
            return false;
        }
        // What it holds is not replaced: its version stays.
        let old = stored.to_lone();
        let entry = old.clone().with(old.links().cloned().unwrap_or_default(), life);
        self.changed = true;
        // Nor is it told to those who watch.
        self.put_in_place(seq, Content::Lone(entry), old.life(), life);
        self.record(|| Undo::Replaced(seq, old));
        true
    }

    fn write<R>(
        &mut self,
        key: &Key<'_>,
        value: &[u8],
        links: Links,
        life: Life,
        look: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let hash = self.hash(&key.canonical);
        let Some((seq, stored)) = self.locate(&key.canonical, hash) else {
            self.push(key, hash, value, links, life);
            return None;
        };
        let seen = look(stored);
        let renewed = self.renewed(stored, value, links, life);
        self.replace(seq, renewed);
        Some(seen)
    }

    /// What is to be in the place of an entry that is there.
    fn renewed<'v>(&self, stored: Entry<'_>, value: &'v [u8], links: Links, life: Life) -> Renewed<'v> {
        let version = self.version + 1;
        let content = if links.is_empty() && life == Life::default() {
            Content::Plain { value, version }
        } else {
            Content::Lone(Lone::new(stored.key(), stored.canonical, value, version).with(links, life))
        };
        let undo = self.undo.is_some().then(|| stored.to_lone());
        Renewed { content, life, old: stored.life(), undo }
    }

    /// Exchanges the value of an entry that is there.
    fn replace(&mut self, seq: u64, renewed: Renewed<'_>) {
        let Renewed { content, life, old, undo } = renewed;
        if let Some(before) = undo {
            self.record(|| Undo::Replaced(seq, before));
        }
        self.changed = true;
        self.put_in_place(seq, content, old, life);
        self.tell_put(seq);
    }

    /// Exchanges what is in an entry that has lived so long, and is to live so long.
    fn put_in_place(&mut self, seq: u64, content: Content<'_>, old: Life, life: Life) {
        self.entries.replace(seq, content);
        if old != life {
            self.ends.remove(seq, old);
            self.ends.add(seq, life);
        }
    }

    /// Adds an entry with a key that is not there.
    fn push(&mut self, key: &Key<'_>, hash: u64, value: &[u8], links: Links, life: Life) {
        self.changed = true;
        let version = self.version + 1;
        let seq = if links.is_empty() && life == Life::default() {
            self.entries.push(Entry::new(key.original, key.is_canonical(), value, version))
        } else {
            let entry = Lone::new(key.original, key.is_canonical(), value, version).with(links, life);
            self.entries.push(entry.entry())
        };
        self.tell_put(seq);
        self.ends.add(seq, life);
        self.index.insert(hash, seq);
        self.record(|| Undo::Pushed(seq));
    }

    /// Removes an entry that is there.
    pub(super) fn take(&mut self, seq: u64) -> Lone {
        self.changed = true;
        let taken = self.entries.remove(seq);
        let entry = taken.entry();
        self.ends.remove(seq, entry.life());
        let key = canonical(entry.key());
        self.index.remove(self.hash(&key), seq);
        if let Some(watchers) = self.slot.get_mut() {
            watchers.removed(&key, entry.key());
        }
        if let Some(log) = &mut self.undo {
            log.push(Undo::Removed(seq, taken.clone()));
        }
        taken
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
        let mut slot = std::mem::take(&mut self.slot);
        if let Some(watchers) = slot.get_mut().filter(|_| self.len() > 0) {
            watchers.cleared(|key| self.find_canonical(key).is_some());
        }
        self.slot = slot;
        let (index, entries) = (std::mem::take(&mut self.index), std::mem::take(&mut self.entries));
        let ends = std::mem::take(&mut self.ends);
        self.entries.continue_from(&entries);
        self.undo.as_mut().unwrap_or(&mut self.discarded).push(Undo::Cleared(index, entries, ends));
    }

    fn record(&mut self, undo: impl FnOnce() -> Undo) {
        if let Some(log) = &mut self.undo {
            log.push(undo());
        }
    }

    /// Tells those who watch that an entry is put.
    fn tell_put(&mut self, seq: u64) {
        if let Some(watchers) = self.slot.get_mut() {
            let entry = self.entries.get(seq).expect(INDEXED);
            let put = || {
                let (key, value) = entry.shared();
                (key, value, entry.links().cloned().unwrap_or_default())
            };
            watchers.put(&canonical(entry.key()), put);
        }
    }
}

const INDEXED: &str = "the index names only entries that are there";

/// Judges keys: none may have a NaN in it.
pub(super) fn keys<'a>(keys: &'a [Encoded<'_>]) -> Result<Vec<Key<'a>>> {
    keys.iter().map(Key::new).collect()
}

fn page<'a>(mut entries: impl Iterator<Item = (u64, Entry<'a>)>, limit: u32) -> (Vec<Entry<'a>>, Option<u64>) {
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

impl Lifetimes for Table {
    fn tell_time(&mut self, now: Time) {
        (self.now, self.is_told) = (self.now.max(now), true);
    }

    fn expire(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let Some(seq) = self.ends.due(self.now) else { break };
            self.take(seq);
        }
        self.settle();
        self.ends.due(self.now).is_none()
    }

    fn next_end(&self) -> Option<Time> {
        self.ends.next()
    }

    fn alarm(&mut self) -> Option<&mut Alarm> {
        Some(&mut self.alarm)
    }

    fn end_session(&mut self, session: SessionId) {
        let owned: Vec<u64> = self.ends.of(session).collect();
        for seq in owned {
            self.take(seq);
        }
        self.settle();
    }

    fn has_more_of(&self, session: SessionId, many: usize) -> bool {
        self.ends.of(session).nth(many).is_some()
    }

    fn owned(&self) -> usize {
        self.ends.owned()
    }
}

impl Discards for Table {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        self.moment.pass();
        let discarded = std::mem::take(&mut self.discarded);
        (!discarded.is_empty()).then(|| Box::new(discarded) as Box<dyn Send>)
    }
}

impl Transactional for Table {
    fn begin(&mut self) {
        self.version_before = self.version;
        if let Some(watchers) = self.slot.get_mut() {
            watchers.keep();
        }
        self.undo = Some(Vec::new());
    }

    fn commit(&mut self) {
        self.discarded = self.undo.take().unwrap_or_default();
    }

    fn roll_back(&mut self) {
        for undo in self.undo.take().into_iter().flatten().rev() {
            match undo {
                Undo::Pushed(seq) => drop(self.take(seq)),
                Undo::Replaced(seq, entry) => {
                    let life = entry.life();
                    let now = self.entries.get(seq).expect(INDEXED).life();
                    self.put_in_place(seq, Content::Lone(entry), now, life);
                }
                Undo::Removed(seq, lone) => {
                    let entry = lone.entry();
                    self.index.insert(self.hash(&canonical(entry.key())), seq);
                    self.ends.add(seq, entry.life());
                    self.entries.put_back(seq, entry);
                }
                Undo::Cleared(index, entries, ends) => {
                    self.index = index;
                    self.entries = entries;
                    self.ends = ends;
                }
            }
        }
        self.version = self.version_before;
        self.changed = false;
        let len = self.len();
        if let Some(watchers) = self.slot.get_mut() {
            watchers.forget(len);
        }
    }
}
