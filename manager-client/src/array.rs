//! The array: a proxy for a sequence of a fixed length that lives in the server.
//!
//! Here are the proxy itself and what works on one value; what works on many is in `array::whole`,
//! what depends on what is there in `array::conditional`.

mod conditional;
mod iter;
mod whole;

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use manager_protocol::{Operation, array};
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
use crate::path::ValuePath;
use crate::reference::references;
use crate::slice::{Slice, stepped};
use crate::versioned::VersionedLink;

/// An array in the server, shared by every process that opens its name.
///
/// Its length is fixed by whoever opens it first. Indices may be negative and then count from the
/// end. Values are compared as values: numbers across integer and float, maps regardless of order.
/// Each method is one operation of the server, atomic towards all others, unless its documentation
/// says otherwise.
///
/// # Errors
/// Every method can fail with [`is_timeout`](crate::Error::is_timeout),
/// [`is_disconnected`](crate::Error::is_disconnected), [`is_no_such_object`](crate::Error::is_no_such_object) once
/// the array was deleted, and, where it returns values, with [`is_wrong_type`](crate::Error::is_wrong_type) if
/// they are not of the proxy's type.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let grid = manager.array("grid", [0.0; 100])?;
/// grid.set(-1, &0.5)?;
/// assert_eq!(grid.get(99)?, 0.5);
/// # Ok::<(), manager_client::Error>(())
/// ```
pub struct ManagerArray<T, L = Blocking> {
    pub(crate) handle: Handle<L>,
    values: PhantomData<fn() -> T>,
}

references!([T] ManagerArray, Array, "grid", "manager.array(\"grid\", [0; 4])?");

impl<T, L> ManagerArray<T, L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle, values: PhantomData }
    }
}

impl<T, L: Link> ManagerArray<T, L> {
    /// The name that the array was opened by; `None` if it was made without one, or came as a reference.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// assert_eq!(grid.name(), Some("grid"));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.handle.name()
    }

    /// The same array, each of whose methods also returns the array's version.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.set(0, &5)?;
    /// let seen = grid.versioned().get(0)?;
    /// assert_eq!((seen.value, seen.version), (5, 1));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn versioned(&self) -> ManagerArray<T, VersionedLink<L>> {
        ManagerArray::new(self.handle.over(VersionedLink::new(self.handle.link.clone())))
    }

    /// The same array, whose calls are queued in a pipeline or a transaction.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// let pipeline = manager.pipeline();
    /// grid.on(&pipeline).set(0, &5);
    /// pipeline.send()?;
    /// assert_eq!(grid.version()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn on(&self, queue: &impl Queue) -> ManagerArray<T, Batch> {
        ManagerArray::new(self.handle.over(queue.link()))
    }
}

impl<T, L: DirectLink> ManagerArray<T, L> {
    /// The same array with another time that a call may take.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// let grid = grid.with_timeout(std::time::Duration::from_millis(500));
    /// grid.set(0, &5)?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self::new(self.handle.with_timeout(timeout))
    }
}

impl<T, L> ManagerArray<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// How many values there are.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// assert_eq!(grid.len()?, 4);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__len__")]
    #[allow(clippy::len_without_is_empty, reason = "there is one")]
    pub fn len(&self) -> L::Wait<'_, u64> {
        self.handle.call(|| Ok(array::Len {}), Ok)
    }

    /// Whether there is no value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// assert!(!grid.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn is_empty(&self) -> L::Wait<'_, bool> {
        self.handle.call(|| Ok(array::Len {}), |len| Ok(len == 0))
    }

    /// The array's version: the number of changes it has seen.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// let before = grid.version()?;
    /// grid.set(0, &5)?;
    /// assert!(grid.version()? > before);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn version(&self) -> L::Wait<'_, u64> {
        let encode = |out: &mut Vec<u8>| array::Len {}.encode(out);
        self.handle.link.call(&self.handle.target, array::Len::ROW, encode, |answer| Ok(answer.version))
    }

    /// The way into the value at an index, which may count from the end: what is inside is read and changed in its place.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let rows = manager.array("rows", [vec![7, 8]])?;
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
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// assert_eq!(grid.get(-1)?, 0);
    /// assert!(grid.get(4).is_err_and(|error| error.is_out_of_range()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__getitem__")]
    pub fn get(&self, index: i64) -> L::Wait<'_, T> {
        self.handle.call(|| Ok(array::Get { index }), |value| value.decode())
    }

    /// Replaces the value at an index.
    ///
    /// # Errors
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is none.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.set(1, &5)?;
    /// assert_eq!(grid.values()?, [0, 5, 0, 0]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__setitem__")]
    pub fn set<W>(&self, index: i64, value: &W) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(array::Set { index, value: value.get()? }), Ok)
    }

    /// Exchanges the values at two indices.
    ///
    /// # Errors
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is none at one of them.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.set(0, &5)?;
    /// grid.swap(0, -1)?;
    /// assert_eq!(grid.values()?, [0, 0, 0, 5]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn swap(&self, first: i64, second: i64) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(array::SwapValues { first, second }), Ok)
    }

    /// Whether a value equals this one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// assert!(grid.contains(&0)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__contains__")]
    pub fn contains<W>(&self, value: &W) -> L::Wait<'_, bool>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(array::Contains { value: value.get()? }), Ok)
    }

    /// The first index whose value equals this one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.set(2, &5)?;
    /// assert_eq!(grid.index_of(&5)?, Some(2));
    /// assert_eq!(grid.index_of(&6)?, None);
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
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// assert_eq!(grid.index_of_within(&0, 2..)?, Some(2));
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
            Ok(array::Index { value: value.get()?, start, stop })
        };
        self.handle.call(operation, Ok)
    }

    /// How many values equal this one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// assert_eq!(grid.count(&0)?, 4);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn count<W>(&self, value: &W) -> L::Wait<'_, u64>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(array::Count { value: value.get()? }), Ok)
    }
}

impl<T, L: Clone> Clone for ManagerArray<T, L> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl<T, L> fmt::Debug for ManagerArray<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManagerArray").field(&self.handle.target.label()).finish()
    }
}

impl<T, L> Sealed for ManagerArray<T, L> {}

impl<T, L: Link> Object for ManagerArray<T, L> {
    type Over<M: Link> = ManagerArray<T, M>;

    fn target(&self) -> &Target {
        &self.handle.target
    }

    fn over<M: Link>(&self, link: M) -> ManagerArray<T, M> {
        ManagerArray::new(self.handle.over(link))
    }
}
