//! The members of a pool: who they are, and what they are to be told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use manager_protocol::pool::{Ending, Event};
use manager_protocol::{Code, Error, Many, Result};

use super::job::{Job, Outcome, Told};
use super::workers::Life;
use super::{MOST, Page, Pool, next, not_a_member};
use crate::core::object::Object;
use crate::core::session::SessionId;
use crate::core::waitable::Reversal;
use crate::core::waiting::{Effects, WaitKey};

#[derive(Debug)]
pub(super) struct Member {
    pub(super) session: SessionId,
    /// Its jobs that are not over, by the numbers that it gave them.
    pub(super) jobs: HashMap<u64, u64>,
    /// The workers that it keeps.
    pub(super) workers: BTreeSet<u64>,
    /// What it is to be told, in the order in which it happened.
    pub(super) events: BTreeMap<u64, Told>,
    /// Who waits for that, in the order of coming.
    pub(super) collectors: BTreeMap<u64, WaitKey>,
}

impl Pool {
    pub(super) fn enter(&mut self, session: SessionId) -> Result<u64> {
        if self.members.len() >= MOST {
            return Err(Error::new(Code::LimitExceeded, format!("the pool has {MOST} members, the limit")));
        }
        let number = next(&mut self.last.member);
        let member = Member {
            session,
            jobs: HashMap::new(),
            workers: BTreeSet::new(),
            events: BTreeMap::new(),
            collectors: BTreeMap::new(),
        };
        self.members.insert(number, member);
        self.seats.entry(session).or_default().members.insert(number);
        Ok(number)
    }

    /// Ends a membership for the session that has it.
    pub(super) fn leave(&mut self, session: SessionId, number: u64, effects: &Effects<'_>) -> Result<()> {
        self.member(session, number)?;
        if let Some(seat) = self.seats.get_mut(&session) {
            seat.members.remove(&number);
        }
        self.end_membership(number, Some(&not_a_member()), effects);
        Ok(())
    }

    /// The member, if it is one of this session.
    pub(super) fn member(&mut self, session: SessionId, number: u64) -> Result<&mut Member> {
        self.members.get_mut(&number).filter(|member| member.session == session).ok_or_else(not_a_member)
    }

    /// Ends a membership. Those who wait for the member's sake are refused with what there is to say, if
    /// anybody hears it.
    pub(super) fn end_membership(&mut self, number: u64, refusal: Option<&Error>, effects: &Effects<'_>) {
        let Some(member) = self.members.remove(&number) else { return };
        for wait in member.collectors.into_values() {
            self.collectors.remove(wait).into_iter().for_each(|(ticket, _)| effects.turn_away(ticket, refusal));
        }
        self.told.remove(&number);
        self.events -= member.events.len();
        self.discarded.events.push(member.events);
        for job in member.jobs.into_values() {
            self.drop_job(job, effects);
        }
        for worker in member.workers {
            let Some(kept) = self.workers.get_mut(&worker) else { continue };
            kept.keeper = None;
            match kept.life {
                Life::Hired | Life::Dead => self.remove_worker(worker, None),
                Life::Attached(_) => {}
            }
        }
    }

    /// Nobody waits for the outcome of a job any more.
    fn drop_job(&mut self, number: u64, effects: &Effects<'_>) {
        if self.is_at_work(number) {
            self.disown(number);
        } else {
            self.withdraw(number, effects);
            let job = self.forget(number);
            self.discarded.jobs.extend(job);
        }
    }

    /// From here on nobody waits for the outcome of a job that a worker has.
    pub(super) fn disown(&mut self, number: u64) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| job.wanted) else { return };
        job.wanted = false;
        self.wanted -= 1;
        self.tally.lost += u64::from(job.calls);
    }

    /// Takes out a job that nobody has, of which the member is not told.
    fn forget(&mut self, number: u64) -> Option<Job> {
        self.disown(number);
        self.jobs.remove(&number)
    }

    /// A job that nobody has any more is over, and its member is told, if it still waits for that.
    pub(super) fn end_job(&mut self, number: u64, outcome: Outcome) {
        let Some(job) = self.jobs.remove(&number) else { return };
        if job.wanted {
            self.wanted -= 1;
            match outcome.ending {
                Ending::Finished => {}
                Ending::Lost
                | Ending::TimedOut
                | Ending::Cancelled
                | Ending::Terminated
                | Ending::Broken
                | Ending::Unserved
                | Ending::Condemned => self.tally.lost += u64::from(job.calls),
            }
            self.tell_of(&job, outcome);
        }
        self.discarded.jobs.push(job);
    }

    /// Tells the member of a job what became of it.
    pub(super) fn tell_of(&mut self, job: &Job, outcome: Outcome) {
        let Outcome { ending, exit, reason, value } = outcome;
        let holder = job.held.map(|held| (held.worker, self.workers.get(&held.worker).and_then(|worker| worker.pid)));
        let (worker, pid) = holder.or(job.last).unzip();
        let told = Told { job: job.own, ending, attempts: job.begun, worker, pid: pid.flatten(), exit, reason, value };
        if let Some(member) = self.members.get_mut(&job.member) {
            member.jobs.remove(&job.own);
        }
        self.tell(job.member, told);
    }

    pub(super) fn tell(&mut self, member: u64, told: Told) {
        let number = self.number();
        let Some(events) = self.members.get_mut(&member).map(|member| &mut member.events) else { return };
        events.insert(number, told);
        self.events += 1;
        self.told.insert(member);
    }

    /// Takes what a member is to be told: there must be something.
    pub(super) fn collect(
        &mut self,
        number: u64,
        limit: u64,
        object: &Arc<Object>,
    ) -> (Many<'static, Event<'static>>, Reversal) {
        let (mut page, mut events) = (Page::new(limit), Vec::new());
        if let Some(member) = self.members.get_mut(&number) {
            while let Some(first) = member.events.first_entry()
                && page.add(first.get().len(), events.is_empty())
            {
                events.push(first.remove_entry());
            }
        }
        self.events -= events.len();
        let all: Vec<Event<'static>> = events.iter().map(|(_, told)| told.event()).collect();
        (Many::new(all.into_iter()), Reversal::Events { object: Arc::clone(object), member: number, events })
    }

    /// A member never got what it was told.
    pub(super) fn take_back_events(&mut self, number: u64, events: Vec<(u64, Told)>) {
        let Some(member) = self.members.get_mut(&number) else { return };
        self.events += events.len();
        member.events.extend(events);
        self.told.insert(number);
    }
}
