//! The list: a proxy for a sequence that lives in the server.
//!
//! Here are the proxy itself and what works on one value; what works on many is in `list::whole`,
//! what depends on what is there in `list::conditional`.

mod conditional;
mod iter;
mod whole;

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use manager_protocol::{Operation, list};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::iter::Iter;
pub(crate) use self::iter::ListCursor;
#[cfg(feature = "aio")]
pub use self::iter::Stream;
use crate::argument::Argument;
use crate::batch::{Batch, Queue};
use crate::blocking::Blocking;
use crate::handle::Handle;
use crate::link::{DirectLink, Link, Target};
use crate::object::{Object, Sealed};
use crate::path::ValuePath;
use crate::reference::references;
use crate::slice::{Slice, stepped};
use crate::versioned::VersionedLink;

/// A list in the server, shared by every process that opens its name.
///
/// Indices may be negative and then count from the end. Values are compared as values: numbers across
/// integer and float, maps regardless of order. Adding and removing at either end takes constant
/// time. Each method is one operation of the server, atomic towards all others, unless its
/// documentation says otherwise.
///
/// # Errors
/// Every method can fail with [`is_timeout`](crate::Error::is_timeout),
/// [`is_disconnected`](crate::Error::is_disconnected), [`is_no_such_object`](crate::Error::is_no_such_object) once
/// the list was deleted, and, where it returns values, with [`is_wrong_type`](crate::Error::is_wrong_type) if
/// they are not of the proxy's type.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// # let todo = manager.list::<String>("todo")?;
/// todo.push("sleep")?;
/// todo.push_front("eat")?;
/// assert_eq!(todo.values()?, ["eat", "sleep"]);
/// # Ok::<(), manager_client::Error>(())
/// ```
pub struct ManagerList<T, L = Blocking> {
    pub(crate) handle: Handle<L>,
    values: PhantomData<fn() -> T>,
}

references!([T] ManagerList, List, "todo", "manager.list::<String>(\"todo\")?");

impl<T, L> ManagerList<T, L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle, values: PhantomData }
    }
}

impl<T, L: Link> ManagerList<T, L> {
    /// The name that the list was opened by; `None` if it was made without one, or came as a reference.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// assert_eq!(todo.name(), Some("todo"));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.handle.name()
    }

    /// The same list, each of whose methods also returns the list's version.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// let seen = todo.versioned().values()?;
    /// assert!(todo.replace_if_version(["sleep".to_owned()], seen.version)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn versioned(&self) -> ManagerList<T, VersionedLink<L>> {
        ManagerList::new(self.handle.over(VersionedLink::new(self.handle.link.clone())))
    }

    /// The same list, whose calls are queued in a pipeline or a transaction.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// let pipeline = manager.pipeline();
    /// todo.on(&pipeline).push("eat");
    /// let len = todo.on(&pipeline).len();
    /// pipeline.send()?;
    /// assert_eq!(len.take()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn on(&self, queue: &impl Queue) -> ManagerList<T, Batch> {
        ManagerList::new(self.handle.over(queue.link()))
    }
}

impl<T, L: DirectLink> ManagerList<T, L> {
    /// The same list with another time that a call may take.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// let todo = todo.with_timeout(std::time::Duration::from_millis(500));
    /// todo.len()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self::new(self.handle.with_timeout(timeout))
    }
}

