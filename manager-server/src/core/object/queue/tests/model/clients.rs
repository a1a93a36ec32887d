//! What becomes of requests that nobody wants any more, and of what clients leave behind.

use std::collections::BTreeMap;
use std::time::Duration;

use manager_protocol::Code;

use super::{Due, Item, Model, Request, Wait, Wants, refused, reply};

impl Model {
    fn remove_wait(&mut self, request: Request) -> Option<Wait> {
        for waits in [&mut self.takers, &mut self.putters, &mut self.joiners] {
            if let Some(at) = waits.iter().position(|wait| wait.request == request) {
                return Some(waits.remove(at));
            }
        }
        None
    }

    /// Whether the request was known.
    pub(in super::super) fn cancel(&mut self, request: Request) -> bool {
        if self.remove_wait(request).is_some() {
            self.late.push((request, refused(Code::Cancelled)));
            self.settle();
            return true;
        }
        let grant = self.grants.remove(&request);
        grant.map(|grant| self.take_back(grant.undo)).is_some()
    }

    pub(in super::super) fn awaited(&self, seat: usize) -> Vec<u64> {
        let waits = self.takers.iter().chain(&self.putters).chain(&self.joiners);
        waits.map(|wait| wait.request).filter(|request| request.0 == seat).map(|request| request.1).collect()
    }

    pub(in super::super) fn acknowledge(&mut self, seat: usize) {
        self.grants.retain(|request, _| request.0 != seat);
    }

    /// The client has what was sent over its connection.
    pub(in super::super) fn hear(&mut self, seat: usize) {
        for (request, grant) in &mut self.grants {
            grant.confirmed |= request.0 == seat && grant.connection == self.connections[seat];
        }
    }

    pub(in super::super) fn connect(&mut self, seat: usize) {
        self.connections[seat] += 1;
        self.graces[seat] = None;
    }

    pub(in super::super) fn disconnect(&mut self, seat: usize, grace: u64) {
        for id in self.awaited(seat) {
            self.remove_wait((seat, id));
            self.settle();
        }
        // What was done meanwhile for another of its requests is heard by nobody.
        self.late.retain(|(request, _)| request.0 != seat);
        self.graces[seat] = self.due(Some(grace));
    }

    /// The session of a client without a connection ends.
    pub(in super::super) fn end(&mut self, seat: usize) {
        self.graces[seat] = None;
        let requests: Vec<Request> = self.grants.keys().filter(|request| request.0 == seat).copied().collect();
        for request in requests {
            let grant = self.grants.remove(&request).unwrap();
            if !grant.confirmed {
                self.take_back(grant.undo);
            }
        }
        let of = |leases: &BTreeMap<u64, (usize, Item, Due)>| {
            leases.iter().find(|(_, (holder, ..))| *holder == seat).map(|(lease, _)| *lease)
        };
        while let Some(lease) = of(&self.leases) {
            let (_, item, _) = self.leases.remove(&lease).unwrap();
            self.give_back_unacknowledged(item);
        }
        self.settle();
    }

    pub(in super::super) fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        let waits = self.takers.iter().chain(&self.putters).chain(&self.joiners);
        let mut due: Vec<Due> = waits.map(|wait| wait.due).collect();
        due.extend(self.leases.values().map(|(.., due)| *due));
        due.extend(&self.graces);
        due.retain(|due| due.is_some_and(|(at, _)| at <= self.now));
        due.sort_unstable();
        for due in due {
            self.expire(due);
        }
    }

    fn expire(&mut self, due: Due) {
        let waits = self.takers.iter().chain(&self.putters).chain(&self.joiners);
        if let Some(request) = waits.filter(|wait| wait.due == due).map(|wait| wait.request).next() {
            let answer = match self.remove_wait(request).unwrap().wants {
                Wants::Take(_) => refused(Code::Empty),
                Wants::Put(..) => refused(Code::Full),
                Wants::Join => reply(false),
            };
            self.late.push((request, answer));
        } else if let Some(lease) = self.leases.iter().find(|(_, (.., at))| *at == due).map(|(lease, _)| *lease) {
            let (_, item, _) = self.leases.remove(&lease).unwrap();
            self.give_back_unacknowledged(item);
        } else if let Some(seat) = self.graces.iter().position(|grace| *grace == due) {
            self.end(seat);
        }
        self.settle();
    }
}
