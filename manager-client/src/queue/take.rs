//! Takes items out of a queue, once there are any.

use std::time::Duration;

use manager_protocol::queue::{Get, GetMany};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerQueue;
use crate::argument::cannot_decode;
use crate::link::WaitingLink;

impl<T, L> ManagerQueue<T, L>
where
    T: Serialize + DeserializeOwned,
    L: WaitingLink,
{
    /// Takes the next item, once there is one.
    ///
    /// It is gone from the queue then, also if this process ends before it has dealt with it; see
    /// [`reserve`](Self::reserve).
    ///
    /// # Errors
    /// [`is_empty`](crate::Error::is_empty) if there is none within the time that a call may take,
    /// [`is_shut_down`](crate::Error::is_shut_down) if there will be none any more.
    ///
    /// # Blocks
    /// Until those who asked before have had theirs.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// assert_eq!(jobs.get()?, "wash");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("pop", "recv"))]
    pub fn get(&self) -> L::Wait<'_, T> {
        self.get_timeout(self.handle.link.patience())
    }

    /// Takes the next item, if there is one within a time; [`Duration::MAX`] waits for ever.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// let late = jobs.get_timeout(Duration::from_millis(10));
    /// assert!(late.is_err_and(|error| error.is_empty()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn get_timeout(&self, wait: Duration) -> L::Wait<'_, T> {
        let get = |timeout_ms| Ok(Get { timeout_ms });
        self.handle.waiting(wait, get, |value| value.decode().map_err(cannot_decode))
    }

    /// Takes the next items, as many as there are up to a limit; waits for the first.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`is_invalid_argument`](crate::Error::is_invalid_argument) for a limit of 0.
    ///
    /// # Blocks
    /// Until there is an item.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put_many(["wash".to_owned(), "iron".to_owned()])?;
    /// assert_eq!(jobs.get_many(10)?, ["wash", "iron"]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn get_many(&self, limit: u64) -> L::Wait<'_, Vec<T>> {
        self.get_many_timeout(limit, self.handle.link.patience())
    }

    /// As [`get_many`](Self::get_many), if there is an item within a time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// let late = jobs.get_many_timeout(10, Duration::from_millis(10));
    /// assert!(late.is_err_and(|error| error.is_empty()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn get_many_timeout(&self, limit: u64, wait: Duration) -> L::Wait<'_, Vec<T>> {
        let get = |timeout_ms| Ok(GetMany { limit, timeout_ms });
        self.handle.waiting(wait, get, |mut values| values.try_fold(Vec::new(), taken))
    }
}

fn taken<T: DeserializeOwned>(mut items: Vec<T>, item: manager_protocol::Encoded<'_>) -> crate::error::Result<Vec<T>> {
    items.push(item.decode().map_err(cannot_decode)?);
    Ok(items)
}
