//! The methods that begin a watch.

use std::borrow::Borrow;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "aio")]
use super::stream::Stream;
use super::subject::{Entries, Entry, Values};
use super::{Watch, Watching};
#[cfg(feature = "aio")]
use crate::aio::Async;
use crate::argument::Argument;
use crate::dict::ManagerDict;
use crate::list::ManagerList;

/// What becomes of a dict. Made by [`ManagerDict::watch`].
pub type DictWatch<K, V> = Watch<Entries<K, V>>;

/// What becomes of the value under a key of a dict. Made by [`ManagerDict::watch_key`].
pub type KeyWatch<V> = Watch<Entry<V>>;

/// What becomes of a list. Made by [`ManagerList::watch`].
pub type ListWatch<T> = Watch<Values<T>>;

/// What becomes of a dict. Made by `watch` of the async dict.
#[cfg(feature = "aio")]
pub type DictWatchStream<K, V> = Stream<Entries<K, V>>;

/// What becomes of the value under a key of a dict. Made by `watch_key` of the async dict.
#[cfg(feature = "aio")]
pub type KeyWatchStream<V> = Stream<Entry<V>>;

/// What becomes of a list. Made by `watch` of the async list.
#[cfg(feature = "aio")]
pub type ListWatchStream<T> = Stream<Values<T>>;

impl<K, V> ManagerDict<K, V>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
{
    /// Watches the dict: all entries now, and then every change, each once and in order.
    ///
    /// # Blocks
    /// Each time an item is taken, until there is one.
    ///
    /// ```
    /// use manager_client::{DictChange, DictUpdate};
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// let mut watch = ages.watch();
    /// let Some(DictUpdate::Snapshot { version, entries, .. }) = watch.next().transpose()? else { panic!() };
    /// assert_eq!(entries, [("ann".to_owned(), 31)]);
    ///
    /// ages.set("bob", &40)?;
    /// let set = DictChange::Set { version: version + 1, key: "bob".to_owned(), value: 40 };
    /// assert_eq!(watch.next().transpose()?, Some(DictUpdate::Changes(vec![set])));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("subscribe", "observe"))]
    pub fn watch(&self) -> DictWatch<K, V> {
        Watch::new(Watching::new(&self.handle, None))
    }

    /// Watches one key: the value now, and after every change.
    ///
    /// # Blocks
    /// Each time an item is taken, until there is one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let mut watch = ages.watch_key("ann");
    /// assert_eq!(watch.next().expect("never the end")?.value, None);
    /// ages.set("ann", &31)?;
    /// assert_eq!(watch.next().expect("never the end")?.value, Some(31));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("subscribe", "observe"))]
    pub fn watch_key<Q>(&self, key: &Q) -> KeyWatch<V>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        Watch::new(Watching::new(&self.handle, Some(Argument::new(key))))
    }
}

impl<T: Serialize + DeserializeOwned> ManagerList<T> {
    /// Watches the list: all values now, and then every change, each once and in order.
    ///
    /// # Blocks
    /// Each time an item is taken, until there is one.
    ///
    /// ```
    /// use manager_client::ListUpdate;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// let mut watch = todo.watch();
    /// let first = watch.next().expect("never the end")?;
    /// assert!(matches!(first, ListUpdate::Snapshot { values, .. } if values == ["eat"]));
    ///
    /// todo.push("sleep")?;
    /// let ListUpdate::Changes(changes) = watch.next().expect("never the end")? else { panic!() };
    /// assert_eq!((changes[0].start, changes[0].removed), (1, 0));
    /// assert_eq!(changes[0].values, ["sleep"]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("subscribe", "observe"))]
    pub fn watch(&self) -> ListWatch<T> {
        Watch::new(Watching::new(&self.handle, None))
    }
}

#[cfg(feature = "aio")]
impl<K, V> ManagerDict<K, V, Async>
where
    K: Serialize + DeserializeOwned + 'static,
    V: Serialize + DeserializeOwned + 'static,
{
    /// Watches the dict: all entries now, and then every change, each once and in order.
    pub fn watch(&self) -> DictWatchStream<K, V> {
        Stream::new(Watching::new(&self.handle, None))
    }

    /// Watches one key: the value now, and after every change.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), manager_client::Error> {
    /// # let manager = manager_client::aio::Manager::start().await?;
    /// # let ages = manager.dict::<String, u64>("ages").await?;
    /// let mut watch = ages.watch_key("ann");
    /// ages.set("ann", &31).await?;
    /// assert_eq!(watch.next().await.expect("never the end")?.value, Some(31));
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_key<Q>(&self, key: &Q) -> KeyWatchStream<V>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        Stream::new(Watching::new(&self.handle, Some(Argument::new(key))))
    }
}

#[cfg(feature = "aio")]
impl<T: Serialize + DeserializeOwned + 'static> ManagerList<T, Async> {
    /// Watches the list: all values now, and then every change, each once and in order.
    pub fn watch(&self) -> ListWatchStream<T> {
        Stream::new(Watching::new(&self.handle, None))
    }
}
