//! The jobs of a pool on their way: submitted, taken, finished, returned, cancelled.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use manager_protocol::pool::{self, Assignment, Ending};
use manager_protocol::{Code, Error, Many, Result};

use super::job::{Held, Job, Outcome};
use super::workers::Life;
use super::{Page, Phase, Pool, next, shut_down};
use crate::core::moment::Moment;
use crate::core::object::Object;
use crate::core::session::SessionId;
use crate::core::value::Datum;
use crate::core::waitable::Reversal;
use crate::core::waiting::{Effects, milliseconds_of};

fn invalid(fault: &str) -> Error {
    Error::new(Code::InvalidArgument, fault)
}

/// Judges how long a job may take.
fn time_limit(milliseconds: Option<i64>) -> Result<Option<Duration>> {
    if milliseconds == Some(0) {
        return Err(invalid("a time limit of 0 ms"));
    }
    milliseconds.map(|milliseconds| milliseconds_of(milliseconds, "time limit")).transpose()
}

impl Pool {
    pub(super) fn submit(
        &mut self,
        session: SessionId,
        member: u64,
        jobs: Many<'_, pool::Job<'_>>,
        moment: &Moment,
    ) -> Result<()> {
        self.member(session, member)?;
        if self.phase != Phase::Open {
            return Err(shut_down());
        }
        if jobs.len() > self.max_items.saturating_sub(self.load()) {
            let fault = format!("the pool would have more than {} jobs and events, the server's limit", self.max_items);
            return Err(Error::new(Code::LimitExceeded, fault));
        }
        let jobs: Vec<pool::Job<'_>> = jobs.collect();
        let mut numbers = HashSet::with_capacity(jobs.len());
        for job in &jobs {
            self.judge(session, member, job)?;
            if !numbers.insert(job.job) {
                return Err(invalid("two jobs with the same number"));
            }
        }
        for job in &jobs {
            self.add(session, member, job, moment)?;
        }
        if !jobs.is_empty() {
            self.count.mine();
        }
        Ok(())
    }

    fn judge(&mut self, session: SessionId, member: u64, job: &pool::Job<'_>) -> Result<()> {
        time_limit(job.time_limit_ms)?;
        if job.attempts == 0 {
            return Err(invalid("a job of 0 attempts"));
        }
        if job.calls == 0 {
            return Err(invalid("a job of 0 calls"));
        }
        if self.member(session, member)?.jobs.contains_key(&job.job) {
            return Err(invalid("the member has a job with this number already"));
        }
        if !self.line.knows(job.task) {
            let fault = format!("no worker of the pool knows the task {:#018x}", job.task);
            return Err(Error::new(Code::UnknownTask, fault));
        }
        Ok(())
    }

    /// Puts a job that was judged behind all others.
    fn add(&mut self, session: SessionId, member: u64, job: &pool::Job<'_>, moment: &Moment) -> Result<()> {
        let (number, time_limit) = (next(&mut self.last.job), time_limit(job.time_limit_ms)?);
        self.member(session, member)?.jobs.insert(job.job, number);
        self.line.push(job.task, number, time_limit.is_some());
        let job = Job {
            member,
            own: job.job,
            task: job.task,
            calls: job.calls,
            attempts: job.attempts,
            begun: 0,
            time_limit,
            arguments: Datum::new(job.arguments.as_slice(), moment),
            wanted: true,
            held: None,
            last: None,
        };
        self.tally.queued += u64::from(job.calls);
        self.wanted += 1;
        self.jobs.insert(number, job);
        Ok(())
    }

    /// Gives a worker its next jobs, if there are any that it can have.
    pub(super) fn grant(
        &mut self,
        number: u64,
        limit: u64,
        object: &Arc<Object>,
        effects: &Effects<'_>,
    ) -> Option<(Many<'static, Assignment<'static>>, Reversal)> {
        let grant = self.number();
        let worker = self.workers.get_mut(&number)?;
        let (stand, jobs, mut page, mut is_first) = (worker.stand(), &mut self.jobs, Page::new(limit), true);
        let taken = self.line.take(worker.group, stand, |id| {
            let len = jobs.get(&id).map_or(0, |job| job.arguments.len());
            page.add(len, std::mem::take(&mut is_first))
        });
        let mut assignments = Vec::with_capacity(taken.len());
        for id in &taken {
            let Some(job) = jobs.get_mut(id) else { continue };
            job.held = Some(Held { worker: number, grant });
            job.begun = job.begun.saturating_add(1);
            worker.jobs.insert(*id);
            worker.running += u64::from(job.calls);
            worker.has_limited = job.time_limit.is_some();
            self.tally.queued -= u64::from(job.calls);
            if let Some(at) = job.time_limit.and_then(|limit| effects.now().checked_add(limit)) {
                self.timers.insert(*id, effects.set_lease_timer(at, Arc::downgrade(object), *id));
            }
            assignments.push(job.assignment(*id));
        }
        self.reseat(number, stand);
        if assignments.is_empty() {
            return None;
        }
        let reversal = Reversal::Jobs { object: Arc::clone(object), grant, jobs: taken };
        Some((Many::new(assignments.into_iter()), reversal))
    }

