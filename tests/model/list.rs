//! The model of a list.

use std::cmp::Ordering;

use manager_protocol::Code;

use super::operation::{ListOperation, Outcome, Part, Reply, sort_key};
use super::path::Becomes;
use super::value::Value;

/// What a list must hold.
#[derive(Clone, Debug)]
pub(super) struct ListModel {
    /// Every value in order.
    pub(super) values: Vec<Value>,
    /// How many operations changed it.
    pub(super) version: u64,
    max_items: usize,
}

impl ListModel {
    /// An empty list that may grow so far.
    pub(super) fn new(max_items: usize) -> Self {
        Self { values: Vec::new(), version: 0, max_items }
    }

    /// Carries out an operation; `other` is the list that it reads, if it reads one.
    pub(super) fn apply(&mut self, operation: &ListOperation, other: &Self) -> Outcome {
        match self.run(operation, other)? {
            Step::Read(reply) => Ok(reply),
            Step::Write(values, reply) => {
                if values.len() > self.max_items.max(self.values.len()) {
                    return Err(Code::LimitExceeded);
                }
                self.values = values;
                self.version += 1;
                Ok(reply)
            }
        }
    }

    fn run(&self, operation: &ListOperation, other: &Self) -> Result<Step, Code> {
        let mut values = self.values.clone();
        match operation {
            ListOperation::Len => read(Reply::Count(values.len() as u64)),
            ListOperation::IsEmpty => read(Reply::Bool(values.is_empty())),
            ListOperation::Get(index) => read(Reply::Value(values[self.position(*index)?].clone())),
            ListOperation::Set(index, value) => {
                values[self.position(*index)?] = value.clone();
                write(values, Reply::Unit)
            }
            ListOperation::Push(value) => {
                values.push(value.clone());
                write(values, Reply::Unit)
            }
            ListOperation::PushFront(value) => {
                values.insert(0, value.clone());
                write(values, Reply::Unit)
            }
            ListOperation::Pop => match values.pop() {
                Some(last) => write(values, Reply::MaybeValue(Some(last))),
                None => read(Reply::MaybeValue(None)),
            },
            ListOperation::PopFront if values.is_empty() => read(Reply::MaybeValue(None)),
            ListOperation::PopFront => {
                let first = values.remove(0);
                write(values, Reply::MaybeValue(Some(first)))
            }
            ListOperation::Insert(index, value) => {
                let len = values.len() as i128;
                let index = i128::from(*index);
                let index = if index < 0 { index + len } else { index };
                values.insert(index.clamp(0, len) as usize, value.clone());
                write(values, Reply::Unit)
            }
            ListOperation::Remove(index) => {
                let removed = values.remove(self.position(*index)?);
                write(values, Reply::Value(removed))
            }
            ListOperation::RemoveValue(value) => match self.find(value) {
                Some(at) => {
                    values.remove(at);
                    write(values, Reply::Bool(true))
                }
                None => read(Reply::Bool(false)),
            },
            ListOperation::Extend(more) => self.extended(more).into_step(Reply::Unit),
            ListOperation::ExtendFrom(_) => self.extended(&other.values).into_step(Reply::Unit),
            ListOperation::Clear if values.is_empty() => read(Reply::Unit),
            ListOperation::Clear => write(Vec::new(), Reply::Unit),
            ListOperation::Values => read(Reply::Values(values)),
            ListOperation::Slice(part) => {
                read(Reply::Values(self.indices(*part)?.into_iter().map(|at| values[at].clone()).collect()))
            }
            ListOperation::SetSlice(part, new) => self.set_slice(*part, new),
            ListOperation::RemoveSlice(part) => {
                let gone = self.indices(*part)?;
                if gone.is_empty() {
                    return read(Reply::Unit);
                }
                let kept = (0..values.len()).filter(|at| !gone.contains(at)).map(|at| values[at].clone());
                write(kept.collect(), Reply::Unit)
            }
            ListOperation::Contains(value) => read(Reply::Bool(self.find(value).is_some())),
            ListOperation::IndexOf(value) => read(Reply::Index(self.find(value).map(|at| at as u64))),
            ListOperation::IndexOfWithin(value, part) => {
                if part.step != 1 {
                    return Err(Code::InvalidArgument);
                }
                let found = self.indices(*part)?.into_iter().find(|&at| values[at].is_same(value));
                read(Reply::Index(found.map(|at| at as u64)))
            }
            ListOperation::Count(value) => {
                read(Reply::Count(values.iter().filter(|other| other.is_same(value)).count() as u64))
            }
            ListOperation::Reverse if values.len() < 2 => read(Reply::Unit),
            ListOperation::Reverse => {
                values.reverse();
                write(values, Reply::Unit)
            }
            ListOperation::Sort => self.sorted(|ordering| ordering),
            ListOperation::SortDescending => self.sorted(Ordering::reverse),
            ListOperation::Concat(more) => self.fit(self.extended(more).0).map(Reply::Values).and_then(read),
            ListOperation::ConcatFrom(_) => self.fit(self.extended(&other.values).0).map(Reply::Values).and_then(read),
            ListOperation::Repeat(times) => Ok(Step::Read(Reply::Values(self.repeated(*times)?))),
            ListOperation::RepeatInPlace(times) => {
                let repeated = self.repeated(*times)?;
                if *times == 1 || values.is_empty() { read(Reply::Unit) } else { write(repeated, Reply::Unit) }
            }
            ListOperation::Add(index, delta) => {
                let at = self.position(*index)?;
                values[at] = values[at].plus(&delta.value(), delta.bounds())?;
                let reply = delta.reply(&values[at]);
                write(values, reply)
            }
            ListOperation::CompareAndSet(index, expected, new) => {
                let at = self.position(*index)?;
                if !values[at].is_same(expected) {
                    return read(Reply::Current(Some(values[at].clone())));
                }
                values[at] = new.clone();
                write(values, Reply::Swapped)
            }
            ListOperation::ReplaceIfVersion(new, version) => {
                if *version != self.version {
                    return read(Reply::Bool(false));
                }
                let new = self.fit(new.clone())?;
                if new.is_empty() && values.is_empty() {
                    read(Reply::Bool(true))
                } else {
                    write(new, Reply::Bool(true))
                }
            }
            ListOperation::At(index, operation) => {
                operation.judge()?;
                let at = self.position(*index)?;
                let (becomes, reply) = operation.apply(Some(&values[at]))?;
                match becomes {
                    Becomes::Same => return read(reply),
                    Becomes::Value(new) => values[at] = new,
                    Becomes::Gone => drop(values.remove(at)),
                }
                write(values, reply)
            }
            ListOperation::UpdateWith(index, change) => {
                let at = self.position(*index)?;
                values[at] = change.apply_to_item(values[at].clone());
                let reply = Reply::Value(values[at].clone());
                write(values, reply)
            }
            ListOperation::SortByKey if values.is_empty() => read(Reply::Unit),
            ListOperation::SortByKey => {
                values.sort_by_key(sort_key);
                write(values, Reply::Unit)
            }
            ListOperation::Retain(unwanted) => {
                values.retain(|value| !value.is_same(unwanted));
                if values.len() < self.values.len() { write(values, Reply::Unit) } else { read(Reply::Unit) }
            }
        }
    }

