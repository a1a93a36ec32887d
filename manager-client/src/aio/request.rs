//! What is sent to the task of the async driver: calls, and what is to be done for those that were dropped.

use manager_protocol::{Effect, ObjectId, Operation, Row, decode_value, manager, watch};
use tokio::sync::oneshot;

use crate::calls::Raw;
use crate::error::{Error, Result};
use crate::link::Answer;
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

    /// Whether the session holds an object by its answer: by [`gained`](Self::gained).
    pub(super) fn gains(&self) -> bool {
        let nameless = self.arguments.get(1) == Some(&NIL);
        self.row.number == manager::Hold::ROW.number || (nameless && OPENERS.contains(&self.row.number))
    }

    /// The object that the session holds by the answer to a request that [gains](Self::gains).
    pub(super) fn gained(&self, result: &[u8]) -> Option<ObjectId> {
        if self.row.number == manager::Hold::ROW.number {
            let arguments: (ObjectId, u8) = decode_value(&self.arguments).ok()?;
            Some(arguments.0)
        } else {
            decode_value(result).ok()
        }
    }

    /// Whether the session has something by its answer that is to be given back if nobody takes that.
    pub(super) fn leaves_something(&self) -> bool {
        self.gains() || self.row.number == watch::Begin::ROW.number
    }

    /// What ends the watch that a request to an object has begun, when nobody takes the answer. `None` if it
    /// was another request.
    pub(super) fn ending(session: &Session, row: Row, object: ObjectId, answer: Answer<'_>) -> Option<Self> {
        if row.number != watch::Begin::ROW.number {
            return None;
        }
        let detached = Some(answer.origin?.generation()?);
        let end = watch::End { watch: answer.reply::<watch::Begin<'_>>().ok()? };
        let mut arguments = Vec::new();
        end.encode(&mut arguments);
        let (id, row) = (session.begin(watch::End::ROW.effect), watch::End::ROW);
        let (reply, _) = oneshot::channel();
        Some(Self { id, row, object, arguments, ordered: false, detached, sent: false, reply })
    }

    /// Whether it counts among those that may be under way at a time.
    pub(super) fn is_counted(&self) -> bool {
        self.is_change() && !self.row.waits
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.detached.is_some() || !self.reply.is_closed()
    }

    /// Tells the outcome to who waits for it, if anybody does. Whose call it was and who has left has given
    /// an order to cancel. The request, if any, that takes back what nobody has taken.
    pub(super) fn settle(self, session: &Session, outcome: Result<Raw>) -> Option<Self> {
        if self.detached.is_some() {
            session.finish(self.id);
        }
        let untaken = self.reply.send(outcome).err()?.ok()?;
        Self::ending(session, self.row, self.object, untaken.answer())
    }

    pub(super) fn fail(self, session: &Session, error: &Error) {
        let error = error.clone();
        let error = if self.sent { error.unanswered(self.row.effect) } else { error };
        drop(self.settle(session, Err(error)));
    }
}

/// What is to be done for calls and guards that were dropped.
#[derive(Debug)]
pub(crate) enum Order {
    /// Nobody will take the answer.
    Cancel { id: u64, change: bool },
    /// A change that is made whether or not somebody waits for its answer.
    Detached(Request),
    /// The session has something to give back.
    GiveBack,
}

/// What opens an object, or makes one if its first argument is nil.
const OPENERS: [u16; 8] = [
    manager::Open::ROW.number,
    manager::OpenQueue::ROW.number,
    manager::OpenLock::ROW.number,
    manager::OpenSemaphore::ROW.number,
    manager::OpenBarrier::ROW.number,
    manager::OpenPipe::ROW.number,
    manager::OpenValue::ROW.number,
    manager::OpenArray::ROW.number,
];

/// The encoding of no name.
const NIL: u8 = 0xc0;
