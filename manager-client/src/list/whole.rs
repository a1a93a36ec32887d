//! What works on many values of a list at once.

use std::borrow::Borrow;

use manager_protocol::list;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerList;
use crate::argument::Arguments;
use crate::link::Link;
use crate::slice::Slice;

impl<T, L> ManagerList<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// Adds several values at the end, all at once.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([1, 2, 3])?;
    /// assert_eq!(numbers.len()?, 3);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__iadd__")]
    pub fn extend<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, ()>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        self.handle.call(|| Ok(list::Extend { values: values.get()? }), Ok)
    }

    /// Adds every value of another list of the same server, or of this one, at the end.
    ///
    /// The values do not cross the socket.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other list is in another server.
    ///
    /// # Atomicity
    /// One operation on both lists.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// let more = manager.list::<i64>("more")?;
    /// more.extend([4, 5])?;
    /// numbers.extend_from(&more)?;
    /// assert_eq!(numbers.values()?, [4, 5]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("extend", "__iadd__"))]
    pub fn extend_from<M: Link>(&self, other: &ManagerList<T, M>) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(list::ExtendFrom { source: self.handle.source(&other.handle.target)? }), Ok)
    }

    /// Removes every value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.push(&1)?;
    /// numbers.clear()?;
    /// assert!(numbers.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn clear(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(list::Clear {}), Ok)
    }

    /// Every value, as of one moment. For a list that does not fit in memory twice, see `iter`.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.push(&1)?;
    /// assert_eq!(numbers.values()?, [1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("copy", "to_vec"))]
    pub fn values(&self) -> L::Wait<'_, Vec<T>> {
        self.handle.call(|| Ok(list::Values {}), |values| values.map(|value| value.decode()).collect())
    }

    /// The values of a part of the list, as of one moment.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// use manager_client::Slice;
    ///
    /// numbers.extend([0, 1, 2, 3])?;
    /// assert_eq!(numbers.slice(1..-1)?, [1, 2]);
    /// assert_eq!(numbers.slice(Slice::new(None, None, -2))?, [3, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__getitem__")]
    pub fn slice(&self, part: impl Into<Slice>) -> L::Wait<'_, Vec<T>> {
        let slice = part.into().range();
        self.handle.call(|| Ok(list::Slice { slice }), |values| values.map(|value| value.decode()).collect())
    }

    /// Replaces a part of the list by other values; without a step there may be more or fewer.
    ///
    /// # Errors
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) if a slice with a step is given another number
    /// of values; nothing is changed then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([0, 1, 2, 3])?;
    /// numbers.set_slice(1..3, [9])?;
    /// assert_eq!(numbers.values()?, [0, 9, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("splice", "__setitem__"))]
    pub fn set_slice<A>(&self, part: impl Into<Slice>, values: impl IntoIterator<Item = A>) -> L::Wait<'_, ()>
    where
        A: Borrow<T>,
    {
        let (slice, values) = (part.into().range(), Arguments::new::<T, A>(values));
        self.handle.call(|| Ok(list::SetSlice { slice, values: values.get()? }), Ok)
    }

    /// Removes a part of the list.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([0, 1, 2, 3])?;
    /// numbers.remove_slice(1..3)?;
    /// assert_eq!(numbers.values()?, [0, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("drain", "truncate", "__delitem__"))]
    pub fn remove_slice(&self, part: impl Into<Slice>) -> L::Wait<'_, ()> {
        let slice = part.into().range();
        self.handle.call(|| Ok(list::RemoveSlice { slice }), Ok)
    }

    /// Turns the order round.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// numbers.reverse()?;
    /// assert_eq!(numbers.values()?, [2, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn reverse(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(list::Reverse {}), Ok)
    }

    /// Sorts from the least to the greatest, keeping the order of equal values.
    ///
    /// # Errors
    /// [`is_no_order`](crate::Error::is_no_order) if two values cannot be compared; the list is then as it was.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([2, 3, 1])?;
    /// numbers.sort()?;
    /// assert_eq!(numbers.values()?, [1, 2, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn sort(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(list::Sort { descending: false }), Ok)
    }

    /// Sorts from the greatest to the least, keeping the order of equal values.
    ///
    /// # Errors
    /// [`is_no_order`](crate::Error::is_no_order) if two values cannot be compared; the list is then as it was.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([2, 3, 1])?;
    /// numbers.sort_descending()?;
    /// assert_eq!(numbers.values()?, [3, 2, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "sort_reverse")]
    pub fn sort_descending(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(list::Sort { descending: true }), Ok)
    }

    /// What the list would hold after [`extend`](Self::extend); changes nothing.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.push(&1)?;
    /// assert_eq!(numbers.concat([2])?, [1, 2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__add__")]
    pub fn concat<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, Vec<T>>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        self.handle
            .call(|| Ok(list::Concat { values: values.get()? }), |values| values.map(|value| value.decode()).collect())
    }

    /// What the list would hold after [`extend_from`](Self::extend_from); changes nothing.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other list is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.push(&1)?;
    /// assert_eq!(numbers.concat_from(&numbers)?, [1, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__add__")]
    pub fn concat_from<M: Link>(&self, other: &ManagerList<T, M>) -> L::Wait<'_, Vec<T>> {
        self.handle.call(
            || Ok(list::ConcatFrom { source: self.handle.source(&other.handle.target)? }),
            |values| values.map(|value| value.decode()).collect(),
        )
    }

    /// What the list would hold after [`repeat_in_place`](Self::repeat_in_place); changes nothing.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.repeat(2)?, [1, 2, 1, 2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__mul__")]
    pub fn repeat(&self, times: i64) -> L::Wait<'_, Vec<T>> {
        self.handle.call(|| Ok(list::Repeat { times }), |values| values.map(|value| value.decode()).collect())
    }

    /// Makes the list so many times itself; empty if `times` is not positive.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// numbers.repeat_in_place(2)?;
    /// assert_eq!(numbers.len()?, 4);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__imul__")]
    pub fn repeat_in_place(&self, times: i64) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(list::RepeatInPlace { times }), Ok)
    }
}
