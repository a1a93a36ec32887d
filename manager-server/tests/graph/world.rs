//! A core and its model, to both of which the same is done.

use manager_protocol::{
    Bin, Code, Effect, Encoded, Many, Operation, Reference, SessionChoice, array, dict, list, manager, queue, value,
};
use manager_server::core::{Client, Core, Limits, Time};

use super::model::{Model, Sort, Value};
use super::wire::{Answer, TOKEN, call};

/// How many sessions there are at a time.
const SESSIONS: usize = 3;

/// How long the arrays are.
const ARRAY: usize = 2;

/// What is done by a session. Numbers are taken modulo of what there is.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Makes an object without a name.
    Make { session: usize, kind: usize },
    /// Stores a value that refers to some objects.
    Put { session: usize, object: usize, at: u64, refers_to: Vec<usize> },
    /// Reads a value, or takes it off a queue.
    Get { session: usize, object: usize, at: u64 },
    /// Removes a value and gets it.
    Remove { session: usize, object: usize, at: u64 },
    /// Gets all values.
    GetAll { session: usize, object: usize },
    /// Removes all values.
    Clear { session: usize, object: usize },
    /// Puts all of one dict or list into another, or the same.
    Merge { session: usize, object: usize, source: usize },
    /// Has each value of a list twice.
    Double { session: usize, object: usize },
    /// Removes a value of a dict and stores another, as one; or tries to.
    Exchange { session: usize, object: usize, at: u64, refers_to: Vec<usize>, fails: bool },
    /// Lets go of an object.
    Release { session: usize, object: usize, times: u64 },
    /// Deletes an object with a name; another one gets the name.
    Delete { which: usize },
    /// Ends; another session comes in its place.
    End { session: usize },
}

/// What is done wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    KeepsCircles,
    KeepsTheDead,
    ForgetsReleases,
    ReleasesTwice,
    HoldsNothingByReplies,
}

pub(crate) struct World {
    core: Core,
    fault: Option<Fault>,
    admin: Client,
    clients: Vec<Client>,
    model: Model,
    requests: u64,
}

