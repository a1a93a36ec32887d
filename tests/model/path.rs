//! The operations on what is inside of a value, as data, and their model: what they make of a value.

#![allow(clippy::wildcard_enum_match_arm, reason = "the enum is rmpv's, and all that matters here is named")]

use manager_protocol::{Code, MAX_DEPTH};
use proptest::prelude::*;
use proptest::sample::select;
use rmpv::Value as Data;

use super::generate::{common, delta, value};
use super::operation::{Delta, Reply, SECRET};
use super::value::Value;

/// An operation on what is inside of a value.
#[derive(Clone, Debug)]
pub(super) struct PathOperation {
    pub(super) steps: Vec<Step>,
    pub(super) create: bool,
    pub(super) action: Action,
    /// Whether the steps are made such that they lead somewhere, before they are taken.
    aims: bool,
}

/// A step of a path.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Key(Value),
    Index(i64),
}

/// What is done at the end of a path.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Get,
    Len,
    Contains(Value),
    Set(Value),
    Remove,
    Add(Delta),
    Extend(Vec<Value>),
    Insert(i64, Value),
}

/// What becomes of the value.
pub(super) enum Becomes {
    /// Nothing: there was no change.
    Same,
    Value(Value),
    Gone,
}

/// Any operation on what is inside of a value.
pub(super) fn path_operation() -> BoxedStrategy<PathOperation> {
    let key = prop_oneof![
        6 => select(place_keys()).prop_map(Step::Key),
        1 => select(common()).prop_map(Step::Key),
    ];
    let index = prop_oneof![8 => -3_i64..4, 1 => select(vec![i64::MIN, i64::MAX, 1 << 32, -(1 << 32)])];
    let step = prop_oneof![3 => key, 2 => index.prop_map(Step::Index)];
    let steps = prop_oneof![
        30 => prop::collection::vec(step, 0..4),
        1 => (MAX_DEPTH - 3..MAX_DEPTH + 2).prop_map(|len| vec![Step::Index(0); len]),
    ];
    (steps, prop::bool::weighted(0.6), action(), prop::bool::weighted(0.7))
        .prop_map(|(steps, create, action, aims)| PathOperation { steps, create, action, aims })
        .boxed()
}

fn action() -> impl Strategy<Value = Action> {
    let one = || prop_oneof![3 => select(common()), 2 => select(place_keys()), 2 => value(), 2 => nested()];
    prop_oneof![
        3 => Just(Action::Get),
        1 => Just(Action::Len),
        2 => one().prop_map(Action::Contains),
        6 => one().prop_map(Action::Set),
        2 => Just(Action::Remove),
        3 => delta().prop_map(Action::Add),
        4 => prop::collection::vec(one(), 0..20).prop_map(Action::Extend),
        2 => (-4_i64..5, one()).prop_map(|(index, value)| Action::Insert(index, value)),
        1 => (select(vec![i64::MIN, i64::MAX]), one()).prop_map(|(index, value)| Action::Insert(index, value)),
    ]
}

/// Where a value is that paths lead into: few places, so that they meet often.
pub(super) fn place() -> impl Strategy<Value = Value> {
    prop_oneof![8 => select(place_keys()), 1 => select(common())]
}

/// Keys of which some are the same as another.
pub(super) fn place_keys() -> Vec<Value> {
    vec![format!("{SECRET}a").into(), format!("{SECRET}b").into(), 1.into(), 1.0.into()]
}

/// Values that paths lead into.
pub(super) fn nested() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![select(place_keys()), select(common())].prop_map(|value| value.0);
    let inner = leaf.prop_recursive(2, 12, 4, |inner| holder(inner.boxed())).boxed();
    prop_oneof![1 => inner.clone(), 6 => holder(inner)].prop_map(Value).boxed()
}

/// Arrays and maps of others.
fn holder(inner: BoxedStrategy<Data>) -> BoxedStrategy<Data> {
    let pairs = prop::collection::vec((select(place_keys()).prop_map(|key| key.0), inner.clone()), 0..4);
    let map = pairs.prop_map(|pairs| {
        let mut kept: Vec<(Data, Data)> = Vec::new();
        for (key, value) in pairs {
            // Equal keys may be in one map, identical ones not.
            if kept.iter().all(|(other, _)| Value(other.clone()) != Value(key.clone())) {
                kept.push((key, value));
            }
        }
        Data::Map(kept)
    });
    prop_oneof![1 => prop::collection::vec(inner, 0..4).prop_map(Data::Array), 2 => map].boxed()
}

