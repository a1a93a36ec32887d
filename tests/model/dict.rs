//! The model of a dict.

use indexmap::IndexMap;
use manager_protocol::Code;

use super::operation::{DictOperation, Outcome, Reply};
use super::path::Becomes;
use super::value::{Key, Value};

/// What a dict must hold.
#[derive(Clone, Debug)]
pub(super) struct DictModel {
    entries: IndexMap<Key, Slot>,
    /// How many operations changed it.
    pub(super) version: u64,
    changed: bool,
    max_items: usize,
}

/// Entries that the client's `retain` looks at in one go.
const PAGE: usize = 1000;

#[derive(Clone, Debug)]
struct Slot {
    value: Value,
    /// The version of the dict since which the value is there.
    since: u64,
}

impl DictModel {
    /// An empty dict that may grow so far.
    pub(super) fn new(max_items: usize) -> Self {
        Self { entries: IndexMap::new(), version: 0, changed: false, max_items }
    }

    /// Every entry in order.
    pub(super) fn items(&self) -> Vec<(Value, Value)> {
        self.entries.iter().map(|(key, slot)| (key.0.clone(), slot.value.clone())).collect()
    }

    /// Carries out an operation; `other` is the dict that it reads, if it reads one.
    pub(super) fn apply(&mut self, operation: &DictOperation, other: &Self) -> Outcome {
        let outcome = self.run(operation, other);
        assert!(outcome.is_ok() || !self.changed, "the model itself changed what it refused");
        self.version += u64::from(std::mem::take(&mut self.changed));
        outcome
    }

    fn run(&mut self, operation: &DictOperation, other: &Self) -> Outcome {
        match operation {
            DictOperation::Len => Ok(Reply::Count(self.entries.len() as u64)),
            DictOperation::IsEmpty => Ok(Reply::Bool(self.entries.is_empty())),
            DictOperation::Get(key) => Ok(Reply::MaybeValue(self.value(&judge(key)?))),
            DictOperation::ContainsKey(key) => Ok(Reply::Bool(self.entries.contains_key(&judge(key)?))),
            DictOperation::Set(key, value) => {
                self.put_all([(judge(key)?, value.clone())].into())?;
                Ok(Reply::Unit)
            }
            DictOperation::Insert(key, value) => {
                let key = judge(key)?;
                let old = self.value(&key);
                self.put_all([(key, value.clone())].into())?;
                Ok(Reply::MaybeValue(old))
            }
            DictOperation::GetOrInsert(key, value) => {
                let key = judge(key)?;
                if let Some(there) = self.value(&key) {
                    return Ok(Reply::Value(there));
                }
                self.put_all([(key, value.clone())].into())?;
                Ok(Reply::Value(value.clone()))
            }
            DictOperation::Remove(key) => Ok(Reply::MaybeValue(self.take(&judge(key)?))),
            DictOperation::PopFirst => Ok(Reply::MaybeEntry(self.take_at(0))),
            DictOperation::PopLast => Ok(Reply::MaybeEntry(self.take_at(self.entries.len().wrapping_sub(1)))),
            DictOperation::Clear => {
                self.changed = !self.entries.is_empty();
                self.entries.clear();
                Ok(Reply::Unit)
            }
            DictOperation::Items => Ok(Reply::Entries(self.items())),
            DictOperation::Keys => Ok(Reply::Values(self.entries.keys().map(|key| key.0.clone()).collect())),
            DictOperation::Values => Ok(Reply::Values(self.entries.values().map(|slot| slot.value.clone()).collect())),
            DictOperation::GetMany(keys) => {
                let keys = judge_all(keys)?;
                Ok(Reply::MaybeValues(keys.iter().map(|key| self.value(key)).collect()))
            }
            DictOperation::InsertMany(entries) => self.put_all(judge_entries(entries)?).map(Reply::unit),
            DictOperation::InsertKeys(keys, value) => {
                let entries = judge_all(keys)?.into_iter().map(|key| (key, value.clone()));
                self.put_all(entries.collect()).map(Reply::unit)
            }
            DictOperation::RemoveMany(keys) => {
                let removed = judge_all(keys)?.iter().filter(|key| self.take(key).is_some()).count();
                Ok(Reply::Count(removed as u64))
            }
            DictOperation::UpdateFrom(_) => self.put_all(judge_entries(&other.items())?).map(Reply::unit),
            DictOperation::Union(entries) => self.united(judge_entries(entries)?),
            DictOperation::UnionFrom(_) => self.united(judge_entries(&other.items())?),
            DictOperation::Add(key, delta) => {
                let key = judge(key)?;
                let sum = match self.value(&key) {
                    Some(there) => there.plus(&delta.value(), delta.bounds())?,
                    None => delta.value().plus_nothing(delta.bounds())?,
                };
                let reply = delta.reply(&sum);
                self.put_all([(key, sum)].into())?;
                Ok(reply)
            }
            DictOperation::CompareAndSet(key, expected, new) => {
                let key = judge(key)?;
                let current = self.value(&key);
                let as_expected = match (&current, expected) {
                    (Some(current), Some(expected)) => current.is_same(expected),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                };
                if !as_expected {
                    return Ok(Reply::Current(current));
                }
                self.replace(key, new.clone())?;
                Ok(Reply::Swapped)
            }
            DictOperation::ReplaceIfVersion(key, value, version) => {
                let key = judge(key)?;
                let unchanged = self.is_unchanged_since(&key, *version);
                if unchanged {
                    self.replace(key, Some(value.clone()))?;
                }
                Ok(Reply::Bool(unchanged))
            }
            DictOperation::RemoveIfVersion(keys, version) => {
                let remove = |key: &Key| self.is_unchanged_since(key, *version) && self.take(key).is_some();
                Ok(Reply::Bools(judge_all(keys)?.iter().map(remove).collect()))
            }
            DictOperation::At(key, operation) => {
                operation.judge()?;
                let key = judge(key)?;
                let (becomes, reply) = operation.apply(self.value(&key).as_ref())?;
                match becomes {
                    Becomes::Same => {}
                    Becomes::Value(new) => self.replace(key, Some(new))?,
                    Becomes::Gone => self.replace(key, None)?,
                }
                Ok(reply)
            }
            DictOperation::UpdateWith(key, change) => {
                let key = judge(key)?;
                let new = change.apply(self.value(&key));
                self.replace(key, new.clone())?;
                Ok(Reply::MaybeValue(new))
            }
            DictOperation::Retain(unwanted) => {
                // The client goes through the dict in pages; each that loses entries is a change.
                let slots: Vec<_> = self.entries.values().collect();
                let loses = |page: &&[&Slot]| page.iter().any(|slot| slot.value.is_same(unwanted));
                self.version += slots.chunks(PAGE).filter(loses).count() as u64;
                self.entries.retain(|_, slot| !slot.value.is_same(unwanted));
                Ok(Reply::Unit)
            }
        }
    }

