//! An array: a list of which no operation changes the length.

use manager_protocol::array;
use manager_protocol::dict::Swap;
use manager_protocol::list::{self, PageReply, Serve as _};
use manager_protocol::{Code, Encoded, Error, Many, Result};

use super::list::List;
use super::{Discards, Transactional};
use crate::core::Limits;
use crate::core::data::Data;
use crate::core::lifetime::Lifetimes;
use crate::core::moment::Moment;
use crate::core::value::Limit;
use crate::core::watch::{self, Seen, Slot, Watched};

/// The state of one array.
#[derive(Debug, Clone)]
pub(in crate::core) struct Array {
    list: List,
}

impl Array {
    pub(in crate::core) fn new(values: Many<'_, Encoded<'_>>, limits: &Limits, moment: &Moment) -> Result<Self> {
        if values.len() > limits.max_items {
            return Err(Error::new(
                Code::LimitExceeded,
                format!("the array would have more than {} values, the server's limit", limits.max_items),
            ));
        }
        Ok(Self { list: List::of(values, limits, moment) })
    }

    pub(super) fn list(&self) -> &List {
        &self.list
    }

    pub(super) fn list_mut(&mut self) -> &mut List {
        &mut self.list
    }
}

impl array::Serve for Array {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.list.settle()
    }

    fn len(&self, _: array::Len) -> Result<u64> {
        list::Serve::len(&self.list, list::Len {})
    }

    fn get(&self, operation: array::Get) -> Result<Encoded<'static>> {
        self.list.get(list::Get { index: operation.index })
    }

    fn set(&mut self, operation: array::Set<'_>) -> Result<()> {
        self.list.set(list::Set { index: operation.index, value: operation.value })
    }

    fn add(&mut self, operation: array::Add<'_>) -> Result<Encoded<'static>> {
        let array::Add { index, delta, bounds } = operation;
        self.list.add(list::Add { index, delta, bounds })
    }

    fn compare_and_set(&mut self, operation: array::CompareAndSet<'_>) -> Result<Swap<'static>> {
        let array::CompareAndSet { index, expected, new } = operation;
        self.list.compare_and_set(list::CompareAndSet { index, expected, new })
    }

    fn swap(&mut self, operation: array::SwapValues) -> Result<()> {
        self.list.swap(operation.first, operation.second)
    }

    fn values(&self, _: array::Values) -> Result<Many<'static, Encoded<'static>>> {
        self.list.values(list::Values {})
    }

    fn slice(&self, operation: array::Slice) -> Result<Many<'static, Encoded<'static>>> {
        self.list.slice(list::Slice { slice: operation.slice })
    }

    fn set_slice(&mut self, operation: array::SetSlice<'_>) -> Result<()> {
        let array::SetSlice { slice, values } = operation;
        let len = self.list.slice_len(slice)?;
        if values.len() != len {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("a slice of {len} values of an array cannot be set to {} values", values.len()),
            ));
        }
        self.list.set_slice(list::SetSlice { slice, values })
    }

    fn fill(&mut self, operation: array::Fill<'_>) -> Result<()> {
        self.list.fill(&operation.value);
        Ok(())
    }

    fn page(&self, operation: array::Page) -> Result<PageReply<'static>> {
        self.list.page(list::Page { start: operation.start, limit: operation.limit })
    }

    fn contains(&self, operation: array::Contains<'_>) -> Result<bool> {
        self.list.contains(list::Contains { value: operation.value })
    }

    fn index(&self, operation: array::Index<'_>) -> Result<Option<u64>> {
        let array::Index { value, start, stop } = operation;
        self.list.index(list::Index { value, start, stop })
    }

    fn count(&self, operation: array::Count<'_>) -> Result<u64> {
        self.list.count(list::Count { value: operation.value })
    }

    fn reverse(&mut self, _: array::Reverse) -> Result<()> {
        self.list.reverse(list::Reverse {})
    }

    fn sort(&mut self, operation: array::Sort) -> Result<()> {
        self.list.sort(list::Sort { descending: operation.descending })
    }
}

impl Data for Array {
    fn version(&self) -> u64 {
        Data::version(&self.list)
    }

    fn len(&self) -> usize {
        Data::len(&self.list)
    }

    fn attend(&mut self, moment: &Moment) {
        self.list.attend(moment);
    }

    fn contents(&self) {}

    fn is_heavy(&self, request: &array::Request<'_>) -> bool {
        request.row().scans && self.list.is_large(1)
    }

    fn copy(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn value_at(&self, at: &Encoded<'_>) -> Result<Option<Encoded<'static>>> {
        self.list.value_at(at)
    }

    fn put_at(&mut self, at: &Encoded<'_>, value: &[u8]) -> Result<()> {
        self.list.put_at(at, value)
    }

    fn value_limit(&self) -> Limit {
        self.list.value_limit()
    }

    fn exchange(&mut self, copy: &mut Self) {
        self.list.exchange(&mut copy.list);
    }
}

impl Watched for Array {
    fn slot(&self) -> &Slot {
        self.list.slot()
    }

    fn slot_mut(&mut self) -> &mut Slot {
        self.list.slot_mut()
    }

    fn place(at: &Encoded<'_>) -> Result<Option<watch::Key>> {
        List::place(at)
    }

    fn look(&self, at: &Encoded<'_>) -> Option<Seen> {
        self.list.look(at)
    }
}

impl Lifetimes for Array {}

impl Discards for Array {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        self.list.discarded()
    }
}

impl Transactional for Array {
    fn begin(&mut self) {
        self.list.begin();
    }

    fn commit(&mut self) {
        self.list.commit();
    }

    fn roll_back(&mut self) {
        self.list.roll_back();
    }
}
