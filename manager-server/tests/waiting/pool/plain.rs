//! A pool as its documentation has it, with nothing but vectors and maps that are looked through.

use std::collections::BTreeMap;

use manager_protocol::Code;
use manager_protocol::pool::Ending;

use super::super::objects::{Key, Others, Said, Turn, Undo, Why};
use super::{Ask, Submitted, maybe};

#[derive(Default)]
pub(super) struct Pool {
    pub(super) at: usize,
    pub(super) members: BTreeMap<u64, Member>,
    pub(super) workers: BTreeMap<u64, Worker>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) takers: Vec<(Key, u64, u64)>,
    pub(super) collectors: Vec<(Key, u64, u64)>,
    takings: BTreeMap<u64, Taking>,
    /// How many jobs, members, workers, events and takings there were.
    numbers: [u64; 4],
    done: u64,
    failed: u64,
    pub(super) lost: u64,
    pub(super) closed: bool,
    pub(super) terminated: bool,
    pub(super) broke: bool,
}

pub(super) struct Member {
    pub(super) session: usize,
    /// By a number for their order.
    events: BTreeMap<u64, Vec<u64>>,
}

pub(super) struct Worker {
    pub(super) keeper: Option<u64>,
    pub(super) life: Life,
    pub(super) pid: Option<u32>,
    pub(super) tasks: Vec<u64>,
    pub(super) condemned: bool,
    pub(super) done: u64,
    pub(super) failed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Hired,
    At(usize),
    Dead,
}

pub(super) struct Job {
    pub(super) member: u64,
    pub(super) submitted: Submitted,
    pub(super) begun: u32,
    pub(super) wanted: bool,
    /// The worker, and the taking.
    pub(super) with: Option<(u64, u64)>,
    /// The worker that died of it, and its process.
    pub(super) last: Option<(u64, Option<u32>)>,
}

enum Taking {
    Jobs(Vec<u64>),
    Events(u64, BTreeMap<u64, Vec<u64>>),
}

/// The places of the numbers.
const JOB: usize = 0;
const MEMBER: usize = 1;
const WORKER: usize = 2;
const OTHER: usize = 3;

impl Pool {
    pub(super) fn new(at: usize) -> Self {
        Self { at, ..Self::default() }
    }

    pub(super) fn held(&self) -> usize {
        self.members.len() + self.workers.len()
    }

    fn number(&mut self, of: usize) -> u64 {
        self.numbers[of] += 1;
        self.numbers[of]
    }

    pub(super) fn is_member(&self, session: usize, member: u64) -> bool {
        self.members.get(&member).is_some_and(|member| member.session == session)
    }

    pub(super) fn is_worker(&self, session: usize, worker: u64) -> bool {
        self.workers.get(&worker).is_some_and(|worker| worker.life == Life::At(session))
    }

    pub(super) fn jobs_with(&self, worker: u64) -> Vec<u64> {
        let with = |job: &Job| job.with.is_some_and(|(with, _)| with == worker);
        self.jobs.iter().filter(|(_, job)| with(job)).map(|(id, _)| *id).collect()
    }

    fn is_exhausted(&self) -> bool {
        self.terminated || (self.closed && !self.jobs.values().any(|job| job.wanted))
    }

    /// What an operation comes to, before those who wait are served.
    pub(super) fn ask(&mut self, key: Key, ask: &Ask, others: &mut Others) -> Turn {
        if !self.may_ask(key.0, ask) {
            return Turn::Refused(Code::NotHeld);
        }
        match ask {
            Ask::Enter => {
                let number = self.number(MEMBER);
                self.members.insert(number, Member { session: key.0, events: BTreeMap::new() });
                return Turn::Now(Said::Number(number), None);
            }
            Ask::Leave { member } => self.leave(*member, others),
            Ask::Hire { .. } if self.terminated => return Turn::Refused(Code::ShutDown),
            Ask::Hire { member, tasks } => {
                let number = self.number(WORKER);
                let worker = Worker {
                    keeper: Some(*member),
                    life: Life::Hired,
                    pid: None,
                    tasks: tasks.clone(),
                    condemned: false,
                    done: 0,
                    failed: 0,
                };
                self.workers.insert(number, worker);
                return Turn::Now(Said::Number(number), None);
            }
            Ask::Attach { worker, pid } => {
                let worker = self.workers.get_mut(worker).unwrap();
                (worker.life, worker.pid) = (Life::At(key.0), Some(*pid));
            }
            Ask::Submit { member, jobs } => {
                if let Some(code) = self.submit(*member, jobs) {
                    return Turn::Refused(code);
                }
            }
            Ask::Take { worker, limit, timeout_ms } => return self.take(key, *worker, *limit, *timeout_ms, others),
            Ask::Finish { worker, jobs, failed } => self.finish(*worker, jobs, *failed, others),
            Ask::GiveBack { worker, jobs } => {
                for id in jobs {
                    self.give_back(*id, |(with, _)| with == *worker, others);
                }
            }
            Ask::Collect { member, limit, timeout_ms } => return self.collect(key, *member, *limit, *timeout_ms),
            Ask::Cancel { member, jobs } => {
                let cancelled = jobs.iter().filter(|own| self.cancel(*member, **own, others)).count();
                return Turn::Now(Said::Number(cancelled as u64), None);
            }
            Ask::Bury { worker, exit } => self.bury(*worker, *exit, others),
            Ask::Close => self.closed = true,
            Ask::Terminate { breaks } => self.terminate(*breaks, others),
            Ask::Status => return Turn::Now(Said::Rows(self.status()), None),
        }
        Turn::Now(Said::Unit, None)
    }

