//! An item of a queue, or a message of a pipe: a value that knows its place.

use std::fmt;

use manager_protocol::Encoded;

use crate::core::value::Datum;

/// A place among others: the first key is the next to be taken.
pub(in crate::core::object) type Key = (i64, i64);

/// What was put, with all that is needed to return it to its place.
pub(in crate::core) struct Item {
    pub(in crate::core::object) key: Key,
    pub(in crate::core::object) value: Datum,
    /// How often it was given on loan and not taken back as never received.
    pub(in crate::core::object) deliveries: u32,
}

impl Item {
    pub(in crate::core::object) fn new(key: Key, value: Datum) -> Self {
        Self { key, value, deliveries: 0 }
    }

    pub(in crate::core::object) fn shared(&self) -> Encoded<'static> {
        self.value.shared()
    }
}

impl fmt::Debug for Item {
    /// Shows the length only: values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, deliveries } = self;
        write!(f, "Item({} bytes at {key:?}, delivered {deliveries} times)", value.len())
    }
}
