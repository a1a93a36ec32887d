//! The lock without an owner: whoever likes may let it go.

use std::time::Duration;

use manager_protocol::lock;

use super::{LockGuard, take};
use crate::blocking::Blocking;
use crate::common::common;
use crate::error::Result;
use crate::handle::{Handle, late};
use crate::link::{DirectLink, Link};
use crate::reference::references;

/// A lock in the server that nobody owns: one may acquire it and another let it go.
///
/// It is not let go when the process that acquired it ends, and no deadlock is found in which it takes
/// part. Where that is not what is wanted, see [`ManagerLock`](crate::ManagerLock).
///
/// # Errors
/// Every method can fail with [`is_disconnected`](crate::Error::is_disconnected), and with
/// [`is_no_such_object`](crate::Error::is_no_such_object) once the lock was deleted.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let turn = manager.ownerless_lock("turn")?;
/// turn.acquire()?;
/// std::thread::scope(|scope| scope.spawn(|| turn.release()).join().expect("no panic"))?;
/// assert!(turn.try_acquire()?);
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Clone)]
pub struct OwnerlessLock<L = Blocking> {
    handle: Handle<L>,
}

references!([] OwnerlessLock, Lock, "turn", "manager.ownerless_lock(\"turn\")?");
common!(OwnerlessLock, "turn", "turn", "manager.ownerless_lock(\"turn\")?");

impl<L: Link> OwnerlessLock<L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle }
    }

    /// Lets the lock go, whoever acquired it.
    ///
    /// # Errors
    /// [`is_not_held`](crate::Error::is_not_held) if nobody has it.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let turn = manager.ownerless_lock("turn")?;
    /// turn.acquire()?;
    /// turn.release()?;
    /// assert!(turn.release().is_err_and(|error| error.is_not_held()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn release(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(lock::Release { holder: NOBODY }), Ok)
    }

    /// What there is to know of the lock now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let turn = manager.ownerless_lock("turn")?;
    /// assert!(!turn.status()?.held);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "locked")]
    pub fn status(&self) -> L::Wait<'_, lock::LockStatus> {
        self.handle.call(|| Ok(lock::Status {}), Ok)
    }
}

impl<L: DirectLink> OwnerlessLock<L> {
    /// Acquires the lock, once it is free, until somebody [releases](Self::release) it.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if that is not within the time that a call may take.
    ///
    /// # Blocks
    /// Until those who asked before have had it.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let turn = manager.ownerless_lock("turn")?;
    /// turn.acquire()?;
    /// assert!(turn.status()?.held);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn acquire(&self) -> L::Wait<'_, ()> {
        let wait = self.handle.link.timeout();
        self.take(wait, move |guard| guard.map(LockGuard::forget).ok_or_else(|| late(wait)))
    }

    /// Acquires the lock if it is free within a time; whether it was. [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let turn = manager.ownerless_lock("turn")?;
    /// assert!(turn.acquire_timeout(Duration::from_millis(100))?);
    /// assert!(!turn.acquire_timeout(Duration::from_millis(10))?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn acquire_timeout(&self, wait: Duration) -> L::Wait<'_, bool> {
        self.take(wait, |guard| Ok(guard.map(LockGuard::forget).is_some()))
    }

    /// Acquires the lock if it is free now; whether it was.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let turn = manager.ownerless_lock("turn")?;
    /// assert!(turn.try_acquire()?);
    /// assert!(!turn.try_acquire()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn try_acquire(&self) -> L::Wait<'_, bool> {
        self.acquire_timeout(Duration::ZERO)
    }

    /// Acquires the lock as [`acquire`](Self::acquire) does, until the guard is dropped.
    ///
    /// The guard lets the lock go also if somebody else has done so, and another has acquired it since:
    /// keep to guards, or do without.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let turn = manager.ownerless_lock("turn")?;
    /// let guard = turn.guard()?;
    /// guard.release()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn guard(&self) -> L::Wait<'_, LockGuard<L>> {
        let wait = self.handle.link.timeout();
        self.take(wait, move |guard| guard.ok_or_else(|| late(wait)))
    }

    /// Acquires the lock if it is free within a time, until the guard is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let turn = manager.ownerless_lock("turn")?;
    /// let guard = turn.guard_timeout(Duration::from_millis(100))?;
    /// assert!(guard.is_some());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn guard_timeout(&self, wait: Duration) -> L::Wait<'_, Option<LockGuard<L>>> {
        self.take(wait, Ok)
    }

    fn take<'a, T: 'a>(
        &'a self,
        wait: Duration,
        then: impl FnOnce(Option<LockGuard<L>>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T> {
        take(&self.handle, wait, NOBODY, then)
    }
}

/// Who holds it does not matter to the server.
const NOBODY: u64 = 0;
