//! The board: where what came of the calls of one request is put up, and waited for.
//!
//! It knows nothing of types: what the results decode to is told by who reads them.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use serde::de::DeserializeOwned;

use super::chunk::Report;
use crate::error::{Error, Result};

/// How a job ended.
#[derive(Clone)]
pub(super) enum Ended {
    /// A worker has finished it.
    Finished(Report),
    /// It came to nothing, with all its calls.
    Failed(Error, usize),
}

impl Ended {
    fn calls(&self) -> usize {
        match self {
            Self::Finished(report) => report.calls,
            Self::Failed(_, calls) => *calls,
        }
    }

    fn failed(&self) -> usize {
        match self {
            Self::Finished(report) => report.failed,
            Self::Failed(_, calls) => *calls,
        }
    }

    /// What came of each call, decoded.
    pub(super) fn read<T: DeserializeOwned>(&self, mut each: impl FnMut(Result<T>)) {
        match self {
            Self::Finished(report) => report.read(each),
            Self::Failed(error, calls) => (0..*calls).for_each(|_| each(Err(error.clone()))),
        }
    }
}

/// What somebody wants done once all calls have ended.
type Then = Box<dyn FnOnce(&Board) + Send>;

/// What came of the calls of one request.
pub(super) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    total: usize,
    done: usize,
    failed: usize,
    /// By the number of the first call.
    ended: BTreeMap<usize, Ended>,
    /// The same numbers, as they came.
    arrived: VecDeque<usize>,
    /// The calls up to this one were taken out.
    taken: usize,
    /// How many threads wait.
    waiting: usize,
    wakers: Vec<Waker>,
    then: Vec<Then>,
}

/// How far the calls of a request have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Calls that have ended, in whatever way.
    pub done: usize,
    /// Those of them that failed: they panicked, returned an `Err`, or came to nothing.
    pub failed: usize,
    /// All calls.
    pub total: usize,
}

impl Board {
    /// A board for so many calls.
    pub(super) fn new(total: usize) -> Arc<Self> {
        let state = State { total, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Expects more calls.
    pub(super) fn expect(&self, calls: usize) {
        self.state().total += calls;
    }

    /// Puts up how the job ended whose first call has this number. Nobody is kept from it by a panic of
    /// what is run then.
    pub(super) fn put(&self, first: usize, ended: Ended) {
        let (wakers, then) = {
            let mut state = self.state();
            state.done += ended.calls();
            state.failed += ended.failed();
            state.arrived.push_back(first);
            state.ended.insert(first, ended);
            if state.waiting > 0 {
                self.changed.notify_all();
            }
            let then = if state.is_done() { std::mem::take(&mut state.then) } else { Vec::new() };
            (std::mem::take(&mut state.wakers), then)
        };
        wakers.into_iter().for_each(Waker::wake);
        then.into_iter().for_each(|then| self.run(then));
    }

    /// Runs something once all calls have ended: now, if they have.
    pub(super) fn then(&self, then: impl FnOnce(&Self) + Send + 'static) {
        let mut state = self.state();
        if state.is_done() {
            drop(state);
            self.run(Box::new(then));
        } else {
            state.then.push(Box::new(then));
        }
    }

    fn run(&self, then: Then) {
        // The hook has told of the panic. What the caller's closure leaves half done is its own.
        let _panicked = catch_unwind(AssertUnwindSafe(|| then(self)));
    }

    pub(super) fn is_done(&self) -> bool {
        self.state().is_done()
    }

    pub(super) fn progress(&self) -> Progress {
        let State { total, done, failed, .. } = *self.state();
        Progress { done, failed, total }
    }

    /// Waits until all calls have ended, or for the deadline; whether they have.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        self.wait_while(deadline, |state| !state.is_done())
    }

    /// Waits until the next job can be taken.
    pub(super) fn wait_for_next(&self, in_order: bool) {
        self.wait_while(None, |state| !state.has_next(in_order));
    }

    fn wait_while(&self, deadline: Option<Instant>, pending: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state();
        while pending(&state) {
            state.waiting += 1;
            state = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    state.waiting -= 1;
                    return false;
                }
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
            state.waiting -= 1;
        }
        true
    }

    /// Whether all calls have ended; if not, the waker is woken at the next change.
    pub(super) fn poll(&self, waker: &Waker) -> bool {
        self.poll_while(waker, |state| !state.is_done())
    }

    /// Whether the next job can be taken; if not, the waker is woken at the next change.
    pub(super) fn poll_next(&self, in_order: bool, waker: &Waker) -> bool {
        self.poll_while(waker, |state| !state.has_next(in_order))
    }

    fn poll_while(&self, waker: &Waker, pending: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state();
        let is_pending = pending(&state);
        if is_pending && !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        !is_pending
    }

    /// Takes out the next job that has ended: the next by number, or by arrival.
    pub(super) fn take_next(&self, in_order: bool) -> Option<Ended> {
        let mut state = self.state();
        let first = if in_order { state.taken } else { state.arrived.pop_front()? };
        let ended = state.ended.remove(&first)?;
        state.taken += ended.calls();
        if in_order {
            // Nobody asks in which order they came.
            state.arrived.clear();
        }
        Some(ended)
    }

    /// What came of all calls, in order.
    pub(super) fn ended(&self) -> Vec<Ended> {
        self.state().ended.values().cloned().collect()
    }

    /// Each statement leaves the state whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_done(&self) -> bool {
        self.done >= self.total
    }

    fn has_next(&self, in_order: bool) -> bool {
        if in_order { self.ended.contains_key(&self.taken) } else { !self.arrived.is_empty() }
    }
}
