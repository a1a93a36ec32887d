//! Runs one decoded operation: finds the object, locks what is needed, hands over the reply.
//!
//! This is the one way by which anything changes. A refused operation has changed nothing.

use std::cell::Cell;

use manager_protocol::{Code, Effect, Error, Kind, RequestHeader, Result, Row, dict, kind_name, list, manager};

use super::object::dict::Snapshot;
use super::object::list::{List, Sequence};
use super::object::{Discards, Guard, Object, Shared, State};
use super::registry::Registry;
use super::sink::FrameSink;
use super::transaction;
use super::{LARGE, Pace};

/// Why an operation gave no reply.
pub(super) enum Stop {
    /// It was refused.
    Refused(Error),
    /// It would have taken long, or waited for somebody who takes long; it has not begun.
    Postponed,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// An operation on an object, decoded.
pub(super) enum Operation<'a> {
    Dict(dict::Request<'a>),
    List(list::Request<'a>),
}

impl<'a> Operation<'a> {
    pub(super) fn decode(operation: u16, arguments: &'a [u8]) -> Result<Self> {
        match u8::try_from(operation >> 8).map(Kind::try_from) {
            Ok(Ok(Kind::Dict)) => dict::Request::decode(operation, arguments).map(Self::Dict),
            Ok(Ok(Kind::List)) => list::Request::decode(operation, arguments).map(Self::List),
            Ok(Err(_)) | Err(_) => {
                Err(Error::new(Code::UnknownOperation, format!("unknown operation {operation:#06x}")))
            }
        }
    }

    pub(super) fn row(&self) -> Row {
        match self {
            Self::Dict(request) => request.row(),
            Self::List(request) => request.row(),
        }
    }

    pub(super) fn source(&self) -> Option<u64> {
        match self {
            Self::Dict(request) => request.source(),
            Self::List(request) => request.source(),
        }
    }
}

pub(super) fn wrong_kind(object: &Object) -> Error {
    Error::new(Code::WrongKind, format!("{:?} is a {}", object.name, kind_name(object.kind())))
}

/// Runs a request on an object.
pub(super) fn run(
    registry: &Registry,
    request: RequestHeader<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
) -> Result<(), Stop> {
    let operation = Operation::decode(request.operation, request.arguments)?;
    let row = operation.row();
    let object = registry.object(request.object).map_err(|error| error.during(row.name))?;
    let named = |error: Error| error.during(format_args!("{} on {:?}", row.name, object.name));
    if operation.source().is_some() {
        return run_with_source(registry, &object, operation, pace, sink).map_err(|stop| match stop {
            Stop::Refused(error) => Stop::Refused(named(error)),
            Stop::Postponed => Stop::Postponed,
        });
    }
    match (operation, &object.state) {
        (Operation::Dict(operation), State::Dict(dict)) => {
            let guard = lock(dict, pace, |dict| dict.is_heavy(&operation))?;
            operation.serve(guard, None, sink).map_err(named)?;
        }
        (Operation::List(operation), State::List(list)) if row.scans && pace == Pace::Patient => {
            run_on_copy(list, request, operation, sink).map_err(named)?;
        }
        (Operation::List(operation), State::List(list)) => {
            let guard = lock(list, pace, |list| list.is_heavy(&operation))?;
            operation.serve(guard, None, sink).map_err(named)?;
        }
        (Operation::Dict(_), State::List(_)) | (Operation::List(_), State::Dict(_)) => {
            return Err(named(wrong_kind(&object)).into());
        }
    }
    Ok(())
}

/// Locks a state for one operation, unless that takes long and must not.
fn lock<T: Discards>(shared: &Shared<T>, pace: Pace, is_heavy: impl Fn(&T) -> bool) -> Result<Guard<'_, T>, Stop> {
    let guard = shared.lock(pace).ok_or(Stop::Postponed)?;
    if pace == Pace::Inline && is_heavy(&guard) {
        return Err(Stop::Postponed);
    }
    Ok(guard)
}

/// Runs a long operation on a copy of the list, so that the list serves others meanwhile.
///
/// A change is then put in place if nobody else changed the list; else it is run again, under the
/// lock this time, so that it ends however busy the list is.
fn run_on_copy(
    list: &Shared<List>,
    request: RequestHeader<'_>,
    operation: list::Request<'_>,
    sink: &mut FrameSink<'_>,
) -> Result<()> {
    let hold = || list.lock(Pace::Patient).expect("a patient lock is always got");
    let effect = operation.row().effect;
    let mut copy = List::clone(&hold());
    let before = copy.version();
    operation.serve(&mut copy, None, sink)?;
    if effect == Effect::Read {
        return Ok(());
    }
    let mut current = hold();
    if current.version() == before {
        std::mem::swap(&mut *current, &mut copy);
        return Ok(());
    }
    sink.rewind();
    list::Request::decode(request.operation, request.arguments)?.serve(current, None, sink)
}

/// What an operation reads of another object.
pub(super) enum Source {
    Dict(Snapshot),
    List(Sequence),
}

impl Source {
    pub(super) fn dict(self, object: &Object) -> Result<Snapshot> {
        match self {
            Self::Dict(snapshot) => Ok(snapshot),
            Self::List(_) => Err(wrong_kind(object)),
        }
    }

