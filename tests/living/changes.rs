//! What is done to a dict that is watched, and what that must do to a plain one.

use indexmap::IndexMap;
use manager_protocol::Code;
use manager_tests::history::{Outcome, Plain, Turn};
use serde::{Deserialize, Serialize};

/// A value: one that sums can be made of, or one that paths lead into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Datum {
    Number(i64),
    Numbers(Vec<i64>),
}

impl Datum {
    /// As numbers that no other value is told as.
    fn numbers(&self) -> Vec<Option<i64>> {
        match self {
            Self::Number(number) => vec![Some(*number)],
            Self::Numbers(numbers) => [None].into_iter().chain(numbers.iter().copied().map(Some)).collect(),
        }
    }
}

/// A value, or none, as an outcome.
pub(crate) fn told(datum: Option<&Datum>) -> Outcome {
    Outcome::Maybes(datum.map(Datum::numbers).unwrap_or_default())
}

/// Entries, in order, as an outcome.
pub(crate) fn told_all<'a>(entries: impl IntoIterator<Item = (&'a u64, &'a Datum)>) -> Outcome {
    let entry = |(key, datum): (&u64, &Datum)| {
        let numbers = datum.numbers();
        let len = numbers.len() as i64;
        // Behind the length come the numbers; what stands for none cannot be mistaken, since it is the first.
        let numbers = [Some(len)].into_iter().chain(numbers);
        numbers.map(|number| (*key, number.unwrap_or(i64::MIN))).collect::<Vec<_>>()
    };
    Outcome::Entries(entries.into_iter().flat_map(entry).collect())
}

/// An operation on the dict.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Set(u64, Datum),
    Insert(u64, Datum),
    /// For so many milliseconds.
    InsertFor(u64, Datum, u64),
    /// In so many milliseconds: another time than the entry had.
    Expire(u64, u64),
    Persist(u64),
    Add(u64, i64),
    Remove(u64),
    PopFirst,
    PopLast,
    Clear,
    InsertMany(Vec<(u64, Datum)>),
    RemoveMany(Vec<u64>),
    /// By a path to an index in the value under a key.
    SetAt(u64, i64, i64),
    AddAt(u64, i64, i64),
    RemoveAt(u64, i64),
    /// By a path that creates what is missing.
    Push(u64, i64),
    /// By the clock: the time of these was over.
    End(Vec<u64>),
    /// All entries, as somebody who watches knows them.
    Look,
    /// The value under a key, as somebody who watches knows it.
    LookAt(u64),
}

/// A dict.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    /// Each value, and whether it ends by the clock.
    entries: IndexMap<u64, (Datum, bool)>,
}

impl PartialEq for Contents {
    /// The order counts.
    fn eq(&self, other: &Self) -> bool {
        self.entries.iter().eq(other.entries.iter())
    }
}

impl Plain for Contents {
    type Operation = Change;

