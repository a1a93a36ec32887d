//! A checker of histories: whatever many workers did to shared objects at once, and were told, must be
//! what one sequence of changes explains.
//!
//! Every reply carries the object's version, and every change makes the next one. So the changes are
//! put in order by their versions and made again on plain containers; a read, or a change that changed
//! nothing, belongs behind the change whose version it saw. A refusal has no version: it must be right
//! at some moment between what its worker saw before and after it. It searches nothing and knows no
//! clock; that a worker never sees an older version than before is all it asks of time.

mod dict;
mod list;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;

use manager_client::Swap;
use serde::{Deserialize, Serialize};

pub use dict::{DictOperation, DictState};
pub use list::{ListOperation, ListState, Part};

/// What one worker did, in the order it was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Who it was, for messages.
    pub worker: String,
    /// What it did.
    pub events: Vec<Event>,
}

/// One operation and what was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The name of the object.
    pub object: String,
    /// The object's version in the reply; a refusal has none.
    pub version: Option<u64>,
    /// What was asked for.
    pub operation: Operation,
    /// What came of it.
    pub outcome: Outcome,
}

/// An operation on an object of some kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    /// On a dict from `u64` to `i64`.
    Dict(DictOperation),
    /// On a list of `i64`.
    List(ListOperation),
}

/// What an operation returned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is named after what it holds")]
pub enum Outcome {
    Done,
    Flag(bool),
    Count(u64),
    Value(i64),
    Maybe(Option<i64>),
    Entry(Option<(u64, i64)>),
    Entries(Vec<(u64, i64)>),
    Keys(Vec<u64>),
    Values(Vec<i64>),
    Maybes(Vec<Option<i64>>),
    Flags(Vec<bool>),
    Place(Option<u64>),
    Swapped,
    NotSwapped(Option<i64>),
    /// The number of the refusal's code.
    Refused(u16),
}

macro_rules! outcomes {
    ($($type:ty => $outcome:ident;)+) => {
        $(impl From<$type> for Outcome {
            fn from(value: $type) -> Self {
                Self::$outcome(value)
            }
        })+
    };
}

outcomes! {
    bool => Flag;
    u64 => Count;
    i64 => Value;
    Option<i64> => Maybe;
    Option<(u64, i64)> => Entry;
    Vec<(u64, i64)> => Entries;
    Vec<u64> => Keys;
    Vec<i64> => Values;
    Vec<Option<i64>> => Maybes;
    Vec<bool> => Flags;
    Option<u64> => Place;
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl From<Swap<Option<i64>>> for Outcome {
    fn from(swap: Swap<Option<i64>>) -> Self {
        match swap {
            Swap::Swapped => Self::Swapped,
            Swap::Current(current) => Self::NotSwapped(current),
        }
    }
}

impl From<Swap<i64>> for Outcome {
    fn from(swap: Swap<i64>) -> Self {
        match swap {
            Swap::Swapped => Self::Swapped,
            Swap::Current(current) => Self::NotSwapped(Some(current)),
        }
    }
}

/// How much was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Changes replayed: the sum of the last versions.
    pub changes: u64,
    /// Reads, and changes that changed nothing.
    pub reads: u64,
    /// Refusals.
    pub refusals: u64,
}

/// What kind of fault a history has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Two changes made the same version.
    SameVersion,
    /// Nobody made a version that was passed or seen.
    MissingVersion,
    /// A worker saw an older version than it had seen before.
    WentBack,
    /// A change, a read or a refusal was answered otherwise than the changes before it explain.
    Misfit,
}

/// The first event that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// Who did what, what was seen and what should have been.
    pub explanation: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explanation)
    }
}

impl History {
    /// A history of a worker that has done nothing.
    #[must_use]
    pub fn new(worker: impl Into<String>) -> Self {
        Self { worker: worker.into(), events: Vec::new() }
    }

    /// Writes it to a file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        rmp_serde::encode::write(&mut file, self).map_err(io::Error::other)
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        rmp_serde::decode::from_read(BufReader::new(File::open(path)?)).map_err(io::Error::other)
    }
}

/// Checks that the objects, empty at first, and all that was said of them fit one sequence of changes.
///
/// The history must be whole: a change whose reply was lost is a version that nobody made.
///
/// # Errors
/// The first event that does not fit.
pub fn check(histories: &[History]) -> Result<Summary, Fault> {
    let mut objects: BTreeMap<&str, Seen<'_>> = BTreeMap::new();
    for history in histories {
        sort_out(history, &mut objects)?;
    }
    let mut summary = Summary::default();
    for (name, mut seen) in objects {
        seen.versioned.sort_by_key(|call| call.version);
        let changes = Replay::new(name, &seen)?.run(&seen)?;
        summary.changes += changes;
        summary.reads += seen.versioned.len() as u64 - changes;
        summary.refusals += seen.refusals.len() as u64;
    }
    Ok(summary)
}

