//! A dict: what each of its operations does to its entries.
//!
//! Every operation judges its arguments first and then applies itself, so a refused one changes
//! nothing. Everything that changes goes through the primitives of its [`Table`].

use std::collections::HashMap;

use manager_protocol::dict::{self, PageReply, Swap};
use manager_protocol::{Code, Encoded, Error, Many, Result};

use super::table::{self, Entry, Life, Lone, Snapshot, Table};
use super::{Discards, Transactional};
use crate::core::data::Data;
use crate::core::lifetime::{Alarm, Lifetimes};
use crate::core::moment::Moment;
use crate::core::session::SessionId;
use crate::core::sink::FrameSink;
use crate::core::timers::Time;
use crate::core::value::{Key, Limit, Probe, add};
use crate::core::watch::{self, Seen, Slot, Watched};
use crate::core::{LARGE, LARGE_BYTES, Limits};

/// The state of one dict.
#[derive(Debug)]
pub(in crate::core) struct Dict {
    table: Table,
    /// Most bytes that one operation may store.
    max_bytes: usize,
}

impl Dict {
    pub(in crate::core) fn new(limits: &Limits) -> Self {
        Self { table: Table::new(("dict", "entries"), limits), max_bytes: limits.max_message }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.table.snapshot()
    }

    /// Lets go of every entry.
    pub(super) fn discard_all(&mut self) {
        self.table.take_all();
    }

    fn entry(&self, key: &Encoded<'_>) -> Result<Option<Entry<'_>>> {
        Ok(self.table.find_entry(&Key::new(key)?))
    }

    /// The entries as they would be if others were put: those replaced by number, and those added.
    fn overlaid<'a>(&self, entries: impl Iterator<Item = Result<(Key<'a>, Lone)>>) -> Result<Merged> {
        let mut replaced: HashMap<u64, Lone> = HashMap::new();
        let mut added: Vec<Lone> = Vec::new();
        let mut added_at: HashMap<Vec<u8>, usize> = HashMap::new();
        for entry in entries {
            let (key, entry) = entry?;
            if let Some(seq) = self.table.find(&key) {
                replaced.insert(seq, entry);
            } else if let Some(&at) = added_at.get(&*key.canonical) {
                let first = added[at].entry();
                added[at] = Lone::new(first.key(), first.canonical, entry.entry().value(), 0);
            } else {
                added_at.insert(key.canonical.into_owned(), added.len());
                added.push(entry);
            }
        }
        self.table.check_room(added.len())?;
        let len = self.table.len() + added.len();
        let old = self.table.snapshot().map(move |(seq, old)| match replaced.get(&seq) {
            // The key first stored is the one returned.
            Some(new) => (old.shared_key(), new.shared_value()),
            None => old.shared(),
        });
        Ok(Many::counted(old.chain(added.into_iter().map(|entry| entry.shared())), len))
    }
}

/// What a union gives.
type Merged = Many<'static, (Encoded<'static>, Encoded<'static>)>;

impl dict::Serve for Dict {
    type Source = Snapshot;

    fn settle(&mut self) -> u64 {
        self.table.settle()
    }

    fn len(&self, _: dict::Len) -> Result<u64> {
        Ok(self.table.len() as u64)
    }

