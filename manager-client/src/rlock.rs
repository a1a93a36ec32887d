//! The reentrant lock: who has it may take it again.

use std::time::Duration;

use manager_protocol::lock;

use crate::blocking::Blocking;
use crate::common::common;
use crate::error::Result;
use crate::handle::{Handle, late};
use crate::held::Back;
use crate::holder::Holder;
use crate::link::{DirectLink, Link};
use crate::lock::{LockGuard, take};

/// A lock in the server that its owner may acquire again, and lets go with the last guard.
///
/// The owner is the thread that acquires it, or over an async link the task. Else it is as a
/// [`ManagerLock`](crate::ManagerLock).
///
/// # Errors
/// Every method can fail with [`is_disconnected`](crate::Error::is_disconnected), and with
/// [`is_no_such_object`](crate::Error::is_no_such_object) once the lock was deleted. Acquiring fails with
/// [`is_deadlock`](crate::Error::is_deadlock) if waiting would never end.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let rlock = manager.rlock("settings")?;
/// let outer = rlock.acquire()?;
/// let inner = rlock.acquire()?;
/// drop(inner);
/// assert!(rlock.status()?.held);
/// drop(outer);
/// assert!(!rlock.status()?.held);
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Clone)]
pub struct ManagerRLock<L = Blocking> {
    handle: Handle<L>,
    holder: Option<Holder>,
}

common!(ManagerRLock, "rlock", "settings", "manager.rlock(\"settings\")?");

impl<L: Link> ManagerRLock<L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle, holder: None }
    }

    /// The same lock, acquired for this holder, whichever thread or task asks.
    ///
    /// ```
    /// use manager_client::Holder;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let rlock = manager.rlock("settings")?.with_holder(Holder::new());
    /// let outer = rlock.acquire()?;
    /// assert!(rlock.try_acquire()?.is_some());
    /// # drop(outer);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn with_holder(&self, holder: Holder) -> Self {
        Self { handle: self.handle.clone(), holder: Some(holder) }
    }

    /// What there is to know of the lock now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rlock = manager.rlock("settings")?;
    /// let _guard = rlock.acquire()?;
    /// assert!(rlock.status()?.held);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "locked")]
    pub fn status(&self) -> L::Wait<'_, lock::LockStatus> {
        self.handle.call(|| Ok(lock::Status {}), Ok)
    }
}

impl<L: DirectLink> ManagerRLock<L> {
    /// Acquires the lock, once nobody else has it.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if that is not within the time that a call may take,
    /// [`is_deadlock`](crate::Error::is_deadlock) if it would never be.
    ///
    /// # Blocks
    /// Until those who asked before have had it.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rlock = manager.rlock("settings")?;
    /// let guard = rlock.acquire()?;
    /// assert!(guard.token() > 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("lock", "__enter__"))]
    pub fn acquire(&self) -> L::Wait<'_, LockGuard<L>> {
        let wait = self.handle.link.timeout();
        self.take(wait, move |guard| guard.ok_or_else(|| late(wait)))
    }

    /// Acquires the lock if nobody else has it within a time; [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let rlock = manager.rlock("settings")?;
    /// let guard = rlock.acquire_timeout(Duration::from_millis(100))?;
    /// assert!(guard.is_some());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "try_lock_for")]
    pub fn acquire_timeout(&self, wait: Duration) -> L::Wait<'_, Option<LockGuard<L>>> {
        self.take(wait, Ok)
    }

    /// Acquires the lock if nobody else has it now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rlock = manager.rlock("settings")?;
    /// let guard = rlock.try_acquire()?;
    /// let elsewhere = std::thread::scope(|scope| {
    ///     scope.spawn(|| rlock.try_acquire().map(|guard| guard.is_some())).join().expect("no panic")
    /// })?;
    /// assert!(guard.is_some() && !elsewhere);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "try_lock")]
    pub fn try_acquire(&self) -> L::Wait<'_, Option<LockGuard<L>>> {
        self.take(Duration::ZERO, Ok)
    }

    fn take<'a, T: 'a>(
        &'a self,
        wait: Duration,
        then: impl FnOnce(Option<LockGuard<L>>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T> {
        let holder = self.holder.map_or_else(|| self.handle.link.reentrant_holder(), Holder::number);
        take(&self.handle, wait, holder, Back::Counted(|holder| lock::Release { holder }), then)
    }
}
