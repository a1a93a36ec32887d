//! The items of a queue that are on loan: to whom, and until when.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use manager_protocol::{Code, Error, Result};

use super::Item;
use crate::core::object::Object;
use crate::core::session::SessionId;
use crate::core::timers::TimerKey;
use crate::core::waiting::{Effects, milliseconds_of};

/// All loans of one queue.
#[derive(Debug, Default)]
pub(super) struct Loans {
    /// By session and lease, so that those of one session are together.
    loans: BTreeMap<(SessionId, u64), Loan>,
    sessions: HashMap<u64, SessionId>,
    /// The number of the latest lease.
    last: u64,
}

#[derive(Debug)]
struct Loan {
    item: Item,
    timer: Option<TimerKey>,
}

/// How long a lease lasts; `None` is as long as the session.
pub(super) type Term = Option<Duration>;

/// Judges the argument of an operation.
pub(super) fn term(lease_ms: Option<i64>) -> Result<Term> {
    if lease_ms == Some(0) {
        return Err(Error::new(Code::InvalidArgument, "a lease of 0 ms would end at once"));
    }
    lease_ms.map(|milliseconds| milliseconds_of(milliseconds, "lease")).transpose()
}

impl Loans {
    /// Gives an item on loan, and returns the number of the lease.
    pub(super) fn lend(
        &mut self,
        session: SessionId,
        item: Item,
        term: Term,
        object: &Arc<Object>,
        effects: &Effects<'_>,
    ) -> u64 {
        self.last += 1;
        let timer = set_timer(self.last, term, object, effects);
        self.loans.insert((session, self.last), Loan { item, timer });
        self.sessions.insert(self.last, session);
        self.last
    }

    /// Sets a new deadline, counted from now.
    ///
    /// # Errors
    /// `LeaseLost`, if the session does not have the lease.
    pub(super) fn extend(
        &mut self,
        session: SessionId,
        lease: u64,
        term: Term,
        object: &Arc<Object>,
        effects: &Effects<'_>,
    ) -> Result<()> {
        let loan = self.loans.get_mut(&(session, lease)).ok_or_else(|| lost(session, lease))?;
        if let Some(timer) = loan.timer.take() {
            effects.core.timers.cancel(timer);
        }
        loan.timer = set_timer(lease, term, object, effects);
        Ok(())
    }

    /// Ends a lease for the session that has it, and gives the item.
    ///
    /// # Errors
    /// `LeaseLost`, if the session does not have the lease.
    pub(super) fn end_for(&mut self, session: SessionId, lease: u64, effects: &Effects<'_>) -> Result<Item> {
        self.remove(session, lease, effects).ok_or_else(|| lost(session, lease))
    }

    /// Ends a lease, whoever has it, and gives the item.
    pub(super) fn end(&mut self, lease: u64, effects: &Effects<'_>) -> Option<Item> {
        let session = *self.sessions.get(&lease)?;
        self.remove(session, lease, effects)
    }

    /// Ends a lease of which the deadline has come, and gives the item.
    pub(super) fn end_due(&mut self, lease: u64, effects: &Effects<'_>) -> Option<Item> {
        let session = *self.sessions.get(&lease)?;
        // It may have been extended after its timer went off.
        let (at, _) = self.loans.get(&(session, lease))?.timer?;
        if at <= effects.now() { self.remove(session, lease, effects) } else { None }
    }

    /// Ends all leases of a session, and gives the items.
    pub(super) fn end_session(&mut self, session: SessionId, effects: &Effects<'_>) -> Vec<Item> {
        let leases: Vec<u64> = self.loans.range((session, 0)..=(session, u64::MAX)).map(|(key, _)| key.1).collect();
        leases.into_iter().filter_map(|lease| self.remove(session, lease, effects)).collect()
    }

    /// Ends all leases. The items are gone.
    pub(super) fn clear(&mut self, effects: &Effects<'_>) {
        self.sessions.clear();
        for loan in std::mem::take(&mut self.loans).into_values() {
            if let Some(timer) = loan.timer {
                effects.core.timers.cancel(timer);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.loans.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.loans.is_empty()
    }

    fn remove(&mut self, session: SessionId, lease: u64, effects: &Effects<'_>) -> Option<Item> {
        let loan = self.loans.remove(&(session, lease))?;
        self.sessions.remove(&lease);
        if let Some(timer) = loan.timer {
            effects.core.timers.cancel(timer);
        }
        Some(loan.item)
    }
}

fn set_timer(lease: u64, term: Term, object: &Arc<Object>, effects: &Effects<'_>) -> Option<TimerKey> {
    let at = effects.now().checked_add(term?)?;
    Some(effects.set_lease_timer(at, Arc::downgrade(object), lease))
}

fn lost(session: SessionId, lease: u64) -> Error {
    Error::new(Code::LeaseLost, format!("lease {lease} has ended, or was never that of session {session}"))
}