    fn apply(&mut self, change: &Change, turn: &mut Turn) -> Result<Outcome, Code> {
        Ok(match change {
            Change::Set(key, datum) => {
                self.put(*key, datum.clone(), false, turn);
                Outcome::Done
            }
            Change::Insert(key, datum) => told(self.put(*key, datum.clone(), false, turn).as_ref()),
            Change::InsertFor(key, datum, _) => told(self.put(*key, datum.clone(), true, turn).as_ref()),
            Change::Expire(key, _) => Outcome::Flag(self.let_end(*key, true, turn)),
            Change::Persist(key) => Outcome::Flag(self.let_end(*key, false, turn)),
            Change::Add(key, delta) => Outcome::Value(self.add(*key, *delta, turn)?),
            Change::Remove(key) => told(self.take(*key, turn).as_ref()),
            Change::PopFirst => self.pop(self.entries.keys().next().copied(), turn),
            Change::PopLast => self.pop(self.entries.keys().next_back().copied(), turn),
            Change::Clear => {
                turn.change_if(!self.entries.is_empty());
                self.entries.clear();
                Outcome::Done
            }
            Change::InsertMany(entries) => {
                for (key, datum) in entries {
                    self.put(*key, datum.clone(), false, turn);
                }
                Outcome::Done
            }
            Change::RemoveMany(keys) => {
                Outcome::Count(keys.iter().filter_map(|key| self.take(*key, turn)).count() as u64)
            }
            Change::SetAt(key, index, number) => {
                *self.element(*key, *index)? = *number;
                turn.change();
                Outcome::Done
            }
            Change::AddAt(key, index, delta) => {
                let element = self.element(*key, *index)?;
                *element += delta;
                turn.change();
                Outcome::Value(*element)
            }
            Change::RemoveAt(key, index) => Outcome::Maybe(self.take_element(*key, *index, turn)?),
            Change::Push(key, number) => Outcome::Count(self.push(*key, *number, turn)?),
            Change::End(keys) => {
                // What was to be there, and to end, is; or else this is no explanation.
                let fit = keys.iter().all(|key| self.entries.get(key).is_some_and(|(_, ends)| *ends));
                if fit {
                    keys.iter().for_each(|key| drop(self.take(*key, turn)));
                }
                Outcome::Flag(fit)
            }
            Change::Look => told_all(self.entries.iter().map(|(key, (datum, _))| (key, datum))),
            Change::LookAt(key) => told(self.entries.get(key).map(|(datum, _)| datum)),
        })
    }
}

impl Contents {
    fn put(&mut self, key: u64, datum: Datum, ends: bool, turn: &mut Turn) -> Option<Datum> {
        turn.change();
        self.entries.insert(key, (datum, ends)).map(|(before, _)| before)
    }

    fn take(&mut self, key: u64, turn: &mut Turn) -> Option<Datum> {
        let (datum, _) = self.entries.shift_remove(&key)?;
        turn.change();
        Some(datum)
    }

    fn pop(&mut self, key: Option<u64>, turn: &mut Turn) -> Outcome {
        let popped = key.and_then(|key| Some((key, self.take(key, turn)?)));
        told_all(popped.iter().map(|(key, datum)| (key, datum)))
    }

    fn let_end(&mut self, key: u64, end: bool, turn: &mut Turn) -> bool {
        let Some((_, ends)) = self.entries.get_mut(&key) else { return false };
        // Another time is a change, too.
        turn.change_if(end || *ends);
        *ends = end;
        true
    }

    fn add(&mut self, key: u64, delta: i64, turn: &mut Turn) -> Result<i64, Code> {
        let (datum, _) = self.entries.entry(key).or_insert((Datum::Number(0), false));
        let Datum::Number(number) = datum else { return Err(Code::NotANumber) };
        *number += delta;
        turn.change();
        Ok(*number)
    }

    fn element(&mut self, key: u64, index: i64) -> Result<&mut i64, Code> {
        let Some((Datum::Numbers(numbers), _)) = self.entries.get_mut(&key) else { return Err(Code::PathMismatch) };
        let at = position(index, numbers.len())?;
        Ok(&mut numbers[at])
    }

    fn take_element(&mut self, key: u64, index: i64, turn: &mut Turn) -> Result<Option<i64>, Code> {
        let Some((datum, _)) = self.entries.get_mut(&key) else { return Ok(None) };
        let Datum::Numbers(numbers) = datum else { return Err(Code::PathMismatch) };
        let at = position(index, numbers.len())?;
        turn.change();
        Ok(Some(numbers.remove(at)))
    }

    fn push(&mut self, key: u64, number: i64, turn: &mut Turn) -> Result<u64, Code> {
        let (datum, _) = self.entries.entry(key).or_insert((Datum::Numbers(Vec::new()), false));
        let Datum::Numbers(numbers) = datum else { return Err(Code::PathMismatch) };
        numbers.push(number);
        turn.change();
        Ok(numbers.len() as u64)
    }
}

fn position(index: i64, len: usize) -> Result<usize, Code> {
    let from_start = if index < 0 { index + len as i64 } else { index };
    usize::try_from(from_start).ok().filter(|at| *at < len).ok_or(Code::OutOfRange)
}
