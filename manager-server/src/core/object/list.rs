//! A list: what each of its operations does to its values.
//!
//! Every operation judges its arguments first and then applies itself, so a refused one changes
//! nothing. A copy of a list costs little (see [`Sequence`]): long reads, and long changes too, are
//! done on a copy while the list goes on serving others.

mod data;
mod sequence;
mod slice;
mod telling;

use manager_protocol::dict::Swap;
use manager_protocol::list::{self, PageReply};
use manager_protocol::{Code, Encoded, Error, Many, Reader, Result, Token};

use super::{PAGE_BYTES, PAGE_ITEMS};
use crate::core::moment::Moment;
use crate::core::value::{Datum, Probe, add, sort};
use crate::core::watch::Slot;
use crate::core::{LARGE, LARGE_BYTES, Limits};
pub(in crate::core) use sequence::Sequence;
use slice::Indices;

/// The state of one list.
#[derive(Debug, Clone)]
pub(in crate::core) struct List {
    values: Sequence,
    version: u64,
    changed: bool,
    max_items: usize,
    /// Most bytes of a value.
    max_bytes: usize,
    /// The list before the running transaction.
    before: Option<Box<Self>>,
    moment: Moment,
    slot: Slot,
    /// Something has changed of which those who watch were not told yet.
    untold: bool,
}

impl List {
    pub(in crate::core) fn new(limits: &Limits) -> Self {
        Self {
            values: Sequence::default(),
            version: 0,
            changed: false,
            max_items: limits.max_items,
            max_bytes: limits.max_message,
            before: None,
            moment: Moment::default(),
            slot: Slot::default(),
            untold: false,
        }
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn snapshot(&self) -> Sequence {
        self.values.clone()
    }

    /// Takes every value out.
    pub(super) fn take_all(&mut self) -> Sequence {
        std::mem::take(self.change())
    }

    /// A list of these values, of which there must not be too many.
    pub(super) fn of(values: Many<'_, Encoded<'_>>, limits: &Limits, moment: &Moment) -> Self {
        let values = values.map(|value| Datum::new(value.as_slice(), moment)).collect();
        Self { values, ..Self::new(limits) }
    }

    /// Whether it takes long to visit all values so many times.
    pub(super) fn is_large(&self, times: usize) -> bool {
        // The lengths are beside the references, so this looks at no value.
        self.len().saturating_mul(times) > LARGE
            || self.values.iter().map(|value| value.len()).sum::<usize>() > LARGE_BYTES
    }

    /// How many values a slice has.
    pub(super) fn slice_len(&self, slice: list::Range) -> Result<usize> {
        Ok(Indices::new(slice, self.len())?.count)
    }

    /// Replaces every value by this one.
    pub(super) fn fill(&mut self, value: &Encoded<'_>) {
        if self.len() > 0 {
            let filled = std::iter::repeat_n(self.own(value), self.len()).collect();
            *self.change() = filled;
        }
    }

    /// Exchanges the values at two indices.
    pub(super) fn swap(&mut self, first: i64, second: i64) -> Result<()> {
        let (first, second) = (self.position(first)?, self.position(second)?);
        if first != second {
            let (at_first, at_second) = (self.at(first).clone(), self.at(second).clone());
            self.change().set(first, at_second);
            self.change().set(second, at_first);
        }
        Ok(())
    }

    /// The values, to be changed in any way. Those who watch are told all values, or that they have lost
    /// some changes: what changes a few has primitives of its own.
    fn change(&mut self) -> &mut Sequence {
        (self.changed, self.untold) = (true, true);
        &mut self.values
    }

    /// Where an index points that may count from the end.
    fn position(&self, index: i64) -> Result<usize> {
        let len = self.len();
        let from_start = if index < 0 { index.checked_add_unsigned(len as u64) } else { Some(index) };
        from_start
            .and_then(|index| usize::try_from(index).ok())
            .filter(|&index| index < len)
            .ok_or_else(|| Error::new(Code::OutOfRange, format!("index {index} is out of range for length {len}")))
    }

    /// The value of an argument, to be stored.
    fn own(&self, value: &Encoded<'_>) -> Datum {
        Datum::new(value.as_slice(), &self.moment)
    }

    fn at(&self, index: usize) -> &Datum {
        self.values.get(index).expect("the index was judged")
    }

    /// Checks that the list may have so many values.
    fn check_len(&self, len: Option<usize>) -> Result<usize> {
        len.filter(|&len| len <= self.max_items).ok_or_else(|| {
            Error::new(
                Code::LimitExceeded,
                format!("the list would have more than {} values, the server's limit", self.max_items),
            )
        })
    }

    fn check_room(&self, new: usize) -> Result<()> {
        self.check_len(self.len().checked_add(new)).map(drop)
    }

    fn find(&self, value: &Encoded<'_>, range: std::ops::Range<usize>) -> Option<usize> {
        let probe = Probe::new(value.as_slice());
        range.clone().zip(self.values.iter().skip(range.start)).find(|(_, value)| probe.equals(value)).map(|(at, _)| at)
    }

    fn repeated(&self, times: i64) -> Result<Sequence> {
        let times = usize::try_from(times).unwrap_or(0);
        self.check_len(self.len().checked_mul(times))?;
        let mut repeated = Sequence::default();
        if self.len() > 0 {
            for _ in 0..times {
                repeated.append(self.values.clone());
            }
        }
        Ok(repeated)
    }
}

/// The index that names a place.
fn index(at: &Encoded<'_>) -> Result<i64> {
    match Reader::new(at.as_slice()).token() {
        // No list is long enough for an index that does not fit.
        Ok(Token::Integer(index)) => Ok(i64::try_from(index).unwrap_or(i64::MAX)),
        Ok(_) | Err(_) => {
            Err(Error::new(Code::InvalidArgument, "`at` is not an integer, and a list has its values at indices"))
        }
    }
}

fn shared(value: Datum) -> Encoded<'static> {
    value.shared()
}

