//! A condition: a lock, and those who have let it go to wait for a notification.
//!
//! Whoever is notified, or has waited long enough, waits for the lock again, behind those who came
//! before, and is answered once it has the lock.

use std::collections::HashSet;
use std::sync::Arc;

use manager_protocol::condition::{self, ConditionStatus, Wake};
use manager_protocol::lock::Grant;
use manager_protocol::{Code, Error, Result, Turn};

use super::lock::{Heir, Ownership};
use super::{Discards, Object};
use crate::core::session::SessionId;
use crate::core::waitable::{Count, Reversal, Waitable};
use crate::core::waiting::{Caller, Effects, Ended, Holder, Patience, Ticket, Visit, WaitKey, Waiters, now};

/// The state of one condition.
#[derive(Debug)]
pub(in crate::core) struct Condition {
    ownership: Ownership<Wanted>,
    waiters: Waiters<Holder>,
    /// Holders whose connection was lost while they waited: they may go on.
    interrupted: HashSet<Holder>,
    count: Count,
}

/// What one who waits for the lock is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Acquire,
    Wake { notified: bool },
}

impl Condition {
    pub(in crate::core) fn new() -> Self {
        Self {
            ownership: Ownership::new(true),
            waiters: Waiters::default(),
            interrupted: HashSet::new(),
            count: Count::default(),
        }
    }

