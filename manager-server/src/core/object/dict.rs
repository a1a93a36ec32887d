//! A dict: what each of its operations does to its entries.
//!
//! Every operation judges its arguments first and then applies itself, so a refused one changes
//! nothing. Everything that changes goes through four primitives at the end, which also keep what
//! a transaction needs to take its operations back.

mod entries;
mod index;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use manager_protocol::dict::{self, PageReply, Swap};
use manager_protocol::{Code, Encoded, Error, Many, Result};

use super::{Discards, PAGE_BYTES, PAGE_ITEMS, Transactional};
use crate::core::value::{Key, Probe, add, canonical};
use crate::core::{LARGE, LARGE_BYTES, Limits};
pub(in crate::core) use entries::Snapshot;
use entries::{Entries, Entry};
use index::Index;

/// The state of one dict.
#[derive(Debug)]
pub(in crate::core) struct Dict {
    index: Index,
    entries: Entries,
    hasher: RandomState,
    version: u64,
    changed: bool,
    max_items: usize,
    /// Most bytes that one operation may store.
    max_bytes: usize,
    /// What was cleared, until the lock is let go.
    discarded: Option<(Index, Entries)>,
    /// How to take back what the running transaction did, in the order it was done.
    undo: Option<Vec<Undo>>,
    /// The version before the running transaction.
    version_before: u64,
}

#[derive(Debug)]
enum Undo {
    Pushed(u64),
    Replaced(u64, Entry),
    Removed(u64, Entry),
    Cleared(Index, Entries),
}

impl Dict {
    pub(in crate::core) fn new(limits: &Limits) -> Self {
        Self {
            index: Index::default(),
            entries: Entries::default(),
            hasher: RandomState::new(),
            version: 0,
            changed: false,
            max_items: limits.max_items,
            max_bytes: limits.max_message,
            discarded: None,
            undo: None,
            version_before: 0,
        }
    }

    pub(in crate::core) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether an operation may take long on what the dict holds now.
    pub(in crate::core) fn is_heavy(&self, request: &dict::Request<'_>) -> bool {
        use dict::Request::{CompareAndSet, InsertKeys, PopFirst, PopLast};
        let looked_into = if let PopFirst(_) | PopLast(_) = request {
            // The hash of what is removed is made anew from its key.
            let seq = if let PopFirst(_) = request { self.entries.first() } else { self.entries.last() };
            seq.and_then(|seq| self.entries.get(seq)).map_or(0, |entry| entry.key().len())
        } else if let CompareAndSet(operation) = request {
            self.entry(&operation.key).ok().flatten().map_or(0, |entry| entry.value().len())
        } else if let InsertKeys(operation) = request {
            operation.keys.len().saturating_mul(operation.value.as_slice().len())
        } else {
            0
        };
        looked_into > LARGE_BYTES || request.row().scans && self.len() > LARGE
    }

    pub(in crate::core) fn version(&self) -> u64 {
        self.version
    }

    pub(in crate::core) fn snapshot(&self) -> Snapshot {
        self.entries.snapshot()
    }

    fn entry(&self, key: &Encoded<'_>) -> Result<Option<&Entry>> {
        Ok(self.find(&Key::new(key)?).and_then(|seq| self.entries.get(seq)))
    }

    /// Checks that so many new entries may be added.
    fn check_room(&self, new: usize) -> Result<()> {
        if new > self.max_items.saturating_sub(self.len()) {
            return Err(Error::new(
                Code::LimitExceeded,
                format!("the dict would have more than {} entries, the server's limit", self.max_items),
            ));
        }
        Ok(())
    }

    fn check_room_for(&self, keys: &[Key<'_>]) -> Result<()> {
        if self.check_room(keys.len()).is_ok() {
            return Ok(());
        }
        // A key that comes twice needs room once.
        let new: HashSet<&[u8]> =
            keys.iter().filter(|key| self.find(key).is_none()).map(|key| &*key.canonical).collect();
        self.check_room(new.len())
    }

    /// Puts entries whose keys are judged already.
    fn put_all<'a>(&mut self, entries: impl Iterator<Item = (Key<'a>, Encoded<'a>)>) {
        for (key, value) in entries {
            self.put(&key, value.as_slice());
        }
    }

