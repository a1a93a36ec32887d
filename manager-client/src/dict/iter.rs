//! Goes through a dict in pages: the whole is never in memory at once.

use manager_protocol::dict;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ManagerDict, entry};
use crate::blocking::Blocking;
use crate::link::Link;
use crate::pages::{Page, Paged, Place};

impl<K, V> ManagerDict<K, V>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
{
    /// Goes through all entries in order, a page at a time.
    ///
    /// # Blocks
    /// Each time a page has to be fetched.
    ///
    /// # Atomicity
    /// An entry that is there all the time is seen once. One that is inserted, removed or replaced
    /// meanwhile may be seen, or not, or with either value. After an error the iteration is over.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// for entry in ages.iter() {
    ///     let (name, age) = entry?;
    ///     assert_eq!((name.as_str(), age), ("ann", 31));
    /// }
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__iter__", "items"))]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::new(self, Place::START)
    }

    /// Goes through all entries from the last to the first; else as [`iter`](Self::iter).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.insert_keys(["ann", "bob"], &0)?;
    /// let last = ages.iter_rev().next().transpose()?;
    /// assert_eq!(last, Some(("bob".to_owned(), 0)));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__reversed__")]
    pub fn iter_rev(&self) -> Iter<'_, K, V> {
        Iter::new(self, Place::END)
    }
}

#[cfg(feature = "aio")]
impl<K, V> ManagerDict<K, V, crate::aio::Async>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
{
    /// Goes through all entries in order, a page at a time.
    ///
    /// # Atomicity
    /// An entry that is there all the time is seen once. One that is inserted, removed or replaced
    /// meanwhile may be seen, or not, or with either value. After an error the stream is over.
    pub fn iter(&self) -> Stream<'_, K, V> {
        Stream::new(self, Place::START)
    }

    /// Goes through all entries from the last to the first; else as [`iter`](Self::iter).
    pub fn iter_rev(&self) -> Stream<'_, K, V> {
        Stream::new(self, Place::END)
    }
}

/// The entries of a dict, fetched in pages. Made by [`ManagerDict::iter`].
pub type Iter<'a, K, V> = crate::pages::Iter<'a, ManagerDict<K, V, Blocking>>;

/// The entries of a dict, fetched in pages. Made by `iter` of the async dict.
#[cfg(feature = "aio")]
pub type Stream<'a, K, V> = crate::pages::Stream<'a, ManagerDict<K, V, crate::aio::Async>>;

impl<K, V, L> Paged for ManagerDict<K, V, L>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    L: Link,
{
    type Item = (K, V);
    type Cursor = Place;
    type Link = L;

    fn page(&self, place: Place, limit: u32) -> L::Wait<'_, Page<Self>> {
        let Place { after, backward } = place;
        self.handle.call(
            || Ok(dict::Page { after, limit, backward }),
            move |page| {
                let items = page.entries.into_iter().map(entry).collect::<Result<_, _>>()?;
                Ok(Page { items, next: page.next.map(|next| place.behind(next)) })
            },
        )
    }
}
