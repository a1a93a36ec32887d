//! Takes the items of a queue until it is shut down.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerQueue;
use crate::blocking::Blocking;
use crate::error::Error;
use crate::link::{DirectLink, Link};
use crate::taken::Source;

impl<T: Serialize + DeserializeOwned> ManagerQueue<T> {
    /// Takes item after item, until the queue is shut down and empty.
    ///
    /// # Blocks
    /// Until the next item is there, however long that takes.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// jobs.shut_down()?;
    /// for job in jobs.iter() {
    ///     assert_eq!(job?, "wash");
    /// }
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__iter__")]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }
}

#[cfg(feature = "aio")]
impl<T: Serialize + DeserializeOwned> ManagerQueue<T, crate::aio::Async> {
    /// Takes item after item, until the queue is shut down and empty.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), manager_client::Error> {
    /// # let manager = manager_client::aio::Manager::start().await?;
    /// # let jobs = manager.queue::<String>("jobs").await?;
    /// jobs.put("wash").await?;
    /// jobs.shut_down().await?;
    /// let mut taken = jobs.iter();
    /// while let Some(job) = taken.next().await {
    ///     assert_eq!(job?, "wash");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn iter(&self) -> Stream<'_, T> {
        Stream::new(self)
    }
}

/// The items of a queue, each taken from it. Made by [`ManagerQueue::iter`].
pub type Iter<'a, T> = crate::taken::Iter<'a, ManagerQueue<T, Blocking>>;

/// The items of a queue, each taken from it. Made by `iter` of the async queue.
#[cfg(feature = "aio")]
pub type Stream<'a, T> = crate::taken::Stream<'a, ManagerQueue<T, crate::aio::Async>>;

impl<T, L> Source for ManagerQueue<T, L>
where
    T: Serialize + DeserializeOwned,
    L: DirectLink,
{
    type Item = T;
    type Link = L;

    fn take_next(&self) -> <L as Link>::Wait<'_, T> {
        self.get_timeout(Duration::MAX)
    }

    fn is_end(error: &Error) -> bool {
        error.is_shut_down()
    }
}
