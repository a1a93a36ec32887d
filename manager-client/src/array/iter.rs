//! Goes through an array in pages: the whole is never in memory at once.

use manager_protocol::array;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerArray;
use crate::blocking::Blocking;
use crate::link::Link;
use crate::list::ListCursor;
use crate::pages::{Page, Paged};

impl<T: Serialize + DeserializeOwned> ManagerArray<T> {
    /// Goes through all values in order, a page at a time.
    ///
    /// # Blocks
    /// Each time a page has to be fetched.
    ///
    /// # Atomicity
    /// Each page is of one moment, the whole is not; [`values`](Self::values) is. After an error the
    /// iteration is over.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [1, 2])?;
    /// assert_eq!(grid.iter().collect::<Result<Vec<i32>, _>>()?, [1, 2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__iter__")]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self, ListCursor::Forward { start: 0 })
    }

    /// Goes through all values from the last to the first; else as [`iter`](Self::iter).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [1, 2])?;
    /// assert_eq!(grid.iter_rev().collect::<Result<Vec<i32>, _>>()?, [2, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__reversed__")]
    pub fn iter_rev(&self) -> Iter<'_, T> {
        Iter::new(self, ListCursor::End)
    }
}

#[cfg(feature = "aio")]
impl<T: Serialize + DeserializeOwned> ManagerArray<T, crate::aio::Async> {
    /// Goes through all values in order, a page at a time.
    ///
    /// # Atomicity
    /// Each page is of one moment, the whole is not; [`values`](Self::values) is. After an error the
    /// stream is over.
    pub fn iter(&self) -> Stream<'_, T> {
        Stream::new(self, ListCursor::Forward { start: 0 })
    }

    /// Goes through all values from the last to the first; else as [`iter`](Self::iter).
    pub fn iter_rev(&self) -> Stream<'_, T> {
        Stream::new(self, ListCursor::End)
    }
}

/// The values of an array, fetched in pages. Made by [`ManagerArray::iter`].
pub type Iter<'a, T> = crate::pages::Iter<'a, ManagerArray<T, Blocking>>;

/// The values of an array, fetched in pages. Made by `iter` of the async array.
#[cfg(feature = "aio")]
pub type Stream<'a, T> = crate::pages::Stream<'a, ManagerArray<T, crate::aio::Async>>;

impl<T, L> Paged for ManagerArray<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    type Item = T;
    type Cursor = ListCursor;
    type Link = L;

    fn page(&self, cursor: ListCursor, limit: u32) -> L::Wait<'_, Page<Self>> {
        let (start, asked) = cursor.ask(limit);
        let operation = || Ok(array::Page { start, limit: asked });
        self.handle.call(operation, move |found| cursor.take(found, (start, asked), limit))
    }
}
