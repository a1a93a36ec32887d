//! A pool: jobs that members submit, and workers that take and finish them.
//!
//! All of it is one state under one lock: which jobs wait, who has which, who is told what, and who knows
//! which task. A worker that ends in the middle is found out by the end of its session.

mod grants;
mod job;
mod line;
mod members;
mod requests;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
mod waiters;
mod workers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use manager_protocol::pool::{Ending, PoolStatus};
use manager_protocol::{Code, Error};

use super::{Discards, PAGE_BYTES, PAGE_ITEMS};
use crate::core::Limits;
use crate::core::reference::Links;
use crate::core::session::SessionId;
use crate::core::timers::TimerKey;
use crate::core::waitable::Count;
use crate::core::waiting::{Effects, Waiters};
pub(in crate::core) use job::Told;
use job::{Job, Outcome};
use line::Line;
use members::Member;
use waiters::{Collector, Taker};
use workers::Worker;

/// Most members of a pool, and most workers.
const MOST: usize = 65_536;

/// The state of one pool.
///
/// After each operation nobody waits for what there is: no taker for a job that its worker can have, no
/// collector while its member has something to be told.
#[derive(Debug)]
pub(in crate::core) struct Pool {
    /// Those that wait and those that workers have, in the order in which they were submitted.
    jobs: BTreeMap<u64, Job>,
    /// The jobs that wait, and the workers that could take them.
    line: Line,
    members: HashMap<u64, Member>,
    workers: BTreeMap<u64, Worker>,
    seats: HashMap<SessionId, Seat>,
    /// The time limits of jobs that workers have.
    timers: HashMap<u64, TimerKey>,
    takers: Waiters<Taker>,
    collectors: Waiters<Collector>,
    /// Members that were told something by this operation.
    told: BTreeSet<u64>,
    last: Last,
    /// Jobs of which somebody waits for the outcome.
    wanted: usize,
    /// Events that members have not collected.
    events: usize,
    tally: Tally,
    phase: Phase,
    count: Count,
    max_items: usize,
    discarded: Discarded,
}

/// What a session is to a pool.
#[derive(Debug, Default)]
struct Seat {
    members: BTreeSet<u64>,
    workers: BTreeSet<u64>,
}

/// The latest number of each sort.
#[derive(Debug, Default)]
struct Last {
    job: u64,
    member: u64,
    worker: u64,
    /// Of an event, a taking, or a place in a line.
    other: u64,
}

/// Calls by what became of them. Each is counted once: what comes of a job that was cancelled, or whose
/// member has left, is not counted again.
#[derive(Debug, Default)]
struct Tally {
    queued: u64,
    done: u64,
    failed: u64,
    lost: u64,
}

/// Whether jobs come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Open,
    /// Nothing can be submitted.
    Closed,
    /// There are no jobs any more, for this reason if it broke.
    Terminated(Option<Arc<str>>),
}

/// What was let go of and is to be freed after the lock is.
#[derive(Debug, Default)]
struct Discarded {
    jobs: Vec<Job>,
    events: Vec<BTreeMap<u64, Told>>,
}

impl Pool {
    pub(in crate::core) fn new(limits: &Limits) -> Self {
        Self {
            jobs: BTreeMap::new(),
            line: Line::default(),
            members: HashMap::new(),
            workers: BTreeMap::new(),
            seats: HashMap::new(),
            timers: HashMap::new(),
            takers: Waiters::default(),
            collectors: Waiters::default(),
            told: BTreeSet::new(),
            last: Last::default(),
            wanted: 0,
            events: 0,
            tally: Tally::default(),
            phase: Phase::Open,
            count: Count::default(),
            max_items: limits.max_items,
            discarded: Discarded::default(),
        }
    }

    /// The links of each value that has any.
    pub(super) fn links(&self) -> impl Iterator<Item = &Links> {
        let arguments = self.jobs.values().map(|job| job.arguments.links());
        let told = self.members.values().flat_map(|member| member.events.values());
        let values = told.filter_map(|told| told.value.as_ref()).map(|value| value.links());
        arguments.chain(values).filter(|links| !links.is_empty())
    }

