//! Goes through a set in pages: the whole is never in memory at once.

use manager_protocol::set;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerSet;
use crate::blocking::Blocking;
use crate::link::Link;
use crate::pages::{Page, Paged, Place};

impl<T: Serialize + DeserializeOwned> ManagerSet<T> {
    /// Goes through all values in order, a page at a time.
    ///
    /// # Blocks
    /// Each time a page has to be fetched.
    ///
    /// # Atomicity
    /// A value that is there all the time is seen once. One that is added or removed meanwhile may be
    /// seen, or not. After an error the iteration is over.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([2, 1])?;
    /// assert_eq!(numbers.iter().collect::<Result<Vec<_>, _>>()?, [2, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__iter__")]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self, Place::START)
    }

    /// Goes through all values from the last to the first; else as [`iter`](Self::iter).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([2, 1])?;
    /// assert_eq!(numbers.iter_rev().collect::<Result<Vec<_>, _>>()?, [1, 2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__reversed__")]
    pub fn iter_rev(&self) -> Iter<'_, T> {
        Iter::new(self, Place::END)
    }
}

#[cfg(feature = "aio")]
impl<T: Serialize + DeserializeOwned> ManagerSet<T, crate::aio::Async> {
    /// Goes through all values in order, a page at a time.
    ///
    /// # Atomicity
    /// A value that is there all the time is seen once. One that is added or removed meanwhile may be
    /// seen, or not. After an error the stream is over.
    pub fn iter(&self) -> Stream<'_, T> {
        Stream::new(self, Place::START)
    }

    /// Goes through all values from the last to the first; else as [`iter`](Self::iter).
    pub fn iter_rev(&self) -> Stream<'_, T> {
        Stream::new(self, Place::END)
    }
}

/// The values of a set, fetched in pages. Made by [`ManagerSet::iter`].
pub type Iter<'a, T> = crate::pages::Iter<'a, ManagerSet<T, Blocking>>;

/// The values of a set, fetched in pages. Made by `iter` of the async set.
#[cfg(feature = "aio")]
pub type Stream<'a, T> = crate::pages::Stream<'a, ManagerSet<T, crate::aio::Async>>;

impl<T, L> Paged for ManagerSet<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    type Item = T;
    type Cursor = Place;
    type Link = L;

    fn page(&self, place: Place, limit: u32) -> L::Wait<'_, Page<Self>> {
        let Place { after, backward } = place;
        self.handle.call(
            || Ok(set::Page { after, limit, backward }),
            move |page| {
                let items = page.values.into_iter().map(|value| value.decode()).collect::<Result<_, _>>()?;
                Ok(Page { items, next: page.next.map(|next| place.behind(next)) })
            },
        )
    }
}
