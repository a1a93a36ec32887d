//! Waits until a value is as wanted.

use std::time::Duration;

use manager_protocol::{Code, Encoded};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerValue;
use crate::argument::{Argument, cannot_decode};
use crate::error::{Error, Reason, Result};
use crate::link::WaitingLink;
use crate::until::Until;

impl<T, L> ManagerValue<T, L>
where
    T: Serialize + DeserializeOwned,
    L: WaitingLink,
{
    /// Waits until the value is as wanted, and returns it.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if that is not within the time that a call may take.
    ///
    /// # Blocks
    /// Until the value is as wanted.
    ///
    /// ```
    /// use manager_client::Until;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// progress.add(60)?;
    /// assert_eq!(progress.wait_for(Until::at_least(&50))?, 60);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_for(&self, until: Until<T>) -> L::Wait<'_, T> {
        self.wait_for_timeout(until, self.handle.link.patience())
    }

    /// As [`wait_for`](Self::wait_for), so long at most; [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use manager_client::Until;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let progress = manager.value("progress", &0_u64)?;
    /// let late = progress.wait_for_timeout(Until::at_least(&50), Duration::from_millis(10));
    /// assert!(late.is_err_and(|error| error.is_timeout()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_for_timeout(&self, until: Until<T>, wait: Duration) -> L::Wait<'_, T> {
        let nothing = Argument::new(&());
        self.handle.wait_until(|| Ok((nothing.get()?, Vec::new())), &until, wait, there)
    }
}

/// What a value holds: there always is something.
fn there<T: DeserializeOwned>(value: Option<Encoded<'_>>) -> Result<T> {
    let empty = || manager_protocol::Error::new(Code::MalformedFrame, "a value that holds nothing");
    let value = value.ok_or_else(|| Error::with_source(Reason::Protocol, empty()))?;
    value.decode().map_err(cannot_decode)
}
