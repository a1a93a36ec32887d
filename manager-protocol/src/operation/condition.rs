//! Operations on a condition: a lock, and a place where its holder can wait for a notification.
//!
//! A holder is a session and a number that the client gives: a thread's, or a guard's.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::lock::Grant;
use super::{Effect, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Reply, Sink};

operations! {
    /// A decoded request to a condition.
    condition;

    /// Takes the lock, once it is free and those who came before have had it; nil if not in time.
    ///
    /// Refused with `Deadlock` if waiting would close a circle of holders that wait for each other.
    0x0901 [change wait] acquire: Acquire {
        /// Who is to hold it.
        holder: u64,
        /// How long to wait.
        timeout_ms: Option<i64>,
    } -> Option<Grant>;

    /// Lets the lock go. The next who waits for it has it at once.
    ///
    /// Refused with `NotHeld` if this holder does not have it.
    0x0902 [change] release: Release {
        /// Who holds it.
        holder: u64,
    } -> ();

    /// Lets the lock go, waits for a notification, and takes the lock again.
    ///
    /// The lock is taken again also if no notification came in time. A holder whose connection was
    /// lost while it waited, and who asks again, goes on as if it had been notified.
    /// Refused with `NotHeld` if this holder does not have the lock.
    0x0903 [change wait] wait: Wait {
        /// Who holds the lock.
        holder: u64,
        /// How long to wait for the notification.
        timeout_ms: Option<i64>,
    } -> Wake;

    /// Wakes those who have waited longest; how many.
    ///
    /// Refused with `NotHeld` if this holder does not have the lock.
    0x0904 [change] notify: Notify {
        /// Who holds the lock.
        holder: u64,
        /// How many to wake; nil for all.
        count: Option<u64>,
    } -> u64;

    /// What there is to know of the condition.
    0x0905 [read] status: Status {} -> ConditionStatus;
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// Whether a notification came; else the time was over.
    pub notified: bool,
    /// The lock, taken again.
    pub grant: Grant,
}

/// What there is to know of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionStatus {
    /// Whether its lock is held.
    pub held: bool,
    /// Requests that wait for the lock.
    pub acquiring: u64,
    /// Requests that wait for a notification.
    pub waiting: u64,
}
