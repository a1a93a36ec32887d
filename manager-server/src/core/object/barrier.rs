//! A barrier: a place where a number of parties wait for each other.

use std::collections::HashSet;
use std::sync::Arc;

use manager_protocol::barrier::{self, BarrierStatus};
use manager_protocol::{Code, Error, Result, Turn};

use super::{Discards, Object};
use crate::core::session::SessionId;
use crate::core::waitable::{Count, Reversal, Waitable};
use crate::core::waiting::{Caller, Effects, Ended, Patience, Ticket, Visit, WaitKey, Waiters, now};

/// The state of one barrier.
#[derive(Debug)]
pub(in crate::core) struct Barrier {
    parties: u64,
    /// Those who wait; their places follow from the order.
    waiters: Waiters<()>,
    /// Sessions whose connection was lost while they waited: they may ask again.
    interrupted: HashSet<SessionId>,
    is_broken: bool,
    count: Count,
}

impl Barrier {
    pub(in crate::core) fn new(parties: u64) -> Self {
        let (waiters, interrupted) = (Waiters::default(), HashSet::new());
        Self { parties, waiters, interrupted, is_broken: false, count: Count::default() }
    }

    fn wait(&mut self, operation: &barrier::Wait, caller: &Caller<'_>, effects: &mut Effects<'_>) -> Result<Turn<u64>> {
        let patience = Patience::new(operation.timeout_ms)?;
        if self.is_broken {
            return Err(broken());
        }
        let place = self.waiters.len() as u64;
        if place + 1 == self.parties {
            self.count.mine();
            self.interrupted.clear();
            for (place, ticket) in self.waiters.drain_tickets().enumerate() {
                effects.complete::<barrier::Wait>(ticket, self.count.version(), place as u64, None);
            }
            return now(place);
        }
        match caller.wait_with(patience, effects)? {
            Some(ticket) => {
                self.interrupted.remove(&caller.session.id);
                self.waiters.push(ticket, ());
                Ok(Turn::Later)
            }
            // Who does not wait has had its time at once.
            None => {
                self.count.mine();
                self.break_up(effects);
                Err(broken())
            }
        }
    }

    fn break_up(&mut self, effects: &mut Effects<'_>) {
        self.is_broken = true;
        self.interrupted.clear();
        for ticket in self.waiters.drain_tickets() {
            effects.refuse(ticket, broken());
        }
    }
}

fn broken() -> Error {
    Error::new(Code::Broken, "the barrier is broken")
}

impl Discards for Barrier {}

impl Waitable for Barrier {
    fn is_waiting(&self, wait: WaitKey) -> bool {
        self.waiters.contains(wait)
    }

    fn end_wait(&mut self, wait: WaitKey, ended: Ended, _: &Arc<Object>, effects: &mut Effects<'_>) {
        let Some((ticket, ())) = self.waiters.remove(wait) else { return };
        if ended == Ended::Disconnected {
            self.interrupted.insert(wait.session);
            effects.forget(ticket);
            return;
        }
        if let Some(ticket) = effects.dismiss(ticket, ended) {
            effects.refuse(ticket, broken());
        }
        self.count.other();
        self.break_up(effects);
    }

    fn end_session(&mut self, session: SessionId, _: &Arc<Object>, effects: &mut Effects<'_>) {
        let waited = self.waiters.end_waits(session, effects);
        if self.interrupted.remove(&session) || waited {
            self.count.other();
            self.break_up(effects);
        }
    }

    /// Who went through has gone through.
    fn take_back(&mut self, _: Reversal, _: &Arc<Object>, _: &mut Effects<'_>) {}

    fn drain(&mut self, _: &Arc<Object>, _: &Effects<'_>) -> Vec<Ticket> {
        self.waiters.drain_tickets().collect()
    }

    fn waiting(&self) -> usize {
        self.waiters.len()
    }

    fn held(&self) -> usize {
        self.interrupted.len()
    }
}

impl barrier::Serve for Visit<'_, '_, Barrier> {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.state.count.settle()
    }

    fn wait(&mut self, operation: barrier::Wait) -> Result<Turn<u64>> {
        self.state.wait(&operation, self.caller, self.effects)
    }

    fn abort(&mut self, _: barrier::Abort) -> Result<()> {
        if !self.state.is_broken {
            self.state.count.mine();
            self.state.break_up(self.effects);
        }
        Ok(())
    }

    fn reset(&mut self, _: barrier::Reset) -> Result<()> {
        let waiting = self.state.waiters.len();
        if waiting > 0 {
            return Err(Error::new(Code::InUse, format!("{waiting} wait at the barrier")));
        }
        if self.state.is_broken {
            self.state.is_broken = false;
            self.state.count.mine();
        }
        Ok(())
    }

    fn status(&self, _: barrier::Status) -> Result<BarrierStatus> {
        Ok(BarrierStatus {
            parties: self.state.parties,
            waiting: self.state.waiters.len() as u64,
            broken: self.state.is_broken,
        })
    }
}
