//! The results of many calls, which come later.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::board::{Board, Progress};
use super::member::Member;
use super::result::successful;
use crate::error::{Error, Result};
use crate::handle::late;

/// The results of many calls, which come later: see [`Pool::map_async`](crate::Pool::map_async).
///
/// They can be asked again and again, by several threads, and awaited in any runtime. Dropping this changes
/// nothing: the tasks are done all the same.
///
/// ```
/// # use manager_client::{Pool, task};
/// # #[task]
/// # fn half(x: u32) -> u32 {
/// #     assert!(x % 2 == 0, "{x} is odd");
/// #     x / 2
/// # }
/// # fn main() -> Result<(), manager_client::Error> {
/// # manager_client::init();
/// let pool = Pool::new(2)?;
/// let halves = pool.map_async(half, [2, 3, 4])?;
/// let each = halves.results()?;
/// assert_eq!((each[0].as_ref().ok(), each[2].as_ref().ok()), (Some(&1), Some(&2)));
/// assert!(each[1].as_ref().is_err_and(|error| error.is_panic()));
/// assert!(halves.get().is_err_and(|error| error.is_panic()));
/// # Ok(())
/// # }
/// ```
pub struct MapResult<R> {
    board: Arc<Board>,
    member: Weak<Member>,
    returned: PhantomData<fn() -> R>,
}

impl<R> MapResult<R> {
    pub(super) fn new(board: Arc<Board>, member: &Arc<Member>) -> Self {
        Self { board, member: Arc::downgrade(member), returned: PhantomData }
    }

    /// Waits until all calls are over.
    ///
    /// # Blocks
    /// Until then.
    pub fn wait(&self) {
        self.board.wait(None);
    }

    /// As [`wait`](Self::wait), for so long at most; whether all are over.
    ///
    /// # Blocks
    /// For the time given at most.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.board.wait(Instant::now().checked_add(timeout))
    }

    /// Whether all calls are over.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.board.is_done()
    }

    /// Whether every call returned, and no `Err`.
    ///
    /// # Errors
    /// [`is_not_ready`](Error::is_not_ready) if some are not over yet.
    pub fn successful(&self) -> Result<bool> {
        successful(&self.board)
    }

    /// How many calls are over, also while others run.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn square(x: i64) -> i64 {
    /// #     x * x
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(1)?;
    /// let squares = pool.map_async(square, 0..8)?;
    /// squares.wait();
    /// let progress = squares.progress();
    /// assert_eq!((progress.done, progress.failed, progress.total), (8, 0, 8));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.board.progress()
    }

    /// Waits for what the calls returned, in order.
    ///
    /// # Errors
    /// The error of the first call, in order, that failed, once all are over.
    ///
    /// # Blocks
    /// Until all are over.
    pub fn get(&self) -> Result<Vec<R>>
    where
        R: DeserializeOwned,
    {
        self.wait();
        read(&self.board)
    }

    /// As [`get`](Self::get), for so long at most.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`is_timeout`](Error::is_timeout) if not all are over in time; then they can be
    /// asked again.
    ///
    /// # Blocks
    /// For the time given at most.
    pub fn get_timeout(&self, timeout: Duration) -> Result<Vec<R>>
    where
        R: DeserializeOwned,
    {
        if self.wait_timeout(timeout) { read(&self.board) } else { Err(late(timeout)) }
    }

    /// Waits for what each call returned, or why it failed, in order.
    ///
    /// # Errors
    /// None of its own: those of the calls are in the list.
    ///
    /// # Blocks
    /// Until all are over.
    pub fn results(&self) -> Result<Vec<Result<R>>>
    where
        R: DeserializeOwned,
    {
        self.wait();
        let mut results = Vec::with_capacity(self.board.progress().total);
        for ended in self.board.ended() {
            ended.read(|outcome| results.push(outcome));
        }
        Ok(results)
    }

    /// Ends the calls that are not over: their results are the error [`is_cancelled`](Error::is_cancelled). Whether
    /// there were any.
    ///
    /// If a worker is doing some of them and nothing else, the worker is ended and replaced.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub fn cancel(&self) -> Result<bool> {
        match self.member.upgrade() {
            Some(member) if !self.ready() => Ok(member.cancel(&self.board, None)? > 0),
            Some(_) | None => Ok(false),
        }
    }

    /// Runs a function with what the calls returned, once all are over: as
    /// [`AsyncResult::callback`](crate::AsyncResult::callback). If one failed it is not run.
    pub fn callback(&self, callback: impl FnOnce(Vec<R>) + Send + 'static)
    where
        R: DeserializeOwned,
    {
        self.board.then(move |board| read(board).map_or((), callback));
    }

    /// Runs a function with the first error, once all calls are over and one has failed.
    pub fn error_callback(&self, callback: impl FnOnce(Error) + Send + 'static)
    where
        R: DeserializeOwned,
    {
        self.board.then(move |board| read::<R>(board).err().map_or((), callback));
    }
}

fn read<R: DeserializeOwned>(board: &Board) -> Result<Vec<R>> {
    let (mut values, mut first) = (Vec::with_capacity(board.progress().total), None);
    for ended in board.ended() {
        ended.read(|outcome| match outcome {
            Ok(value) => values.push(value),
            Err(error) => drop(first.get_or_insert(error)),
        });
    }
    first.map_or(Ok(values), Err)
}

impl<R: DeserializeOwned> Future for MapResult<R> {
    type Output = Result<Vec<R>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.board.poll(context.waker()) { Poll::Ready(read(&self.board)) } else { Poll::Pending }
    }
}

impl<R: DeserializeOwned> Future for &MapResult<R> {
    type Output = Result<Vec<R>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.board.poll(context.waker()) { Poll::Ready(read(&self.board)) } else { Poll::Pending }
    }
}

impl<R> fmt::Debug for MapResult<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapResult").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
