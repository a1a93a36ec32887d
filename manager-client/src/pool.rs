//! Pools: worker processes that do tasks for whoever submits them.
//!
//! The pool itself is an object in the server. Here is the handle; `calls` has what it is asked to do, `result`,
//! `map_result` and `imap` what comes of that, all of them on a `board`. A `member` is what this process is to the
//! pool, with a `ledger`, a `sender` and a `collector`; a `crew` is the workers that it keeps. `worker` is what a worker
//! process does, and `serve` what another program does to become one. How calls travel is in `chunk`.

mod board;
mod builder;
mod calls;
mod chunk;
mod collector;
mod crew;
mod imap;
mod ledger;
mod map_result;
mod member;
mod office;
mod proxy;
mod result;
mod sender;
mod serve;
mod worker;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use manager_protocol::pool::PoolStatus;
use serde::{Deserialize, Serialize};

pub use self::board::Progress;
pub use self::builder::PoolBuilder;
pub use self::imap::Imap;
use self::ledger::Manner;
pub use self::map_result::MapResult;
use self::office::Office;
pub use self::result::AsyncResult;
pub(crate) use self::worker::work;
use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::task::{Call, Fault};

/// What a worker process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Duty<'a> {
    socket: PathBuf,
    pool: Reference,
    worker: u64,
    #[serde(borrow)]
    initializer: Option<Call<'a>>,
    max_tasks: Option<u64>,
}

/// Worker processes that do tasks.
///
/// A task is [applied](Self::apply) to arguments, or [mapped](Self::map) over many. A panic in it is an error that
/// tells its message, place and backtrace; the worker goes on. A worker that ends in the middle, however that
/// happens, is replaced, and what it was doing is done again if [`retries`](Self::retries) were allowed, or else
/// fails with [`is_process_lost`](Error::is_process_lost). No result is waited for in vain.
///
/// Clones are handles of the same pool, each with settings of its own. When the last one is dropped the pool is
/// [terminated](Self::terminate): results that are waited for elsewhere are errors then.
///
/// The program's `main` must begin with [`init`](crate::init).
///
/// ```
/// use manager_client::{Pool, task};
///
/// #[task]
/// fn square(x: i64) -> i64 {
///     x * x
/// }
///
/// fn main() -> Result<(), manager_client::Error> {
///     manager_client::init();
///     let pool = Pool::new(4)?;
///     assert_eq!(pool.map(square, 0..5)?, [0, 1, 4, 9, 16]);
///
///     let result = pool.apply_async(square, (12,))?;
///     assert_eq!(result.get()?, 144);
///
///     pool.close()?;
///     pool.join()
/// }
/// ```
#[doc(alias = "multiprocessing.Pool")]
#[derive(Clone)]
pub struct Pool {
    office: Arc<Office>,
    manner: Manner,
    chunk: Option<usize>,
    window: Option<usize>,
}

impl Pool {
    /// A pool of so many worker processes, with a private server of its own.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn square(x: i64) -> i64 {
    /// #     x * x
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let pool = Pool::new(2)?;
    /// assert_eq!(pool.apply(square, (3,))?, 9);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`PoolBuilder::start`].
    #[cfg(feature = "embedded")]
    pub fn new(workers: usize) -> Result<Self> {
        Self::builder().workers(workers).start()
    }

