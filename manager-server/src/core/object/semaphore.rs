//! A semaphore: a number of permits.
//!
//! Permits are handed over in the order of coming. Those that a session took are given back when it
//! ends, unless the semaphore is ownerless.

use std::collections::HashMap;
use std::sync::Arc;

use manager_protocol::semaphore::{self, SemaphoreSetup, SemaphoreStatus};
use manager_protocol::{Code, Error, Result, Turn};

use super::{Discards, Object};
use crate::core::session::SessionId;
use crate::core::waitable::{Count, Reversal, Waitable};
use crate::core::waiting::{Caller, Effects, Ended, Patience, Ticket, Visit, WaitKey, Waiters, now};

/// The state of one semaphore.
#[derive(Debug)]
pub(in crate::core) struct Semaphore {
    setup: SemaphoreSetup,
    available: u64,
    /// How many permits each session has taken.
    taken: HashMap<SessionId, u64>,
    waiters: Waiters<()>,
    count: Count,
}

impl Semaphore {
    pub(in crate::core) fn new(setup: SemaphoreSetup) -> Self {
        let (taken, waiters) = (HashMap::new(), Waiters::default());
        Self { setup, available: setup.permits, taken, waiters, count: Count::default() }
    }

    fn acquire(
        &mut self,
        operation: &semaphore::Acquire,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<bool>> {
        let patience = Patience::new(operation.timeout_ms)?;
        let session = caller.hold()?;
        if self.available > 0 {
            self.take(session);
            self.count.mine();
            effects.reversal = Some(Reversal::Permit { object: Arc::clone(caller.object), session });
            return now(true);
        }
        match caller.wait_with(patience, effects)? {
            Some(ticket) => self.waiters.push(ticket, ()),
            None => return now(false),
        }
        Ok(Turn::Later)
    }

    fn take(&mut self, session: SessionId) {
        self.available -= 1;
        if !self.setup.ownerless {
            *self.taken.entry(session).or_default() += 1;
        }
    }

    fn release(&mut self, caller: &Caller<'_>, effects: &mut Effects<'_>) -> Result<()> {
        if self.setup.bounded && self.available >= self.setup.permits {
            let fault = format!("none of its {} permits is taken", self.setup.permits);
            return Err(Error::new(Code::OverRelease, fault));
        }
        let available = self.available.checked_add(1);
        self.available =
            available.ok_or_else(|| Error::new(Code::OverRelease, "it has all permits that can be counted"))?;
        self.note_given(caller.session.id);
        self.count.mine();
        self.pass_on(caller.object, effects);
        Ok(())
    }

    /// Makes permits available again. Others may have given them already, and a bounded semaphore never
    /// has more than at first.
    fn give_back(&mut self, permits: u64) {
        let available = self.available.saturating_add(permits);
        self.available = if self.setup.bounded { available.min(self.setup.permits) } else { available };
    }

    fn note_given(&mut self, session: SessionId) {
        if let Some(taken) = self.taken.get_mut(&session) {
            *taken -= 1;
            if *taken == 0 {
                self.taken.remove(&session);
            }
        }
    }

    fn pass_on(&mut self, object: &Arc<Object>, effects: &mut Effects<'_>) {
        while self.available > 0
            && let Some((ticket, ())) = self.waiters.pop()
        {
            let session = ticket.key().session;
            self.take(session);
            let reversal = Reversal::Permit { object: Arc::clone(object), session };
            effects.complete::<semaphore::Acquire>(ticket, self.count.other(), true, Some(reversal));
        }
    }
}

impl Discards for Semaphore {}

impl Waitable for Semaphore {
    fn is_waiting(&self, wait: WaitKey) -> bool {
        self.waiters.contains(wait)
    }

    fn end_wait(&mut self, wait: WaitKey, ended: Ended, _: &Arc<Object>, effects: &mut Effects<'_>) {
        let Some((ticket, ())) = self.waiters.remove(wait) else { return };
        if let Some(ticket) = effects.dismiss(ticket, ended) {
            effects.complete::<semaphore::Acquire>(ticket, self.count.version(), false, None);
        }
    }

    fn end_session(&mut self, session: SessionId, object: &Arc<Object>, effects: &mut Effects<'_>) {
        self.waiters.end_waits(session, effects);
        if let Some(taken) = self.taken.remove(&session) {
            self.give_back(taken);
            self.count.other();
            self.pass_on(object, effects);
        }
    }

    fn take_back(&mut self, reversal: Reversal, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let Reversal::Permit { session, .. } = reversal else { return };
        // A session that has ended has given its permits back already.
        if self.setup.ownerless || self.taken.contains_key(&session) {
            self.give_back(1);
            self.note_given(session);
            self.count.other();
            self.pass_on(object, effects);
        }
    }

    fn drain(&mut self, _: &Arc<Object>, _: &Effects<'_>) -> Vec<Ticket> {
        self.waiters.drain_tickets().collect()
    }

    fn waiting(&self) -> usize {
        self.waiters.len()
    }

    fn held(&self) -> usize {
        self.taken.len()
    }
}

impl semaphore::Serve for Visit<'_, '_, Semaphore> {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.state.count.settle()
    }

    fn acquire(&mut self, operation: semaphore::Acquire) -> Result<Turn<bool>> {
        self.state.acquire(&operation, self.caller, self.effects)
    }

    fn release(&mut self, _: semaphore::Release) -> Result<()> {
        self.state.release(self.caller, self.effects)
    }

    fn status(&self, _: semaphore::Status) -> Result<SemaphoreStatus> {
        Ok(SemaphoreStatus { available: self.state.available, waiting: self.state.waiters.len() as u64 })
    }
}
