//! Waits until what is at the end of a path is as wanted.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::ValuePath;
use crate::argument::cannot_decode;
use crate::link::WaitingLink;
use crate::until::Until;

impl<L: WaitingLink> ValuePath<L> {
    /// Waits until what is here is as wanted, and returns it; `None` if there is nothing then.
    ///
    /// What the path does not lead to counts as absent.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if that is not within the time that a call may take.
    ///
    /// # Blocks
    /// Until what is here is as wanted.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use manager_client::Until;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let jobs = manager.dict::<String, BTreeMap<String, String>>("jobs")?;
    /// let state = jobs.at("shirt").field("state").create();
    /// state.set("done")?;
    /// assert_eq!(state.wait_for::<String>(Until::equals("done"))?, Some("done".to_owned()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_for<T: DeserializeOwned>(&self, until: Until<T>) -> L::Wait<'_, Option<T>> {
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
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// let late = numbers.at(-1).wait_for_timeout::<i64>(Until::exists(), Duration::from_millis(10));
    /// assert!(late.is_err_and(|error| error.is_timeout()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_for_timeout<T: DeserializeOwned>(&self, until: Until<T>, wait: Duration) -> L::Wait<'_, Option<T>> {
        let decode = |value: Option<manager_protocol::Encoded<'_>>| value.map(|value| value.decode()).transpose();
        self.handle.wait_until(|| self.place(), &until, wait, move |value| decode(value).map_err(cannot_decode))
    }
}