    pub(super) fn position(&self, index: i64) -> Result<usize, Code> {
        let len = self.values.len() as i128;
        let index = i128::from(index);
        let index = if index < 0 { index + len } else { index };
        if (0..len).contains(&index) { Ok(index as usize) } else { Err(Code::OutOfRange) }
    }

    fn find(&self, value: &Value) -> Option<usize> {
        self.values.iter().position(|other| other.is_same(value))
    }

    fn fit(&self, values: Vec<Value>) -> Result<Vec<Value>, Code> {
        if values.len() > self.max_items { Err(Code::LimitExceeded) } else { Ok(values) }
    }

    fn extended(&self, more: &[Value]) -> Extended {
        Extended([self.values.as_slice(), more].concat(), more.is_empty())
    }

    fn repeated(&self, times: i64) -> Result<Vec<Value>, Code> {
        let len = times.max(0) as u128 * self.values.len() as u128;
        if len > self.max_items as u128 {
            return Err(Code::LimitExceeded);
        }
        Ok(self.values.iter().cycle().take(len as usize).cloned().collect())
    }

    fn sorted(&self, direction: impl Fn(Ordering) -> Ordering) -> Result<Step, Code> {
        if self.values.len() > 1 && !self.all_have_an_order() {
            return Err(Code::NoOrder);
        }
        if self.values.len() < 2 {
            return read(Reply::Unit);
        }
        let mut sorted = self.values.clone();
        sorted.sort_by(|left, right| direction(left.order(right).expect("all pairs have an order")));
        write(sorted, Reply::Unit)
    }

