//! A pipe as its documentation has it, with nothing but vectors: what every client must be told.

use std::collections::BTreeMap;
use std::time::Duration;

use manager_protocol::Code;
use manager_protocol::pipe::Side;

use crate::core::object::queue::tests::world::{Answer, Request, encoded, refused, reply};

/// When something is due, and its place among what is due at the same time.
type Due = Option<(Duration, u64)>;

#[derive(Debug, Default)]
struct End {
    open: BTreeMap<usize, u64>,
    tickets: BTreeMap<u64, usize>,
    was_opened: bool,
    /// The values, in no order but with their places.
    inbox: Vec<(u64, u64)>,
}

impl End {
    fn is_closed(&self) -> bool {
        self.was_opened && self.open.is_empty() && self.tickets.is_empty()
    }
}

#[derive(Debug, Clone, Copy)]
struct Wait {
    request: Request,
    side: usize,
    /// Else it polls.
    receives: bool,
    due: Due,
}

/// A message that can be taken back: over which connection it was sent, and whether the client has it.
#[derive(Debug)]
struct Grant {
    side: usize,
    message: (u64, u64),
    connection: u64,
    confirmed: bool,
}

pub(super) struct Model {
    now: Duration,
    duplex: bool,
    timers: u64,
    ends: [End; 2],
    last_ticket: u64,
    waits: Vec<Wait>,
    grants: BTreeMap<Request, Grant>,
    pub(super) sent: Vec<u64>,
    pub(super) received: Vec<u64>,
    connections: Vec<u64>,
    graces: Vec<Due>,
    /// What arrives late.
    pub(super) late: Vec<(Request, Answer)>,
}

