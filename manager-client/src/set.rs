//! The set: a proxy for values, each once, that live in the server in the order of their insertion.
//!
//! Here are the proxy itself and what works on one value; what works on many is in `set::whole`, what
//! two sets make together in `set::combine` and `set::in_place`, how they relate in `set::relate`.

mod combine;
mod in_place;
mod iter;
mod relate;
mod whole;

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use manager_protocol::{Operation, set};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::iter::Iter;
#[cfg(feature = "aio")]
pub use self::iter::Stream;
use crate::argument::Argument;
use crate::batch::{Batch, Queue};
use crate::blocking::Blocking;
use crate::handle::Handle;
use crate::link::{DirectLink, Link, Target};
use crate::object::{Object, Sealed};
use crate::reference::references;
use crate::versioned::VersionedLink;

/// A set in the server, shared by every process that opens its name.
///
/// It keeps the order of insertion. Two values are one if they are the same MessagePack value, so
/// `1_u8`, `1_i64` and `1.0` are one; the one first stored is kept. NaN cannot be in a set, nor can
/// what has it inside. Each method is one operation of the server, atomic towards all others, unless
/// its documentation says otherwise.
///
/// # Errors
/// Every method can fail with [`is_timeout`](crate::Error::is_timeout),
/// [`is_disconnected`](crate::Error::is_disconnected), [`is_no_such_object`](crate::Error::is_no_such_object) once
/// the set was deleted, and, where it returns values, with [`is_wrong_type`](crate::Error::is_wrong_type) if
/// they are not of the proxy's type.
/// Where it takes values, [`is_invalid_argument`](crate::Error::is_invalid_argument) if one has a NaN.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// # let tags = manager.set::<String>("tags")?;
/// assert!(tags.insert("red")?);
/// assert!(!tags.insert("red")?);
/// assert_eq!(tags.values()?, ["red"]);
/// # Ok::<(), manager_client::Error>(())
/// ```
pub struct ManagerSet<T, L = Blocking> {
    pub(crate) handle: Handle<L>,
    values: PhantomData<fn() -> T>,
}

references!([T] ManagerSet, Set, "tags", "manager.set::<String>(\"tags\")?");

impl<T, L> ManagerSet<T, L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle, values: PhantomData }
    }
}

impl<T, L: Link> ManagerSet<T, L> {
    /// The name that the set was opened by; `None` if it was made without one, or came as a reference.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// assert_eq!(tags.name(), Some("tags"));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.handle.name()
    }

    /// The same set, each of whose methods also returns the set's version.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// let seen = tags.versioned().insert("red")?;
    /// assert_eq!((seen.value, seen.version), (true, 1));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn versioned(&self) -> ManagerSet<T, VersionedLink<L>> {
        ManagerSet::new(self.handle.over(VersionedLink::new(self.handle.link.clone())))
    }

    /// The same set, whose calls are queued in a pipeline or a transaction.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// let pipeline = manager.pipeline();
    /// tags.on(&pipeline).insert("red");
    /// pipeline.send()?;
    /// assert_eq!(tags.version()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn on(&self, queue: &impl Queue) -> ManagerSet<T, Batch> {
        ManagerSet::new(self.handle.over(queue.link()))
    }
}

impl<T, L: DirectLink> ManagerSet<T, L> {
    /// The same set with another time that a call may take.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// let tags = tags.with_timeout(std::time::Duration::from_millis(500));
    /// tags.insert("red")?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self::new(self.handle.with_timeout(timeout))
    }
}

impl<T, L> ManagerSet<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// How many values there are.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// assert_eq!(tags.len()?, 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__len__")]
    #[allow(clippy::len_without_is_empty, reason = "there is one")]
    pub fn len(&self) -> L::Wait<'_, u64> {
        self.handle.call(|| Ok(set::Len {}), Ok)
    }

    /// Whether there is no value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// assert!(tags.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn is_empty(&self) -> L::Wait<'_, bool> {
        self.handle.call(|| Ok(set::Len {}), |len| Ok(len == 0))
    }

    /// The set's version: the number of changes it has seen.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// let before = tags.version()?;
    /// tags.insert("red")?;
    /// assert!(tags.version()? > before);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn version(&self) -> L::Wait<'_, u64> {
        let encode = |out: &mut Vec<u8>| set::Len {}.encode(out);
        self.handle.link.call(&self.handle.target, set::Len::ROW, encode, |answer| Ok(answer.version))
    }

    /// Whether the set has a value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// assert!(!tags.contains("red")?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__contains__")]
    pub fn contains<W>(&self, value: &W) -> L::Wait<'_, bool>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(set::Contains { value: value.get()? }), Ok)
    }

    /// Adds a value at the end; whether it is new. One that is there already keeps its place.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// assert!(tags.insert("red")?);
    /// assert!(!tags.insert("red")?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "add")]
    pub fn insert<W>(&self, value: &W) -> L::Wait<'_, bool>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(set::Add { value: value.get()? }), Ok)
    }

    /// Removes a value; whether it was there.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// tags.insert("red")?;
    /// assert!(tags.remove("red")?);
    /// assert!(!tags.remove("red")?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "discard")]
    pub fn remove<W>(&self, value: &W) -> L::Wait<'_, bool>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(set::Remove { value: value.get()? }), Ok)
    }

    /// Removes and returns the value that was added first.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// tags.extend(["red".to_owned(), "blue".to_owned()])?;
    /// assert_eq!(tags.pop_first()?, Some("red".to_owned()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn pop_first(&self) -> L::Wait<'_, Option<T>> {
        self.handle.call(|| Ok(set::PopFirst {}), |value| value.map(|value| value.decode()).transpose())
    }

    /// Removes and returns the value that was added last.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let tags = manager.set::<String>("tags")?;
    /// tags.extend(["red".to_owned(), "blue".to_owned()])?;
    /// assert_eq!(tags.pop_last()?, Some("blue".to_owned()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "pop")]
    pub fn pop_last(&self) -> L::Wait<'_, Option<T>> {
        self.handle.call(|| Ok(set::PopLast {}), |value| value.map(|value| value.decode()).transpose())
    }
}

impl<T, L: Clone> Clone for ManagerSet<T, L> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl<T, L> fmt::Debug for ManagerSet<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManagerSet").field(&self.handle.target.label()).finish()
    }
}

impl<T, L> Sealed for ManagerSet<T, L> {}

impl<T, L: Link> Object for ManagerSet<T, L> {
    type Over<M: Link> = ManagerSet<T, M>;

    fn target(&self) -> &Target {
        &self.handle.target
    }

    fn over<M: Link>(&self, link: M) -> ManagerSet<T, M> {
        ManagerSet::new(self.handle.over(link))
    }
}
