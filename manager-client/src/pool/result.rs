//! The result of one call, which comes later.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::board::Board;
use super::member::Member;
use crate::error::{Error, Result};
use crate::handle::late;
use crate::task::Fault;

/// The result of a call, which comes later: see [`Pool::apply_async`](crate::Pool::apply_async).
///
/// It can be asked again and again, by several threads, and awaited in any runtime. Dropping it changes nothing: the
/// task is done all the same.
///
/// ```
/// # use manager_client::{Pool, task};
/// # #[task]
/// # fn square(x: i64) -> i64 {
/// #     x * x
/// # }
/// # fn main() -> Result<(), manager_client::Error> {
/// # manager_client::init();
/// let pool = Pool::new(1)?;
/// let result = pool.apply_async(square, (3,))?;
/// result.wait();
/// assert!(result.ready() && result.successful()?);
/// assert_eq!(result.get()?, 9);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "ApplyResult")]
pub struct AsyncResult<R> {
    board: Arc<Board>,
    member: Weak<Member>,
    job: u64,
    returned: PhantomData<fn() -> R>,
}

impl<R> AsyncResult<R> {
    pub(super) fn new(board: Arc<Board>, member: &Arc<Member>, job: u64) -> Self {
        Self { board, member: Arc::downgrade(member), job, returned: PhantomData }
    }

    /// Waits until the result is there.
    ///
    /// # Blocks
    /// Until then.
    pub fn wait(&self) {
        self.board.wait(None);
    }

    /// As [`wait`](Self::wait), for so long at most; whether the result is there.
    ///
    /// # Blocks
    /// For the time given at most.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.board.wait(Instant::now().checked_add(timeout))
    }

    /// Whether the result is there.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.board.is_done()
    }

    /// Whether the task returned, and no `Err`.
    ///
    /// # Errors
    /// [`is_not_ready`](Error::is_not_ready) if the result is not there yet.
    pub fn successful(&self) -> Result<bool> {
        successful(&self.board)
    }

    /// Waits for what the task returned.
    ///
    /// # Errors
    /// As [`Pool::apply`](crate::Pool::apply).
    ///
    /// # Blocks
    /// Until the result is there.
    pub fn get(&self) -> Result<R>
    where
        R: DeserializeOwned,
    {
        self.wait();
        read(&self.board)
    }

    /// As [`get`](Self::get), for so long at most.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`is_timeout`](Error::is_timeout) if the result is not there in time; then it can be
    /// asked again. [`ready`](Self::ready) tells that from a task that was too slow.
    ///
    /// # Blocks
    /// For the time given at most.
    pub fn get_timeout(&self, timeout: Duration) -> Result<R>
    where
        R: DeserializeOwned,
    {
        if self.wait_timeout(timeout) { read(&self.board) } else { Err(late(timeout)) }
    }

    /// Ends the call: the result is the error [`is_cancelled`](Error::is_cancelled). Whether it was not over yet.
    ///
    /// If a worker is doing it, the worker is ended and replaced.
    ///
    /// # Errors
    /// If the server cannot be reached.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn sleep(seconds: u64) {
    /// #     std::thread::sleep(std::time::Duration::from_secs(seconds));
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(1)?;
    /// let result = pool.apply_async(sleep, (1000,))?;
    /// assert!(result.cancel()?);
    /// assert!(result.get().is_err_and(|error| error.is_cancelled()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self) -> Result<bool> {
        match self.member.upgrade() {
            Some(member) if !self.ready() => Ok(member.cancel(&self.board, Some(self.job))? > 0),
            Some(_) | None => Ok(false),
        }
    }

    /// Runs a function with what the task returned, once that is there.
    ///
    /// It is run by the thread that brings the results, or at once if the result is there: it must not wait for other
    /// results of the pool. If the task failed it is not run. A panic in it is passed over.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    ///
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn square(x: i64) -> i64 {
    /// #     x * x
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(1)?;
    /// let (sender, receiver) = channel();
    /// pool.apply_async(square, (3,))?.callback(move |square| sender.send(square).expect("it is received"));
    /// assert_eq!(receiver.recv(), Ok(9));
    /// # Ok(())
    /// # }
    /// ```
    pub fn callback(&self, callback: impl FnOnce(R) + Send + 'static)
    where
        R: DeserializeOwned,
    {
        self.board.then(move |board| read(board).map_or((), callback));
    }

    /// Runs a function with the error, once the call has failed: as [`callback`](Self::callback).
    pub fn error_callback(&self, callback: impl FnOnce(Error) + Send + 'static)
    where
        R: DeserializeOwned,
    {
        self.board.then(move |board| read::<R>(board).err().map_or((), callback));
    }
}

/// Whether all calls of a board were successes.
pub(super) fn successful(board: &Board) -> Result<bool> {
    if board.is_done() { Ok(board.progress().failed == 0) } else { Err(Error::work(Fault::NotReady)) }
}

/// What the one call of a board returned.
fn read<R: DeserializeOwned>(board: &Board) -> Result<R> {
    let mut result = None;
    for ended in board.ended() {
        ended.read(|outcome| result = Some(outcome));
    }
    result.unwrap_or_else(|| Err(Error::work(Fault::NotReady)))
}

impl<R: DeserializeOwned> Future for AsyncResult<R> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        if self.board.poll(context.waker()) { Poll::Ready(read(&self.board)) } else { Poll::Pending }
    }
}

impl<R: DeserializeOwned> Future for &AsyncResult<R> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        if self.board.poll(context.waker()) { Poll::Ready(read(&self.board)) } else { Poll::Pending }
    }
}

impl<R> fmt::Debug for AsyncResult<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult").field("ready", &self.ready()).finish_non_exhaustive()
    }
}