/// All that was said of one object.
#[derive(Default)]
struct Seen<'a> {
    versioned: Vec<Call<'a>>,
    refusals: Vec<Refusal<'a>>,
}

#[derive(Clone, Copy)]
struct Call<'a> {
    version: u64,
    worker: &'a str,
    event: &'a Event,
}

/// A refusal and the versions between which it was right.
struct Refusal<'a> {
    from: u64,
    to: Option<u64>,
    worker: &'a str,
    event: &'a Event,
}

fn sort_out<'a>(history: &'a History, objects: &mut BTreeMap<&'a str, Seen<'a>>) -> Result<(), Fault> {
    let worker = history.worker.as_str();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &history.events {
        let seen = objects.entry(&event.object).or_default();
        let known = last.entry(&event.object).or_default();
        let Some(version) = event.version else {
            seen.refusals.push(Refusal { from: *known, to: None, worker, event });
            continue;
        };
        if version < *known {
            return Err(Fault {
                kind: FaultKind::WentBack,
                explanation: format!(
                    "worker {worker} had seen version {known} of {:?} already when {:?} was answered from version {version}",
                    event.object, event.operation
                ),
            });
        }
        *known = version;
        let open =
            seen.refusals.iter_mut().rev().take_while(|refusal| refusal.worker == worker && refusal.to.is_none());
        open.for_each(|refusal| refusal.to = Some(version));
        seen.versioned.push(Call { version, worker, event });
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Dict(DictState),
    List(ListState),
}

impl State {
    fn new(operation: &Operation) -> Self {
        match operation {
            Operation::Dict(_) => Self::Dict(DictState::default()),
            Operation::List(_) => Self::List(ListState::default()),
        }
    }

    /// Carries an operation out; `None` for one of another kind.
    fn apply(&mut self, operation: &Operation) -> Option<Outcome> {
        match (self, operation) {
            (Self::Dict(dict), Operation::Dict(operation)) => Some(dict.apply(operation)),
            (Self::List(list), Operation::List(operation)) => Some(list.apply(operation)),
            (Self::Dict(_), Operation::List(_)) | (Self::List(_), Operation::Dict(_)) => None,
        }
    }

    fn version(&self) -> u64 {
        match self {
            Self::Dict(dict) => dict.version,
            Self::List(list) => list.version,
        }
    }

    /// The state behind a call and its outcome.
    fn after(&self, call: Call<'_>) -> (Self, Option<Outcome>) {
        let mut state = self.clone();
        let outcome = state.apply(&call.event.operation);
        (state, outcome)
    }

    /// Whether a call changes nothing here and is answered as it was.
    fn explains(&self, call: Call<'_>) -> bool {
        let (state, outcome) = self.after(call);
        state.version() == self.version() && outcome.as_ref() == Some(&call.event.outcome)
    }
}

/// The replay of one object.
///
/// Where a change says nothing of what it did (two slices removed, one of them empty by then), the
/// object may be in one of several states, until a later event tells. All of them are followed.
struct Replay<'a> {
    object: &'a str,
    states: Vec<State>,
    /// Refusals that no state has explained yet.
    refused: Vec<&'a Refusal<'a>>,
}

impl<'a> Replay<'a> {
    fn new(object: &'a str, seen: &'a Seen<'a>) -> Result<Self, Fault> {
        let mut events =
            seen.versioned.iter().map(|call| call.event).chain(seen.refusals.iter().map(|refusal| refusal.event));
        let first = events.next().expect("an object without events is not among them");
        Ok(Self {
            object,
            states: vec![State::new(&first.operation)],
            refused: seen.refusals.iter().filter(|refusal| refusal.from == 0).collect(),
        })
    }

    /// Replays everything; how many changes there were.
    fn run(mut self, seen: &'a Seen<'a>) -> Result<u64, Fault> {
        let mut waiting: Vec<&Refusal<'_>> = seen.refusals.iter().filter(|refusal| refusal.from > 0).collect();
        waiting.sort_by_key(|refusal| refusal.from);
        let mut waiting = waiting.into_iter().peekable();
        let mut version = 0;
        let at_first = seen.versioned.iter().take_while(|call| call.version == 0).count();
        for &call in &seen.versioned[..at_first] {
            if !self.states[0].explains(call) {
                return Err(self.misfit(call, &self.states[0]));
            }
        }
        self.judge_refusals(version)?;
        for group in seen.versioned[at_first..].chunk_by(|left, right| left.version == right.version) {
            version += 1;
            if group[0].version != version {
                return Err(self.missing(version, group[0]));
            }
            self.step(group)?;
            while let Some(refusal) = waiting.next_if(|refusal| refusal.from <= version) {
                self.refused.push(refusal);
            }
            self.judge_refusals(version)?;
        }
        match self.refused.first() {
            Some(refusal) => Err(self.unexplained(refusal)),
            None => Ok(version),
        }
    }

