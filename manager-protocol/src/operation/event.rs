//! Operations on an event.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use super::{Effect, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Reply, Sink};

operations! {
    /// A decoded request to an event.
    event;

    /// Sets the flag: all who wait for it go on. Whether it was not set before.
    0x0801 [idempotent] set: Set {} -> bool;

    /// Takes the flag back. Whether it was set before.
    0x0802 [idempotent] clear: Clear {} -> bool;

    /// Whether the flag is set.
    0x0803 [read] is_set: IsSet {} -> bool;

    /// Waits until the flag is set; whether it was in time.
    0x0804 [read wait] wait: Wait {
        /// How long to wait.
        timeout_ms: Option<i64>,
    } -> bool;
}
