//! The ledger: what a member has submitted and has no result of, and how far its end has come.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::board::Board;
use super::chunk::Parcel;
use super::proxy::Outgoing;
use crate::error::{Error, Result};

/// What a member has submitted, and how far its end has come.
#[derive(Default)]
pub(super) struct Ledger {
    /// The latest job's number.
    pub(super) last: u64,
    pub(super) jobs: HashMap<u64, Pending>,
    /// Jobs that are to be submitted, the least number first. Those that are over already are passed over.
    pub(super) outbox: VecDeque<Outgoing>,
    /// The jobs up to this one were taken off the outbox.
    pub(super) taken: u64,
    /// The jobs up to this one were submitted, or refused.
    pub(super) sent: u64,
    /// Jobs of several calls that are submitted anew, call by call, if they are lost.
    pub(super) divisible: usize,
    /// How many threads are putting up results.
    pub(super) delivering: usize,
    /// Workers that this process keeps.
    pub(super) workers: usize,
    pub(super) close: Close,
    /// Why nothing is submitted any more.
    pub(super) refusal: Option<Error>,
    /// Whether jobs are not attempted anew.
    pub(super) is_ending: bool,
    /// Whether nothing more is told: the threads are to end.
    pub(super) is_over: bool,
    /// The sender: what it runs itself must not wait for it.
    pub(super) sender: Option<ThreadId>,
    pub(super) wakers: Vec<Waker>,
}

#[derive(Debug, Clone, Default)]
pub(super) enum Close {
    #[default]
    Unasked,
    Wanted,
    Told(Result<()>),
}

/// A job that is not over.
pub(super) struct Pending {
    pub(super) board: Arc<Board>,
    /// The number of its first call on the board.
    pub(super) first: usize,
    pub(super) calls: usize,
    pub(super) time_limit: Option<Duration>,
    /// The calls, and how often each may be begun, if they are submitted anew once the job is lost.
    pub(super) again: Option<(Arc<Parcel>, u32)>,
}

/// How jobs are to be done.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manner {
    pub(super) retries: u32,
    pub(super) time_limit: Option<Duration>,
    /// Whether the worker is to have nothing else meanwhile.
    pub(super) is_alone: bool,
}

impl Ledger {
    pub(super) fn put(&mut self, board: &Arc<Board>, first: usize, parcel: Parcel, manner: Manner) {
        let Manner { retries, time_limit, is_alone } = manner;
        self.last += 1;
        let (job, calls, parcel) = (self.last, parcel.calls as usize, Arc::new(parcel));
        // Of a job of several calls only one may end its worker.
        let is_divisible = retries > 0 && calls > 1;
        let attempts = if is_divisible { 1 } else { retries.saturating_add(1) };
        let again = is_divisible.then(|| (Arc::clone(&parcel), retries));
        self.divisible += usize::from(is_divisible);
        self.jobs.insert(job, Pending { board: Arc::clone(board), first, calls, time_limit, again });
        // A call whose attempts count must not lose one because another ended the worker.
        let is_alone = is_alone || (calls == 1 && retries > 0);
        self.outbox.push_back(Outgoing { job, attempts, time_limit, is_alone, parcel });
    }

    /// Submits the calls of a lost job anew, one by one; whether they may be.
    pub(super) fn put_again(&mut self, lost: &Pending) -> bool {
        let Some((parcel, attempts)) = lost.again.as_ref().filter(|_| !self.is_ending) else { return false };
        // One of them may end its worker again.
        let manner = Manner { retries: attempts - 1, time_limit: lost.time_limit, is_alone: true };
        for (index, call) in parcel.split().into_iter().enumerate() {
            self.put(&lost.board, lost.first + index, call, manner);
        }
        true
    }

    pub(super) fn take(&mut self, job: u64) -> Option<Pending> {
        let pending = self.jobs.remove(&job)?;
        self.divisible -= usize::from(pending.again.is_some());
        Some(pending)
    }

    /// The next jobs that are to be submitted, as many as go into one request.
    pub(super) fn take_batch(&mut self) -> Vec<Outgoing> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES
            && batch.len() < BATCH_JOBS
            && let Some(next) = self.outbox.pop_front()
        {
            self.taken = next.job;
            if self.jobs.contains_key(&next.job) {
                bytes += next.parcel.arguments.len();
                batch.push(next);
            }
        }
        batch
    }

    pub(super) fn is_sender(&self) -> bool {
        self.sender == Some(thread::current().id())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.delivering == 0 && self.workers == 0
    }

    pub(super) fn wakers_if_idle(&mut self) -> Vec<Waker> {
        if self.is_idle() { std::mem::take(&mut self.wakers) } else { Vec::new() }
    }
}

/// A request has no more jobs when it has so many bytes, or jobs.
const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_JOBS: usize = 4096;
