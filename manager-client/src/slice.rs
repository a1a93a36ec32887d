//! The part of a list that an operation works on: Python's `start:stop:step`, or a Rust range.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use manager_protocol::{Code, list};

use crate::error::Error;

/// A part of a list. Negative indices count from the end; indices past an end mean that end.
///
/// ```
/// use manager_client::Slice;
///
/// assert_eq!(Slice::from(1..3), Slice::new(Some(1), Some(3), 1));
/// let every_second_backwards = Slice::new(None, None, -2);
/// # let _ = every_second_backwards;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
}

impl Slice {
    /// From `start`, by `step`, to before `stop`; `None` for the end that the step comes from, or goes to.
    #[must_use]
    pub fn new(start: Option<i64>, stop: Option<i64>, step: i64) -> Self {
        Self { start, stop, step }
    }

    pub(crate) fn range(self) -> list::Range {
        list::Range { start: self.start, stop: self.stop, step: self.step }
    }

    /// Start and stop of a slice without a step of its own.
    pub(crate) fn ends(self) -> Option<(Option<i64>, Option<i64>)> {
        (self.step == 1).then_some((self.start, self.stop))
    }
}

/// Why a slice with a step is no range to search in.
pub(crate) fn stepped() -> Error {
    manager_protocol::Error::new(Code::InvalidArgument, "a range to search in has no step").into()
}

impl From<RangeFull> for Slice {
    fn from(_: RangeFull) -> Self {
        Self::new(None, None, 1)
    }
}

/// Ranges of any type that indices and lengths come in; what no `i64` can tell is past the end.
macro_rules! from_ranges_of {
    ($($index:ty)+) => {$(
        impl From<Range<$index>> for Slice {
            fn from(range: Range<$index>) -> Self {
                Self::new(Some(index(range.start)), Some(index(range.end)), 1)
            }
        }

        impl From<RangeFrom<$index>> for Slice {
            fn from(range: RangeFrom<$index>) -> Self {
                Self::new(Some(index(range.start)), None, 1)
            }
        }

        impl From<RangeTo<$index>> for Slice {
            fn from(range: RangeTo<$index>) -> Self {
                Self::new(None, Some(index(range.end)), 1)
            }
        }

        impl From<RangeInclusive<$index>> for Slice {
            fn from(range: RangeInclusive<$index>) -> Self {
                Self::new(Some(index(*range.start())), after(index(*range.end())), 1)
            }
        }

        impl From<RangeToInclusive<$index>> for Slice {
            fn from(range: RangeToInclusive<$index>) -> Self {
                Self::new(None, after(index(range.end)), 1)
            }
        }
    )+};
}

from_ranges_of!(i32 i64 u64 usize);

fn index(index: impl TryInto<i64>) -> i64 {
    index.try_into().unwrap_or(i64::MAX)
}

/// The index behind the last one. Behind -1, the end of the list, comes no index.
fn after(last: i64) -> Option<i64> {
    if last == -1 { None } else { last.checked_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_slices() {
        assert_eq!(Slice::from(2..), Slice::new(Some(2), None, 1));
        assert_eq!(Slice::from(..-1), Slice::new(None, Some(-1), 1));
        assert_eq!(Slice::from(..), Slice::new(None, None, 1));
        assert_eq!(Slice::from(0..=2), Slice::new(Some(0), Some(3), 1));
        assert_eq!(Slice::from(-3..=-1), Slice::new(Some(-3), None, 1));
        assert_eq!(Slice::from(..=i64::MAX), Slice::new(None, None, 1));
        assert_eq!(Slice::from(1_usize..3), Slice::new(Some(1), Some(3), 1));
        assert_eq!(Slice::from(1_u64..u64::MAX), Slice::new(Some(1), Some(i64::MAX), 1));
    }
}
