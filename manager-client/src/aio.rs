//! The async proxies: the same methods, each of which gives a future.
//!
//! All calls of a manager share one connection, which a task on the tokio runtime serves. Dropping a
//! call's future cancels the call.
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

mod driver;
mod manager;
mod task;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use manager_protocol::Row;

use self::driver::Driver;
pub use self::manager::Manager;
use crate::calls::{Calls, Outcomes};
use crate::endpoint::Endpoint;
use crate::error::{Error, Reason, Result};
use crate::link::{Answer, DirectLink, Link, Target};

/// A dict whose methods give futures. See [`ManagerDict`](crate::ManagerDict).
pub type ManagerDict<K, V> = crate::ManagerDict<K, V, Async>;

/// A list whose methods give futures. See [`ManagerList`](crate::ManagerList).
pub type ManagerList<T> = crate::ManagerList<T, Async>;

/// A pipeline whose `send` gives a future. See [`Pipeline`](crate::Pipeline).
pub type Pipeline = crate::Pipeline<Async>;

/// A transaction whose `commit` gives a future. See [`Transaction`](crate::Transaction).
pub type Transaction = crate::Transaction<Async>;

/// One try of a transaction in closure form. See [`Manager::transact`].
pub type Attempt = crate::Attempt<Async>;

/// What can be set before a manager connects. See [`Options`](crate::Options).
pub type Options = crate::Options<Async>;

pub use crate::dict::Stream as DictStream;
pub use crate::list::Stream as ListStream;

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
        let driver = Arc::new(Driver::new(endpoint));
        driver.reach().await?;
        Ok(Self { driver, timeout })
    }

    pub(crate) fn socket(&self) -> &Path {
        self.driver.endpoint().path()
    }

    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let outcome = tokio::time::timeout(self.timeout, work).await;
        outcome.map_err(|_| Error::new(Reason::Timeout(self.timeout)))
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
        let mut arguments = Vec::new();
        encode(&mut arguments);
        let target = target.clone();
        Box::pin(async move {
            let call = self.driver.call(row, target.object(), arguments);
            let outcome = match self.within(call).await {
                Ok(outcome) => outcome,
                Err(late) => Err(late.unanswered(row.effect)),
            };
            outcome.and_then(|raw| decode(raw.answer())).map_err(|error| error.during(row, &target))
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
        outcomes
    }
}
