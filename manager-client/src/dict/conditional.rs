//! What depends on what a dict holds: sums, compare-and-set, and closures applied without losing an update.

use std::borrow::Borrow;

use manager_protocol::{Encoded, dict};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ManagerDict, optional};
use crate::argument::{Argument, Arguments, cannot_decode, many};
use crate::error::Result;
use crate::link::{DirectLink, Link};
use crate::number::{Number, sum};
use crate::reference::{Kept, Origin, within};
use crate::retry::Retry;
use crate::swap::Swap;
use crate::update::swap_until_done;

impl<K, V, L> ManagerDict<K, V, L>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    L: Link,
{
    /// Adds to the number under a key (0 if there is none) and returns the sum.
    ///
    /// # Errors
    /// [`is_overflow`](crate::Error::is_overflow) if the sum does not fit a `V`,
    /// [`is_not_a_number`](crate::Error::is_not_a_number) if there is something else; nothing is changed then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert_eq!(ages.add("ann", 1)?, 1);
    /// assert_eq!(ages.add("ann", 2)?, 3);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("incr", "fetch_add"))]
    pub fn add<Q>(&self, key: &Q, delta: V) -> L::Wait<'_, V>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
        V: Number,
    {
        let (key, delta, bounds) = (Argument::new(key), Argument::new(&delta), sum::<V>());
        let operation = || Ok(dict::Add { key: key.get()?, delta: delta.get()?, bounds: bounds.get()? });
        self.handle.call(operation, |value| value.decode())
    }

    /// Sets a key, or removes it, if its value equals what is expected.
    ///
    /// `None` means that there is no such key: expect that, or make it so.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// use manager_client::Swap;
    ///
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.compare_and_set("ann", Some(&30), Some(&40))?, Swap::Current(Some(31)));
    /// assert_eq!(ages.compare_and_set("ann", Some(&31), None)?, Swap::Swapped);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("compare_exchange", "cas"))]
    pub fn compare_and_set<Q>(&self, key: &Q, expected: Option<&V>, new: Option<&V>) -> L::Wait<'_, Swap<Option<V>>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let (key, expected, new) = (Argument::new(key), expected.map(Argument::new), new.map(Argument::new));
        let operation = || {
            let expected = expected.as_ref().map(Argument::get).transpose()?;
            let new = new.as_ref().map(Argument::get).transpose()?;
            Ok(dict::CompareAndSet { key: key.get()?, expected, new })
        };
        self.handle.call(operation, |swap| {
            if swap.swapped { Ok(Swap::Swapped) } else { optional(swap.current).map(Swap::Current) }
        })
    }

    /// Replaces the value of an entry that nobody wrote since a version of the dict; whether it did.
    ///
    /// Versions come from [`versioned`](Self::versioned) and [`version`](Self::version).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// let version = ages.version()?;
    /// ages.set("ann", &32)?;
    /// assert!(!ages.replace_if_version("ann", &33, version)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn replace_if_version<Q, W>(&self, key: &Q, value: &W, version: u64) -> L::Wait<'_, bool>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let (key, value) = (Argument::new(key), Argument::new(value));
        self.handle.call(|| Ok(dict::ReplaceIfVersion { key: key.get()?, value: value.get()?, version }), Ok)
    }

    /// Removes those keys whose entries nobody wrote since a version of the dict; for each, whether it did.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// let version = ages.version()?;
    /// assert_eq!(ages.remove_if_version(["ann", "bob"], version)?, [true, false]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn remove_if_version<'q, Q>(
        &self,
        keys: impl IntoIterator<Item = &'q Q>,
        version: u64,
    ) -> L::Wait<'_, Vec<bool>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        let keys = Arguments::new::<Q, &Q>(keys);
        let operation = || Ok(dict::RemoveIfVersion { keys: keys.get()?, version });
        self.handle.call(operation, |removed| Ok(removed.collect()))
    }
}

