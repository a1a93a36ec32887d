//! What is asked of a queue: judged, and done at once or made to wait.

use manager_protocol::queue::{self, Lease, Order, QueueStatus};
use manager_protocol::{Code, Encoded, Error, Many, Result, Turn};

use super::loans::term;
use super::{Phase, Putter, Queue, Taker, empty, full, shut_down};
use crate::core::value::Datum;
use crate::core::waiting::{Caller, Effects, Patience, Visit, now};

fn own(value: &Encoded<'_>, caller: &Caller<'_>) -> Datum {
    Datum::new(value.as_slice(), caller.moment)
}

impl Queue {
    fn put(
        &mut self,
        values: impl ExactSizeIterator<Item = Datum>,
        priority: Option<i64>,
        timeout_ms: Option<i64>,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<()>> {
        let patience = Patience::new(timeout_ms)?;
        self.check_put(values.len(), priority)?;
        let priority = priority.unwrap_or(0);
        if values.len() == 0 {
            return now(());
        }
        if self.putters.is_empty() && values.len() <= self.room() {
            self.count.mine();
            values.for_each(|value| self.add(value, priority));
            self.serve(caller.object, effects);
            return now(());
        }
        if self.setup.capacity.is_none() {
            return Err(self.over_limit());
        }
        let ticket = caller.wait_with(patience, effects)?.ok_or_else(full)?;
        self.putters.push(ticket, Putter { values: values.collect(), priority });
        Ok(Turn::Later)
    }

    /// Checks that so many items can be put some time.
    fn check_put(&self, items: usize, priority: Option<i64>) -> Result<()> {
        if priority.is_some() && self.setup.order != Order::Priority {
            return Err(Error::new(Code::InvalidArgument, "the queue has no priorities"));
        }
        if self.phase != Phase::Open {
            return Err(shut_down());
        }
        if let Some(capacity) = self.setup.capacity.filter(|capacity| *capacity < items as u64) {
            let fault = format!("{items} items will never fit into a queue with a capacity of {capacity}");
            return Err(Error::new(Code::InvalidArgument, fault));
        }
        if items > self.max_items { Err(self.over_limit()) } else { Ok(()) }
    }

    fn over_limit(&self) -> Error {
        let fault = format!("the queue would have more than {} items, the server's limit", self.max_items);
        Error::new(Code::LimitExceeded, fault)
    }

    fn get(
        &mut self,
        operation: &queue::Get,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<Encoded<'static>>> {
        let patience = Patience::new(operation.timeout_ms)?;
        if self.items.is_empty() {
            return self.wait_for_item(Taker::Get, patience, caller, effects);
        }
        self.count.mine();
        let (value, reversal) = self.take(caller.object);
        effects.reversal = Some(reversal);
        self.serve(caller.object, effects);
        now(value)
    }

    fn get_many(
        &mut self,
        operation: &queue::GetMany,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<Many<'static, Encoded<'static>>>> {
        let patience = Patience::new(operation.timeout_ms)?;
        let limit = operation.limit;
        if limit == 0 {
            return Err(Error::new(Code::InvalidArgument, "a limit of 0 items takes nothing"));
        }
        if self.items.is_empty() {
            return self.wait_for_item(Taker::GetMany { limit }, patience, caller, effects);
        }
        self.count.mine();
        let (values, reversal) = self.take_many(limit, caller.object);
        effects.reversal = Some(reversal);
        self.serve(caller.object, effects);
        now(values)
    }

    fn reserve(
        &mut self,
        operation: &queue::Reserve,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<Lease<'static>>> {
        let patience = Patience::new(operation.timeout_ms)?;
        let term = term(operation.lease_ms)?;
        if self.items.is_empty() {
            return self.wait_for_item(Taker::Reserve { term }, patience, caller, effects);
        }
        let session = caller.hold()?;
        self.count.mine();
        let (lease, reversal) = self.lend(session, term, caller.object, effects);
        effects.reversal = Some(reversal);
        self.serve(caller.object, effects);
        now(lease)
    }

    fn wait_for_item<T>(
        &mut self,
        taker: Taker,
        patience: Patience,
        caller: &Caller<'_>,
        effects: &Effects<'_>,
    ) -> Result<Turn<T>> {
        if self.is_exhausted() {
            return Err(shut_down());
        }
        let ticket = caller.wait_with(patience, effects)?.ok_or_else(empty)?;
        self.takers.push(ticket, taker);
        Ok(Turn::Later)
    }

    fn task_done(&mut self) -> Result<()> {
        if self.unfinished == 0 {
            return Err(Error::new(Code::OverRelease, "every item has been dealt with already"));
        }
        self.note_done(1);
        Ok(())
    }

    fn status(&self) -> QueueStatus {
        QueueStatus {
            len: self.items.len() as u64,
            capacity: self.setup.capacity,
            leased: self.loans.len() as u64,
            unfinished: self.unfinished,
            takers: self.takers.len() as u64,
            putters: self.putters.len() as u64,
            shut_down: self.phase != Phase::Open,
        }
    }
}

impl queue::Serve for Visit<'_, '_, Queue> {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.state.count.settle()
    }

    fn put(&mut self, operation: queue::Put<'_>) -> Result<Turn<()>> {
        let queue::Put { value, priority, timeout_ms } = operation;
        let values = std::iter::once(&value).map(|value| own(value, self.caller));
        self.state.put(values, priority, timeout_ms, self.caller, self.effects)
    }

    fn put_many(&mut self, operation: queue::PutMany<'_>) -> Result<Turn<()>> {
        let queue::PutMany { values, priority, timeout_ms } = operation;
        let values = values.map(|value| own(&value, self.caller));
        self.state.put(values, priority, timeout_ms, self.caller, self.effects)
    }

    fn get(&mut self, operation: queue::Get) -> Result<Turn<Encoded<'static>>> {
        self.state.get(&operation, self.caller, self.effects)
    }

