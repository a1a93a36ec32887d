//! One end of a pipe: who has it open, and what there is to receive.

use std::collections::{HashMap, VecDeque};

use manager_protocol::{Code, Error, Result};

use super::not_open;
use crate::core::object::queue::Item;
use crate::core::session::SessionId;
use crate::core::waiting::{Ticket, Waiters};

#[derive(Debug, Default)]
pub(super) struct End {
    /// How often each session has it open.
    open: HashMap<SessionId, u64>,
    /// Under which numbers it is on its way, and which session sent it.
    tickets: HashMap<u64, SessionId>,
    was_opened: bool,
    /// In the order of sending.
    pub(super) inbox: VecDeque<Item>,
    pub(super) receivers: Waiters<()>,
    pub(super) pollers: Waiters<()>,
}

impl End {
    pub(super) fn attach(&mut self, session: SessionId) {
        self.was_opened = true;
        *self.open.entry(session).or_default() += 1;
    }

    /// Ends the way of the end that is on its way under this number.
    ///
    /// # Errors
    /// `NoSuchTicket`, if there is none.
    pub(super) fn claim(&mut self, ticket: u64) -> Result<()> {
        self.tickets.remove(&ticket).map(drop).ok_or_else(|| {
            let fault = format!("ticket {ticket} for this end was claimed before, is void, or never was");
            Error::new(Code::NoSuchTicket, fault)
        })
    }

    /// Closes it for a session, once; whether the session does not have it open any more.
    ///
    /// # Errors
    /// `NotHeld`, if the session does not have it open.
    pub(super) fn close(&mut self, session: SessionId) -> Result<bool> {
        let times = self.open.get_mut(&session).ok_or_else(not_open)?;
        *times -= 1;
        let is_last = *times == 0;
        if is_last {
            self.open.remove(&session);
        }
        Ok(is_last)
    }

    /// Keeps it open for whoever comes with this ticket.
    pub(super) fn send_off(&mut self, ticket: u64, session: SessionId) {
        self.tickets.insert(ticket, session);
    }

    pub(super) fn check_open_for(&self, session: SessionId) -> Result<()> {
        if self.open.contains_key(&session) { Ok(()) } else { Err(not_open()) }
    }

    /// Whether it was opened once and nobody has it any more.
    pub(super) fn is_closed(&self) -> bool {
        self.was_opened && self.open.is_empty() && self.tickets.is_empty()
    }

    /// Returns a message to its place.
    pub(super) fn give_back(&mut self, message: Item) {
        let at = self.inbox.partition_point(|other| other.key < message.key);
        self.inbox.insert(at, message);
    }

    /// Takes out those who wait here for a session.
    pub(super) fn remove_waiters(&mut self, session: SessionId) -> Vec<Ticket> {
        let removed = [self.receivers.remove_session(session), self.pollers.remove_session(session)];
        removed.into_iter().flatten().map(|(ticket, ())| ticket).collect()
    }

    /// A session is over; whether it had the end open, or on its way.
    pub(super) fn end_session(&mut self, session: SessionId) -> bool {
        let before = self.held();
        self.open.remove(&session);
        self.tickets.retain(|_, sender| *sender != session);
        self.held() != before
    }

    /// Takes out all who wait here.
    pub(super) fn drain(&mut self) -> Vec<Ticket> {
        self.receivers.drain_tickets().chain(self.pollers.drain_tickets()).collect()
    }

    pub(super) fn waiting(&self) -> usize {
        self.receivers.len() + self.pollers.len()
    }

    /// How many sessions have it open, and how often it is on its way.
    pub(super) fn held(&self) -> usize {
        self.open.len() + self.tickets.len()
    }
}