impl<T, L> ManagerList<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// How many values there are.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// assert_eq!(todo.len()?, 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__len__")]
    #[allow(clippy::len_without_is_empty, reason = "there is one")]
    pub fn len(&self) -> L::Wait<'_, u64> {
        self.handle.call(|| Ok(list::Len {}), Ok)
    }

    /// Whether there is no value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// assert!(todo.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn is_empty(&self) -> L::Wait<'_, bool> {
        self.handle.call(|| Ok(list::Len {}), |len| Ok(len == 0))
    }

    /// The list's version: the number of changes it has seen.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// let before = todo.version()?;
    /// todo.push("eat")?;
    /// assert!(todo.version()? > before);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn version(&self) -> L::Wait<'_, u64> {
        let encode = |out: &mut Vec<u8>| list::Len {}.encode(out);
        self.handle.link.call(&self.handle.target, list::Len::ROW, encode, |answer| Ok(answer.version))
    }

    /// The way into the value at an index, which may count from the end: what is inside is read and changed in its place.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7, 8].as_slice())?;
    /// assert_eq!(rows.at(-1).index(0).add(1)?, 8);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn at(&self, index: i64) -> ValuePath<L> {
        ValuePath::new(&self.handle, &index)
    }

    /// The value at an index.
    ///
    /// # Errors
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is none.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// assert_eq!(todo.get(-1)?, "eat");
    /// assert!(todo.get(1).is_err_and(|error| error.is_out_of_range()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__getitem__")]
    pub fn get(&self, index: i64) -> L::Wait<'_, T> {
        self.handle.call(|| Ok(list::Get { index }), |value| value.decode())
    }

    /// Replaces the value at an index.
    ///
    /// # Errors
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is none.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// todo.set(0, "sleep")?;
    /// assert_eq!(todo.get(0)?, "sleep");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__setitem__")]
    pub fn set<W>(&self, index: i64, value: &W) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(list::Set { index, value: value.get()? }), Ok)
    }

    /// Adds a value at the end.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// assert_eq!(todo.len()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("append", "push_back"))]
    pub fn push<W>(&self, value: &W) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(list::Push { value: value.get()? }), Ok)
    }

    /// Adds a value at the front.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("sleep")?;
    /// todo.push_front("eat")?;
    /// assert_eq!(todo.get(0)?, "eat");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "appendleft")]
    pub fn push_front<W>(&self, value: &W) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(list::PushFront { value: value.get()? }), Ok)
    }

    /// Removes and returns the last value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// assert_eq!(todo.pop()?, Some("eat".to_owned()));
    /// assert_eq!(todo.pop()?, None);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "pop_back")]
    pub fn pop(&self) -> L::Wait<'_, Option<T>> {
        self.handle.call(|| Ok(list::Pop {}), |value| value.map(|value| value.decode()).transpose())
    }

    /// Removes and returns the first value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// assert_eq!(todo.pop_front()?, Some("eat".to_owned()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "popleft")]
    pub fn pop_front(&self) -> L::Wait<'_, Option<T>> {
        self.handle.call(|| Ok(list::PopFront {}), |value| value.map(|value| value.decode()).transpose())
    }

    /// Inserts a value before an index; an index past either end means that end.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("sleep")?;
    /// todo.insert(-1, "eat")?;
    /// todo.insert(9, "dream")?;
    /// assert_eq!(todo.values()?, ["eat", "sleep", "dream"]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn insert<W>(&self, index: i64, value: &W) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(list::Insert { index, value: value.get()? }), Ok)
    }

    /// Removes and returns the value at an index.
    ///
    /// # Errors
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is none.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// assert_eq!(todo.remove(0)?, "eat");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("pop", "__delitem__"))]
    pub fn remove(&self, index: i64) -> L::Wait<'_, T> {
        self.handle.call(|| Ok(list::Remove { index }), |value| value.decode())
    }

    /// Removes the first value that equals this one; whether there was one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// assert!(todo.remove_value("eat")?);
    /// assert!(!todo.remove_value("eat")?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "remove")]
    pub fn remove_value<W>(&self, value: &W) -> L::Wait<'_, bool>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(list::RemoveValue { value: value.get()? }), Ok)
    }

    /// Whether a value equals this one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// assert!(todo.contains("eat")?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__contains__")]
    pub fn contains<W>(&self, value: &W) -> L::Wait<'_, bool>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(list::Contains { value: value.get()? }), Ok)
    }

    /// The first index whose value equals this one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// assert_eq!(todo.index_of("eat")?, Some(0));
    /// assert_eq!(todo.index_of("sleep")?, None);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "index")]
    pub fn index_of<W>(&self, value: &W) -> L::Wait<'_, Option<u64>>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        self.index_of_within(value, ..)
    }

    /// The first index within a range whose value equals this one.
    ///
    /// # Errors
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) for a slice with a step.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([7, 8, 7])?;
    /// assert_eq!(numbers.index_of_within(&7, 1..)?, Some(2));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "index")]
    pub fn index_of_within<W>(&self, value: &W, range: impl Into<Slice>) -> L::Wait<'_, Option<u64>>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let (value, range) = (Argument::new(value), range.into());
        let operation = || {
            let (start, stop) = range.ends().ok_or_else(stepped)?;
            Ok(list::Index { value: value.get()?, start, stop })
        };
        self.handle.call(operation, Ok)
    }

    /// How many values equal this one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([7, 8, 7])?;
    /// assert_eq!(numbers.count(&7)?, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn count<W>(&self, value: &W) -> L::Wait<'_, u64>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(list::Count { value: value.get()? }), Ok)
    }
}

impl<T, L: Clone> Clone for ManagerList<T, L> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl<T, L> fmt::Debug for ManagerList<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManagerList").field(&self.handle.target.label()).finish()
    }
}

impl<T, L> Sealed for ManagerList<T, L> {}

impl<T, L: Link> Object for ManagerList<T, L> {
    type Over<M: Link> = ManagerList<T, M>;

    fn target(&self) -> &Target {
        &self.handle.target
    }

    fn over<M: Link>(&self, link: M) -> ManagerList<T, M> {
        ManagerList::new(self.handle.over(link))
    }
}
