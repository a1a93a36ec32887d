//! A queue as its documentation has it, with nothing but vectors: what every client must be told.

mod clients;

use std::collections::BTreeMap;
use std::time::Duration;

use manager_protocol::queue::{Lease, Order, QueueSetup, QueueStatus};
use manager_protocol::{Code, Many};

use super::world::{Answer, Request, encoded, refused, reply};

/// When something is due, and its place among what is due at the same time.
pub(super) type Due = Option<(Duration, u64)>;

#[derive(Debug, Clone, Copy)]
struct Item {
    key: (i64, i64),
    value: u64,
    deliveries: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Take {
    One,
    Many(usize),
    Lease(Option<u64>),
}

#[derive(Debug)]
enum Undo {
    Items(Vec<Item>),
    Lease(u64),
}

#[derive(Debug)]
enum Wants {
    Take(Take),
    Put(Vec<u64>, i64),
    Join,
}

#[derive(Debug)]
struct Wait {
    request: Request,
    wants: Wants,
    due: Due,
}

/// What can be taken back: over which connection it was sent, and whether the client has it.
#[derive(Debug)]
struct Grant {
    undo: Undo,
    connection: u64,
    confirmed: bool,
}

pub(super) struct Model {
    pub(super) now: Duration,
    setup: QueueSetup,
    timers: u64,
    sequence: i64,
    items: Vec<Item>,
    /// Who has it, what, and until when.
    leases: BTreeMap<u64, (usize, Item, Due)>,
    last_lease: u64,
    takers: Vec<Wait>,
    putters: Vec<Wait>,
    joiners: Vec<Wait>,
    grants: BTreeMap<Request, Grant>,
    unfinished: u64,
    is_shut_down: bool,
    is_dropped: bool,
    /// Values by their fate.
    pub(super) taken: Vec<u64>,
    pub(super) acknowledged: Vec<u64>,
    pub(super) dead: Vec<u64>,
    pub(super) dropped: Vec<u64>,
    pub(super) put: Vec<u64>,
    /// The number of each client's connection, and when its session ends without one.
    connections: Vec<u64>,
    graces: Vec<Due>,
    /// What arrives late.
    pub(super) late: Vec<(Request, Answer)>,
}

impl Model {
    pub(super) fn new(setup: QueueSetup, seats: usize, now: Duration) -> Self {
        Self {
            now,
            setup,
            timers: 0,
            sequence: 0,
            items: Vec::new(),
            leases: BTreeMap::new(),
            last_lease: 0,
            takers: Vec::new(),
            putters: Vec::new(),
            joiners: Vec::new(),
            grants: BTreeMap::new(),
            unfinished: 0,
            is_shut_down: false,
            is_dropped: false,
            taken: Vec::new(),
            acknowledged: Vec::new(),
            dead: Vec::new(),
            dropped: Vec::new(),
            put: Vec::new(),
            connections: vec![0; seats],
            graces: vec![None; seats],
            late: Vec::new(),
        }
    }

    fn due(&mut self, after_ms: Option<u64>) -> Due {
        let after = after_ms?;
        self.timers += 1;
        Some((self.now + Duration::from_millis(after), self.timers))
    }

    pub(super) fn put(
        &mut self,
        request: Request,
        values: &[u64],
        priority: Option<i64>,
        timeout: Option<u64>,
    ) -> Option<Answer> {
        if priority.is_some() && self.setup.order != Order::Priority {
            return Some(refused(Code::InvalidArgument));
        }
        if self.is_shut_down {
            return Some(refused(Code::ShutDown));
        }
        if self.setup.capacity.is_some_and(|capacity| values.len() as u64 > capacity) {
            return Some(refused(Code::InvalidArgument));
        }
        let priority = priority.unwrap_or(0);
        if values.is_empty() {
            return Some(reply(()));
        }
        if self.putters.is_empty() && self.fits(values.len()) {
            self.add(values, priority);
            self.settle();
            return Some(reply(()));
        }
        if timeout == Some(0) {
            return Some(refused(Code::Full));
        }
        let due = self.due(timeout);
        self.putters.push(Wait { request, wants: Wants::Put(values.to_vec(), priority), due });
        None
    }

