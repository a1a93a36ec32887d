//! A lock: who holds it, and who is next.
//!
//! It is handed over in the order of coming: whoever lets it go gives it to the next, so nobody who
//! comes by chance at that moment can take it. [`Ownership`] is that, and a condition has it too.

use std::sync::Arc;

use manager_protocol::lock::{self, Grant, LockMode, LockStatus};
use manager_protocol::{Code, Error, Result, Turn};

use super::{Discards, Object};
use crate::core::session::SessionId;
use crate::core::waitable::{Count, Reversal, Waitable};
use crate::core::waiting::{Caller, Effects, Ended, Holder, Patience, Ticket, Visit, WaitKey, Waiters, now};

/// The state of one lock.
#[derive(Debug)]
pub(in crate::core) struct Lock {
    mode: LockMode,
    ownership: Ownership<()>,
    count: Count,
}

/// Who has the right to something, and who waits for it. `W` is what else is known of a waiter.
#[derive(Debug)]
pub(super) struct Ownership<W> {
    owner: Option<Owner>,
    /// The fencing token of the latest grant.
    token: u64,
    owner_died: bool,
    waiters: Waiters<(Holder, W)>,
    /// Whether those who wait can be part of a deadlock that is looked for.
    watched: bool,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    holder: Holder,
    /// How often it was taken.
    depth: u64,
    /// Whether it was told that the owner before had died.
    told: bool,
}

/// One who waited and is the owner now.
pub(super) struct Heir<W> {
    pub(super) ticket: Ticket,
    pub(super) wanted: W,
    pub(super) grant: Grant,
    pub(super) reversal: Reversal,
}

impl<W> Ownership<W> {
    pub(super) fn new(watched: bool) -> Self {
        Self { owner: None, token: 0, owner_died: false, waiters: Waiters::default(), watched }
    }

    pub(super) fn is_held(&self) -> bool {
        self.owner.is_some()
    }

