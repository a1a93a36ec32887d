//! Operations on what is inside a stored value: a dict's, a list's, an array's, or that of a value.
//!
//! `at` says which value: in a dict it is the key, in a list or an array an integer that may count from
//! the end, in a value nil. The path leads on from there, step by step, through maps and arrays. It does
//! not lead through references. An empty path means the whole value.
//!
//! A key that is not in its map is nothing wrong where something is read or removed: there is nothing,
//! then. Elsewhere it is refused with `PathMismatch`, unless `create` is set: then each map or array that
//! is missing on the way is made (a map where the next step is a key, an array where it is an index, or
//! where something is pushed), and so is the entry of a dict. The last key of `set` need not be there, and
//! with `create` an index of the path may be the length of its array, which means a new element. An index
//! that is outside is refused with `OutOfRange`.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Effect, Operation, Row, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Many, Reply, Sink};

operations! {
    /// A decoded request to what is inside a stored value.
    path<'a>;

    /// What is there; nil if nothing is.
    0x0d01 [read] get: Get<'a> { at: Encoded<'a>, path: Vec<Step<'a>> } -> Option<Encoded<'r>>;

    /// How many elements the array, or pairs the map, has that is there; 0 if nothing is.
    0x0d02 [read] len: Len<'a> { at: Encoded<'a>, path: Vec<Step<'a>> } -> u64;

    /// Whether the array that is there has an element equal to this one, or the map such a key; not if
    /// nothing is there.
    0x0d03 [read] contains: Contains<'a> { at: Encoded<'a>, path: Vec<Step<'a>>, value: Encoded<'a> } -> bool;

    /// Puts a value there, in the place of what was there or under a new key.
    0x0d04 [idempotent] set: Set<'a> { at: Encoded<'a>, path: Vec<Step<'a>>, value: Encoded<'a>, create: bool } -> ();

    /// Removes what is there and returns it. The elements behind it move up. What is there must be in
    /// something: the whole of an array's or of a value's value cannot be removed.
    0x0d05 [change] remove: Remove<'a> { at: Encoded<'a>, path: Vec<Step<'a>> } -> Option<Encoded<'r>>;

    /// Adds to the number that is there (0 if none is, and `create` is set) and returns the sum.
    0x0d06 [change] add: Add<'a> {
        at: Encoded<'a>,
        path: Vec<Step<'a>>,
        /// An integer or a float.
        delta: Encoded<'a>,
        /// The least and the greatest sum allowed, if the type has such.
        bounds: Option<(Encoded<'a>, Encoded<'a>)>,
        create: bool,
    } -> Encoded<'r>;

    /// Adds elements at the end of the array that is there; how many it has then.
    0x0d07 [change] extend: Extend<'a> {
        at: Encoded<'a>,
        path: Vec<Step<'a>>,
        values: Many<'a, Encoded<'a>>,
        create: bool,
    } -> u64;

    /// Inserts an element before an index of the array that is there; an index beyond an end is that end.
    0x0d08 [change] insert: Insert<'a> {
        at: Encoded<'a>,
        path: Vec<Step<'a>>,
        index: i64,
        value: Encoded<'a>,
        create: bool,
    } -> ();
}

/// One step into a value: a key of a map as a bin, or an index of an array as an integer.
#[derive(Debug, Clone)]
pub enum Step<'a> {
    /// To the value under a key.
    Key(Encoded<'a>),
    /// To the element at an index; a negative one counts from the end.
    Index(i64),
}

impl Serialize for Step<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(key) => key.serialize(serializer),
            Self::Index(index) => serializer.serialize_i64(*index),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Step<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StepVisitor)
    }
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a bin with a key, or an index")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Step<'de>, E> {
        Encoded::deserialize(de::value::BorrowedBytesDeserializer::new(bytes)).map(Step::Key)
    }

    fn visit_i64<E: de::Error>(self, index: i64) -> Result<Step<'de>, E> {
        Ok(Step::Index(index))
    }

    fn visit_u64<E: de::Error>(self, index: u64) -> Result<Step<'de>, E> {
        i64::try_from(index).map(Step::Index).map_err(|_| E::custom("an index over 2^63"))
    }
}
