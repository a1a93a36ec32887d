//! What each operation must do to a queue, on a `VecDeque`.

use std::collections::VecDeque;

use manager_protocol::Code;
use serde::{Deserialize, Serialize};

use super::{Outcome, Plain, Turn};

/// An operation on a queue.
///
/// Whether it may wait makes no difference: what waited is done when it is answered, and what may not
/// wait is refused by a state that would have made it wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as the methods of `ManagerQueue` and their arguments")]
pub enum QueueOperation {
    Put(i64),
    Get,
    /// With a limit that one reply has room for.
    GetMany(u64),
    Len,
}

/// A queue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueState {
    items: VecDeque<i64>,
    capacity: Option<usize>,
}

impl QueueState {
    /// An empty queue with a capacity.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { items: VecDeque::new(), capacity: Some(capacity) }
    }
}

impl Plain for QueueState {
    type Operation = QueueOperation;

    fn apply(&mut self, operation: &QueueOperation, turn: &mut Turn) -> Result<Outcome, Code> {
        match operation {
            QueueOperation::Put(item) => {
                if self.capacity.is_some_and(|capacity| self.items.len() >= capacity) {
                    return Err(Code::Full);
                }
                self.items.push_back(*item);
                turn.change();
                Ok(Outcome::Done)
            }
            QueueOperation::Get => {
                let item = self.items.pop_front().ok_or(Code::Empty)?;
                turn.change();
                Ok(Outcome::Value(item))
            }
            QueueOperation::GetMany(0) => Err(Code::InvalidArgument),
            QueueOperation::GetMany(limit) => {
                if self.items.is_empty() {
                    return Err(Code::Empty);
                }
                turn.change();
                let count = usize::try_from(*limit).map_or(self.items.len(), |limit| limit.min(self.items.len()));
                Ok(Outcome::Values(self.items.drain(..count).collect()))
            }
            QueueOperation::Len => Ok(Outcome::Count(self.items.len() as u64)),
        }
    }
}