    pub(super) fn list(self, object: &Object) -> Result<Sequence> {
        match self {
            Self::List(values) => Ok(values),
            Self::Dict(_) => Err(wrong_kind(object)),
        }
    }
}

/// Runs an operation that reads another object: both are locked, in the order of their ids, so two
/// objects may be added to each other at the same time.
fn run_with_source(
    registry: &Registry,
    object: &Object,
    operation: Operation<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
) -> Result<(), Stop> {
    if pace == Pace::Inline {
        return Err(Stop::Postponed);
    }
    let source = registry.object(operation.source().expect("the caller asked"))?;
    let mut locked = transaction::Locked::new([object, &source], pace).ok_or(Stop::Postponed)?;
    locked.check_alive(registry)?;
    let contents = locked.contents(source.id);
    match (operation, locked.state(object.id)) {
        (Operation::Dict(operation), transaction::StateMut::Dict(dict)) => {
            operation.serve(dict, Some(contents.dict(&source)?), sink)?;
        }
        (Operation::List(operation), transaction::StateMut::List(list)) => {
            operation.serve(list, Some(contents.list(&source)?), sink)?;
        }
        (Operation::Dict(_), transaction::StateMut::List(_)) | (Operation::List(_), transaction::StateMut::Dict(_)) => {
            return Err(wrong_kind(object).into());
        }
    }
    Ok(())
}

/// Runs a request on the manager itself.
pub(super) fn run_manager(
    registry: &Registry,
    request: RequestHeader<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
) -> Result<(), Stop> {
    let operation = manager::Request::decode(request.operation, request.arguments)?;
    let row = operation.row();
    let mut manager = Manager { registry, pace, postponed: Cell::new(false) };
    let served = operation.serve(&mut manager, None, sink);
    if manager.postponed.get() { Err(Stop::Postponed) } else { Ok(served.map_err(|error| error.during(row.name))?) }
}

/// The manager as the target of operations.
struct Manager<'a> {
    registry: &'a Registry,
    pace: Pace,
    /// The operation did not run; what it returned means nothing.
    postponed: Cell<bool>,
}

impl Manager<'_> {
    fn postpone<T>(&self) -> Result<T> {
        self.postponed.set(true);
        Err(Error::new(Code::Internal, "postponed"))
    }
}

impl manager::Serve for Manager<'_> {
    type Source = ();

    /// The manager has no version: names come and go without being counted.
    fn settle(&mut self) -> u64 {
        0
    }

    fn ping(&self, _: manager::Ping) -> Result<()> {
        Ok(())
    }

    fn open(&mut self, operation: manager::Open<'_>) -> Result<u64> {
        self.registry.open(operation.name, operation.kind)
    }

    fn delete(&mut self, operation: manager::Delete<'_>) -> Result<bool> {
        let large = |object: &Object| object.len().is_none_or(|len| len > LARGE);
        if self.pace == Pace::Inline && self.registry.named(operation.name).is_some_and(|object| large(&object)) {
            // Giving back its memory takes long.
            return self.postpone();
        }
        Ok(self.registry.delete(operation.name).is_some())
    }

    fn objects(&self, _: manager::Objects) -> Result<manager_protocol::Many<'static, manager::Entry>> {
        if self.pace == Pace::Inline && self.registry.len() > LARGE {
            return self.postpone();
        }
        Ok(manager_protocol::Many::new(self.registry.entries().into_iter()))
    }

    fn transaction(
        &mut self,
        operation: manager::Transaction<'_>,
    ) -> Result<manager_protocol::Many<'static, manager::StepReply<'static>>> {
        match transaction::run(self.registry, operation, self.pace) {
            Ok(replies) => Ok(manager_protocol::Many::new(replies.into_iter())),
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Postponed) => self.postpone(),
        }
    }
}
