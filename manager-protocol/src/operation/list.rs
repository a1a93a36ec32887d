//! Operations on a list.
//!
//! Indices may be negative and then count from the end. Values are compared as values: numbers
//! across integer and float, maps regardless of order.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::dict::Swap;
use super::{Effect, ObjectId, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Many, Reply, Sink};

operations! {
    /// A decoded request to a list.
    list<'a>;

    /// How many values there are.
    0x0201 [read] len: Len {} -> u64;

    /// The value at an index, or `OutOfRange`.
    0x0202 [read] get: Get { index: i64 } -> Encoded<'r>;

    /// Replaces the value at an index, or `OutOfRange`.
    0x0203 [idempotent] set: Set<'a> { index: i64, value: Encoded<'a> } -> ();

    /// Adds a value at the end.
    0x0204 [change] push: Push<'a> { value: Encoded<'a> } -> ();

    /// Adds a value at the front.
    0x0205 [change] push_front: PushFront<'a> { value: Encoded<'a> } -> ();

    /// Removes and returns the last value.
    0x0206 [change] pop: Pop {} -> Option<Encoded<'r>>;

    /// Removes and returns the first value.
    0x0207 [change] pop_front: PopFront {} -> Option<Encoded<'r>>;

    /// Inserts a value before an index; an index past either end means that end.
    0x0208 [change] insert: Insert<'a> { index: i64, value: Encoded<'a> } -> ();

    /// Removes and returns the value at an index, or `OutOfRange`.
    0x0209 [change] remove: Remove { index: i64 } -> Encoded<'r>;

    /// Removes the first value that equals this one; whether there was one.
    0x020a [change scan] remove_value: RemoveValue<'a> { value: Encoded<'a> } -> bool;

    /// Adds several values at the end.
    0x020b [change] extend: Extend<'a> { values: Many<'a, Encoded<'a>> } -> ();

    /// Adds every value of another list, or of this one, at the end.
    0x020c [change scan] extend_from: ExtendFrom { source: ObjectId } from source -> ();

    /// Removes every value.
    0x020d [idempotent scan] clear: Clear {} -> ();

    /// Every value, as of one moment.
    0x020e [read scan] values: Values {} -> Many<'r, Encoded<'r>>;

    /// The values of a slice, as of one moment.
    0x020f [read scan] slice: Slice { slice: Range } -> Many<'r, Encoded<'r>>;

    /// Replaces a slice by other values. With a step other than 1 there must be as many.
    0x0210 [change scan] set_slice: SetSlice<'a> { slice: Range, values: Many<'a, Encoded<'a>> } -> ();

    /// Removes a slice.
    0x0211 [change scan] remove_slice: RemoveSlice { slice: Range } -> ();

    /// Some values from an index on.
    0x0212 [read] page: Page {
        /// The first index.
        start: u64,
        /// At most so many values; the server may send fewer.
        limit: u32,
    } -> PageReply<'r>;

    /// Whether a value equals this one.
    0x0213 [read scan] contains: Contains<'a> { value: Encoded<'a> } -> bool;

    /// The first index within a range whose value equals this one.
    0x0214 [read scan] index: Index<'a> {
        /// The value looked for.
        value: Encoded<'a>,
        /// The first index to look at; nil for the beginning.
        start: Option<i64>,
        /// The index to stop before; nil for the end.
        stop: Option<i64>,
    } -> Option<u64>;

    /// How many values equal this one.
    0x0215 [read scan] count: Count<'a> { value: Encoded<'a> } -> u64;

    /// Turns the order round.
    0x0216 [change scan] reverse: Reverse {} -> ();

    /// Sorts, keeping the order of equal values; `NoOrder` if two values cannot be compared.
    0x0217 [idempotent scan] sort: Sort { descending: bool } -> ();

    /// What the list would hold after `extend`; changes nothing.
    0x0218 [read scan] concat: Concat<'a> { values: Many<'a, Encoded<'a>> } -> Many<'r, Encoded<'r>>;

    /// What the list would hold after `extend_from`; changes nothing.
    0x0219 [read scan] concat_from: ConcatFrom { source: ObjectId } from source -> Many<'r, Encoded<'r>>;

    /// What the list would hold after `repeat_in_place`; changes nothing.
    0x021a [read scan] repeat: Repeat { times: i64 } -> Many<'r, Encoded<'r>>;

    /// Makes the list so many times itself; empty if `times` is not positive.
    0x021b [change scan] repeat_in_place: RepeatInPlace { times: i64 } -> ();

    /// Adds to the number at an index and returns the sum. Refused as in a dict, and `OutOfRange`.
    0x021c [change] add: Add<'a> {
        /// Where.
        index: i64,
        /// An integer or a float.
        delta: Encoded<'a>,
        /// The least and the greatest sum allowed, if the type has such.
        bounds: Option<(Encoded<'a>, Encoded<'a>)>,
    } -> Encoded<'r>;

    /// Sets the value at an index if it equals what is expected; `OutOfRange`.
    0x021d [change] compare_and_set: CompareAndSet<'a> { index: i64, expected: Encoded<'a>, new: Encoded<'a> } -> Swap<'r>;

    /// Replaces all values if the list still has this version; whether it did.
    0x021e [change scan] replace_if_version: ReplaceIfVersion<'a> { values: Many<'a, Encoded<'a>>, version: u64 } -> bool;
}

/// Python's `start:stop:step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first index; nil for the end that the step comes from.
    pub start: Option<i64>,
    /// The index to stop before; nil for the end that the step goes to.
    pub stop: Option<i64>,
    /// How far to step; not 0.
    pub step: i64,
}

/// Some values of a list.
#[derive(Debug, Serialize, Deserialize)]
pub struct PageReply<'a> {
    /// The values.
    #[serde(borrow)]
    pub values: Vec<Encoded<'a>>,
    /// How many values the list has.
    pub len: u64,
}
