//! What each operation must do to a dict, on an `IndexMap`.

use indexmap::IndexMap;
use manager_protocol::Code;
use serde::{Deserialize, Serialize};

use super::{Outcome, Plain, Turn};

/// An operation on a dict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as the methods of `ManagerDict` and their arguments")]
pub enum DictOperation {
    Len,
    Get(u64),
    ContainsKey(u64),
    Set(u64, i64),
    Insert(u64, i64),
    GetOrInsert(u64, i64),
    Remove(u64),
    PopFirst,
    PopLast,
    Clear,
    Items,
    Keys,
    Values,
    GetMany(Vec<u64>),
    InsertMany(Vec<(u64, i64)>),
    InsertKeys(Vec<u64>, i64),
    RemoveMany(Vec<u64>),
    /// From a dict that never changes and has these entries.
    UpdateFrom(Vec<(u64, i64)>),
    UpdateFromItself,
    Union(Vec<(u64, i64)>),
    /// With a dict that never changes and has these entries.
    UnionFrom(Vec<(u64, i64)>),
    Add(u64, i64),
    CompareAndSet(u64, Option<i64>, Option<i64>),
    ReplaceIfVersion(u64, i64, u64),
    RemoveIfVersion(Vec<u64>, u64),
}

/// A dict.
#[derive(Debug, Clone, Default)]
pub struct DictState {
    /// Each value and the version that it was put there by.
    entries: IndexMap<u64, (i64, u64)>,
}

impl PartialEq for DictState {
    /// The order counts, which an `IndexMap` does not compare.
    fn eq(&self, other: &Self) -> bool {
        self.entries.iter().eq(other.entries.iter())
    }
}

impl Plain for DictState {
    type Operation = DictOperation;

    fn apply(&mut self, operation: &DictOperation, turn: &mut Turn) -> Result<Outcome, Code> {
        Ok(match operation {
            DictOperation::Len => Outcome::Count(self.entries.len() as u64),
            DictOperation::Get(key) => Outcome::Maybe(self.get(*key)),
            DictOperation::ContainsKey(key) => Outcome::Flag(self.entries.contains_key(key)),
            DictOperation::Set(key, value) => self.put_all([(*key, *value)], turn),
            DictOperation::Insert(key, value) => {
                let before = self.get(*key);
                self.put_all([(*key, *value)], turn);
                Outcome::Maybe(before)
            }
            DictOperation::GetOrInsert(key, value) => {
                if self.get(*key).is_none() {
                    self.put_all([(*key, *value)], turn);
                }
                Outcome::Value(self.entries[key].0)
            }
            DictOperation::Remove(key) => Outcome::Maybe(self.take(*key, turn)),
            DictOperation::PopFirst => Outcome::Entry(self.pop(self.entries.keys().next().copied(), turn)),
            DictOperation::PopLast => Outcome::Entry(self.pop(self.entries.keys().next_back().copied(), turn)),
            DictOperation::Clear => {
                turn.change_if(!self.entries.is_empty());
                self.entries.clear();
                Outcome::Done
            }
            DictOperation::Items => Outcome::Entries(self.items()),
            DictOperation::Keys => Outcome::Keys(self.entries.keys().copied().collect()),
            DictOperation::Values => Outcome::Values(self.items().into_iter().map(|(_, value)| value).collect()),
            DictOperation::GetMany(keys) => Outcome::Maybes(keys.iter().map(|key| self.get(*key)).collect()),
            DictOperation::InsertMany(entries) | DictOperation::UpdateFrom(entries) => {
                self.put_all(entries.iter().copied(), turn)
            }
            DictOperation::InsertKeys(keys, value) => self.put_all(keys.iter().map(|key| (*key, *value)), turn),
            DictOperation::RemoveMany(keys) => {
                Outcome::Count(keys.iter().filter_map(|key| self.take(*key, turn)).count() as u64)
            }
            DictOperation::UpdateFromItself => self.put_all(self.items(), turn),
            DictOperation::Union(entries) | DictOperation::UnionFrom(entries) => {
                let mut union = self.clone();
                union.put_all(entries.iter().copied(), &mut Turn::at(turn.version()));
                Outcome::Entries(union.items())
            }
            DictOperation::Add(key, delta) => match self.get(*key).unwrap_or(0).checked_add(*delta) {
                Some(sum) => {
                    self.put_all([(*key, sum)], turn);
                    Outcome::Value(sum)
                }
                None => return Err(Code::Overflow),
            },
            DictOperation::CompareAndSet(key, expected, new) => {
                let current = self.get(*key);
                if current != *expected {
                    return Ok(Outcome::NotSwapped(current));
                }
                match new {
                    Some(new) => drop(self.put_all([(*key, *new)], turn)),
                    None => drop(self.take(*key, turn)),
                }
                Outcome::Swapped
            }
            DictOperation::ReplaceIfVersion(key, value, version) => {
                let unchanged = self.unchanged_since(*key, *version);
                if unchanged {
                    self.put_all([(*key, *value)], turn);
                }
                Outcome::Flag(unchanged)
            }
            DictOperation::RemoveIfVersion(keys, version) => Outcome::Flags(
                keys.iter()
                    .map(|key| self.unchanged_since(*key, *version) && self.take(*key, turn).is_some())
                    .collect(),
            ),
        })
    }
}

impl DictState {
    fn get(&self, key: u64) -> Option<i64> {
        self.entries.get(&key).map(|(value, _)| *value)
    }

    fn items(&self) -> Vec<(u64, i64)> {
        self.entries.iter().map(|(key, (value, _))| (*key, *value)).collect()
    }

    fn put_all(&mut self, entries: impl IntoIterator<Item = (u64, i64)>, turn: &mut Turn) -> Outcome {
        for (key, value) in entries {
            self.entries.insert(key, (value, turn.version() + 1));
            turn.change();
        }
        Outcome::Done
    }

    fn take(&mut self, key: u64, turn: &mut Turn) -> Option<i64> {
        let (value, _) = self.entries.shift_remove(&key)?;
        turn.change();
        Some(value)
    }

    fn pop(&mut self, key: Option<u64>, turn: &mut Turn) -> Option<(u64, i64)> {
        let key = key?;
        Some((key, self.take(key, turn)?))
    }

    fn unchanged_since(&self, key: u64, version: u64) -> bool {
        self.entries.get(&key).is_some_and(|(_, put)| *put <= version)
    }
}