    /// Whether any two have an order. Of arrays all pairs must be tried; of anything else those with
    /// the first will do, for what has an order with a third has one with each other.
    fn all_have_an_order(&self) -> bool {
        let against = if self.values.iter().any(Value::is_array) { self.values.len() } else { 1 };
        self.values.iter().all(|left| {
            self.values[..against]
                .iter()
                .all(|right| left.order(right).is_some() || std::ptr::eq(left, right) && left.is_array())
        })
    }

    fn set_slice(&self, part: Part, new: &[Value]) -> Result<Step, Code> {
        let indices = self.indices(part)?;
        let mut values = self.values.clone();
        if part.step == 1 {
            if indices.is_empty() && new.is_empty() {
                return read(Reply::Unit);
            }
            // Where nothing is replaced, the start says where to insert.
            let at = indices.first().copied().unwrap_or_else(|| self.clamped(part.start.unwrap_or(0)));
            values.splice(at..at + indices.len(), new.iter().cloned());
            return write(values, Reply::Unit);
        }
        if indices.len() != new.len() {
            return Err(Code::InvalidArgument);
        }
        for (at, value) in indices.iter().zip(new) {
            values[*at] = value.clone();
        }
        if new.is_empty() { read(Reply::Unit) } else { write(values, Reply::Unit) }
    }

    fn clamped(&self, index: i64) -> usize {
        let len = self.values.len() as i128;
        let index = if index < 0 { i128::from(index) + len } else { index.into() };
        index.clamp(0, len) as usize
    }

    /// The indices of a slice in the order that the step goes through them: found by trying each
    /// index there is, which is slow and plain.
    pub(super) fn indices(&self, part: Part) -> Result<Vec<usize>, Code> {
        if part.step == 0 {
            return Err(Code::InvalidArgument);
        }
        let len = self.values.len() as i128;
        let from_end = |index: i64| if index < 0 { i128::from(index) + len } else { index.into() };
        let step = i128::from(part.step);
        let all = 0..len;
        let indices: Vec<usize> = if step > 0 {
            let start = part.start.map_or(0, from_end).max(0);
            let stop = part.stop.map_or(len, from_end);
            all.filter(|at| *at >= start && *at < stop && (at - start) % step == 0).map(|at| at as usize).collect()
        } else {
            let start = part.start.map_or(len - 1, from_end).min(len - 1);
            let stop = part.stop.map_or(-1, |stop| from_end(stop).max(-1));
            all.rev()
                .filter(|at| *at <= start && *at > stop && (start - at) % step == 0)
                .map(|at| at as usize)
                .collect()
        };
        Ok(indices)
    }
}

/// What an operation would do.
enum Step {
    Read(Reply),
    Write(Vec<Value>, Reply),
}

/// The values with others behind them, and whether there were others.
struct Extended(Vec<Value>, bool);

impl Extended {
    fn into_step(self, reply: Reply) -> Result<Step, Code> {
        if self.1 { read(reply) } else { write(self.0, reply) }
    }
}

fn read(reply: Reply) -> Result<Step, Code> {
    Ok(Step::Read(reply))
}

fn write(values: Vec<Value>, reply: Reply) -> Result<Step, Code> {
    Ok(Step::Write(values, reply))
}
