//! What is asked of a pool: judged, and done at once or made to wait.

use manager_protocol::pool::{self, Assignment, Event, PoolStatus};
use manager_protocol::{Code, Error, Many, Result, Turn};

use super::waiters::{no_event, no_job};
use super::{Pool, not_the_worker, shut_down};
use crate::core::waiting::{Caller, Effects, Patience, Visit, now};

fn check_limit(limit: u64) -> Result<()> {
    if limit > 0 { Ok(()) } else { Err(Error::new(Code::InvalidArgument, "a limit of 0 takes nothing")) }
}

impl Pool {
    fn take_jobs(
        &mut self,
        operation: &pool::Take,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<Many<'static, Assignment<'static>>>> {
        let pool::Take { worker: number, limit, timeout_ms } = *operation;
        let patience = Patience::new(timeout_ms)?;
        check_limit(limit)?;
        let is_condemned = self.worker(caller.session.id, number)?.is_condemned;
        if self.is_exhausted() {
            return Err(shut_down());
        }
        if is_condemned {
            return Err(not_the_worker());
        }
        if let Some((jobs, reversal)) = self.grant(number, limit, caller.object, effects) {
            self.count.mine();
            effects.reversal = Some(reversal);
            // A job with a time limit may have kept others from what is behind it.
            self.serve(caller.object, effects);
            return now(jobs);
        }
        let ticket = caller.wait_with(patience, effects)?.ok_or_else(no_job)?;
        self.await_job(ticket, number, limit);
        Ok(Turn::Later)
    }

    fn collect_events(
        &mut self,
        operation: &pool::Collect,
        caller: &Caller<'_>,
        effects: &mut Effects<'_>,
    ) -> Result<Turn<Many<'static, Event<'static>>>> {
        let pool::Collect { member: number, limit, timeout_ms } = *operation;
        let patience = Patience::new(timeout_ms)?;
        check_limit(limit)?;
        if !self.member(caller.session.id, number)?.events.is_empty() {
            self.count.mine();
            let (events, reversal) = self.collect(number, limit, caller.object);
            effects.reversal = Some(reversal);
            return now(events);
        }
        let ticket = caller.wait_with(patience, effects)?.ok_or_else(no_event)?;
        self.await_event(ticket, number, limit);
        Ok(Turn::Later)
    }
}

impl pool::Serve for Visit<'_, '_, Pool> {
    type Source = ();

    fn settle(&mut self) -> u64 {
        self.state.count.settle()
    }

    fn enter(&mut self, _: pool::Enter) -> Result<u64> {
        let session = self.caller.hold()?;
        let member = self.state.enter(session)?;
        self.state.count.mine();
        Ok(member)
    }

    fn leave(&mut self, operation: pool::Leave) -> Result<()> {
        self.state.leave(self.caller.session.id, operation.member, self.effects)?;
        self.state.count.mine();
        self.state.serve(self.caller.object, self.effects);
        Ok(())
    }

    fn hire(&mut self, operation: pool::Hire<'_>) -> Result<u64> {
        let pool::Hire { member, name, tasks } = operation;
        let worker = self.state.hire(self.caller.session.id, member, name, tasks)?;
        self.state.count.mine();
        Ok(worker)
    }

    fn attach(&mut self, operation: pool::Attach) -> Result<()> {
        let session = self.caller.hold()?;
        self.state.attach(session, operation.worker, operation.pid)?;
        self.state.count.mine();
        Ok(())
    }

    fn submit(&mut self, operation: pool::Submit<'_>) -> Result<()> {
        let pool::Submit { member, jobs } = operation;
        self.state.submit(self.caller.session.id, member, jobs, self.caller.moment)?;
        self.state.serve(self.caller.object, self.effects);
        Ok(())
    }

    fn take(&mut self, operation: pool::Take) -> Result<Turn<Many<'static, Assignment<'static>>>> {
        self.state.take_jobs(&operation, self.caller, self.effects)
    }

    fn finish(&mut self, operation: pool::Finish<'_>) -> Result<()> {
        let pool::Finish { worker, outcomes } = operation;
        self.state.worker(self.caller.session.id, worker)?;
        if self.state.finish(worker, outcomes, self.caller.moment, self.effects) {
            self.state.count.mine();
            self.state.serve(self.caller.object, self.effects);
        }
        Ok(())
    }

    fn give_back(&mut self, operation: pool::GiveBack<'_>) -> Result<()> {
        let pool::GiveBack { worker, jobs } = operation;
        self.state.worker(self.caller.session.id, worker)?;
        if self.state.give_back(worker, jobs, self.effects) {
            self.state.count.mine();
            self.state.serve(self.caller.object, self.effects);
        }
        Ok(())
    }

    fn collect(&mut self, operation: pool::Collect) -> Result<Turn<Many<'static, Event<'static>>>> {
        self.state.collect_events(&operation, self.caller, self.effects)
    }

    fn cancel(&mut self, operation: pool::Cancel<'_>) -> Result<u64> {
        let pool::Cancel { member, jobs } = operation;
        self.state.member(self.caller.session.id, member)?;
        let cancelled = self.state.cancel(member, jobs, self.effects);
        if cancelled > 0 {
            self.state.count.mine();
            self.state.serve(self.caller.object, self.effects);
        }
        Ok(cancelled)
    }

    fn bury(&mut self, operation: pool::Bury) -> Result<()> {
        let pool::Bury { worker, exit } = operation;
        self.state.bury(self.caller.session.id, worker, exit, self.effects)?;
        self.state.count.mine();
        self.state.serve(self.caller.object, self.effects);
        Ok(())
    }

    fn close(&mut self, _: pool::Close) -> Result<()> {
        self.state.close();
        self.state.serve(self.caller.object, self.effects);
        Ok(())
    }

    fn terminate(&mut self, operation: pool::Terminate<'_>) -> Result<()> {
        self.state.terminate(operation.reason, self.effects);
        self.state.serve(self.caller.object, self.effects);
        Ok(())
    }

    fn status(&self, _: pool::Status) -> Result<PoolStatus> {
        Ok(self.state.status())
    }
}
