//! The blocking link: each call is carried out in the caller's thread, on a connection of its own.
//!
//! There is no runtime and no other thread. Connections that are not in use wait in a small set.

mod batch;

use std::future::{Future, ready};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use manager_protocol::{Effect, ObjectId, Row};

use crate::calls::{Calls, Outcomes};
use crate::connection::{Connection, Delivery};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::error::{Error, Reason, Result};
use crate::link::{Answer, DirectLink, Link, Target, thread_number};
use crate::reference::Outlet;
use crate::retry::Backoff;
use crate::session::{Begun, Session, Sessions};
use crate::wire::Lost;

/// The link of the blocking proxies: a call returns when its reply is there.
#[derive(Debug, Clone)]
pub struct Blocking {
    driver: Arc<Driver>,
    timeout: Duration,
}

#[derive(Debug)]
struct Driver {
    idle: Idle,
    sessions: Sessions,
    // After the connections: an embedded server ends when this is dropped.
    endpoint: Endpoint,
}

impl Blocking {
    /// Reaches the server once, so that a wrong path is found out here.
    pub(crate) fn connect(endpoint: Endpoint) -> Result<Self> {
        let timeout = endpoint.settings.timeout;
        let driver = Driver::new(endpoint, Sessions::new);
        let session = driver.sessions.current();
        let connection = Connection::open(&driver.endpoint, &session, &Deadline::after(timeout))?;
        driver.keep(connection, &session);
        drop(session);
        Ok(Self { driver, timeout })
    }

    pub(crate) fn socket(&self) -> &Path {
        self.driver.endpoint.path()
    }
}

impl Driver {
    fn new(endpoint: Endpoint, sessions: impl FnOnce(Weak<dyn Outlet>) -> Sessions) -> Arc<Self> {
        Arc::new_cyclic(|driver: &Weak<Self>| Self {
            idle: Idle::default(),
            sessions: sessions(driver.clone()),
            endpoint,
        })
    }

    /// Keeps a connection for the next call. What the session has to give back goes first.
    fn keep(&self, mut connection: Box<Connection>, session: &Session) {
        if session.gives_back() {
            connection.tell_news(session);
        }
        if let Some(connection) = self.idle.put(connection) {
            connection.abandon(session);
        }
        // Something may have been let go while no connection was idle.
        if session.gives_back() {
            self.tell_news(session);
        }
    }

    /// Sends what the session gives back, if a connection is idle.
    fn tell_news(&self, session: &Session) {
        if let Some(mut connection) = self.idle.take(session) {
            connection.tell_news(session);
            if let Some(connection) = self.idle.put(connection) {
                connection.abandon(session);
            }
        }
    }

    fn take(&self, session: &Session, deadline: &Deadline) -> Result<Box<Connection>> {
        match self.idle.take(session) {
            Some(connection) => Ok(connection),
            None => self.open(session, deadline),
        }
    }

    /// A new connection. A session that was begun is not given up before the deadline, unless there is
    /// no server any more.
    fn open(&self, session: &Session, deadline: &Deadline) -> Result<Box<Connection>> {
        let mut backoff = Backoff::reconnecting();
        loop {
            match Connection::open(&self.endpoint, session, deadline) {
                // Another one takes its place.
                Err(error) if error.is_ended_session() => {}
                Err(error) if error.is_lost_connection() && session.is_known() => {
                    deadline.sleep(backoff.wait()).map_err(|late| late.because(error))?;
                }
                outcome => return outcome,
            }
        }
    }

    /// The connection to go on with after one was lost.
    fn reopen(&self, session: &Session, lost: &Error, deadline: &Deadline) -> Result<Box<Connection>> {
        if !lost.is_lost_connection() {
            return Err(lost.clone());
        }
        session.was_cut();
        self.open(session, deadline)
    }

