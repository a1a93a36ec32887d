//! Waitables: the objects that sessions wait in and hold parts of, such as queues and locks.
//!
//! A kind of these is a state that implements [`Waitable`] and the operations of its table, and an arm
//! of [`run`] and of [`Object::visit`]. They take no part in transactions.

use std::sync::Arc;

use manager_protocol::{
    Error, Kind, Operation, RequestHeader, Result, Row, Served, barrier, condition, event, lock, pipe, pool, queue,
    semaphore,
};

use super::clients::Client;
use super::dispatch::{Stop, wrong_kind};
use super::moment::Moment;
use super::object::pool::Told;
use super::object::queue::Item;
use super::object::{Discards, Object, State};
use super::reference::Claims;
use super::registry::Registry;
use super::session::SessionId;
use super::sink::FrameSink;
use super::waiting::{Caller, Effects, Ended, Holder, Ticket, Visit, Visiting, WaitKey};
use super::{LARGE, Pace};

/// A state that sessions wait in and hold parts of.
pub(super) trait Waitable: Discards {
    /// Whether a request waits.
    fn is_waiting(&self, wait: WaitKey) -> bool;

    /// A request waits no more, if it still does.
    fn end_wait(&mut self, wait: WaitKey, ended: Ended, object: &Arc<Object>, effects: &mut Effects<'_>);

    /// A session is over: it lets go of all that it holds here.
    fn end_session(&mut self, session: SessionId, object: &Arc<Object>, effects: &mut Effects<'_>);

    /// What was done for a request is taken back: the client never got the answer, or does not want it.
    fn take_back(&mut self, reversal: Reversal, object: &Arc<Object>, effects: &mut Effects<'_>);

    /// The time of a lease is over, if it is still out.
    fn end_lease(&mut self, lease: u64, object: &Arc<Object>, effects: &mut Effects<'_>) {
        let _ = (lease, object, effects);
    }

    /// Takes out all who wait: the object is deleted.
    fn drain(&mut self, object: &Arc<Object>, effects: &Effects<'_>) -> Vec<Ticket>;

    /// Whether it takes long until a session has let go of all that it holds here.
    fn holds_much(&self, session: SessionId) -> bool {
        let _ = session;
        false
    }

    /// How many items it has.
    fn len(&self) -> usize {
        0
    }

    /// How many wait.
    fn waiting(&self) -> usize;

    /// How many things sessions hold of it.
    fn held(&self) -> usize;
}

/// How what was done for a request can be taken back.
#[derive(Debug)]
pub(super) enum Reversal {
    /// The holder got the lock.
    Lock { object: Arc<Object>, holder: Holder, token: u64 },
    /// The items were taken off the queue, or the messages off a pipe's end.
    Items { object: Arc<Object>, items: Vec<Item> },
    /// The item was given on loan.
    Lease { object: Arc<Object>, lease: u64 },
    /// The session got a permit.
    Permit { object: Arc<Object>, session: SessionId },
    /// A worker of a pool took the jobs.
    Jobs { object: Arc<Object>, grant: u64, jobs: Vec<u64> },
    /// A member of a pool collected the events, each with its number.
    Events { object: Arc<Object>, member: u64, events: Vec<(u64, Told)> },
}

impl Reversal {
    /// Takes it back. The object must not be locked.
    pub(super) fn carry_out(self, effects: &mut Effects<'_>) {
        let object = match &self {
            Self::Lock { object, .. }
            | Self::Items { object, .. }
            | Self::Lease { object, .. }
            | Self::Permit { object, .. }
            | Self::Jobs { object, .. }
            | Self::Events { object, .. } => Arc::clone(object),
        };
        object.visit(effects, |state, effects| state.take_back(self, &object, effects));
    }
}

/// Counts the changes of an object that serves others beside the caller: the reply to the caller has
/// the version of the caller's own change.
#[derive(Debug, Default)]
pub(super) struct Count {
    version: u64,
    mine: Option<u64>,
}

impl Count {
    /// Counts the change that the caller has asked for.
    pub(super) fn mine(&mut self) {
        self.version += 1;
        self.mine = Some(self.version);
    }

    /// Counts another change, and returns its version.
    pub(super) fn other(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The version for the caller's reply.
    pub(super) fn settle(&mut self) -> u64 {
        self.mine.take().unwrap_or(self.version)
    }
}

/// Runs a request on an object that sessions wait in.
pub(super) fn run(
    registry: &Registry,
    client: &Client,
    request: &RequestHeader<'_>,
    row: &Row,
    pace: Pace,
    sink: &mut FrameSink<'_>,
    effects: &mut Effects<'_>,
) -> Result<Served, Stop> {
    let object = registry.object(request.object).map_err(|error| error.during(row.name))?;
    let moment = Moment {
        session: client.session.id,
        claims: Claims::of(registry, request.arguments).map_err(|error| error.during(row.name))?,
    };
    let caller = Caller { session: &client.session, request: request.id, object: &object, moment: &moment };
    serve(&caller, request, pace, sink, effects).map_err(|stop| match stop {
        Stop::Refused(error) => {
            let named: Error = error.during(format_args!("{} on {:?}", row.name, object.name));
            Stop::Refused(named)
        }
        Stop::Postponed => Stop::Postponed,
    })
}

/// Whether an operation may take long on so many items: freeing all of them does.
fn is_heavy(operation: u16, len: usize) -> bool {
    let frees_all = [queue::ShutDown::ROW, pool::Leave::ROW, pool::Terminate::ROW];
    frees_all.iter().any(|row| row.number == operation) && len > LARGE
}

fn serve(
    caller: &Caller<'_>,
    request: &RequestHeader<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
    effects: &mut Effects<'_>,
) -> Result<Served, Stop> {
    /// Locks the state and serves the operation.
    macro_rules! serve {
        ($kind:ident) => {{
            let operation = $kind::Request::decode(request.operation, request.arguments)?;
            let state = $kind.lock(pace).ok_or(Stop::Postponed)?;
            if pace == Pace::Inline && is_heavy(request.operation, state.len()) {
                return Err(Stop::Postponed);
            }
            caller.object.check_alive()?;
            Ok(operation.serve(Visiting(Visit { state, caller, effects }), None, sink)?)
        }};
    }
    let [kind, _] = request.operation.to_be_bytes();
    if Kind::try_from(kind) != Ok(caller.object.kind()) {
        return Err(wrong_kind(caller.object).into());
    }
    match &caller.object.state {
        State::Dict(_) | State::List(_) | State::Set(_) | State::Value(_) | State::Array(_) => {
            Err(wrong_kind(caller.object).into())
        }
        State::Queue(queue) => serve!(queue),
        State::Pipe(pipe) => serve!(pipe),
        State::Lock(lock) => serve!(lock),
        State::Semaphore(semaphore) => serve!(semaphore),
        State::Event(event) => serve!(event),
        State::Condition(condition) => serve!(condition),
        State::Barrier(barrier) => serve!(barrier),
        State::Pool(pool) => serve!(pool),
    }
}
