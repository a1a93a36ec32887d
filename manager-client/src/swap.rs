//! The outcome of a compare-and-set.

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