    /// Whether the session is who it says.
    fn may_ask(&self, session: usize, ask: &Ask) -> bool {
        match ask {
            Ask::Enter | Ask::Close | Ask::Terminate { .. } | Ask::Status => true,
            // The limit is judged first.
            Ask::Take { limit: 0, .. } | Ask::Collect { limit: 0, .. } => true,
            Ask::Leave { member }
            | Ask::Hire { member, .. }
            | Ask::Submit { member, .. }
            | Ask::Collect { member, .. }
            | Ask::Cancel { member, .. } => self.is_member(session, *member),
            Ask::Take { worker, .. } | Ask::Finish { worker, .. } | Ask::GiveBack { worker, .. } => {
                self.is_worker(session, *worker)
            }
            Ask::Attach { worker, .. } => {
                let life = self.workers.get(worker).map(|worker| worker.life);
                life == Some(Life::Hired) || life == Some(Life::At(session))
            }
            Ask::Bury { worker, .. } => {
                let keeper = self.workers.get(worker).and_then(|worker| worker.keeper);
                keeper.is_some_and(|keeper| self.is_member(session, keeper))
            }
        }
    }

    /// The code of a refusal, if it is one.
    fn submit(&mut self, member: u64, jobs: &[Submitted]) -> Option<Code> {
        if self.closed {
            return Some(Code::ShutDown);
        }
        for (place, job) in jobs.iter().enumerate() {
            let has = |other: &Job| other.member == member && other.wanted && other.submitted.own == job.own;
            let is_there = self.jobs.values().any(has);
            if job.attempts == 0 || job.calls == 0 || is_there {
                return Some(Code::InvalidArgument);
            }
            if !self.workers.values().any(|worker| worker.tasks.contains(&job.task)) {
                return Some(Code::UnknownTask);
            }
            if jobs[..place].iter().any(|other| other.own == job.own) {
                return Some(Code::InvalidArgument);
            }
        }
        for submitted in jobs {
            let id = self.number(JOB);
            let submitted = submitted.clone();
            self.jobs.insert(id, Job { member, submitted, begun: 0, wanted: true, with: None, last: None });
        }
        None
    }

    /// What a worker would take now.
    fn next_jobs(&self, worker: u64, limit: u64) -> Vec<u64> {
        let has = self.jobs_with(worker);
        let (mut next, worker) = (Vec::new(), &self.workers[&worker]);
        if has.iter().any(|id| self.jobs[id].submitted.limit.is_some()) {
            return next;
        }
        let known = |job: &Job| job.with.is_none() && worker.tasks.contains(&job.submitted.task);
        for (id, job) in self.jobs.iter().filter(|(_, job)| known(job)) {
            let limited = job.submitted.limit.is_some();
            let is_first = next.is_empty();
            if next.len() as u64 == limit || (limited && !(has.is_empty() && is_first)) {
                break;
            }
            next.push(*id);
            if limited {
                break;
            }
        }
        next
    }

    fn grant(&mut self, worker: u64, limit: u64, others: &mut Others) -> Option<(Said, Undo)> {
        let next = self.next_jobs(worker, limit);
        if next.is_empty() {
            return None;
        }
        let number = self.number(OTHER);
        let mut rows = Vec::new();
        for id in &next {
            let job = self.jobs.get_mut(id).unwrap();
            job.with = Some((worker, number));
            job.begun += 1;
            let Submitted { own, task, limit, .. } = job.submitted;
            rows.push(vec![*id, task, job.begun.into(), maybe(limit), own]);
            others.alarms.extend(limit.map(|limit| ((self.at, *id), Some(limit as u64))));
        }
        self.takings.insert(number, Taking::Jobs(next));
        Some((Said::Rows(rows), Undo::Taking { at: self.at, number }))
    }

