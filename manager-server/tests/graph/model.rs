//! What there should be: objects, what their values refer to, and what sessions hold.

use std::collections::{BTreeMap, BTreeSet};

use manager_protocol::Kind;

/// A value: the objects that it refers to.
pub(crate) type Value = Vec<usize>;

/// The kinds of objects in these tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Dict,
    List,
    Queue,
    Value,
    Array,
    Set,
    Event,
}

impl Sort {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Dict => Kind::Dict,
            Self::List => Kind::List,
            Self::Queue => Kind::Queue,
            Self::Value => Kind::Value,
            Self::Array => Kind::Array,
            Self::Set => Kind::Set,
            Self::Event => Kind::Event,
        }
    }
}

/// An object, by its place in the order of making.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) id: u64,
    pub(crate) sort: Sort,
    pub(crate) is_named: bool,
    pub(crate) is_deleted: bool,
    /// By key in a dict; by index elsewhere, without gaps.
    pub(crate) values: BTreeMap<u64, Value>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) objects: Vec<Object>,
    /// What each session holds, and how often; `None` once it has ended.
    pub(crate) sessions: Vec<Option<BTreeMap<usize, u64>>>,
}

impl Model {
    pub(crate) fn add(&mut self, id: u64, sort: Sort, is_named: bool) -> usize {
        self.objects.push(Object { id, sort, is_named, is_deleted: false, values: BTreeMap::new() });
        self.objects.len() - 1
    }

    /// What a session can speak of.
    pub(crate) fn within_reach(&self, session: usize) -> Vec<usize> {
        let held = self.sessions[session].iter().flatten().map(|(object, _)| *object);
        self.named().chain(held).collect()
    }

    /// The objects with names that were not deleted.
    pub(crate) fn named(&self) -> impl Iterator<Item = usize> {
        (0..self.objects.len()).filter(|at| self.objects[*at].is_named && !self.objects[*at].is_deleted)
    }

    /// A session gets a value; what it is told that it holds.
    pub(crate) fn give(&mut self, session: usize, value: &[usize]) -> Vec<u64> {
        let held = self.sessions[session].as_mut().unwrap();
        let nameless = value.iter().filter(|object| !self.objects[**object].is_named);
        nameless
            .map(|object| {
                *held.entry(*object).or_default() += 1;
                self.objects[*object].id
            })
            .collect()
    }

    pub(crate) fn release(&mut self, session: usize, object: usize, times: u64) {
        let held = self.sessions[session].as_mut().unwrap();
        if let Some(count) = held.get_mut(&object) {
            *count = count.saturating_sub(times);
            if *count == 0 {
                held.remove(&object);
            }
        }
    }

    /// Adds a value behind the others.
    pub(crate) fn push(&mut self, object: usize, value: Value) {
        let values = &mut self.objects[object].values;
        values.insert(values.len() as u64, value);
    }

    /// Removes a value; those behind it move up, but for a dict's.
    pub(crate) fn remove(&mut self, object: usize, at: u64) -> Option<Value> {
        let Object { sort, values, .. } = &mut self.objects[object];
        let removed = values.remove(&at)?;
        if *sort != Sort::Dict {
            let left: Vec<Value> = std::mem::take(values).into_values().collect();
            *values = (0..).zip(left).collect();
        }
        Some(removed)
    }

    /// The objects that live: those with names, those that sessions hold, and what these refer to.
    pub(crate) fn alive(&self) -> BTreeSet<usize> {
        let held = self.sessions.iter().flatten().flat_map(|held| held.keys().copied());
        let mut open: Vec<usize> = held.chain(self.named()).collect();
        let mut alive = BTreeSet::new();
        while let Some(object) = open.pop() {
            if !self.objects[object].is_deleted && alive.insert(object) {
                open.extend(self.objects[object].values.values().flatten());
            }
        }
        alive
    }
}
