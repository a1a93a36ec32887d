//! Several operations on several objects as one.
//!
//! All objects are locked first, in the order of their ids (so no two transactions can wait for each
//! other), then the versions are checked, then the operations run. If one is refused, all are taken
//! back before any lock is let go, so nobody has seen them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use manager_protocol::{Bin, Code, Error, ObjectId, Result, manager};

use super::data::{Held, Operation, ReplySink, stored};
use super::dispatch::{Stop, is_waitable};
use super::moment::Moment;
use super::object::{Object, Transactional};
use super::reference::{Claims, Link};
use super::registry::Registry;
use super::session::Session;
use super::sink::StepSink;
use super::waiting::Effects;
use super::watch::is_watch;
use super::{LARGE, LARGE_BYTES, Pace};

pub(super) fn run(
    registry: &Registry,
    session: &Session,
    transaction: manager::Transaction<'_>,
    pace: Pace,
    moment: Moment,
    effects: &Effects<'_>,
) -> Result<(Vec<manager::StepReply<'static>>, Vec<Link>), Stop> {
    let checks: Vec<manager::Check> = transaction.checks.collect();
    let steps: Vec<manager::Step<'_>> = transaction.operations.collect();
    let operations = steps.iter().enumerate().map(decode).collect::<Result<Vec<_>>>()?;
    let objects = objects(registry, &checks, &operations)?;
    let claims = Claims::of_all(registry, steps.iter().map(|step| &*step.arguments.0))?;
    let moment = Moment { claims, ..moment };
    let mut locked = Locked::new(objects.values(), effects, pace, &moment)?;
    if pace == Pace::Inline && locked.are_heavy(&operations) {
        return Err(Stop::Postponed);
    }
    locked.check_alive(registry)?;
    for check in &checks {
        let found = locked.get(check.object).version();
        if found != check.version {
            let name = &objects[&check.object].name;
            return Err(Stop::Refused(Error::new(
                Code::Conflict,
                format!("{name:?} has version {found}, not {}; nothing was done", check.version),
            )));
        }
    }
    for (id, _) in operations.iter().filter(|(id, operation)| locked.get(*id).binds(operation)) {
        session.hold(&objects[id])?;
    }
    locked.each(|state| state.begin());
    let (mut room, mut links) = (registry.max_reply(), Vec::new());
    let replies: Result<Vec<_>> = operations
        .into_iter()
        .enumerate()
        .map(|(nth, (id, operation))| {
            let name = operation.row().name;
            let reply = step(registry, &mut locked, &objects, id, operation, &mut room);
            reply
                .map(|(reply, given)| {
                    links.extend(given);
                    reply
                })
                .map_err(|error| error.during(format_args!("operation {nth}, {name} on {:?}", objects[&id].name)))
        })
        .collect();
    match &replies {
        Ok(_) => locked.each(|state| state.commit()),
        Err(_) => locked.each(|state| state.roll_back()),
    }
    Ok((replies?, links))
}

fn decode<'a>((nth, step): (usize, &'a manager::Step<'_>)) -> Result<(ObjectId, Operation<'a>)> {
    if step.object == 0 {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("operation {nth}: only operations on objects can be part of a transaction"),
        ));
    }
    if let Some(row) = manager_protocol::row(step.operation).filter(|row| is_waitable(row) || is_watch(row.number)) {
        let fault = format!("operation {nth}: {} cannot be part of a transaction", row.name);
        return Err(Error::new(Code::InvalidArgument, fault));
    }
    let operation = Operation::decode(step.operation, &step.arguments.0)
        .map_err(|error| error.during(format_args!("operation {nth}")))?;
    Ok((step.object, operation))
}

