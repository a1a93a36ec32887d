//! Takes the messages at an end of a pipe until the other end is closed.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::PipeEnd;
use crate::blocking::Blocking;
use crate::error::Error;
use crate::link::{DirectLink, Link};
use crate::taken::Source;

impl<S, R: DeserializeOwned> PipeEnd<S, R> {
    /// Takes message after message, until all are taken and the other end is closed.
    ///
    /// # Blocks
    /// Until the next message is there, however long that takes.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// boss.send("wash")?;
    /// boss.close()?;
    /// for letter in worker.messages() {
    ///     assert_eq!(letter?, "wash");
    /// }
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "iter")]
    pub fn messages(&self) -> Messages<'_, S, R> {
        Messages::new(self)
    }
}

#[cfg(feature = "aio")]
impl<S, R: DeserializeOwned> PipeEnd<S, R, crate::aio::Async> {
    /// Takes message after message, until all are taken and the other end is closed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), manager_client::Error> {
    /// # let manager = manager_client::aio::Manager::start().await?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters").await?;
    /// boss.send("wash").await?;
    /// boss.close().await?;
    /// let mut letters = worker.messages();
    /// while let Some(letter) = letters.next().await {
    ///     assert_eq!(letter?, "wash");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn messages(&self) -> Stream<'_, S, R> {
        Stream::new(self)
    }
}

/// The messages at an end of a pipe, each taken from it. Made by [`PipeEnd::messages`].
pub type Messages<'a, S, R> = crate::taken::Iter<'a, PipeEnd<S, R, Blocking>>;

/// The messages at an end of a pipe, each taken from it. Made by `messages` of the async end.
#[cfg(feature = "aio")]
pub type Stream<'a, S, R> = crate::taken::Stream<'a, PipeEnd<S, R, crate::aio::Async>>;

impl<S, R: DeserializeOwned, L: DirectLink> Source for PipeEnd<S, R, L> {
    type Item = R;
    type Link = L;

    fn take_next(&self) -> <L as Link>::Wait<'_, R> {
        // A wait without a limit ends with a message or with an error.
        self.receive(Duration::MAX, |message| message.ok_or_else(|| crate::handle::late(Duration::MAX)))
    }

    fn is_end(error: &Error) -> bool {
        error.is_closed()
    }
}
