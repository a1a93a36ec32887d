//! Runs one decoded operation: finds the object, locks what is needed, hands over the reply.
//!
//! This is the one way by which anything changes. A refused operation has changed nothing.

use std::cell::Cell;

use manager_protocol::{Code, Error, Kind, ObjectId, RequestHeader, Result, Row, Served, a_kind, manager};

use super::clients::Client;
use super::moment::Moment;
use super::object::{Object, State};
use super::reference::{Claims, Link};
use super::registry::Registry;
use super::session::Session;
use super::setup::Setup;
use super::sink::FrameSink;
use super::waiting::Effects;
use super::watch::is_watch;
use super::{LARGE, Pace};
use super::{data, transaction, waitable, watch};

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

pub(super) fn wrong_kind(object: &Object) -> Error {
    Error::new(Code::WrongKind, format!("{:?} is {}", object.name, a_kind(object.kind())))
}

/// Runs a request on an object.
#[inline(always)]
pub(super) fn run(
    registry: &Registry,
    client: &Client,
    request: &RequestHeader<'_>,
    row: Option<&'static Row>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
    effects: &mut Effects<'_>,
) -> Result<Served, Stop> {
    let Some(row) = row else {
        let fault = format!("unknown operation {:#06x}", request.operation);
        return Err(Error::new(Code::UnknownOperation, fault).into());
    };
    if is_watch(row.number) {
        watch::run(registry, client, request, pace, sink, effects)
    } else if is_waitable(row) {
        waitable::run(registry, client, request, row, pace, sink, effects)
    } else {
        data::run(registry, client, request, row, pace, sink, effects)
    }
}

/// Whether the operation is for objects that sessions wait in.
pub(super) fn is_waitable(row: &Row) -> bool {
    let [kind, _] = row.number.to_be_bytes();
    match Kind::try_from(kind) {
        Ok(Kind::Dict | Kind::List | Kind::Set | Kind::Value | Kind::Array) | Err(_) => false,
        Ok(
            Kind::Queue
            | Kind::Pipe
            | Kind::Lock
            | Kind::Semaphore
            | Kind::Event
            | Kind::Condition
            | Kind::Barrier
            | Kind::Pool,
        ) => true,
    }
}

/// Runs a request on the manager itself.
pub(super) fn run_manager(
    registry: &Registry,
    client: &Client,
    request: &RequestHeader<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
    effects: &mut Effects<'_>,
) -> Result<Served, Stop> {
    let operation = manager::Request::decode(request.operation, request.arguments)?;
    let row = operation.row();
    let claims = Claims::of(registry, request.arguments).map_err(|error| error.during(row.name))?;
    let moment = Moment { session: client.session.id, claims };
    let mut manager = Manager {
        registry,
        session: &client.session,
        pace,
        moment,
        effects,
        postponed: Cell::new(false),
        links: Vec::new(),
    };
    let served = operation.serve(&mut manager, None, sink);
    let links = std::mem::take(&mut manager.links);
    if manager.postponed.get() {
        return Err(Stop::Postponed);
    }
    let served = served.map_err(|error| error.during(row.name))?;
    sink.give(links);
    Ok(served)
}

/// The manager as the target of operations.
struct Manager<'a, 'c> {
    registry: &'a Registry,
    session: &'a Session,
    pace: Pace,
    moment: Moment,
    effects: &'a mut Effects<'c>,
    /// The operation did not run; what it returned means nothing.
    postponed: Cell<bool>,
    /// What the reply refers to, if it does not show that itself.
    links: Vec<Link>,
}

impl Manager<'_, '_> {
    /// The object with this name; or a new one without a name, which the session holds.
    fn make(&self, name: Option<&str>, setup: &Setup) -> Result<ObjectId> {
        match name {
            Some(name) => Ok(self.registry.open(name, setup)?.id),
            None => self.create(setup, setup.spelled_out().make(self.registry.limits())?),
        }
    }

    fn create(&self, setup: &Setup, state: State) -> Result<ObjectId> {
        let link = self.registry.create(setup, state)?;
        let id = link.object().id;
        self.session.keep(link)?;
        Ok(id)
    }

