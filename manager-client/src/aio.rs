//! The async proxies: the same methods, each of which gives a future.
//!
//! All calls of a manager share one connection, which a task on the tokio runtime serves. Dropping a
//! call's future cancels the call; but what a guard, a permit or a lease has begun to give back is given
//! back in any case.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), manager_client::Error> {
//! use manager_client::aio::Manager;
//!
//! let manager = Manager::start().await?;
//! let hits = manager.dict::<String, u64>("hits").await?;
//! hits.add("home", 1).await?;
//! assert_eq!(hits.get("home").await?, Some(1));
//! # Ok(())
//! # }
//! ```

mod by_id;
mod driver;
mod lane;
mod manager;
mod request;
mod task;
mod wire;

use std::future::Future;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use manager_protocol::Row;

use self::driver::Driver;
pub use self::manager::Manager;
use crate::calls::{Calls, Outcomes, Raw};
use crate::endpoint::Endpoint;
use crate::error::{Error, Reason, Result};
use crate::link::{Answer, DirectLink, Link, Target, thread_number};
use crate::reference::collect;

/// A dict whose methods give futures. See [`ManagerDict`](crate::ManagerDict).
pub type ManagerDict<K, V> = crate::ManagerDict<K, V, Async>;

/// A list whose methods give futures. See [`ManagerList`](crate::ManagerList).
pub type ManagerList<T> = crate::ManagerList<T, Async>;

/// A queue whose methods give futures. See [`ManagerQueue`](crate::ManagerQueue).
pub type ManagerQueue<T> = crate::ManagerQueue<T, Async>;

/// An item on loan whose methods give futures. See [`Lease`](crate::Lease).
pub type Lease<T> = crate::Lease<T, Async>;

/// An end of a pipe whose methods give futures. See [`PipeEnd`](crate::PipeEnd).
pub type PipeEnd<S, R> = crate::PipeEnd<S, R, Async>;

/// Both ends of a pipe whose methods give futures. See [`PipeEnds`](crate::PipeEnds).
pub type PipeEnds<A, B> = crate::PipeEnds<A, B, Async>;

/// The end of a one-way pipe that receives, whose methods give futures. See [`PipeReceiver`](crate::PipeReceiver).
pub type PipeReceiver<T> = crate::PipeReceiver<T, Async>;

/// The end of a one-way pipe that sends, whose methods give futures. See [`PipeSender`](crate::PipeSender).
pub type PipeSender<T> = crate::PipeSender<T, Async>;

/// A lock whose methods give futures. See [`ManagerLock`](crate::ManagerLock).
pub type ManagerLock = crate::ManagerLock<Async>;

/// A lock without an owner, whose methods give futures. See [`OwnerlessLock`](crate::OwnerlessLock).
pub type OwnerlessLock = crate::OwnerlessLock<Async>;

/// A reentrant lock whose methods give futures. See [`ManagerRLock`](crate::ManagerRLock).
pub type ManagerRLock = crate::ManagerRLock<Async>;

/// A lock that was acquired, whose `release` gives a future. See [`LockGuard`](crate::LockGuard).
pub type LockGuard = crate::LockGuard<Async>;

/// A semaphore whose methods give futures. See [`ManagerSemaphore`](crate::ManagerSemaphore).
pub type ManagerSemaphore = crate::ManagerSemaphore<Async>;

/// A permit whose `release` gives a future. See [`Permit`](crate::Permit).
pub type Permit = crate::Permit<Async>;

/// An event whose methods give futures. See [`ManagerEvent`](crate::ManagerEvent).
pub type ManagerEvent = crate::ManagerEvent<Async>;

/// A condition whose methods give futures. See [`ManagerCondition`](crate::ManagerCondition).
pub type ManagerCondition = crate::ManagerCondition<Async>;

/// A condition's lock that was acquired, whose methods give futures. See [`ConditionGuard`](crate::ConditionGuard).
pub type ConditionGuard = crate::ConditionGuard<Async>;

/// A barrier whose methods give futures. See [`ManagerBarrier`](crate::ManagerBarrier).
pub type ManagerBarrier = crate::ManagerBarrier<Async>;

/// A namespace whose methods give futures. See [`ManagerNamespace`](crate::ManagerNamespace).
pub type ManagerNamespace = crate::ManagerNamespace<Async>;

/// A set whose methods give futures. See [`ManagerSet`](crate::ManagerSet).
pub type ManagerSet<T> = crate::ManagerSet<T, Async>;

/// A value whose methods give futures. See [`ManagerValue`](crate::ManagerValue).
pub type ManagerValue<T> = crate::ManagerValue<T, Async>;

/// An array whose methods give futures. See [`ManagerArray`](crate::ManagerArray).
pub type ManagerArray<T> = crate::ManagerArray<T, Async>;

/// A path into a value whose methods give futures. See [`ValuePath`](crate::ValuePath).
pub type ValuePath = crate::ValuePath<Async>;

/// A pipeline whose `send` gives a future. See [`Pipeline`](crate::Pipeline).
pub type Pipeline = crate::Pipeline<Async>;

