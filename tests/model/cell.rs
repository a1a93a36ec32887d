//! The operations of a value of the manager, as data, and their model: a cell.

use manager_protocol::Code;
use proptest::prelude::*;

use super::generate::{change, delta, value};
use super::operation::{Change, Delta, Outcome, Reply};
use super::path::{Becomes, PathOperation, path_operation};
use super::value::Value;

/// An operation on a cell.
#[derive(Clone, Debug)]
pub(super) enum CellOperation {
    Get,
    Set(Value),
    Replace(Value),
    Add(Delta),
    CompareAndSet(Value, Value),
    /// On what is inside.
    At(PathOperation),
    /// Made of several calls, so no part of a transaction.
    UpdateWith(Change),
}

/// Any operation on a cell; in a transaction only those that are one call.
pub(super) fn cell_operation(in_transaction: bool) -> BoxedStrategy<CellOperation> {
    use CellOperation as Op;
    let several_calls_weight = if in_transaction { 0 } else { 1 };
    prop_oneof![
        2 => Just(Op::Get),
        2 => value().prop_map(Op::Set),
        2 => value().prop_map(Op::Replace),
        3 => delta().prop_map(Op::Add),
        3 => (value(), value()).prop_map(|(expected, new)| Op::CompareAndSet(expected, new)),
        8 => path_operation().prop_map(Op::At),
        several_calls_weight => change().prop_map(Op::UpdateWith),
    ]
    .boxed()
}

/// What a cell must hold.
#[derive(Clone, Debug)]
pub(super) struct CellModel {
    pub(super) value: Value,
    /// How many operations changed it.
    pub(super) version: u64,
}

impl CellModel {
    /// A cell that nobody changed yet.
    pub(super) fn new(value: Value) -> Self {
        Self { value, version: 0 }
    }

    /// Carries out an operation.
    pub(super) fn apply(&mut self, operation: &CellOperation) -> Outcome {
        let old = self.value.clone();
        let (new, reply) = match operation {
            CellOperation::Get => return Ok(Reply::Value(old)),
            CellOperation::CompareAndSet(expected, _) if !old.is_same(expected) => {
                return Ok(Reply::Current(Some(old)));
            }
            CellOperation::CompareAndSet(_, new) => (new.clone(), Reply::Swapped),
            CellOperation::Set(new) => (new.clone(), Reply::Unit),
            CellOperation::Replace(new) => (new.clone(), Reply::Value(old)),
            CellOperation::Add(delta) => {
                let sum = old.plus(&delta.value(), delta.bounds())?;
                let reply = delta.reply(&sum);
                (sum, reply)
            }
            CellOperation::At(operation) => {
                operation.judge()?;
                match operation.apply(Some(&old))? {
                    (Becomes::Same, reply) => return Ok(reply),
                    (Becomes::Value(new), reply) => (new, reply),
                    (Becomes::Gone, _) => return Err(Code::PathMismatch),
                }
            }
            CellOperation::UpdateWith(change) => {
                let new = change.apply_to_item(old);
                (new.clone(), Reply::Value(new))
            }
        };
        self.value = new;
        self.version += 1;
        Ok(reply)
    }
}