    /// One request and its answer, over as many connections as it takes.
    fn call<T>(
        &self,
        row: Row,
        object: u64,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T>,
        deadline: &Deadline,
    ) -> Result<T> {
        let session = self.sessions.current();
        let mut connection = self.take(&session, deadline)?;
        connection.queue_news(&session, false);
        let begun = Begun::new(&session, row.effect);
        let id = begun.id();
        let mut call = match connection.queue(id, row, object, encode) {
            Ok(start) => Call { begun, effect: row.effect, generation: connection.generation(), start, sent: false },
            Err(error) => {
                begun.finish();
                connection.unqueue(&session);
                self.keep(connection, &session);
                return Err(error);
            }
        };
        let mut decode = Some(decode);
        let mut value = None;
        let mut deliver = |answered, outcome: Result<Answer<'_>>| match decode.take_if(|_| answered == id) {
            Some(decode) => {
                value = Some(outcome.and_then(decode));
                Delivery::Last
            }
            None => Delivery::Foreign,
        };
        while let Err(lost) = connection.exchange(&session, deadline, &mut deliver) {
            call = self.resume(&session, &mut connection, call, &lost, deadline)?;
        }
        call.begun.finish();
        self.keep(connection, &session);
        value.expect("an exchange without an error has delivered the outcome")
    }

    /// Puts a new connection in the place of a lost one, with the call to be sent again under its id.
    fn resume<'s>(
        &self,
        session: &Session,
        connection: &mut Box<Connection>,
        mut call: Call<'s>,
        lost: &Lost,
        deadline: &Deadline,
    ) -> Result<Call<'s>> {
        call.sent |= lost.written > call.start;
        let fresh = match self.reopen(session, &lost.error, deadline) {
            Ok(fresh) => fresh,
            Err(error) => {
                if lost.written == lost.frames.len() {
                    connection.cancel([call.begun.id()]);
                }
                return Err(call.fail(error));
            }
        };
        if fresh.generation() != call.generation {
            if call.sent && call.effect != Effect::Read {
                self.keep(fresh, session);
                call.begun.finish();
                return Err(Error::new(Reason::SessionExpired).unanswered(call.effect));
            }
            call.generation = fresh.generation();
        }
        *connection = fresh;
        connection.queue_news(session, false);
        call.start = connection.queue_again(&lost.frames[call.start..]);
        Ok(call)
    }

    /// Tells the server that the session ends.
    fn leave(&self, session: &Session) {
        while let Some(connection) = self.idle.take(session) {
            if connection.leave(session) {
                return;
            }
        }
        if let Ok(connection) = Connection::greet(&self.endpoint, session, &Deadline::after(LEAVING)) {
            connection.leave(session);
        }
    }
}

impl Outlet for Driver {
    fn release(&self, generation: u32, object: ObjectId, times: u64) {
        if let Some(session) = self.sessions.own() {
            session.give_back(generation, object, times);
            self.tell_news(&session);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(session) = self.sessions.own()
            && session.can_leave()
        {
            self.leave(&session);
        }
    }
}

/// A call that has no answer yet.
#[derive(Debug)]
struct Call<'s> {
    begun: Begun<'s>,
    effect: Effect,
    /// The generation of the session that it was sent in.
    generation: u32,
    /// Where its frames begin in what is sent.
    start: usize,
    /// Whether any of it was sent, on whichever connection.
    sent: bool,
}

impl Call<'_> {
    /// There will be no answer: the error to return.
    fn fail(self, error: Error) -> Error {
        if self.sent {
            // Given up with the drop.
            error.unanswered(self.effect)
        } else {
            self.begun.finish();
            error
        }
    }
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
        let decode = |answer: Answer<'_>| answer.over(self, decode);
        let outcome = self.driver.call(row, target.object(), encode, decode, &deadline);
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
        ready(batch::carry_out(&self.driver, &calls, &Deadline::after(self.timeout)).over(self))
    }

    fn holder(&self) -> u64 {
        thread_number()
    }

    fn reentrant_holder(&self) -> u64 {
        thread_number()
    }

    fn insist(
        &self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> impl Future<Output = Result<()>> + Send {
        ready(self.call(target, row, encode, |_| Ok(())))
    }

    fn detach(&self, target: &Target, row: Row, encode: impl FnOnce(&mut Vec<u8>)) {
        // Who drops something cannot be told.
        let _ = self.driver.call(row, target.object(), encode, |_| Ok(()), &Deadline::after(self.timeout));
    }

    fn era(&self) -> u64 {
        self.driver.sessions.current().era()
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
/// a place that it cannot use. Each thread begins at a place of its own, so threads that call all the
/// time keep their connections and out of each other's way.
#[derive(Debug, Default)]
struct Idle {
    places: [Mutex<Option<Box<Connection>>>; PLACES],
}

impl Idle {
    /// The places in the order in which this thread tries them.
    fn places(&self) -> impl Iterator<Item = &Mutex<Option<Box<Connection>>>> {
        let first = thread_number() as usize % PLACES;
        self.places[first..].iter().chain(&self.places[..first])
    }

    /// A connection of this session. Those that a fork inherited are closed without a word.
    fn take(&self, session: &Session) -> Option<Box<Connection>> {
        self.places().filter_map(|place| place.try_lock().ok()?.take()).find(|found| found.is_of(session))
    }

    /// Keeps a connection, if it is worth keeping and there is a place for it; else gives it back.
    fn put(&self, connection: Box<Connection>) -> Option<Box<Connection>> {
        if !connection.is_clean() {
            return Some(connection);
        }
        for place in self.places() {
            if let Ok(mut place) = place.try_lock()
                && place.is_none()
            {
                *place = Some(connection);
                return None;
            }
        }
        Some(connection)
    }
}

/// More threads than this at once, and some open a connection for each call.
const PLACES: usize = 32;

/// How long it may take to reach the server for telling that the session ends.
const LEAVING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
