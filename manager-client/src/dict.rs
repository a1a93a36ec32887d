//! The dict: a proxy for a map that lives in the server and keeps its insertion order.
//!
//! Here are the proxy itself and what works on one entry; what works on many is in `dict::whole`,
//! what depends on what is there in `dict::conditional`.

mod conditional;
mod iter;
mod life;
mod wait_for;
mod whole;

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use manager_protocol::{Encoded, dict};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::iter::Iter;
#[cfg(feature = "aio")]
pub use self::iter::Stream;
pub use self::life::Ttl;
use crate::argument::Argument;
use crate::batch::{Batch, Queue};
use crate::blocking::Blocking;
use crate::handle::Handle;
use crate::link::{DirectLink, Link, Target};
use crate::object::{Object, Sealed};
use crate::path::ValuePath;
use crate::reference::references;
use crate::versioned::VersionedLink;

/// A dict in the server, shared by every process that opens its name.
///
/// It keeps its insertion order; replacing a value keeps the entry's place. Two keys are one if they
/// are the same MessagePack value, so `1_u8`, `1_i64` and `1.0` are one key. Each method is one
/// operation of the server, atomic towards all others, unless its documentation says otherwise.
///
/// # Errors
/// Every method can fail with [`is_timeout`](crate::Error::is_timeout),
/// [`is_disconnected`](crate::Error::is_disconnected), [`is_no_such_object`](crate::Error::is_no_such_object) once
/// the dict was deleted, and, where it returns keys or values, with
/// [`is_wrong_type`](crate::Error::is_wrong_type) if they are not of the proxy's types.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// # let ages = manager.dict::<String, u64>("ages")?;
/// ages.set("ann", &31)?;
/// ages.add("ann", 1)?;
/// assert_eq!(ages.get("ann")?, Some(32));
/// # Ok::<(), manager_client::Error>(())
/// ```
pub struct ManagerDict<K, V, L = Blocking> {
    pub(crate) handle: Handle<L>,
    entries: PhantomData<fn() -> (K, V)>,
}

references!([K, V] ManagerDict, Dict, "ages", "manager.dict::<String, u64>(\"ages\")?");

impl<K, V, L> ManagerDict<K, V, L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle, entries: PhantomData }
    }
}

impl<K, V, L: Link> ManagerDict<K, V, L> {
    /// The name that the dict was opened by; `None` if it was made without one, or came as a reference.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert_eq!(ages.name(), Some("ages"));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.handle.name()
    }

    /// The same dict, each of whose methods also returns the dict's version.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// let seen = ages.versioned().get("ann")?;
    /// assert_eq!(seen.value, Some(31));
    /// assert!(ages.replace_if_version("ann", &32, seen.version)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn versioned(&self) -> ManagerDict<K, V, VersionedLink<L>> {
        ManagerDict::new(self.handle.over(VersionedLink::new(self.handle.link.clone())))
    }

    /// The same dict, whose calls are queued in a pipeline or a transaction.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let pipeline = manager.pipeline();
    /// let sum = ages.on(&pipeline).add("ann", 1);
    /// pipeline.send()?;
    /// assert_eq!(sum.take()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn on(&self, queue: &impl Queue) -> ManagerDict<K, V, Batch> {
        ManagerDict::new(self.handle.over(queue.link()))
    }
}

impl<K, V, L: DirectLink> ManagerDict<K, V, L> {
    /// The same dict with another time that a call may take.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let ages = ages.with_timeout(std::time::Duration::from_millis(500));
    /// ages.len()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self::new(self.handle.with_timeout(timeout))
    }
}

