//! What is asked of a dict, how it is sent, and how it is answered.

use manager_protocol::dict::{self, PageReply, Swap, TimeLeft};
use manager_protocol::{Code, Encoded, Many, encode_value};

use super::wire::{Message, decode};

/// An operation; keys and values are small numbers.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Len,
    Get { key: u64 },
    GetMany,
    Set { key: u64, value: u64 },
    Insert { key: u64, value: u64 },
    InsertWith { key: u64, value: u64, ttl_ms: Option<i64>, session: bool },
    InsertMany { value: u64 },
    Expire { key: u64, ttl_ms: Option<i64> },
    Ttl { key: u64 },
    GetOrInsert { key: u64, value: u64 },
    Add { key: u64 },
    CompareAndSet { key: u64, expected: Option<u64>, new: Option<u64> },
    ReplaceIfVersion { key: u64, value: u64 },
    RemoveIfVersion { key: u64 },
    Remove { key: u64 },
    PopFirst,
    PopLast,
    Clear,
    Items,
    Page { limit: u32, backward: bool },
    UpdateFrom,
    UnionFrom,
}

/// All keys that are used.
pub(crate) const KEYS: u64 = 6;

/// The keys that operations on several are about.
pub(crate) const SEVERAL: [u64; 3] = [4, 1, 0];

/// A reply, taken apart; or the code of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Nothing,
    Yes(bool),
    Number(u64),
    Value(Option<u64>),
    Values(Vec<Option<u64>>),
    Entry(Option<(u64, u64)>),
    Entries(Vec<(u64, u64)>),
    /// Some entries, and whether there are more.
    Page(Vec<(u64, u64)>, bool),
    Left(Option<Option<u64>>),
    Swapped(bool, Option<u64>),
    Refused(Code),
}

fn value(encoded: &Encoded<'_>) -> u64 {
    encoded.decode().unwrap()
}

fn entry((key, found): (Encoded<'_>, Encoded<'_>)) -> (u64, u64) {
    (value(&key), value(&found))
}

impl Op {
    /// The operation on one dict, with the other as its source; `version` is that of the dict some
    /// changes ago.
    pub(crate) fn message(&self, object: u64, source: u64, version: u64) -> Message {
        let bytes = |number: u64| encode_value(&number).unwrap();
        match self.clone() {
            Self::Len => Message::new(object, dict::Len {}),
            Self::Get { key } => Message::new(object, dict::Get { key: (&bytes(key)).into() }),
            Self::GetMany => {
                let keys = SEVERAL.map(bytes);
                Message::new(object, dict::GetMany { keys: Many::new(keys.iter().map(Encoded::from)) })
            }
            Self::Set { key, value } => {
                let (key, value) = (&bytes(key), &bytes(value));
                Message::new(object, dict::Set { key: key.into(), value: value.into() })
            }
            Self::Insert { key, value } => {
                let (key, value) = (&bytes(key), &bytes(value));
                Message::new(object, dict::Insert { key: key.into(), value: value.into() })
            }
            Self::InsertWith { key, value, ttl_ms, session } => {
                let (key, value) = (&bytes(key), &bytes(value));
                Message::new(object, dict::InsertWith { key: key.into(), value: value.into(), ttl_ms, session })
            }
            Self::InsertMany { value } => {
                let (keys, value) = (SEVERAL.map(bytes), bytes(value));
                let entries = keys.iter().map(|key| (Encoded::from(key), Encoded::from(&value)));
                Message::new(object, dict::InsertMany { entries: Many::new(entries) })
            }
            Self::Expire { key, ttl_ms } => Message::new(object, dict::Expire { key: (&bytes(key)).into(), ttl_ms }),
            Self::Ttl { key } => Message::new(object, dict::Ttl { key: (&bytes(key)).into() }),
            Self::GetOrInsert { key, value } => {
                let (key, value) = (&bytes(key), &bytes(value));
                Message::new(object, dict::GetOrInsert { key: key.into(), value: value.into() })
            }
            Self::Add { key } => {
                let (key, delta) = (&bytes(key), &bytes(1));
                Message::new(object, dict::Add { key: key.into(), delta: delta.into(), bounds: None })
            }
            Self::CompareAndSet { key, expected, new } => {
                let (key, expected, new) = (&bytes(key), expected.map(bytes), new.map(bytes));
                let (expected, new) = (expected.as_ref().map(Encoded::from), new.as_ref().map(Encoded::from));
                Message::new(object, dict::CompareAndSet { key: key.into(), expected, new })
            }
            Self::ReplaceIfVersion { key, value } => {
                let (key, value) = (&bytes(key), &bytes(value));
                Message::new(object, dict::ReplaceIfVersion { key: key.into(), value: value.into(), version })
            }
            Self::RemoveIfVersion { key } => {
                let keys = [bytes(key)];
                let keys = Many::new(keys.iter().map(Encoded::from));
                Message::new(object, dict::RemoveIfVersion { keys, version })
            }
            Self::Remove { key } => Message::new(object, dict::Remove { key: (&bytes(key)).into() }),
            Self::PopFirst => Message::new(object, dict::PopFirst {}),
            Self::PopLast => Message::new(object, dict::PopLast {}),
            Self::Clear => Message::new(object, dict::Clear {}),
            Self::Items => Message::new(object, dict::Items {}),
            Self::Page { limit, backward } => Message::new(object, dict::Page { after: None, limit, backward }),
            Self::UpdateFrom => Message::new(object, dict::UpdateFrom { source }),
            Self::UnionFrom => Message::new(object, dict::UnionFrom { source }),
        }
    }

    pub(crate) fn decode(&self, result: &[u8]) -> Said {
        match self {
            Self::Len => Said::Number(decode(result)),
            Self::Get { .. } | Self::Insert { .. } | Self::InsertWith { .. } | Self::Remove { .. } => {
                Said::Value(decode::<Option<Encoded<'_>>>(result).as_ref().map(value))
            }
            Self::GetMany => {
                let values: Many<'_, Option<Encoded<'_>>> = decode(result);
                Said::Values(values.map(|found| found.as_ref().map(value)).collect())
            }
            Self::Set { .. } | Self::InsertMany { .. } | Self::Clear | Self::UpdateFrom => {
                decode::<()>(result);
                Said::Nothing
            }
            Self::Expire { .. } | Self::ReplaceIfVersion { .. } => Said::Yes(decode(result)),
            Self::RemoveIfVersion { .. } => {
                let removed: Vec<bool> = decode::<Many<'_, bool>>(result).collect();
                Said::Yes(removed == [true])
            }
            Self::Ttl { .. } => Said::Left(decode::<Option<TimeLeft>>(result).map(|left| left.left_ms)),
            Self::GetOrInsert { .. } | Self::Add { .. } => Said::Number(value(&decode(result))),
            Self::CompareAndSet { .. } => {
                let swap: Swap<'_> = decode(result);
                Said::Swapped(swap.swapped, swap.current.as_ref().map(value))
            }
            Self::PopFirst | Self::PopLast => {
                Said::Entry(decode::<Option<(Encoded<'_>, Encoded<'_>)>>(result).map(entry))
            }
            Self::Items | Self::UnionFrom => {
                let entries: Many<'_, (Encoded<'_>, Encoded<'_>)> = decode(result);
                Said::Entries(entries.map(entry).collect())
            }
            Self::Page { .. } => {
                let page: PageReply<'_> = decode(result);
                Said::Page(page.entries.into_iter().map(entry).collect(), page.next.is_some())
            }
        }
    }
}