    /// What can be set before a pool is started: see [`PoolBuilder`].
    ///
    /// ```
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let pool = manager_client::Pool::builder().workers(2).max_tasks_per_child(100).start()?;
    /// assert_eq!(pool.workers(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    fn new_of(office: Arc<Office>) -> Self {
        Self { office, manner: Manner::default(), chunk: None, window: None }
    }

    /// The same pool, where a task whose worker ends in the middle is done again, so many times at most.
    ///
    /// Of calls that [`map`](Self::map) puts together, those that are lost are done again one by one.
    ///
    /// ```no_run
    /// # #[manager_client::task] fn square(x: i64) -> i64 { x * x }
    /// # let pool = manager_client::Pool::new(2)?;
    /// let squares = pool.retries(2).map(square, 0..1000)?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn retries(&self, retries: u32) -> Self {
        Self { manner: Manner { retries, ..self.manner }, ..self.clone() }
    }

    /// The same pool, where a call may take so long: then its worker is ended and replaced, and the call fails
    /// with [`is_timeout`](Error::is_timeout). The time begins when a worker takes the call.
    ///
    /// Such calls are never put together, so that each has a time of its own.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// # #[manager_client::task] fn square(x: i64) -> i64 { x * x }
    /// # let pool = manager_client::Pool::new(2)?;
    /// let square = pool.time_limit(Duration::from_secs(5)).apply(square, (3,))?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn time_limit(&self, limit: Duration) -> Self {
        Self { manner: Manner { time_limit: Some(limit), ..self.manner }, ..self.clone() }
    }

    /// The same pool, which puts so many calls together: they are sent, done and answered as one.
    ///
    /// Without it [`map`](Self::map) makes four pieces for each worker, and [`imap`](Self::imap) one of each call.
    ///
    /// ```no_run
    /// # #[manager_client::task] fn square(x: i64) -> i64 { x * x }
    /// # let pool = manager_client::Pool::new(2)?;
    /// let sum: i64 = pool.chunk_size(1000).imap(square, 0..1_000_000).filter_map(Result::ok).sum();
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "chunksize")]
    #[must_use]
    pub fn chunk_size(&self, calls: usize) -> Self {
        Self { chunk: Some(calls.max(1)), ..self.clone() }
    }

    /// The same pool, where [`imap`](Self::imap) is so many calls ahead of who takes the results.
    ///
    /// ```no_run
    /// # #[manager_client::task] fn square(x: i64) -> i64 { x * x }
    /// # let pool = manager_client::Pool::new(2)?;
    /// for square in pool.window(100).imap(square, 0..) {
    ///     if square? > 1_000_000 {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn window(&self, calls: usize) -> Self {
        Self { window: Some(calls.max(1)), ..self.clone() }
    }

    /// How many workers the pool was started with; 0 for one that [was opened](crate::Manager::open_pool).
    ///
    /// ```no_run
    /// # let pool = manager_client::Pool::new(2)?;
    /// assert_eq!(pool.workers(), 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn workers(&self) -> usize {
        self.office.workers()
    }

    /// What there is to know of the pool now: how many calls wait and run, and what each worker has done.
    ///
    /// # Errors
    /// If the server cannot be reached.
    ///
    /// ```
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = manager_client::Pool::new(2)?;
    /// let status = pool.status()?;
    /// assert_eq!((status.queued, status.workers.len()), (0, 2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn status(&self) -> Result<PoolStatus> {
        self.office.member.proxy.status()
    }

    /// From now on nothing can be submitted, by whichever program. What was submitted is done, and then the
    /// workers end.
    ///
    /// # Errors
    /// If the server cannot be reached. A pool that is closed, or terminated, stays so.
    ///
    /// ```
    /// # use manager_client::{Pool, task};
    /// # #[task]
    /// # fn square(x: i64) -> i64 {
    /// #     x * x
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = Pool::new(2)?;
    /// pool.close()?;
    /// assert!(pool.apply(square, (3,)).is_err_and(|error| error.is_pool_closed()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) -> Result<()> {
        self.office.member.close()
    }

    /// Ends every call that is not over: its result is the error
    /// [`is_pool_terminated`](Error::is_pool_terminated). Ends the workers, whatever they are doing.
    ///
    /// # Errors
    /// If the server does not answer; the workers are ended all the same.
    ///
    /// # Blocks
    /// Until the workers have ended: about a second at most.
    ///
    /// ```
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let pool = manager_client::Pool::new(2)?;
    /// pool.terminate()?;
    /// pool.join()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn terminate(&self) -> Result<()> {
        self.office.terminate()
    }

    /// Waits until everything that was submitted here is over and the workers have ended.
    ///
    /// # Blocks
    /// For as long as there is something to do.
    ///
    /// # Errors
    /// [`is_out_of_turn`](Error::is_out_of_turn) if the pool was neither closed nor terminated;
    /// [`is_pool_broken`](Error::is_pool_broken) if it could not work; if the server is gone.
    pub fn join(&self) -> Result<()> {
        self.check_closed()?;
        self.office.member.wait_until_idle(None);
        self.judge()
    }

    /// As [`join`](Self::join), for so long at most; whether it is all over.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    ///
    /// # Blocks
    /// For the time given at most.
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool> {
        self.check_closed()?;
        if !self.office.member.wait_until_idle(Instant::now().checked_add(timeout)) {
            return Ok(false);
        }
        self.judge().map(|()| true)
    }

    /// As [`join`](Self::join), for async code of any runtime, and for a pool that was closed or terminated in this
    /// program.
    ///
    /// ```no_run
    /// # async fn example(pool: manager_client::Pool) -> Result<(), manager_client::Error> {
    /// pool.close()?;
    /// pool.joined().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn joined(&self) -> impl Future<Output = Result<()>> + Send + '_ {
        JoinedPool { pool: self }
    }

    fn check_closed(&self) -> Result<()> {
        let member = &self.office.member;
        // Another program may have closed it.
        if member.refusal().is_none() && !self.status()?.closed {
            return Err(Error::work(Fault::NotClosed));
        }
        if member.refusal().is_none() {
            member.learn();
        }
        Ok(())
    }

    /// Whether it ended as it should.
    fn judge(&self) -> Result<()> {
        match self.office.member.refusal() {
            Some(error) if !error.is_pool_closed() || error.is_pool_broken() => Err(error),
            Some(_) | None => Ok(()),
        }
    }
}

/// What [`Pool::joined`] waits for.
struct JoinedPool<'a> {
    pool: &'a Pool,
}

impl Future for JoinedPool<'_> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let member = &self.pool.office.member;
        if member.refusal().is_none() {
            return Poll::Ready(Err(Error::work(Fault::NotClosed)));
        }
        if member.poll_idle(context.waker()) { Poll::Ready(self.pool.judge()) } else { Poll::Pending }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("workers", &self.workers()).finish_non_exhaustive()
    }
}
