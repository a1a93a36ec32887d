//! The queue: a proxy for items that some put and others take.
//!
//! Here are the proxy itself and what does not wait; what puts is in `queue::put`, what takes in
//! `queue::take`, what takes on loan in `queue::lease`.

mod iter;
mod lease;
mod options;
mod put;
mod take;

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use manager_protocol::queue;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::iter::Iter;
#[cfg(feature = "aio")]
pub use self::iter::Stream;
pub use self::lease::Lease;
pub use self::options::QueueOptions;
use crate::argument::Argument;
use crate::batch::{Batch, Queue};
use crate::blocking::Blocking;
use crate::error::Result;
use crate::handle::{Handle, late};
use crate::link::{DirectLink, Link};
use crate::pipeline::Pipeline;
use crate::reference::references;
use crate::versioned::VersionedLink;

/// A queue in the server, shared by every process that opens its name.
///
/// Items are taken in the queue's order: the one put first, unless it was
/// [set up](crate::Manager::queue_with) otherwise. Who waits is served in the order of coming. An item that
/// is [taken](Self::get) belongs to the taker; one that is [reserved](Self::reserve) comes back if the taker
/// does not deal with it.
///
/// # Errors
/// Every method can fail with [`is_timeout`](crate::Error::is_timeout),
/// [`is_disconnected`](crate::Error::is_disconnected), [`is_no_such_object`](crate::Error::is_no_such_object) once
/// the queue was deleted, and, where it returns items, with [`is_wrong_type`](crate::Error::is_wrong_type) if
/// they are not of the proxy's type. What cannot be taken or put in time is
/// [`is_empty`](crate::Error::is_empty) or [`is_full`](crate::Error::is_full); after the queue was shut down it is
/// [`is_shut_down`](crate::Error::is_shut_down).
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let jobs = manager.queue::<String>("jobs")?;
/// jobs.put("wash")?;
/// jobs.put("iron")?;
/// assert_eq!(jobs.get()?, "wash");
///
/// let job = jobs.reserve()?;
/// assert_eq!(*job, "iron");
/// job.ack()?;
/// # Ok::<(), manager_client::Error>(())
/// ```
pub struct ManagerQueue<T, L = Blocking> {
    handle: Handle<L>,
    /// How long a reserved item stays so; `None` for as long as the session.
    lease: Option<Duration>,
    items: PhantomData<fn() -> T>,
}

references!([T] ManagerQueue, Queue, "jobs", "manager.queue::<String>(\"jobs\")?");

impl<T, L: Link> ManagerQueue<T, L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle, lease: None, items: PhantomData }
    }

    /// The name that the queue was opened by; `None` if it was made without one, or came as a reference.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// assert_eq!(jobs.name(), Some("jobs"));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.handle.name()
    }

    /// The same queue, whose methods also return the queue's version: all but those that reserve and join.
    ///
    /// Who waited is given the version of what was done for it, not that of what made it possible.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// assert_eq!(jobs.versioned().put("wash")?.version, 1);
    /// let taken = jobs.versioned().get()?;
    /// assert_eq!((taken.value.as_str(), taken.version), ("wash", 2));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn versioned(&self) -> ManagerQueue<T, VersionedLink<L>> {
        ManagerQueue::new(self.handle.over(VersionedLink::new(self.handle.link.clone())))
    }

    /// The same queue, whose calls are queued in a pipeline: those that do not wait.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// let pipeline = manager.pipeline();
    /// jobs.on(&pipeline).try_put("wash");
    /// let len = jobs.on(&pipeline).len();
    /// pipeline.send()?;
    /// assert_eq!(len.take()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn on(&self, pipeline: &Pipeline<L>) -> ManagerQueue<T, Batch>
    where
        L: DirectLink,
    {
        ManagerQueue::new(self.handle.over(pipeline.link()))
    }
}

impl<T, L: DirectLink> ManagerQueue<T, L> {
    /// The same queue with another time that a call may take, and a wait that is not told how long.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// let jobs = jobs.with_timeout(std::time::Duration::from_millis(10));
    /// assert!(jobs.get().is_err_and(|error| error.is_empty()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { handle: self.handle.with_timeout(timeout), ..self.clone() }
    }

    /// Waits until every item that was ever put has been dealt with.
    ///
    /// An item is dealt with once [`task_done`](Self::task_done) was said of it after it was taken, or once it was
    /// reserved and [acknowledged](Lease::ack).
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if that is not within the time that a call may take.
    ///
    /// # Blocks
    /// Until then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// jobs.reserve()?.ack()?;
    /// jobs.join()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn join(&self) -> L::Wait<'_, ()> {
        let wait = self.handle.link.timeout();
        self.join_then(wait, move |in_time| in_time.then_some(()).ok_or_else(|| late(wait)))
    }

    /// As [`join`](Self::join), so long at most; whether everything has been dealt with.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// assert!(!jobs.join_timeout(std::time::Duration::from_millis(10))?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn join_timeout(&self, wait: Duration) -> L::Wait<'_, bool> {
        self.join_then(wait, Ok)
    }

    fn join_then<'a, R: 'a>(
        &'a self,
        wait: Duration,
        then: impl FnOnce(bool) -> Result<R> + Send + 'a,
    ) -> L::Wait<'a, R> {
        self.handle.waiting::<queue::Join, _>(wait, |timeout_ms| Ok(queue::Join { timeout_ms }), then)
    }
}

