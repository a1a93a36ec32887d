//! A pipe: two ends, each of which receives what is sent at the other.
//!
//! An end is open while a session has it open, or while it is on its way to one. Messages stay at
//! their end until they are received, whoever has it open.

mod end;
mod requests;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use manager_protocol::pipe::{self, Side};
use manager_protocol::{Code, Encoded, Error};

use super::queue::Item;
use super::{Discards, Object};
use crate::core::Limits;
use crate::core::session::SessionId;
use crate::core::waitable::{Count, Reversal, Waitable};
use crate::core::waiting::{Effects, Ended, Ticket, WaitKey};
use end::End;

/// The state of one pipe.
///
/// After each operation nobody waits at an end that has messages, or whose messages have ended.
#[derive(Debug)]
pub(in crate::core) struct Pipe {
    pub(in crate::core) duplex: bool,
    left: End,
    right: End,
    /// How many messages were ever sent.
    sequence: i64,
    /// The number of the latest ticket.
    last_ticket: u64,
    count: Count,
    max_items: usize,
}

impl Pipe {
    pub(in crate::core) fn new(duplex: bool, limits: &Limits) -> Self {
        Self {
            duplex,
            left: End::default(),
            right: End::default(),
            sequence: 0,
            last_ticket: 0,
            count: Count::default(),
            max_items: limits.max_items,
        }
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Item> {
        self.left.inbox.iter().chain(&self.right.inbox)
    }

    /// Takes every message out that waits to be received.
    pub(super) fn take_messages(&mut self) -> [VecDeque<Item>; 2] {
        [std::mem::take(&mut self.left.inbox), std::mem::take(&mut self.right.inbox)]
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    /// Whether there is nothing to receive at an end, and nobody left who could send.
    fn has_ended(&mut self, side: Side) -> bool {
        self.end(side).inbox.is_empty() && self.end(side.other()).is_closed()
    }

    /// Takes the next message at an end: there must be one.
    fn take(&mut self, side: Side, object: &Arc<Object>) -> (Encoded<'static>, Reversal) {
        let message = self.end(side).inbox.pop_front().expect("the caller has seen that there is one");
        (message.shared(), Reversal::Items { object: Arc::clone(object), items: vec![message] })
    }

    /// Serves those who wait at an end, until there is nothing that can be done for them.
    fn serve(&mut self, side: Side, object: &Arc<Object>, effects: &mut Effects<'_>) {
        while !self.end(side).inbox.is_empty()
            && let Some((ticket, ())) = self.end(side).receivers.pop()
        {
            let (value, reversal) = self.take(side, object);
            effects.complete::<pipe::Receive>(ticket, self.count.other(), Some(value), Some(reversal));
        }
        let has_ended = self.has_ended(side);
        let (version, end) = (self.count.version(), self.end(side));
        if has_ended {
            end.receivers.drain_tickets().for_each(|ticket| effects.refuse(ticket, closed()));
        }
        if has_ended || !end.inbox.is_empty() {
            for ticket in end.pollers.drain_tickets() {
                effects.complete::<pipe::Poll>(ticket, version, true, None);
            }
        }
    }
}

fn closed() -> Error {
    Error::new(Code::Closed, "the other end of the pipe is closed")
}

fn not_open() -> Error {
    Error::new(Code::NotHeld, "the session does not have this end of the pipe open")
}

/// The end that a message is at: its place says so, so that it can return there.
fn side_of(message: &Item) -> Side {
    if message.key.0 == i64::from(u8::from(Side::Left)) { Side::Left } else { Side::Right }
}

impl Discards for Pipe {}

impl Waitable for Pipe {
    fn is_waiting(&self, wait: WaitKey) -> bool {
        [&self.left, &self.right].iter().any(|end| end.receivers.contains(wait) || end.pollers.contains(wait))
    }

    fn end_wait(&mut self, wait: WaitKey, ended: Ended, _: &Arc<Object>, effects: &mut Effects<'_>) {
        let version = self.count.version();
        for end in [&mut self.left, &mut self.right] {
            if let Some((ticket, ())) = end.receivers.remove(wait) {
                if let Some(ticket) = effects.dismiss(ticket, ended) {
                    effects.complete::<pipe::Receive>(ticket, version, None, None);
                }
            } else if let Some((ticket, ())) = end.pollers.remove(wait)
                && let Some(ticket) = effects.dismiss(ticket, ended)
            {
                effects.complete::<pipe::Poll>(ticket, version, false, None);
            }
        }
    }

    fn end_session(&mut self, session: SessionId, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let mut had_any = false;
        for end in [&mut self.left, &mut self.right] {
            end.remove_waiters(session).into_iter().for_each(|ticket| effects.forget(ticket));
            had_any |= end.end_session(session);
        }
        if had_any {
            self.count.other();
            self.serve(Side::Left, object, effects);
            self.serve(Side::Right, object, effects);
        }
    }

    fn take_back(&mut self, reversal: Reversal, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let Reversal::Items { items, .. } = reversal else { return };
        for message in items {
            let side = side_of(&message);
            self.end(side).give_back(message);
            self.count.other();
            self.serve(side, object, effects);
        }
    }

    fn drain(&mut self, _: &Arc<Object>, _: &Effects<'_>) -> Vec<Ticket> {
        [&mut self.left, &mut self.right].into_iter().flat_map(End::drain).collect()
    }

    fn len(&self) -> usize {
        self.left.inbox.len() + self.right.inbox.len()
    }

    fn waiting(&self) -> usize {
        self.left.waiting() + self.right.waiting()
    }

    fn held(&self) -> usize {
        self.left.held() + self.right.held()
    }
}