/// A transaction whose `commit` gives a future. See [`Transaction`](crate::Transaction).
pub type Transaction = crate::Transaction<Async>;

/// One try of a transaction in closure form. See [`Manager::transact`].
pub type Attempt = crate::Attempt<Async>;

/// What can be set before a manager connects. See [`Options`](crate::Options).
pub type Options = crate::Options<Async>;

pub use crate::array::Stream as ArrayStream;
pub use crate::dict::Stream as DictStream;
pub use crate::list::Stream as ListStream;
pub use crate::pipe::Stream as PipeStream;
pub use crate::queue::Stream as QueueStream;
pub use crate::set::Stream as SetStream;
pub use crate::watch::{DictWatchStream as DictWatch, KeyWatchStream as KeyWatch, ListWatchStream as ListWatch};

/// A call under way.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The link of the async proxies: a call gives a future of its result.
#[derive(Debug, Clone)]
pub struct Async {
    driver: Arc<Driver>,
    timeout: Duration,
}

impl Async {
    /// Reaches the server once, so that a wrong path is found out here.
    pub(crate) async fn connect(endpoint: Endpoint) -> Result<Self> {
        let timeout = endpoint.settings.timeout;
        let driver = Driver::new(endpoint);
        driver.reach().await?;
        Ok(Self { driver, timeout })
    }

    pub(crate) fn socket(&self) -> &Path {
        self.driver.endpoint().path()
    }

    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout(self.timeout, work).await.map_err(|_| self.late())
    }

    fn late(&self) -> Error {
        Error::new(Reason::Timeout(self.timeout))
    }

    /// The answer to a call, if it comes in time.
    async fn answer(&self, row: Row, call: impl Future<Output = Result<Raw>>) -> Result<Raw> {
        self.within(call).await.unwrap_or_else(|late| Err(late.unanswered(row.effect)))
    }
}

impl Link for Async {
    type Wait<'a, T: 'a> = BoxFuture<'a, T>;

    fn call<'a, T: 'a>(
        &'a self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'a, T> {
        let mut arguments = Vec::with_capacity(ARGUMENTS);
        let ((), needed) = collect(|| encode(&mut arguments));
        let target = target.clone();
        // Each future within another is room in the box that is made for every call.
        Box::pin(async move {
            let call = self.driver.call(row, target.object(), arguments);
            let answered = match tokio::time::timeout(self.timeout, call).await {
                Ok(answered) => answered,
                Err(_) => Err(self.late().unanswered(row.effect)),
            };
            // Until here what it refers to was held.
            drop(needed);
            answered.and_then(|raw| raw.answer().over(self, decode)).map_err(|error| error.during(row, &target))
        })
    }

    fn fail<'a, T: 'a>(&'a self, error: Error) -> BoxFuture<'a, T> {
        Box::pin(async move { Err(error) })
    }

    fn epoch(&self) -> u64 {
        self.driver.endpoint().epoch()
    }
}

impl DirectLink for Async {
    fn future<'a, T: Send + 'a>(wait: BoxFuture<'a, T>) -> impl Future<Output = Result<T>> + Send + 'a {
        wait
    }

    fn run<'a, T: 'a>(work: impl Future<Output = Result<T>> + Send + 'a) -> BoxFuture<'a, T> {
        Box::pin(work)
    }

    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn with_timeout(&self, timeout: Duration) -> Self {
        Self { driver: self.driver.clone(), timeout }
    }

    async fn batch(&self, calls: Calls) -> Outcomes {
        let mut outcomes = Outcomes::new(calls.len());
        if let Err(late) = self.within(self.driver.batch(&calls, &mut outcomes)).await {
            outcomes.fail_rest(|index| match calls.get(index) {
                Some(call) => late.clone().unanswered(call.row.effect),
                None => late.clone(),
            });
        }
        outcomes.over(self)
    }

    fn holder(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        CALLS | NEXT.fetch_add(1, Ordering::Relaxed)
    }

    fn reentrant_holder(&self) -> u64 {
        match tokio::task::try_id() {
            Some(task) => TASKS | BuildHasherDefault::<DefaultHasher>::new().hash_one(task) & (TASKS - 1),
            None => thread_number(),
        }
    }

    fn insist(
        &self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> impl Future<Output = Result<()>> + Send {
        let mut arguments = Vec::new();
        encode(&mut arguments);
        let target = target.clone();
        async move {
            // With the task before anything is awaited.
            let call = self.driver.insist(row, target.object(), arguments);
            self.answer(row, call).await.map(drop).map_err(|error| error.during(row, &target))
        }
    }

    fn detach(&self, target: &Target, row: Row, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut arguments = Vec::new();
        encode(&mut arguments);
        drop(self.driver.detach(row, target.object(), arguments));
    }

    fn era(&self) -> u64 {
        self.driver.era()
    }
}

/// Room for the arguments of most calls.
const ARGUMENTS: usize = 64;

/// What is set in the numbers of holders that are calls,
const CALLS: u64 = 1 << 62;
/// and of those that are tasks: neither is ever a thread's.
const TASKS: u64 = 1 << 61;

#[cfg(test)]
mod tests;
