//! The pool in the server, as members and workers see it: one method for each operation.

use std::sync::Arc;
use std::time::Duration;

use manager_protocol::manager::Open;
use manager_protocol::pool::{
    Attach, Bury, Cancel, Close, Collect, Ending, Enter, Finish, GiveBack, Hire, Job, Leave, Outcome, PoolStatus,
    Status, Submit, Take, Terminate,
};
use manager_protocol::{Encoded, Kind, Many, Operation};

use super::chunk::{Parcel, Ran};
use crate::blocking::Blocking;
use crate::error::Result;
use crate::handle::{Handle, MARGIN, milliseconds};
use crate::link::{Answer, DirectLink, WaitingLink};
use crate::manager::Manager;
use crate::reference::{Keepers, Kept, Reference, note_all};

/// A pool in the server.
#[derive(Debug, Clone)]
pub(super) struct PoolProxy {
    handle: Handle<Blocking>,
}

/// A job on its way to the server.
pub(super) struct Outgoing {
    pub(super) job: u64,
    pub(super) attempts: u32,
    pub(super) time_limit: Option<Duration>,
    /// Whether its worker is to have nothing else meanwhile.
    pub(super) is_alone: bool,
    pub(super) parcel: Arc<Parcel>,
}

/// A job that a worker was given.
pub(super) struct Assigned {
    pub(super) job: u64,
    pub(super) task: u64,
    pub(super) arguments: Kept,
}

/// What came of a job that a worker has done.
pub(super) struct Done {
    pub(super) job: u64,
    pub(super) task: u64,
    pub(super) ran: Ran,
    /// What keeps the objects that the outcome refers to, until the server does.
    pub(super) keepers: Keepers,
}

/// What a member was told.
pub(super) struct Told {
    pub(super) job: u64,
    pub(super) ending: Ending,
    pub(super) attempts: u32,
    pub(super) worker: Option<u64>,
    pub(super) pid: Option<u32>,
    pub(super) exit: Option<i32>,
    pub(super) reason: Option<String>,
    pub(super) value: Option<Kept>,
}

impl PoolProxy {
    fn new(handle: Handle<Blocking>) -> Self {
        Self { handle }
    }

    /// The pool with this name, made if there is none; without a name, a new one.
    pub(super) fn open(manager: &Manager, name: Option<&str>) -> Result<Self> {
        let open = || Ok(Open { name, kind: Kind::Pool });
        match name {
            Some(name) => manager.open(name, open, Self::new),
            None => manager.make_new(Kind::Pool, open, Self::new),
        }
    }

    /// The pool that a reference names.
    pub(super) fn resolve(manager: &Manager, reference: Reference) -> Result<Self> {
        manager.hold(reference, Kind::Pool, |link, target| Self::new(Handle { link, target }))
    }

    pub(super) fn reference(&self) -> Reference {
        self.handle.target.reference(Kind::Pool)
    }

    /// The same pool, each call of which may take so long.
    pub(super) fn with_timeout(&self, timeout: Duration) -> Self {
        Self::new(self.handle.with_timeout(timeout.min(self.handle.link.timeout())))
    }

    pub(super) fn enter(&self) -> Result<u64> {
        self.handle.call(|| Ok(Enter {}), Ok)
    }

    pub(super) fn leave(&self, member: u64) -> Result<()> {
        self.handle.call(|| Ok(Leave { member }), Ok)
    }

    pub(super) fn hire(&self, member: u64, name: &str, tasks: &[u64]) -> Result<u64> {
        self.handle.call(|| Ok(Hire { member, name, tasks: Many::new(tasks.iter().copied()) }), Ok)
    }

    pub(super) fn attach(&self, worker: u64) -> Result<()> {
        self.handle.call(|| Ok(Attach { worker, pid: std::process::id() }), Ok)
    }

