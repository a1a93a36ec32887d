//! What is done to a dict and to a list, and which keys that puts.

use manager_protocol::path::Step;
use manager_protocol::{Encoded, Many, dict, list, path};

use super::history::{Value, Which};
use super::wire::Message;

/// A change, on whichever object it is for.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Set(u8, Value),
    Remove(u8),
    SetMany(Vec<u8>, Value),
    RemoveMany(Vec<u8>),
    Swap(u8, Option<Value>, Option<Value>),
    Add(u8),
    PopFirst,
    PopLast,
    ClearDict,
    PutInside(u8, i64, Value),
    Push(Value),
    PushFront(Value),
    Pop,
    PopFront,
    Insert(i64, Value),
    Delete(i64),
    DeleteValue(Value),
    Extend(Vec<Value>),
    Replace(i64, Value),
    ReplaceSlice(list::Range, Vec<Value>),
    DeleteSlice(list::Range),
    Reverse,
    Repeat(i64),
    Increase(i64),
    ClearList,
    PutInsideOf(i64, i64, Value),
}

/// The encodings of a key: of those that equal each other, one or another.
pub(crate) fn key(number: u8) -> Value {
    match number % 10 {
        0 | 1 | 4 => vec![number % 10],
        2 => vec![0xcc, 2],
        _ => vec![0xca, 0x40, 0x40, 0, 0],
    }
}

/// Another encoding of the same key.
fn other(number: u8) -> Value {
    if number == 2 || number == 3 { vec![number] } else { vec![0xcc, number] }
}

/// The number that a key is.
pub(crate) fn key_number(key: &[u8]) -> u8 {
    match *key {
        [small] | [0xcc, small] => small,
        _ => 3,
    }
}

fn many(values: &[Value]) -> Many<'_, Encoded<'_>> {
    Many::new(values.iter().map(Encoded::from))
}

impl Change {
    pub(crate) fn which(&self) -> Which {
        match self {
            Self::Set(..)
            | Self::Remove(_)
            | Self::SetMany(..)
            | Self::RemoveMany(_)
            | Self::Swap(..)
            | Self::Add(_)
            | Self::PopFirst
            | Self::PopLast
            | Self::ClearDict
            | Self::PutInside(..) => Which::Dict,
            Self::Push(_)
            | Self::PushFront(_)
            | Self::Pop
            | Self::PopFront
            | Self::Insert(..)
            | Self::Delete(_)
            | Self::DeleteValue(_)
            | Self::Extend(_)
            | Self::Replace(..)
            | Self::ReplaceSlice(..)
            | Self::DeleteSlice(_)
            | Self::Reverse
            | Self::Repeat(_)
            | Self::Increase(_)
            | Self::ClearList
            | Self::PutInsideOf(..) => Which::List,
        }
    }

    /// The keys under which it puts something, if it changes anything.
    pub(crate) fn puts(&self) -> Vec<u8> {
        match self {
            Self::Set(key, _) | Self::Swap(key, _, Some(_)) | Self::Add(key) | Self::PutInside(key, ..) => vec![*key],
            Self::SetMany(keys, _) => keys.clone(),
            Self::Remove(_)
            | Self::RemoveMany(_)
            | Self::Swap(_, _, None)
            | Self::PopFirst
            | Self::PopLast
            | Self::ClearDict
            | Self::Push(_)
            | Self::PushFront(_)
            | Self::Pop
            | Self::PopFront
            | Self::Insert(..)
            | Self::Delete(_)
            | Self::DeleteValue(_)
            | Self::Extend(_)
            | Self::Replace(..)
            | Self::ReplaceSlice(..)
            | Self::DeleteSlice(_)
            | Self::Reverse
            | Self::Repeat(_)
            | Self::Increase(_)
            | Self::ClearList
            | Self::PutInsideOf(..) => Vec::new(),
        }
    }

    pub(crate) fn message(&self, object: u64) -> Message {
        let one = || Encoded::Borrowed(&[1]);
        match self {
            Self::Set(at, value) => Message::new(object, dict::Set { key: (&other(*at)).into(), value: value.into() }),
            Self::Remove(at) => Message::new(object, dict::Remove { key: (&key(*at)).into() }),
            Self::SetMany(keys, value) => {
                let keys: Vec<Value> = keys.iter().map(|at| key(*at)).collect();
                Message::new(object, dict::InsertKeys { keys: many(&keys), value: value.into() })
            }
            Self::RemoveMany(keys) => {
                let keys: Vec<Value> = keys.iter().map(|at| other(*at)).collect();
                Message::new(object, dict::RemoveMany { keys: many(&keys) })
            }
            Self::Swap(at, expected, new) => {
                let (expected, new) = (expected.as_ref().map(Encoded::from), new.as_ref().map(Encoded::from));
                Message::new(object, dict::CompareAndSet { key: (&key(*at)).into(), expected, new })
            }
            Self::Add(at) => Message::new(object, dict::Add { key: (&key(*at)).into(), delta: one(), bounds: None }),
            Self::PopFirst => Message::new(object, dict::PopFirst {}),
            Self::PopLast => Message::new(object, dict::PopLast {}),
            Self::ClearDict => Message::new(object, dict::Clear {}),
            Self::PutInside(at, step, value) => put_inside(object, &key(*at), *step, value),
            Self::Push(value) => Message::new(object, list::Push { value: value.into() }),
            Self::PushFront(value) => Message::new(object, list::PushFront { value: value.into() }),
            Self::Pop => Message::new(object, list::Pop {}),
            Self::PopFront => Message::new(object, list::PopFront {}),
            Self::Insert(index, value) => Message::new(object, list::Insert { index: *index, value: value.into() }),
            Self::Delete(index) => Message::new(object, list::Remove { index: *index }),
            Self::DeleteValue(value) => Message::new(object, list::RemoveValue { value: value.into() }),
            Self::Extend(values) => Message::new(object, list::Extend { values: many(values) }),
            Self::Replace(index, value) => Message::new(object, list::Set { index: *index, value: value.into() }),
            Self::ReplaceSlice(slice, values) => {
                Message::new(object, list::SetSlice { slice: *slice, values: many(values) })
            }
            Self::DeleteSlice(slice) => Message::new(object, list::RemoveSlice { slice: *slice }),
            Self::Reverse => Message::new(object, list::Reverse {}),
            Self::Repeat(times) => Message::new(object, list::RepeatInPlace { times: *times }),
            Self::Increase(index) => Message::new(object, list::Add { index: *index, delta: one(), bounds: None }),
            Self::ClearList => Message::new(object, list::Clear {}),
            Self::PutInsideOf(index, step, value) => put_inside(object, &[*index as u8], *step, value),
        }
    }

    /// What reads the whole object.
    pub(crate) fn read(which: Which, object: u64) -> Message {
        match which {
            Which::Dict => Message::new(object, dict::Items {}),
            Which::List => Message::new(object, list::Values {}),
        }
    }
}

fn put_inside(object: u64, at: &[u8], step: i64, value: &Value) -> Message {
    let (at, path) = (Encoded::Borrowed(at), vec![Step::Index(step)]);
    Message::new(object, path::Set { at, path, value: value.into(), create: false })
}
