//! What is sent to the task of the async driver: calls, and what is to be done for those that were dropped.

use manager_protocol::{Effect, ObjectId, Row};
use tokio::sync::oneshot;

use crate::calls::Raw;
use crate::error::{Error, Result};
use crate::session::Session;

/// A call on its way to the task.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) row: Row,
    pub(crate) object: ObjectId,
    pub(crate) arguments: Vec<u8>,
    /// Part of a batch: not to be sent before a request that was made before it.
    pub(crate) ordered: bool,
    /// Made whether or not somebody waits for the answer; nobody but the task finishes its id. It gives
    /// back what a generation of the session had, and is of no use to another.
    pub(crate) detached: Option<u32>,
    /// Whether any of it was sent, on a connection before this one.
    pub(crate) sent: bool,
    /// Who waits for the answer.
    pub(crate) reply: oneshot::Sender<Result<Raw>>,
}

impl Request {
    pub(super) fn is_change(&self) -> bool {
        self.row.effect != Effect::Read
    }

    /// Whether it counts among those that may be under way at a time.
    pub(super) fn is_counted(&self) -> bool {
        self.is_change() && !self.row.waits
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.detached.is_some() || !self.reply.is_closed()
    }

    /// Tells the outcome to who waits for it, if anybody does. Whose call it was and who has left has given
    /// an order to cancel.
    pub(super) fn settle(self, session: &Session, outcome: Result<Raw>) {
        if self.detached.is_some() {
            session.finish(self.id);
        }
        drop(self.reply.send(outcome));
    }

    pub(super) fn fail(self, session: &Session, error: &Error) {
        let error = error.clone();
        let error = if self.sent { error.unanswered(self.row.effect) } else { error };
        self.settle(session, Err(error));
    }
}

/// What is to be done for calls and guards that were dropped.
#[derive(Debug)]
pub(crate) enum Order {
    /// Nobody will take the answer.
    Cancel { id: u64, change: bool },
    /// A change that is made whether or not somebody waits for its answer.
    Detached(Request),
}