    /// The entries as they would be if others were put: those replaced by number, and those added.
    fn overlaid<'a>(&self, entries: impl Iterator<Item = Result<(Key<'a>, Entry)>>) -> Result<Merged> {
        let mut replaced: HashMap<u64, Entry> = HashMap::new();
        let mut added: Vec<Entry> = Vec::new();
        let mut added_at: HashMap<Vec<u8>, usize> = HashMap::new();
        for entry in entries {
            let (key, entry) = entry?;
            if let Some(seq) = self.find(&key) {
                replaced.insert(seq, entry);
            } else if let Some(&at) = added_at.get(&*key.canonical) {
                let first = &added[at];
                added[at] = Entry::new(first.key(), first.canonical, entry.value(), 0);
            } else {
                added_at.insert(key.canonical.into_owned(), added.len());
                added.push(entry);
            }
        }
        self.check_room(added.len())?;
        let len = self.len() + added.len();
        let old = self.snapshot().map(move |(seq, old)| match replaced.get(&seq) {
            // The key first stored is the one returned.
            Some(new) => (old.shared_key(), new.shared_value()),
            None => old.shared(),
        });
        Ok(Many::counted(old.chain(added.into_iter().map(|entry| entry.shared())), len))
    }

    // The primitives. All changes go through these.

    fn hash(&self, canonical: &[u8]) -> u64 {
        self.hasher.hash_one(canonical)
    }

    fn find(&self, key: &Key<'_>) -> Option<u64> {
        self.index.find(self.hash(&key.canonical), |seq| {
            self.entries.get(seq).is_some_and(|entry| {
                if entry.canonical { entry.key() == &*key.canonical } else { canonical(entry.key()) == key.canonical }
            })
        })
    }

    /// Puts a value under a key and returns the entry that was there.
    fn put(&mut self, key: &Key<'_>, value: &[u8]) -> Option<Entry> {
        self.changed = true;
        let version = self.version + 1;
        let Some(seq) = self.find(key) else {
            let entry = Entry::new(key.original, key.is_canonical(), value, version);
            let seq = self.entries.push(entry);
            self.index.insert(self.hash(&key.canonical), seq);
            self.record(|| Undo::Pushed(seq));
            return None;
        };
        let stored = self.entries.get(seq).expect("the index names only entries that are there");
        let entry = Entry::new(stored.key(), stored.canonical, value, version);
        let old = self.entries.replace(seq, entry);
        self.record(|| Undo::Replaced(seq, old.clone()));
        Some(old)
    }

    /// Removes an entry that is there.
    fn take(&mut self, seq: u64) -> Entry {
        self.changed = true;
        let entry = self.entries.remove(seq);
        self.index.remove(self.hash(&canonical(entry.key())), seq);
        self.record(|| Undo::Removed(seq, entry.clone()));
        entry
    }

    fn take_all(&mut self) {
        self.changed |= self.len() > 0;
        let (index, entries) = (std::mem::take(&mut self.index), std::mem::take(&mut self.entries));
        self.entries.continue_from(&entries);
        match &mut self.undo {
            Some(log) => log.push(Undo::Cleared(index, entries)),
            None => self.discarded = Some((index, entries)),
        }
    }

    fn record(&mut self, undo: impl FnOnce() -> Undo) {
        if let Some(log) = &mut self.undo {
            log.push(undo());
        }
    }
}

/// What a union gives.
type Merged = Many<'static, (Encoded<'static>, Encoded<'static>)>;

impl dict::Serve for Dict {
    type Source = Snapshot;

    fn settle(&mut self) -> u64 {
        self.version += u64::from(std::mem::take(&mut self.changed));
        self.version
    }

    fn len(&self, _: dict::Len) -> Result<u64> {
        Ok(self.entries.len() as u64)
    }

