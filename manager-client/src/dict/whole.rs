//! What works on many entries of a dict at once.

use std::borrow::Borrow;

use manager_protocol::dict;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ManagerDict, entry, optional};
use crate::argument::{Argument, Arguments, Pairs};
use crate::link::Link;

impl<K, V, L> ManagerDict<K, V, L>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    L: Link,
{
    /// Removes every entry.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// ages.clear()?;
    /// assert!(ages.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn clear(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(dict::Clear {}), Ok)
    }

    /// Every entry, in order.
    ///
    /// # Atomicity
    /// All as of one moment. For a dict that does not fit in memory twice, see `iter`.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.items()?, [("ann".to_owned(), 31)]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "copy")]
    pub fn items(&self) -> L::Wait<'_, Vec<(K, V)>> {
        self.handle.call(|| Ok(dict::Items {}), |entries| entries.map(entry).collect())
    }

    /// Every key, in order, as of one moment.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.keys()?, ["ann"]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn keys(&self) -> L::Wait<'_, Vec<K>> {
        self.handle.call(|| Ok(dict::Keys {}), |keys| keys.map(|key| key.decode()).collect())
    }

    /// Every value, in order, as of one moment.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.values()?, [31]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn values(&self) -> L::Wait<'_, Vec<V>> {
        self.handle.call(|| Ok(dict::Values {}), |values| values.map(|value| value.decode()).collect())
    }

    /// The values under some keys, in the order asked, as of one moment.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.get_many(["ann", "bob"])?, [Some(31), None]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn get_many<'q, Q>(&self, keys: impl IntoIterator<Item = &'q Q>) -> L::Wait<'_, Vec<Option<V>>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        let keys = Arguments::new::<Q, &Q>(keys);
        self.handle.call(|| Ok(dict::GetMany { keys: keys.get()? }), |values| values.map(optional).collect())
    }

    /// Puts several entries, in order.
    ///
    /// # Atomicity
    /// All at once: nobody sees some of them.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.insert_many([("ann".to_owned(), 31), ("bob".to_owned(), 40)])?;
    /// assert_eq!(ages.len()?, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("update", "__ior__"))]
    pub fn insert_many<A, B>(&self, entries: impl IntoIterator<Item = (A, B)>) -> L::Wait<'_, ()>
    where
        A: Borrow<K>,
        B: Borrow<V>,
    {
        let entries = Pairs::new::<K, V, A, B>(entries);
        self.handle.call(|| Ok(dict::InsertMany { entries: entries.get()? }), Ok)
    }

    /// Puts the same value under several keys, all at once.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.insert_keys(["ann", "bob"], &0)?;
    /// assert_eq!(ages.values()?, [0, 0]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "fromkeys")]
    pub fn insert_keys<'q, Q, W>(&self, keys: impl IntoIterator<Item = &'q Q>, value: &W) -> L::Wait<'_, ()>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let (keys, value) = (Arguments::new::<Q, &Q>(keys), Argument::new(value));
        self.handle.call(|| Ok(dict::InsertKeys { keys: keys.get()?, value: value.get()? }), Ok)
    }

    /// Removes several keys, all at once; returns how many there were.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.remove_many(["ann", "bob"])?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn remove_many<'q, Q>(&self, keys: impl IntoIterator<Item = &'q Q>) -> L::Wait<'_, u64>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        let keys = Arguments::new::<Q, &Q>(keys);
        self.handle.call(|| Ok(dict::RemoveMany { keys: keys.get()? }), Ok)
    }

    /// Puts every entry of another dict of the same server, or of this one, in order.
    ///
    /// The entries do not cross the socket.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other dict is in another server.
    ///
    /// # Atomicity
    /// One operation on both dicts.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let guests = manager.dict::<String, u64>("guests")?;
    /// guests.set("bob", &40)?;
    /// ages.update_from(&guests)?;
    /// assert_eq!(ages.get("bob")?, Some(40));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "update")]
    pub fn update_from<M: Link>(&self, other: &ManagerDict<K, V, M>) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(dict::UpdateFrom { source: self.handle.source(&other.handle.target)? }), Ok)
    }

    /// What the dict would hold after [`insert_many`](Self::insert_many); changes nothing.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// let both = ages.union([("bob".to_owned(), 40)])?;
    /// assert_eq!(both.len(), 2);
    /// assert_eq!(ages.len()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__or__")]
    pub fn union<A, B>(&self, entries: impl IntoIterator<Item = (A, B)>) -> L::Wait<'_, Vec<(K, V)>>
    where
        A: Borrow<K>,
        B: Borrow<V>,
    {
        let added = Pairs::new::<K, V, A, B>(entries);
        self.handle.call(|| Ok(dict::Union { entries: added.get()? }), |entries| entries.map(entry).collect())
    }

    /// What the dict would hold after [`update_from`](Self::update_from); changes nothing.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other dict is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let guests = manager.dict::<String, u64>("guests")?;
    /// guests.set("bob", &40)?;
    /// assert_eq!(ages.union_from(&guests)?, [("bob".to_owned(), 40)]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__or__")]
    pub fn union_from<M: Link>(&self, other: &ManagerDict<K, V, M>) -> L::Wait<'_, Vec<(K, V)>> {
        self.handle.call(
            || Ok(dict::UnionFrom { source: self.handle.source(&other.handle.target)? }),
            |entries| entries.map(entry).collect(),
        )
    }
}
