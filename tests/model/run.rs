//! The operations of sets, cells and arrays, and those on what is inside of values, each as one call of
//! a proxy.

use manager_client::ValuePath;
use manager_protocol::set::{SetOperator, SetRelation};
use rmpv::Value as Data;

use super::array::{ArrayOperation, values_for};
use super::cell::CellOperation;
use super::operation::{Delta, ListOperation, Reply};
use super::path::{Action, PathOperation, Step};
use super::real::Run;
use super::set::SetOperation;
use super::value::Value;

pub(super) fn run_on_set<R: Run + ?Sized>(run: &R, at: usize, operation: &SetOperation) -> R::Out {
    let set = run.set::<Value>(at);
    match operation {
        SetOperation::Len => R::finish(set.len(), Reply::Count),
        SetOperation::IsEmpty => R::finish(set.is_empty(), Reply::Bool),
        SetOperation::Contains(value) => R::finish(set.contains(value), Reply::Bool),
        SetOperation::Insert(value) => R::finish(set.insert(value), Reply::Bool),
        SetOperation::Remove(value) => R::finish(set.remove(value), Reply::Bool),
        SetOperation::PopFirst => R::finish(set.pop_first(), Reply::MaybeValue),
        SetOperation::PopLast => R::finish(set.pop_last(), Reply::MaybeValue),
        SetOperation::Clear => R::finish(set.clear(), Reply::unit),
        SetOperation::Values => R::finish(set.values(), Reply::Values),
        SetOperation::Extend(values) => R::finish(set.extend(values), Reply::Count),
        SetOperation::RemoveMany(values) => R::finish(set.remove_many(values), Reply::Count),
        SetOperation::Combine(operator, values) => match operator {
            SetOperator::Union => R::finish(set.union(values), Reply::Values),
            SetOperator::Intersection => R::finish(set.intersection(values), Reply::Values),
            SetOperator::Difference => R::finish(set.difference(values), Reply::Values),
            SetOperator::SymmetricDifference => R::finish(set.symmetric_difference(values), Reply::Values),
        },
        SetOperation::CombineFrom(operator, other) => {
            let other = run.set::<Value>(*other);
            match operator {
                SetOperator::Union => R::finish(set.union_with(&other), Reply::Values),
                SetOperator::Intersection => R::finish(set.intersection_with(&other), Reply::Values),
                SetOperator::Difference => R::finish(set.difference_with(&other), Reply::Values),
                SetOperator::SymmetricDifference => R::finish(set.symmetric_difference_with(&other), Reply::Values),
            }
        }
        SetOperation::CombineInPlace(operator, values) => match operator {
            SetOperator::Union => R::finish(set.union_in_place(values), Reply::Count),
            SetOperator::Intersection => R::finish(set.intersection_in_place(values), Reply::Count),
            SetOperator::Difference => R::finish(set.difference_in_place(values), Reply::Count),
            SetOperator::SymmetricDifference => R::finish(set.symmetric_difference_in_place(values), Reply::Count),
        },
        SetOperation::CombineInPlaceFrom(operator, other) => {
            let other = run.set::<Value>(*other);
            match operator {
                SetOperator::Union => R::finish(set.union_in_place_with(&other), Reply::Count),
                SetOperator::Intersection => R::finish(set.intersection_in_place_with(&other), Reply::Count),
                SetOperator::Difference => R::finish(set.difference_in_place_with(&other), Reply::Count),
                SetOperator::SymmetricDifference => {
                    R::finish(set.symmetric_difference_in_place_with(&other), Reply::Count)
                }
            }
        }
        SetOperation::Compare(relation, values) => match relation {
            SetRelation::Subset => R::finish(set.is_subset(values), Reply::Bool),
            SetRelation::Superset => R::finish(set.is_superset(values), Reply::Bool),
            SetRelation::Disjoint => R::finish(set.is_disjoint(values), Reply::Bool),
            SetRelation::Equal => R::finish(set.is_equal(values), Reply::Bool),
        },
        SetOperation::CompareFrom(relation, other) => {
            let other = run.set::<Value>(*other);
            match relation {
                SetRelation::Subset => R::finish(set.is_subset_of(&other), Reply::Bool),
                SetRelation::Superset => R::finish(set.is_superset_of(&other), Reply::Bool),
                SetRelation::Disjoint => R::finish(set.is_disjoint_from(&other), Reply::Bool),
                SetRelation::Equal => R::finish(set.is_equal_to(&other), Reply::Bool),
            }
        }
        SetOperation::Retain(_) => unreachable!("made of several calls"),
    }
}

pub(super) fn run_on_cell<R: Run + ?Sized>(run: &R, at: usize, operation: &CellOperation) -> R::Out {
    let cell = run.cell(at, Value(Data::Nil));
    match operation {
        CellOperation::Get => R::finish(cell.get(), Reply::Value),
        CellOperation::Set(value) => R::finish(cell.set(value), Reply::unit),
        CellOperation::Replace(value) => R::finish(cell.replace(value), Reply::Value),
        CellOperation::Add(delta) => match *delta {
            Delta::I8(delta) => R::finish(run.cell(at, delta).add(delta), |sum| Reply::Value(sum.into())),
            Delta::U64(delta) => R::finish(run.cell(at, delta).add(delta), |sum| Reply::Value(sum.into())),
            Delta::I64(delta) => R::finish(run.cell(at, delta).add(delta), |sum| Reply::Value(sum.into())),
            Delta::F32(delta) => R::finish(run.cell(at, delta).add(delta), |sum| Reply::Value(sum.into())),
            Delta::F64(delta) => R::finish(run.cell(at, delta).add(delta), |sum| Reply::Value(sum.into())),
        },
        CellOperation::CompareAndSet(expected, new) => R::finish(cell.compare_and_set(expected, new), Reply::item_swap),
        CellOperation::At(operation) => run_on_path::<R>(&cell.at(), operation),
        CellOperation::UpdateWith(_) => unreachable!("made of several calls"),
    }
}

