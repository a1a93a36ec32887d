//! Operations on a semaphore.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::{Effect, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Reply, Sink};

operations! {
    /// A decoded request to a semaphore.
    semaphore;

    /// Takes a permit, once there is one and those who came before have had theirs; whether in time.
    0x0701 [change wait] acquire: Acquire {
        /// How long to wait.
        timeout_ms: Option<i64>,
    } -> bool;

    /// Gives a permit: one that this session took, or else a new one.
    ///
    /// Refused with `OverRelease` if the semaphore is bounded and none of its permits is taken.
    0x0702 [change] release: Release {} -> ();

    /// What there is to know of the semaphore.
    0x0703 [read] status: Status {} -> SemaphoreStatus;
}

/// What a semaphore is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemaphoreSetup {
    /// How many permits it has at first.
    pub permits: u64,
    /// Whether it may never have more than at first.
    pub bounded: bool,
    /// Whether permits that a session took stay taken when it ends.
    pub ownerless: bool,
}

/// What there is to know of a semaphore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemaphoreStatus {
    /// Permits that can be taken.
    pub available: u64,
    /// Requests that wait for one.
    pub waiting: u64,
}
