//! The value: a proxy for a cell that lives in the server and holds one value.

mod wait_for;

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use manager_protocol::{Operation, value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::argument::Argument;
use crate::batch::{Batch, Queue};
use crate::blocking::Blocking;
use crate::handle::Handle;
use crate::link::{DirectLink, Link, Target};
use crate::number::{Number, sum};
use crate::object::{Object, Sealed};
use crate::path::ValuePath;
use crate::reference::references;
use crate::swap::{Swap, current};
use crate::update::update;
use crate::versioned::VersionedLink;

/// A value in the server, shared by every process that opens its name.
///
/// It always holds something: whoever opens it first says what. Each method is one operation of the
/// server, atomic towards all others, unless its documentation says otherwise.
///
/// # Errors
/// Every method can fail with [`is_timeout`](crate::Error::is_timeout),
/// [`is_disconnected`](crate::Error::is_disconnected), [`is_no_such_object`](crate::Error::is_no_such_object) once
/// the value was deleted, and, where it returns values, with [`is_wrong_type`](crate::Error::is_wrong_type) if
/// they are not of the proxy's type.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let progress = manager.value("progress", &0_u64)?;
/// progress.add(5)?;
/// assert_eq!(progress.get()?, 5);
/// # Ok::<(), manager_client::Error>(())
/// ```
pub struct ManagerValue<T, L = Blocking> {
    pub(crate) handle: Handle<L>,
    values: PhantomData<fn() -> T>,
}

references!([T] ManagerValue, Value, "progress", "manager.value(\"progress\", &0_u64)?");

impl<T, L> ManagerValue<T, L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle, values: PhantomData }
    }
}

impl<T, L: Link> ManagerValue<T, L> {
    /// The name that the value was opened by; `None` if it was made without one, or came as a reference.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// assert_eq!(progress.name(), Some("progress"));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.handle.name()
    }

    /// The same value, each of whose methods also returns the value's version.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// progress.set(&5)?;
    /// let seen = progress.versioned().get()?;
    /// assert_eq!((seen.value, seen.version), (5, 1));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn versioned(&self) -> ManagerValue<T, VersionedLink<L>> {
        ManagerValue::new(self.handle.over(VersionedLink::new(self.handle.link.clone())))
    }

    /// The same value, whose calls are queued in a pipeline or a transaction.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// let pipeline = manager.pipeline();
    /// progress.on(&pipeline).set(&5);
    /// pipeline.send()?;
    /// assert_eq!(progress.version()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn on(&self, queue: &impl Queue) -> ManagerValue<T, Batch> {
        ManagerValue::new(self.handle.over(queue.link()))
    }
}

impl<T, L: DirectLink> ManagerValue<T, L> {
    /// The same value with another time that a call may take.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// let progress = progress.with_timeout(std::time::Duration::from_millis(500));
    /// progress.set(&5)?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self::new(self.handle.with_timeout(timeout))
    }
}

impl<T, L> ManagerValue<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// What the value is now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// assert_eq!(progress.get()?, 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("value", "load"))]
    pub fn get(&self) -> L::Wait<'_, T> {
        self.handle.call(|| Ok(value::Get {}), |value| value.decode())
    }

    /// The way into the value: what is inside is read and changed in its place.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let point = manager.value("point", &BTreeMap::from([("x".to_owned(), 1), ("y".to_owned(), 2)]))?;
    /// assert_eq!(point.at().field("x").add(5)?, 6);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn at(&self) -> ValuePath<L> {
        ValuePath::new(&self.handle, &())
    }

    /// Puts something else there.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// progress.set(&5)?;
    /// assert_eq!(progress.get()?, 5);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "store")]
    pub fn set<W>(&self, value: &W) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(value::Set { value: value.get()? }), Ok)
    }

    /// Puts something else there and returns what was there.
    ///
    /// Where the old value is of no use, [`set`](Self::set) is cheaper, and safe to repeat.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// assert_eq!(progress.replace(&5)?, 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("swap", "exchange"))]
    pub fn replace<W>(&self, value: &W) -> L::Wait<'_, T>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(value::Replace { value: value.get()? }), |value| value.decode())
    }

    /// Adds to the number and returns the sum.
    ///
    /// # Errors
    /// [`is_overflow`](crate::Error::is_overflow) if the sum does not fit a `T`,
    /// [`is_not_a_number`](crate::Error::is_not_a_number) if there is something else; nothing is changed then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// assert_eq!(progress.add(2)?, 2);
    /// assert_eq!(progress.add(3)?, 5);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("incr", "fetch_add"))]
    pub fn add(&self, delta: T) -> L::Wait<'_, T>
    where
        T: Number,
    {
        let (delta, bounds) = (Argument::new(&delta), sum::<T>());
        let operation = || Ok(value::Add { delta: delta.get()?, bounds: bounds.get()? });
        self.handle.call(operation, |value| value.decode())
    }

    /// Puts something else there if what is there equals what is expected.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// use manager_client::Swap;
    ///
    /// assert_eq!(progress.compare_and_set(&0, &1)?, Swap::Swapped);
    /// assert_eq!(progress.compare_and_set(&0, &2)?, Swap::Current(1));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("compare_exchange", "cas"))]
    pub fn compare_and_set<E, W>(&self, expected: &E, new: &W) -> L::Wait<'_, Swap<T>>
    where
        T: Borrow<E> + Borrow<W>,
        E: Serialize + ?Sized,
        W: Serialize + ?Sized,
    {
        let (expected, new) = (Argument::new(expected), Argument::new(new));
        let operation = || Ok(value::CompareAndSet { expected: expected.get()?, new: new.get()? });
        self.handle.call(operation, |swap| {
            if swap.swapped { Ok(Swap::Swapped) } else { current(swap.current).map(Swap::Current) }
        })
    }

    /// The value's version: the number of changes it has seen.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// let before = progress.version()?;
    /// progress.set(&5)?;
    /// assert!(progress.version()? > before);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn version(&self) -> L::Wait<'_, u64> {
        let encode = |out: &mut Vec<u8>| value::Get {}.encode(out);
        self.handle.link.call(&self.handle.target, value::Get::ROW, encode, |answer| Ok(answer.version))
    }
}

impl<T, L> ManagerValue<T, L>
where
    T: Serialize + DeserializeOwned,
    L: DirectLink,
{
    /// Replaces the value by what a closure makes of it, and returns the new one.
    ///
    /// The closure may run several times: whenever another client changed the value in between, it runs
    /// again with what is there then.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if others were faster each time.
    ///
    /// # Atomicity
    /// No update is lost, of this client or of any other.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// progress.set(&20)?;
    /// assert_eq!(progress.update_with(|value| value * 2)?, 40);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "fetch_update")]
    pub fn update_with<'a, F>(&'a self, change: F) -> L::Wait<'a, T>
    where
        F: FnMut(T) -> T + Send + 'a,
    {
        let swap = |expected, new| value::CompareAndSet { expected, new };
        L::run(update(&self.handle, value::Get {}, swap, change))
    }
}

impl<T, L: Clone> Clone for ManagerValue<T, L> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl<T, L> fmt::Debug for ManagerValue<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManagerValue").field(&self.handle.target.label()).finish()
    }
}

impl<T, L> Sealed for ManagerValue<T, L> {}

impl<T, L: Link> Object for ManagerValue<T, L> {
    type Over<M: Link> = ManagerValue<T, M>;

    fn target(&self) -> &Target {
        &self.handle.target
    }

    fn over<M: Link>(&self, link: M) -> ManagerValue<T, M> {
        ManagerValue::new(self.handle.over(link))
    }
}
