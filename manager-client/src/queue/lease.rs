//! Takes items on loan: what is not dealt with comes back.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use manager_protocol::queue::{Ack, Extend, Release, Reserve};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerQueue;
use crate::argument::cannot_decode;
use crate::blocking::Blocking;
use crate::error::Result;
use crate::handle::{Handle, milliseconds};
use crate::held::Held;
use crate::link::DirectLink;

impl<T, L> ManagerQueue<T, L>
where
    T: Serialize + DeserializeOwned,
    L: DirectLink,
{
    /// The same queue, whose items can be reserved for so long: then they come back.
    ///
    /// Without this they stay reserved until they are acknowledged or released, or this process ends.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// let jobs = jobs.with_lease(Duration::from_millis(10));
    /// jobs.put("wash")?;
    /// let lost = jobs.reserve()?;
    /// let again = jobs.reserve()?;
    /// assert_eq!(again.deliveries(), 2);
    /// assert!(lost.ack().is_err_and(|error| error.is_lease_lost()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("visibility_timeout", "reserve_for"))]
    #[must_use]
    pub fn with_lease(&self, lease: Duration) -> Self {
        Self { lease: Some(lease), ..self.clone() }
    }

    /// Takes the next item on loan, once there is one.
    ///
    /// It comes back to its place in the queue unless it is [acknowledged](Lease::ack): when the lease is
    /// dropped or [released](Lease::release), when its [time](Self::with_lease) is over, and when this process ends.
    ///
    /// # Errors
    /// [`is_empty`](crate::Error::is_empty) if there is none within the time that a call may take,
    /// [`is_shut_down`](crate::Error::is_shut_down) if there will be none any more. An item that is not of the
    /// proxy's type is [`is_wrong_type`](crate::Error::is_wrong_type), and comes back too.
    ///
    /// # Blocks
    /// Until those who asked before have had theirs.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// drop(jobs.reserve()?);
    /// let job = jobs.reserve()?;
    /// assert_eq!((job.as_str(), job.deliveries()), ("wash", 2));
    /// job.ack()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn reserve(&self) -> L::Wait<'_, Lease<T, L>> {
        self.reserve_timeout(self.handle.link.timeout())
    }

    /// As [`reserve`](Self::reserve), if there is an item within a time; [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// let late = jobs.reserve_timeout(Duration::from_millis(10));
    /// assert!(late.is_err_and(|error| error.is_empty()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn reserve_timeout(&self, wait: Duration) -> L::Wait<'_, Lease<T, L>> {
        let lease_ms = self.lease.and_then(milliseconds);
        let reserve = |timeout_ms| Ok(Reserve { lease_ms, timeout_ms });
        self.handle.waiting(wait, reserve, |lease| {
            // First, so that an item that does not decode comes back.
            let held = Held::new(&self.handle, lease.lease, |lease| Release { lease });
            let value = lease.value.decode().map_err(cannot_decode)?;
            Ok(Lease { value, deliveries: lease.deliveries, held })
        })
    }

    /// As [`reserve`](Self::reserve), if there is an item now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// assert!(jobs.try_reserve().is_err_and(|error| error.is_empty()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn try_reserve(&self) -> L::Wait<'_, Lease<T, L>> {
        self.reserve_timeout(Duration::ZERO)
    }
}

impl<T: Serialize + DeserializeOwned> ManagerQueue<T> {
    /// Reserves item after item, until the queue is shut down and no item can come back any more.
    ///
    /// # Blocks
    /// Until the next item is there, however long that takes.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// jobs.shut_down()?;
    /// for job in jobs.leases() {
    ///     let job = job?;
    ///     assert_eq!(job.value(), "wash");
    ///     job.ack()?;
    /// }
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn leases(&self) -> impl Iterator<Item = Result<Lease<T>>> {
        std::iter::from_fn(|| match self.reserve_timeout(Duration::MAX) {
            Err(error) if error.is_shut_down() => None,
            reserved => Some(reserved),
        })
    }
}

/// An item on loan, which comes back to its queue unless it is [acknowledged](Self::ack).
///
/// Dropping it releases the item and ignores an error. A lease that a forked child inherits is worth
/// nothing there.
///
/// # Errors
/// Its methods fail with [`is_lease_lost`](crate::Error::is_lease_lost) once the item has come back: its time was
/// over, or the server took this process for gone.
///
/// # Blocks
/// Dropping it does, for one call; over an async link it never does.
#[must_use = "an item comes back when its lease is dropped"]
pub struct Lease<T, L: DirectLink = Blocking> {
    value: T,
    deliveries: u32,
    held: Held<L, Release>,
}

impl<T, L: DirectLink> Lease<T, L> {
    /// The item. A lease can be used as a reference to it, too.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// let job = jobs.reserve()?;
    /// assert_eq!(job.value(), "wash");
    /// assert_eq!(job.len(), 4);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// How often the item was reserved, this time included.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// assert_eq!(jobs.reserve()?.deliveries(), 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// The item is dealt with, and is gone.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// jobs.reserve()?.ack()?;
    /// assert!(jobs.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn ack<'a>(self) -> L::Wait<'a, ()> {
        acknowledge(self.held, ())
    }

    /// The item is dealt with, and is the caller's.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// let job: String = jobs.reserve()?.into_value()?;
    /// assert_eq!(job, "wash");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn into_value<'a>(self) -> L::Wait<'a, T>
    where
        T: Send + 'a,
    {
        acknowledge(self.held, self.value)
    }

    /// The item comes back to its place in the queue, for somebody else.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// jobs.reserve()?.release()?;
    /// assert_eq!(jobs.len()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "nack")]
    pub fn release<'a>(self) -> L::Wait<'a, ()> {
        self.held.give_back()
    }

    /// The item can be kept for so long from now on; [`Duration::MAX`] is until this process ends.
    ///
    /// # Errors
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) for no time at all.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// let job = jobs.with_lease(Duration::from_secs(5)).reserve()?;
    /// job.extend(Duration::from_secs(10))?;
    /// job.ack()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn extend(&self, lease: Duration) -> L::Wait<'_, ()> {
        let (number, lease_ms) = (self.held.number(), milliseconds(lease));
        self.held.handle().call(|| Ok(Extend { lease: number, lease_ms }), Ok)
    }
}

fn acknowledge<'a, T, L>(held: Held<L, Release>, value: T) -> L::Wait<'a, T>
where
    T: Send + 'a,
    L: DirectLink,
{
    let lease = held.number();
    held.end_with(Ack { lease }, move |()| Ok(value))
}

impl<T, L: DirectLink> Deref for Lease<T, L> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T, L: DirectLink> fmt::Debug for Lease<T, L> {
    /// Without the item: values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handle { target, .. } = self.held.handle();
        f.debug_struct("Lease").field("queue", &target.label()).field("deliveries", &self.deliveries).finish()
    }
}