    fn take(&mut self, key: Key, worker: u64, limit: u64, timeout_ms: Option<i64>, others: &mut Others) -> Turn {
        if limit == 0 {
            return Turn::Refused(Code::InvalidArgument);
        }
        if self.is_exhausted() {
            return Turn::Refused(Code::ShutDown);
        }
        if self.workers[&worker].condemned {
            return Turn::Refused(Code::NotHeld);
        }
        if let Some((said, undo)) = self.grant(worker, limit, others) {
            return Turn::Now(said, Some(undo));
        }
        if timeout_ms == Some(0) {
            return Turn::Refused(Code::Empty);
        }
        self.takers.push((key, worker, limit));
        Turn::Wait(timeout_ms)
    }

    fn gather(&mut self, member: u64, limit: u64) -> Option<(Said, Undo)> {
        let events = &mut self.members.get_mut(&member)?.events;
        if events.is_empty() {
            return None;
        }
        let mut first = BTreeMap::new();
        while first.len() < limit as usize
            && let Some((place, event)) = events.pop_first()
        {
            first.insert(place, event);
        }
        let rows = first.values().cloned().collect();
        let number = self.number(OTHER);
        self.takings.insert(number, Taking::Events(member, first));
        Some((Said::Rows(rows), Undo::Taking { at: self.at, number }))
    }

    fn collect(&mut self, key: Key, member: u64, limit: u64, timeout_ms: Option<i64>) -> Turn {
        if limit == 0 {
            return Turn::Refused(Code::InvalidArgument);
        }
        if let Some((said, undo)) = self.gather(member, limit) {
            return Turn::Now(said, Some(undo));
        }
        if timeout_ms == Some(0) {
            return Turn::Refused(Code::Empty);
        }
        self.collectors.push((key, member, limit));
        Turn::Wait(timeout_ms)
    }

    /// Serves those who wait, the first that can have something first.
    pub(super) fn serve(&mut self, others: &mut Others) {
        while let Some(place) =
            self.takers.iter().position(|(_, worker, limit)| !self.next_jobs(*worker, *limit).is_empty())
        {
            let (key, worker, limit) = self.takers.remove(place);
            let (said, undo) = self.grant(worker, limit, others).unwrap();
            others.answer(key, Ok(said), Some(undo));
        }
        if self.is_exhausted() {
            self.takers.drain(..).for_each(|(key, ..)| others.answer(key, Err(Code::ShutDown), None));
        }
        for (key, member, limit) in std::mem::take(&mut self.collectors) {
            match self.gather(member, limit) {
                Some((said, undo)) => others.answer(key, Ok(said), Some(undo)),
                None => self.collectors.push((key, member, limit)),
            }
        }
    }

    pub(super) fn refuse_takers(&mut self, worker: u64, others: &mut Others) {
        for (key, ..) in self.takers.extract_if(.., |(_, other, _)| *other == worker) {
            others.answer(key, Err(Code::NotHeld), None);
        }
    }

    fn finish(&mut self, worker: u64, jobs: &[u64], failed: u32, others: &mut Others) {
        for id in jobs {
            let with = self.jobs.get(id).and_then(|job| job.with);
            if with.is_none_or(|(with, _)| with != worker) {
                continue;
            }
            let (calls, wanted) = (self.jobs[id].submitted.calls, self.jobs[id].wanted);
            let failed = u64::from(failed.min(calls));
            let done = u64::from(calls) - failed;
            let worker = self.workers.get_mut(&worker).unwrap();
            (worker.done, worker.failed) = (worker.done + done, worker.failed + failed);
            if wanted {
                (self.done, self.failed) = (self.done + done, self.failed + failed);
            }
            self.end(*id, Ending::Finished, None, Some(*id as u32), others);
        }
    }

    /// Ends a job, of which the member is told if it waits for that.
    pub(super) fn end(&mut self, id: u64, ending: Ending, exit: Option<i32>, value: Option<u32>, others: &mut Others) {
        let job = self.jobs.remove(&id).unwrap();
        others.alarms.push(((self.at, id), None));
        if job.wanted {
            if ending != Ending::Finished {
                self.lost += u64::from(job.submitted.calls);
            }
            self.tell_of(&job, ending, exit, value);
        }
    }