impl World {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        let core = Core::new(Limits::default());
        let connect = || core.connect(0, SessionChoice::New(true), TOKEN).unwrap();
        let (admin, clients) = (connect(), (0..SESSIONS).map(|_| connect()).collect());
        let mut model = Model { sessions: vec![Some([].into()); SESSIONS], ..Model::default() };
        for (request, (name, sort)) in (1..).zip(NAMED) {
            let id = call(&core, &admin, request, 0, manager::Open { name: Some(name), kind: sort.kind() }).number();
            model.add(id, sort, true);
        }
        Self { core, fault, admin, clients, model, requests: 10 }
    }

    /// Does something to both; the first difference.
    pub(crate) fn apply(&mut self, action: &Action) -> Option<String> {
        let fault = self.act(action);
        fault.or_else(|| self.difference()).map(|difference| format!("after {action:?}: {difference}"))
    }

    /// All sessions end; the difference then.
    pub(crate) fn finish(&mut self) -> Option<String> {
        for session in 0..SESSIONS {
            self.core.leave(&self.clients[session], Time::ZERO);
            self.model.sessions[session] = Some([].into());
        }
        self.difference().map(|difference| format!("in the end: {difference}"))
    }

    /// How many values an object has.
    fn len(&mut self, at: usize) -> Option<u64> {
        let (id, sort) = (self.model.objects[at].id, self.model.objects[at].sort);
        self.requests += 1;
        let answer = match sort {
            Sort::Dict => call(&self.core, &self.admin, self.requests, id, dict::Len {}),
            Sort::List => call(&self.core, &self.admin, self.requests, id, list::Len {}),
            Sort::Queue | Sort::Value | Sort::Array | Sort::Set | Sort::Event => return None,
        };
        Some(answer.number())
    }

    fn call<O: Operation>(&mut self, session: usize, object: usize, operation: O) -> Answer {
        let object = self.model.objects.get(object).map_or(0, |object| object.id);
        self.requests += 1;
        call(&self.core, &self.clients[session], self.requests, object, operation)
    }

    /// One of the objects that the session can speak of, of one of these kinds.
    fn pick(&self, session: usize, object: usize, sorts: &[Sort]) -> Option<usize> {
        let mut within_reach = self.model.within_reach(session);
        within_reach.retain(|at| sorts.contains(&self.model.objects[*at].sort));
        within_reach.get(object % within_reach.len().max(1)).copied()
    }

    /// A value that refers to objects within reach, and its encoding.
    fn value(&self, session: usize, refers_to: &[usize]) -> (Value, Vec<u8>) {
        let within_reach = self.model.within_reach(session);
        let value: Value = refers_to.iter().map(|at| within_reach[at % within_reach.len()]).collect();
        let reference = |at: &usize| {
            let object = &self.model.objects[*at];
            Reference { kind: object.sort.kind(), epoch: self.core.epoch(), object: object.id }
        };
        let references: Vec<_> = value.iter().map(|at| ("nested", Some(reference(at)))).collect();
        (value, manager_protocol::encode_value(&("beside", references)).unwrap())
    }

    fn act(&mut self, action: &Action) -> Option<String> {
        match action {
            Action::Make { session, kind } => self.make(session % SESSIONS, *kind),
            Action::Put { session, object, at, refers_to } => self.put(session % SESSIONS, *object, *at, refers_to),
            Action::Get { session, object, at } => self.get(session % SESSIONS, *object, *at),
            Action::Remove { session, object, at } => self.remove(session % SESSIONS, *object, *at),
            Action::GetAll { session, object } => self.get_all(session % SESSIONS, *object),
            Action::Clear { session, object } => self.clear(session % SESSIONS, *object),
            Action::Merge { session, object, source } => self.merge(session % SESSIONS, *object, *source),
            Action::Double { session, object } => self.double(session % SESSIONS, *object),
            Action::Exchange { session, object, at, refers_to, fails } => {
                self.exchange(session % SESSIONS, *object, *at, refers_to, *fails)
            }
            Action::Release { session, object, times } => self.release(session % SESSIONS, *object, *times),
            Action::Delete { which } => self.delete(*which),
            Action::End { session } => self.end(session % SESSIONS),
        }
    }

    fn make(&mut self, session: usize, kind: usize) -> Option<String> {
        let nil = manager_protocol::encode_value(&()).unwrap();
        let kinds = [Sort::Dict, Sort::List, Sort::Queue, Sort::Value, Sort::Array, Sort::Set, Sort::Event];
        let sort = kinds[kind % kinds.len()];
        let answer = match sort {
            Sort::Value => self.call(session, usize::MAX, manager::OpenValue { name: None, initial: (&nil).into() }),
            Sort::Array => {
                let values = Many::new((0..ARRAY).map(|_| Encoded::from(&nil)));
                self.call(session, usize::MAX, manager::OpenArray { name: None, values })
            }
            Sort::Dict | Sort::List | Sort::Queue | Sort::Set | Sort::Event => {
                self.call(session, usize::MAX, manager::Open { name: None, kind: sort.kind() })
            }
        };
        let at = self.model.add(answer.number(), sort, false);
        let values = if sort == Sort::Value {
            1
        } else if sort == Sort::Array {
            ARRAY
        } else {
            0
        };
        (0..values).for_each(|_| self.model.push(at, Vec::new()));
        self.model.give(session, &[at]);
        None
    }

    fn put(&mut self, session: usize, object: usize, at: u64, refers_to: &[usize]) -> Option<String> {
        let kinds = [Sort::Dict, Sort::List, Sort::Queue, Sort::Value, Sort::Array];
        let object = self.pick(session, object, &kinds)?;
        let (value, encoded) = self.value(session, refers_to);
        let encoded = || Encoded::from(&encoded);
        let sort = self.model.objects[object].sort;
        let len = self.model.objects[object].values.len() as u64;
        let answer = match sort {
            Sort::Dict => {
                let key = key(at);
                self.model.objects[object].values.insert(at, value);
                self.call(session, object, dict::Set { key: (&key).into(), value: encoded() })
            }
            Sort::List if at < len => {
                self.model.objects[object].values.insert(at, value);
                self.call(session, object, list::Set { index: at as i64, value: encoded() })
            }
            Sort::List => {
                self.model.push(object, value);
                self.call(session, object, list::Push { value: encoded() })
            }
            Sort::Queue => {
                self.model.push(object, value);
                self.call(session, object, queue::Put { value: encoded(), priority: None, timeout_ms: Some(0) })
            }
            Sort::Value => {
                self.model.objects[object].values.insert(0, value);
                self.call(session, object, value::Set { value: encoded() })
            }
            Sort::Array | Sort::Set | Sort::Event => {
                let at = at % ARRAY as u64;
                self.model.objects[object].values.insert(at, value);
                self.call(session, object, array::Set { index: at as i64, value: encoded() })
            }
        };
        let _done = answer.ok();
        None
    }

    fn get(&mut self, session: usize, object: usize, at: u64) -> Option<String> {
        let kinds = [Sort::Dict, Sort::List, Sort::Queue, Sort::Value, Sort::Array];
        let object = self.pick(session, object, &kinds)?;
        let value = self.model.objects[object].values.get(&at).cloned();
        let answer = match self.model.objects[object].sort {
            Sort::Dict => self.call(session, object, dict::Get { key: (&key(at)).into() }),
            Sort::List => self.call(session, object, list::Get { index: at as i64 }),
            Sort::Queue => return self.take(session, object),
            Sort::Value => return self.get_value(session, object),
            Sort::Array | Sort::Set | Sort::Event => self.call(session, object, array::Get { index: at as i64 }),
        };
        self.got(session, value.unwrap_or_default(), answer)
    }

    fn get_value(&mut self, session: usize, object: usize) -> Option<String> {
        let value = self.model.objects[object].values[&0].clone();
        let answer = self.call(session, object, value::Get {});
        self.got(session, value, answer)
    }

    fn take(&mut self, session: usize, object: usize) -> Option<String> {
        let value = self.model.remove(object, 0).unwrap_or_default();
        let answer = self.call(session, object, queue::Get { timeout_ms: Some(0) });
        let acknowledged = manager_protocol::Acknowledge { next: self.requests + 1, awaited: Vec::new() };
        self.core.acknowledge(&self.clients[session], acknowledged);
        self.got(session, value, answer)
    }

    fn remove(&mut self, session: usize, object: usize, at: u64) -> Option<String> {
        let object = self.pick(session, object, &[Sort::Dict, Sort::List])?;
        let value = self.model.remove(object, at).unwrap_or_default();
        let answer = if self.model.objects[object].sort == Sort::Dict {
            self.call(session, object, dict::Remove { key: (&key(at)).into() })
        } else {
            self.call(session, object, list::Remove { index: at as i64 })
        };
        self.got(session, value, answer)
    }

    fn get_all(&mut self, session: usize, object: usize) -> Option<String> {
        let object = self.pick(session, object, &[Sort::Dict, Sort::List, Sort::Array])?;
        let values = self.model.objects[object].values.values().flatten().copied().collect();
        let answer = match self.model.objects[object].sort {
            Sort::Dict => self.call(session, object, dict::Items {}),
            Sort::List => self.call(session, object, list::Values {}),
            Sort::Array | Sort::Queue | Sort::Value | Sort::Set | Sort::Event => {
                self.call(session, object, array::Values {})
            }
        };
        self.got(session, values, answer)
    }

    fn clear(&mut self, session: usize, object: usize) -> Option<String> {
        let object = self.pick(session, object, &[Sort::Dict, Sort::List])?;
        self.model.objects[object].values.clear();
        let answer = if self.model.objects[object].sort == Sort::Dict {
            self.call(session, object, dict::Clear {})
        } else {
            self.call(session, object, list::Clear {})
        };
        let _done = answer.ok();
        None
    }

    fn merge(&mut self, session: usize, object: usize, source: usize) -> Option<String> {
        let object = self.pick(session, object, &[Sort::Dict, Sort::List])?;
        let sort = self.model.objects[object].sort;
        let source = self.pick(session, source, &[sort])?;
        let (values, id) = (self.model.objects[source].values.clone(), self.model.objects[source].id);
        if self.model.objects[object].values.len() > 32 {
            return None;
        }
        let answer = if sort == Sort::Dict {
            self.model.objects[object].values.extend(values);
            self.call(session, object, dict::UpdateFrom { source: id })
        } else {
            values.into_values().for_each(|value| self.model.push(object, value));
            self.call(session, object, list::ExtendFrom { source: id })
        };
        let _done = answer.ok();
        None
    }

    fn double(&mut self, session: usize, object: usize) -> Option<String> {
        let object = self.pick(session, object, &[Sort::List])?;
        let values = self.model.objects[object].values.clone();
        if values.len() > 32 {
            return None;
        }
        values.into_values().for_each(|value| self.model.push(object, value));
        let _done = self.call(session, object, list::RepeatInPlace { times: 2 }).ok();
        None
    }

    fn exchange(&mut self, session: usize, object: usize, at: u64, refers_to: &[usize], fails: bool) -> Option<String> {
        let object = self.pick(session, object, &[Sort::Dict])?;
        let (value, encoded) = self.value(session, refers_to);
        let (key, id) = (key(at), self.model.objects[object].id);
        let step = |operation: u16, arguments: Vec<u8>| manager::Step {
            object: id,
            operation,
            arguments: Bin(arguments.into()),
        };
        let mut steps = vec![
            step(dict::Remove::ROW.number, arguments(dict::Remove { key: (&key).into() })),
            step(dict::Set::ROW.number, arguments(dict::Set { key: (&key).into(), value: (&encoded).into() })),
        ];
        if fails {
            let delta = manager_protocol::encode_value("text").unwrap();
            let add = dict::Add { key: (&key).into(), delta: (&delta).into(), bounds: None };
            steps.push(step(dict::Add::ROW.number, arguments(add)));
        }
        let checks = Many::new([].into_iter());
        let operations = Many::new(steps.into_iter());
        let answer = self.call(session, usize::MAX, manager::Transaction { checks, operations });
        if fails {
            let is_refused = matches!(answer.result, Some(Err(Code::NotANumber))) && answer.held.is_empty();
            return (!is_refused).then(|| format!("a transaction was not refused: {answer:?}"));
        }
        let old = self.model.objects[object].values.insert(at, value).unwrap_or_default();
        self.got(session, old, answer)
    }

    fn release(&mut self, session: usize, object: usize, times: u64) -> Option<String> {
        let held = self.model.sessions[session].as_ref().unwrap();
        let object = *held.keys().nth(object % held.len().max(1))?;
        self.model.release(session, object, times);
        let id = self.model.objects[object].id;
        let again = if self.fault == Some(Fault::ReleasesTwice) { 2 } else { 1 };
        if self.fault != Some(Fault::ForgetsReleases) {
            let objects = Many::new([(id, times * again)].into_iter());
            let _done = self.call(session, usize::MAX, manager::Release { objects }).ok();
        }
        None
    }

    fn delete(&mut self, which: usize) -> Option<String> {
        let named: Vec<usize> = self.model.named().collect();
        let object = named[which % named.len()];
        let sort = self.model.objects[object].sort;
        let name = NAMED[object_of(sort)].0;
        self.model.objects[object].is_deleted = true;
        self.model.objects[object].values.clear();
        let deleted = self.call(0, usize::MAX, manager::Delete { name });
        let id = self.call(0, usize::MAX, manager::Open { name: Some(name), kind: sort.kind() }).number();
        self.model.add(id, sort, true);
        (deleted.ok() != [0xc3]).then(|| "nothing was deleted".to_owned())
    }

    fn end(&mut self, session: usize) -> Option<String> {
        self.core.leave(&self.clients[session], Time::ZERO);
        self.clients[session] = self.core.connect(0, SessionChoice::New(true), TOKEN).unwrap();
        self.model.sessions[session] = Some([].into());
        None
    }

    /// The session got a value: it must be told what it holds by that.
    fn got(&mut self, session: usize, value: Value, mut answer: Answer) -> Option<String> {
        let mut expected = self.model.give(session, &value);
        // The model does not know the order of a dict.
        expected.sort_unstable();
        answer.held.sort_unstable();
        if self.fault == Some(Fault::HoldsNothingByReplies) && !answer.held.is_empty() {
            let objects = answer.held.iter().map(|object| (*object, 1)).collect::<Vec<_>>();
            self.call(session, usize::MAX, manager::Release { objects: Many::new(objects.into_iter()) });
        }
        (answer.held != expected)
            .then(|| format!("the session was told that it holds {:?}, not {expected:?}", answer.held))
    }

    /// Whether other objects live than those of the model.
    fn difference(&mut self) -> Option<String> {
        if self.fault != Some(Fault::KeepsTheDead) {
            self.core.bury(Time::ZERO);
            if self.fault != Some(Fault::KeepsCircles) {
                self.core.break_circles();
                self.core.bury(Time::ZERO);
            }
        }
        let alive = self.model.alive();
        for at in 0..self.model.objects.len() {
            let (id, sort) = (self.model.objects[at].id, self.model.objects[at].sort);
            self.requests += 1;
            let answer =
                call(&self.core, &self.admin, self.requests, 0, manager::Hold { object: id, kind: sort.kind() });
            let lives = answer.result == Some(Ok(vec![0xc0]));
            if lives != alive.contains(&at) {
                let should = if lives { "should not live" } else { "should live" };
                return Some(format!("object {at}, a {sort:?}, {should}"));
            }
            if lives && self.len(at).is_some_and(|len| len != self.model.objects[at].values.len() as u64) {
                return Some(format!("object {at}, a {sort:?}, has lost values"));
            }
            if lives {
                self.requests += 1;
                let objects = Many::new([(id, 1)].into_iter());
                call(&self.core, &self.admin, self.requests, 0, manager::Release { objects });
            }
        }
        None
    }
}

/// The objects with names.
const NAMED: [(&str, Sort); 3] = [("dict", Sort::Dict), ("list", Sort::List), ("queue", Sort::Queue)];

fn object_of(sort: Sort) -> usize {
    NAMED.iter().position(|(_, named)| *named == sort).unwrap()
}

fn key(at: u64) -> Vec<u8> {
    manager_protocol::encode_value(&at).unwrap()
}

fn arguments<O: Operation>(operation: O) -> Vec<u8> {
    assert_ne!(O::ROW.effect, Effect::Read);
    let mut arguments = Vec::new();
    operation.encode(&mut arguments);
    arguments
}
