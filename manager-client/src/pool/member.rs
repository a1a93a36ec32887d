//! The member of a pool that this process is: what it has submitted and waits for.
//!
//! Three threads meet here: the sender takes what is to be submitted, the collector tells what became of it, and
//! the crew's keeper tells what workers there are. Nothing is sent, and no result put up, while it is locked.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Instant;

use manager_protocol::Code;
use manager_protocol::pool::Ending;

use super::board::{Board, Ended};
use super::chunk::{Parcel, Report};
use super::ledger::{Close, Ledger, Manner, Pending};
use super::proxy::{Outgoing, PoolProxy, Told};
use crate::error::{Error, Result};
use crate::process::Exit;
use crate::task::{Fault, Lost};

/// A membership of this process.
pub(super) struct Member {
    pub(super) proxy: PoolProxy,
    pub(super) number: u64,
    state: Mutex<Ledger>,
    changed: Condvar,
    /// How the processes of workers ended that this process keeps; of the latest, and if it was not well.
    exits: Mutex<BTreeMap<u64, Exit>>,
}

/// What the sender is to do next.
pub(super) enum Errand {
    Submit(Vec<Outgoing>),
    Close,
    End,
}

impl Member {
    pub(super) fn enter(proxy: PoolProxy) -> Result<Arc<Self>> {
        let number = proxy.enter()?;
        let (state, changed, exits) = (Mutex::default(), Condvar::new(), Mutex::default());
        Ok(Arc::new(Self { proxy, number, state, changed, exits }))
    }

    /// Puts jobs up to be submitted; the number of the last. `first` is the number of their first call.
    pub(super) fn submit(&self, board: &Arc<Board>, first: usize, parcels: Vec<Parcel>, manner: Manner) -> Result<u64> {
        let mut state = self.state();
        if let Some(refusal) = &state.refusal {
            return Err(refusal.clone());
        }
        let mut first = first;
        for parcel in parcels {
            let calls = parcel.calls as usize;
            state.put(board, first, parcel, manner);
            first += calls;
        }
        self.changed.notify_all();
        Ok(state.last)
    }

    /// Why nothing is submitted any more, if it is known.
    pub(super) fn refusal(&self) -> Option<Error> {
        self.state().refusal.clone()
    }

    /// From here on nothing is submitted, for this reason, unless there was another before.
    pub(super) fn refuse(&self, error: Error, is_ending: bool) {
        let mut state = self.state();
        // That it was closed only says how the end began.
        if state.refusal.is_none() || (is_ending && !state.is_ending) {
            state.refusal = Some(error);
            state.close = Close::Told(Ok(()));
        }
        state.is_ending |= is_ending;
        self.changed.notify_all();
    }

    /// Asks the server why the pool was shut down.
    pub(super) fn learn(&self) -> Error {
        let fault = match self.proxy.status() {
            Ok(status) => match (status.terminated, status.reason) {
                (true, Some(reason)) => Fault::Broken(reason),
                (true, None) => Fault::Terminated,
                (false, _) => Fault::Closed,
            },
            Err(error) if error.is_no_such_object() => Fault::Terminated,
            Err(error) => return error,
        };
        let is_ending = !matches!(fault, Fault::Closed);
        let error = Error::work(fault);
        self.refuse(error.clone(), is_ending);
        self.refusal().unwrap_or(error)
    }

