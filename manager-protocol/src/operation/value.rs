//! Operations on a value: a cell that always holds one.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use super::dict::Swap;
use super::{Effect, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Reply, Sink};

operations! {
    /// A decoded request to a value.
    value<'a>;

    /// What it holds.
    0x0b01 [read] get: Get {} -> Encoded<'r>;

    /// Puts something else there.
    0x0b02 [idempotent] set: Set<'a> { value: Encoded<'a> } -> ();

    /// Puts something else there and returns what was there.
    0x0b03 [change] replace: Replace<'a> { value: Encoded<'a> } -> Encoded<'r>;

    /// Adds to the number and returns the sum. Refused as in a dict.
    0x0b04 [change] add: Add<'a> {
        /// An integer or a float.
        delta: Encoded<'a>,
        /// The least and the greatest sum allowed, if the type has such.
        bounds: Option<(Encoded<'a>, Encoded<'a>)>,
    } -> Encoded<'r>;

    /// Puts something else there if what is there equals what is expected.
    0x0b05 [change] compare_and_set: CompareAndSet<'a> { expected: Encoded<'a>, new: Encoded<'a> } -> Swap<'r>;
}
