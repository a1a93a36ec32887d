//! What each operation must do to a set, on an `IndexSet`.

use indexmap::IndexSet;
use manager_protocol::Code;
use serde::{Deserialize, Serialize};

use super::{Outcome, Plain, Turn};

/// An operation on a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as the methods of `ManagerSet` and their arguments")]
pub enum SetOperation {
    Insert(i64),
    Remove(i64),
    PopFirst,
    PopLast,
    Contains(i64),
    Len,
    Values,
}

/// A set.
#[derive(Debug, Clone, Default)]
pub struct SetState {
    values: IndexSet<i64>,
}

impl PartialEq for SetState {
    /// The order counts, which an `IndexSet` does not compare.
    fn eq(&self, other: &Self) -> bool {
        self.values.iter().eq(&other.values)
    }
}

impl Plain for SetState {
    type Operation = SetOperation;

    fn apply(&mut self, operation: &SetOperation, turn: &mut Turn) -> Result<Outcome, Code> {
        let changes = |turn: &mut Turn, changes: bool| {
            turn.change_if(changes);
            Outcome::Flag(changes)
        };
        Ok(match operation {
            SetOperation::Insert(value) => changes(turn, self.values.insert(*value)),
            SetOperation::Remove(value) => changes(turn, self.values.shift_remove(value)),
            SetOperation::PopFirst => popped(self.values.shift_remove_index(0), turn),
            SetOperation::PopLast => popped(self.values.pop(), turn),
            SetOperation::Contains(value) => Outcome::Flag(self.values.contains(value)),
            SetOperation::Len => Outcome::Count(self.values.len() as u64),
            SetOperation::Values => Outcome::Values(self.values.iter().copied().collect()),
        })
    }
}

fn popped(value: Option<i64>, turn: &mut Turn) -> Outcome {
    turn.change_if(value.is_some());
    Outcome::Maybe(value)
}