impl PathOperation {
    /// The same with steps that fit what is there, as far as that goes; if it aims.
    pub(super) fn aimed_at(mut self, there: Option<&Value>) -> Self {
        let mut found = there.filter(|_| self.aims).map(|value| &value.0);
        for nth in 0..self.steps.len() {
            let Some(data) = found else { break };
            let step = &mut self.steps[nth];
            match (data, &*step) {
                (Data::Map(pairs), Step::Index(index)) if !pairs.is_empty() => {
                    let at = index.rem_euclid(pairs.len() as i64) as usize;
                    *step = Step::Key(Value(pairs[at].0.clone()));
                }
                (Data::Array(items), Step::Key(_)) if !items.is_empty() => *step = Step::Index(-1),
                (Data::Array(items), Step::Index(index)) if !items.is_empty() => {
                    *step = Step::Index(index.rem_euclid(items.len() as i64));
                }
                (Data::Map(_) | Data::Array(_), _) => {}
                _ => {
                    self.steps.truncate(nth);
                    break;
                }
            }
            found = walk(data, &self.steps[nth]).ok().flatten().map(|at| child(data, at));
        }
        self
    }

    /// Refuses steps that cannot be keys.
    pub(super) fn judge(&self) -> Result<(), Code> {
        let is_bad = |step: &Step| matches!(step, Step::Key(key) if key.has_nan());
        if self.steps.iter().any(is_bad) { Err(Code::InvalidKey) } else { Ok(()) }
    }

    /// Whether it removes the whole value.
    pub(super) fn removes_the_whole(&self) -> bool {
        self.steps.is_empty() && matches!(self.action, Action::Remove)
    }

    /// What it makes of what is there, and its reply.
    pub(super) fn apply(&self, there: Option<&Value>) -> Result<(Becomes, Reply), Code> {
        match &self.action {
            Action::Get => {
                let found = self.look(there)?.map(|data| Value(data.clone()));
                Ok((Becomes::Same, Reply::MaybeValue(found)))
            }
            Action::Len => {
                let len = match self.look(there)? {
                    None => 0,
                    Some(Data::Array(items)) => items.len(),
                    Some(Data::Map(pairs)) => pairs.len(),
                    Some(_) => return Err(Code::PathMismatch),
                };
                Ok((Becomes::Same, Reply::Count(len as u64)))
            }
            Action::Contains(wanted) => {
                let is_wanted = |data: &Data| same(data, wanted);
                let contains = match self.look(there)? {
                    None => false,
                    Some(Data::Array(items)) => items.iter().any(is_wanted),
                    Some(Data::Map(pairs)) => pairs.iter().any(|(key, _)| is_wanted(key)),
                    Some(_) => return Err(Code::PathMismatch),
                };
                Ok((Becomes::Same, Reply::Bool(contains)))
            }
            Action::Remove => self.remove(there),
            Action::Set(_) | Action::Add(_) | Action::Extend(_) | Action::Insert(..) => {
                let mut whole = there.map_or(Data::Nil, |value| value.0.clone());
                let (is_change, reply) = self.change(Slot { data: &mut whole, is_new: there.is_none() })?;
                if depth(&whole) > MAX_DEPTH {
                    return Err(Code::LimitExceeded);
                }
                Ok((if is_change { Becomes::Value(Value(whole)) } else { Becomes::Same }, reply))
            }
        }
    }

    /// What is at the end of the path.
    fn look<'d>(&self, there: Option<&'d Value>) -> Result<Option<&'d Data>, Code> {
        let Some(mut found) = there.map(|value| &value.0) else { return Ok(None) };
        for step in &self.steps {
            let Some(at) = walk(found, step)? else { return Ok(None) };
            found = child(found, at);
        }
        Ok(Some(found))
    }

    fn remove(&self, there: Option<&Value>) -> Result<(Becomes, Reply), Code> {
        let Some(there) = there else { return Ok((Becomes::Same, Reply::MaybeValue(None))) };
        let Some((last, before)) = self.steps.split_last() else {
            return Ok((Becomes::Gone, Reply::MaybeValue(Some(there.clone()))));
        };
        let mut whole = there.0.clone();
        let mut holder = &mut whole;
        for step in before {
            match walk(holder, step)? {
                Some(at) => holder = child_mut(holder, at),
                None => return Ok((Becomes::Same, Reply::MaybeValue(None))),
            }
        }
        let Some(at) = walk(holder, last)? else { return Ok((Becomes::Same, Reply::MaybeValue(None))) };
        let removed = match holder {
            Data::Array(items) => items.remove(at),
            Data::Map(pairs) => pairs.remove(at).1,
            _ => unreachable!("it was walked through"),
        };
        Ok((Becomes::Value(Value(whole)), Reply::MaybeValue(Some(Value(removed)))))
    }

    /// Changes what is at the end of the path; whether that is a change, and the reply.
    fn change(&self, mut slot: Slot<'_>) -> Result<(bool, Reply), Code> {
        let is_set = matches!(self.action, Action::Set(_));
        if slot.is_new && !self.create && !(is_set && self.steps.is_empty()) {
            return Err(Code::PathMismatch);
        }
        for (nth, step) in self.steps.iter().enumerate() {
            let is_last = nth + 1 == self.steps.len();
            slot = slot.into(step, self.create, is_set && is_last)?;
        }
        slot.carry_out(&self.action)
    }
}

