//! What a client does over and over while it is measured.

use serde::{Deserialize, Serialize};

/// One kind of work. All systems do the same under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub(crate) enum Work {
    /// Gets a random entry with a value of `size` bytes out of the client's own keys.
    Get { size: usize },
    /// Replaces such an entry.
    Insert { size: usize },
    /// Adds 1 to a random counter.
    Add,
    /// Pushes a value to the end of a list that is empty at first.
    ListPush,
    /// Reads a random value of a list.
    ListIndex,
    /// Acquires a lock that is free, and lets it go.
    Lock,
    /// Puts a value into a queue, and gets it.
    Queue,
    /// As `Get`, but `depth` of them are sent together.
    PipelineGet { depth: usize },
    /// As `Insert`, but `depth` of them are sent together.
    PipelineInsert { depth: usize },
    /// Inserts `entries` entries by one request.
    Bulk { entries: usize },
    /// Reads all entries of a dict of [`KEYS`].
    Snapshot,
    /// Gets a random entry of a dict of `entries`.
    GrownGet { entries: usize },
    /// Replaces a random entry of a dict of `entries`.
    GrownInsert { entries: usize },
    /// Reads all entries of a dict of a million.
    Copy,
    /// Sorts a million integers that are in no order.
    Sort,
    /// Inserts values of 64 KiB to 1 MiB.
    Stream,
    /// Keeps a processor busy, and asks the server for nothing.
    Compute,
}

impl Work {
    /// What must be there.
    pub(crate) fn stock(self) -> Option<Stock> {
        match self {
            Self::Get { size } | Self::Insert { size } => Some(Stock::Entries { size }),
            Self::PipelineGet { .. } | Self::PipelineInsert { .. } | Self::Snapshot => {
                Some(Stock::Entries { size: VALUE })
            }
            Self::Add => Some(Stock::Counters),
            Self::ListIndex => Some(Stock::List),
            Self::GrownGet { entries } | Self::GrownInsert { entries } => Some(Stock::Grown { entries }),
            Self::Copy => Some(Stock::Grown { entries: MILLION }),
            Self::Sort => Some(Stock::Numbers),
            Self::Lock | Self::Queue | Self::ListPush | Self::Bulk { .. } | Self::Stream | Self::Compute => None,
        }
    }

    /// What is counted.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Get { .. } | Self::PipelineGet { .. } | Self::GrownGet { .. } => "gets",
            Self::Insert { .. } | Self::PipelineInsert { .. } | Self::GrownInsert { .. } => "inserts",
            Self::Add => "adds",
            Self::ListPush => "pushes",
            Self::ListIndex => "gets",
            Self::Lock => "acquire+release",
            Self::Queue => "put+get",
            Self::Bulk { .. } => "entries",
            Self::Snapshot | Self::Copy => "snapshots",
            Self::Sort => "sorts",
            Self::Stream => "values",
            Self::Compute => "turns",
        }
    }
}

/// What must be there before a work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stock", rename_all = "snake_case")]
pub(crate) enum Stock {
    /// For each client a dict's entries with its own keys, and values of `size` bytes.
    Entries { size: usize },
    /// For each client a dict's counters with its own keys.
    Counters,
    /// A list of [`KEYS`] values.
    List,
    /// A dict of `entries`; each client puts a part of them there.
    Grown { entries: usize },
    /// A list of a million integers in no order.
    Numbers,
}

/// How many keys each client has.
pub(crate) const KEYS: usize = 10_000;

/// How many entries a dict of values of this size has for each client: large values are fewer.
pub(crate) fn keys_of(size: usize) -> usize {
    KEYS.min((64 << 20) / size)
}

/// The bytes of a value, unless a row says otherwise.
pub(crate) const VALUE: usize = 64;

/// How many entries or integers a large dict or list has.
pub(crate) const MILLION: usize = 1_000_000;

/// The sizes of the values that are streamed, one after the other.
pub(crate) const STREAMED: [usize; 5] = [64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20];

/// How many entries are sent at once where a dict is filled.
pub(crate) const BATCH: usize = 500;

/// The same for values of this size: no more than goes into a frame.
pub(crate) fn batch_of(size: usize) -> usize {
    BATCH.min((8 << 20) / size)
}
