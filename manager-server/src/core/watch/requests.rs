//! What each operation of watches and waits does.

use manager_protocol::watch::{self, ChangesReply, Met};
use manager_protocol::{Code, Error, Kind, Result, Turn};

use super::looks::Looks;
use super::wanted::Wanted;
use super::watchers::{Wants, Watchers};
use super::{Key, log};
use crate::core::data::Data;
use crate::core::dispatch::wrong_kind;
use crate::core::lifetime::Attended;
use crate::core::waiting::{Caller, Effects, Patience, now};

/// An operation at work on locked data.
pub(super) struct Asking<'a, D: Data> {
    pub(super) data: Attended<'a, D>,
    pub(super) caller: &'a Caller<'a>,
    pub(super) effects: &'a Effects<'a>,
}

impl<D: Data> Asking<'_, D> {
    /// Those who watch the data, told of all that has changed before.
    fn watchers(&mut self) -> &mut Watchers {
        let (len, max_kept) = (self.data.len(), self.effects.core.limits.max_kept);
        let watchers = self.data.slot_mut().get_or_new(len, max_kept);
        watchers.keep();
        watchers
    }

    /// The watch of the caller with this number; its key.
    fn find(&mut self, number: u64) -> Result<Option<Key>> {
        let session = self.caller.session.id;
        let found = self.data.slot().get().and_then(|watchers| watchers.key(number, session));
        found.ok_or_else(|| no_such_watch(number))
    }
}

fn no_such_watch(number: u64) -> Error {
    Error::new(Code::NoSuchWatch, format!("this session has no watch {number} of the object"))
}

impl<D: Data> watch::Serve for Asking<'_, D> {
    type Source = ();

    /// Watching is no change.
    fn settle(&mut self) -> u64 {
        self.data.version()
    }

    fn begin(&mut self, operation: watch::Begin<'_>) -> Result<u64> {
        let object = self.caller.object;
        let key = match (object.kind(), &operation.key) {
            (Kind::Dict, Some(key)) => D::place(key)?,
            (Kind::List, Some(_)) => {
                return Err(Error::new(Code::InvalidArgument, "a list is watched as a whole, not by a key"));
            }
            (Kind::Dict | Kind::List, None) => None,
            (
                Kind::Set
                | Kind::Queue
                | Kind::Pipe
                | Kind::Lock
                | Kind::Semaphore
                | Kind::Event
                | Kind::Condition
                | Kind::Barrier
                | Kind::Value
                | Kind::Array
                | Kind::Pool,
                _,
            ) => return Err(wrong_kind(object)),
        };
        let session = self.caller.hold()?;
        let (number, now) = (self.effects.core.number_of_watch(), self.data.version());
        self.watchers().begin(number, session, key, now);
        Ok(number)
    }

    fn changes(&mut self, operation: watch::Changes) -> Result<Turn<ChangesReply<'static>>> {
        let watch::Changes { watch, after, timeout_ms } = operation;
        let patience = Patience::new(timeout_ms)?;
        let key = self.find(watch)?;
        let version = self.data.version();
        if after > version {
            let fault = format!("the version {after} is yet to come, this is version {version}");
            return Err(Error::new(Code::InvalidArgument, fault));
        }
        let watchers = self.watchers();
        watchers.read(watch, after);
        if let Some(changes) = watchers.changes(watch, after, version) {
            return now(changes);
        }
        match self.caller.wait_with(patience, self.effects)? {
            Some(ticket) => self.watchers().wait(ticket, Wants::Changes { watch, after }, key),
            None => return now(log::nothing(version)),
        }
        Ok(Turn::Later)
    }

    fn end(&mut self, operation: watch::End) -> Result<bool> {
        if self.find(operation.watch).is_err() {
            return Ok(false);
        }
        for ticket in self.watchers().end(operation.watch) {
            self.effects.refuse(ticket, no_such_watch(operation.watch));
        }
        self.data.slot_mut().tidy();
        Ok(true)
    }

    fn wait_for(&mut self, operation: watch::WaitFor<'_>) -> Result<Turn<Option<Met<'static>>>> {
        let patience = Patience::new(operation.timeout_ms)?;
        let mut wanted = Wanted::new(&operation)?;
        let key = D::place(&wanted.at)?;
        let (seen, version) = (self.data.look(&wanted.at), self.data.version());
        let is_there = seen.is_some();
        if let Some(met) = wanted.check(seen, version, &mut Looks::default()) {
            return now(Some(met));
        }
        match self.caller.wait_with(patience, self.effects)? {
            Some(ticket) => {
                let key = key.filter(|_| !wanted.minds_others(is_there, version));
                self.watchers().wait(ticket, Wants::Value(Box::new(wanted)), key);
            }
            None => return now(None),
        }
        Ok(Turn::Later)
    }
}