/// A place in a value: what is there, or what stands there for nothing.
struct Slot<'d> {
    data: &'d mut Data,
    is_new: bool,
}

impl<'d> Slot<'d> {
    /// What the step leads to. Something new may be made; a key, if that is all that is new.
    fn into(self, step: &Step, create: bool, may_be_new: bool) -> Result<Self, Code> {
        if self.is_new {
            *self.data = match step {
                Step::Key(_) => Data::Map(Vec::new()),
                Step::Index(_) => Data::Array(Vec::new()),
            };
        }
        match (&mut *self.data, step) {
            (Data::Array(items), Step::Index(index)) if create && *index == items.len() as i64 => {
                items.push(Data::Nil);
            }
            (data, step) => match walk(data, step)? {
                Some(at) => return Ok(Slot { data: child_mut(self.data, at), is_new: false }),
                None if !create && !may_be_new => return Err(Code::PathMismatch),
                None => {
                    if let (Data::Map(pairs), Step::Key(key)) = (data, step) {
                        pairs.push((key.0.clone(), Data::Nil));
                    }
                }
            },
        }
        let last = match self.data {
            Data::Array(items) => items.last_mut(),
            Data::Map(pairs) => pairs.last_mut().map(|pair| &mut pair.1),
            _ => None,
        };
        Ok(Slot { data: last.expect("it was just added"), is_new: true })
    }

    fn carry_out(self, action: &Action) -> Result<(bool, Reply), Code> {
        match action {
            Action::Set(value) => {
                *self.data = value.0.clone();
                Ok((true, Reply::Unit))
            }
            Action::Add(delta) => {
                let sum = if self.is_new {
                    delta.value().plus_nothing(delta.bounds())?
                } else {
                    Value(self.data.clone()).plus(&delta.value(), delta.bounds())?
                };
                *self.data = sum.0.clone();
                Ok((true, delta.reply(&sum)))
            }
            Action::Extend(more) => {
                let is_new = self.is_new;
                let items = self.items()?;
                items.extend(more.iter().map(|value| value.0.clone()));
                Ok((is_new || !more.is_empty(), Reply::Count(items.len() as u64)))
            }
            Action::Insert(index, value) => {
                let items = self.items()?;
                let len = items.len() as i128;
                let from_start = if *index < 0 { i128::from(*index) + len } else { (*index).into() };
                items.insert(from_start.clamp(0, len) as usize, value.0.clone());
                Ok((true, Reply::Unit))
            }
            Action::Get | Action::Len | Action::Contains(_) | Action::Remove => unreachable!("these are no changes"),
        }
    }

    fn items(self) -> Result<&'d mut Vec<Data>, Code> {
        if self.is_new {
            *self.data = Data::Array(Vec::new());
        }
        if let Data::Array(items) = self.data { Ok(items) } else { Err(Code::PathMismatch) }
    }
}

/// Which of the items a step leads to; none if the map has no such key.
fn walk(data: &Data, step: &Step) -> Result<Option<usize>, Code> {
    match (data, step) {
        (Data::Map(pairs), Step::Key(key)) => Ok(pairs.iter().position(|(other, _)| same(other, key))),
        (Data::Array(items), Step::Index(index)) => {
            let len = items.len() as i128;
            let at = if *index < 0 { i128::from(*index) + len } else { (*index).into() };
            if (0..len).contains(&at) { Ok(Some(at as usize)) } else { Err(Code::OutOfRange) }
        }
        _ => Err(Code::PathMismatch),
    }
}

fn child(data: &Data, at: usize) -> &Data {
    match data {
        Data::Array(items) => &items[at],
        Data::Map(pairs) => &pairs[at].1,
        _ => unreachable!("it was walked through"),
    }
}

fn child_mut(data: &mut Data, at: usize) -> &mut Data {
    match data {
        Data::Array(items) => &mut items[at],
        Data::Map(pairs) => &mut pairs[at].1,
        _ => unreachable!("it was walked through"),
    }
}

fn same(left: &Data, right: &Value) -> bool {
    Value(left.clone()).is_same(right)
}

/// How many arrays and maps are in each other.
fn depth(data: &Data) -> usize {
    match data {
        Data::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Data::Map(pairs) => 1 + pairs.iter().map(|(key, value)| depth(key).max(depth(value))).max().unwrap_or(0),
        _ => 0,
    }
}
