//! What explains a history: a plain object that does what an object in the server must do.

use std::fmt;

use manager_protocol::Code;

use super::Outcome;

/// A plain object, to which the operations of a history are done again.
pub trait Plain: fmt::Debug + Clone + PartialEq {
    /// What can be done to it.
    type Operation: fmt::Debug;

    /// Does one operation, and says in its turn whether that is a change.
    ///
    /// # Errors
    /// The refusal that must be the answer. Nothing is changed then.
    fn apply(&mut self, operation: &Self::Operation, turn: &mut Turn) -> Result<Outcome, Code>;
}

/// One operation's turn on a plain object.
#[derive(Debug)]
pub struct Turn {
    version: u64,
    changed: bool,
}

impl Turn {
    pub(super) fn at(version: u64) -> Self {
        Self { version, changed: false }
    }

    /// The object's version before the operation: how many changes it has seen.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Says that the operation changes something.
    pub fn change(&mut self) {
        self.changed = true;
    }

    /// Says so if it does.
    pub fn change_if(&mut self, changes: bool) {
        self.changed |= changes;
    }

    pub(super) fn changed(&self) -> bool {
        self.changed
    }
}
