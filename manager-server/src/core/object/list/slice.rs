//! Which indices Python's `start:stop:step` means, for a list of a given length.

use manager_protocol::list::Range;
use manager_protocol::{Code, Error, Result};

/// The indices of a slice: `count` of them, from `first` on, `step` apart. All are inside the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Indices {
    first: i64,
    pub(super) step: i64,
    pub(super) count: usize,
}

impl Indices {
    /// As `slice.indices` of CPython does it (Objects/sliceobject.c).
    pub(super) fn new(range: Range, len: usize) -> Result<Self> {
        let Range { start, stop, step } = range;
        if step == 0 {
            return Err(Error::new(Code::InvalidArgument, "the step of a slice is 0"));
        }
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        // The values that an index may be clamped to: one before the beginning is where going down stops.
        let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let clamp = |index: i64| {
            let index = if index < 0 { index.saturating_add(len) } else { index };
            index.clamp(lowest, highest)
        };
        let first = start.map_or(if step > 0 { lowest } else { highest }, clamp);
        let stop = stop.map_or(if step > 0 { highest } else { lowest }, clamp);
        let distance = if step > 0 { stop - first } else { first - stop };
        let count = if distance > 0 { (distance - 1) as u64 / step.unsigned_abs() + 1 } else { 0 };
        Ok(Self { first, step, count: usize::try_from(count).unwrap_or(usize::MAX) })
    }

    pub(super) fn iter(self) -> impl ExactSizeIterator<Item = usize> + Send {
        // Not `first + nth * step`: that is computed for indices that exist only.
        (0..self.count).map(move |nth| (self.first + nth as i64 * self.step) as usize)
    }

    /// The indices as a range, if they are consecutive; an empty one says where it is.
    pub(super) fn contiguous(self) -> Option<std::ops::Range<usize>> {
        let first = usize::try_from(self.first).unwrap_or(0);
        (self.step == 1).then(|| first..first + self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(start: Option<i64>, stop: Option<i64>, step: i64, len: usize) -> Vec<usize> {
        Indices::new(Range { start, stop, step }, len).unwrap().iter().collect()
    }

    #[test]
    fn slices_are_those_of_python() {
        assert_eq!(indices(None, None, 1, 4), [0, 1, 2, 3]);
        assert_eq!(indices(None, None, -1, 4), [3, 2, 1, 0]);
        assert_eq!(indices(Some(-2), None, 1, 4), [2, 3]);
        assert_eq!(indices(Some(1), Some(-1), 1, 4), [1, 2]);
        assert_eq!(indices(Some(10), Some(-10), -3, 4), [3, 0]);
        assert_eq!(indices(Some(3), Some(1), 1, 4), [0; 0]);
        assert_eq!(indices(Some(0), None, -1, 4), [0]);
        assert_eq!(indices(None, None, 1, 0), [0; 0]);
        assert_eq!(indices(None, None, -1, 0), [0; 0]);
        assert_eq!(indices(Some(i64::MIN), Some(i64::MAX), i64::MAX, 4), [0]);
        assert_eq!(indices(Some(i64::MAX), Some(i64::MIN), i64::MIN, 4), [3]);
    }

    #[test]
    fn an_empty_slice_still_has_a_place() {
        let place = |start, stop| {
            Indices::new(Range { start: Some(start), stop: Some(stop), step: 1 }, 4).unwrap().contiguous()
        };
        assert_eq!(place(2, 2), Some(2..2));
        assert_eq!(place(3, 1), Some(3..3));
        assert_eq!(place(9, 9), Some(4..4));
        assert_eq!(place(-9, -9), Some(0..0));
    }

    #[test]
    fn a_step_of_zero_is_refused() {
        let error = Indices::new(Range { start: None, stop: None, step: 0 }, 4).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }
}