/// Every object that the transaction touches, in the order of their ids.
fn objects(
    registry: &Registry,
    checks: &[manager::Check],
    operations: &[(ObjectId, Operation<'_>)],
) -> Result<BTreeMap<ObjectId, Arc<Object>>> {
    let checked = checks.iter().map(|check| check.object);
    let changed = operations.iter().flat_map(|(id, operation)| [Some(*id), operation.source()]).flatten();
    checked.chain(changed).map(|id| Ok((id, registry.object(id)?))).collect()
}

fn step(
    registry: &Registry,
    locked: &mut Locked<'_>,
    objects: &BTreeMap<ObjectId, Arc<Object>>,
    id: ObjectId,
    operation: Operation<'_>,
    room: &mut usize,
) -> Result<(manager::StepReply<'static>, Vec<Link>)> {
    let source = operation.source().map(|id| (locked.get(id).contents(), &*objects[&id]));
    let mut sink = StepSink::new(*room, registry);
    locked.get_mut(id).serve(&objects[&id], operation, source, ReplySink::Step(&mut sink))?;
    let (version, result, links) = sink.finish().ok_or_else(|| {
        Error::new(Code::LimitExceeded, "the replies of the transaction are longer than the server's largest message")
    })?;
    *room -= result.len();
    Ok((manager::StepReply { version, result: Bin(Cow::Owned(result)) }, links))
}

/// Several objects, locked.
pub(super) struct Locked<'a> {
    data: BTreeMap<ObjectId, Box<dyn Held + 'a>>,
}

impl<'a> Locked<'a> {
    /// Locks each object once, in the order of their ids.
    pub(super) fn new(
        objects: impl IntoIterator<Item = &'a Arc<Object>>,
        effects: &'a Effects<'a>,
        pace: Pace,
        moment: &Moment,
    ) -> Result<Self, Stop> {
        let objects: BTreeMap<ObjectId, &Arc<Object>> = objects.into_iter().map(|object| (object.id, object)).collect();
        if pace == Pace::Patient {
            // With nothing locked yet: it may take long.
            for object in objects.values() {
                stored(object)?.sweep_all(object, effects, moment);
            }
        }
        let lock = |(id, object): (ObjectId, &'a Arc<Object>)| {
            Ok((id, stored(object)?.hold(object, effects, pace, moment).ok_or(Stop::Postponed)?))
        };
        Ok(Self { data: objects.into_iter().map(lock).collect::<Result<_, Stop>>()? })
    }

    pub(super) fn get(&self, id: ObjectId) -> &(dyn Held + 'a) {
        &*self.data[&id]
    }

    pub(super) fn get_mut(&mut self, id: ObjectId) -> &mut (dyn Held + 'a) {
        &mut **self.data.get_mut(&id).expect("every object that is used was locked")
    }

    /// Whether the operations, all together, may take long.
    fn are_heavy(&self, operations: &[(ObjectId, Operation<'_>)]) -> bool {
        let len = |id| self.get(id).len();
        let is_heavy = |(id, operation): &(ObjectId, Operation<'_>)| self.get(*id).is_heavy(operation);
        let scanned = operations.iter().filter(|(_, operation)| operation.row().scans);
        let items: usize = scanned.flat_map(|(id, operation)| [Some(*id), operation.source()]).flatten().map(len).sum();
        let bytes: usize = operations.iter().map(|(id, operation)| self.get(*id).looked_into(operation)).sum();
        operations.len() > LARGE || items > LARGE || bytes > LARGE_BYTES || operations.iter().any(is_heavy)
    }

    /// Checks, now that no operation can come in between, that no object was deleted while others
    /// were waited for.
    pub(super) fn check_alive(&self, registry: &Registry) -> Result<()> {
        self.data.keys().try_for_each(|id| registry.object(*id).map(drop))
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Transactional)) {
        self.data.values_mut().for_each(|data| act(data.transactional()));
    }
}

#[cfg(test)]
mod tests {
    use manager_protocol::{Encoded, Kind, Many, Operation as _, dict};

    use super::super::data::Data as _;
    use super::super::object::State;
    use super::super::setup::Setup;
    use super::super::timers::Time;
    use super::super::{Core, Limits};
    use super::*;

    #[test]
    fn an_object_that_is_deleted_while_its_lock_is_waited_for_is_gone() {
        let core = Core::new(Limits::default());
        let registry = &core.registry;
        let ids = ["a", "b"].map(|name| registry.open(name, &Setup::Usual(Kind::Dict)).unwrap().id);
        let held = registry.object(ids[1]).unwrap();
        let mut arguments = Vec::new();
        dict::Set { key: Encoded::Borrowed(&[0x01]), value: Encoded::Borrowed(&[0x02]) }.encode(&mut arguments);
        let steps: Vec<_> = ids
            .iter()
            .map(|&object| manager::Step {
                object,
                operation: dict::Set::ROW.number,
                arguments: Bin(arguments.as_slice().into()),
            })
            .collect();
        let outcome = std::thread::scope(|scope| {
            let State::Dict(dict) = &held.state else { unreachable!("it was opened as a dict") };
            let guard = dict.lock(Pace::Patient);
            let waiting = scope.spawn(|| {
                let operations = Many::new(steps.into_iter());
                run(
                    registry,
                    &Session::new(1, 0, None),
                    manager::Transaction { checks: Many::new([].into_iter()), operations },
                    Pace::Patient,
                    Moment::default(),
                    &Effects::new(&core, Time::ZERO),
                )
            });
            // It has looked for its objects once it waits for the lock that is held.
            while dict.waiting() < 2 {
                std::thread::yield_now();
            }
            registry.delete("a");
            drop(guard);
            waiting.join().unwrap()
        });
        assert!(matches!(outcome, Err(Stop::Refused(error)) if error.code == Code::NoSuchObject));
        let State::Dict(dict) = &held.state else { unreachable!("it was opened as a dict") };
        assert_eq!(dict.lock(Pace::Patient).unwrap().len(), 0, "nothing was done");
    }
}
