//! The guard of a lock that was acquired.

use std::fmt;

use manager_protocol::lock::{Grant, Release};

use crate::blocking::Blocking;
use crate::handle::Handle;
use crate::held::Held;
use crate::link::DirectLink;

/// A lock that was acquired: dropped, it lets the lock go.
///
/// Dropping ignores an error; [`release`](Self::release) tells it. A guard that a forked child inherits is
/// worth nothing there.
///
/// # Blocks
/// Dropping it does, for one call; over an async link it never does.
#[must_use = "the lock is let go when the guard is dropped"]
pub struct LockGuard<L: DirectLink = Blocking> {
    held: Held<L, Release>,
    grant: Grant,
}

impl<L: DirectLink> LockGuard<L> {
    pub(crate) fn new(handle: &Handle<L>, holder: u64, grant: Grant) -> Self {
        Self { held: Held::new(handle, holder, |holder| Release { holder }), grant }
    }

    /// Leaves the lock as it is.
    pub(crate) fn forget(self) {
        self.held.forget();
    }

    /// The fencing token: larger than that of every guard before.
    ///
    /// What the lock protects can remember the largest token that it has seen, and refuse a smaller
    /// one: its owner has lost the lock without knowing. Tokens begin again when the server is restarted,
    /// as all that it holds does: a token that is kept elsewhere must be kept for one run of a server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let lock = manager.lock("report")?;
    /// let first = lock.acquire()?;
    /// let token = first.token();
    /// first.release()?;
    /// assert!(lock.acquire()?.token() > token);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn token(&self) -> u64 {
        self.grant.token
    }

    /// Whether the owner before ended without letting go: what the lock protects may be half changed.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let lock = manager.lock("report")?;
    /// let guard = lock.acquire()?;
    /// assert!(!guard.owner_died());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.grant.owner_died
    }

    /// Lets the lock go.
    ///
    /// # Errors
    /// [`is_not_held`](crate::Error::is_not_held) if the lock was lost: the server took this process for gone.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let lock = manager.lock("report")?;
    /// let guard = lock.acquire()?;
    /// guard.release()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("unlock", "__exit__"))]
    pub fn release<'a>(self) -> L::Wait<'a, ()> {
        self.held.give_back()
    }
}

impl<L: DirectLink> fmt::Debug for LockGuard<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.held.handle().target.label();
        f.debug_struct("LockGuard").field("lock", &name).field("token", &self.grant.token).finish()
    }
}
