//! Operations on a set: values, each once, in the order of their insertion.
//!
//! Two values are one if they would be the same key of a dict. The value first stored is the one
//! kept. NaN cannot be in a set.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::{Effect, ObjectId, Operation, Row, numbered, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Many, Reply, Sink};

operations! {
    /// A decoded request to a set.
    set<'a>;

    /// How many values there are.
    0x0301 [read] len: Len {} -> u64;

    /// Whether the set has a value.
    0x0302 [read] contains: Contains<'a> { value: Encoded<'a> } -> bool;

    /// Adds a value at the end; whether it is new. One that is there already keeps its place.
    0x0303 [change] add: Add<'a> { value: Encoded<'a> } -> bool;

    /// Removes a value; whether it was there.
    0x0304 [change] remove: Remove<'a> { value: Encoded<'a> } -> bool;

    /// Removes and returns the value that was added first.
    0x0305 [change] pop_first: PopFirst {} -> Option<Encoded<'r>>;

    /// Removes and returns the value that was added last.
    0x0306 [change] pop_last: PopLast {} -> Option<Encoded<'r>>;

    /// Removes every value.
    0x0307 [idempotent scan] clear: Clear {} -> ();

    /// Every value, as of one moment, in order.
    0x0308 [read scan] values: Values {} -> Many<'r, Encoded<'r>>;

    /// Some values in order, beginning behind a place; a value's place never changes while it is there.
    0x0309 [read] page: Page {
        /// The place to go on from: `next` of the page before, or nil for the beginning.
        after: Option<u64>,
        /// At most so many values; the server may send fewer.
        limit: u32,
        /// From the last value to the first.
        backward: bool,
    } -> PageReply<'r>;

    /// Adds several values, in order; how many were new.
    0x030a [change] extend: Extend<'a> { values: Many<'a, Encoded<'a>> } -> u64;

    /// Removes several values; how many there were.
    0x030b [change] remove_many: RemoveMany<'a> { values: Many<'a, Encoded<'a>> } -> u64;

    /// What the set and the values given make together; changes nothing.
    0x030c [read scan] combine: Combine<'a> { operator: SetOperator, values: Many<'a, Encoded<'a>> } -> Many<'r, Encoded<'r>>;

    /// What the set and another one, or this one, make together; changes nothing.
    0x030d [read scan] combine_from: CombineFrom { operator: SetOperator, source: ObjectId } from source -> Many<'r, Encoded<'r>>;

    /// Makes the set what `combine` would return; its new length.
    0x030e [change scan] combine_in_place: CombineInPlace<'a> { operator: SetOperator, values: Many<'a, Encoded<'a>> } -> u64;

    /// Makes the set what `combine_from` would return; its new length.
    0x030f [change scan] combine_in_place_from: CombineInPlaceFrom { operator: SetOperator, source: ObjectId } from source -> u64;

    /// Whether the set and the values given relate so.
    0x0310 [read scan] compare: Compare<'a> { relation: SetRelation, values: Many<'a, Encoded<'a>> } -> bool;

    /// Whether the set and another one, or this one, relate so.
    0x0311 [read scan] compare_from: CompareFrom { relation: SetRelation, source: ObjectId } from source -> bool;
}

/// Some values of a set.
#[derive(Debug, Serialize, Deserialize)]
pub struct PageReply<'a> {
    /// The values, in the order asked.
    #[serde(borrow)]
    pub values: Vec<Encoded<'a>>,
    /// What to give as `after` for the next page; nil if this was the last.
    pub next: Option<u64>,
}

numbered! {
    /// How two sets make a third. What comes of the first set keeps its order and stands first.
    SetOperator, "set operator";
    /// What is in either.
    Union = 1,
    /// What is in both.
    Intersection = 2,
    /// What is in the first and not in the second.
    Difference = 3,
    /// What is in one of them and not in the other.
    SymmetricDifference = 4,
}

numbered! {
    /// How two sets can relate.
    SetRelation, "relation of sets";
    /// Whatever is in the first is in the second.
    Subset = 1,
    /// Whatever is in the second is in the first.
    Superset = 2,
    /// Nothing is in both.
    Disjoint = 3,
    /// Both have the same values, in whatever order.
    Equal = 4,
}
