//! The workers of a pool: hired, attached, dead, and gone.

use std::collections::{BTreeMap, BTreeSet};

use manager_protocol::pool::{Ending, WorkerStatus};
use manager_protocol::{Code, Error, Result};

use super::job::{Outcome, Told};
use super::line::{Place, Stand};
use super::{MOST, Pool, next, not_the_worker, shut_down};
use crate::core::session::SessionId;
use crate::core::waiting::{Effects, WaitKey};

/// Longest name of a worker, in bytes.
const LONGEST_NAME: usize = 256;

/// Most tasks that a worker knows.
const MOST_TASKS: usize = 65_536;

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) name: Box<str>,
    /// The member that is to end its process and to tell of its end.
    pub(super) keeper: Option<u64>,
    pub(super) life: Life,
    pub(super) pid: Option<u32>,
    /// Those that know the same tasks.
    pub(super) group: u64,
    /// It gets no jobs any more: its process is to end.
    pub(super) is_condemned: bool,
    /// What it has. Of a dead one: what is lost, once it is known how its process ended.
    pub(super) jobs: BTreeSet<u64>,
    /// Whether one of them has a time limit; then it is the only one.
    pub(super) has_limited: bool,
    /// Who waits for jobs for it, in the order of coming.
    pub(super) takers: BTreeMap<u64, WaitKey>,
    pub(super) running: u64,
    pub(super) done: u64,
    pub(super) failed: u64,
}

/// How far a worker has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Its process is not there yet.
    Hired,
    /// It is this session.
    Attached(SessionId),
    /// Its session has ended.
    Dead,
}

impl Worker {
    pub(super) fn stand(&self) -> Stand {
        if self.has_limited {
            Stand::Full
        } else if self.jobs.is_empty() {
            Stand::Idle
        } else {
            Stand::Busy
        }
    }

    pub(super) fn place(&self, number: u64) -> Place {
        Place { group: self.group, number }
    }

    pub(super) fn status(&self, number: u64) -> WorkerStatus {
        WorkerStatus {
            worker: number,
            name: self.name.to_string(),
            pid: self.pid,
            running: self.running,
            done: self.done,
            failed: self.failed,
        }
    }
}

impl Pool {
    pub(super) fn hire(
        &mut self,
        session: SessionId,
        keeper: u64,
        name: &str,
        tasks: impl ExactSizeIterator<Item = u64>,
    ) -> Result<u64> {
        self.member(session, keeper)?;
        if self.is_terminated() {
            return Err(shut_down());
        }
        if name.len() > LONGEST_NAME {
            let fault = format!("a worker's name of {} bytes, more than {LONGEST_NAME}", name.len());
            return Err(Error::new(Code::InvalidArgument, fault));
        }
        if tasks.len() > MOST_TASKS {
            let fault = format!("a worker that knows {} tasks, more than {MOST_TASKS}", tasks.len());
            return Err(Error::new(Code::InvalidArgument, fault));
        }
        if self.workers.len() >= MOST {
            return Err(Error::new(Code::LimitExceeded, format!("the pool has {MOST} workers, the limit")));
        }
        let tasks: BTreeSet<u64> = tasks.collect();
        let group = self.line.join(tasks.into_iter().collect());
        let number = next(&mut self.last.worker);
        let worker = Worker {
            name: name.into(),
            keeper: Some(keeper),
            life: Life::Hired,
            pid: None,
            group,
            is_condemned: false,
            jobs: BTreeSet::new(),
            has_limited: false,
            takers: BTreeMap::new(),
            running: 0,
            done: 0,
            failed: 0,
        };
        self.workers.insert(number, worker);
        self.member(session, keeper)?.workers.insert(number);
        Ok(number)
    }

    pub(super) fn attach(&mut self, session: SessionId, number: u64, pid: u32) -> Result<()> {
        let fault = || Error::new(Code::NotHeld, "there is no such worker, or another session is it already");
        let worker = self.workers.get_mut(&number).ok_or_else(fault)?;
        match worker.life {
            Life::Hired => worker.life = Life::Attached(session),
            Life::Attached(other) if other == session => {}
            Life::Attached(_) | Life::Dead => return Err(fault()),
        }
        worker.pid = Some(pid);
        self.seats.entry(session).or_default().workers.insert(number);
        Ok(())
    }

    /// The worker, if it is this session.
    pub(super) fn worker(&mut self, session: SessionId, number: u64) -> Result<&mut Worker> {
        let is_it = |worker: &&mut Worker| worker.life == Life::Attached(session);
        self.workers.get_mut(&number).filter(is_it).ok_or_else(not_the_worker)
    }

