//! The barrier: a proxy for a place where several wait for each other.

use std::time::Duration;

use manager_protocol::barrier;

use crate::blocking::Blocking;
use crate::common::common;
use crate::handle::Handle;
use crate::link::{DirectLink, Link};
use crate::reference::references;

/// A barrier in the server: those who come wait until all parties are there, and go on together.
///
/// Then it serves the next round. When one who waits gives up, is cancelled or ends, the barrier is
/// broken: nobody waits for who will not come. It stays broken until it is [reset](Self::reset).
///
/// # Errors
/// Every method can fail with [`is_disconnected`](crate::Error::is_disconnected), and with
/// [`is_no_such_object`](crate::Error::is_no_such_object) once the barrier was deleted.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let start = manager.barrier("start", 2)?;
/// std::thread::scope(|scope| {
///     let other = scope.spawn(|| start.wait());
///     let leaders = [start.wait()?, other.join().expect("no panic")?].iter().filter(|pass| pass.is_leader()).count();
///     assert_eq!(leaders, 1);
///     Ok::<(), manager_client::Error>(())
/// })?;
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Clone)]
pub struct ManagerBarrier<L = Blocking> {
    handle: Handle<L>,
}

references!([] ManagerBarrier, Barrier, "start", "manager.barrier(\"start\", 2)?");
common!(ManagerBarrier, "start", "start", "manager.barrier(\"start\", 2)?");

/// What one of those has who went through a barrier together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BarrierPass {
    index: u64,
}

impl BarrierPass {
    /// In which place this one came, from 0.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// assert_eq!(manager.barrier("alone", 1)?.wait()?.index(), 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn index(self) -> u64 {
        self.index
    }

    /// Whether this is the one that came first: one of each round is.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// assert!(manager.barrier("alone", 1)?.wait()?.is_leader());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn is_leader(self) -> bool {
        self.index == 0
    }
}

impl<L: Link> ManagerBarrier<L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle }
    }

    /// Breaks the barrier: for those who wait, and for all who come until it is reset.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let start = manager.barrier("start", 2)?;
    /// start.abort()?;
    /// assert!(start.wait().is_err_and(|error| error.is_broken()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn abort(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(barrier::Abort {}), Ok)
    }

    /// Makes a broken barrier whole.
    ///
    /// # Errors
    /// [`is_in_use`](crate::Error::is_in_use) while somebody waits.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let start = manager.barrier("start", 2)?;
    /// start.abort()?;
    /// start.reset()?;
    /// assert!(!start.status()?.broken);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn reset(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(barrier::Reset {}), Ok)
    }

    /// What there is to know of the barrier now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let start = manager.barrier("start", 2)?;
    /// let status = start.status()?;
    /// assert_eq!((status.parties, status.waiting, status.broken), (2, 0, false));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("parties", "n_waiting", "broken"))]
    pub fn status(&self) -> L::Wait<'_, barrier::BarrierStatus> {
        self.handle.call(|| Ok(barrier::Status {}), Ok)
    }
}

impl<L: DirectLink> ManagerBarrier<L> {
    /// Waits for all parties, and goes on with them.
    ///
    /// # Errors
    /// [`is_broken`](crate::Error::is_broken) if the barrier is broken or breaks meanwhile: it does when this or
    /// another wait is not over in time, which here is the time that a call may take.
    ///
    /// # Blocks
    /// Until the last has come.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let alone = manager.barrier("alone", 1)?;
    /// assert!(alone.wait()?.is_leader());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait(&self) -> L::Wait<'_, BarrierPass> {
        self.wait_timeout(self.handle.link.timeout())
    }

    /// Waits for all parties so long at most; [`Duration::MAX`] waits for ever.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let start = manager.barrier("start", 2)?;
    /// assert!(start.wait_timeout(Duration::from_millis(10)).is_err_and(|error| error.is_broken()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_timeout(&self, wait: Duration) -> L::Wait<'_, BarrierPass> {
        self.handle.waiting(wait, |timeout_ms| Ok(barrier::Wait { timeout_ms }), |index| Ok(BarrierPass { index }))
    }
}
