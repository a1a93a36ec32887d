//! The operations of a set, as data, and their model.

use indexmap::IndexSet;
use manager_protocol::Code;
use manager_protocol::set::{SetOperator, SetRelation};
use proptest::prelude::*;
use proptest::sample::select;

use super::generate::{common, key, keys};
use super::operation::{Outcome, Reply};
use super::value::{Key, Value};

/// An operation on a set. A number says which set is the other one.
#[derive(Clone, Debug)]
pub(super) enum SetOperation {
    Len,
    IsEmpty,
    Contains(Value),
    Insert(Value),
    Remove(Value),
    PopFirst,
    PopLast,
    Clear,
    Values,
    Extend(Vec<Value>),
    RemoveMany(Vec<Value>),
    Combine(SetOperator, Vec<Value>),
    CombineFrom(SetOperator, usize),
    CombineInPlace(SetOperator, Vec<Value>),
    CombineInPlaceFrom(SetOperator, usize),
    Compare(SetRelation, Vec<Value>),
    CompareFrom(SetRelation, usize),
    /// Keeps what is not this value; made of several calls.
    Retain(Value),
}

impl SetOperation {
    /// The number of the set that it reads, if it reads one.
    pub(super) fn source(&self) -> Option<usize> {
        if let Self::CombineFrom(_, source) | Self::CombineInPlaceFrom(_, source) | Self::CompareFrom(_, source) = self
        {
            Some(*source)
        } else {
            None
        }
    }
}

/// Any operation on a set; in a transaction only those that are one call.
pub(super) fn set_operation(in_transaction: bool) -> BoxedStrategy<SetOperation> {
    use SetOperation as Op;
    let operator = || {
        select(vec![
            SetOperator::Union,
            SetOperator::Intersection,
            SetOperator::Difference,
            SetOperator::SymmetricDifference,
        ])
    };
    let relation =
        || select(vec![SetRelation::Subset, SetRelation::Superset, SetRelation::Disjoint, SetRelation::Equal]);
    let read = prop_oneof![
        2 => select(vec![Op::Len, Op::IsEmpty, Op::Values]),
        2 => key().prop_map(Op::Contains),
        2 => (operator(), keys()).prop_map(|(operator, values)| Op::Combine(operator, values)),
        2 => (operator(), 0..2_usize).prop_map(|(operator, other)| Op::CombineFrom(operator, other)),
        2 => (relation(), keys()).prop_map(|(relation, values)| Op::Compare(relation, values)),
        1 => (relation(), 0..2_usize).prop_map(|(relation, other)| Op::CompareFrom(relation, other)),
    ];
    let change = prop_oneof![
        4 => key().prop_map(Op::Insert),
        3 => keys().prop_map(Op::Extend),
        3 => (operator(), keys()).prop_map(|(operator, values)| Op::CombineInPlace(operator, values)),
        2 => (operator(), 0..2_usize).prop_map(|(operator, other)| Op::CombineInPlaceFrom(operator, other)),
        2 => key().prop_map(Op::Remove),
        1 => keys().prop_map(Op::RemoveMany),
        2 => select(vec![Op::PopFirst, Op::PopLast, Op::Clear]),
    ];
    let several_calls_weight = if in_transaction { 0 } else { 1 };
    prop_oneof![4 => read, 8 => change, several_calls_weight => select(common()).prop_map(Op::Retain)].boxed()
}

/// What a set must hold.
#[derive(Clone, Debug)]
pub(super) struct SetModel {
    values: IndexSet<Key>,
    /// How many operations changed it.
    pub(super) version: u64,
    max_items: usize,
}

/// Values that the client's `retain` looks at in one go.
const PAGE: usize = 1000;

impl SetModel {
    /// An empty set that may grow so far.
    pub(super) fn new(max_items: usize) -> Self {
        Self { values: IndexSet::new(), version: 0, max_items }
    }

    /// Every value in order.
    pub(super) fn values(&self) -> Vec<Value> {
        self.values.iter().map(|key| key.0.clone()).collect()
    }

