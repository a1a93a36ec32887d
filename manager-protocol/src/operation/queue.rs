//! Operations on a queue.
//!
//! A `timeout_ms` of nil waits for as long as it takes; 0 does not wait. What is put is taken in the
//! queue's order, and who waits is served in the order of coming.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::{Effect, Operation, Row, numbered, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Many, Reply, Sink};

operations! {
    /// A decoded request to a queue.
    queue<'a>;

    /// Puts an item, once there is room.
    ///
    /// Refused with `Full` if there is none in time, with `ShutDown`, and with `InvalidArgument` for a
    /// priority in a queue that has none.
    0x0401 [change wait] put: Put<'a> {
        /// What is put.
        value: Encoded<'a>,
        /// Lower ones are taken first; nil is 0.
        priority: Option<i64>,
        /// How long to wait for room.
        timeout_ms: Option<i64>,
    } -> ();

    /// Puts all of several items, in their order, once there is room for all of them.
    ///
    /// Refused as `put`, and with `InvalidArgument` if there are more than the queue can ever hold.
    0x0402 [change wait] put_many: PutMany<'a> {
        /// What is put.
        values: Many<'a, Encoded<'a>>,
        /// Lower ones are taken first; nil is 0.
        priority: Option<i64>,
        /// How long to wait for room.
        timeout_ms: Option<i64>,
    } -> ();

    /// Takes the next item, once there is one.
    ///
    /// Refused with `Empty` if there is none in time, and with `ShutDown` if there can be none any more.
    0x0403 [change wait] get: Get {
        /// How long to wait for an item.
        timeout_ms: Option<i64>,
    } -> Encoded<'r>;

    /// Takes the next items: as many as there are up to a limit, at least one.
    ///
    /// Refused as `get`, and with `InvalidArgument` for a limit of 0.
    0x0404 [change wait] get_many: GetMany {
        /// Most items to take. The server may take fewer than that, for the size of the reply.
        limit: u64,
        /// How long to wait for the first item.
        timeout_ms: Option<i64>,
    } -> Many<'r, Encoded<'r>>;

    /// Takes the next item on loan: it returns to its place unless it is acknowledged.
    ///
    /// It returns when the session ends, when it is released, and at its deadline.
    /// Refused as `get`, and with `InvalidArgument` for a lease of 0 or less.
    0x0405 [change wait] reserve: Reserve {
        /// How long the lease lasts; nil for as long as the session.
        lease_ms: Option<i64>,
        /// How long to wait for an item.
        timeout_ms: Option<i64>,
    } -> Lease<'r>;

    /// Ends a lease: the item is dealt with, and is gone.
    ///
    /// Refused with `LeaseLost` if this session does not have the lease (any more).
    0x0406 [change] ack: Ack {
        /// The lease's number.
        lease: u64,
    } -> ();

    /// Ends a lease: the item returns to its place, for somebody else.
    ///
    /// Refused as `ack`.
    0x0407 [change] release: Release {
        /// The lease's number.
        lease: u64,
    } -> ();

    /// Sets a new deadline for a lease, counted from now.
    ///
    /// Refused as `ack`, and with `InvalidArgument` for a lease of 0 or less.
    0x0408 [change] extend: Extend {
        /// The lease's number.
        lease: u64,
        /// How long it lasts from now on; nil for as long as the session.
        lease_ms: Option<i64>,
    } -> ();

    /// Says that an item that was taken by `get` has been dealt with.
    ///
    /// Refused with `OverRelease` if that has been said of every item.
    0x0409 [change] task_done: TaskDone {} -> ();

    /// Waits until every item that was ever put has been dealt with; whether that was in time.
    0x040a [read wait] join: Join {
        /// How long to wait.
        timeout_ms: Option<i64>,
    } -> bool;

    /// From now on nothing can be put. What is there can be taken, unless it is dropped now.
    0x040b [change] shut_down: ShutDown {
        /// Whether to drop what is there.
        immediately: bool,
    } -> ();

    /// How many items wait to be taken.
    0x040c [read] len: Len {} -> u64;

    /// What there is to know of the queue.
    0x040d [read] status: Status {} -> QueueStatus;
}

numbered! {
    /// The order in which items are taken.
    Order, "order of a queue";
    /// The one put first.
    Fifo = 1,
    /// The one put last.
    Lifo = 2,
    /// The one of the lowest priority number, and of those the one put first.
    Priority = 3,
}

/// What a queue is to be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSetup {
    /// Which item is taken next.
    pub order: Order,
    /// Most items that wait to be taken; nil for the server's limit. Not 0.
    pub capacity: Option<u64>,
    /// After how many deliveries that were not acknowledged an item is a dead letter; nil for never.
    pub max_deliveries: Option<u32>,
    /// The name of the queue of dead letters.
    pub dead_letters: Option<String>,
}

/// An item on loan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease<'a> {
    /// The lease's number, unique within the queue.
    pub lease: u64,
    /// How often the item was delivered, this time included.
    pub deliveries: u32,
    /// The item.
    #[serde(borrow)]
    pub value: Encoded<'a>,
}

/// What there is to know of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Items that wait to be taken.
    pub len: u64,
    /// Most items that may wait to be taken.
    pub capacity: Option<u64>,
    /// Items on loan.
    pub leased: u64,
    /// Items that were put and not dealt with yet.
    pub unfinished: u64,
    /// Requests that wait for an item.
    pub takers: u64,
    /// Requests that wait for room.
    pub putters: u64,
    /// Whether it was shut down.
    pub shut_down: bool,
}