    fn get(&self, operation: dict::Get<'_>) -> Result<Option<Encoded<'static>>> {
        Ok(self.entry(&operation.key)?.map(Entry::shared_value))
    }

    fn contains(&self, operation: dict::Contains<'_>) -> Result<bool> {
        Ok(self.entry(&operation.key)?.is_some())
    }

    fn set(&mut self, operation: dict::Set<'_>) -> Result<()> {
        let key = [Key::new(&operation.key)?];
        self.check_room_for(&key)?;
        self.put(&key[0], operation.value.as_slice());
        Ok(())
    }

    fn insert(&mut self, operation: dict::Insert<'_>) -> Result<Option<Encoded<'static>>> {
        let key = [Key::new(&operation.key)?];
        self.check_room_for(&key)?;
        Ok(self.put(&key[0], operation.value.as_slice()).map(|old| old.shared_value()))
    }

    fn get_or_insert(&mut self, operation: dict::GetOrInsert<'_>) -> Result<Encoded<'static>> {
        if let Some(entry) = self.entry(&operation.key)? {
            return Ok(entry.shared_value());
        }
        self.check_room(1)?;
        let value = operation.value.as_slice();
        self.put(&Key::new(&operation.key)?, value);
        Ok(Encoded::from(std::sync::Arc::<[u8]>::from(value)))
    }

    fn remove(&mut self, operation: dict::Remove<'_>) -> Result<Option<Encoded<'static>>> {
        let found = self.find(&Key::new(&operation.key)?);
        Ok(found.map(|seq| self.take(seq).shared_value()))
    }

    fn pop_first(&mut self, _: dict::PopFirst) -> Result<Option<(Encoded<'static>, Encoded<'static>)>> {
        Ok(self.entries.first().map(|seq| self.take(seq).shared()))
    }

    fn pop_last(&mut self, _: dict::PopLast) -> Result<Option<(Encoded<'static>, Encoded<'static>)>> {
        Ok(self.entries.last().map(|seq| self.take(seq).shared()))
    }

    fn clear(&mut self, _: dict::Clear) -> Result<()> {
        self.take_all();
        Ok(())
    }

    fn items(&self, _: dict::Items) -> Result<Many<'static, (Encoded<'static>, Encoded<'static>)>> {
        Ok(Many::new(self.snapshot().map(|(_, entry)| entry.shared())))
    }

    fn keys(&self, _: dict::Keys) -> Result<Many<'static, Encoded<'static>>> {
        Ok(Many::new(self.snapshot().map(|(_, entry)| entry.shared_key())))
    }

    fn values(&self, _: dict::Values) -> Result<Many<'static, Encoded<'static>>> {
        Ok(Many::new(self.snapshot().map(|(_, entry)| entry.shared_value())))
    }

    fn page(&self, operation: dict::Page) -> Result<PageReply<'static>> {
        let limit = operation.limit.min(PAGE_ITEMS) as usize;
        if operation.backward {
            Ok(page(self.entries.before(operation.after), limit))
        } else {
            Ok(page(self.entries.after(operation.after), limit))
        }
    }

    fn get_many(&self, operation: dict::GetMany<'_>) -> Result<Many<'static, Option<Encoded<'static>>>> {
        let found: Result<Vec<_>> = operation.keys.map(|key| Ok(self.entry(&key)?.map(Entry::shared_value))).collect();
        Ok(Many::new(found?.into_iter()))
    }

    fn insert_many(&mut self, operation: dict::InsertMany<'_>) -> Result<()> {
        let entries: Vec<_> = operation.entries.collect();
        let keys = entries.iter().map(|(key, _)| Key::new(key)).collect::<Result<Vec<_>>>()?;
        self.check_room_for(&keys)?;
        self.put_all(keys.into_iter().zip(entries.iter().map(|(_, value)| value.clone())));
        Ok(())
    }

    fn insert_keys(&mut self, operation: dict::InsertKeys<'_>) -> Result<()> {
        // The value is stored once for each key: a small request must not fill the memory.
        if operation.keys.len().saturating_mul(operation.value.as_slice().len()) > self.max_bytes {
            return Err(Error::new(
                Code::LimitExceeded,
                format!("the values of all keys together have more than {} bytes, the server's limit", self.max_bytes),
            ));
        }
        let keys: Vec<_> = operation.keys.collect();
        let keys = keys.iter().map(Key::new).collect::<Result<Vec<_>>>()?;
        self.check_room_for(&keys)?;
        self.put_all(keys.into_iter().map(|key| (key, operation.value.clone())));
        Ok(())
    }

    fn remove_many(&mut self, operation: dict::RemoveMany<'_>) -> Result<u64> {
        let keys: Vec<_> = operation.keys.collect();
        let keys = keys.iter().map(Key::new).collect::<Result<Vec<_>>>()?;
        let mut removed = 0;
        for key in keys {
            if let Some(seq) = self.find(&key) {
                self.take(seq);
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn update_from(&mut self, _: dict::UpdateFrom, source: Snapshot) -> Result<()> {
        if self.check_room(source.len()).is_err() {
            let new = source.clone().filter(|(_, entry)| !self.has(entry)).count();
            self.check_room(new)?;
        }
        for (_, entry) in source {
            let key = entry.shared_key();
            self.put(&Key::new(&key)?, entry.value());
        }
        Ok(())
    }

    fn union(&self, operation: dict::Union<'_>) -> Result<Merged> {
        let entries: Vec<_> = operation.entries.collect();
        self.overlaid(entries.iter().map(|(key, value)| {
            let key = Key::new(key)?;
            let entry = Entry::new(key.original, key.is_canonical(), value.as_slice(), 0);
            Ok((key, entry))
        }))
    }

    fn union_from(&self, _: dict::UnionFrom, source: Snapshot) -> Result<Merged> {
        let entries: Vec<_> = source.map(|(_, entry)| (entry.shared_key(), entry)).collect();
        self.overlaid(entries.iter().map(|(key, entry)| Ok((Key::new(key)?, entry.clone()))))
    }

    fn add(&mut self, operation: dict::Add<'_>) -> Result<Encoded<'static>> {
        let current = self.entry(&operation.key)?.map(Entry::value);
        let sum = add(current, &operation.delta, operation.bounds.as_ref())?;
        if current.is_none() {
            self.check_room(1)?;
        }
        self.put(&Key::new(&operation.key)?, &sum);
        Ok(Encoded::from(std::sync::Arc::<[u8]>::from(sum)))
    }

    fn compare_and_set(&mut self, operation: dict::CompareAndSet<'_>) -> Result<Swap<'static>> {
        let key = Key::new(&operation.key)?;
        let found = self.find(&key);
        let current = found.and_then(|seq| self.entries.get(seq));
        let as_expected = match (current, &operation.expected) {
            (Some(entry), Some(expected)) => Probe::new(expected.as_slice()).equals(entry.value()),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !as_expected {
            return Ok(Swap { swapped: false, current: current.map(Entry::shared_value) });
        }
        match (found, operation.new) {
            (None, Some(new)) => {
                self.check_room(1)?;
                self.put(&key, new.as_slice());
            }
            (Some(_), Some(new)) => drop(self.put(&key, new.as_slice())),
            (Some(seq), None) => drop(self.take(seq)),
            (None, None) => {}
        }
        Ok(Swap { swapped: true, current: None })
    }

    fn replace_if_version(&mut self, operation: dict::ReplaceIfVersion<'_>) -> Result<bool> {
        let key = Key::new(&operation.key)?;
        let unchanged = self.unchanged_since(&key, operation.version).is_some();
        if unchanged {
            self.put(&key, operation.value.as_slice());
        }
        Ok(unchanged)
    }

    fn remove_if_version(&mut self, operation: dict::RemoveIfVersion<'_>) -> Result<Many<'static, bool>> {
        let keys: Vec<_> = operation.keys.collect();
        let keys = keys.iter().map(Key::new).collect::<Result<Vec<_>>>()?;
        let removed: Vec<bool> = keys
            .iter()
            .map(|key| self.unchanged_since(key, operation.version).map(|seq| self.take(seq)).is_some())
            .collect();
        Ok(Many::new(removed.into_iter()))
    }
}

impl Dict {
    fn has(&self, entry: &Entry) -> bool {
        let key = entry.shared_key();
        Key::new(&key).is_ok_and(|key| self.find(&key).is_some())
    }

    fn unchanged_since(&self, key: &Key<'_>, version: u64) -> Option<u64> {
        self.find(key).filter(|&seq| self.entries.get(seq).is_some_and(|entry| entry.version <= version))
    }
}

fn page<'a>(mut entries: impl Iterator<Item = (u64, &'a Entry)>, limit: usize) -> PageReply<'static> {
    let mut page = PageReply { entries: Vec::new(), next: None };
    let mut bytes = 0;
    let mut last = None;
    while page.entries.len() < limit.max(1) && bytes < PAGE_BYTES {
        let Some((seq, entry)) = entries.next() else {
            return page;
        };
        bytes += entry.size();
        page.entries.push(entry.shared());
        last = Some(seq);
    }
    page.next = last.filter(|_| entries.next().is_some());
    page
}

impl Discards for Dict {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        self.discarded.take().map(|discarded| Box::new(discarded) as Box<dyn Send>)
    }
}

impl Transactional for Dict {
    fn begin(&mut self) {
        self.version_before = self.version;
        self.undo = Some(Vec::new());
    }

    fn commit(&mut self) {
        self.undo = None;
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
