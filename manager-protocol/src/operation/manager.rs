//! Operations on the manager itself (object 0): names and transactions.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::{Effect, Kind, ObjectId, Operation, Row, operations, serve_method, traits, unknown};
use crate::encoded::Bin;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Many, Reply, Sink};

operations! {
    /// A decoded request to the manager.
    manager;

    /// Does nothing: shows that the server answers.
    0x0001 [read] ping: Ping {} -> ();

    /// The object with this name, made if there is none.
    ///
    /// Refused with `InvalidName`, and with `WrongKind` if the name holds another kind.
    0x0002 [idempotent] open: Open<'a> {
        /// 1 to 256 bytes of UTF-8.
        name: &'a str,
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
