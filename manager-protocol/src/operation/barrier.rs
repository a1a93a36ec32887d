//! Operations on a barrier.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::{Effect, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Reply, Sink};

operations! {
    /// A decoded request to a barrier.
    barrier;

    /// Waits until as many wait as the barrier has parties; in which place this one came, from 0.
    ///
    /// Refused with `Broken` if the barrier is broken, or breaks meanwhile: it does when the time of
    /// one who waits is over, when one cancels, when its session ends, and when somebody aborts.
    0x0a01 [change wait] wait: Wait {
        /// How long to wait.
        timeout_ms: Option<i64>,
    } -> u64;

    /// Breaks the barrier for those who wait, and for all who come, until it is reset.
    0x0a02 [idempotent] abort: Abort {} -> ();

    /// Makes a broken barrier whole.
    ///
    /// Refused with `InUse` while somebody waits.
    0x0a03 [idempotent] reset: Reset {} -> ();

    /// What there is to know of the barrier.
    0x0a04 [read] status: Status {} -> BarrierStatus;
}

/// What there is to know of a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarrierStatus {
    /// How many go through together.
    pub parties: u64,
    /// How many wait.
    pub waiting: u64,
    /// Whether it is broken.
    pub broken: bool,
}
