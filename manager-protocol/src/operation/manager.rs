//! Operations on the manager itself (object 0): names and transactions.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::lock::LockMode;
use super::queue::QueueSetup;
use super::semaphore::SemaphoreSetup;
use super::{Effect, Kind, ObjectId, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::{Bin, Encoded};
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Many, Reply, Sink};

operations! {
    /// A decoded request to the manager.
    manager<'a>;

    /// Does nothing: shows that the server answers.
    0x0001 [read] ping: Ping {} -> ();

    /// The object with this name, made if there is none.
    ///
    /// What can be set up in several ways is made in the usual one: a queue that is FIFO and without a
    /// capacity, an owned lock, a duplex pipe. What exists is taken as it is.
    ///
    /// Without a name, here and in the operations below, it is always made, and the session holds it: an
    /// object without a name lives as long as some session holds it, or some stored value refers to it.
    ///
    /// Refused with `InvalidName`, with `WrongKind` if the name holds another kind, and with
    /// `InvalidArgument` if there is none and no usual way to make it: a semaphore, a barrier, a value, an
    /// array.
    0x0002 [idempotent] open: Open<'a> {
        /// 1 to 256 bytes of UTF-8; nil for a new object without a name.
        name: Option<&'a str>,
        /// What kind it is to be.
        kind: Kind,
    } -> ObjectId;

    /// Removes the name and its object; whether there was one.
    0x0003 [idempotent] delete: Delete<'a> {
        /// The object's name.
        name: &'a str,
    } -> bool;

    /// All named objects, in no order.
    0x0004 [read scan] objects: Objects {} -> Many<'r, Entry>;

    /// Runs several operations as one: no other operation sees or disturbs the middle.
    ///
    /// If a check fails (`Conflict`) or an operation is refused, none is done.
    0x0005 [change scan] transaction: Transaction<'a> {
        /// Objects and the versions that they must still have.
        checks: Many<'a, Check>,
        /// What to run, in order.
        operations: Many<'a, Step<'a>>,
    } -> Many<'r, StepReply<'r>>;

    /// The queue with this name, made if there is none.
    ///
    /// Refused as `open`, with `WrongSetup` if there is one that is set up otherwise, and with
    /// `InvalidArgument` for a capacity of 0, or 0 deliveries.
    0x0006 [idempotent] open_queue: OpenQueue<'a> {
        /// 1 to 256 bytes of UTF-8; nil for a new object without a name.
        name: Option<&'a str>,
        /// What it is to be like.
        setup: QueueSetup,
    } -> ObjectId;

    /// The lock with this name, made if there is none.
    ///
    /// Refused as `open`, and with `WrongSetup` if there is one of another mode.
    0x0007 [idempotent] open_lock: OpenLock<'a> {
        /// 1 to 256 bytes of UTF-8; nil for a new object without a name.
        name: Option<&'a str>,
        /// Who may let it go.
        mode: LockMode,
    } -> ObjectId;

    /// The semaphore with this name, made if there is none.
    ///
    /// Refused as `open`, and with `WrongSetup` if there is one that is set up otherwise.
    0x0008 [idempotent] open_semaphore: OpenSemaphore<'a> {
        /// 1 to 256 bytes of UTF-8; nil for a new object without a name.
        name: Option<&'a str>,
        /// What it is to be like.
        setup: SemaphoreSetup,
    } -> ObjectId;

    /// The barrier with this name, made if there is none.
    ///
    /// Refused as `open`, with `WrongSetup` if there is one of another number of parties, and with
    /// `InvalidArgument` for none.
    0x0009 [idempotent] open_barrier: OpenBarrier<'a> {
        /// 1 to 256 bytes of UTF-8; nil for a new object without a name.
        name: Option<&'a str>,
        /// How many go through together.
        parties: u64,
    } -> ObjectId;

    /// The pipe with this name, made if there is none.
    ///
    /// Refused as `open`, and with `WrongSetup` if there is one of the other sort.
    0x000a [idempotent] open_pipe: OpenPipe<'a> {
        /// 1 to 256 bytes of UTF-8; nil for a new object without a name.
        name: Option<&'a str>,
        /// Whether both ends send and receive; else the right one sends and the left one receives.
        duplex: bool,
    } -> ObjectId;

    /// The value with this name, made if there is none. What exists is taken as it is.
    ///
    /// Refused as `open`.
    0x000b [idempotent] open_value: OpenValue<'a> {
        /// 1 to 256 bytes of UTF-8; nil for a new object without a name.
        name: Option<&'a str>,
        /// What it holds at first.
        initial: Encoded<'a>,
    } -> ObjectId;

    /// The array with this name, made if there is none. What exists keeps its values.
    ///
    /// Refused as `open`, with `WrongSetup` if there is one of another length, and with `LimitExceeded`
    /// for more values than a list may have.
    0x000c [idempotent] open_array: OpenArray<'a> {
        /// 1 to 256 bytes of UTF-8; nil for a new object without a name.
        name: Option<&'a str>,
        /// What it holds at first: as many values as it is long.
        values: Many<'a, Encoded<'a>>,
    } -> ObjectId;

    /// The session holds an object of a kind once more; for one with a name it does nothing.
    ///
    /// Refused with `NoSuchObject` if it is gone, and with `WrongKind`.
    0x000d [change] hold: Hold {
        object: ObjectId,
        /// What it is.
        kind: Kind,
    } -> ();

    /// The session holds these objects so many times less.
    ///
    /// It holds an object once for each time that it made it without a name, was told by a `Held` frame,
    /// or asked for it by `hold`. What is let go more often than it was held is not held any more.
    0x000e [change] release: Release<'a> {
        /// Objects, each with how many times.
        objects: Many<'a, (ObjectId, u64)>,
    } -> ();
}

/// A named object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Its number.
    pub object: ObjectId,
}

/// A version that a transaction depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The object.
    pub object: ObjectId,
    /// The version that it must still have.
    pub version: u64,
}

/// One operation of a transaction.
#[derive(Debug, Serialize, Deserialize)]
pub struct Step<'a> {
    /// On which object.
    pub object: ObjectId,
    /// Which operation.
    pub operation: u16,
    /// The array of its arguments, in a bin.
    #[serde(borrow)]
    pub arguments: Bin<'a>,
}

/// What one operation of a transaction replied.
#[derive(Debug, Serialize, Deserialize)]
pub struct StepReply<'a> {
    /// The object's version right after the operation.
    pub version: u64,
    /// The result, in a bin.
    #[serde(borrow)]
    pub result: Bin<'a>,
}
