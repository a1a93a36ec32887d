//! Operations on an array: a list whose length is fixed when it is made.
//!
//! Indices, slices and the comparison of values are those of lists.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use super::dict::Swap;
use super::list::{PageReply, Range};
use super::{Effect, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Many, Reply, Sink};

operations! {
    /// A decoded request to an array.
    array<'a>;

    /// How many values there are.
    0x0c01 [read] len: Len {} -> u64;

    /// The value at an index, or `OutOfRange`.
    0x0c02 [read] get: Get { index: i64 } -> Encoded<'r>;

    /// Replaces the value at an index, or `OutOfRange`.
    0x0c03 [idempotent] set: Set<'a> { index: i64, value: Encoded<'a> } -> ();

    /// Adds to the number at an index and returns the sum. Refused as in a dict, and `OutOfRange`.
    0x0c04 [change] add: Add<'a> {
        /// Where.
        index: i64,
        /// An integer or a float.
        delta: Encoded<'a>,
        /// The least and the greatest sum allowed, if the type has such.
        bounds: Option<(Encoded<'a>, Encoded<'a>)>,
    } -> Encoded<'r>;

    /// Sets the value at an index if it equals what is expected; `OutOfRange`.
    0x0c05 [change] compare_and_set: CompareAndSet<'a> { index: i64, expected: Encoded<'a>, new: Encoded<'a> } -> Swap<'r>;

    /// Exchanges the values at two indices; `OutOfRange`.
    0x0c06 [change] swap: SwapValues { first: i64, second: i64 } -> ();

    /// Every value, as of one moment.
    0x0c07 [read scan] values: Values {} -> Many<'r, Encoded<'r>>;

    /// The values of a slice, as of one moment.
    0x0c08 [read scan] slice: Slice { slice: Range } -> Many<'r, Encoded<'r>>;

    /// Replaces the values of a slice by as many others; `InvalidArgument` if there are more or fewer.
    0x0c09 [idempotent scan] set_slice: SetSlice<'a> { slice: Range, values: Many<'a, Encoded<'a>> } -> ();

    /// Replaces every value by this one.
    0x0c0a [idempotent scan] fill: Fill<'a> { value: Encoded<'a> } -> ();

    /// Some values from an index on.
    0x0c0b [read] page: Page {
        /// The first index.
        start: u64,
        /// At most so many values; the server may send fewer.
        limit: u32,
    } -> PageReply<'r>;

    /// Whether a value equals this one.
    0x0c0c [read scan] contains: Contains<'a> { value: Encoded<'a> } -> bool;

    /// The first index within a range whose value equals this one.
    0x0c0d [read scan] index: Index<'a> {
        /// The value looked for.
        value: Encoded<'a>,
        /// The first index to look at; nil for the beginning.
        start: Option<i64>,
        /// The index to stop before; nil for the end.
        stop: Option<i64>,
    } -> Option<u64>;

    /// How many values equal this one.
    0x0c0e [read scan] count: Count<'a> { value: Encoded<'a> } -> u64;

    /// Turns the order round.
    0x0c0f [change scan] reverse: Reverse {} -> ();

    /// Sorts, keeping the order of equal values; `NoOrder` if two values cannot be compared.
    0x0c10 [idempotent scan] sort: Sort { descending: bool } -> ();
}
