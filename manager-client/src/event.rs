//! The event: a proxy for a flag that can be waited for.

use std::time::Duration;

use manager_protocol::event;

use crate::blocking::Blocking;
use crate::common::common;
use crate::error::Result;
use crate::handle::{Handle, late};
use crate::link::{DirectLink, Link};
use crate::reference::references;

/// A flag in the server that all who open its name can set and wait for.
///
/// # Errors
/// Every method can fail with [`is_disconnected`](crate::Error::is_disconnected), and with
/// [`is_no_such_object`](crate::Error::is_no_such_object) once the event was deleted.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let ready = manager.event("ready")?;
/// std::thread::scope(|scope| {
///     let waiting = scope.spawn(|| ready.wait());
///     ready.set()?;
///     waiting.join().expect("no panic")
/// })?;
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Clone)]
pub struct ManagerEvent<L = Blocking> {
    handle: Handle<L>,
}

references!([] ManagerEvent, Event, "ready", "manager.event(\"ready\")?");
common!(ManagerEvent, "ready", "ready", "manager.event(\"ready\")?");

impl<L: Link> ManagerEvent<L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle }
    }

    /// Sets the flag, and all who wait go on. Whether it was not set before.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ready = manager.event("ready")?;
    /// assert!(ready.set()?);
    /// assert!(!ready.set()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn set(&self) -> L::Wait<'_, bool> {
        self.handle.call(|| Ok(event::Set {}), Ok)
    }

    /// Takes the flag back. Whether it was set before.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ready = manager.event("ready")?;
    /// ready.set()?;
    /// assert!(ready.clear()?);
    /// assert!(!ready.is_set()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn clear(&self) -> L::Wait<'_, bool> {
        self.handle.call(|| Ok(event::Clear {}), Ok)
    }

    /// Whether the flag is set.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ready = manager.event("ready")?;
    /// assert!(!ready.is_set()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn is_set(&self) -> L::Wait<'_, bool> {
        self.handle.call(|| Ok(event::IsSet {}), Ok)
    }
}

impl<L: DirectLink> ManagerEvent<L> {
    /// Waits until the flag is set.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if that is not within the time that a call may take.
    ///
    /// # Blocks
    /// Until the flag is set.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ready = manager.event("ready")?;
    /// ready.set()?;
    /// ready.wait()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait(&self) -> L::Wait<'_, ()> {
        let wait = self.handle.link.timeout();
        self.wait_then(wait, move |in_time| in_time.then_some(()).ok_or_else(|| late(wait)))
    }

    /// Waits until the flag is set, so long at most; whether it is. [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ready = manager.event("ready")?;
    /// assert!(!ready.wait_timeout(Duration::from_millis(10))?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_timeout(&self, wait: Duration) -> L::Wait<'_, bool> {
        self.wait_then(wait, Ok)
    }

    fn wait_then<'a, T: 'a>(
        &'a self,
        wait: Duration,
        then: impl FnOnce(bool) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T> {
        self.handle.waiting::<event::Wait, _>(wait, |timeout_ms| Ok(event::Wait { timeout_ms }), then)
    }
}