    /// Finds the one change among the calls of a version, and sees that the others fit behind it.
    fn step(&mut self, group: &[Call<'_>]) -> Result<(), Fault> {
        let mut next: Vec<State> = Vec::new();
        for state in &self.states {
            for (at, &call) in group.iter().enumerate() {
                let (after, outcome) = state.after(call);
                let changed = after.version() == call.version && outcome.as_ref() == Some(&call.event.outcome);
                let fits = |(other, &call): (usize, &Call<'_>)| other == at || after.explains(call);
                if changed && group.iter().enumerate().all(fits) && !next.contains(&after) {
                    next.push(after);
                }
            }
        }
        if next.is_empty() {
            return Err(self.explain(group));
        }
        self.states = next;
        Ok(())
    }

    /// Why no call of a version, made the change, explains the others.
    fn explain(&self, group: &[Call<'_>]) -> Fault {
        let state = &self.states[0];
        let version = group[0].version;
        let changes: Vec<Call<'_>> =
            group.iter().copied().filter(|&call| state.after(call).0.version() == version).collect();
        let fitting = |&&call: &&Call<'_>| state.after(call).1.as_ref() == Some(&call.event.outcome);
        match (changes.as_slice(), changes.iter().find(fitting)) {
            ([], _) => self.missing(version, group[0]),
            ([first, ..], None) => self.misfit(*first, state),
            (_, Some(&change)) => {
                let (after, _) = state.after(change);
                let others = group.iter().filter(|call| !std::ptr::eq(call.event, change.event));
                let misfit = others.copied().find(|&call| !after.explains(call)).unwrap_or(change);
                if after.after(misfit).0.version() == version {
                    return self.misfit(misfit, &after);
                }
                Fault {
                    kind: FaultKind::SameVersion,
                    explanation: format!(
                        "version {version} of {:?} was made twice: by worker {} with {:?} and by worker {} with {:?}",
                        self.object, change.worker, change.event.operation, misfit.worker, misfit.event.operation
                    ),
                }
            }
        }
    }

    fn judge_refusals(&mut self, version: u64) -> Result<(), Fault> {
        let states = &self.states;
        self.refused.retain(|refusal| {
            let explained =
                |state: &State| state.clone().apply(&refusal.event.operation).as_ref() == Some(&refusal.event.outcome);
            !states.iter().any(explained)
        });
        match self.refused.iter().find(|refusal| refusal.to.is_some_and(|to| to <= version)) {
            Some(refusal) => Err(self.unexplained(refusal)),
            None => Ok(()),
        }
    }

    fn missing(&self, version: u64, next: Call<'_>) -> Fault {
        Fault {
            kind: FaultKind::MissingVersion,
            explanation: format!(
                "nobody made version {version} of {:?}; the next that is known of is worker {}, which was answered {:?} \
                 from version {} to {:?}",
                self.object, next.worker, next.event.outcome, next.version, next.event.operation
            ),
        }
    }

    fn misfit(&self, call: Call<'_>, before: &State) -> Fault {
        let should = before.after(call).1;
        Fault {
            kind: FaultKind::Misfit,
            explanation: format!(
                "worker {} was answered {:?} from version {} of {:?} to {:?}; after {} changes it should have been {}",
                call.worker,
                call.event.outcome,
                call.version,
                self.object,
                call.event.operation,
                before.version(),
                should.map_or_else(
                    || "refused: the object is of another kind".to_owned(),
                    |should| format!("{should:?}")
                )
            ),
        }
    }

    fn unexplained(&self, refusal: &Refusal<'_>) -> Fault {
        let until = refusal.to.map_or_else(|| "the end".to_owned(), |to| format!("version {to}"));
        Fault {
            kind: FaultKind::Misfit,
            explanation: format!(
                "worker {} was answered {:?} to {:?} on {:?}; from version {} to {until} that was never right",
                refusal.worker, refusal.event.outcome, refusal.event.operation, self.object, refusal.from
            ),
        }
    }
}

#[cfg(test)]
mod tests;
