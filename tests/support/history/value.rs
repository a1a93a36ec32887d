//! What each operation must do to a value, on an `i64`.

use manager_protocol::Code;
use serde::{Deserialize, Serialize};

use super::{Outcome, Plain, Turn};

/// An operation on a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as the methods of `ManagerValue` and their arguments")]
pub enum ValueOperation {
    Get,
    Set(i64),
    Replace(i64),
    Add(i64),
    CompareAndSet(i64, i64),
}

/// A value; the default is 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValueState {
    value: i64,
}

impl ValueState {
    /// A value that is something else at first.
    #[must_use]
    pub fn new(value: i64) -> Self {
        Self { value }
    }

    fn put(&mut self, new: i64, turn: &mut Turn) -> i64 {
        turn.change();
        std::mem::replace(&mut self.value, new)
    }
}

impl Plain for ValueState {
    type Operation = ValueOperation;

    fn apply(&mut self, operation: &ValueOperation, turn: &mut Turn) -> Result<Outcome, Code> {
        Ok(match *operation {
            ValueOperation::Get => Outcome::Value(self.value),
            ValueOperation::Set(value) => {
                self.put(value, turn);
                Outcome::Done
            }
            ValueOperation::Replace(value) => Outcome::Value(self.put(value, turn)),
            ValueOperation::Add(delta) => {
                let sum = self.value.checked_add(delta).ok_or(Code::Overflow)?;
                self.put(sum, turn);
                Outcome::Value(sum)
            }
            ValueOperation::CompareAndSet(expected, new) if self.value == expected => {
                self.put(new, turn);
                Outcome::Swapped
            }
            ValueOperation::CompareAndSet(..) => Outcome::NotSwapped(Some(self.value)),
        })
    }
}