    /// Takes out all that has values: the pool is empty, and those who wait there are turned away by
    /// whoever deletes it.
    pub(super) fn take_contents(&mut self) -> Box<dyn Send> {
        self.events = 0;
        self.wanted = 0;
        self.told.clear();
        self.seats.clear();
        let line = std::mem::take(&mut self.line);
        let workers = std::mem::take(&mut self.workers);
        let members = std::mem::take(&mut self.members);
        Box::new((std::mem::take(&mut self.jobs), line, workers, members))
    }

    /// A number that no event, taking or place has.
    fn number(&mut self) -> u64 {
        next(&mut self.last.other)
    }

    /// Jobs and events: what the server's limit is for.
    fn load(&self) -> usize {
        self.jobs.len() + self.events
    }

    fn is_terminated(&self) -> bool {
        match self.phase {
            Phase::Open | Phase::Closed => false,
            Phase::Terminated(_) => true,
        }
    }

    /// Whether there will be no jobs any more.
    fn is_exhausted(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Closed => self.wanted == 0,
            Phase::Terminated(_) => true,
        }
    }

    fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closed;
            self.count.mine();
        }
    }

    fn terminate(&mut self, reason: Option<&str>, effects: &Effects<'_>) {
        if self.is_terminated() {
            return;
        }
        self.count.mine();
        let reason: Option<Arc<str>> = reason.map(Into::into);
        self.phase = Phase::Terminated(reason.clone());
        let ending = if reason.is_some() { Ending::Broken } else { Ending::Terminated };
        while let Some((&number, _)) = self.jobs.first_key_value() {
            self.withdraw(number, effects);
            self.end_job(number, Outcome { reason: reason.clone(), ..Outcome::of(ending) });
        }
        // Before they would be told that their workers are condemned.
        self.refuse_takers(effects);
        let workers: Vec<u64> = self.workers.keys().copied().collect();
        workers.into_iter().for_each(|worker| self.condemn(worker, effects));
    }

    fn status(&self) -> PoolStatus {
        let workers: Vec<_> = self.workers.iter().map(|(number, worker)| worker.status(*number)).collect();
        PoolStatus {
            queued: self.tally.queued,
            running: workers.iter().map(|worker| worker.running).sum(),
            done: self.tally.done,
            failed: self.tally.failed,
            lost: self.tally.lost,
            members: self.members.len() as u64,
            closed: self.phase != Phase::Open,
            terminated: self.is_terminated(),
            reason: match &self.phase {
                Phase::Open | Phase::Closed => None,
                Phase::Terminated(reason) => reason.as_deref().map(str::to_owned),
            },
            workers,
        }
    }
}

/// The number after the latest one.
fn next(last: &mut u64) -> u64 {
    *last += 1;
    *last
}

fn shut_down() -> Error {
    Error::new(Code::ShutDown, "the pool was closed or terminated")
}

fn not_a_member() -> Error {
    Error::new(Code::NotHeld, "the session has no such member of the pool")
}

fn not_the_worker() -> Error {
    Error::new(Code::NotHeld, "the session is not this worker of the pool, or is to end")
}

impl Discards for Pool {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        if self.discarded.jobs.is_empty() && self.discarded.events.is_empty() {
            return None;
        }
        Some(Box::new(std::mem::take(&mut self.discarded)))
    }
}

/// How many items a page has, and of how many bytes.
struct Page {
    items: u64,
    bytes: usize,
}

impl Page {
    fn new(limit: u64) -> Self {
        Self { items: limit.min(PAGE_ITEMS.into()), bytes: PAGE_BYTES }
    }

    /// Whether something of this length goes on the page: the first always does.
    fn add(&mut self, len: usize, is_first: bool) -> bool {
        if self.items == 0 || (len > self.bytes && !is_first) {
            return false;
        }
        self.items -= 1;
        self.bytes = self.bytes.saturating_sub(len);
        true
    }
}
