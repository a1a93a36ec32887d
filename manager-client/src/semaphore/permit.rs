//! The guard of a permit that was acquired.

use std::fmt;

use manager_protocol::semaphore::Release;

use crate::blocking::Blocking;
use crate::handle::Handle;
use crate::held::Held;
use crate::link::DirectLink;

/// A permit that was acquired: dropped, it is given back.
///
/// Dropping ignores an error; [`release`](Self::release) tells it. A permit that a forked child inherits is
/// worth nothing there.
///
/// # Blocks
/// Dropping it does, for one call; over an async link it never does.
#[must_use = "the permit is given back when it is dropped"]
pub struct Permit<L: DirectLink = Blocking> {
    held: Held<L, Release>,
}

impl<L: DirectLink> Permit<L> {
    pub(crate) fn new(handle: &Handle<L>) -> Self {
        Self { held: Held::new(handle, 0, |_| Release {}) }
    }

    /// Gives the permit back.
    ///
    /// # Errors
    /// [`is_over_release`](crate::Error::is_over_release) if the semaphore is bounded and has all its permits:
    /// this one was given back by somebody else.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let downloads = manager.semaphore("downloads", 2)?;
    /// let permit = downloads.acquire()?;
    /// permit.release()?;
    /// assert_eq!(downloads.status()?.available, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__exit__")]
    pub fn release<'a>(self) -> L::Wait<'a, ()> {
        self.held.give_back()
    }

    /// Keeps the permit, without a guard: until somebody
    /// [releases](crate::ManagerSemaphore::release) it, or this process ends.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let downloads = manager.semaphore("downloads", 2)?;
    /// downloads.acquire()?.forget();
    /// assert_eq!(downloads.status()?.available, 1);
    /// downloads.release()?;
    /// assert_eq!(downloads.status()?.available, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn forget(self) {
        self.held.forget();
    }
}

impl<L: DirectLink> fmt::Debug for Permit<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.held.handle().target.label()).finish()
    }
}
