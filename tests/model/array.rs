//! The operations of an array, as data, and their model: a list whose length nothing changes.

use manager_protocol::Code;
use proptest::prelude::*;
use proptest::sample::select;

use super::generate::{change, common, delta, index, orderly, part, value};
use super::list::ListModel;
use super::operation::{Change, ListOperation, Outcome, Part, Reply};
use super::path::path_operation;
use super::value::Value;

/// An operation on an array.
#[derive(Clone, Debug)]
pub(super) enum ArrayOperation {
    Set(i64, Value),
    Swap(i64, i64),
    /// To as many values as the part has, and so many more or fewer.
    SetSlice(Part, Vec<Value>, isize),
    Fill(Value),
    UpdateWith(i64, Change),
    /// What it has in common with a list.
    AsList(ListOperation),
}

/// Any operation on an array; in a transaction only those that are one call.
pub(super) fn array_operation(in_transaction: bool) -> BoxedStrategy<ArrayOperation> {
    use ArrayOperation as Op;
    use ListOperation as List;
    let as_list = prop_oneof![
        2 => select(vec![List::Len, List::IsEmpty, List::Values, List::Reverse, List::Sort, List::SortDescending]),
        1 => index().prop_map(List::Get),
        1 => part().prop_map(List::Slice),
        1 => select(common()).prop_map(List::Contains),
        1 => select(common()).prop_map(List::IndexOf),
        1 => (select(common()), part()).prop_map(|(value, part)| List::IndexOfWithin(value, part)),
        1 => select(common()).prop_map(List::Count),
        2 => (index(), delta()).prop_map(|(index, delta)| List::Add(index, delta)),
        2 => (index(), value(), value()).prop_map(|(index, old, new)| List::CompareAndSet(index, old, new)),
        3 => (index(), path_operation()).prop_map(|(index, operation)| List::At(index, operation)),
    ];
    let one = prop_oneof![value(), orderly()];
    let off = prop_oneof![8 => Just(0_isize), 1 => Just(1), 1 => Just(-1)];
    let slice = (part(), prop::collection::vec(one.clone(), 1..4), off);
    let several_calls_weight = if in_transaction { 0 } else { 1 };
    prop_oneof![
        9 => as_list.prop_map(Op::AsList),
        6 => (index(), one).prop_map(|(index, value)| Op::Set(index, value)),
        2 => (index(), index()).prop_map(|(first, second)| Op::Swap(first, second)),
        3 => slice.prop_map(|(part, values, off)| Op::SetSlice(part, values, off)),
        1 => orderly().prop_map(Op::Fill),
        several_calls_weight => (index(), change()).prop_map(|(index, change)| Op::UpdateWith(index, change)),
    ]
    .boxed()
}

/// What an array must hold.
#[derive(Clone, Debug)]
pub(super) struct ArrayModel(pub(super) ListModel);

impl ArrayModel {
    /// An array of these values.
    pub(super) fn new(values: Vec<Value>) -> Self {
        let mut list = ListModel::new(usize::MAX);
        list.values = values;
        Self(list)
    }

    /// Carries out an operation.
    pub(super) fn apply(&mut self, operation: &ArrayOperation) -> Outcome {
        let before = self.0.values.len();
        let outcome = match operation {
            ArrayOperation::Set(index, value) => self.as_list(&ListOperation::Set(*index, value.clone())),
            ArrayOperation::UpdateWith(index, change) => {
                self.as_list(&ListOperation::UpdateWith(*index, change.clone()))
            }
            ArrayOperation::AsList(ListOperation::At(index, operation)) if operation.removes_the_whole() => {
                self.0.position(*index)?;
                Err(Code::PathMismatch)
            }
            ArrayOperation::AsList(operation) => self.as_list(operation),
            ArrayOperation::Swap(first, second) => {
                let (first, second) = (self.0.position(*first)?, self.0.position(*second)?);
                self.0.values.swap(first, second);
                self.0.version += u64::from(first != second);
                Ok(Reply::Unit)
            }
            ArrayOperation::SetSlice(part, values, off) => {
                let values = self.values_for(*part, values, *off);
                if self.0.indices(*part)?.len() != values.len() {
                    return Err(Code::InvalidArgument);
                }
                self.as_list(&ListOperation::SetSlice(*part, values))
            }
            ArrayOperation::Fill(value) => {
                self.0.values.fill(value.clone());
                self.0.version += u64::from(before > 0);
                Ok(Reply::Unit)
            }
        };
        assert_eq!(self.0.values.len(), before, "the model itself changed the length");
        outcome
    }

    fn as_list(&mut self, operation: &ListOperation) -> Outcome {
        let other = self.0.clone();
        self.0.apply(operation, &other)
    }

    fn values_for(&self, part: Part, values: &[Value], off: isize) -> Vec<Value> {
        values_for(part, self.0.values.len(), values, off)
    }
}

/// These values over and over, as many as a part has, or off by so many.
pub(super) fn values_for(part: Part, len: usize, values: &[Value], off: isize) -> Vec<Value> {
    let mut whole = ListModel::new(usize::MAX);
    whole.values = vec![values[0].clone(); len];
    let count = whole.indices(part).map_or(0, |indices| indices.len());
    values.iter().cycle().take(count.saturating_add_signed(off)).cloned().collect()
}