    /// Carries out an operation; `other` is the set that it reads, if it reads one.
    pub(super) fn apply(&mut self, operation: &SetOperation, other: &Self) -> Outcome {
        let mut after = self.values.clone();
        let reply = self.run(operation, &other.values, &mut after)?;
        if after.len() > self.max_items.max(self.values.len()) {
            return Err(Code::LimitExceeded);
        }
        // No operation has a value go and come back: it changed something if there is a difference.
        let (before, now) = (self.values(), after.iter().map(|key| key.0.clone()).collect::<Vec<_>>());
        if let SetOperation::Retain(unwanted) = operation {
            // The client goes through the set in pages; each that loses values is a change.
            let loses = |page: &&[Value]| page.iter().any(|value| value.is_same(unwanted));
            self.version += before.chunks(PAGE).filter(loses).count() as u64;
        } else {
            self.version += u64::from(before != now);
        }
        self.values = after;
        Ok(reply)
    }

    fn run(&self, operation: &SetOperation, other: &IndexSet<Key>, after: &mut IndexSet<Key>) -> Outcome {
        let before = after.len();
        match operation {
            SetOperation::Len => Ok(Reply::Count(before as u64)),
            SetOperation::IsEmpty => Ok(Reply::Bool(before == 0)),
            SetOperation::Contains(value) => Ok(Reply::Bool(after.contains(&judge(value)?))),
            SetOperation::Insert(value) => Ok(Reply::Bool(after.insert(judge(value)?))),
            SetOperation::Remove(value) => Ok(Reply::Bool(after.shift_remove(&judge(value)?))),
            SetOperation::PopFirst => Ok(Reply::MaybeValue(after.shift_remove_index(0).map(|key| key.0))),
            SetOperation::PopLast => Ok(Reply::MaybeValue(after.pop().map(|key| key.0))),
            SetOperation::Clear => {
                after.clear();
                Ok(Reply::Unit)
            }
            SetOperation::Values => Ok(Reply::Values(self.values())),
            SetOperation::Extend(values) => {
                after.extend(judge_all(values)?);
                Ok(Reply::Count((after.len() - before) as u64))
            }
            SetOperation::RemoveMany(values) => {
                let removed = judge_all(values)?.iter().filter(|key| after.shift_remove(*key)).count();
                Ok(Reply::Count(removed as u64))
            }
            SetOperation::Combine(operator, values) => self.fit(combined(after, *operator, &judge_all(values)?)),
            SetOperation::CombineFrom(operator, _) => self.fit(combined(after, *operator, other)),
            SetOperation::CombineInPlace(operator, values) => {
                *after = combined(after, *operator, &judge_all(values)?);
                Ok(Reply::Count(after.len() as u64))
            }
            SetOperation::CombineInPlaceFrom(operator, _) => {
                *after = combined(after, *operator, other);
                Ok(Reply::Count(after.len() as u64))
            }
            SetOperation::Compare(relation, values) => Ok(Reply::Bool(relates(after, *relation, &judge_all(values)?))),
            SetOperation::CompareFrom(relation, _) => Ok(Reply::Bool(relates(after, *relation, other))),
            SetOperation::Retain(unwanted) => {
                after.retain(|key| !key.0.is_same(unwanted));
                Ok(Reply::Unit)
            }
        }
    }

    fn fit(&self, values: IndexSet<Key>) -> Outcome {
        if values.len() > self.max_items {
            return Err(Code::LimitExceeded);
        }
        Ok(Reply::Values(values.into_iter().map(|key| key.0).collect()))
    }
}

fn combined(left: &IndexSet<Key>, operator: SetOperator, right: &IndexSet<Key>) -> IndexSet<Key> {
    match operator {
        SetOperator::Union => left.union(right).cloned().collect(),
        SetOperator::Intersection => left.intersection(right).cloned().collect(),
        SetOperator::Difference => left.difference(right).cloned().collect(),
        SetOperator::SymmetricDifference => left.symmetric_difference(right).cloned().collect(),
    }
}

fn relates(left: &IndexSet<Key>, relation: SetRelation, right: &IndexSet<Key>) -> bool {
    match relation {
        SetRelation::Subset => left.is_subset(right),
        SetRelation::Superset => left.is_superset(right),
        SetRelation::Disjoint => left.is_disjoint(right),
        SetRelation::Equal => left == right,
    }
}

fn judge(value: &Value) -> Result<Key, Code> {
    if value.has_nan() { Err(Code::InvalidKey) } else { Ok(Key(value.clone())) }
}

fn judge_all(values: &[Value]) -> Result<IndexSet<Key>, Code> {
    values.iter().map(judge).collect()
}
