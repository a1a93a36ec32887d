//! The lock: a proxy for the right to be the only one, over all processes.
//!
//! Here is the lock that has an owner; the one that anybody may let go is in `lock::ownerless`.

mod guard;
mod ownerless;

use std::time::Duration;

use manager_protocol::lock;

pub use self::guard::LockGuard;
pub use self::ownerless::OwnerlessLock;
use crate::blocking::Blocking;
use crate::common::common;
use crate::error::Result;
use crate::handle::Handle;
use crate::holder::Holder;
use crate::link::{DirectLink, Link};
use crate::owned::owned;
use crate::reference::references;

/// A lock in the server: one of all who open its name has it at a time.
///
/// Whoever acquires it gets a [`LockGuard`], which lets it go when it is dropped. It is handed on in
/// the order of asking. If its owner's process ends, it goes to the next, who is
/// [told so](LockGuard::owner_died) and has a larger [fencing token](LockGuard::token).
///
/// The owner is the thread that acquires it; over an async link it is the call. A circle of owners that
/// wait for each other's locks is found when it would close. [`with_holder`](Self::with_holder) makes
/// another owner.
///
/// # Errors
/// Every method can fail with [`is_disconnected`](crate::Error::is_disconnected), and with
/// [`is_no_such_object`](crate::Error::is_no_such_object) once the lock was deleted. Acquiring fails with
/// [`is_deadlock`](crate::Error::is_deadlock) if waiting would never end, also for who has it already: see
/// [`ManagerRLock`](crate::ManagerRLock).
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let lock = manager.lock("report")?;
/// {
///     let _guard = lock.acquire()?;
///     // Nobody else is here.
/// }
/// assert!(!lock.status()?.held);
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Clone)]
pub struct ManagerLock<L = Blocking> {
    handle: Handle<L>,
    holder: Option<Holder>,
}

references!([] ManagerLock, Lock, "lock", "manager.lock(\"report\")?");
common!(ManagerLock, "lock", "report", "manager.lock(\"report\")?");
owned!(ManagerLock, LockGuard, "lock", "manager.lock(\"report\")?", "it is free");

impl<L: Link> ManagerLock<L> {
    /// What there is to know of the lock now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let lock = manager.lock("report")?;
    /// let _guard = lock.acquire()?;
    /// assert!(lock.status()?.held);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "locked")]
    pub fn status(&self) -> L::Wait<'_, lock::LockStatus> {
        self.handle.call(|| Ok(lock::Status {}), Ok)
    }
}

impl<L: DirectLink> ManagerLock<L> {
    fn take<'a, T: 'a>(
        &'a self,
        wait: Duration,
        then: impl FnOnce(Option<LockGuard<L>>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T> {
        let holder = self.holder.map_or_else(|| self.handle.link.holder(), Holder::number);
        take(&self.handle, wait, holder, then)
    }
}

/// Acquires a lock of any mode for a holder.
pub(crate) fn take<'a, L: DirectLink, T: 'a>(
    handle: &'a Handle<L>,
    wait: Duration,
    holder: u64,
    then: impl FnOnce(Option<LockGuard<L>>) -> Result<T> + Send + 'a,
) -> L::Wait<'a, T> {
    handle.waiting(
        wait,
        |timeout_ms| Ok(lock::Acquire { holder, timeout_ms }),
        move |grant| then(grant.map(|grant| LockGuard::new(handle, holder, grant))),
    )
}
