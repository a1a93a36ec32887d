//! Calls that are queued instead of sent, and the promises of their results.

use std::sync::{Arc, Mutex, MutexGuard};

use manager_protocol::Row;

use crate::calls::{Calls, Outcomes, Targets};
use crate::error::{Error, Reason, Result};
use crate::link::{Answer, Link, Target};

/// What calls can be queued in: a pipeline, or a transaction.
pub trait Queue: Sealed {
    /// The link that queues.
    fn link(&self) -> Batch;
}

/// Keeps [`Queue`] to this crate.
pub trait Sealed {}

/// A link that queues calls. Its proxies return [`Pending`] results.
#[derive(Debug, Clone)]
pub struct Batch {
    shared: Shared,
    epoch: u64,
}

/// The queue, and the outcomes once there are any: seen by the queue's owner, its links and promises.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: Calls,
    /// What the calls were for, once they were taken.
    targets: Targets,
    /// The first call that could not be queued. A transaction that is not whole must not be committed.
    unqueued: Option<Error>,
    outcomes: Option<Result<Outcomes>>,
    sent: bool,
}

impl Shared {
    pub(crate) fn link(&self, epoch: u64) -> Batch {
        Batch { shared: self.clone(), epoch }
    }

    /// Takes what is queued, to send it; and why that is not all, if it is not.
    pub(crate) fn take(&self) -> Result<(Calls, Option<Error>)> {
        let mut state = self.state();
        if std::mem::replace(&mut state.sent, true) {
            return Err(Error::new(Reason::AlreadySent));
        }
        let calls = std::mem::take(&mut state.calls);
        state.targets = calls.targets();
        Ok((calls, state.unqueued.take()))
    }

    /// Gives the promises their outcomes.
    pub(crate) fn settle(&self, outcomes: Result<Outcomes>) {
        self.state().outcomes = Some(outcomes);
    }

    /// The state is whole after each statement that changes it, so a panic elsewhere spoils nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Link for Batch {
    type Wait<'a, T: 'a> = Pending<T>;

    fn call<'a, T: 'a>(
        &'a self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        if target.epoch() != self.epoch {
            return self.fail(Error::new(Reason::OtherServer).during(row, target));
        }
        let mut state = self.shared.state();
        if state.sent {
            return Pending(Promise::Failed(Error::new(Reason::AlreadySent).during(row, target)));
        }
        let index = state.calls.len();
        let target = state.calls.push(target, row, encode);
        let shared = self.shared.clone();
        Pending(Promise::Queued(Queued { shared, index, row, target, decode: Box::new(decode) }))
    }

    fn fail<'a, T: 'a>(&'a self, error: Error) -> Pending<T> {
        self.shared.state().unqueued.get_or_insert_with(|| error.clone());
        Pending(Promise::Failed(error))
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// The result of a queued call, once the queue was sent.
#[derive(Debug)]
pub struct Pending<T>(Promise<T>);

#[derive(Debug)]
enum Promise<T> {
    Queued(Queued<T>),
    Failed(Error),
}

struct Queued<T> {
    shared: Shared,
    index: usize,
    row: Row,
    /// Which of the queue's targets it is for.
    target: usize,
    decode: Box<dyn FnOnce(Answer<'_>) -> Result<T> + Send>,
}

impl<T> std::fmt::Debug for Queued<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as number {}", self.row.name, self.index)
    }
}

impl<T> Pending<T> {
    /// Takes the result.
    ///
    /// # Errors
    /// What the call was refused with; [`is_not_sent`](Error::is_not_sent) if the queue was not sent yet.
    pub fn take(self) -> Result<T> {
        match self.0 {
            Promise::Queued(queued) => queued.take(),
            Promise::Failed(error) => Err(error),
        }
    }
}

impl<T> Queued<T> {
    fn take(self) -> Result<T> {
        let mut state = self.shared.state();
        let State { calls, targets, outcomes, sent, .. } = &mut *state;
        let outcome = match outcomes {
            None => Err(Error::new(Reason::NotSent)),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(outcomes)) => match outcomes.take(self.index, self.decode) {
                Some(outcome) => outcome,
                None => Err(Error::new(Reason::NotCommitted)),
            },
        };
        outcome.map_err(|error| match calls.get(self.index).filter(|_| !*sent) {
            Some(unsent) => error.during(self.row, unsent.target),
            None => error.during(self.row, targets.get(self.target)),
        })
    }
}
