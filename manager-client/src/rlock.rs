//! The reentrant lock: who has it may take it again.

use std::time::Duration;

use manager_protocol::lock;

use crate::blocking::Blocking;
use crate::common::common;
use crate::error::Result;
use crate::handle::Handle;
use crate::holder::Holder;
use crate::link::{DirectLink, Link};
use crate::lock::{LockGuard, take};
use crate::owned::owned;
use crate::reference::references;

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

references!([] ManagerRLock, Lock, "rlock", "manager.rlock(\"settings\")?");
common!(ManagerRLock, "rlock", "settings", "manager.rlock(\"settings\")?");
owned!(ManagerRLock, LockGuard, "rlock", "manager.rlock(\"settings\")?", "nobody else has it");

impl<L: Link> ManagerRLock<L> {
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
    fn take<'a, T: 'a>(
        &'a self,
        wait: Duration,
        then: impl FnOnce(Option<LockGuard<L>>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T> {
        let holder = self.holder.map_or_else(|| self.handle.link.reentrant_holder(), Holder::number);
        take(&self.handle, wait, holder, then)
    }
}
