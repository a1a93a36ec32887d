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
use super::object::{Object, Transactional};
use super::registry::Registry;
use super::sink::StepSink;
use super::{LARGE, Pace};

pub(super) fn run(
    registry: &Registry,
    transaction: manager::Transaction<'_>,
    pace: Pace,
) -> Result<Vec<manager::StepReply<'static>>, Stop> {
    let checks: Vec<manager::Check> = transaction.checks.collect();
    let steps: Vec<manager::Step<'_>> = transaction.operations.collect();
    let operations = steps.iter().enumerate().map(decode).collect::<Result<Vec<_>>>()?;
    let objects = objects(registry, &checks, &operations)?;
    let mut locked = Locked::new(objects.values().map(|object| &**object), pace)?;
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
    locked.each(|state| state.begin());
    let mut room = registry.max_reply();
    let replies: Result<Vec<_>> = operations
        .into_iter()
        .enumerate()
        .map(|(nth, (id, operation))| {
            let name = operation.row().name;
            step(&mut locked, &objects, id, operation, &mut room)
                .map_err(|error| error.during(format_args!("operation {nth}, {name} on {:?}", objects[&id].name)))
        })
        .collect();
    match &replies {
        Ok(_) => locked.each(|state| state.commit()),
        Err(_) => locked.each(|state| state.roll_back()),
    }
    Ok(replies?)
}

fn decode<'a>((nth, step): (usize, &'a manager::Step<'_>)) -> Result<(ObjectId, Operation<'a>)> {
    if step.object == 0 {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("operation {nth}: only operations on objects can be part of a transaction"),
        ));
    }
    if let Some(row) = manager_protocol::row(step.operation).filter(|row| is_waitable(*row)) {
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
    locked: &mut Locked<'_>,
    objects: &BTreeMap<ObjectId, Arc<Object>>,
    id: ObjectId,
    operation: Operation<'_>,
    room: &mut usize,
) -> Result<manager::StepReply<'static>> {
    let source = operation.source().map(|id| (locked.get(id).contents(), &*objects[&id]));
    let mut sink = StepSink::new(*room);
    locked.get_mut(id).serve(&objects[&id], operation, source, ReplySink::Step(&mut sink))?;
    let (version, result) = sink.finish().ok_or_else(|| {
        Error::new(Code::LimitExceeded, "the replies of the transaction are longer than the server's largest message")
    })?;
    *room -= result.len();
    Ok(manager::StepReply { version, result: Bin(Cow::Owned(result)) })
}

/// Several objects, locked.
pub(super) struct Locked<'a> {
    data: BTreeMap<ObjectId, Box<dyn Held + 'a>>,
}

impl<'a> Locked<'a> {
    /// Locks each object once, in the order of their ids.
    pub(super) fn new(objects: impl IntoIterator<Item = &'a Object>, pace: Pace) -> Result<Self, Stop> {
        let objects: BTreeMap<ObjectId, &Object> = objects.into_iter().map(|object| (object.id, object)).collect();
        let lock = |(id, object)| Ok((id, stored(object)?.hold(pace).ok_or(Stop::Postponed)?));
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
        operations.len() > LARGE || items > LARGE || operations.iter().any(is_heavy)
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

    use super::super::Limits;
    use super::super::object::State;
    use super::super::setup::Setup;
    use super::*;

    #[test]
    fn an_object_that_is_deleted_while_its_lock_is_waited_for_is_gone() {
        let registry = Registry::new(Limits::default());
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
                run(&registry, manager::Transaction { checks: Many::new([].into_iter()), operations }, Pace::Patient)
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