    fn fits(&self, items: usize) -> bool {
        self.setup.capacity.is_none_or(|capacity| (self.items.len() + items) as u64 <= capacity)
    }

    fn add(&mut self, values: &[u64], priority: i64) {
        for &value in values {
            let key = match self.setup.order {
                Order::Fifo => (0, self.sequence),
                Order::Lifo => (0, -self.sequence),
                Order::Priority => (priority, self.sequence),
            };
            self.sequence += 1;
            self.unfinished += 1;
            self.put.push(value);
            self.items.push(Item { key, value, deliveries: 0 });
        }
    }

    pub(super) fn take(&mut self, request: Request, take: Take, timeout: Option<u64>) -> Option<Answer> {
        if !self.items.is_empty() {
            let answer = self.grant(request, take);
            self.settle();
            return Some(answer);
        }
        if self.is_exhausted() {
            return Some(refused(Code::ShutDown));
        }
        if timeout == Some(0) {
            return Some(refused(Code::Empty));
        }
        let due = self.due(timeout);
        self.takers.push(Wait { request, wants: Wants::Take(take), due });
        None
    }

    fn is_exhausted(&self) -> bool {
        self.is_dropped || (self.is_shut_down && self.items.is_empty() && self.leases.is_empty())
    }

    fn next(&mut self) -> Item {
        let next = (0..self.items.len()).min_by_key(|&at| self.items[at].key).unwrap();
        self.items.remove(next)
    }

    fn grant(&mut self, request: Request, take: Take) -> Answer {
        let (undo, answer) = match take {
            Take::One => {
                let item = self.next();
                self.taken.push(item.value);
                (Undo::Items(vec![item]), reply(encoded(item.value)))
            }
            Take::Many(limit) => {
                let items: Vec<Item> = (0..limit.min(self.items.len())).map(|_| self.next()).collect();
                self.taken.extend(items.iter().map(|item| item.value));
                let values: Vec<_> = items.iter().map(|item| encoded(item.value)).collect();
                (Undo::Items(items), reply(Many::new(values.into_iter())))
            }
            Take::Lease(term) => {
                let mut item = self.next();
                item.deliveries += 1;
                self.last_lease += 1;
                let (lease, due) = (self.last_lease, self.due(term));
                self.leases.insert(lease, (request.0, item, due));
                let answer = reply(Lease { lease, deliveries: item.deliveries, value: encoded(item.value) });
                (Undo::Lease(lease), answer)
            }
        };
        let connection = self.connections[request.0];
        self.grants.insert(request, Grant { undo, connection, confirmed: false });
        answer
    }

    fn settle(&mut self) {
        loop {
            if let Some(Wait { wants: Wants::Put(values, _), .. }) = self.putters.first()
                && self.fits(values.len())
            {
                let Wait { request, wants: Wants::Put(values, priority), .. } = self.putters.remove(0) else {
                    panic!()
                };
                self.add(&values, priority);
                self.late.push((request, reply(())));
            } else if !self.items.is_empty() && !self.takers.is_empty() {
                let Wait { request, wants: Wants::Take(take), .. } = self.takers.remove(0) else { panic!() };
                let answer = self.grant(request, take);
                self.late.push((request, answer));
            } else {
                break;
            }
        }
        if self.is_exhausted() {
            for wait in std::mem::take(&mut self.takers) {
                self.late.push((wait.request, refused(Code::ShutDown)));
            }
        }
        if self.unfinished == 0 {
            for wait in std::mem::take(&mut self.joiners) {
                self.late.push((wait.request, reply(true)));
            }
        }
    }

    fn done(&mut self) {
        self.unfinished = self.unfinished.saturating_sub(1);
    }

    fn give_back(&mut self, item: Item) {
        if self.is_dropped {
            self.dropped.push(item.value);
            self.done();
        } else {
            self.items.push(item);
        }
    }

    fn give_back_unacknowledged(&mut self, item: Item) {
        if self.is_dropped || self.setup.max_deliveries.is_none_or(|most| item.deliveries < most) {
            return self.give_back(item);
        }
        self.done();
        if self.setup.dead_letters.is_some() { self.dead.push(item.value) } else { self.dropped.push(item.value) }
    }

    fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::Items(items) => {
                for item in items {
                    self.taken.retain(|value| *value != item.value);
                    self.give_back(item);
                }
            }
            Undo::Lease(lease) => {
                let Some((_, mut item, _)) = self.leases.remove(&lease) else { return };
                item.deliveries -= 1;
                self.give_back(item);
            }
        }
        self.settle();
    }

    /// The number of a lease that is out, or for a change of one that is not.
    pub(super) fn pick_lease(&self, nth: usize) -> u64 {
        let out: Vec<u64> = self.leases.keys().copied().collect();
        if out.is_empty() || nth.is_multiple_of(5) { nth as u64 % (self.last_lease + 2) } else { out[nth % out.len()] }
    }

    fn end_lease(&mut self, seat: usize, lease: u64) -> Result<Item, Answer> {
        if self.leases.get(&lease).is_none_or(|(holder, ..)| *holder != seat) {
            return Err(refused(Code::LeaseLost));
        }
        Ok(self.leases.remove(&lease).unwrap().1)
    }

    pub(super) fn ack(&mut self, seat: usize, lease: u64) -> Answer {
        let item = match self.end_lease(seat, lease) {
            Ok(item) => item,
            Err(answer) => return answer,
        };
        self.acknowledged.push(item.value);
        self.done();
        self.settle();
        reply(())
    }

    pub(super) fn release(&mut self, seat: usize, lease: u64) -> Answer {
        let item = match self.end_lease(seat, lease) {
            Ok(item) => item,
            Err(answer) => return answer,
        };
        self.give_back_unacknowledged(item);
        self.settle();
        reply(())
    }

    pub(super) fn extend(&mut self, seat: usize, lease: u64, term: Option<u64>) -> Answer {
        if self.leases.get(&lease).is_none_or(|(holder, ..)| *holder != seat) {
            return refused(Code::LeaseLost);
        }
        let due = self.due(term);
        self.leases.get_mut(&lease).unwrap().2 = due;
        reply(())
    }

    pub(super) fn task_done(&mut self) -> Answer {
        if self.unfinished == 0 {
            return refused(Code::OverRelease);
        }
        self.done();
        self.settle();
        reply(())
    }

    pub(super) fn join(&mut self, request: Request, timeout: Option<u64>) -> Option<Answer> {
        if self.unfinished == 0 || timeout == Some(0) {
            return Some(reply(self.unfinished == 0));
        }
        let due = self.due(timeout);
        self.joiners.push(Wait { request, wants: Wants::Join, due });
        None
    }

    pub(super) fn shut_down(&mut self, immediately: bool) -> Answer {
        self.is_shut_down = true;
        for wait in std::mem::take(&mut self.putters) {
            self.late.push((wait.request, refused(Code::ShutDown)));
        }
        if immediately {
            self.is_dropped = true;
            for item in std::mem::take(&mut self.items) {
                self.dropped.push(item.value);
                self.done();
            }
        }
        self.settle();
        reply(())
    }

    pub(super) fn status(&self) -> QueueStatus {
        QueueStatus {
            len: self.items.len() as u64,
            capacity: self.setup.capacity,
            leased: self.leases.len() as u64,
            unfinished: self.unfinished,
            takers: self.takers.len() as u64,
            putters: self.putters.len() as u64,
            shut_down: self.is_shut_down,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.takers.len() + self.putters.len() + self.joiners.len()
    }

    pub(super) fn timers(&self) -> usize {
        let waits = self.takers.iter().chain(&self.putters).chain(&self.joiners).filter(|wait| wait.due.is_some());
        let leases = self.leases.values().filter(|(.., due)| due.is_some());
        waits.count() + leases.count() + self.graces.iter().flatten().count()
    }

    /// The values that wait to be taken, in their order.
    pub(super) fn values(&self) -> Vec<u64> {
        let mut items = self.items.clone();
        items.sort_unstable_by_key(|item| item.key);
        items.into_iter().map(|item| item.value).collect()
    }
}
