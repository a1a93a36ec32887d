//! Operations that are about what there is, rather than about numbers that nothing has.

use super::Ask;
use super::plain::{Life, Pool, Worker};

/// Makes a number one of those that there are, if there are any.
fn pick(number: &mut u64, all: impl Iterator<Item = u64>) {
    let all: Vec<u64> = all.collect();
    if let Some(place) = (*number as usize).checked_rem(all.len()) {
        *number = all[place];
    }
}

impl Pool {
    /// Has an operation be about what there is.
    pub(super) fn fit(&self, session: usize, ask: &mut Ask) {
        let is_own = |member: &u64| self.is_member(session, *member);
        match ask {
            Ask::Enter | Ask::Close | Ask::Terminate { .. } | Ask::Status => {}
            Ask::Leave { member }
            | Ask::Hire { member, .. }
            | Ask::Submit { member, .. }
            | Ask::Collect { member, .. } => {
                pick(member, self.members.keys().copied().filter(is_own));
            }
            Ask::Cancel { member, jobs } => {
                pick(member, self.members.keys().copied().filter(is_own));
                let own = self.jobs.values().filter(|job| job.wanted && job.member == *member);
                let own: Vec<u64> = own.map(|job| job.submitted.own).collect();
                jobs.iter_mut().for_each(|job| pick(job, own.iter().copied()));
            }
            Ask::Attach { worker, .. } => pick(worker, self.workers_where(|worker| worker.life == Life::Hired)),
            Ask::Take { worker, .. } => pick(worker, self.workers_where(|worker| worker.life == Life::At(session))),
            Ask::Finish { worker, jobs, .. } | Ask::GiveBack { worker, jobs } => {
                pick(worker, self.workers_where(|worker| worker.life == Life::At(session)));
                let with = self.jobs_with(*worker);
                jobs.iter_mut().for_each(|job| pick(job, with.iter().copied()));
            }
            Ask::Bury { worker, .. } => {
                pick(worker, self.workers_where(|worker| worker.keeper.is_some_and(|keeper| is_own(&keeper))));
            }
        }
    }

    fn workers_where(&self, is_meant: impl Fn(&Worker) -> bool) -> impl Iterator<Item = u64> {
        let meant: Vec<u64> =
            self.workers.iter().filter(|(_, worker)| is_meant(worker)).map(|(number, _)| *number).collect();
        meant.into_iter()
    }
}