    fn tell_of(&mut self, job: &Job, ending: Ending, exit: Option<i32>, value: Option<u32>) {
        let with = job.with.map(|(worker, _)| (worker, self.workers[&worker].pid));
        let (worker, pid) = with.or(job.last).unzip();
        let worker = maybe(worker.map(|worker| worker as i64));
        let reason = (ending == Ending::Broken).into();
        let attempts = job.begun.into();
        let ending = u8::from(ending).into();
        let event =
            vec![job.submitted.own, ending, attempts, worker, maybe(pid.flatten()), maybe(exit), reason, maybe(value)];
        self.tell(job.member, event);
    }

    pub(super) fn tell(&mut self, member: u64, event: Vec<u64>) {
        let place = self.number(OTHER);
        self.members.get_mut(&member).unwrap().events.insert(place, event);
    }

    /// A worker returns a job as if it had not had it.
    fn give_back(&mut self, id: u64, meant: impl Fn((u64, u64)) -> bool, others: &mut Others) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.with.is_some_and(meant)) else { return };
        job.begun -= 1;
        self.put_back(id, others);
    }

    pub(super) fn put_back(&mut self, id: u64, others: &mut Others) {
        others.alarms.push(((self.at, id), None));
        let job = self.jobs.get_mut(&id).unwrap();
        job.with = None;
        if !job.wanted {
            self.jobs.remove(&id);
        }
    }

    pub(super) fn undo(&mut self, number: u64, others: &mut Others) {
        match self.takings.remove(&number) {
            None => {}
            Some(Taking::Jobs(jobs)) => {
                jobs.into_iter().for_each(|id| self.give_back(id, |(_, taking)| taking == number, others));
            }
            Some(Taking::Events(member, events)) => {
                if let Some(member) = self.members.get_mut(&member) {
                    member.events.extend(events);
                }
            }
        }
    }

    /// Whether the job was not over.
    fn cancel(&mut self, member: u64, own: u64, others: &mut Others) -> bool {
        let is_it = |job: &Job| job.member == member && job.wanted && job.submitted.own == own;
        let Some(id) = self.jobs.iter().find(|(_, job)| is_it(job)).map(|(id, _)| *id) else { return false };
        let worker = self.jobs[&id].with.map(|(worker, _)| worker);
        let worker = worker.filter(|worker| self.workers[worker].life != Life::Dead);
        match worker {
            Some(worker) if self.jobs_with(worker).len() > 1 => {
                let mut job = self.jobs.remove(&id).unwrap();
                self.tell_of(&job, Ending::Cancelled, None, None);
                self.lost += u64::from(job.submitted.calls);
                job.wanted = false;
                self.jobs.insert(id, job);
            }
            Some(_) | None => {
                self.end(id, Ending::Cancelled, None, None, others);
                worker.into_iter().for_each(|worker| self.condemn(worker, others));
            }
        }
        true
    }

    pub(super) fn end_time(&mut self, id: u64, others: &mut Others) {
        let (worker, _) = self.jobs[&id].with.unwrap();
        self.end(id, Ending::TimedOut, None, None, others);
        self.condemn(worker, others);
    }

    pub(super) fn end_wait(&mut self, key: Key, why: Why, others: &mut Others) {
        self.takers.retain(|(waiting, ..)| *waiting != key);
        self.collectors.retain(|(waiting, ..)| *waiting != key);
        match why {
            Why::TimedOut => others.answer(key, Err(Code::Empty), None),
            Why::Cancelled => others.answer(key, Err(Code::Cancelled), None),
            Why::Lost => {}
        }
    }

    pub(super) fn end_waits(&mut self, session: usize) {
        self.takers.retain(|(waiting, ..)| waiting.0 != session);
        self.collectors.retain(|(waiting, ..)| waiting.0 != session);
    }

    fn status(&self) -> Vec<Vec<u64>> {
        let calls = |jobs: &mut dyn Iterator<Item = &Job>| jobs.map(|job| u64::from(job.submitted.calls)).sum();
        let queued = calls(&mut self.jobs.values().filter(|job| job.with.is_none()));
        let running = calls(&mut self.jobs.values().filter(|job| job.with.is_some()));
        let counts = [queued, running, self.done, self.failed, self.lost, self.members.len() as u64];
        let flags = [self.closed, self.terminated, self.broke].map(u64::from);
        let mut rows = vec![[&counts[..], &flags].concat()];
        for (id, worker) in &self.workers {
            let running = calls(&mut self.jobs_with(*id).iter().map(|job| &self.jobs[job]));
            rows.push(vec![*id, maybe(worker.pid), running, worker.done, worker.failed]);
        }
        rows
    }
}