    fn get_many(&mut self, operation: queue::GetMany) -> Result<Turn<Many<'static, Encoded<'static>>>> {
        self.state.get_many(&operation, self.caller, self.effects)
    }

    fn reserve(&mut self, operation: queue::Reserve) -> Result<Turn<Lease<'static>>> {
        self.state.reserve(&operation, self.caller, self.effects)
    }

    fn ack(&mut self, operation: queue::Ack) -> Result<()> {
        self.state.loans.end_for(self.caller.session.id, operation.lease, self.effects)?;
        self.state.count.mine();
        self.state.note_done(1);
        self.state.serve(self.caller.object, self.effects);
        Ok(())
    }

    fn release(&mut self, operation: queue::Release) -> Result<()> {
        let item = self.state.loans.end_for(self.caller.session.id, operation.lease, self.effects)?;
        self.state.count.mine();
        self.state.give_back_unacknowledged(item, self.caller.object, self.effects);
        self.state.serve(self.caller.object, self.effects);
        Ok(())
    }

    fn extend(&mut self, operation: queue::Extend) -> Result<()> {
        let (term, session) = (term(operation.lease_ms)?, self.caller.session.id);
        self.state.loans.extend(session, operation.lease, term, self.caller.object, self.effects)?;
        self.state.count.mine();
        Ok(())
    }

    fn task_done(&mut self, _: queue::TaskDone) -> Result<()> {
        self.state.task_done()?;
        self.state.count.mine();
        self.state.serve(self.caller.object, self.effects);
        Ok(())
    }

    fn join(&mut self, operation: queue::Join) -> Result<Turn<bool>> {
        let patience = Patience::new(operation.timeout_ms)?;
        if self.state.unfinished == 0 {
            return now(true);
        }
        match self.caller.wait_with(patience, self.effects)? {
            Some(ticket) => self.state.joiners.push(ticket, ()),
            None => return now(false),
        }
        Ok(Turn::Later)
    }

    fn shut_down(&mut self, operation: queue::ShutDown) -> Result<()> {
        self.state.shut_down(operation.immediately, self.effects);
        self.state.serve(self.caller.object, self.effects);
        Ok(())
    }

    fn len(&self, _: queue::Len) -> Result<u64> {
        Ok(self.state.items.len() as u64)
    }

    fn status(&self, _: queue::Status) -> Result<QueueStatus> {
        Ok(self.state.status())
    }
}
