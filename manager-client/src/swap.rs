//! The outcome of a compare-and-set.

use manager_protocol::{Code, Encoded, Error, Result};
use serde::de::DeserializeOwned;

/// Whether a value was swapped, and if not, what was there instead.
///
/// For a dict `V` is an option: `None` where there is no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "the value may not have been set"]
pub enum Swap<V> {
    /// The value was the expected one; the new one is there now.
    Swapped,
    /// The value was this one; nothing was changed.
    Current(V),
}

impl<V> Swap<V> {
    /// Whether the new value was set.
    #[must_use]
    pub fn is_swapped(&self) -> bool {
        matches!(self, Self::Swapped)
    }
}

/// The value that was in the way of a swap, where there always is one.
pub(crate) fn current<V: DeserializeOwned>(current: Option<Encoded<'_>>) -> Result<V> {
    current.ok_or_else(no_current)?.decode()
}

pub(crate) fn no_current() -> Error {
    Error::new(Code::MalformedFrame, "a swap that failed without the value in its way")
}