impl<T, L> ManagerQueue<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// Puts an item if there is room now.
    ///
    /// # Errors
    /// [`is_full`](crate::Error::is_full) if there is none.
    ///
    /// ```
    /// use manager_client::QueueOptions;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let jobs = manager.queue_with::<String>("jobs", QueueOptions::new().capacity(1))?;
    /// jobs.try_put("wash")?;
    /// assert!(jobs.try_put("iron").is_err_and(|error| error.is_full()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "put_nowait")]
    pub fn try_put<W>(&self, value: &W) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let value = Argument::new(value);
        self.handle.call(|| Ok(queue::Put { value: value.get()?, priority: None, timeout_ms: Some(0) }), Ok)
    }

    /// Takes the next item if there is one now.
    ///
    /// # Errors
    /// [`is_empty`](crate::Error::is_empty) if there is none.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// assert!(jobs.try_get().is_err_and(|error| error.is_empty()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> L::Wait<'_, T> {
        self.handle.call(|| Ok(queue::Get { timeout_ms: Some(0) }), |value| value.decode())
    }

    /// Says that an item that was taken has been dealt with.
    ///
    /// Of a reserved item [`ack`](Lease::ack) says so.
    ///
    /// # Errors
    /// [`is_over_release`](crate::Error::is_over_release) if that has been said of every item.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// jobs.get()?;
    /// jobs.task_done()?;
    /// assert!(jobs.task_done().is_err_and(|error| error.is_over_release()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn task_done(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(queue::TaskDone {}), Ok)
    }

    /// From now on nothing can be put. What is there can be taken; those who wait for more go on.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// jobs.shut_down()?;
    /// assert!(jobs.put("iron").is_err_and(|error| error.is_shut_down()));
    /// assert_eq!(jobs.get()?, "wash");
    /// assert!(jobs.get().is_err_and(|error| error.is_shut_down()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("shutdown", "close"))]
    pub fn shut_down(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(queue::ShutDown { immediately: false }), Ok)
    }

    /// As [`shut_down`](Self::shut_down), and drops what is there.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// jobs.shut_down_now()?;
    /// assert!(jobs.get().is_err_and(|error| error.is_shut_down()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "shutdown")]
    pub fn shut_down_now(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(queue::ShutDown { immediately: true }), Ok)
    }

    /// How many items wait to be taken. Others may put and take at any time.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// assert_eq!(jobs.len()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "qsize")]
    #[allow(clippy::len_without_is_empty, reason = "there is one")]
    pub fn len(&self) -> L::Wait<'_, u64> {
        self.handle.call(|| Ok(queue::Len {}), Ok)
    }

    /// Whether no item waits to be taken.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// assert!(jobs.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> L::Wait<'_, bool> {
        self.handle.call(|| Ok(queue::Len {}), |len| Ok(len == 0))
    }

    /// Whether as many items wait as the queue's capacity; never, if it has none.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// assert!(!jobs.is_full()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "full")]
    pub fn is_full(&self) -> L::Wait<'_, bool> {
        let is_full = |status: queue::QueueStatus| status.capacity.is_some_and(|capacity| status.len >= capacity);
        self.handle.call(|| Ok(queue::Status {}), move |status| Ok(is_full(status)))
    }

    /// What there is to know of the queue now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// let _job = jobs.reserve()?;
    /// let status = jobs.status()?;
    /// assert_eq!((status.len, status.leased, status.unfinished), (0, 1, 1));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "maxsize")]
    pub fn status(&self) -> L::Wait<'_, queue::QueueStatus> {
        self.handle.call(|| Ok(queue::Status {}), Ok)
    }
}

impl<T, L: Clone> Clone for ManagerQueue<T, L> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), lease: self.lease, items: PhantomData }
    }
}

impl<T, L> fmt::Debug for ManagerQueue<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManagerQueue").field(&self.handle.target.label()).finish()
    }
}