    /// Submits nothing more, and tells the server so once all is submitted that may have to be.
    pub(super) fn close(&self) -> Result<()> {
        let mut state = self.state();
        if state.refusal.is_none() {
            state.refusal = Some(Error::work(Fault::Closed));
            state.close = Close::Wanted;
            self.changed.notify_all();
        }
        loop {
            match &state.close {
                Close::Told(outcome) => return outcome.clone(),
                Close::Unasked | Close::Wanted if state.is_ending || state.divisible > 0 || state.is_sender() => {
                    return Ok(());
                }
                Close::Unasked | Close::Wanted => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    pub(super) fn was_closed(&self, outcome: Result<()>) {
        self.state().close = Close::Told(outcome);
        self.changed.notify_all();
    }

    /// Waits for the next thing to send.
    pub(super) fn next_errand(&self) -> Errand {
        let mut state = self.state();
        state.sender = Some(thread::current().id());
        // Who asks has done what there was before.
        state.sent = state.taken;
        self.changed.notify_all();
        loop {
            let batch = state.take_batch();
            if !batch.is_empty() {
                return Errand::Submit(batch);
            }
            if state.is_over {
                return Errand::End;
            }
            if matches!(state.close, Close::Wanted) && state.divisible == 0 {
                return Errand::Close;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A job came to nothing before the server had it.
    pub(super) fn fail_one(&self, job: u64, error: &Error) {
        let failed = {
            let mut state = self.state();
            // If there was an end to everything, that is why.
            let error = state.refusal.as_ref().filter(|_| state.is_ending).unwrap_or(error).clone();
            state.delivering += 1;
            state.take(job).map(|pending| (pending, Err(error)))
        };
        self.deliver(failed.into_iter().collect());
    }

    /// Tells what became of jobs.
    pub(super) fn tell(&self, events: Vec<Told>) {
        let mut ended = Vec::with_capacity(events.len());
        {
            let mut state = self.state();
            state.delivering += 1;
            for told in events {
                let Some(pending) = state.take(told.job) else { continue };
                if told.ending == Ending::Lost && state.put_again(&pending) {
                    continue;
                }
                let outcome = self.judge(told, &pending);
                ended.push((pending, outcome));
            }
            self.changed.notify_all();
        }
        self.deliver(ended);
    }

    /// What an event means for the job that it is about.
    fn judge(&self, told: Told, pending: &Pending) -> Result<Report> {
        let fault = match told.ending {
            Ending::Finished => match told.value {
                Some(value) => return Report::new(value, pending.calls),
                None => return Err(Error::new(crate::error::Reason::Protocol)),
            },
            Ending::Lost => {
                let known = told.worker.and_then(|worker| lock(&self.exits).get(&worker).copied());
                Fault::Lost(Lost {
                    pid: told.pid,
                    exit: known.or_else(|| told.exit.map(Exit::of_code)),
                    attempts: told.attempts,
                })
            }
            Ending::TimedOut => Fault::TimedOut(pending.time_limit.unwrap_or_default()),
            Ending::Cancelled => Fault::Cancelled,
            Ending::Terminated => Fault::Terminated,
            Ending::Broken => Fault::Broken(told.reason.unwrap_or_default()),
            Ending::Unserved | Ending::Condemned => Fault::Unserved,
        };
        Err(Error::work(fault))
    }

    /// Notes how the process of a worker has ended, before the server tells what was lost with it.
    pub(super) fn note_exit(&self, worker: u64, exit: Exit) {
        let mut exits = lock(&self.exits);
        if exit.code() != 0 {
            exits.insert(worker, exit);
        }
        if exits.len() > MOST_EXITS {
            exits.pop_first();
        }
    }

    pub(super) fn set_workers(&self, workers: usize) {
        let wakers = {
            let mut state = self.state();
            state.workers = workers;
            self.changed.notify_all();
            state.wakers_if_idle()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Nothing more is told: what is not over fails, for this reason unless there was another before.
    pub(super) fn fail(&self, error: &Error) {
        let ended = {
            let mut state = self.state();
            let error = state.refusal.clone().filter(|_| state.is_ending).unwrap_or_else(|| error.clone());
            state.is_over = true;
            state.is_ending = true;
            state.refusal = Some(error.clone());
            state.outbox.clear();
            state.divisible = 0;
            state.delivering += 1;
            let jobs = std::mem::take(&mut state.jobs);
            self.changed.notify_all();
            jobs.into_values().map(|pending| (pending, Err(error.clone()))).collect()
        };
        self.deliver(ended);
    }

    /// Puts up results of jobs that were taken out; whoever did that has noted that they are being put up.
    fn deliver(&self, ended: Vec<(Pending, Result<Report>)>) {
        for (pending, outcome) in ended {
            let Pending { board, first, calls, .. } = pending;
            board.put(first, outcome.map_or_else(|error| Ended::Failed(error, calls), Ended::Finished));
        }
        let wakers = {
            let mut state = self.state();
            state.delivering -= 1;
            self.changed.notify_all();
            state.wakers_if_idle()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends the jobs of a board, or one of them; how many were not over.
    pub(super) fn cancel(&self, board: &Arc<Board>, only: Option<u64>) -> Result<u64> {
        let (numbers, unsent) = {
            let mut state = self.state();
            let mut numbers: Vec<u64> = match only {
                Some(job) => state.jobs.contains_key(&job).then_some(job).into_iter().collect(),
                None => {
                    let of_board = state.jobs.iter().filter(|(_, pending)| Arc::ptr_eq(&pending.board, board));
                    of_board.map(|(job, _)| *job).collect()
                }
            };
            // The server would not know those that are on their way.
            while !state.is_over
                && !state.is_sender()
                && numbers.iter().any(|job| *job <= state.taken && *job > state.sent)
            {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let taken = state.taken;
            state.delivering += 1;
            let unsent = numbers.extract_if(.., |job| *job > taken);
            let unsent: Vec<Pending> = unsent.filter_map(|job| state.take(job)).collect();
            (numbers, unsent)
        };
        let count = unsent.len() as u64;
        let cancelled = || Err(Error::work(Fault::Cancelled));
        self.deliver(unsent.into_iter().map(|pending| (pending, cancelled())).collect());
        if numbers.is_empty() {
            return Ok(count);
        }
        match self.proxy.cancel(self.number, &numbers) {
            Ok(cancelled) => Ok(count + cancelled),
            // It has left, or the pool is gone: so are the jobs.
            Err(error) if error.code() == Some(Code::NotHeld) || error.is_no_such_object() => Ok(count),
            Err(error) => Err(error),
        }
    }

    /// Waits until nothing is under way, or for the deadline; whether nothing is.
    pub(super) fn wait_until_idle(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state();
        while !state.is_idle() {
            state = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        true
    }

    /// Whether nothing is under way; if something is, the waker is woken later.
    pub(super) fn poll_idle(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        let is_idle = state.is_idle();
        if !is_idle && !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        is_idle
    }

    fn state(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.state)
    }
}

/// What is known is whole after each statement, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of so many workers it is known how they ended.
const MOST_EXITS: usize = 1024;
