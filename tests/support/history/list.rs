//! What each operation must do to a list, on a `Vec`.

use manager_protocol::Code;
use serde::{Deserialize, Serialize};

use super::{Outcome, Plain, Turn};

/// An operation on a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as the methods of `ManagerList` and their arguments")]
pub enum ListOperation {
    Len,
    Get(i64),
    Set(i64, i64),
    Push(i64),
    PushFront(i64),
    Pop,
    PopFront,
    Insert(i64, i64),
    Remove(i64),
    RemoveValue(i64),
    Extend(Vec<i64>),
    /// From a list that never changes and has these values.
    ExtendFrom(Vec<i64>),
    ExtendFromItself,
    Clear,
    Values,
    Slice(Part),
    SetSlice(Part, Vec<i64>),
    RemoveSlice(Part),
    Contains(i64),
    IndexOf(i64),
    IndexOfWithin(i64, Part),
    Count(i64),
    Reverse,
    Sort,
    SortDescending,
    Concat(Vec<i64>),
    /// With a list that never changes and has these values.
    ConcatFrom(Vec<i64>),
    Repeat(i64),
    RepeatInPlace(i64),
    Add(i64, i64),
    CompareAndSet(i64, i64, i64),
    ReplaceIfVersion(Vec<i64>, u64),
}

/// Python's `start:stop:step`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in Python")]
pub struct Part {
    pub start: Option<i64>,
    pub stop: Option<i64>,
    pub step: i64,
}

/// A list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListState {
    values: Vec<i64>,
}

/// Why an operation is refused.
type Refusal = Code;

impl Plain for ListState {
    type Operation = ListOperation;

    fn apply(&mut self, operation: &ListOperation, turn: &mut Turn) -> Result<Outcome, Refusal> {
        let len = self.values.len();
        // What most changes do; the exceptions say so.
        let mut done = |is_change: bool| {
            turn.change_if(is_change);
            Ok(Outcome::Done)
        };
        match operation {
            ListOperation::Len => Ok(Outcome::Count(len as u64)),
            ListOperation::Get(index) => Ok(Outcome::Value(self.values[self.position(*index)?])),
            ListOperation::Set(index, value) => {
                let at = self.position(*index)?;
                self.values[at] = *value;
                done(true)
            }
            ListOperation::Push(value) => {
                self.values.push(*value);
                done(true)
            }
            ListOperation::PushFront(value) => {
                self.values.insert(0, *value);
                done(true)
            }
            ListOperation::Pop => {
                turn.change_if(len > 0);
                Ok(Outcome::Maybe(self.values.pop()))
            }
            ListOperation::PopFront => {
                turn.change_if(len > 0);
                Ok(Outcome::Maybe((len > 0).then(|| self.values.remove(0))))
            }
            ListOperation::Insert(index, value) => {
                let from_start = if *index < 0 { *index + len as i64 } else { *index };
                self.values.insert(from_start.clamp(0, len as i64) as usize, *value);
                done(true)
            }
            ListOperation::Remove(index) => {
                let at = self.position(*index)?;
                turn.change();
                Ok(Outcome::Value(self.values.remove(at)))
            }
            ListOperation::RemoveValue(value) => {
                let found = self.values.iter().position(|found| found == value);
                turn.change_if(found.is_some());
                Ok(Outcome::Flag(found.map(|at| self.values.remove(at)).is_some()))
            }
            ListOperation::Extend(values) | ListOperation::ExtendFrom(values) => {
                self.values.extend(values);
                done(!values.is_empty())
            }
            ListOperation::ExtendFromItself => {
                self.values.extend_from_within(..);
                done(len > 0)
            }
            ListOperation::Clear => {
                self.values.clear();
                done(len > 0)
            }
            ListOperation::Values => Ok(Outcome::Values(self.values.clone())),
            ListOperation::Slice(part) => {
                Ok(Outcome::Values(self.indices(*part)?.into_iter().map(|at| self.values[at]).collect()))
            }
            ListOperation::SetSlice(part, values) => {
                let indices = self.indices(*part)?;
                if part.step == 1 {
                    let at = self.start(*part);
                    self.values.splice(at..at + indices.len(), values.iter().copied());
                    return done(!indices.is_empty() || !values.is_empty());
                }
                if indices.len() != values.len() {
                    return Err(Code::InvalidArgument);
                }
                indices.iter().zip(values).for_each(|(at, value)| self.values[*at] = *value);
                done(!values.is_empty())
            }
            ListOperation::RemoveSlice(part) => {
                let mut indices = self.indices(*part)?;
                indices.sort_unstable();
                for at in indices.iter().rev() {
                    self.values.remove(*at);
                }
                done(!indices.is_empty())
            }
            ListOperation::Contains(value) => Ok(Outcome::Flag(self.values.contains(value))),
            ListOperation::IndexOf(value) => Ok(Outcome::Place(self.find(*value, 0..len))),
            ListOperation::IndexOfWithin(value, part) => {
                let at = self.start(*part);
                let count = self.indices(*part)?.len();
                Ok(Outcome::Place(self.find(*value, at..at + count)))
            }
            ListOperation::Count(value) => {
                Ok(Outcome::Count(self.values.iter().filter(|found| *found == value).count() as u64))
            }
            ListOperation::Reverse => {
                self.values.reverse();
                done(len > 1)
            }
            ListOperation::Sort => {
                self.values.sort_unstable();
                done(len > 1)
            }
            ListOperation::SortDescending => {
                self.values.sort_unstable_by(|left, right| right.cmp(left));
                done(len > 1)
            }
            ListOperation::Concat(values) | ListOperation::ConcatFrom(values) => {
                Ok(Outcome::Values([self.values.as_slice(), values].concat()))
            }
            ListOperation::Repeat(times) => Ok(Outcome::Values(self.repeated(*times))),
            ListOperation::RepeatInPlace(times) => {
                self.values = self.repeated(*times);
                done(len > 0 && *times != 1)
            }
            ListOperation::Add(index, delta) => {
                let at = self.position(*index)?;
                self.values[at] = self.values[at].checked_add(*delta).ok_or(Code::Overflow)?;
                turn.change();
                Ok(Outcome::Value(self.values[at]))
            }
            ListOperation::CompareAndSet(index, expected, new) => {
                let at = self.position(*index)?;
                if self.values[at] != *expected {
                    return Ok(Outcome::NotSwapped(Some(self.values[at])));
                }
                self.values[at] = *new;
                turn.change();
                Ok(Outcome::Swapped)
            }
            ListOperation::ReplaceIfVersion(values, version) => {
                let unchanged = turn.version() == *version;
                turn.change_if(unchanged && (len > 0 || !values.is_empty()));
                if unchanged {
                    self.values.clone_from(values);
                }
                Ok(Outcome::Flag(unchanged))
            }
        }
    }
}

