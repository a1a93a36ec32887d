//! What a watch tells.

/// What a watch of a dict tells: all entries first, and then what becomes of them.
///
/// [`apply_to`](Self::apply_to) keeps a map like the dict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DictUpdate<K, V> {
    /// All entries, as of one moment. It takes the place of all that was told before.
    Snapshot {
        /// The version of the dict.
        version: u64,
        /// The entries, in order.
        entries: Vec<(K, V)>,
        /// Changes before this were missed: whoever watched was too slow, or away too long.
        resync: bool,
    },
    /// Changes, in order. There is at least one.
    Changes(Vec<DictChange<K, V>>),
}

/// A change of a dict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DictChange<K, V> {
    /// A value was put under a key, or the one there was changed.
    Set {
        /// The version of the dict with this change.
        version: u64,
        /// The key.
        key: K,
        /// The value.
        value: V,
    },
    /// A key was removed, or its time was over.
    Removed {
        /// The version of the dict with this change.
        version: u64,
        /// The key.
        key: K,
    },
    /// All entries were removed.
    Cleared {
        /// The version of the dict with this change.
        version: u64,
    },
}

impl<K, V> DictChange<K, V> {
    /// The version of the dict with this change.
    ///
    /// ```
    /// use manager_client::DictChange;
    ///
    /// let change = DictChange::Set { version: 7, key: "ann", value: 31 };
    /// assert_eq!(change.version(), 7);
    /// ```
    #[must_use]
    pub fn version(&self) -> u64 {
        match self {
            Self::Set { version, .. } | Self::Removed { version, .. } | Self::Cleared { version } => *version,
        }
    }
}

/// What a watch of a list tells: all values first, and then what becomes of them.
///
/// [`apply_to`](Self::apply_to) keeps a vector like the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListUpdate<T> {
    /// All values, as of one moment. It takes the place of all that was told before.
    Snapshot {
        /// The version of the list.
        version: u64,
        /// The values.
        values: Vec<T>,
        /// Changes before this were missed: whoever watched was too slow, or away too long.
        resync: bool,
    },
    /// Changes, in order. There is at least one.
    Changes(Vec<ListChange<T>>),
}

/// A change of a list: from an index on, some values were replaced by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListChange<T> {
    /// The version of the list with this change.
    pub version: u64,
    /// The index.
    pub start: u64,
    /// How many values there were replaced.
    pub removed: u64,
    /// What is there now.
    pub values: Vec<T>,
}

/// What a watch of a key tells: the value under it, now and after each change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUpdate<V> {
    /// The version of the dict at that time.
    pub version: u64,
    /// The value; `None` if there is no such key.
    pub value: Option<V>,
    /// Changes before this were missed: whoever watched was too slow, or away too long.
    pub resync: bool,
}