impl Model {
    pub(super) fn new(duplex: bool, seats: usize, now: Duration) -> Self {
        Self {
            now,
            duplex,
            timers: 0,
            ends: Default::default(),
            last_ticket: 0,
            waits: Vec::new(),
            grants: BTreeMap::new(),
            sent: Vec::new(),
            received: Vec::new(),
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

    pub(super) fn attach(&mut self, seat: usize, side: Side, ticket: Option<u64>) -> Answer {
        let end = &mut self.ends[side as usize];
        if ticket.is_some_and(|ticket| end.tickets.remove(&ticket).is_none()) {
            return refused(Code::NoSuchTicket);
        }
        end.was_opened = true;
        *end.open.entry(seat).or_default() += 1;
        reply(())
    }

    fn leave(&mut self, seat: usize, side: usize) -> Result<(), Answer> {
        let times = self.ends[side].open.get_mut(&seat).ok_or_else(|| refused(Code::NotHeld))?;
        *times -= 1;
        if *times == 0 {
            self.ends[side].open.remove(&seat);
            let (left, stay) = self.waits.iter().partition(|wait| wait.request.0 == seat && wait.side == side);
            self.waits = stay;
            let left: Vec<Wait> = left;
            self.late.extend(left.into_iter().map(|wait| (wait.request, refused(Code::NotHeld))));
        }
        Ok(())
    }

    pub(super) fn close(&mut self, seat: usize, side: Side) -> Answer {
        let left = self.leave(seat, side as usize);
        self.settle();
        left.map_or_else(|refusal| refusal, reply)
    }

    pub(super) fn hand_over(&mut self, seat: usize, side: Side) -> Answer {
        if let Err(refusal) = self.leave(seat, side as usize) {
            return refusal;
        }
        self.last_ticket += 1;
        self.ends[side as usize].tickets.insert(self.last_ticket, seat);
        reply(self.last_ticket)
    }

    /// A number of a ticket that is out, or for a change one that is not.
    pub(super) fn pick_ticket(&self, nth: usize) -> u64 {
        let out: Vec<u64> = self.ends.iter().flat_map(|end| end.tickets.keys()).copied().collect();
        if out.is_empty() || nth.is_multiple_of(5) { nth as u64 % (self.last_ticket + 2) } else { out[nth % out.len()] }
    }

    pub(super) fn send(&mut self, seat: usize, side: Side, value: u64) -> Answer {
        if !self.duplex && side == Side::Left {
            return refused(Code::InvalidArgument);
        }
        if !self.ends[side as usize].open.contains_key(&seat) {
            return refused(Code::NotHeld);
        }
        let to = &mut self.ends[side.other() as usize];
        if to.is_closed() {
            return refused(Code::Closed);
        }
        to.inbox.push((self.sent.len() as u64, value));
        self.sent.push(value);
        self.settle();
        reply(())
    }

    /// Receives, or polls.
    pub(super) fn receive(
        &mut self,
        request: Request,
        side: Side,
        receives: bool,
        timeout: Option<u64>,
    ) -> Option<Answer> {
        if !self.duplex && side == Side::Right {
            return Some(refused(Code::InvalidArgument));
        }
        if !self.ends[side as usize].open.contains_key(&request.0) {
            return Some(refused(Code::NotHeld));
        }
        let wait = Wait { request, side: side as usize, receives, due: None };
        if let Some(answer) = self.answer(wait) {
            return Some(answer);
        }
        if timeout == Some(0) {
            return Some(in_vain(wait));
        }
        let due = self.due(timeout);
        self.waits.push(Wait { due, ..wait });
        None
    }

    /// The answer, if there is one yet.
    fn answer(&mut self, wait: Wait) -> Option<Answer> {
        let next = (0..self.ends[wait.side].inbox.len()).min_by_key(|&at| self.ends[wait.side].inbox[at]);
        let has_ended = self.ends[1 - wait.side].is_closed();
        match next {
            Some(at) if wait.receives => {
                let message = self.ends[wait.side].inbox.remove(at);
                self.received.push(message.1);
                let connection = self.connections[wait.request.0];
                let grant = Grant { side: wait.side, message, connection, confirmed: false };
                self.grants.insert(wait.request, grant);
                Some(reply(Some(encoded(message.1))))
            }
            None if wait.receives && has_ended => Some(refused(Code::Closed)),
            next => (!wait.receives && (next.is_some() || has_ended)).then(|| reply(true)),
        }
    }

    /// Answers whoever can be answered: those who receive first.
    fn settle(&mut self) {
        let (receivers, pollers): (Vec<Wait>, Vec<Wait>) = self.waits.iter().partition(|wait| wait.receives);
        for wait in receivers.into_iter().chain(pollers) {
            if let Some(answer) = self.answer(wait) {
                self.waits.retain(|other| other.request != wait.request);
                self.late.push((wait.request, answer));
            }
        }
    }

    fn take_back(&mut self, grant: Grant) {
        self.received.retain(|value| *value != grant.message.1);
        self.ends[grant.side].inbox.push(grant.message);
        self.settle();
    }

    /// Whether the request was known.
    pub(super) fn cancel(&mut self, request: Request) -> bool {
        if self.waits.iter().any(|wait| wait.request == request) {
            self.waits.retain(|wait| wait.request != request);
            self.late.push((request, refused(Code::Cancelled)));
            return true;
        }
        let grant = self.grants.remove(&request);
        grant.map(|grant| self.take_back(grant)).is_some()
    }

    pub(super) fn awaited(&self, seat: usize) -> Vec<u64> {
        self.waits.iter().map(|wait| wait.request).filter(|(of, _)| *of == seat).map(|(_, id)| id).collect()
    }

    pub(super) fn acknowledge(&mut self, seat: usize) {
        self.grants.retain(|request, _| request.0 != seat);
    }

    /// The client has what was sent over its connection.
    pub(super) fn hear(&mut self, seat: usize) {
        for (request, grant) in &mut self.grants {
            grant.confirmed |= request.0 == seat && grant.connection == self.connections[seat];
        }
    }

    pub(super) fn connect(&mut self, seat: usize) {
        self.connections[seat] += 1;
        self.graces[seat] = None;
    }

    pub(super) fn disconnect(&mut self, seat: usize, grace: u64) {
        self.waits.retain(|wait| wait.request.0 != seat);
        self.graces[seat] = self.due(Some(grace));
    }

    /// The session of a client without a connection ends.
    pub(super) fn end(&mut self, seat: usize) {
        self.graces[seat] = None;
        let requests: Vec<Request> = self.grants.keys().filter(|request| request.0 == seat).copied().collect();
        for request in requests {
            let grant = self.grants.remove(&request).unwrap();
            if !grant.confirmed {
                self.take_back(grant);
            }
        }
        for end in &mut self.ends {
            end.open.remove(&seat);
            end.tickets.retain(|_, sender| *sender != seat);
        }
        self.settle();
    }

    pub(super) fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        let mut due: Vec<Due> = self.waits.iter().map(|wait| wait.due).chain(self.graces.iter().copied()).collect();
        due.retain(|due| due.is_some_and(|(at, _)| at <= self.now));
        due.sort_unstable();
        for due in due {
            if let Some(at) = self.waits.iter().position(|wait| wait.due == due) {
                let wait = self.waits.remove(at);
                self.late.push((wait.request, in_vain(wait)));
            } else if let Some(seat) = self.graces.iter().position(|grace| *grace == due) {
                self.end(seat);
            }
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waits.len()
    }

    pub(super) fn held(&self) -> usize {
        self.ends.iter().map(|end| end.open.len() + end.tickets.len()).sum()
    }

    pub(super) fn timers(&self) -> usize {
        self.waits.iter().filter(|wait| wait.due.is_some()).count() + self.graces.iter().flatten().count()
    }

    /// The values at an end, in the order of sending.
    pub(super) fn inbox(&self, side: Side) -> Vec<u64> {
        let mut inbox = self.ends[side as usize].inbox.clone();
        inbox.sort_unstable();
        inbox.into_iter().map(|(_, value)| value).collect()
    }
}

/// What one is told whose time is over.
fn in_vain(wait: Wait) -> Answer {
    if wait.receives { reply(None::<u64>) } else { reply(false) }
}
