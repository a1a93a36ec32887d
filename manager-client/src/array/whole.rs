//! What works on many values of an array at once.

use std::borrow::Borrow;

use manager_protocol::array;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerArray;
use crate::argument::{Argument, Arguments};
use crate::link::Link;
use crate::slice::Slice;

impl<T, L> ManagerArray<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// Every value, as of one moment. For an array that does not fit in memory twice, see `iter`.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// assert_eq!(grid.values()?, [0, 0, 0, 0]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("copy", "to_vec"))]
    pub fn values(&self) -> L::Wait<'_, Vec<T>> {
        self.handle.call(|| Ok(array::Values {}), |values| values.map(|value| value.decode()).collect())
    }

    /// The values of a part of the array, as of one moment.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// use manager_client::Slice;
    ///
    /// grid.set_slice(.., [0, 1, 2, 3])?;
    /// assert_eq!(grid.slice(1..-1)?, [1, 2]);
    /// assert_eq!(grid.slice(Slice::new(None, None, -2))?, [3, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__getitem__")]
    pub fn slice(&self, part: impl Into<Slice>) -> L::Wait<'_, Vec<T>> {
        let slice = part.into().range();
        self.handle.call(|| Ok(array::Slice { slice }), |values| values.map(|value| value.decode()).collect())
    }

    /// Replaces the values of a part of the array by as many others.
    ///
    /// # Errors
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) if there are more or fewer; nothing is changed
    /// then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.set_slice(1..3, [8, 9])?;
    /// assert_eq!(grid.values()?, [0, 8, 9, 0]);
    /// assert!(grid.set_slice(1..3, [7]).is_err_and(|error| error.is_invalid_argument()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__setitem__")]
    pub fn set_slice<A>(&self, part: impl Into<Slice>, values: impl IntoIterator<Item = A>) -> L::Wait<'_, ()>
    where
        A: Borrow<T>,
    {
        let (slice, values) = (part.into().range(), Arguments::new::<T, A>(values));
        self.handle.call(|| Ok(array::SetSlice { slice, values: values.get()? }), Ok)
    }

    /// Replaces every value by this one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.fill(&7)?;
    /// assert_eq!(grid.values()?, [7, 7, 7, 7]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn fill<W>(&self, value: &W) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(array::Fill { value: value.get()? }), Ok)
    }

    /// Turns the order round.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.set(0, &5)?;
    /// grid.reverse()?;
    /// assert_eq!(grid.values()?, [0, 0, 0, 5]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn reverse(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(array::Reverse {}), Ok)
    }

    /// Sorts from the least to the greatest, keeping the order of equal values.
    ///
    /// # Errors
    /// [`is_no_order`](crate::Error::is_no_order) if two values cannot be compared; the array is then as it was.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.set_slice(.., [2, 4, 1, 3])?;
    /// grid.sort()?;
    /// assert_eq!(grid.values()?, [1, 2, 3, 4]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn sort(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(array::Sort { descending: false }), Ok)
    }

    /// Sorts from the greatest to the least, keeping the order of equal values.
    ///
    /// # Errors
    /// [`is_no_order`](crate::Error::is_no_order) if two values cannot be compared; the array is then as it was.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.set_slice(.., [2, 4, 1, 3])?;
    /// grid.sort_descending()?;
    /// assert_eq!(grid.values()?, [4, 3, 2, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn sort_descending(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(array::Sort { descending: true }), Ok)
    }
}