pub(super) fn run_on_array<R: Run + ?Sized>(run: &R, at: usize, operation: &ArrayOperation) -> R::Out {
    let array = run.array(at, Value(Data::Nil));
    match operation {
        ArrayOperation::Set(index, value) => R::finish(array.set(*index, value), Reply::unit),
        ArrayOperation::Swap(first, second) => R::finish(array.swap(*first, *second), Reply::unit),
        ArrayOperation::SetSlice(part, values, off) => {
            let values = values_for(*part, run.array_len(at), values, *off);
            R::finish(array.set_slice(*part, values), Reply::unit)
        }
        ArrayOperation::Fill(value) => R::finish(array.fill(value), Reply::unit),
        ArrayOperation::AsList(ListOperation::Add(index, delta)) => match *delta {
            Delta::I8(delta) => R::finish(run.array(at, delta).add(*index, delta), |sum| Reply::Value(sum.into())),
            Delta::U64(delta) => R::finish(run.array(at, delta).add(*index, delta), |sum| Reply::Value(sum.into())),
            Delta::I64(delta) => R::finish(run.array(at, delta).add(*index, delta), |sum| Reply::Value(sum.into())),
            Delta::F32(delta) => R::finish(run.array(at, delta).add(*index, delta), |sum| Reply::Value(sum.into())),
            Delta::F64(delta) => R::finish(run.array(at, delta).add(*index, delta), |sum| Reply::Value(sum.into())),
        },
        ArrayOperation::AsList(operation) =>
        {
            #[allow(clippy::wildcard_enum_match_arm, reason = "an array has some of a list's operations only")]
            match operation {
                ListOperation::Len => R::finish(array.len(), Reply::Count),
                ListOperation::IsEmpty => R::finish(array.is_empty(), Reply::Bool),
                ListOperation::Values => R::finish(array.values(), Reply::Values),
                ListOperation::Reverse => R::finish(array.reverse(), Reply::unit),
                ListOperation::Sort => R::finish(array.sort(), Reply::unit),
                ListOperation::SortDescending => R::finish(array.sort_descending(), Reply::unit),
                ListOperation::Get(index) => R::finish(array.get(*index), Reply::Value),
                ListOperation::Slice(part) => R::finish(array.slice(*part), Reply::Values),
                ListOperation::Contains(value) => R::finish(array.contains(value), Reply::Bool),
                ListOperation::IndexOf(value) => R::finish(array.index_of(value), Reply::Index),
                ListOperation::IndexOfWithin(value, part) => {
                    R::finish(array.index_of_within(value, *part), Reply::Index)
                }
                ListOperation::Count(value) => R::finish(array.count(value), Reply::Count),
                ListOperation::CompareAndSet(index, expected, new) => {
                    R::finish(array.compare_and_set(*index, expected, new), Reply::item_swap)
                }
                ListOperation::At(index, operation) => run_on_path::<R>(&array.at(*index), operation),
                other => unreachable!("an array does not do {other:?}"),
            }
        }
        ArrayOperation::UpdateWith(..) => unreachable!("made of several calls"),
    }
}

/// Carries out an operation on what is inside of the value that `path` begins at.
pub(super) fn run_on_path<R: Run + ?Sized>(path: &ValuePath<R::Link>, operation: &PathOperation) -> R::Out {
    let whole = if operation.create { path.create() } else { path.clone() };
    let path = operation.steps.iter().fold(whole, |path, step| match step {
        Step::Key(key) => path.key(key),
        Step::Index(index) => path.index(*index),
    });
    match &operation.action {
        Action::Get => R::finish(path.get(), Reply::MaybeValue),
        Action::Len => R::finish(path.len(), Reply::Count),
        Action::Contains(value) => R::finish(path.contains(value), Reply::Bool),
        Action::Set(value) => R::finish(path.set(value), Reply::unit),
        Action::Remove => R::finish(path.remove(), Reply::MaybeValue),
        Action::Add(delta) => match *delta {
            Delta::I8(delta) => R::finish(path.add(delta), |sum: i8| Reply::Value(sum.into())),
            Delta::U64(delta) => R::finish(path.add(delta), |sum: u64| Reply::Value(sum.into())),
            Delta::I64(delta) => R::finish(path.add(delta), |sum: i64| Reply::Value(sum.into())),
            Delta::F32(delta) => R::finish(path.add(delta), |sum: f32| Reply::Value(sum.into())),
            Delta::F64(delta) => R::finish(path.add(delta), |sum: f64| Reply::Value(sum.into())),
        },
        Action::Extend(values) => match values.as_slice() {
            [value] => R::finish(path.push(value), Reply::Count),
            values => R::finish(path.extend(values), Reply::Count),
        },
        Action::Insert(index, value) => R::finish(path.insert(*index, value), Reply::unit),
    }
}
