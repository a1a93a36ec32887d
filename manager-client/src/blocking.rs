//! The blocking link: each call is carried out in the caller's thread, on a connection of its own.
//!
//! There is no runtime and no other thread. Connections that are not in use wait in a small set.

use std::future::{Future, ready};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use manager_protocol::{Effect, Row};

use crate::calls::{Calls, Outcomes};
use crate::connection::{Connection, Deadline, Lost};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::link::{Answer, DirectLink, Link, Target};

/// The link of the blocking proxies: a call returns when its reply is there.
#[derive(Debug, Clone)]
pub struct Blocking {
    driver: Arc<Driver>,
    timeout: Duration,
}

#[derive(Debug)]
struct Driver {
    idle: Idle,
    // After the connections: an embedded server ends when this is dropped.
    endpoint: Endpoint,
}

impl Blocking {
    /// Reaches the server once, so that a wrong path is found out here.
    pub(crate) fn connect(endpoint: Endpoint) -> Result<Self> {
        let timeout = endpoint.settings.timeout;
        let connection = Connection::open(&endpoint, Deadline::after(timeout))?;
        let driver = Driver { idle: Idle::default(), endpoint };
        driver.idle.put(connection);
        Ok(Self { driver: Arc::new(driver), timeout })
    }

    pub(crate) fn socket(&self) -> &Path {
        self.driver.endpoint.path()
    }
}

impl Driver {
    fn take(&self, deadline: Deadline) -> Result<Connection> {
        match self.idle.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(&self.endpoint, deadline),
        }
    }

    /// One request and its answer; on a fresh connection if the first one was stale.
    fn call<T>(
        &self,
        row: Row,
        object: u64,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T>,
        deadline: Deadline,
    ) -> Result<T> {
        let mut connection = self.take(deadline)?;
        let id = match connection.request(row, object, encode) {
            Ok(id) => id,
            Err(error) => {
                self.idle.put(connection);
                return Err(error);
            }
        };
        let mut decode = Some(decode);
        let mut value = None;
        let mut deliver = |answered, outcome: Result<Answer<'_>>| match decode.take_if(|_| answered == id) {
            Some(decode) => {
                value = Some(outcome.and_then(decode));
                true
            }
            None => false,
        };
        if let Err(lost) = connection.exchange(1, deadline, &mut deliver) {
            let harmless = !lost.sent || row.effect == Effect::Read;
            if !harmless || !lost.error.is_lost_connection() {
                return Err(unanswered(lost, row.effect));
            }
            let next_id = connection.next_id();
            connection = Connection::open(&self.endpoint, deadline)?;
            connection.adopt(lost.requests, next_id);
            connection.exchange(1, deadline, &mut deliver).map_err(|lost| unanswered(lost, row.effect))?;
        }
        self.idle.put(connection);
        value.expect("an exchange without an error has delivered the outcome")
    }

    /// Several requests in one write; their outcomes in whatever order.
    fn batch(&self, calls: &Calls, deadline: Deadline) -> Outcomes {
        let mut outcomes = Outcomes::new(calls.len());
        let mut connection = match self.take(deadline) {
            Ok(connection) => connection,
            Err(error) => {
                outcomes.fail_rest(|_| error.clone());
                return outcomes;
            }
        };
        // The calls by id: ids follow each other, but a call that is too large gets none.
        let first_id = connection.next_id();
        let mut sent = Vec::with_capacity(calls.len());
        for (index, call) in calls.iter().enumerate() {
            let encode = |out: &mut Vec<u8>| out.extend_from_slice(call.arguments);
            match connection.request(call.row, call.target.object(), encode) {
                Ok(_) => sent.push(index),
                Err(error) => {
                    outcomes.refuse(index, error);
                }
            }
        }
        let mut deliver = |id: u64, outcome: Result<Answer<'_>>| {
            let place = id.checked_sub(first_id).and_then(|place| usize::try_from(place).ok());
            match (place.and_then(|place| sent.get(place)), outcome) {
                (Some(&index), Ok(answer)) => outcomes.answer(index, answer),
                (Some(&index), Err(error)) => outcomes.refuse(index, error),
                (None, _) => false,
            }
        };
        let mut exchanged = connection.exchange(sent.len(), deadline, &mut deliver);
        if let Err(lost) = exchanged {
            exchanged = if lost.sent || !lost.error.is_lost_connection() {
                Err(lost)
            } else {
                let next_id = connection.next_id();
                let fresh = Connection::open(&self.endpoint, deadline);
                match fresh {
                    Ok(fresh) => {
                        connection = fresh;
                        connection.adopt(lost.requests, next_id);
                        connection.exchange(sent.len(), deadline, &mut deliver)
                    }
                    Err(error) => Err(Lost { error, ..lost }),
                }
            };
        }
        match exchanged {
            Ok(()) => self.idle.put(connection),
            Err(lost) => outcomes.fail_rest(|index| match calls.get(index) {
                Some(call) if lost.sent => lost.error.clone().unanswered(call.row.effect),
                Some(_) | None => lost.error.clone(),
            }),
        }
        outcomes
    }
}

fn unanswered(lost: Lost, effect: Effect) -> Error {
    if lost.sent { lost.error.unanswered(effect) } else { lost.error }
}

impl Link for Blocking {
    type Wait<'a, T: 'a> = Result<T>;

    fn call<'a, T: 'a>(
        &'a self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = Deadline::after(self.timeout);
        let outcome = self.driver.call(row, target.object(), encode, decode, deadline);
        outcome.map_err(|error| error.during(row, target))
    }

    fn fail<'a, T: 'a>(&'a self, error: Error) -> Result<T> {
        Err(error)
    }

    fn epoch(&self) -> u64 {
        self.driver.endpoint.epoch()
    }
}

impl DirectLink for Blocking {
    fn future<'a, T: Send + 'a>(wait: Result<T>) -> impl Future<Output = Result<T>> + Send + 'a {
        ready(wait)
    }

    fn run<'a, T: 'a>(work: impl Future<Output = Result<T>> + Send + 'a) -> Result<T> {
        finish(work)
    }

    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send {
        std::thread::sleep(time);
        ready(())
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn with_timeout(&self, timeout: Duration) -> Self {
        Self { driver: self.driver.clone(), timeout }
    }

    fn batch(&self, calls: Calls) -> impl Future<Output = Outcomes> + Send {
        ready(self.driver.batch(&calls, Deadline::after(self.timeout)))
    }
}

/// The outcome of a future that awaits nothing but calls of a blocking link.
pub(crate) fn finish<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("every call of a blocking link is ready when it returns"),
    }
}

/// Connections that no call is using.
///
/// A place is only ever tried, never waited for: a fork at any moment leaves the child with at worst
/// a place that it cannot use.
#[derive(Debug, Default)]
struct Idle {
    places: [Mutex<Option<Connection>>; PLACES],
}

impl Idle {
    /// A connection of this process. Those that a fork inherited are closed without a word.
    fn take(&self) -> Option<Connection> {
        self.places.iter().filter_map(|place| place.try_lock().ok()?.take()).find(Connection::is_own)
    }

    /// Keeps a connection, if it is worth keeping and there is a place for it.
    fn put(&self, connection: Connection) {
        if !connection.is_clean() {
            return;
        }
        for place in &self.places {
            if let Ok(mut place) = place.try_lock()
                && place.is_none()
            {
                *place = Some(connection);
                return;
            }
        }
    }
}

/// More threads than this at once, and some open a connection for each call.
const PLACES: usize = 32;
