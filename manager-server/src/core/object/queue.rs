//! A queue: items that are put by some and taken by others.
//!
//! Whoever comes first is served first. What was taken and never arrived returns to its place, and so
//! does what was given on loan and not acknowledged.

mod dead;
mod item;
mod loans;
mod requests;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
pub(super) mod tests;
mod waiters;

use std::collections::BTreeMap;
use std::sync::Arc;

use manager_protocol::queue::{Lease, Order, QueueSetup};
use manager_protocol::{Code, Encoded, Error, Many};

use super::{Discards, Object, PAGE_BYTES, PAGE_ITEMS};
use crate::core::Limits;
use crate::core::session::SessionId;
use crate::core::value::Datum;
use crate::core::waitable::{Count, Reversal};
use crate::core::waiting::{Effects, Waiters};
pub(in crate::core) use item::Item;
pub(super) use item::Key;
use loans::{Loans, Term};
use waiters::{Putter, Taker};

/// The state of one queue.
///
/// After each operation nobody waits for what there is: while there are items no taker waits, and
/// the putter that has waited longest does not fit.
#[derive(Debug)]
pub(in crate::core) struct Queue {
    pub(in crate::core) setup: QueueSetup,
    /// The first is the next to be taken.
    items: BTreeMap<Key, Item>,
    /// How many were ever put.
    sequence: i64,
    loans: Loans,
    /// Dead letters on their way to the other queue, from where they may return.
    dying: usize,
    /// Items that were put and not dealt with yet.
    unfinished: u64,
    takers: Waiters<Taker>,
    putters: Waiters<Putter>,
    joiners: Waiters<()>,
    phase: Phase,
    count: Count,
    max_items: usize,
    discarded: BTreeMap<Key, Item>,
}

/// Whether items come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Nothing can be put.
    ShutDown,
    /// Nothing can be put or taken; what returns is dropped.
    Dropped,
}

impl Queue {
    pub(in crate::core) fn new(setup: QueueSetup, limits: &Limits) -> Self {
        Self {
            setup,
            items: BTreeMap::new(),
            sequence: 0,
            loans: Loans::default(),
            dying: 0,
            unfinished: 0,
            takers: Waiters::default(),
            putters: Waiters::default(),
            joiners: Waiters::default(),
            phase: Phase::Open,
            count: Count::default(),
            max_items: limits.max_items,
            discarded: BTreeMap::new(),
        }
    }

    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// Takes every item out that waits to be taken.
    pub(super) fn take_items(&mut self) -> BTreeMap<Key, Item> {
        std::mem::take(&mut self.items)
    }

    /// How many more items may wait. Those on loan may return, so they count for the server's limit.
    fn room(&self) -> usize {
        let room = self.max_items.saturating_sub(self.items.len() + self.loans.len());
        let capacity =
            self.setup.capacity.map_or(usize::MAX, |capacity| usize::try_from(capacity).unwrap_or(usize::MAX));
        room.min(capacity.saturating_sub(self.items.len()))
    }

    /// Whether there will be no items any more.
    fn is_exhausted(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::ShutDown => self.items.is_empty() && self.loans.is_empty() && self.dying == 0,
            Phase::Dropped => true,
        }
    }

    fn add(&mut self, value: Datum, priority: i64) {
        let key = match self.setup.order {
            Order::Fifo => (0, self.sequence),
            Order::Lifo => (0, -self.sequence),
            Order::Priority => (priority, self.sequence),
        };
        self.sequence += 1;
        self.unfinished += 1;
        self.items.insert(key, Item::new(key, value));
    }

    /// Returns an item to its place.
    fn give_back(&mut self, item: Item) {
        if self.phase == Phase::Dropped {
            self.note_done(1);
        } else {
            self.items.insert(item.key, item);
        }
    }

    /// Returns an item that was delivered and not acknowledged, unless that was too often.
    fn give_back_unacknowledged(&mut self, item: Item, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let is_dead = self.setup.max_deliveries.is_some_and(|most| item.deliveries >= most);
        if self.phase == Phase::Dropped || !is_dead {
            return self.give_back(item);
        }
        match self.setup.dead_letters.clone() {
            Some(name) => {
                let object = Arc::clone(object);
                self.dying += 1;
                effects.after(move |effects| dead::bury(item, &name, &object, effects));
            }
            None => self.note_done(1),
        }
    }

    /// So many items have been dealt with. It may have been said of them before: nobody says which.
    fn note_done(&mut self, items: usize) {
        self.unfinished = self.unfinished.saturating_sub(items as u64);
    }

    /// Takes the next item: there must be one.
    fn take(&mut self, object: &Arc<Object>) -> (Encoded<'static>, Reversal) {
        let item = self.pop();
        (item.shared(), Reversal::Items { object: Arc::clone(object), items: vec![item] })
    }

    /// Takes the next items: there must be one.
    fn take_many(&mut self, limit: u64, object: &Arc<Object>) -> (Many<'static, Encoded<'static>>, Reversal) {
        let limit = usize::try_from(limit.min(PAGE_ITEMS.into())).unwrap_or(usize::MAX);
        let mut items = vec![self.pop()];
        let mut room = PAGE_BYTES;
        while items.len() < limit
            && let Some(next) = self.items.first_entry()
            && next.get().value.len() <= room
        {
            room -= next.get().value.len();
            items.push(next.remove());
        }
        let values: Vec<Encoded<'static>> = items.iter().map(Item::shared).collect();
        (Many::new(values.into_iter()), Reversal::Items { object: Arc::clone(object), items })
    }

    /// Gives the next item on loan: there must be one.
    fn lend(
        &mut self,
        session: SessionId,
        term: Term,
        object: &Arc<Object>,
        effects: &Effects<'_>,
    ) -> (Lease<'static>, Reversal) {
        let mut item = self.pop();
        item.deliveries = item.deliveries.saturating_add(1);
        let (deliveries, value) = (item.deliveries, item.shared());
        let lease = self.loans.lend(session, item, term, object, effects);
        (Lease { lease, deliveries, value }, Reversal::Lease { object: Arc::clone(object), lease })
    }

    fn pop(&mut self) -> Item {
        let (_, item) = self.items.pop_first().expect("the caller has seen that there is one");
        item
    }

    fn shut_down(&mut self, immediately: bool, effects: &mut Effects<'_>) {
        let phase = if immediately { Phase::Dropped } else { Phase::ShutDown };
        if self.phase == phase || self.phase == Phase::Dropped {
            return;
        }
        self.phase = phase;
        self.count.mine();
        self.putters.drain_tickets().for_each(|ticket| effects.refuse(ticket, shut_down()));
        if immediately {
            self.note_done(self.items.len());
            self.discarded = std::mem::take(&mut self.items);
        }
    }
}

fn shut_down() -> Error {
    Error::new(Code::ShutDown, "the queue was shut down")
}

fn empty() -> Error {
    Error::new(Code::Empty, "the queue had no item in time")
}

fn full() -> Error {
    Error::new(Code::Full, "the queue had no room in time")
}

impl Discards for Queue {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        if self.discarded.is_empty() {
            return None;
        }
        Some(Box::new(std::mem::take(&mut self.discarded)))
    }
}