    /// A worker tells what came of its jobs; whether any of them was its own.
    pub(super) fn finish(
        &mut self,
        worker: u64,
        outcomes: Many<'_, pool::Outcome<'_>>,
        moment: &Moment,
        effects: &Effects<'_>,
    ) -> bool {
        let mut any = false;
        for outcome in outcomes {
            let Some(job) = self.jobs.get(&outcome.job).filter(|job| job.is_with(worker)) else { continue };
            any = true;
            let failed = u64::from(outcome.failed.min(job.calls));
            let done = u64::from(job.calls) - failed;
            if job.wanted {
                self.tally.done += done;
                self.tally.failed += failed;
            }
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.done += done;
                worker.failed += failed;
            }
            let value = Datum::new(outcome.value.as_slice(), moment);
            self.withdraw(outcome.job, effects);
            self.end_job(outcome.job, Outcome { value: Some(value), ..Outcome::of(Ending::Finished) });
        }
        any
    }

    /// A worker returns jobs that it has not begun; whether any of them was its own.
    pub(super) fn give_back(&mut self, worker: u64, jobs: Many<'_, u64>, effects: &Effects<'_>) -> bool {
        self.undo(jobs, |job| job.is_with(worker), effects)
    }

    /// A worker never got what it took.
    pub(super) fn take_back_jobs(&mut self, grant: u64, jobs: Vec<u64>, effects: &Effects<'_>) -> bool {
        self.undo(jobs.into_iter(), |job| job.held.is_some_and(|held| held.grant == grant), effects)
    }

    /// Returns jobs as if they had never been taken.
    fn undo(
        &mut self,
        jobs: impl Iterator<Item = u64>,
        is_meant: impl Fn(&Job) -> bool,
        effects: &Effects<'_>,
    ) -> bool {
        let mut any = false;
        for id in jobs {
            let Some(job) = self.jobs.get_mut(&id).filter(|job| is_meant(job)) else { continue };
            job.begun = job.begun.saturating_sub(1);
            any = true;
            self.return_job(id, effects);
        }
        any
    }

    /// Returns a job that a worker has to its place. One that nobody waits for is dropped.
    pub(super) fn return_job(&mut self, id: u64, effects: &Effects<'_>) {
        self.withdraw(id, effects);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.wanted {
            job.held = None;
            self.tally.queued += u64::from(job.calls);
            self.line.push(job.task, id, job.time_limit.is_some());
        } else {
            self.discarded.jobs.extend(self.jobs.remove(&id));
        }
    }

    /// A member wants nothing of its jobs any more; how many of them were not over.
    pub(super) fn cancel(&mut self, member: u64, jobs: Many<'_, u64>, effects: &Effects<'_>) -> u64 {
        let mut cancelled = 0;
        for own in jobs {
            let Some(&id) = self.members.get(&member).and_then(|member| member.jobs.get(&own)) else { continue };
            cancelled += 1;
            self.cancel_one(id, effects);
        }
        cancelled
    }

    fn cancel_one(&mut self, id: u64, effects: &Effects<'_>) {
        let held = self.jobs.get(&id).and_then(|job| job.held);
        let worker = held.filter(|_| self.is_at_work(id)).map(|held| held.worker);
        let is_alone = |worker: u64| self.workers.get(&worker).is_some_and(|worker| worker.jobs.len() == 1);
        match worker {
            Some(worker) if !is_alone(worker) => self.cancel_among_others(id),
            Some(_) | None => {
                self.withdraw(id, effects);
                self.end_job(id, Outcome::of(Ending::Cancelled));
                worker.into_iter().for_each(|worker| self.condemn(worker, effects));
            }
        }
    }

    /// Ends a job for its member, while the worker goes on with it.
    fn cancel_among_others(&mut self, id: u64) {
        self.disown(id);
        if let Some(job) = self.jobs.remove(&id) {
            self.tell_of(&job, Outcome::of(Ending::Cancelled));
            self.jobs.insert(id, job);
        }
    }

    /// The time limit of a job is over, if a worker has it still; whether one had.
    pub(super) fn end_time(&mut self, id: u64, effects: &Effects<'_>) -> bool {
        // It may have returned and been taken again after the timer went off.
        if self.timers.get(&id).is_none_or(|(at, _)| *at > effects.now()) {
            return false;
        }
        let Some(held) = self.jobs.get(&id).and_then(|job| job.held) else { return false };
        self.withdraw(id, effects);
        self.end_job(id, Outcome::of(Ending::TimedOut));
        self.condemn(held.worker, effects);
        true
    }

    /// Whether a worker that is alive has the job.
    pub(super) fn is_at_work(&self, id: u64) -> bool {
        let held = self.jobs.get(&id).and_then(|job| job.held);
        held.and_then(|held| self.workers.get(&held.worker)).is_some_and(|worker| worker.life != Life::Dead)
    }

    /// Takes a job out of the line, or from the worker that has it, as which it is remembered.
    pub(super) fn withdraw(&mut self, id: u64, effects: &Effects<'_>) {
        self.stop_timer(id, effects);
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(held) = job.held else {
            self.line.remove(job.task, id);
            self.tally.queued -= u64::from(job.calls);
            return;
        };
        let Some(worker) = self.workers.get_mut(&held.worker) else { return };
        let before = worker.stand();
        worker.jobs.remove(&id);
        worker.running -= u64::from(job.calls);
        worker.has_limited = false;
        self.reseat(held.worker, before);
    }

    pub(super) fn stop_timer(&mut self, id: u64, effects: &Effects<'_>) {
        if let Some(timer) = self.timers.remove(&id) {
            effects.core.timers.cancel(timer);
        }
    }
}

impl Job {
    fn is_with(&self, worker: u64) -> bool {
        self.held.is_some_and(|held| held.worker == worker)
    }
}