impl ListState {
    fn position(&self, index: i64) -> Result<usize, Refusal> {
        let len = self.values.len() as i64;
        let from_start = if index < 0 { index + len } else { index };
        if (0..len).contains(&from_start) { Ok(from_start as usize) } else { Err(Code::OutOfRange) }
    }

    fn find(&self, value: i64, range: std::ops::Range<usize>) -> Option<u64> {
        range.into_iter().find(|at| self.values[*at] == value).map(|at| at as u64)
    }

    fn repeated(&self, times: i64) -> Vec<i64> {
        self.values.repeat(usize::try_from(times).unwrap_or(0))
    }

    /// Where a part with step 1 begins.
    fn start(&self, part: Part) -> usize {
        let len = self.values.len() as i64;
        let start = part.start.unwrap_or(0);
        (if start < 0 { start + len } else { start }).clamp(0, len) as usize
    }

    /// The indices of a part, one step after the other, as its definition in Python's reference has it.
    fn indices(&self, part: Part) -> Result<Vec<usize>, Refusal> {
        let len = self.values.len() as i64;
        let from_start = |index: i64| if index < 0 { index + len } else { index };
        let mut indices = Vec::new();
        if part.step == 0 {
            return Err(Code::InvalidArgument);
        }
        if part.step > 0 {
            let stop = part.stop.map_or(len, from_start).min(len);
            let mut at = part.start.map_or(0, from_start).max(0);
            while at < stop {
                indices.push(at as usize);
                at += part.step;
            }
        } else {
            let stop = part.stop.map_or(-1, |stop| from_start(stop).max(-1));
            let mut at = part.start.map_or(len - 1, from_start).min(len - 1);
            while at > stop {
                indices.push(at as usize);
                at += part.step;
            }
        }
        Ok(indices)
    }
}
