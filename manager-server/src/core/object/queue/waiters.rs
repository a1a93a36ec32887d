//! Those who wait at a queue: who is served when, and how a wait ends otherwise.

use std::fmt;
use std::sync::Arc;

use manager_protocol::queue;

use super::loans::Term;
use super::{Queue, empty, full, shut_down};
use crate::core::object::Object;
use crate::core::session::SessionId;
use crate::core::value::Datum;
use crate::core::waitable::{Reversal, Waitable};
use crate::core::waiting::{Effects, Ended, Ticket, WaitKey};

/// What one who waits for an item wants.
#[derive(Debug, Clone, Copy)]
pub(super) enum Taker {
    Get,
    GetMany { limit: u64 },
    Reserve { term: Term },
}

/// What one who waits for room wants to put.
pub(super) struct Putter {
    pub(super) values: Vec<Datum>,
    pub(super) priority: i64,
}

impl fmt::Debug for Putter {
    /// Shows the number of values only: values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Putter").field("values", &self.values.len()).finish_non_exhaustive()
    }
}

impl Queue {
    /// Serves those who wait, until there is nothing that can be done for them.
    pub(super) fn serve(&mut self, object: &Arc<Object>, effects: &mut Effects<'_>) {
        loop {
            self.serve_putters(effects);
            if !self.serve_takers(object, effects) || self.putters.is_empty() {
                break;
            }
        }
        if self.is_exhausted() {
            self.takers.drain_tickets().for_each(|ticket| effects.refuse(ticket, shut_down()));
        }
        if self.unfinished == 0 {
            for ticket in self.joiners.drain_tickets() {
                effects.complete::<queue::Join>(ticket, self.count.version(), true, None);
            }
        }
    }

    fn serve_putters(&mut self, effects: &mut Effects<'_>) {
        let mut room = self.room();
        while let Some((ticket, putter)) = self.putters.pop_if(|putter| putter.values.len() <= room) {
            room -= putter.values.len();
            putter.values.into_iter().for_each(|value| self.add(value, putter.priority));
            // Puts of one and of many have the same reply.
            effects.complete::<queue::Put<'_>>(ticket, self.count.other(), (), None);
        }
    }

    /// Whether anybody got anything.
    fn serve_takers(&mut self, object: &Arc<Object>, effects: &mut Effects<'_>) -> bool {
        let mut any = false;
        while !self.items.is_empty()
            && let Some((ticket, taker)) = self.takers.pop()
        {
            any = true;
            let version = self.count.other();
            match taker {
                Taker::Get => {
                    let (value, reversal) = self.take(object);
                    effects.complete::<queue::Get>(ticket, version, value, Some(reversal));
                }
                Taker::GetMany { limit } => {
                    let (values, reversal) = self.take_many(limit, object);
                    effects.complete::<queue::GetMany>(ticket, version, values, Some(reversal));
                }
                Taker::Reserve { term } => {
                    let (lease, reversal) = self.lend(ticket.key().session, term, object, effects);
                    effects.complete::<queue::Reserve>(ticket, version, lease, Some(reversal));
                }
            }
        }
        any
    }
}

impl Waitable for Queue {
    fn is_waiting(&self, wait: WaitKey) -> bool {
        self.takers.contains(wait) || self.putters.contains(wait) || self.joiners.contains(wait)
    }

    fn end_wait(&mut self, wait: WaitKey, ended: Ended, object: &Arc<Object>, effects: &mut Effects<'_>) {
        if let Some((ticket, _)) = self.takers.remove(wait) {
            if let Some(ticket) = effects.dismiss(ticket, ended) {
                effects.refuse(ticket, empty());
            }
        } else if let Some((ticket, _)) = self.putters.remove(wait) {
            if let Some(ticket) = effects.dismiss(ticket, ended) {
                effects.refuse(ticket, full());
            }
            // Those behind it may want less room.
            self.serve(object, effects);
        } else if let Some((ticket, ())) = self.joiners.remove(wait)
            && let Some(ticket) = effects.dismiss(ticket, ended)
        {
            effects.complete::<queue::Join>(ticket, self.count.version(), false, None);
        }
    }

    fn end_session(&mut self, session: SessionId, object: &Arc<Object>, effects: &mut Effects<'_>) {
        self.takers.end_waits(session, effects);
        self.putters.end_waits(session, effects);
        self.joiners.end_waits(session, effects);
        let returned = self.loans.end_session(session, effects);
        if !returned.is_empty() {
            self.count.other();
        }
        for item in returned {
            self.give_back_unacknowledged(item, object, effects);
        }
        self.serve(object, effects);
    }

    fn take_back(&mut self, reversal: Reversal, object: &Arc<Object>, effects: &mut Effects<'_>) {
        match reversal {
            Reversal::Items { items, .. } => items.into_iter().for_each(|item| self.give_back(item)),
            Reversal::Lease { lease, .. } => {
                // The lease may have ended: then the item has gone its way already.
                let Some(mut item) = self.loans.end(lease, effects) else { return };
                item.deliveries -= 1;
                self.give_back(item);
            }
            Reversal::Lock { .. } | Reversal::Permit { .. } | Reversal::Jobs { .. } | Reversal::Events { .. } => return,
        }
        self.count.other();
        self.serve(object, effects);
    }

    fn end_lease(&mut self, lease: u64, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let Some(item) = self.loans.end_due(lease, effects) else { return };
        self.count.other();
        self.give_back_unacknowledged(item, object, effects);
        self.serve(object, effects);
    }

    fn drain(&mut self, _: &Arc<Object>, effects: &Effects<'_>) -> Vec<Ticket> {
        self.loans.clear(effects);
        self.takers.drain_tickets().chain(self.putters.drain_tickets()).chain(self.joiners.drain_tickets()).collect()
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn waiting(&self) -> usize {
        self.takers.len() + self.putters.len() + self.joiners.len()
    }

    fn held(&self) -> usize {
        self.loans.len()
    }
}