impl<K, V, L> ManagerDict<K, V, L>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    L: Link,
{
    /// How many entries there are.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert_eq!(ages.len()?, 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__len__")]
    #[allow(clippy::len_without_is_empty, reason = "there is one")]
    pub fn len(&self) -> L::Wait<'_, u64> {
        self.handle.call(|| Ok(dict::Len {}), Ok)
    }

    /// Whether there is no entry.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert!(ages.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn is_empty(&self) -> L::Wait<'_, bool> {
        self.handle.call(|| Ok(dict::Len {}), |len| Ok(len == 0))
    }

    /// The dict's version: the number of changes it has seen.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let before = ages.version()?;
    /// ages.set("ann", &31)?;
    /// assert!(ages.version()? > before);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn version(&self) -> L::Wait<'_, u64> {
        use manager_protocol::Operation;
        let encode = |out: &mut Vec<u8>| dict::Len {}.encode(out);
        self.handle.link.call(&self.handle.target, dict::Len::ROW, encode, |answer| Ok(answer.version))
    }

    /// The value under a key.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert_eq!(ages.get("ann")?, None);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__getitem__")]
    pub fn get<Q>(&self, key: &Q) -> L::Wait<'_, Option<V>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let key = Argument::new(key);
        self.handle.call(|| Ok(dict::Get { key: key.get()? }), |value| value.map(|value| value.decode()).transpose())
    }

    /// The way into the value under a key: what is inside is read and changed in its place.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let tags = manager.dict::<String, Vec<String>>("tags")?;
    /// assert_eq!(tags.at("photo").create().push("sea")?, 1);
    /// assert_eq!(tags.get("photo")?, Some(vec!["sea".to_owned()]));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn at<Q>(&self, key: &Q) -> ValuePath<L>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        ValuePath::new(&self.handle, key)
    }

    /// Whether there is such a key.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert!(!ages.contains_key("ann")?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__contains__", "has_key"))]
    pub fn contains_key<Q>(&self, key: &Q) -> L::Wait<'_, bool>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let key = Argument::new(key);
        self.handle.call(|| Ok(dict::Contains { key: key.get()? }), Ok)
    }

    /// Puts a value under a key. A key that is there already keeps its place.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__setitem__")]
    pub fn set<Q, W>(&self, key: &Q, value: &W) -> L::Wait<'_, ()>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let (key, value) = (Argument::new(key), Argument::new(value));
        self.handle.call(|| Ok(dict::Set { key: key.get()?, value: value.get()? }), Ok)
    }

    /// Puts a value under a key and returns the value that was there.
    ///
    /// Where the old value is of no use, [`set`](Self::set) is cheaper, and safe to repeat.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert_eq!(ages.insert("ann", &31)?, None);
    /// assert_eq!(ages.insert("ann", &32)?, Some(31));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn insert<Q, W>(&self, key: &Q, value: &W) -> L::Wait<'_, Option<V>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let (key, value) = (Argument::new(key), Argument::new(value));
        self.handle.call(
            || Ok(dict::Insert { key: key.get()?, value: value.get()? }),
            |value| value.map(|value| value.decode()).transpose(),
        )
    }

    /// The value under a key; puts this one there first if there is none.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert_eq!(ages.get_or_insert("ann", &31)?, 31);
    /// assert_eq!(ages.get_or_insert("ann", &50)?, 31);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "setdefault")]
    pub fn get_or_insert<Q, W>(&self, key: &Q, value: &W) -> L::Wait<'_, V>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let (key, value) = (Argument::new(key), Argument::new(value));
        self.handle.call(|| Ok(dict::GetOrInsert { key: key.get()?, value: value.get()? }), |value| value.decode())
    }

    /// Removes a key and returns its value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.remove("ann")?, Some(31));
    /// assert_eq!(ages.remove("ann")?, None);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("pop", "__delitem__"))]
    pub fn remove<Q>(&self, key: &Q) -> L::Wait<'_, Option<V>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let key = Argument::new(key);
        self.handle.call(|| Ok(dict::Remove { key: key.get()? }), |value| value.map(|value| value.decode()).transpose())
    }

    /// Removes and returns the entry that was inserted first.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.insert_many([("ann".to_owned(), 31), ("bob".to_owned(), 40)])?;
    /// assert_eq!(ages.pop_first()?, Some(("ann".to_owned(), 31)));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn pop_first(&self) -> L::Wait<'_, Option<(K, V)>> {
        self.handle.call(|| Ok(dict::PopFirst {}), |popped| popped.map(entry).transpose())
    }

    /// Removes and returns the entry that was inserted last.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.insert_many([("ann".to_owned(), 31), ("bob".to_owned(), 40)])?;
    /// assert_eq!(ages.pop_last()?, Some(("bob".to_owned(), 40)));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "popitem")]
    pub fn pop_last(&self) -> L::Wait<'_, Option<(K, V)>> {
        self.handle.call(|| Ok(dict::PopLast {}), |popped| popped.map(entry).transpose())
    }
}

fn optional<V: DeserializeOwned>(value: Option<Encoded<'_>>) -> manager_protocol::Result<Option<V>> {
    value.map(|value| value.decode()).transpose()
}

fn entry<K: DeserializeOwned, V: DeserializeOwned>(
    (key, value): (Encoded<'_>, Encoded<'_>),
) -> manager_protocol::Result<(K, V)> {
    Ok((key.decode()?, value.decode()?))
}

impl<K, V, L: Clone> Clone for ManagerDict<K, V, L> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl<K, V, L> fmt::Debug for ManagerDict<K, V, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManagerDict").field(&self.handle.target.label()).finish()
    }
}

impl<K, V, L> Sealed for ManagerDict<K, V, L> {}

impl<K, V, L: Link> Object for ManagerDict<K, V, L> {
    type Over<M: Link> = ManagerDict<K, V, M>;

    fn target(&self) -> &Target {
        &self.handle.target
    }

    fn over<M: Link>(&self, link: M) -> ManagerDict<K, V, M> {
        ManagerDict::new(self.handle.over(link))
    }
}