impl<K, V, L> ManagerDict<K, V, L>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    L: DirectLink,
{
    /// Replaces the value under a key by what a closure makes of it, and returns the new value.
    ///
    /// `None` means that there is no such key. The closure may run several times: whenever another
    /// client wrote the key in between, it runs again with what is there then.
    ///
    /// # Atomicity
    /// No update is lost, of this client or of any other.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if others were faster each time.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.update_with("ann", |age| Some(age.unwrap_or(30) + 1))?;
    /// assert_eq!(ages.get("ann")?, Some(31));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn update_with<'a, Q, F>(&'a self, key: &Q, mut change: F) -> L::Wait<'a, Option<V>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
        F: FnMut(Option<V>) -> Option<V> + Send + 'a,
    {
        let key = Argument::new(key);
        L::run(async move {
            let key = key.get()?;
            let found = self.handle.raw(dict::Get { key: key.clone() }).await?;
            let old = found.reply::<dict::Get<'_>>()?.map(|value| Kept::new(&value, found.origin()));
            let current = |current: Option<Encoded<'_>>, origin: Option<&Origin>| {
                Ok(current.map(|value| Kept::new(&value, origin)))
            };
            let swap = |expected: Option<Kept>, new: Option<Kept>| {
                let encoded = |value: Option<Kept>| value.map(|value| value.encoded());
                dict::CompareAndSet { key: key.clone(), expected: encoded(expected), new: encoded(new) }
            };
            let change = |old: &Option<Kept>| {
                let old = old.as_ref().map(Kept::decode).transpose()?;
                change(old).map(|new| Kept::encode(&new, &self.handle.link)).transpose()
            };
            let new = swap_until_done(&self.handle, old, current, swap, change).await?;
            new.map(|new| new.decode()).transpose()
        })
    }

    /// Removes the entries that a closure does not want to keep.
    ///
    /// An entry that another client wrote in between is looked at again.
    ///
    /// # Atomicity
    /// Each entry is removed only as the closure saw it; the dict as a whole is gone through in
    /// pages, and entries inserted meanwhile may not be seen. Each page that loses entries is one
    /// change of the dict's version.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.insert_many([("ann".to_owned(), 31), ("bob".to_owned(), 40)])?;
    /// ages.retain(|_, age| *age < 35)?;
    /// assert_eq!(ages.keys()?, ["ann"]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn retain<'a, F>(&'a self, mut keep: F) -> L::Wait<'a, ()>
    where
        F: FnMut(&K, &V) -> bool + Send + 'a,
    {
        L::run(async move {
            let mut after = None;
            loop {
                let found = self.handle.raw(dict::Page { after, limit: PAGE, backward: false }).await?;
                let judge = |page: dict::PageReply<'_>| Ok((unwanted(&mut keep, page.entries)?, page.next));
                let (unwanted, next) = found.read::<dict::Page, _>(judge)?;
                self.remove_unwanted(unwanted, found.version, &mut keep).await?;
                match next {
                    Some(next) => after = Some(next),
                    None => return Ok(()),
                }
            }
        })
    }

    /// Removes entries as of a version, and judges those again that were written since.
    async fn remove_unwanted<F>(&self, mut keys: Vec<Vec<u8>>, mut version: u64, keep: &mut F) -> Result<()>
    where
        F: FnMut(&K, &V) -> bool + Send,
    {
        let mut retry = Retry::new(&self.handle.link);
        while !keys.is_empty() {
            let removed = self.handle.raw(dict::RemoveIfVersion { keys: many(&keys), version }).await?;
            let mut removed = removed.reply::<dict::RemoveIfVersion<'_>>()?;
            keys.retain(|_| removed.next() == Some(false));
            drop(removed);
            if keys.is_empty() {
                break;
            }
            retry.pause::<dict::RemoveIfVersion<'_>>(&self.handle.target).await?;
            let found = self.handle.raw(dict::GetMany { keys: many(&keys) }).await?;
            version = found.version;
            keys = within(found.answer(), |answer| {
                let values = answer.reply::<dict::GetMany<'_>>()?;
                let entries = keys.iter().zip(values).filter_map(|(key, value)| Some((Encoded::from(key), value?)));
                unwanted(keep, entries)
            })?;
        }
        Ok(())
    }
}

/// The keys of the entries that the closure does not keep.
fn unwanted<'r, K: DeserializeOwned, V: DeserializeOwned>(
    keep: &mut impl FnMut(&K, &V) -> bool,
    entries: impl IntoIterator<Item = (Encoded<'r>, Encoded<'r>)>,
) -> Result<Vec<Vec<u8>>> {
    let mut unwanted = Vec::new();
    for (key, value) in entries {
        let decoded = (key.decode().map_err(cannot_decode)?, value.decode().map_err(cannot_decode)?);
        if !keep(&decoded.0, &decoded.1) {
            unwanted.push(key.as_slice().to_vec());
        }
    }
    Ok(unwanted)
}

/// Entries asked for at a time.
const PAGE: u32 = 1000;
