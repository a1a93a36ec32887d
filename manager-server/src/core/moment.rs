//! What data is told of the moment of an operation, besides the operation's arguments.

use super::reference::Claims;
use super::session::SessionId;

/// The circumstances of an operation.
#[derive(Debug, Clone, Default)]
pub(super) struct Moment {
    /// Whose it is.
    pub(super) session: SessionId,
    /// What its arguments refer to.
    pub(super) claims: Claims,
}

impl Moment {
    /// The operation is over: what its arguments refer to need not live for its sake.
    pub(super) fn pass(&mut self) {
        self.claims = Claims::default();
    }
}
