//! How workers, memberships and whole pools end.

use manager_protocol::Code;
use manager_protocol::pool::Ending;

use super::super::objects::Others;
use super::maybe;
use super::plain::{Life, Pool};

impl Pool {
    pub(super) fn condemn(&mut self, number: u64, others: &mut Others) {
        let worker = self.workers.get_mut(&number).unwrap();
        if std::mem::replace(&mut worker.condemned, true) {
            return;
        }
        let pid = maybe(worker.pid);
        if let Some(keeper) = worker.keeper {
            let ending = u8::from(Ending::Condemned).into();
            self.tell(keeper, vec![0, ending, 0, maybe(Some(number as i64)), pid, 0, 0, 0]);
        }
        self.refuse_takers(number, others);
    }

    pub(super) fn terminate(&mut self, breaks: bool, others: &mut Others) {
        if std::mem::replace(&mut self.terminated, true) {
            return;
        }
        (self.closed, self.broke) = (true, breaks);
        let ending = if breaks { Ending::Broken } else { Ending::Terminated };
        let jobs: Vec<u64> = self.jobs.keys().copied().collect();
        jobs.into_iter().for_each(|id| self.end(id, ending, None, None, others));
        self.takers.drain(..).for_each(|(key, ..)| others.answer(key, Err(Code::ShutDown), None));
        let workers: Vec<u64> = self.workers.keys().copied().collect();
        workers.into_iter().for_each(|worker| self.condemn(worker, others));
    }

    /// The jobs of a worker that has died return, if they may.
    fn die(&mut self, number: u64, others: &mut Others) {
        let worker = self.workers.get_mut(&number).unwrap();
        worker.life = Life::Dead;
        let pid = worker.pid;
        for id in self.jobs_with(number) {
            let job = self.jobs.get_mut(&id).unwrap();
            if job.wanted && job.begun >= job.submitted.attempts {
                others.alarms.push(((self.at, id), None));
                continue;
            }
            job.last = Some((number, pid));
            self.put_back(id, others);
        }
    }

    fn vanish(&mut self, number: u64, exit: Option<i32>, others: &mut Others) {
        for id in self.jobs_with(number) {
            self.end(id, Ending::Lost, exit, None, others);
        }
        self.workers.remove(&number);
        let waiting: Vec<u64> = self.jobs.iter().filter(|(_, job)| job.with.is_none()).map(|(id, _)| *id).collect();
        for id in waiting {
            let task = self.jobs[&id].submitted.task;
            if !self.workers.values().any(|worker| worker.tasks.contains(&task)) {
                self.end(id, Ending::Unserved, None, None, others);
            }
        }
    }

    pub(super) fn bury(&mut self, worker: u64, exit: Option<i32>, others: &mut Others) {
        if matches!(self.workers[&worker].life, Life::At(_)) {
            self.refuse_takers(worker, others);
            self.die(worker, others);
        }
        self.vanish(worker, exit, others);
    }

    pub(super) fn leave(&mut self, number: u64, others: &mut Others) {
        self.members.remove(&number);
        for (key, ..) in self.collectors.extract_if(.., |(_, member, _)| *member == number) {
            others.answer(key, Err(Code::NotHeld), None);
        }
        let own: Vec<u64> = self.jobs.iter().filter(|(_, job)| job.member == number).map(|(id, _)| *id).collect();
        for id in own {
            let job = self.jobs.get_mut(&id).unwrap();
            if std::mem::replace(&mut job.wanted, false) {
                self.lost += u64::from(job.submitted.calls);
            }
            let worker = job.with.map(|(worker, _)| worker);
            if worker.is_none_or(|worker| self.workers[&worker].life == Life::Dead) {
                self.jobs.remove(&id);
            }
        }
        let kept: Vec<u64> =
            self.workers.iter().filter(|(_, worker)| worker.keeper == Some(number)).map(|(id, _)| *id).collect();
        for id in kept {
            let worker = self.workers.get_mut(&id).unwrap();
            worker.keeper = None;
            if !matches!(worker.life, Life::At(_)) {
                self.vanish(id, None, others);
            }
        }
    }

    pub(super) fn end_session(&mut self, session: usize, others: &mut Others) {
        let members: Vec<u64> =
            self.members.iter().filter(|(_, member)| member.session == session).map(|(id, _)| *id).collect();
        members.into_iter().for_each(|member| self.leave(member, others));
        let workers: Vec<u64> =
            self.workers.iter().filter(|(_, worker)| worker.life == Life::At(session)).map(|(id, _)| *id).collect();
        for id in workers {
            self.die(id, others);
            if self.workers[&id].keeper.is_none() {
                self.vanish(id, None, others);
            }
        }
    }
}
