//! What operations return, of whatever kind the object is.

use manager_client::Swap;
use serde::{Deserialize, Serialize};

/// What an operation returned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is named after what it holds")]
pub enum Outcome {
    Done,
    Flag(bool),
    Count(u64),
    Value(i64),
    Maybe(Option<i64>),
    Entry(Option<(u64, i64)>),
    Entries(Vec<(u64, i64)>),
    Keys(Vec<u64>),
    Values(Vec<i64>),
    Maybes(Vec<Option<i64>>),
    Flags(Vec<bool>),
    Place(Option<u64>),
    Swapped,
    NotSwapped(Option<i64>),
    /// The number of the refusal's code.
    Refused(u16),
}

macro_rules! outcomes {
    ($($type:ty => $outcome:ident;)+) => {
        $(impl From<$type> for Outcome {
            fn from(value: $type) -> Self {
                Self::$outcome(value)
            }
        })+
    };
}

outcomes! {
    bool => Flag;
    u64 => Count;
    i64 => Value;
    Option<i64> => Maybe;
    Option<(u64, i64)> => Entry;
    Vec<(u64, i64)> => Entries;
    Vec<u64> => Keys;
    Vec<i64> => Values;
    Vec<Option<i64>> => Maybes;
    Vec<bool> => Flags;
    Option<u64> => Place;
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl From<Swap<Option<i64>>> for Outcome {
    fn from(swap: Swap<Option<i64>>) -> Self {
        match swap {
            Swap::Swapped => Self::Swapped,
            Swap::Current(current) => Self::NotSwapped(current),
        }
    }
}

impl From<Swap<i64>> for Outcome {
    fn from(swap: Swap<i64>) -> Self {
        match swap {
            Swap::Swapped => Self::Swapped,
            Swap::Current(current) => Self::NotSwapped(Some(current)),
        }
    }
}
