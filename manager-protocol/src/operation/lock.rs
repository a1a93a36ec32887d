//! Operations on a lock.
//!
//! A holder is a session and a number that the client gives: a thread's, or a guard's.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::{Effect, Operation, Row, numbered, operations, serve_method, serve_reply, traits, unknown};
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Reply, Sink};

operations! {
    /// A decoded request to a lock.
    lock;

    /// Takes the lock, once it is free and those who came before have had it; nil if not in time.
    ///
    /// Refused with `Deadlock` if waiting would close a circle of holders that wait for each other.
    0x0601 [change wait] acquire: Acquire {
        /// Who is to hold it.
        holder: u64,
        /// How long to wait.
        timeout_ms: Option<i64>,
    } -> Option<Grant>;

    /// Lets the lock go: once, if it is reentrant. The next who waits has it at once.
    ///
    /// Refused with `NotHeld` if it is not held, or, unless it is ownerless, not by this holder.
    0x0602 [change] release: Release {
        /// Who holds it.
        holder: u64,
    } -> ();

    /// What there is to know of the lock.
    0x0603 [read] status: Status {} -> LockStatus;
}

/// The right to what a lock protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The fencing token: larger than that of any grant before.
    pub token: u64,
    /// Whether the owner before ended without letting go: what the lock protects may be half changed.
    pub owner_died: bool,
}

numbered! {
    /// Who may let a lock go, and when it goes by itself.
    LockMode, "mode of a lock";
    /// Its holder alone; let go when the holder's session ends.
    Owned = 1,
    /// Anybody; never by itself.
    Ownerless = 2,
    /// As owned, and the holder may take it again.
    Reentrant = 3,
}

/// What there is to know of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockStatus {
    /// Whether it is held.
    pub held: bool,
    /// The token of the latest grant; 0 before the first.
    pub token: u64,
    /// Requests that wait for it.
    pub waiting: u64,
}
