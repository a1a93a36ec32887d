//! The operations of a dict and of a list, as data, and what they reply.

use manager_client::{Error, Slice, Swap};
use manager_protocol::Code;
use rmpv::Value as Data;

use super::path::PathOperation;
use super::value::Value;

/// An operation on a dict.
#[derive(Clone, Debug)]
pub(super) enum DictOperation {
    Len,
    IsEmpty,
    Get(Value),
    ContainsKey(Value),
    Set(Value, Value),
    Insert(Value, Value),
    GetOrInsert(Value, Value),
    Remove(Value),
    PopFirst,
    PopLast,
    Clear,
    Items,
    Keys,
    Values,
    GetMany(Vec<Value>),
    InsertMany(Vec<(Value, Value)>),
    InsertKeys(Vec<Value>, Value),
    RemoveMany(Vec<Value>),
    /// From the dict with this number.
    UpdateFrom(usize),
    Union(Vec<(Value, Value)>),
    /// With the dict of this number.
    UnionFrom(usize),
    Add(Value, Delta),
    CompareAndSet(Value, Option<Value>, Option<Value>),
    ReplaceIfVersion(Value, Value, u64),
    RemoveIfVersion(Vec<Value>, u64),
    /// On what is inside of the value under a key.
    At(Value, PathOperation),
    /// Made of several calls, so no part of a transaction.
    UpdateWith(Value, Change),
    /// Keeps what the value says; made of several calls.
    Retain(Value),
}

impl DictOperation {
    /// The number of the dict that it reads, if it reads one.
    pub(super) fn source(&self) -> Option<usize> {
        if let Self::UpdateFrom(source) | Self::UnionFrom(source) = self { Some(*source) } else { None }
    }
}

/// An operation on a list.
#[derive(Clone, Debug)]
pub(super) enum ListOperation {
    Len,
    IsEmpty,
    Get(i64),
    Set(i64, Value),
    Push(Value),
    PushFront(Value),
    Pop,
    PopFront,
    Insert(i64, Value),
    Remove(i64),
    RemoveValue(Value),
    Extend(Vec<Value>),
    /// From the list with this number.
    ExtendFrom(usize),
    Clear,
    Values,
    Slice(Part),
    SetSlice(Part, Vec<Value>),
    RemoveSlice(Part),
    Contains(Value),
    IndexOf(Value),
    IndexOfWithin(Value, Part),
    Count(Value),
    Reverse,
    Sort,
    SortDescending,
    Concat(Vec<Value>),
    /// With the list of this number.
    ConcatFrom(usize),
    Repeat(i64),
    RepeatInPlace(i64),
    Add(i64, Delta),
    CompareAndSet(i64, Value, Value),
    ReplaceIfVersion(Vec<Value>, u64),
    /// On what is inside of the value at an index.
    At(i64, PathOperation),
    /// Made of several calls, so no part of a transaction.
    UpdateWith(i64, Change),
    /// Made of several calls.
    SortByKey,
    /// Keeps what is not this value; made of several calls.
    Retain(Value),
}

impl ListOperation {
    /// The number of the list that it reads, if it reads one.
    pub(super) fn source(&self) -> Option<usize> {
        if let Self::ExtendFrom(source) | Self::ConcatFrom(source) = self { Some(*source) } else { None }
    }
}

/// Python's `start:stop:step`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) start: Option<i64>,
    pub(super) stop: Option<i64>,
    pub(super) step: i64,
}

impl From<Part> for Slice {
    fn from(part: Part) -> Self {
        Self::new(part.start, part.stop, part.step)
    }
}

/// A number to add, of the type that the proxy has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delta {
    I8(i8),
    U64(u64),
    I64(i64),
    F32(f32),
    F64(f64),
}

impl Delta {
    /// The number as a value.
    pub(super) fn value(self) -> Value {
        match self {
            Self::I8(delta) => delta.into(),
            Self::U64(delta) => delta.into(),
            Self::I64(delta) => delta.into(),
            Self::F32(delta) => delta.into(),
            Self::F64(delta) => delta.into(),
        }
    }

    /// The least and the greatest number of its type, if that is of integers.
    pub(super) fn bounds(self) -> Option<(i128, i128)> {
        match self {
            Self::I8(_) => Some((i8::MIN.into(), i8::MAX.into())),
            Self::U64(_) => Some((0, u64::MAX.into())),
            Self::I64(_) => Some((i64::MIN.into(), i64::MAX.into())),
            Self::F32(_) | Self::F64(_) => None,
        }
    }

    /// The sum as the proxy's type has it.
    pub(super) fn reply(self, sum: &Value) -> Reply {
        Reply::Value(match (self, &sum.0) {
            (Self::F32(_), Data::F64(sum)) => (*sum as f32).into(),
            _ => sum.clone(),
        })
    }
}

/// What a closure makes of a value.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Leaves it alone.
    Keep,
    /// Puts another there.
    Put(Value),
    /// Puts an array around it.
    Wrap,
    /// Removes it; in a list, puts nil there.
    Remove,
}

impl Change {
    /// What becomes of what is there.
    pub(super) fn apply(&self, value: Option<Value>) -> Option<Value> {
        match self {
            Self::Keep => value,
            Self::Put(new) => Some(new.clone()),
            Self::Wrap => Some(Value(Data::Array(value.into_iter().map(|value| value.0).collect()))),
            Self::Remove => None,
        }
    }

    /// The same for a list, where something must be.
    pub(super) fn apply_to_item(&self, value: Value) -> Value {
        self.apply(Some(value)).unwrap_or(Value(Data::Nil))
    }
}

/// By what a list is sorted where the test sorts by key.
pub(super) fn sort_key(value: &Value) -> usize {
    value.0.to_string().len() % 3
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Unit,
    Bool(bool),
    Count(u64),
    Index(Option<u64>),
    Value(Value),
    MaybeValue(Option<Value>),
    MaybeEntry(Option<(Value, Value)>),
    Values(Vec<Value>),
    MaybeValues(Vec<Option<Value>>),
    Entries(Vec<(Value, Value)>),
    Bools(Vec<bool>),
    Swapped,
    Current(Option<Value>),
}

impl Reply {
    pub(super) fn unit((): ()) -> Self {
        Self::Unit
    }

    pub(super) fn swap(swap: Swap<Option<Value>>) -> Self {
        match swap {
            Swap::Swapped => Self::Swapped,
            Swap::Current(current) => Self::Current(current),
        }
    }

    pub(super) fn item_swap(swap: Swap<Value>) -> Self {
        match swap {
            Swap::Swapped => Self::Swapped,
            Swap::Current(current) => Self::Current(Some(current)),
        }
    }
}

/// What came of an operation: its reply, or the code of its refusal.
pub(super) type Outcome = Result<Reply, Code>;

/// The code of a refusal, of which nothing may be told that is secret.
///
/// # Panics
/// If the error is no refusal, or tells a key or a value.
pub(super) fn code_of(error: &Error) -> Code {
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains(SECRET) && !text.contains(SECRET_NUMBER), "an error that tells what is stored: {text}");
    }
    error.code().unwrap_or_else(|| panic!("not a refusal: {error:?}"))
}

/// All text and all bytes that the tests store, but the empty ones, have this in them.
pub(super) const SECRET: &str = "hush";

/// As the text has [`SECRET`], some numbers have these digits.
pub(super) const SECRET_NUMBER: &str = "7355608";
