//! Operations that wait for data to change: watches, and conditions on one value.
//!
//! A watch is a place in the changes of a dict or a list. It belongs to the session that began it, and
//! ends with it; a lost connection does not end it. The changes behind it are kept for it, up to a limit;
//! whoever reads too late is told that some are lost. All changes of one operation have one version, and
//! come in one reply.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::path::Step;
use super::{Effect, Operation, Row, numbered, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Reply, Sink};

operations! {
    /// A decoded request to watch.
    watch<'a>;

    /// Begins a watch of a dict or a list, or of one key of a dict, and returns its number. It sees the
    /// changes behind the version of the reply.
    0x0e01 [change] begin: Begin<'a> {
        /// The key; nil for the whole object.
        key: Option<Encoded<'a>>,
    } -> u64;

    /// The changes behind a version. Waits for the first if there is none yet; empty if there was none
    /// in time.
    ///
    /// What is not behind the version is forgotten.
    0x0e02 [read wait] changes: Changes {
        /// The number of the watch.
        watch: u64,
        /// The version that the reader knows.
        after: u64,
        /// How long to wait, in milliseconds: 0 not at all, nil without end.
        timeout_ms: Option<i64>,
    } -> ChangesReply<'r>;

    /// Ends a watch; whether there was one.
    0x0e03 [idempotent] end: End {
        /// The number of the watch.
        watch: u64,
    } -> bool;

    /// Waits until a value is as wanted, and returns it; nil if it was not in time.
    ///
    /// `at` and `path` are those of the operations on paths. What cannot be reached counts as absent.
    0x0e04 [read wait] wait_for: WaitFor<'a> {
        at: Encoded<'a>,
        path: Vec<Step<'a>>,
        condition: Condition,
        /// What it is compared with; nil for `exists` and `absent`.
        operand: Option<Encoded<'a>>,
        /// How long to wait, in milliseconds: 0 not at all, nil without end.
        timeout_ms: Option<i64>,
    } -> Option<Met<'r>>;
}

numbered! {
    /// What is wanted of a value.
    Condition, "condition";
    /// It is there.
    Exists = 1,
    /// It is not there.
    Absent = 2,
    /// It is there and equals the operand.
    Equals = 3,
    /// It is there and equals the operand, or comes after it in order.
    AtLeast = 4,
    /// It may be another than at the version that the operand is: in a dict, its entry was put or changed
    /// after it, or there is none and the dict has changed; elsewhere, the object has changed.
    ChangedSince = 5,
}

/// Some changes of a dict or a list, in order.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChangesReply<'a> {
    /// Of a dict.
    #[serde(borrow)]
    pub entries: Vec<EntryChange<'a>>,
    /// Of a list.
    #[serde(borrow)]
    pub splices: Vec<Splice<'a>>,
    /// There is no other change up to this version: what to give as `after` the next time.
    pub through: u64,
    /// Changes behind `after` were forgotten: the object is to be read anew.
    pub lost: bool,
}

/// What became of an entry, as `[version, key, value]`: set; removed, without a value; all removed, if
/// there is no key either.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntryChange<'a>(
    /// The version of the dict with this change.
    pub u64,
    /// The key.
    #[serde(borrow)]
    pub Option<Encoded<'a>>,
    /// The value.
    #[serde(borrow)]
    pub Option<Encoded<'a>>,
);

/// What became of a stretch of a list, as `[version, start, removed, values]`: from an index on, so many
/// values were replaced by these.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Splice<'a>(
    /// The version of the list with this change.
    pub u64,
    /// The index.
    pub u64,
    /// How many values were there.
    pub u64,
    /// What is there now.
    #[serde(borrow)]
    pub Vec<Encoded<'a>>,
);

/// A value that is as wanted.
#[derive(Debug, Serialize, Deserialize)]
pub struct Met<'a> {
    /// The value; nil if there is none.
    #[serde(borrow)]
    pub value: Option<Encoded<'a>>,
}