    fn postpone<T>(&self) -> Result<T> {
        self.postponed.set(true);
        Err(Error::new(Code::Internal, "postponed"))
    }
}

impl manager::Serve for Manager<'_, '_> {
    type Source = ();

    /// The manager has no version: names come and go without being counted.
    fn settle(&mut self) -> u64 {
        0
    }

    fn ping(&self, _: manager::Ping) -> Result<()> {
        Ok(())
    }

    fn open(&mut self, operation: manager::Open<'_>) -> Result<u64> {
        self.make(operation.name, &Setup::Usual(operation.kind))
    }

    fn hold(&mut self, operation: manager::Hold) -> Result<()> {
        let object = self.registry.object(operation.object)?;
        object.check_kind(operation.kind)?;
        let link = Link::new(&object).ok_or_else(|| object.deleted())?;
        if object.is_named() { Ok(()) } else { self.session.keep(link) }
    }

    fn release(&mut self, operation: manager::Release<'_>) -> Result<()> {
        drop(self.session.release(operation.objects));
        Ok(())
    }

    fn open_queue(&mut self, operation: manager::OpenQueue<'_>) -> Result<u64> {
        let (name, dead_letters) = (operation.name, operation.setup.dead_letters.clone());
        let setup = Setup::Queue(operation.setup);
        // All is judged before anything is made.
        setup.check()?;
        if let Some(queue) = name.and_then(|name| self.registry.named(name)) {
            setup.judge(&queue)?;
        }
        match dead_letters {
            Some(dead_letters) if Some(&*dead_letters) == name => {
                return Err(Error::new(Code::InvalidArgument, "a queue cannot have its own dead letters"));
            }
            Some(dead_letters) => drop(self.registry.open(&dead_letters, &Setup::Usual(Kind::Queue))?),
            None => {}
        }
        self.make(name, &setup)
    }

    fn open_lock(&mut self, operation: manager::OpenLock<'_>) -> Result<u64> {
        self.make(operation.name, &Setup::Lock(operation.mode))
    }

    fn open_semaphore(&mut self, operation: manager::OpenSemaphore<'_>) -> Result<u64> {
        self.make(operation.name, &Setup::Semaphore(operation.setup))
    }

    fn open_barrier(&mut self, operation: manager::OpenBarrier<'_>) -> Result<u64> {
        self.make(operation.name, &Setup::Barrier { parties: operation.parties })
    }

    fn open_pipe(&mut self, operation: manager::OpenPipe<'_>) -> Result<u64> {
        self.make(operation.name, &Setup::Pipe { duplex: operation.duplex })
    }

    fn open_value(&mut self, operation: manager::OpenValue<'_>) -> Result<u64> {
        let manager::OpenValue { name, initial } = operation;
        match name {
            Some(name) => data::open_value(self.registry, name, &initial, &self.moment),
            None => {
                self.create(&Setup::Usual(Kind::Value), data::value(&initial, self.registry.limits(), &self.moment))
            }
        }
    }

    fn open_array(&mut self, operation: manager::OpenArray<'_>) -> Result<u64> {
        let manager::OpenArray { name, values } = operation;
        match name {
            Some(name) => data::open_array(self.registry, name, values, self.pace, &self.moment)?
                .map_or_else(|| self.postpone(), Ok),
            None => {
                let state = data::array(values, self.registry.limits(), &self.moment)?;
                self.create(&Setup::Usual(Kind::Array), state)
            }
        }
    }

    fn delete(&mut self, operation: manager::Delete<'_>) -> Result<bool> {
        let large = |object: &Object| object.len().is_none_or(|len| len > LARGE);
        if self.pace == Pace::Inline && self.registry.named(operation.name).is_some_and(|object| large(&object)) {
            // Giving back its memory takes long.
            return self.postpone();
        }
        let Some(object) = self.registry.delete(operation.name) else { return Ok(false) };
        object.delete(self.effects);
        Ok(true)
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
        match transaction::run(self.registry, self.session, operation, self.pace, self.moment.clone(), self.effects) {
            Ok((replies, links)) => {
                self.links = links;
                Ok(manager_protocol::Many::new(replies.into_iter()))
            }
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Postponed) => self.postpone(),
        }
    }
}