    /// Its keeper tells how the process of a worker has ended.
    pub(super) fn bury(
        &mut self,
        session: SessionId,
        number: u64,
        exit: Option<i32>,
        effects: &Effects<'_>,
    ) -> Result<()> {
        let keeper = self.workers.get(&number).and_then(|worker| worker.keeper);
        let is_kept = keeper.is_some_and(|keeper| self.member(session, keeper).is_ok());
        let Some(worker) = self.workers.get_mut(&number).filter(|_| is_kept) else {
            return Err(Error::new(Code::NotHeld, "no member of this session keeps such a worker"));
        };
        if let Life::Attached(other) = worker.life {
            if let Some(seat) = self.seats.get_mut(&other) {
                seat.workers.remove(&number);
            }
            self.end_work(number, Some(&not_the_worker()), effects);
        }
        self.remove_worker(number, exit);
        Ok(())
    }

    /// The session of a worker has ended.
    pub(super) fn lose_worker(&mut self, number: u64, effects: &Effects<'_>) {
        self.end_work(number, None, effects);
        if self.workers.get(&number).is_some_and(|worker| worker.keeper.is_none()) {
            self.remove_worker(number, None);
        }
    }

    /// A worker is dead: the jobs that may be attempted again return, and it keeps the others until it is
    /// known how its process ended.
    fn end_work(&mut self, number: u64, refusal: Option<&Error>, effects: &Effects<'_>) {
        self.dismiss_takers(number, refusal, effects);
        let Some(worker) = self.workers.get_mut(&number) else { return };
        worker.life = Life::Dead;
        let (pid, jobs) = (worker.pid, worker.jobs.clone());
        for id in jobs {
            self.stop_timer(id, effects);
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            if job.wanted && job.begun >= job.attempts {
                continue;
            }
            job.last = Some((number, pid));
            self.return_job(id, effects);
        }
    }

    /// A worker is gone. What it still had is lost, and what waits for it alone is not served any more.
    pub(super) fn remove_worker(&mut self, number: u64, exit: Option<i32>) {
        let Some(jobs) = self.workers.get_mut(&number).map(|worker| std::mem::take(&mut worker.jobs)) else { return };
        for job in jobs {
            self.end_job(job, Outcome { exit, ..Outcome::of(Ending::Lost) });
        }
        let Some(worker) = self.workers.remove(&number) else { return };
        if let Some(keeper) = worker.keeper.and_then(|keeper| self.members.get_mut(&keeper)) {
            keeper.workers.remove(&number);
        }
        for job in self.line.quit(worker.group) {
            self.tally.queued -= self.jobs.get(&job).map_or(0, |job| u64::from(job.calls));
            self.end_job(job, Outcome::of(Ending::Unserved));
        }
    }

    /// A worker gets no jobs any more, and its keeper is to end its process.
    pub(super) fn condemn(&mut self, number: u64, effects: &Effects<'_>) {
        let Some(worker) = self.workers.get_mut(&number).filter(|worker| !worker.is_condemned) else { return };
        worker.is_condemned = true;
        let (keeper, pid) = (worker.keeper, worker.pid);
        self.dismiss_takers(number, Some(&not_the_worker()), effects);
        if let Some(keeper) = keeper {
            let told = Told {
                job: 0,
                ending: Ending::Condemned,
                attempts: 0,
                worker: Some(number),
                pid,
                exit: None,
                reason: None,
                value: None,
            };
            self.tell(keeper, told);
        }
    }

    /// Turns those away who wait for jobs for a worker.
    fn dismiss_takers(&mut self, number: u64, refusal: Option<&Error>, effects: &Effects<'_>) {
        let Some(worker) = self.workers.get_mut(&number) else { return };
        for (place, wait) in std::mem::take(&mut worker.takers) {
            self.line.leave(worker.place(place));
            self.takers.remove(wait).into_iter().for_each(|(ticket, _)| effects.turn_away(ticket, refusal));
        }
    }

    /// A worker has other jobs than before: those who wait for more may have others.
    pub(super) fn reseat(&mut self, number: u64, before: Stand) {
        let Some(worker) = self.workers.get(&number) else { return };
        let stand = worker.stand();
        if stand != before {
            for (place, wait) in &worker.takers {
                self.line.seat(worker.place(*place), *wait, stand);
            }
        }
    }
}