    fn value(&self, key: &Key) -> Option<Value> {
        self.entries.get(key).map(|slot| slot.value.clone())
    }

    fn is_unchanged_since(&self, key: &Key, version: u64) -> bool {
        self.entries.get(key).is_some_and(|slot| slot.since <= version)
    }

    /// What the dict would hold with other entries put into it, if it may.
    fn united(&self, entries: Vec<(Key, Value)>) -> Outcome {
        let mut united = self.clone();
        united.put_all(entries)?;
        Ok(Reply::Entries(united.items()))
    }

    fn put_all(&mut self, entries: Vec<(Key, Value)>) -> Result<(), Code> {
        let mut after = self.entries.clone();
        for (key, value) in entries {
            // A key that is there stays as it was first written, where it is.
            after.insert(key, Slot { value, since: self.version + 1 });
            self.changed = true;
        }
        if after.len() > self.max_items.max(self.entries.len()) {
            self.changed = false;
            return Err(Code::LimitExceeded);
        }
        self.entries = after;
        Ok(())
    }

    fn replace(&mut self, key: Key, value: Option<Value>) -> Result<(), Code> {
        match value {
            Some(value) => self.put_all([(key, value)].into()),
            None => {
                self.take(&key);
                Ok(())
            }
        }
    }

    fn take(&mut self, key: &Key) -> Option<Value> {
        let slot = self.entries.shift_remove(key)?;
        self.changed = true;
        Some(slot.value)
    }

    fn take_at(&mut self, index: usize) -> Option<(Value, Value)> {
        let (key, slot) = self.entries.shift_remove_index(index)?;
        self.changed = true;
        Some((key.0, slot.value))
    }
}

fn judge(key: &Value) -> Result<Key, Code> {
    if key.has_nan() { Err(Code::InvalidKey) } else { Ok(Key(key.clone())) }
}

fn judge_all(keys: &[Value]) -> Result<Vec<Key>, Code> {
    keys.iter().map(judge).collect()
}

fn judge_entries(entries: &[(Value, Value)]) -> Result<Vec<(Key, Value)>, Code> {
    entries.iter().map(|(key, value)| Ok((judge(key)?, value.clone()))).collect()
}
