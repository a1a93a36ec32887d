//! What two objects were at each of their versions.

use std::collections::BTreeMap;

use manager_protocol::watch::Condition;

/// Which object: the dict or the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Dict,
    List,
}

/// An encoded value.
pub(crate) type Value = Vec<u8>;

/// The contents of an object: entries by the number of their key, in order, or values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Dict(Vec<(u8, Value)>),
    List(Vec<Value>),
}

impl State {
    pub(crate) fn empty(which: Which) -> Self {
        match which {
            Which::Dict => Self::Dict(Vec::new()),
            Which::List => Self::List(Vec::new()),
        }
    }

    /// The value under a key, or at an index that may count from the end.
    pub(crate) fn get(&self, at: i8) -> Option<&Value> {
        match self {
            Self::Dict(entries) => {
                entries.iter().find(|(key, _)| i16::from(*key) == i16::from(at)).map(|entry| &entry.1)
            }
            Self::List(values) => {
                let from_start = if at < 0 { values.len() as i64 + i64::from(at) } else { at.into() };
                usize::try_from(from_start).ok().and_then(|at| values.get(at))
            }
        }
    }

    /// Puts a value under a key.
    pub(crate) fn put(&mut self, key: u8, value: Value) {
        let Self::Dict(entries) = self else { panic!("a list has no entries") };
        match entries.iter_mut().find(|(found, _)| *found == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: u8) {
        let Self::Dict(entries) = self else { panic!("a list has no entries") };
        entries.retain(|(found, _)| *found != key);
    }

    /// The same with one entry only.
    pub(crate) fn only(&self, key: Option<u8>) -> Self {
        match (self, key) {
            (Self::Dict(entries), Some(key)) => {
                Self::Dict(entries.iter().filter(|entry| entry.0 == key).cloned().collect())
            }
            (state, _) => state.clone(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Dict(entries) => entries.iter().map(|(_, value)| value.len()).sum(),
            Self::List(values) => values.iter().map(Vec::len).sum(),
        }
    }

    /// Whether it is a list of which not all is told when much of it changes.
    fn is_large_list(&self) -> bool {
        matches!(self, Self::List(_)) && self.bytes() > 64 * 1024
    }
}

/// What an object has been since it was made.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) object: u64,
    states: Vec<State>,
    /// The keys under which something was put, for each version.
    puts: Vec<Vec<u8>>,
    /// The version in which each entry that is there was put.
    entries: BTreeMap<u8, u64>,
}

/// What is wanted of a value.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    pub(crate) at: i8,
    /// A step along a path: the index of an element.
    pub(crate) step: Option<i64>,
    pub(crate) condition: Condition,
    pub(crate) operand: Option<i64>,
}

impl History {
    pub(crate) fn new(which: Which, object: u64) -> Self {
        Self { object, states: vec![State::empty(which)], puts: vec![Vec::new()], entries: BTreeMap::new() }
    }

    pub(crate) fn version(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    pub(crate) fn at(&self, version: u64) -> &State {
        &self.states[version as usize]
    }

    pub(crate) fn now(&self) -> &State {
        self.at(self.version())
    }

    /// Something was done, after which the object is like this. What was put is known by its keys.
    pub(crate) fn note(&mut self, version: u64, state: State, puts: &[u8]) {
        if version == self.version() {
            assert_eq!(state, *self.now(), "nothing changes without being counted");
            return;
        }
        assert_eq!(version, self.version() + 1);
        for key in puts {
            self.entries.insert(*key, version);
        }
        self.entries.retain(|key, _| state.get(*key as i8).is_some());
        self.states.push(state);
        self.puts.push(puts.to_vec());
    }

    /// Whether a watch is to be told of a version.
    pub(crate) fn concerns(&self, version: u64, key: Option<u8>) -> bool {
        let Some(key) = key else { return true };
        self.puts[version as usize].contains(&key)
            || self.at(version).only(Some(key)) != self.at(version - 1).only(Some(key))
    }

    /// Whether there is something for a watch behind a version.
    pub(crate) fn has_news(&self, after: u64, key: Option<u8>) -> bool {
        (after + 1..=self.version()).any(|version| self.concerns(version, key))
    }

    /// Whether changes behind a version may be kept no more.
    pub(crate) fn may_have_lost(&self, after: u64, kept: usize) -> bool {
        let behind = &self.states[after as usize + 1..];
        let items: usize = (after as usize + 1..self.states.len()).map(|version| self.weight(version)).sum();
        items > kept || behind.iter().any(State::is_large_list)
    }

    /// How much of what is kept one version may be: for a list, all values could be.
    fn weight(&self, version: usize) -> usize {
        match (&self.states[version - 1], &self.states[version]) {
            (State::Dict(before), State::Dict(after)) => {
                before.len().saturating_sub(after.len()).max(self.puts[version].len()).max(1)
            }
            (_, State::List(values)) => values.len().max(5) + 1,
            (State::List(_), State::Dict(_)) => unreachable!("a list stays a list"),
        }
    }

    /// Whether a value is as wanted now; with what it is then.
    pub(crate) fn check(&self, want: &Want) -> Option<Option<Value>> {
        let whole = self.now().get(want.at);
        let version = match (self.now(), whole) {
            (State::Dict(_), Some(_)) => self.entries[&(want.at as u8)],
            (State::Dict(_) | State::List(_), _) => self.version(),
        };
        let value = match (whole, want.step) {
            (Some(whole), Some(step)) => element(whole, step),
            (whole, _) => whole.cloned(),
        };
        let number = value.as_deref().and_then(number);
        let is_met = match (want.condition, want.operand) {
            (Condition::Exists, _) => value.is_some(),
            (Condition::Absent, _) => value.is_none(),
            (Condition::Equals, operand) => number.is_some() && number == operand,
            (Condition::AtLeast, operand) => number.is_some() && number >= operand,
            (Condition::ChangedSince, since) => i64::try_from(version).unwrap() > since.unwrap(),
        };
        is_met.then_some(value)
    }
}

/// A number that is encoded in one byte, or two.
pub(crate) fn number(value: &[u8]) -> Option<i64> {
    match *value {
        [small @ 0..0x80] | [0xcc, small] => Some(small.into()),
        _ => None,
    }
}

/// The element of an array of one-byte elements.
fn element(value: &[u8], step: i64) -> Option<Value> {
    let (head, elements) = value.split_first()?;
    if head & 0xf0 != 0x90 {
        return None;
    }
    let at = if step < 0 { elements.len() as i64 + step } else { step };
    usize::try_from(at).ok().and_then(|at| elements.get(at)).map(|byte| vec![*byte])
}
