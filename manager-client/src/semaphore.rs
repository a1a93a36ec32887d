//! The semaphore: a proxy for a number of permits.

mod permit;

use std::time::Duration;

use manager_protocol::semaphore::{self, SemaphoreSetup};

pub use self::permit::Permit;
use crate::blocking::Blocking;
use crate::common::common;
use crate::error::Result;
use crate::handle::{Handle, late};
use crate::link::{DirectLink, Link};
use crate::reference::references;

/// A semaphore in the server: so many of all who open its name may go on at a time.
///
/// Whoever acquires a permit gets a [`Permit`], which gives it back when it is dropped. Permits are given
/// in the order of asking. Those that a process has when it ends come back, unless the semaphore is
/// [ownerless](SemaphoreOptions::ownerless).
///
/// # Errors
/// Every method can fail with [`is_disconnected`](crate::Error::is_disconnected), and with
/// [`is_no_such_object`](crate::Error::is_no_such_object) once the semaphore was deleted.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let downloads = manager.semaphore("downloads", 2)?;
/// let one = downloads.acquire()?;
/// let two = downloads.acquire()?;
/// assert!(downloads.try_acquire()?.is_none());
/// drop(one);
/// assert!(downloads.try_acquire()?.is_some());
/// # drop(two);
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Clone)]
pub struct ManagerSemaphore<L = Blocking> {
    handle: Handle<L>,
}

references!([] ManagerSemaphore, Semaphore, "downloads", "manager.semaphore(\"downloads\", 2)?");
common!(ManagerSemaphore, "downloads", "downloads", "manager.semaphore(\"downloads\", 2)?");

/// What a semaphore is to be like. See [`Manager::semaphore_with`](crate::Manager::semaphore_with).
///
/// ```
/// use manager_client::SemaphoreOptions;
///
/// # let manager = manager_client::Manager::start()?;
/// let seats = manager.semaphore_with("seats", SemaphoreOptions::new(4).bounded().ownerless())?;
/// assert_eq!(seats.status()?.available, 4);
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until a semaphore is opened with them"]
pub struct SemaphoreOptions {
    pub(crate) setup: SemaphoreSetup,
}

impl SemaphoreOptions {
    /// So many permits at first; not bounded, and owned.
    pub fn new(permits: u64) -> Self {
        Self { setup: SemaphoreSetup { permits, bounded: false, ownerless: false } }
    }

    /// There may never be more permits than at first: giving back too many is an error.
    pub fn bounded(mut self) -> Self {
        self.setup.bounded = true;
        self
    }

    /// Permits that a process has stay taken when it ends.
    pub fn ownerless(mut self) -> Self {
        self.setup.ownerless = true;
        self
    }
}

impl<L: Link> ManagerSemaphore<L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle }
    }

    /// Gives a permit: one that this process took and [kept](Permit::forget), or else a new one.
    ///
    /// # Errors
    /// [`is_over_release`](crate::Error::is_over_release) if the semaphore is bounded and has all its permits.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let downloads = manager.semaphore("downloads", 2)?;
    /// downloads.release()?;
    /// assert_eq!(downloads.status()?.available, 3);
    ///
    /// let seats = manager.bounded_semaphore("seats", 2)?;
    /// assert!(seats.release().is_err_and(|error| error.is_over_release()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "add_permits")]
    pub fn release(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(semaphore::Release {}), Ok)
    }

    /// What there is to know of the semaphore now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let downloads = manager.semaphore("downloads", 2)?;
    /// let _permit = downloads.acquire()?;
    /// assert_eq!(downloads.status()?.available, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("available_permits", "get_value"))]
    pub fn status(&self) -> L::Wait<'_, semaphore::SemaphoreStatus> {
        self.handle.call(|| Ok(semaphore::Status {}), Ok)
    }
}

impl<L: DirectLink> ManagerSemaphore<L> {
    /// Acquires a permit, once there is one.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if that is not within the time that a call may take.
    ///
    /// # Blocks
    /// Until those who asked before have had theirs.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let downloads = manager.semaphore("downloads", 2)?;
    /// let permit = downloads.acquire()?;
    /// permit.release()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__enter__")]
    pub fn acquire(&self) -> L::Wait<'_, Permit<L>> {
        let wait = self.handle.link.timeout();
        self.take(wait, move |permit| permit.ok_or_else(|| late(wait)))
    }

    /// Acquires a permit if there is one within a time; [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let none = manager.semaphore("none", 0)?;
    /// assert!(none.acquire_timeout(Duration::from_millis(10))?.is_none());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn acquire_timeout(&self, wait: Duration) -> L::Wait<'_, Option<Permit<L>>> {
        self.take(wait, Ok)
    }

    /// Acquires a permit if there is one now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let downloads = manager.semaphore("downloads", 2)?;
    /// assert!(downloads.try_acquire()?.is_some());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn try_acquire(&self) -> L::Wait<'_, Option<Permit<L>>> {
        self.take(Duration::ZERO, Ok)
    }

    fn take<'a, T: 'a>(
        &'a self,
        wait: Duration,
        then: impl FnOnce(Option<Permit<L>>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T> {
        self.handle.waiting(
            wait,
            |timeout_ms| Ok(semaphore::Acquire { timeout_ms }),
            move |in_time| then(in_time.then(|| Permit::new(&self.handle))),
        )
    }
}
