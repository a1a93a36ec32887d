//! An event: a flag that can be waited for.

use std::sync::Arc;

use manager_protocol::event;
use manager_protocol::{Result, Turn};

use super::{Discards, Object};
use crate::core::session::SessionId;
use crate::core::waitable::{Count, Reversal, Waitable};
use crate::core::waiting::{Effects, Ended, Patience, Ticket, Visit, WaitKey, Waiters, now};

/// The state of one event.
#[derive(Debug, Default)]
pub(in crate::core) struct Event {
    is_set: bool,
    waiters: Waiters<()>,
    count: Count,
}

impl Discards for Event {}

impl Waitable for Event {
    fn is_waiting(&self, wait: WaitKey) -> bool {
        self.waiters.contains(wait)
    }

    fn end_wait(&mut self, wait: WaitKey, ended: Ended, _: &Arc<Object>, effects: &mut Effects<'_>) {
        let Some((ticket, ())) = self.waiters.remove(wait) else { return };
        if let Some(ticket) = effects.dismiss(ticket, ended) {
            effects.complete::<event::Wait>(ticket, self.count.version(), false, None);
        }
    }

    fn end_session(&mut self, session: SessionId, _: &Arc<Object>, effects: &mut Effects<'_>) {
        self.waiters.end_waits(session, effects);
    }

    /// A wait gives nothing that could be taken back.
    fn take_back(&mut self, _: Reversal, _: &Arc<Object>, _: &mut Effects<'_>) {}

    fn drain(&mut self, _: &Arc<Object>, _: &Effects<'_>) -> Vec<Ticket> {
        self.waiters.drain_tickets().collect()
    }

    fn waiting(&self) -> usize {
        self.waiters.len()
    }

    fn held(&self) -> usize {
        0
    }
}

impl event::Serve for Visit<'_, '_, Event> {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.state.count.settle()
    }

    fn set(&mut self, _: event::Set) -> Result<bool> {
        let event = &mut *self.state;
        if event.is_set {
            return Ok(false);
        }
        event.is_set = true;
        event.count.mine();
        for ticket in event.waiters.drain_tickets() {
            self.effects.complete::<event::Wait>(ticket, event.count.version(), true, None);
        }
        Ok(true)
    }

    fn clear(&mut self, _: event::Clear) -> Result<bool> {
        if !self.state.is_set {
            return Ok(false);
        }
        self.state.is_set = false;
        self.state.count.mine();
        Ok(true)
    }

    fn is_set(&self, _: event::IsSet) -> Result<bool> {
        Ok(self.state.is_set)
    }

    fn wait(&mut self, operation: event::Wait) -> Result<Turn<bool>> {
        let patience = Patience::new(operation.timeout_ms)?;
        if self.state.is_set {
            return now(true);
        }
        match self.caller.wait_with(patience, self.effects)? {
            Some(ticket) => self.state.waiters.push(ticket, ()),
            None => return now(false),
        }
        Ok(Turn::Later)
    }
}
