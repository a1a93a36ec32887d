//! A job of a pool, and what its member is told in the end.

use std::sync::Arc;
use std::time::Duration;

use manager_protocol::pool::{Assignment, Ending, Event};

use crate::core::value::Datum;

/// What a member submitted, until it is over.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) member: u64,
    /// The number that the member gave it.
    pub(super) own: u64,
    pub(super) task: u64,
    pub(super) calls: u32,
    /// How often it may be begun.
    pub(super) attempts: u32,
    /// How often it was.
    pub(super) begun: u32,
    pub(super) time_limit: Option<Duration>,
    pub(super) arguments: Datum,
    /// Whether somebody waits for the outcome.
    pub(super) wanted: bool,
    /// Who has it.
    pub(super) held: Option<Held>,
    /// The worker that ended in the middle of it, and its process.
    pub(super) last: Option<(u64, Option<u32>)>,
}

/// That a worker has a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) worker: u64,
    /// The taking by which it got it.
    pub(super) grant: u64,
}

/// How a job ends.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) ending: Ending,
    pub(super) exit: Option<i32>,
    pub(super) reason: Option<Arc<str>>,
    pub(super) value: Option<Datum>,
}

impl Outcome {
    pub(super) fn of(ending: Ending) -> Self {
        Self { ending, exit: None, reason: None, value: None }
    }
}

/// What a member is to be told, or was, and may be again if it never heard of it.
#[derive(Debug)]
pub(in crate::core) struct Told {
    pub(super) job: u64,
    pub(super) ending: Ending,
    pub(super) attempts: u32,
    pub(super) worker: Option<u64>,
    pub(super) pid: Option<u32>,
    pub(super) exit: Option<i32>,
    pub(super) reason: Option<Arc<str>>,
    pub(super) value: Option<Datum>,
}

impl Job {
    /// The job for the worker that has it now.
    pub(super) fn assignment(&self, number: u64) -> Assignment<'static> {
        let milliseconds = |limit: Duration| i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        Assignment {
            job: number,
            task: self.task,
            attempt: self.begun,
            time_limit_ms: self.time_limit.map(milliseconds),
            arguments: self.arguments.shared(),
        }
    }
}

impl Told {
    pub(super) fn len(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.len()) + self.reason.as_ref().map_or(0, |reason| reason.len())
    }

    pub(super) fn event(&self) -> Event<'static> {
        Event {
            job: self.job,
            ending: self.ending,
            attempts: self.attempts,
            worker: self.worker,
            pid: self.pid,
            exit: self.exit,
            reason: self.reason.as_deref().map(str::to_owned),
            value: self.value.as_ref().map(Datum::shared),
        }
    }
}
