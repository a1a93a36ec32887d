//! Waits until the value under a key is as wanted.

use std::borrow::Borrow;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ManagerDict, optional};
use crate::argument::{Argument, cannot_decode};
use crate::link::WaitingLink;
use crate::until::Until;

impl<K, V, L> ManagerDict<K, V, L>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    L: WaitingLink,
{
    /// Waits until the value under a key is as wanted, and returns it; `None` if there is none then.
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
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// std::thread::scope(|scope| {
    ///     let waiting = scope.spawn(|| ages.wait_for("ann", Until::at_least(&18)));
    ///     ages.set("ann", &17)?;
    ///     ages.add("ann", 1)?;
    ///     assert_eq!(waiting.join().expect("no panic")?, Some(18));
    ///     Ok(())
    /// })
    /// # .map_err(|error: manager_client::Error| error)?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_for<Q>(&self, key: &Q, until: Until<V>) -> L::Wait<'_, Option<V>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        self.wait_for_timeout(key, until, self.handle.link.patience())
    }

    /// As [`wait_for`](Self::wait_for), so long at most; [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use manager_client::Until;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let late = ages.wait_for_timeout("ann", Until::exists(), Duration::from_millis(10));
    /// assert!(late.is_err_and(|error| error.is_timeout()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn wait_for_timeout<Q>(&self, key: &Q, until: Until<V>, wait: Duration) -> L::Wait<'_, Option<V>>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let key = Argument::new(key);
        let place = || Ok((key.get()?, Vec::new()));
        self.handle.wait_until(place, &until, wait, |value| optional(value).map_err(cannot_decode))
    }
}
