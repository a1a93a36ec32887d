//! The guard of a condition's lock: what waits and notifies.

use std::fmt;
use std::time::{Duration, Instant};

use manager_protocol::condition::{Notify, Release, Wait};
use manager_protocol::lock::Grant;

use crate::blocking::Blocking;
use crate::error::Result;
use crate::handle::{Handle, MARGIN, late};
use crate::held::Held;
use crate::link::DirectLink;

/// A condition's lock that was acquired: dropped, it lets the lock go.
///
/// Dropping ignores an error; [`release`](Self::release) tells it. A guard that a forked child inherits is
/// worth nothing there.
///
/// # Blocks
/// Dropping it does, for one call; over an async link it never does.
#[must_use = "the lock is let go when the guard is dropped"]
pub struct ConditionGuard<L: DirectLink = Blocking> {
    held: Held<L, Release>,
    grant: Grant,
}

impl<L: DirectLink> ConditionGuard<L> {
    pub(crate) fn new(handle: &Handle<L>, holder: u64, grant: Grant) -> Self {
        Self { held: Held::new(handle, holder, |holder| Release { holder }), grant }
    }

    /// Lets the lock go, waits to be notified, and acquires the lock again.
    ///
    /// What was waited for may be over again when the lock is there: look, and wait again.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if no notification comes within the time that a call may take; the
    /// lock is held again then. [`is_not_held`](crate::Error::is_not_held) if the lock was lost: the server
    /// took this process for gone.
    ///
    /// **An async wait that is dropped before it is over leaves the guard without the lock**: release it,
    /// and acquire the condition anew. To wait for some time only, use
    /// [`wait_timeout`](Self::wait_timeout), after which the lock is held again.
    ///
    /// # Blocks
    /// Until somebody notifies, and until the lock is free then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// let mut guard = changed.acquire()?;
    /// std::thread::scope(|scope| {
    ///     // It gets the lock while the other waits.
    ///     let other = scope.spawn(|| changed.acquire()?.notify_one());
    ///     guard.wait()?;
    ///     other.join().expect("no panic")
    /// })?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait(&mut self) -> L::Wait<'_, ()> {
        let wait = self.held.handle().link.timeout();
        L::run(async move { if self.wait_for(wait).await? { Ok(()) } else { Err(self.late(wait)) } })
    }

    /// As [`wait`](Self::wait), so long at most; whether there was a notification.
    ///
    /// [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// let mut guard = changed.acquire()?;
    /// assert!(!guard.wait_timeout(Duration::from_millis(10))?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_timeout(&mut self, wait: Duration) -> L::Wait<'_, bool> {
        L::run(self.wait_for(wait))
    }

    /// Waits as long as a closure says that it must, looking again after each notification.
    ///
    /// The closure blocks, so in async code it can look at what is local only: loop over
    /// [`wait`](Self::wait) there.
    ///
    /// # Errors
    /// What the closure fails with;
    /// [`is_timeout`](crate::Error::is_timeout) if that is not over within the time that a call may take; else as
    /// [`wait`](Self::wait).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// # let jobs = manager.list::<String>("jobs")?;
    /// # jobs.push("wash")?;
    /// let mut looks = 0;
    /// let mut guard = changed.acquire()?;
    /// guard.wait_while(|| {
    ///     looks += 1;
    ///     Ok(jobs.is_empty()?)
    /// })?;
    /// assert_eq!(looks, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "wait_for")]
    pub fn wait_while<'a>(&'a mut self, must_wait: impl FnMut() -> Result<bool> + Send + 'a) -> L::Wait<'a, ()> {
        let wait = self.held.handle().link.timeout();
        L::run(async move { if self.wait_out(wait, must_wait).await? { Ok(()) } else { Err(self.late(wait)) } })
    }

    /// As [`wait_while`](Self::wait_while), so long at most; whether the wait is over, as the closure says.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// let mut guard = changed.acquire()?;
    /// assert!(!guard.wait_while_timeout(Duration::from_millis(10), || Ok(true))?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_while_timeout<'a>(
        &'a mut self,
        wait: Duration,
        must_wait: impl FnMut() -> Result<bool> + Send + 'a,
    ) -> L::Wait<'a, bool> {
        L::run(self.wait_out(wait, must_wait))
    }

    /// Notifies the one who has waited longest; whether there was one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// assert!(!changed.acquire()?.notify_one()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "notify")]
    pub fn notify_one(&self) -> L::Wait<'_, bool> {
        let holder = self.held.number();
        self.held.handle().call(|| Ok(Notify { holder, count: Some(1) }), |woken| Ok(woken > 0))
    }

    /// Notifies so many of those who have waited longest; how many there were.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// assert_eq!(changed.acquire()?.notify(2)?, 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn notify(&self, count: u64) -> L::Wait<'_, u64> {
        let holder = self.held.number();
        self.held.handle().call(|| Ok(Notify { holder, count: Some(count) }), Ok)
    }

    /// Notifies all who wait; how many there were.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// assert_eq!(changed.acquire()?.notify_all()?, 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn notify_all(&self) -> L::Wait<'_, u64> {
        let holder = self.held.number();
        self.held.handle().call(|| Ok(Notify { holder, count: None }), Ok)
    }

    /// The fencing token: larger than that of every guard before. A wait ends with a larger one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let changed = manager.condition("changed")?;
    /// let token = changed.acquire()?.token();
    /// assert!(changed.acquire()?.token() > token);
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
    /// # let changed = manager.condition("changed")?;
    /// assert!(!changed.acquire()?.owner_died());
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
    /// # let changed = manager.condition("changed")?;
    /// let guard = changed.acquire()?;
    /// guard.release()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__exit__")]
    pub fn release<'a>(self) -> L::Wait<'a, ()> {
        self.held.give_back()
    }

    /// One wait; whether there was a notification.
    async fn wait_for(&mut self, wait: Duration) -> Result<bool> {
        let handle = self.held.handle();
        let holder = self.held.number();
        // After the notification, or the time, the lock has to become free.
        let longer = handle.link.timeout().saturating_add(MARGIN);
        let woken = handle.waiting_and(wait, longer, |timeout_ms| Ok(Wait { holder, timeout_ms }), Ok);
        let woken = L::future(woken).await?;
        self.grant = woken.grant;
        Ok(woken.notified)
    }

    /// Waits until a closure is content; whether it was in time.
    async fn wait_out(&mut self, wait: Duration, mut must_wait: impl FnMut() -> Result<bool> + Send) -> Result<bool> {
        let started = Instant::now();
        while must_wait()? {
            let left = match wait {
                Duration::MAX => wait,
                wait => wait.saturating_sub(started.elapsed()),
            };
            if left.is_zero() {
                return Ok(false);
            }
            self.wait_for(left).await?;
        }
        Ok(true)
    }

    fn late(&self, wait: Duration) -> crate::error::Error {
        use manager_protocol::Operation;
        late(wait).during(Wait::ROW, &self.held.handle().target)
    }
}

impl<L: DirectLink> fmt::Debug for ConditionGuard<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.held.handle().target.label();
        f.debug_struct("ConditionGuard").field("condition", &name).field("token", &self.grant.token).finish()
    }
}
