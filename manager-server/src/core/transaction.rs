//! Several operations on several objects as one.
//!
//! All objects are locked first, in the order of their ids (so no two transactions can wait for each
//! other), then the versions are checked, then the operations run. If one is refused, all are taken
//! back before any lock is let go, so nobody has seen them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use manager_protocol::{Bin, Code, Error, ObjectId, Result, manager};

use super::dispatch::{Operation, Source, Stop, wrong_kind};
use super::object::dict::Dict;
use super::object::list::List;
use super::object::{Guard, Object, State, Transactional};
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
    let mut locked = Locked::new(objects.values().map(|object| &**object), pace).ok_or(Stop::Postponed)?;
    if pace == Pace::Inline && locked.are_heavy(&operations) {
        return Err(Stop::Postponed);
    }
    locked.check_alive(registry)?;
    for check in &checks {
        let found = locked.version(check.object);
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
    let source = operation.source().map(|id| (locked.contents(id), &*objects[&id]));
    let mut sink = StepSink::new(*room);
    match (operation, locked.state(id)) {
        (Operation::Dict(operation), StateMut::Dict(dict)) => {
            let source = source.map(|(contents, object)| contents.dict(object)).transpose()?;
            operation.serve(dict, source, &mut sink)?;
        }
        (Operation::List(operation), StateMut::List(list)) => {
            let source = source.map(|(contents, object)| contents.list(object)).transpose()?;
            operation.serve(list, source, &mut sink)?;
        }
        (Operation::Dict(_), StateMut::List(_)) | (Operation::List(_), StateMut::Dict(_)) => {
            return Err(wrong_kind(&objects[&id]));
        }
    }
    let (version, result) = sink.finish().ok_or_else(|| {
        Error::new(Code::LimitExceeded, "the replies of the transaction are longer than the server's largest message")
    })?;
    *room -= result.len();
    Ok(manager::StepReply { version, result: Bin(Cow::Owned(result)) })
}

/// Several objects, locked.
pub(super) struct Locked<'a> {
    states: BTreeMap<ObjectId, LockedState<'a>>,
}

enum LockedState<'a> {
    Dict(Guard<'a, Dict>),
    List(Guard<'a, List>),
}

/// The state of a locked object, by its kind.
pub(super) enum StateMut<'a> {
    Dict(&'a mut Dict),
    List(&'a mut List),
}

impl<'a> Locked<'a> {
    /// Locks each object once, in the order of their ids.
    pub(super) fn new(objects: impl IntoIterator<Item = &'a Object>, pace: Pace) -> Option<Self> {
        let objects: BTreeMap<ObjectId, &Object> = objects.into_iter().map(|object| (object.id, object)).collect();
        let lock = |(id, object): (ObjectId, &'a Object)| {
            Some(match &object.state {
                State::Dict(dict) => (id, LockedState::Dict(dict.lock(pace)?)),
                State::List(list) => (id, LockedState::List(list.lock(pace)?)),
            })
        };
        Some(Self { states: objects.into_iter().map(lock).collect::<Option<_>>()? })
    }

    pub(super) fn state(&mut self, id: ObjectId) -> StateMut<'_> {
        match self.states.get_mut(&id).expect("every object that is used was locked") {
            LockedState::Dict(dict) => StateMut::Dict(dict),
            LockedState::List(list) => StateMut::List(list),
        }
    }

    pub(super) fn contents(&self, id: ObjectId) -> Source {
        match &self.states[&id] {
            LockedState::Dict(dict) => Source::Dict(dict.snapshot()),
            LockedState::List(list) => Source::List(list.snapshot()),
        }
    }

    fn version(&self, id: ObjectId) -> u64 {
        match &self.states[&id] {
            LockedState::Dict(dict) => dict.version(),
            LockedState::List(list) => list.version(),
        }
    }

    /// Whether the operations, all together, may take long.
    fn are_heavy(&self, operations: &[(ObjectId, Operation<'_>)]) -> bool {
        let len = |id: ObjectId| match &self.states[&id] {
            LockedState::Dict(dict) => dict.len(),
            LockedState::List(list) => list.len(),
        };
        let is_heavy = |(id, operation): &(ObjectId, Operation<'_>)| match (operation, &self.states[id]) {
            (Operation::Dict(request), LockedState::Dict(dict)) => dict.is_heavy(request),
            (Operation::List(request), LockedState::List(list)) => list.is_heavy(request),
            (Operation::Dict(_), LockedState::List(_)) | (Operation::List(_), LockedState::Dict(_)) => false,
        };
        let scanned = operations.iter().filter(|(_, operation)| operation.row().scans);
        let items: usize = scanned.flat_map(|(id, operation)| [Some(*id), operation.source()]).flatten().map(len).sum();
        operations.len() > LARGE || items > LARGE || operations.iter().any(is_heavy)
    }

    /// Checks, now that no operation can come in between, that no object was deleted while others
    /// were waited for.
    pub(super) fn check_alive(&self, registry: &Registry) -> Result<()> {
        self.states.keys().try_for_each(|id| registry.object(*id).map(drop))
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Transactional)) {
        for state in self.states.values_mut() {
            match state {
                LockedState::Dict(dict) => act(&mut **dict),
                LockedState::List(list) => act(&mut **list),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use manager_protocol::{Encoded, Kind, Many, Operation as _, dict};

    use super::super::Limits;
    use super::*;

    #[test]
    fn an_object_that_is_deleted_while_its_lock_is_waited_for_is_gone() {
        let registry = Registry::new(Limits::default());
        let ids = ["a", "b"].map(|name| registry.open(name, Kind::Dict).unwrap());
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
