//! What is asked of a pipe: judged, and done at once or made to wait.

use manager_protocol::pipe::{self, Side};
use manager_protocol::{Code, Encoded, Error, Result, Turn};

use super::{Pipe, closed, not_open};
use crate::core::object::queue::Item;
use crate::core::value::Datum;
use crate::core::waiting::{Caller, Effects, Patience, Visit, now};

impl Pipe {
    fn attach(&mut self, operation: &pipe::Attach, caller: &Caller<'_>) -> Result<()> {
        let session = caller.hold()?;
        let end = self.end(operation.side);
        if let Some(ticket) = operation.ticket {
            end.claim(ticket)?;
        }
        end.attach(session);
        self.count.mine();
        Ok(())
    }

    fn close(&mut self, side: Side, caller: &Caller<'_>, effects: &mut Effects<'_>) -> Result<()> {
        let is_last = self.end(side).close(caller.session.id)?;
        self.count.mine();
        if is_last {
            self.leave(side, caller, effects);
            self.serve(side.other(), caller.object, effects);
        }
        Ok(())
    }

    fn hand_over(&mut self, side: Side, caller: &Caller<'_>, effects: &mut Effects<'_>) -> Result<u64> {
        let is_last = self.end(side).close(caller.session.id)?;
        self.count.mine();
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.end(side).send_off(ticket, caller.session.id);
        if is_last {
            self.leave(side, caller, effects);
        }
        Ok(ticket)
    }

    /// The caller's session no longer has the end: what else it asked of the end is refused.
    fn leave(&mut self, side: Side, caller: &Caller<'_>, effects: &mut Effects<'_>) {
        for ticket in self.end(side).remove_waiters(caller.session.id) {
            effects.refuse(ticket, not_open());
        }
    }

    fn send(&mut self, side: Side, value: &Encoded<'_>, caller: &Caller<'_>, effects: &mut Effects<'_>) -> Result<()> {
        if !self.duplex && side == Side::Left {
            return Err(one_way("the left end only receives"));
        }
        self.end(side).check_open_for(caller.session.id)?;
        let to = side.other();
        if self.end(to).is_closed() {
            return Err(closed());
        }
        if self.end(to).inbox.len() >= self.max_items {
            let fault = format!("there would be more than {} messages, the server's limit", self.max_items);
            return Err(Error::new(Code::LimitExceeded, fault));
        }
        self.count.mine();
        let key = (u8::from(to).into(), self.sequence);
        self.sequence += 1;
        self.end(to).inbox.push_back(Item::new(key, Datum::new(value.as_slice(), caller.moment)));
        self.serve(to, caller.object, effects);
        Ok(())
    }

    fn receive(
        &mut self,
        operation: &pipe::Receive,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<Option<Encoded<'static>>>> {
        let side = operation.side;
        let patience = self.judge_receiver(side, operation.timeout_ms, caller)?;
        if !self.end(side).inbox.is_empty() {
            self.count.mine();
            let (value, reversal) = self.take(side, caller.object);
            effects.reversal = Some(reversal);
            return now(Some(value));
        }
        if self.has_ended(side) {
            return Err(closed());
        }
        match caller.wait_with(patience, effects)? {
            Some(ticket) => self.end(side).receivers.push(ticket, ()),
            None => return now(None),
        }
        Ok(Turn::Later)
    }

    fn poll(&mut self, operation: &pipe::Poll, caller: &Caller<'_>, effects: &Effects<'_>) -> Result<Turn<bool>> {
        let side = operation.side;
        let patience = self.judge_receiver(side, operation.timeout_ms, caller)?;
        if !self.end(side).inbox.is_empty() || self.has_ended(side) {
            return now(true);
        }
        match caller.wait_with(patience, effects)? {
            Some(ticket) => self.end(side).pollers.push(ticket, ()),
            None => return now(false),
        }
        Ok(Turn::Later)
    }

    fn judge_receiver(&mut self, side: Side, timeout_ms: Option<i64>, caller: &Caller<'_>) -> Result<Patience> {
        let patience = Patience::new(timeout_ms)?;
        if !self.duplex && side == Side::Right {
            return Err(one_way("the right end only sends"));
        }
        self.end(side).check_open_for(caller.session.id)?;
        Ok(patience)
    }
}

fn one_way(fault: &str) -> Error {
    Error::new(Code::InvalidArgument, format!("the pipe is one-way: {fault}"))
}

impl pipe::Serve for Visit<'_, '_, Pipe> {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.state.count.settle()
    }

    fn attach(&mut self, operation: pipe::Attach) -> Result<()> {
        self.state.attach(&operation, self.caller)
    }

    fn close(&mut self, operation: pipe::Close) -> Result<()> {
        self.state.close(operation.side, self.caller, self.effects)
    }

    fn hand_over(&mut self, operation: pipe::HandOver) -> Result<u64> {
        self.state.hand_over(operation.side, self.caller, self.effects)
    }

    fn send(&mut self, operation: pipe::Send<'_>) -> Result<()> {
        self.state.send(operation.side, &operation.value, self.caller, self.effects)
    }

    fn receive(&mut self, operation: pipe::Receive) -> Result<Turn<Option<Encoded<'static>>>> {
        self.state.receive(&operation, self.caller, self.effects)
    }

    fn poll(&mut self, operation: pipe::Poll) -> Result<Turn<bool>> {
        self.state.poll(&operation, self.caller, self.effects)
    }
}
