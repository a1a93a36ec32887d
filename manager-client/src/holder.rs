//! Who holds a lock, where that is not to be the thread or the call.

use std::sync::atomic::{AtomicU64, Ordering};

/// Somebody who can hold locks of this process's session.
///
/// Without one, the blocking proxies take the calling thread for the holder, and the async ones a new
/// holder for each call (of a reentrant lock: the task). A program whose work moves between threads or
/// tasks gives each piece of work a holder: deadlocks between such pieces are found then, and a
/// reentrant lock can be taken again from another task.
///
/// ```
/// use manager_client::Holder;
///
/// # let manager = manager_client::Manager::start()?;
/// let work = Holder::new();
/// let lock = manager.rlock("settings")?.with_holder(work);
/// let outer = lock.acquire()?;
/// let inner = std::thread::scope(|scope| scope.spawn(|| lock.acquire()).join().expect("no panic"))?;
/// # drop((inner, outer));
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder(u64);

impl Holder {
    /// One that is like no other of this process.
    ///
    /// ```
    /// use manager_client::Holder;
    ///
    /// assert_ne!(Holder::new(), Holder::new());
    /// ```
    #[must_use]
    #[allow(clippy::new_without_default, reason = "no two are the same, so there is no default one")]
    pub fn new() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// A range of its own, apart from those that links number threads, tasks and calls from.
static NEXT: AtomicU64 = AtomicU64::new(1 << 60);
