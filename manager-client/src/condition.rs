//! The condition: a proxy for a lock, and a place where its owner can wait to be notified.

mod guard;

use std::time::Duration;

use manager_protocol::condition;

pub use self::guard::ConditionGuard;
use crate::blocking::Blocking;
use crate::common::common;
use crate::error::Result;
use crate::handle::Handle;
use crate::holder::Holder;
use crate::link::{DirectLink, Link};
use crate::owned::owned;
use crate::reference::references;

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

references!([] ManagerCondition, Condition, "changed", "manager.condition(\"changed\")?");
common!(ManagerCondition, "changed", "changed", "manager.condition(\"changed\")?");
owned!(ManagerCondition, ConditionGuard, "changed", "manager.condition(\"changed\")?", "it is free");

impl<L: Link> ManagerCondition<L> {
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