/// The values at some indices of a copy.
fn many(
    values: Sequence,
    indices: impl ExactSizeIterator<Item = usize> + Send + 'static,
) -> Many<'static, Encoded<'static>> {
    Many::new(
        indices.map(move |index| shared(values.get(index).cloned().expect("the indices were made for this copy"))),
    )
}

fn all(values: Sequence) -> Many<'static, Encoded<'static>> {
    let indices = 0..values.len();
    many(values, indices)
}

impl list::Serve for List {
    type Source = Sequence;

    fn settle(&mut self) -> u64 {
        if std::mem::take(&mut self.changed) {
            self.version += 1;
            if std::mem::take(&mut self.untold) {
                self.tell_all();
            }
            if let Some(watchers) = self.slot.get_mut() {
                watchers.settle(self.version, self.values.len());
            }
        }
        self.version
    }

    fn len(&self, _: list::Len) -> Result<u64> {
        Ok(self.values.len() as u64)
    }

    fn get(&self, operation: list::Get) -> Result<Encoded<'static>> {
        Ok(shared(self.at(self.position(operation.index)?).clone()))
    }

    fn set(&mut self, operation: list::Set<'_>) -> Result<()> {
        let at = self.position(operation.index)?;
        let value = self.own(&operation.value);
        self.put(at, value);
        Ok(())
    }

    fn push(&mut self, operation: list::Push<'_>) -> Result<()> {
        self.check_room(1)?;
        let value = self.own(&operation.value);
        self.add_last(value);
        Ok(())
    }

    fn push_front(&mut self, operation: list::PushFront<'_>) -> Result<()> {
        self.check_room(1)?;
        let value = self.own(&operation.value);
        self.insert_at(0, value);
        Ok(())
    }

    fn pop(&mut self, _: list::Pop) -> Result<Option<Encoded<'static>>> {
        let last = self.len().checked_sub(1);
        Ok(last.map(|last| shared(self.take_at(last))))
    }

    fn pop_front(&mut self, _: list::PopFront) -> Result<Option<Encoded<'static>>> {
        let first = (self.len() > 0).then_some(0);
        Ok(first.map(|first| shared(self.take_at(first))))
    }

    fn insert(&mut self, operation: list::Insert<'_>) -> Result<()> {
        self.check_room(1)?;
        let len = self.len();
        let from_start = if operation.index < 0 {
            operation.index.saturating_add_unsigned(len as u64).max(0)
        } else {
            operation.index
        };
        let at = usize::try_from(from_start).map_or(len, |index| index.min(len));
        let value = self.own(&operation.value);
        self.insert_at(at, value);
        Ok(())
    }

    fn remove(&mut self, operation: list::Remove) -> Result<Encoded<'static>> {
        let at = self.position(operation.index)?;
        Ok(shared(self.take_at(at)))
    }

    fn remove_value(&mut self, operation: list::RemoveValue<'_>) -> Result<bool> {
        let found = self.find(&operation.value, 0..self.len());
        if let Some(at) = found {
            self.take_at(at);
        }
        Ok(found.is_some())
    }

    fn extend(&mut self, operation: list::Extend<'_>) -> Result<()> {
        self.check_room(operation.values.len())?;
        let values: Vec<Datum> = operation.values.map(|value| self.own(&value)).collect();
        if !values.is_empty() {
            let end = self.len();
            self.splice(end..end, values);
        }
        Ok(())
    }

    fn extend_from(&mut self, _: list::ExtendFrom, source: Sequence) -> Result<()> {
        self.check_room(source.len())?;
        if source.len() > 0 {
            self.change().append(source.anew());
        }
        Ok(())
    }

    fn clear(&mut self, _: list::Clear) -> Result<()> {
        if self.len() > 0 {
            *self.change() = Sequence::default();
        }
        Ok(())
    }

    fn values(&self, _: list::Values) -> Result<Many<'static, Encoded<'static>>> {
        Ok(all(self.snapshot()))
    }

    fn slice(&self, operation: list::Slice) -> Result<Many<'static, Encoded<'static>>> {
        let indices = Indices::new(operation.slice, self.len())?;
        Ok(many(self.snapshot(), indices.iter()))
    }

    fn set_slice(&mut self, operation: list::SetSlice<'_>) -> Result<()> {
        let indices = Indices::new(operation.slice, self.len())?;
        let values = operation.values;
        if let Some(range) = indices.contiguous() {
            self.check_len((self.len() - indices.count).checked_add(values.len()))?;
            if !range.is_empty() || values.len() > 0 {
                let values: Vec<Datum> = values.map(|value| self.own(&value)).collect();
                self.splice(range, values);
            }
            return Ok(());
        }
        if values.len() != indices.count {
            return Err(Error::new(
                Code::InvalidArgument,
                format!(
                    "a slice with step {} has {} values here and cannot be set to {} values",
                    indices.step,
                    indices.count,
                    values.len()
                ),
            ));
        }
        for (at, value) in indices.iter().zip(values) {
            let value = self.own(&value);
            self.change().set(at, value);
        }
        Ok(())
    }

    fn remove_slice(&mut self, operation: list::RemoveSlice) -> Result<()> {
        let indices = Indices::new(operation.slice, self.len())?;
        if indices.count == 0 {
            return Ok(());
        }
        if let Some(range) = indices.contiguous() {
            self.splice(range, Vec::new());
            return Ok(());
        }
        let mut gone = vec![false; self.len()];
        indices.iter().for_each(|at| gone[at] = true);
        let kept = self.values.iter().zip(gone).filter(|(_, gone)| !gone).map(|(value, _)| value.clone()).collect();
        *self.change() = kept;
        Ok(())
    }

    fn page(&self, operation: list::Page) -> Result<PageReply<'static>> {
        let mut page = PageReply { values: Vec::new(), len: self.len() as u64 };
        let start = usize::try_from(operation.start).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let limit = operation.limit.clamp(1, PAGE_ITEMS) as usize;
        while page.values.len() < limit && bytes < PAGE_BYTES {
            let Some(value) = start.checked_add(page.values.len()).and_then(|at| self.values.get(at)) else { break };
            bytes += value.len();
            page.values.push(shared(value.clone()));
        }
        Ok(page)
    }

    fn contains(&self, operation: list::Contains<'_>) -> Result<bool> {
        Ok(self.find(&operation.value, 0..self.len()).is_some())
    }

    fn index(&self, operation: list::Index<'_>) -> Result<Option<u64>> {
        let range = list::Range { start: operation.start, stop: operation.stop, step: 1 };
        let range = Indices::new(range, self.len())?.contiguous().expect("the step is 1");
        Ok(self.find(&operation.value, range).map(|at| at as u64))
    }

    fn count(&self, operation: list::Count<'_>) -> Result<u64> {
        let probe = Probe::new(operation.value.as_slice());
        Ok(self.values.iter().filter(|value| probe.equals(value)).count() as u64)
    }

    fn reverse(&mut self, _: list::Reverse) -> Result<()> {
        if self.len() > 1 {
            let reversed = self.values.iter().rev().cloned().collect();
            *self.change() = reversed;
        }
        Ok(())
    }

    fn sort(&mut self, operation: list::Sort) -> Result<()> {
        let sorted = sort(self.values.iter().cloned().collect(), operation.descending)?;
        if self.len() > 1 {
            *self.change() = sorted.into_iter().collect();
        }
        Ok(())
    }

    fn concat(&self, operation: list::Concat<'_>) -> Result<Many<'static, Encoded<'static>>> {
        self.check_room(operation.values.len())?;
        let mut values = self.snapshot();
        operation.values.for_each(|value| values.push(self.own(&value)));
        Ok(all(values))
    }

    fn concat_from(&self, _: list::ConcatFrom, source: Sequence) -> Result<Many<'static, Encoded<'static>>> {
        self.check_room(source.len())?;
        let mut values = self.snapshot();
        values.append(source);
        Ok(all(values))
    }

    fn repeat(&self, operation: list::Repeat) -> Result<Many<'static, Encoded<'static>>> {
        // Nothing is built: the values are read over and over.
        let values = self.snapshot();
        let (len, times) = (values.len(), usize::try_from(operation.times).unwrap_or(0));
        let total = self.check_len(len.checked_mul(times))?;
        Ok(many(values, (0..total).map(move |nth| nth % len)))
    }

    fn repeat_in_place(&mut self, operation: list::RepeatInPlace) -> Result<()> {
        let repeated = self.repeated(operation.times)?;
        if self.len() > 0 && operation.times != 1 {
            *self.change() = repeated;
        }
        Ok(())
    }

    fn add(&mut self, operation: list::Add<'_>) -> Result<Encoded<'static>> {
        let at = self.position(operation.index)?;
        let sum = Datum::new(add(Some(self.at(at)), &operation.delta, operation.bounds.as_ref())?, &self.moment);
        self.put(at, sum.clone());
        Ok(shared(sum))
    }

    fn compare_and_set(&mut self, operation: list::CompareAndSet<'_>) -> Result<Swap<'static>> {
        let at = self.position(operation.index)?;
        if !Probe::new(operation.expected.as_slice()).equals(self.at(at)) {
            return Ok(Swap { swapped: false, current: Some(shared(self.at(at).clone())) });
        }
        let value = self.own(&operation.new);
        self.put(at, value);
        Ok(Swap { swapped: true, current: None })
    }

    fn replace_if_version(&mut self, operation: list::ReplaceIfVersion<'_>) -> Result<bool> {
        let unchanged = self.version == operation.version;
        if unchanged {
            self.check_len(Some(operation.values.len()))?;
        }
        if unchanged && (self.len() > 0 || operation.values.len() > 0) {
            let values = operation.values.map(|value| self.own(&value)).collect();
            *self.change() = values;
        }
        Ok(unchanged)
    }
}