    fn acquire(
        &mut self,
        operation: &condition::Acquire,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<Option<Grant>>> {
        let patience = Patience::new(operation.timeout_ms)?;
        let holder = (caller.hold()?, operation.holder);
        if let Some(grant) = self.ownership.take(holder) {
            self.interrupted.remove(&holder);
            self.count.mine();
            effects.reversal = Some(Reversal::Lock { object: Arc::clone(caller.object), holder, token: grant.token });
            return now(Some(grant));
        }
        if patience == Patience::None {
            return now(None);
        }
        self.ownership.enqueue(caller, patience, holder, Wanted::Acquire, effects)?;
        // Whoever acquires anew does not go on with a wait.
        self.interrupted.remove(&holder);
        Ok(Turn::Later)
    }

    fn wait(
        &mut self,
        operation: &condition::Wait,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<Wake>> {
        let patience = Patience::new(operation.timeout_ms)?;
        let holder = (caller.session.id, operation.holder);
        if self.interrupted.contains(&holder) && !self.ownership.is_held_by(holder) {
            let ticket = caller.wait_endlessly(effects)?;
            self.interrupted.remove(&holder);
            self.wake(ticket, holder, true, caller.object, effects);
            self.pass_on(caller.object, effects);
            return Ok(Turn::Later);
        }
        self.check_held(holder)?;
        let ticket = caller.wait_with(patience, effects)?;
        self.interrupted.remove(&holder);
        match ticket {
            Some(ticket) => {
                self.ownership.release(holder)?;
                self.count.mine();
                self.waiters.push(ticket, holder);
                self.pass_on(caller.object, effects);
                Ok(Turn::Later)
            }
            None => now(Wake { notified: false, grant: Grant { token: self.ownership.token(), owner_died: false } }),
        }
    }

    fn notify(&mut self, operation: &condition::Notify, caller: &Caller<'_>, effects: &mut Effects<'_>) -> Result<u64> {
        self.check_held((caller.session.id, operation.holder))?;
        let mut woken = 0;
        while operation.count.is_none_or(|count| woken < count)
            && let Some((ticket, holder)) = self.waiters.pop()
        {
            self.wake(ticket, holder, true, caller.object, effects);
            woken += 1;
        }
        if woken > 0 {
            self.count.mine();
        }
        Ok(woken)
    }

    fn check_held(&self, holder: Holder) -> Result<()> {
        if self.ownership.is_held_by(holder) {
            return Ok(());
        }
        Err(Error::new(Code::NotHeld, "only the holder of its lock can do that"))
    }

    /// Has one who waited for a notification wait for the lock.
    fn wake(
        &mut self,
        mut ticket: Ticket,
        holder: Holder,
        notified: bool,
        object: &Arc<Object>,
        effects: &mut Effects<'_>,
    ) {
        effects.stop_timer(&mut ticket);
        self.ownership.enqueue_anyway(ticket, holder, Wanted::Wake { notified }, object, effects);
    }

    fn pass_on(&mut self, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let Some(Heir { ticket, wanted, grant, reversal }) = self.ownership.pass_on(object, effects) else { return };
        let version = self.count.other();
        match wanted {
            Wanted::Acquire => {
                effects.complete::<condition::Acquire>(ticket, version, Some(grant), Some(reversal));
            }
            Wanted::Wake { notified } => {
                effects.complete::<condition::Wait>(ticket, version, Wake { notified, grant }, Some(reversal));
            }
        }
    }
}

impl Discards for Condition {}

impl Waitable for Condition {
    fn is_waiting(&self, wait: WaitKey) -> bool {
        self.waiters.contains(wait) || self.ownership.contains(wait)
    }

    fn end_wait(&mut self, wait: WaitKey, ended: Ended, object: &Arc<Object>, effects: &mut Effects<'_>) {
        if ended == Ended::TimedOut && matches!(self.ownership.wanted(wait), Some(Wanted::Wake { .. })) {
            return; // It was notified just before its time was over.
        }
        if let Some((ticket, holder)) = self.waiters.remove(wait) {
            if ended == Ended::Disconnected {
                self.interrupted.insert(holder);
            }
            if let Some(ticket) = effects.dismiss(ticket, ended) {
                self.wake(ticket, holder, false, object, effects);
                self.pass_on(object, effects);
            }
        } else if let Some((ticket, holder, wanted)) = self.ownership.leave(wait, object, effects) {
            if ended == Ended::Disconnected && wanted != Wanted::Acquire {
                self.interrupted.insert(holder);
            }
            if let Some(ticket) = effects.dismiss(ticket, ended) {
                effects.complete::<condition::Acquire>(ticket, self.count.version(), None, None);
            }
        }
    }

    fn end_session(&mut self, session: SessionId, object: &Arc<Object>, effects: &mut Effects<'_>) {
        self.interrupted.retain(|holder| holder.0 != session);
        self.waiters.end_waits(session, effects);
        self.ownership.end_waits(session, object, effects);
        if self.ownership.end_owner(session) {
            self.count.other();
            self.pass_on(object, effects);
        }
    }

    fn take_back(&mut self, reversal: Reversal, object: &Arc<Object>, effects: &mut Effects<'_>) {
        if let Reversal::Lock { holder, token, .. } = reversal
            && self.ownership.take_back(holder, token)
        {
            self.count.other();
            self.pass_on(object, effects);
        }
    }

    fn drain(&mut self, object: &Arc<Object>, effects: &Effects<'_>) -> Vec<Ticket> {
        let mut tickets = self.ownership.drain(object, effects);
        tickets.extend(self.waiters.drain_tickets());
        tickets
    }

    fn waiting(&self) -> usize {
        self.waiters.len() + self.ownership.waiting()
    }

    fn held(&self) -> usize {
        usize::from(self.ownership.is_held()) + self.interrupted.len()
    }
}

impl condition::Serve for Visit<'_, '_, Condition> {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.state.count.settle()
    }

    fn acquire(&mut self, operation: condition::Acquire) -> Result<Turn<Option<Grant>>> {
        self.state.acquire(&operation, self.caller, self.effects)
    }

    fn release(&mut self, operation: condition::Release) -> Result<()> {
        self.state.ownership.release((self.caller.session.id, operation.holder))?;
        self.state.count.mine();
        self.state.pass_on(self.caller.object, self.effects);
        Ok(())
    }

    fn wait(&mut self, operation: condition::Wait) -> Result<Turn<Wake>> {
        self.state.wait(&operation, self.caller, self.effects)
    }

    fn notify(&mut self, operation: condition::Notify) -> Result<u64> {
        self.state.notify(&operation, self.caller, self.effects)
    }

    fn status(&self, _: condition::Status) -> Result<ConditionStatus> {
        Ok(ConditionStatus {
            held: self.state.ownership.is_held(),
            acquiring: self.state.ownership.waiting() as u64,
            waiting: self.state.waiters.len() as u64,
        })
    }
}
