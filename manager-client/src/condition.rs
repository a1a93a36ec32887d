//! The condition: a proxy for a lock, and a place where its owner can wait to be notified.

mod guard;

use std::time::Duration;

use manager_protocol::condition;

pub use self::guard::ConditionGuard;
use crate::blocking::Blocking;
use crate::common::common;
use crate::error::Result;
use crate::handle::{Handle, late};
use crate::holder::Holder;
use crate::link::{DirectLink, Link};

/// A lock in the server whose owner can wait until another owner notifies it.
///
/// Waiting and notifying are methods of the [`ConditionGuard`], so nobody does either without the lock.
/// Who owns it, and what happens when an owner ends, is as with a [`ManagerLock`](crate::ManagerLock).
///
/// # Errors
/// Every method can fail with [`is_disconnected`](crate::Error::is_disconnected), and with
/// [`is_no_such_object`](crate::Error::is_no_such_object) once the condition was deleted. Acquiring fails with
/// [`is_deadlock`](crate::Error::is_deadlock) if waiting would never end.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let changed = manager.condition("changed")?;
/// let level = manager.dict::<String, u64>("level")?;
/// std::thread::scope(|scope| {
///     let waiting = scope.spawn(|| {
///         let mut guard = changed.acquire()?;
///         while level.get("water")?.unwrap_or(0) < 3 {
///             guard.wait()?;
///         }
///         guard.release()
///     });
///     for _ in 0..3 {
///         let guard = changed.acquire()?;
///         level.add("water", 1)?;
///         guard.notify_all()?;
///     }
///     waiting.join().expect("no panic")
/// })?;
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Clone)]
pub struct ManagerCondition<L = Blocking> {
    handle: Handle<L>,
    holder: Option<Holder>,
}

common!(ManagerCondition, "changed", "changed", "manager.condition(\"changed\")?");

impl<L: Link> ManagerCondition<L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle, holder: None }
    }

    /// The same condition, acquired for this holder, whichever thread or task asks.
    ///
    /// ```
    /// use manager_client::Holder;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let changed = manager.condition("changed")?.with_holder(Holder::new());
    /// changed.acquire()?.release()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn with_holder(&self, holder: Holder) -> Self {
        Self { handle: self.handle.clone(), holder: Some(holder) }
    }

    /// What there is to know of the condition now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// let _guard = changed.acquire()?;
    /// let status = changed.status()?;
    /// assert!(status.held && status.waiting == 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn status(&self) -> L::Wait<'_, condition::ConditionStatus> {
        self.handle.call(|| Ok(condition::Status {}), Ok)
    }
}

impl<L: DirectLink> ManagerCondition<L> {
    /// Acquires the condition's lock, once it is free.
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
    /// # let changed = manager.condition("changed")?;
    /// let guard = changed.acquire()?;
    /// guard.notify_all()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__enter__")]
    pub fn acquire(&self) -> L::Wait<'_, ConditionGuard<L>> {
        let wait = self.handle.link.timeout();
        self.take(wait, move |guard| guard.ok_or_else(|| late(wait)))
    }

    /// Acquires the condition's lock if it is free within a time; [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// let guard = changed.acquire_timeout(Duration::from_millis(100))?;
    /// assert!(guard.is_some());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn acquire_timeout(&self, wait: Duration) -> L::Wait<'_, Option<ConditionGuard<L>>> {
        self.take(wait, Ok)
    }

    /// Acquires the condition's lock if it is free now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// let guard = changed.try_acquire()?;
    /// assert!(guard.is_some());
    /// assert!(changed.try_acquire()?.is_none());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn try_acquire(&self) -> L::Wait<'_, Option<ConditionGuard<L>>> {
        self.take(Duration::ZERO, Ok)
    }

    fn take<'a, T: 'a>(
        &'a self,
        wait: Duration,
        then: impl FnOnce(Option<ConditionGuard<L>>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T> {
        let holder = self.holder.map_or_else(|| self.handle.link.holder(), Holder::number);
        self.handle.waiting(
            wait,
            |timeout_ms| Ok(condition::Acquire { holder, timeout_ms }),
            move |grant| then(grant.map(|grant| ConditionGuard::new(&self.handle, holder, grant))),
        )
    }
}