    pub(super) fn token(&self) -> u64 {
        self.token
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn is_held_by(&self, holder: Holder) -> bool {
        self.owner.is_some_and(|owner| owner.holder == holder)
    }

    /// Takes it, if it is free.
    pub(super) fn take(&mut self, holder: Holder) -> Option<Grant> {
        if self.is_held() {
            return None;
        }
        self.token += 1;
        let owner_died = std::mem::take(&mut self.owner_died);
        self.owner = Some(Owner { holder, depth: 1, told: owner_died });
        Some(Grant { token: self.token, owner_died })
    }

    /// Takes it once more, if this holder has it.
    pub(super) fn take_again(&mut self, holder: Holder) -> Option<Grant> {
        let owner = self.owner.as_mut().filter(|owner| owner.holder == holder)?;
        owner.depth += 1;
        Some(Grant { token: self.token, owner_died: false })
    }

    /// Puts the caller at the end of those who wait.
    ///
    /// # Errors
    /// `Deadlock`, if that wait would never end.
    pub(super) fn enqueue(
        &mut self,
        caller: &Caller<'_>,
        patience: Patience,
        holder: Holder,
        wanted: W,
        effects: &Effects<'_>,
    ) -> Result<()> {
        if let Some(owner) = self.owner
            && self.watched
        {
            effects.core.waits_for.wait(holder, caller.object, owner.holder)?;
        }
        let ticket = match patience {
            Patience::For(time) => caller.wait(time, effects),
            Patience::None | Patience::Endless => caller.wait_endlessly(effects),
        };
        match ticket {
            Ok(ticket) => self.waiters.push(ticket, (holder, wanted)),
            Err(error) => {
                self.unwatch(holder, caller.object, effects);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Puts one at the end of those who wait who cannot be refused any more.
    pub(super) fn enqueue_anyway(
        &mut self,
        ticket: Ticket,
        holder: Holder,
        wanted: W,
        object: &Arc<Object>,
        effects: &Effects<'_>,
    ) {
        if let Some(owner) = self.owner
            && self.watched
        {
            effects.core.waits_for.wait_anyway(holder, object, owner.holder);
        }
        self.waiters.push(ticket, (holder, wanted));
    }

    /// What is known of one who waits.
    pub(super) fn wanted(&self, wait: WaitKey) -> Option<&W> {
        self.waiters.get(wait).map(|(_, wanted)| wanted)
    }

    pub(super) fn contains(&self, wait: WaitKey) -> bool {
        self.waiters.contains(wait)
    }

    /// Takes one out of those who wait.
    pub(super) fn leave(
        &mut self,
        wait: WaitKey,
        object: &Arc<Object>,
        effects: &Effects<'_>,
    ) -> Option<(Ticket, Holder, W)> {
        let (ticket, (holder, wanted)) = self.waiters.remove(wait)?;
        self.unwatch(holder, object, effects);
        Some((ticket, holder, wanted))
    }

    /// Lets it go once; whether it is free now, for the next.
    ///
    /// # Errors
    /// `NotHeld`, if this holder does not have it.
    pub(super) fn release(&mut self, holder: Holder) -> Result<bool> {
        match &mut self.owner {
            Some(owner) if owner.holder == holder && owner.depth > 1 => {
                owner.depth -= 1;
                Ok(false)
            }
            Some(owner) if owner.holder == holder => {
                self.owner = None;
                Ok(true)
            }
            Some(_) => Err(Error::new(Code::NotHeld, "it is held by another")),
            None => Err(Error::new(Code::NotHeld, "it is not held")),
        }
    }

    /// Lets it go, whoever has it.
    pub(super) fn release_any(&mut self) -> Result<()> {
        self.owner.take().map(drop).ok_or_else(|| Error::new(Code::NotHeld, "it is not held"))
    }

    /// Gives it to the next who waits, if it is free. Not to a session that has ended: that would count
    /// as its death.
    pub(super) fn pass_on(&mut self, object: &Arc<Object>, effects: &Effects<'_>) -> Option<Heir<W>> {
        if self.is_held() {
            return None;
        }
        let (ticket, (holder, wanted)) = loop {
            let (ticket, (holder, wanted)) = self.waiters.pop()?;
            if !ticket.is_orphaned() {
                break (ticket, (holder, wanted));
            }
            self.unwatch(holder, object, effects);
            effects.forget(ticket);
        };
        let grant = self.take(holder).expect("it is free");
        if self.watched {
            effects.core.waits_for.pass(object.id, holder);
        }
        let reversal = Reversal::Lock { object: Arc::clone(object), holder, token: grant.token };
        Some(Heir { ticket, wanted, grant, reversal })
    }

    /// Takes back a grant, if it still holds; whether it is free now. What the grant said of the owner
    /// before is to be said to the next.
    pub(super) fn take_back(&mut self, holder: Holder, token: u64) -> bool {
        let told = self.owner.is_some_and(|owner| owner.told);
        let is_free = self.token == token && self.release(holder).unwrap_or(false);
        self.owner_died |= is_free && told;
        is_free
    }

    /// A session is over and waits no more.
    pub(super) fn end_waits(&mut self, session: SessionId, object: &Arc<Object>, effects: &mut Effects<'_>) {
        for (ticket, (holder, _)) in self.waiters.remove_session(session) {
            self.unwatch(holder, object, effects);
            effects.forget(ticket);
        }
    }

    /// A session is over, and lets go of what it has. Whether it had it.
    pub(super) fn end_owner(&mut self, session: SessionId) -> bool {
        let died = self.owner.is_some_and(|owner| owner.holder.0 == session);
        if died {
            self.owner = None;
            self.owner_died = true;
        }
        died
    }

    /// Takes out all who wait.
    pub(super) fn drain(&mut self, object: &Arc<Object>, effects: &Effects<'_>) -> Vec<Ticket> {
        let drained: Vec<_> = self.waiters.drain().collect();
        drained
            .into_iter()
            .map(|(ticket, (holder, _))| {
                self.unwatch(holder, object, effects);
                ticket
            })
            .collect()
    }

    fn unwatch(&self, holder: Holder, object: &Arc<Object>, effects: &Effects<'_>) {
        if self.watched {
            effects.core.waits_for.leave(holder, object.id);
        }
    }
}

impl Lock {
    pub(in crate::core) fn new(mode: LockMode) -> Self {
        Self { mode, ownership: Ownership::new(mode != LockMode::Ownerless), count: Count::default() }
    }

    fn acquire(
        &mut self,
        operation: &lock::Acquire,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<Option<Grant>>> {
        let patience = Patience::new(operation.timeout_ms)?;
        let holder = (caller.hold()?, operation.holder);
        let taken = match self.mode {
            LockMode::Reentrant => self.ownership.take_again(holder).or_else(|| self.ownership.take(holder)),
            LockMode::Owned | LockMode::Ownerless => self.ownership.take(holder),
        };
        if let Some(grant) = taken {
            self.count.mine();
            effects.reversal = Some(Reversal::Lock { object: Arc::clone(caller.object), holder, token: grant.token });
            return now(Some(grant));
        }
        if patience == Patience::None {
            return now(None);
        }
        self.ownership.enqueue(caller, patience, holder, (), effects)?;
        Ok(Turn::Later)
    }

    fn release(&mut self, operation: &lock::Release, caller: &Caller<'_>, effects: &mut Effects<'_>) -> Result<()> {
        let is_free = match self.mode {
            LockMode::Ownerless => self.ownership.release_any().map(|()| true)?,
            LockMode::Owned | LockMode::Reentrant => self.ownership.release((caller.session.id, operation.holder))?,
        };
        self.count.mine();
        if is_free {
            self.pass_on(caller.object, effects);
        }
        Ok(())
    }

    fn pass_on(&mut self, object: &Arc<Object>, effects: &mut Effects<'_>) {
        if let Some(heir) = self.ownership.pass_on(object, effects) {
            let version = self.count.other();
            effects.complete::<lock::Acquire>(heir.ticket, version, Some(heir.grant), Some(heir.reversal));
        }
    }
}

impl Discards for Lock {}

impl Waitable for Lock {
    fn is_waiting(&self, wait: WaitKey) -> bool {
        self.ownership.contains(wait)
    }

    fn end_wait(&mut self, wait: WaitKey, ended: Ended, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let Some((ticket, _, ())) = self.ownership.leave(wait, object, effects) else { return };
        if let Some(ticket) = effects.dismiss(ticket, ended) {
            effects.complete::<lock::Acquire>(ticket, self.count.version(), None, None);
        }
    }

    fn end_session(&mut self, session: SessionId, object: &Arc<Object>, effects: &mut Effects<'_>) {
        self.ownership.end_waits(session, object, effects);
        if self.mode != LockMode::Ownerless && self.ownership.end_owner(session) {
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
        self.ownership.drain(object, effects)
    }

    fn waiting(&self) -> usize {
        self.ownership.waiting()
    }

    fn held(&self) -> usize {
        usize::from(self.ownership.is_held())
    }
}

impl lock::Serve for Visit<'_, '_, Lock> {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.state.count.settle()
    }

    fn acquire(&mut self, operation: lock::Acquire) -> Result<Turn<Option<Grant>>> {
        self.state.acquire(&operation, self.caller, self.effects)
    }

    fn release(&mut self, operation: lock::Release) -> Result<()> {
        self.state.release(&operation, self.caller, self.effects)
    }

    fn status(&self, _: lock::Status) -> Result<LockStatus> {
        let ownership = &self.state.ownership;
        Ok(LockStatus { held: ownership.is_held(), token: ownership.token(), waiting: ownership.waiting() as u64 })
    }
}
