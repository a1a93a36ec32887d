//! Those who wait at a pool: who is served when, and how a wait ends otherwise.

use std::sync::Arc;

use manager_protocol::{Code, Error, pool};

use super::{Pool, shut_down};
use crate::core::LARGE;
use crate::core::object::Object;
use crate::core::session::SessionId;
use crate::core::waitable::{Reversal, Waitable};
use crate::core::waiting::{Effects, Ended, Ticket, WaitKey};

/// Who waits for jobs for a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taker {
    pub(super) worker: u64,
    pub(super) limit: u64,
    /// The order of coming.
    pub(super) place: u64,
}

/// Who waits for what a member is to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Collector {
    pub(super) member: u64,
    pub(super) limit: u64,
    /// The order of coming.
    pub(super) place: u64,
}

pub(super) fn no_job() -> Error {
    Error::new(Code::Empty, "the pool had no job for the worker in time")
}

pub(super) fn no_event() -> Error {
    Error::new(Code::Empty, "there was nothing to tell the member in time")
}

impl Pool {
    pub(super) fn await_job(&mut self, ticket: Ticket, worker: u64, limit: u64) {
        let place = self.number();
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.takers.insert(place, ticket.key());
            self.line.seat(worker.place(place), ticket.key(), worker.stand());
        }
        self.takers.push(ticket, Taker { worker, limit, place });
    }

    pub(super) fn await_event(&mut self, ticket: Ticket, member: u64, limit: u64) {
        let place = self.number();
        if let Some(member) = self.members.get_mut(&member) {
            member.collectors.insert(place, ticket.key());
        }
        self.collectors.push(ticket, Collector { member, limit, place });
    }

    fn remove_taker(&mut self, wait: WaitKey) -> Option<(Ticket, Taker)> {
        let (ticket, taker) = self.takers.remove(wait)?;
        if let Some(worker) = self.workers.get_mut(&taker.worker) {
            worker.takers.remove(&taker.place);
            self.line.leave(worker.place(taker.place));
        }
        Some((ticket, taker))
    }

    fn remove_collector(&mut self, wait: WaitKey) -> Option<(Ticket, Collector)> {
        let (ticket, collector) = self.collectors.remove(wait)?;
        if let Some(member) = self.members.get_mut(&collector.member) {
            member.collectors.remove(&collector.place);
        }
        Some((ticket, collector))
    }

    /// Serves those who wait, until there is nothing that can be done for them.
    pub(super) fn serve(&mut self, object: &Arc<Object>, effects: &Effects<'_>) {
        while let Some((ticket, taker)) = self.line.next_taker().and_then(|wait| self.remove_taker(wait)) {
            let granted = self.grant(taker.worker, taker.limit, object, effects);
            let (jobs, reversal) = granted.expect("the line has seen that there is one for it");
            effects.complete::<pool::Take>(ticket, self.count.other(), jobs, Some(reversal));
        }
        if self.is_exhausted() {
            self.refuse_takers(effects);
        }
        while let Some(member) = self.told.pop_first() {
            self.serve_collectors(member, object, effects);
        }
    }

    /// There will be no jobs any more.
    pub(super) fn refuse_takers(&mut self, effects: &Effects<'_>) {
        while let Some((ticket, taker)) = self.takers.pop() {
            if let Some(worker) = self.workers.get_mut(&taker.worker) {
                worker.takers.remove(&taker.place);
                self.line.leave(worker.place(taker.place));
            }
            effects.refuse(ticket, shut_down());
        }
    }

    fn serve_collectors(&mut self, number: u64, object: &Arc<Object>, effects: &Effects<'_>) {
        while let Some(member) = self.members.get(&number)
            && !member.events.is_empty()
            && let Some(&wait) = member.collectors.values().next()
            && let Some((ticket, collector)) = self.remove_collector(wait)
        {
            let (events, reversal) = self.collect(number, collector.limit, object);
            effects.complete::<pool::Collect>(ticket, self.count.other(), events, Some(reversal));
        }
    }
}

impl Waitable for Pool {
    fn is_waiting(&self, wait: WaitKey) -> bool {
        self.takers.contains(wait) || self.collectors.contains(wait)
    }

    fn end_wait(&mut self, wait: WaitKey, ended: Ended, _: &Arc<Object>, effects: &mut Effects<'_>) {
        if let Some((ticket, _)) = self.remove_taker(wait) {
            if let Some(ticket) = effects.dismiss(ticket, ended) {
                effects.refuse(ticket, no_job());
            }
        } else if let Some((ticket, _)) = self.remove_collector(wait)
            && let Some(ticket) = effects.dismiss(ticket, ended)
        {
            effects.refuse(ticket, no_event());
        }
    }

    fn end_session(&mut self, session: SessionId, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let Some(seat) = self.seats.remove(&session) else { return };
        self.count.other();
        for member in seat.members {
            self.end_membership(member, None, effects);
        }
        for worker in seat.workers {
            self.lose_worker(worker, effects);
        }
        self.serve(object, effects);
    }

    fn take_back(&mut self, reversal: Reversal, object: &Arc<Object>, effects: &mut Effects<'_>) {
        match reversal {
            Reversal::Jobs { grant, jobs, .. } => {
                // They may have gone their way already.
                if !self.take_back_jobs(grant, jobs, effects) {
                    return;
                }
            }
            Reversal::Events { member, events, .. } => self.take_back_events(member, events),
            Reversal::Lock { .. } | Reversal::Items { .. } | Reversal::Lease { .. } | Reversal::Permit { .. } => return,
        }
        self.count.other();
        self.serve(object, effects);
    }

    /// The lease is a job's number: it ends with the job's time limit.
    fn end_lease(&mut self, lease: u64, object: &Arc<Object>, effects: &mut Effects<'_>) {
        if self.end_time(lease, effects) {
            self.count.other();
            self.serve(object, effects);
        }
    }

    fn drain(&mut self, _: &Arc<Object>, effects: &Effects<'_>) -> Vec<Ticket> {
        for timer in std::mem::take(&mut self.timers).into_values() {
            effects.core.timers.cancel(timer);
        }
        self.takers.drain_tickets().chain(self.collectors.drain_tickets()).collect()
    }

    fn holds_much(&self, session: SessionId) -> bool {
        let members = self.seats.get(&session).into_iter().flat_map(|seat| &seat.members);
        let load = |number: &u64| self.members.get(number).map_or(0, |member| member.jobs.len() + member.events.len());
        members.map(load).sum::<usize>() > LARGE
    }

    fn len(&self) -> usize {
        self.load()
    }

    fn waiting(&self) -> usize {
        self.takers.len() + self.collectors.len()
    }

    fn held(&self) -> usize {
        self.members.len() + self.workers.len()
    }
}
