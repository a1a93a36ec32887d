//! Operations on a dict: a map from key to value that keeps its insertion order.
//!
//! Two keys are the same key if they are the same MessagePack value, whatever its encoding; a
//! float that is a whole number is the same key as that integer. NaN is not a key.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::{Effect, ObjectId, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Many, Reply, Sink};

operations! {
    /// A decoded request to a dict.
    dict<'a>;

    /// How many entries there are.
    0x0101 [read] len: Len {} -> u64;

    /// The value under a key.
    0x0102 [read] get: Get<'a> { key: Encoded<'a> } -> Option<Encoded<'r>>;

    /// Whether there is such a key.
    0x0103 [read] contains: Contains<'a> { key: Encoded<'a> } -> bool;

    /// Puts a value under a key. A key that is there already keeps its place.
    0x0104 [idempotent] set: Set<'a> { key: Encoded<'a>, value: Encoded<'a> } -> ();

    /// Puts a value under a key and returns the value that was there.
    0x0105 [change] insert: Insert<'a> { key: Encoded<'a>, value: Encoded<'a> } -> Option<Encoded<'r>>;

    /// The value under a key; puts this one there first if there is none.
    0x0106 [idempotent] get_or_insert: GetOrInsert<'a> { key: Encoded<'a>, value: Encoded<'a> } -> Encoded<'r>;

    /// Removes a key and returns its value.
    0x0107 [change] remove: Remove<'a> { key: Encoded<'a> } -> Option<Encoded<'r>>;

    /// Removes and returns the entry that was inserted first.
    0x0108 [change] pop_first: PopFirst {} -> Option<(Encoded<'r>, Encoded<'r>)>;

    /// Removes and returns the entry that was inserted last.
    0x0109 [change] pop_last: PopLast {} -> Option<(Encoded<'r>, Encoded<'r>)>;

    /// Removes every entry.
    0x010a [idempotent scan] clear: Clear {} -> ();

    /// Every entry, as of one moment, in order.
    0x010b [read scan] items: Items {} -> Many<'r, (Encoded<'r>, Encoded<'r>)>;

    /// Every key, as of one moment, in order.
    0x010c [read scan] keys: Keys {} -> Many<'r, Encoded<'r>>;

    /// Every value, as of one moment, in order.
    0x010d [read scan] values: Values {} -> Many<'r, Encoded<'r>>;

    /// Some entries in order, beginning behind a place; an entry's place never changes while it lives.
    0x010e [read] page: Page {
        /// The place to go on from: `next` of the page before, or nil for the beginning.
        after: Option<u64>,
        /// At most so many entries; the server may send fewer.
        limit: u32,
        /// From the last entry to the first.
        backward: bool,
    } -> PageReply<'r>;

    /// The values under some keys, as of one moment, in the order asked.
    0x010f [read] get_many: GetMany<'a> { keys: Many<'a, Encoded<'a>> } -> Many<'r, Option<Encoded<'r>>>;

    /// Puts several entries, in order.
    0x0110 [idempotent] insert_many: InsertMany<'a> { entries: Many<'a, (Encoded<'a>, Encoded<'a>)> } -> ();

    /// Puts the same value under several keys.
    0x0111 [idempotent] insert_keys: InsertKeys<'a> { keys: Many<'a, Encoded<'a>>, value: Encoded<'a> } -> ();

    /// Removes several keys; how many there were.
    0x0112 [change] remove_many: RemoveMany<'a> { keys: Many<'a, Encoded<'a>> } -> u64;

    /// Puts every entry of another dict, or of this one, in order.
    0x0113 [change scan] update_from: UpdateFrom { source: ObjectId } from source -> ();

    /// What the dict would hold after `insert_many`; changes nothing.
    0x0114 [read scan] union: Union<'a> { entries: Many<'a, (Encoded<'a>, Encoded<'a>)> } -> Many<'r, (Encoded<'r>, Encoded<'r>)>;

    /// What the dict would hold after `update_from`; changes nothing.
    0x0115 [read scan] union_from: UnionFrom { source: ObjectId } from source -> Many<'r, (Encoded<'r>, Encoded<'r>)>;

    /// Adds to the number under a key (0 if there is none) and returns the sum.
    ///
    /// Refused with `NotANumber`, and with `Overflow` if the sum is outside of `bounds` (as a float is
    /// in any case), or has no encoding, or is not finite.
    0x0116 [change] add: Add<'a> {
        /// The key.
        key: Encoded<'a>,
        /// An integer or a float.
        delta: Encoded<'a>,
        /// The least and the greatest sum allowed, if the type has such.
        bounds: Option<(Encoded<'a>, Encoded<'a>)>,
    } -> Encoded<'r>;

    /// Sets, or removes, a key if its value equals what is expected.
    0x0117 [change] compare_and_set: CompareAndSet<'a> {
        /// The key.
        key: Encoded<'a>,
        /// The value that must be there; nil if there must be none.
        expected: Option<Encoded<'a>>,
        /// The value to put there; nil to remove the key.
        new: Option<Encoded<'a>>,
    } -> Swap<'r>;

    /// Replaces the value of an entry that has not been inserted or replaced since a version of the
    /// dict; whether it did.
    0x0118 [change] replace_if_version: ReplaceIfVersion<'a> { key: Encoded<'a>, value: Encoded<'a>, version: u64 } -> bool;

    /// Removes those keys whose entries have not been inserted or replaced since a version of the
    /// dict; for each key, whether it did.
    0x0119 [change] remove_if_version: RemoveIfVersion<'a> { keys: Many<'a, Encoded<'a>>, version: u64 } -> Many<'r, bool>;

    /// As `insert`, for an entry that does not live without end.
    ///
    /// What puts a value under its key anew (`set`, `insert` and those of many keys) makes it an entry
    /// without end; what changes its value (`add`, `compare_and_set`, `replace_if_version`, paths) leaves
    /// its end as it is.
    0x011a [change] insert_with: InsertWith<'a> {
        key: Encoded<'a>,
        value: Encoded<'a>,
        /// How long it lives, in milliseconds, from 1 to [`MAX_TTL_MS`]; nil without end.
        ttl_ms: Option<i64>,
        /// Whether it is gone when the session ends.
        session: bool,
    } -> Option<Encoded<'r>>;

    /// Gives an entry so long to live from now on, or no end; whether there is such a key.
    0x011b [change] expire: Expire<'a> {
        key: Encoded<'a>,
        /// In milliseconds, from 1 to [`MAX_TTL_MS`]; nil without end.
        ttl_ms: Option<i64>,
    } -> bool;

    /// How long an entry has still to live; nil if there is no such key.
    0x011c [read] ttl: Ttl<'a> { key: Encoded<'a> } -> Option<TimeLeft>;
}

/// The longest time that an entry is given to live, in milliseconds: ten years.
pub const MAX_TTL_MS: i64 = 315_576_000_000;

/// How long an entry has still to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeLeft {
    /// In milliseconds, rounded up; nil if it lives without end.
    pub left_ms: Option<u64>,
}

/// Some entries of a dict.
#[derive(Debug, Serialize, Deserialize)]
pub struct PageReply<'a> {
    /// Keys and values, in the order asked.
    #[serde(borrow)]
    pub entries: Vec<(Encoded<'a>, Encoded<'a>)>,
    /// What to give as `after` for the next page; nil if this was the last.
    pub next: Option<u64>,
}

/// The outcome of a compare-and-set, of a dict or a list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Swap<'a> {
    /// Whether the new value was set.
    pub swapped: bool,
    /// If not: the value that was there instead of the expected one.
    #[serde(borrow)]
    pub current: Option<Encoded<'a>>,
}
