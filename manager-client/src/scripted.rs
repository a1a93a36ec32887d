//! A link for tests that has no server: it notes what is asked and answers from a list.

use std::collections::VecDeque;
use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use manager_protocol::{Code, Row, write_item};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::link::{Answer, DirectLink, Link, Target};

/// Answers in the order of the list; a call that finds none waits for ever.
///
/// As with the async link, a call is made when it is polled first.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    script: Arc<Mutex<Script>>,
    timeout: Duration,
}

#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<Result<Vec<u8>, Code>>,
    asked: Vec<Asked>,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) operation: &'static str,
    pub(crate) arguments: Vec<u8>,
    /// How long the call may take; none for one whose answer nobody waits for.
    pub(crate) timeout: Option<Duration>,
    /// Whether it is made also if its future is dropped.
    pub(crate) insisted: bool,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self { script: Arc::default(), timeout: Duration::from_secs(5) }
    }

    /// Adds an answer.
    pub(crate) fn answer(&self, result: &impl Serialize) {
        let mut bytes = Vec::new();
        write_item(&mut bytes, result);
        self.script.lock().unwrap().answers.push_back(Ok(bytes));
    }

    /// Adds a refusal.
    pub(crate) fn refuse(&self, code: Code) {
        self.script.lock().unwrap().answers.push_back(Err(code));
    }

    /// The calls made since this was asked last.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.script.lock().unwrap().asked)
    }

    /// The operations of the calls made since, those marked that are made whoever waits for the answer.
    pub(crate) fn operations(&self) -> Vec<String> {
        let name = |asked: Asked| match asked.timeout {
            Some(_) if asked.insisted => format!("{} (insisted)", asked.operation),
            Some(_) => asked.operation.to_owned(),
            None => format!("{} (detached)", asked.operation),
        };
        self.asked().into_iter().map(name).collect()
    }

    fn note(&self, row: Row, arguments: Vec<u8>, timeout: Option<Duration>, insisted: bool) {
        self.script.lock().unwrap().asked.push(Asked { operation: row.name, arguments, timeout, insisted });
    }

    /// Notes a call when it is polled first, and takes its answer.
    async fn ask<T>(
        self,
        target: Target,
        row: Row,
        arguments: Vec<u8>,
        insisted: bool,
        decode: impl FnOnce(Answer<'_>) -> Result<T>,
    ) -> Result<T> {
        self.note(row, arguments, Some(self.timeout), insisted);
        let next = self.script.lock().unwrap().answers.pop_front();
        let outcome = match next {
            Some(Ok(result)) => Answer::new(1, &result).over(&self, decode),
            Some(Err(code)) => Err(manager_protocol::Error::new(code, "refused").into()),
            None => pending().await,
        };
        outcome.map_err(|error| error.during(row, &target))
    }
}

type Wait<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl Link for Scripted {
    type Wait<'a, T: 'a> = Wait<'a, T>;

    fn call<'a, T: 'a>(
        &'a self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'static,
    ) -> Wait<'a, T> {
        let mut arguments = Vec::new();
        encode(&mut arguments);
        Box::pin(self.clone().ask(target.clone(), row, arguments, false, decode))
    }

    fn fail<'a, T: 'a>(&'a self, error: Error) -> Wait<'a, T> {
        Box::pin(async move { Err(error) })
    }

    fn epoch(&self) -> u64 {
        1
    }
}

impl DirectLink for Scripted {
    fn future<'a, T: Send + 'a>(wait: Wait<'a, T>) -> impl Future<Output = Result<T>> + Send + 'a {
        wait
    }

    fn run<'a, T: 'a>(work: impl Future<Output = Result<T>> + Send + 'a) -> Wait<'a, T> {
        Box::pin(work)
    }

    fn pause(&self, _: Duration) -> impl Future<Output = ()> + Send {
        ready(())
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    fn holder(&self) -> u64 {
        7
    }

    fn reentrant_holder(&self) -> u64 {
        8
    }

    fn era(&self) -> u64 {
        1
    }

    fn insist(
        &self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> impl Future<Output = Result<()>> + Send {
        let mut arguments = Vec::new();
        encode(&mut arguments);
        self.clone().ask(target.clone(), row, arguments, true, |_| Ok(()))
    }

    fn detach(&self, _: &Target, row: Row, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut arguments = Vec::new();
        encode(&mut arguments);
        self.note(row, arguments, None, false);
    }
}

/// The outcome of a call that is answered at once.
#[track_caller]
pub(crate) fn now<T>(wait: impl Future<Output = T>) -> T {
    match poll_once(pin!(wait)) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the script has no more answers"),
    }
}

/// Polls a call, as a task does before it has to wait.
pub(crate) fn poll_once<T>(wait: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    wait.poll(&mut Context::from_waker(Waker::noop()))
}