    fn get(&self, operation: dict::Get<'_>) -> Result<Option<Encoded<'static>>> {
        Ok(self.entry(&operation.key)?.map(|entry| entry.shared_value()))
    }

    fn contains(&self, operation: dict::Contains<'_>) -> Result<bool> {
        Ok(self.entry(&operation.key)?.is_some())
    }

    fn set(&mut self, operation: dict::Set<'_>) -> Result<()> {
        let key = [Key::new(&operation.key)?];
        self.table.check_room_for(&key)?;
        self.table.put(&key[0], operation.value.as_slice());
        Ok(())
    }

    fn insert(&mut self, operation: dict::Insert<'_>) -> Result<Option<Encoded<'static>>> {
        let key = [Key::new(&operation.key)?];
        self.table.check_room_for(&key)?;
        Ok(self.table.put_with(&key[0], operation.value.as_slice(), Life::default(), |old| old.shared_value()))
    }

    fn get_or_insert(&mut self, operation: dict::GetOrInsert<'_>) -> Result<Encoded<'static>> {
        if let Some(entry) = self.entry(&operation.key)? {
            return Ok(entry.shared_value());
        }
        self.table.check_room(1)?;
        let value = operation.value.as_slice();
        self.table.put(&Key::new(&operation.key)?, value);
        Ok(Encoded::from(std::sync::Arc::<[u8]>::from(value)))
    }

    fn insert_with(&mut self, operation: dict::InsertWith<'_>) -> Result<Option<Encoded<'static>>> {
        let dict::InsertWith { key, value, ttl_ms, session } = operation;
        let life = Life { expires: self.end_in(ttl_ms)?, session: session.then(|| self.table.session()) };
        let key = [Key::new(&key)?];
        self.table.check_room_for(&key)?;
        Ok(self.table.put_with(&key[0], value.as_slice(), life, |old| old.shared_value()))
    }

    fn expire(&mut self, operation: dict::Expire<'_>) -> Result<bool> {
        let expires = self.end_in(operation.ttl_ms)?;
        let Some(seq) = self.table.find(&Key::new(&operation.key)?) else { return Ok(false) };
        if let Some(entry) = self.table.get(seq) {
            let life = Life { expires, ..entry.life() };
            self.table.set_life(seq, life);
        }
        Ok(true)
    }

    fn ttl(&self, operation: dict::Ttl<'_>) -> Result<Option<dict::TimeLeft>> {
        let left = |end: Time| {
            let nanoseconds = end.saturating_sub(self.table.now()).as_nanos();
            u64::try_from(nanoseconds.div_ceil(1_000_000)).unwrap_or(u64::MAX)
        };
        let entry = self.entry(&operation.key)?;
        Ok(entry.map(|entry| dict::TimeLeft { left_ms: entry.life().expires.map(left) }))
    }

    fn remove(&mut self, operation: dict::Remove<'_>) -> Result<Option<Encoded<'static>>> {
        let found = self.table.find(&Key::new(&operation.key)?);
        Ok(found.map(|seq| self.table.take(seq).shared_value()))
    }

    fn pop_first(&mut self, _: dict::PopFirst) -> Result<Option<(Encoded<'static>, Encoded<'static>)>> {
        Ok(self.table.first().map(|seq| self.table.take(seq).shared()))
    }

    fn pop_last(&mut self, _: dict::PopLast) -> Result<Option<(Encoded<'static>, Encoded<'static>)>> {
        Ok(self.table.last().map(|seq| self.table.take(seq).shared()))
    }

    fn clear(&mut self, _: dict::Clear) -> Result<()> {
        self.table.take_all();
        Ok(())
    }

    fn items(&self, _: dict::Items) -> Result<Many<'static, (Encoded<'static>, Encoded<'static>)>> {
        Ok(Many::new(self.table.snapshot().looked(|entry| entry.shared())))
    }

    fn keys(&self, _: dict::Keys) -> Result<Many<'static, Encoded<'static>>> {
        Ok(Many::new(self.table.snapshot().looked(|entry| entry.shared_key())))
    }

    fn values(&self, _: dict::Values) -> Result<Many<'static, Encoded<'static>>> {
        Ok(Many::new(self.table.snapshot().looked(|entry| entry.shared_value())))
    }

    fn page(&self, operation: dict::Page) -> Result<PageReply<'static>> {
        let dict::Page { after, limit, backward } = operation;
        let (page, next) = self.table.page(after, limit, backward);
        Ok(PageReply { entries: page.into_iter().map(|entry| entry.shared()).collect(), next })
    }

    fn get_many(&self, operation: dict::GetMany<'_>) -> Result<Many<'static, Option<Encoded<'static>>>> {
        let found: Result<Vec<_>> =
            operation.keys.map(|key| Ok(self.entry(&key)?.map(|entry| entry.shared_value()))).collect();
        Ok(Many::new(found?.into_iter()))
    }

    fn insert_many(&mut self, operation: dict::InsertMany<'_>) -> Result<()> {
        let (judged, entries) = operation.entries.twice();
        if self.table.check_room(entries.len()).is_ok() {
            judged.try_each(|key, _| Key::new(&key).map(drop))?;
        } else {
            let keys: Vec<_> = judged.map(|(key, _)| key).collect();
            self.table.check_room_for(&table::keys(&keys)?)?;
        }
        entries.try_each(|key, value| {
            self.table.put(&Key::new(&key)?, value.as_slice());
            Ok(())
        })
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
        let keys = table::keys(&keys)?;
        self.table.check_room_for(&keys)?;
        keys.iter().for_each(|key| self.table.put(key, operation.value.as_slice()));
        Ok(())
    }

    fn remove_many(&mut self, operation: dict::RemoveMany<'_>) -> Result<u64> {
        let keys: Vec<_> = operation.keys.collect();
        Ok(self.table.take_many(&table::keys(&keys)?))
    }

    fn update_from(&mut self, _: dict::UpdateFrom, source: Snapshot) -> Result<()> {
        if self.table.check_room(source.len()).is_err() {
            let new = source.clone().filter(|(_, entry)| !self.has(entry)).count();
            self.table.check_room(new)?;
        }
        for (_, entry) in source {
            let key = entry.shared_key();
            self.table.put_from(&Key::new(&key)?, entry.entry());
        }
        Ok(())
    }

    fn union(&self, operation: dict::Union<'_>) -> Result<Merged> {
        let entries: Vec<_> = operation.entries.collect();
        self.overlaid(entries.iter().map(|(key, value)| {
            let key = Key::new(key)?;
            let entry = Lone::new(key.original, key.is_canonical(), value.as_slice(), 0);
            Ok((key, entry))
        }))
    }

    fn union_from(&self, _: dict::UnionFrom, source: Snapshot) -> Result<Merged> {
        let entries: Vec<_> = source.map(|(_, entry)| (entry.shared_key(), entry)).collect();
        self.overlaid(entries.iter().map(|(key, entry)| Ok((Key::new(key)?, entry.clone()))))
    }

    fn add(&mut self, operation: dict::Add<'_>) -> Result<Encoded<'static>> {
        let key = Key::new(&operation.key)?;
        let found = self.table.find(&key);
        let current = found.and_then(|seq| self.table.get(seq)).map(|entry| entry.value());
        let sum = add(current, &operation.delta, operation.bounds.as_ref())?;
        match found {
            Some(seq) => self.table.change(seq, &sum),
            None => {
                self.table.check_room(1)?;
                self.table.put(&key, &sum);
            }
        }
        Ok(Encoded::from(std::sync::Arc::<[u8]>::from(sum)))
    }

    fn compare_and_set(&mut self, operation: dict::CompareAndSet<'_>) -> Result<Swap<'static>> {
        let key = Key::new(&operation.key)?;
        let found = self.table.find(&key);
        let current = found.and_then(|seq| self.table.get(seq));
        let as_expected = match (current, &operation.expected) {
            (Some(entry), Some(expected)) => Probe::new(expected.as_slice()).equals(entry.value()),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !as_expected {
            return Ok(Swap { swapped: false, current: current.map(|entry| entry.shared_value()) });
        }
        match (found, operation.new) {
            (None, Some(new)) => {
                self.table.check_room(1)?;
                self.table.put(&key, new.as_slice());
            }
            (Some(seq), Some(new)) => self.table.change(seq, new.as_slice()),
            (Some(seq), None) => drop(self.table.take(seq)),
            (None, None) => {}
        }
        Ok(Swap { swapped: true, current: None })
    }

    fn replace_if_version(&mut self, operation: dict::ReplaceIfVersion<'_>) -> Result<bool> {
        let key = Key::new(&operation.key)?;
        let unchanged = self.unchanged_since(&key, operation.version);
        if let Some(seq) = unchanged {
            self.table.change(seq, operation.value.as_slice());
        }
        Ok(unchanged.is_some())
    }

    fn remove_if_version(&mut self, operation: dict::RemoveIfVersion<'_>) -> Result<Many<'static, bool>> {
        let keys: Vec<_> = operation.keys.collect();
        let keys = table::keys(&keys)?;
        let removed: Vec<bool> = keys
            .iter()
            .map(|key| self.unchanged_since(key, operation.version).map(|seq| self.table.take(seq)).is_some())
            .collect();
        Ok(Many::new(removed.into_iter()))
    }
}

/// The longest that an entry with an end may live, in milliseconds: ten years.
const MAX_TTL: i64 = 315_576_000_000;

impl Dict {
    /// When an entry ends that has so long to live from now on.
    fn end_in(&self, ttl_ms: Option<i64>) -> Result<Option<Time>> {
        let end = |ttl| {
            if !(1..=MAX_TTL).contains(&ttl) {
                let fault = format!("a time to live is 1 to {MAX_TTL} ms (ten years), not {ttl}");
                return Err(Error::new(Code::InvalidArgument, fault));
            }
            Ok(self.table.now().saturating_add(Time::from_millis(ttl.unsigned_abs())))
        };
        ttl_ms.map(end).transpose()
    }

    fn has(&self, entry: &Lone) -> bool {
        let key = entry.shared_key();
        Key::new(&key).is_ok_and(|key| self.table.find(&key).is_some())
    }

    fn unchanged_since(&self, key: &Key<'_>, version: u64) -> Option<u64> {
        self.table.find(key).filter(|&seq| self.table.get(seq).is_some_and(|entry| entry.version <= version))
    }
}

impl Data for Dict {
    fn version(&self) -> u64 {
        self.table.version()
    }

    fn len(&self) -> usize {
        self.table.len()
    }

    fn attend(&mut self, moment: &Moment) {
        self.table.attend(moment);
    }

    fn contents(&self) -> Snapshot {
        self.table.snapshot()
    }

    fn binds(request: &dict::Request<'_>) -> bool {
        if let dict::Request::InsertWith(operation) = request { operation.session } else { false }
    }

    fn asks_time(request: &dict::Request<'_>) -> bool {
        use dict::Request::{Expire, InsertWith, Ttl};
        matches!(request, InsertWith(_) | Expire(_) | Ttl(_))
    }

    fn is_heavy(&self, request: &dict::Request<'_>) -> bool {
        use dict::Request::{CompareAndSet, InsertKeys, PopFirst, PopLast};
        let looked_into = if let PopFirst(_) = request {
            self.table.key_size(self.table.first())
        } else if let PopLast(_) = request {
            self.table.key_size(self.table.last())
        } else if let CompareAndSet(operation) = request {
            self.entry(&operation.key).ok().flatten().map_or(0, |entry| entry.value().len())
        } else if let InsertKeys(operation) = request {
            operation.keys.len().saturating_mul(operation.value.as_slice().len())
        } else {
            0
        };
        looked_into > LARGE_BYTES || request.row().scans && self.table.len() > LARGE
    }

    fn answer_in_place(&self, request: &dict::Request<'_>, sink: &mut FrameSink<'_>) -> bool {
        let dict::Request::Get(get) = request else { return false };
        match self.entry(&get.key) {
            Ok(Some(entry)) => entry.links().is_none() && sink.stored(self.version(), Some(entry.value())),
            Ok(None) => sink.stored(self.version(), None),
            Err(_) => false, // Whoever answers it says what is wrong.
        }
    }

    fn value_at(&self, at: &Encoded<'_>) -> Result<Option<Encoded<'static>>> {
        Ok(self.entry(at)?.map(|entry| entry.shared_value()))
    }

    fn put_at(&mut self, at: &Encoded<'_>, value: &[u8]) -> Result<()> {
        let key = Key::new(at)?;
        match self.table.find(&key) {
            Some(seq) => self.table.change(seq, value),
            None => {
                self.table.check_room(1)?;
                self.table.put(&key, value);
            }
        }
        Ok(())
    }

    fn remove_at(&mut self, at: &Encoded<'_>) -> Result<()> {
        if let Some(seq) = self.table.find(&Key::new(at)?) {
            self.table.take(seq);
        }
        Ok(())
    }

    fn value_limit(&self) -> Limit {
        Limit(self.max_bytes)
    }
}

impl Lifetimes for Dict {
    fn tell_time(&mut self, now: Time) {
        self.table.tell_time(now);
    }

    fn expire(&mut self, most: usize) -> bool {
        self.table.expire(most)
    }

    fn next_end(&self) -> Option<Time> {
        self.table.next_end()
    }

    fn alarm(&mut self) -> Option<&mut Alarm> {
        self.table.alarm()
    }

    fn end_session(&mut self, session: SessionId) {
        self.table.end_session(session);
    }

    fn has_more_of(&self, session: SessionId, many: usize) -> bool {
        self.table.has_more_of(session, many)
    }

    fn owned(&self) -> usize {
        self.table.owned()
    }
}

impl Watched for Dict {
    fn slot(&self) -> &Slot {
        self.table.slot()
    }

    fn slot_mut(&mut self) -> &mut Slot {
        self.table.slot_mut()
    }

    fn place(at: &Encoded<'_>) -> Result<Option<watch::Key>> {
        Key::new(at).map(|key| Some(watch::Key::from(&*key.canonical)))
    }

    fn look(&self, at: &Encoded<'_>) -> Option<Seen> {
        let entry = self.entry(at).ok()??;
        Some(Seen { value: entry.shared_value(), version: entry.version })
    }
}

impl Discards for Dict {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        self.table.discarded()
    }
}

impl Transactional for Dict {
    fn begin(&mut self) {
        self.table.begin();
    }

    fn commit(&mut self) {
        self.table.commit();
    }

    fn roll_back(&mut self) {
        self.table.roll_back();
    }
}