    pub(super) fn submit(&self, member: u64, jobs: &[Outgoing]) -> Result<()> {
        let submit = || {
            jobs.iter().for_each(|outgoing| note_all(&outgoing.parcel.held));
            let jobs = jobs.iter().map(|outgoing| {
                let Outgoing { job, attempts, time_limit, is_alone, ref parcel } = *outgoing;
                let Parcel { task, calls, .. } = **parcel;
                // What has a time limit is alone, so this is how one asks for that.
                let time_limit = time_limit.or_else(|| is_alone.then_some(AGES));
                let time_limit_ms = time_limit.and_then(milliseconds);
                Job { job, task, calls, attempts, time_limit_ms, arguments: Encoded::from(&parcel.arguments) }
            });
            Ok(Submit { member, jobs: Many::new(jobs) })
        };
        self.handle.call(submit, Ok)
    }

    pub(super) fn take(&self, worker: u64, limit: u64, wait: Duration) -> Result<Vec<Assigned>> {
        self.waiting(wait, Take { worker, limit, timeout_ms: milliseconds(wait) }, |answer| {
            let assigned = |assignment: manager_protocol::pool::Assignment<'_>| Assigned {
                job: assignment.job,
                task: assignment.task,
                arguments: Kept::new(&assignment.arguments, answer.origin),
            };
            Ok(answer.reply::<Take>()?.map(assigned).collect())
        })
    }

    pub(super) fn finish(&self, worker: u64, done: &[Done]) -> Result<()> {
        let finish = || {
            let outcomes = done.iter().map(|done| {
                let Done { job, ran: Ran { failed, outcome, .. }, .. } = done;
                Outcome { job: *job, failed: *failed, value: Encoded::from(outcome) }
            });
            Ok(Finish { worker, outcomes: Many::new(outcomes) })
        };
        self.handle.call(finish, Ok)
    }

    pub(super) fn give_back(&self, worker: u64, jobs: &[u64]) -> Result<()> {
        self.handle.call(|| Ok(GiveBack { worker, jobs: Many::new(jobs.iter().copied()) }), Ok)
    }

    pub(super) fn collect(&self, member: u64, limit: u64, wait: Duration) -> Result<Vec<Told>> {
        self.waiting(wait, Collect { member, limit, timeout_ms: milliseconds(wait) }, |answer| {
            let told = |event: manager_protocol::pool::Event<'_>| Told {
                job: event.job,
                ending: event.ending,
                attempts: event.attempts,
                worker: event.worker,
                pid: event.pid,
                exit: event.exit,
                reason: event.reason,
                value: event.value.map(|value| Kept::new(&value, answer.origin)),
            };
            Ok(answer.reply::<Collect>()?.map(told).collect())
        })
    }

    pub(super) fn cancel(&self, member: u64, jobs: &[u64]) -> Result<u64> {
        self.handle.call(|| Ok(Cancel { member, jobs: Many::new(jobs.iter().copied()) }), Ok)
    }

    pub(super) fn bury(&self, worker: u64, exit: i32) -> Result<()> {
        self.handle.call(|| Ok(Bury { worker, exit: Some(exit) }), Ok)
    }

    pub(super) fn close(&self) -> Result<()> {
        self.handle.call(|| Ok(Close {}), Ok)
    }

    pub(super) fn terminate(&self, reason: Option<&str>) -> Result<()> {
        self.handle.call(|| Ok(Terminate { reason }), Ok)
    }

    pub(super) fn status(&self) -> Result<PoolStatus> {
        self.handle.call(|| Ok(Status {}), Ok)
    }

    /// Sends an operation that may wait so long; `decode` is told what proxies in the answer are made of.
    fn waiting<O: Operation, T>(
        &self,
        wait: Duration,
        operation: O,
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send,
    ) -> Result<T> {
        let Handle { link, target } = &self.handle;
        let mut arguments = Vec::new();
        operation.encode(&mut arguments);
        link.call_within(wait.saturating_add(MARGIN), target, O::ROW, arguments, decode)
    }
}

/// Longer than any call takes.
const AGES: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
