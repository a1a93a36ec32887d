//! Replays histories on plain objects, and explains the first event that does not fit.

use std::collections::BTreeMap;
use std::fmt;

use super::plain::{Plain, Turn};
use super::{Event, Fault, FaultKind, History, Operation, Outcome, State, Summary};

/// Checks that the objects, empty at first, and all that was said of them fit one sequence of changes.
///
/// The history must be whole: a change whose reply was lost is a version that nobody made.
///
/// # Errors
/// The first event that does not fit.
pub fn check(histories: &[History]) -> Result<Summary, Fault> {
    check_from(histories, |_, first: &Operation| State::before(first))
}

/// As [`check`], of objects that are something else at first, or of a kind of the test's own.
///
/// `before` makes what there was before the operations: it is told the object's name and one of them.
///
/// # Errors
/// The first event that does not fit.
pub fn check_from<P: Plain>(
    histories: &[History<P::Operation>],
    before: impl Fn(&str, &P::Operation) -> P,
) -> Result<Summary, Fault> {
    let mut objects: BTreeMap<&str, Seen<'_, P::Operation>> = BTreeMap::new();
    for history in histories {
        sort_out(history, &mut objects)?;
    }
    let mut summary = Summary::default();
    for (name, mut seen) in objects {
        seen.versioned.sort_by_key(|call| call.version);
        let changes = Replay::new(name, before(name, seen.first()), &seen).run(&seen)?;
        summary.changes += changes;
        summary.reads += seen.versioned.len() as u64 - changes;
        summary.refusals += seen.refusals.len() as u64;
    }
    Ok(summary)
}

/// All that was said of one object.
struct Seen<'a, O> {
    versioned: Vec<Call<'a, O>>,
    refusals: Vec<Refusal<'a, O>>,
}

impl<O> Seen<'_, O> {
    fn first(&self) -> &O {
        let versioned = self.versioned.iter().map(|call| call.event);
        let mut events = versioned.chain(self.refusals.iter().map(|refusal| refusal.event));
        &events.next().expect("an object without events is not among them").operation
    }
}

struct Call<'a, O> {
    version: u64,
    worker: &'a str,
    event: &'a Event<O>,
}

/// A refusal and the versions between which it was right.
struct Refusal<'a, O> {
    from: u64,
    to: Option<u64>,
    worker: &'a str,
    event: &'a Event<O>,
}

fn sort_out<'a, O: fmt::Debug>(
    history: &'a History<O>,
    objects: &mut BTreeMap<&'a str, Seen<'a, O>>,
) -> Result<(), Fault> {
    let worker = history.worker.as_str();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &history.events {
        let seen = objects.entry(&event.object).or_insert_with(|| Seen { versioned: Vec::new(), refusals: Vec::new() });
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

/// The state behind a call, and what it should have been answered.
struct After<P> {
    plain: P,
    changed: bool,
    outcome: Outcome,
}

impl<P: Plain> After<P> {
    fn new(before: &P, version: u64, event: &Event<P::Operation>) -> Self {
        let (mut plain, mut turn) = (before.clone(), Turn::at(version));
        let outcome = plain.apply(&event.operation, &mut turn).unwrap_or_else(|code| Outcome::Refused(code.number()));
        Self { plain, changed: turn.changed(), outcome }
    }
}

/// Whether a call changes nothing here and is answered as it was.
fn explains<P: Plain>(plain: &P, version: u64, event: &Event<P::Operation>) -> bool {
    let after = After::new(plain, version, event);
    !after.changed && after.outcome == event.outcome
}

/// The replay of one object.
///
/// Where a change says nothing of what it did (two slices removed, one of them empty by then), the
/// object may be in one of several states, until a later event tells. All of them are followed.
struct Replay<'a, P: Plain> {
    object: &'a str,
    /// How many changes were made.
    version: u64,
    states: Vec<P>,
    /// Refusals that no state has explained yet.
    refused: Vec<&'a Refusal<'a, P::Operation>>,
}

impl<'a, P: Plain> Replay<'a, P> {
    fn new(object: &'a str, before: P, seen: &'a Seen<'a, P::Operation>) -> Self {
        let refused = seen.refusals.iter().filter(|refusal| refusal.from == 0).collect();
        Self { object, version: 0, states: vec![before], refused }
    }

    /// Replays everything; how many changes there were.
    fn run(mut self, seen: &'a Seen<'a, P::Operation>) -> Result<u64, Fault> {
        let mut waiting: Vec<_> = seen.refusals.iter().filter(|refusal| refusal.from > 0).collect();
        waiting.sort_by_key(|refusal| refusal.from);
        let mut waiting = waiting.into_iter().peekable();
        let at_first = seen.versioned.iter().take_while(|call| call.version == 0).count();
        for call in &seen.versioned[..at_first] {
            if !explains(&self.states[0], 0, call.event) {
                return Err(self.misfit(call, 0, &self.states[0]));
            }
        }
        self.judge_refusals()?;
        for group in seen.versioned[at_first..].chunk_by(|left, right| left.version == right.version) {
            if group[0].version != self.version + 1 {
                return Err(self.missing(&group[0]));
            }
            self.step(group)?;
            while let Some(refusal) = waiting.next_if(|refusal| refusal.from <= self.version) {
                self.refused.push(refusal);
            }
            self.judge_refusals()?;
        }
        match self.refused.first() {
            Some(refusal) => Err(self.unexplained(refusal)),
            None => Ok(self.version),
        }
    }

    /// Finds the one change among the calls of the next version, and sees that the others fit behind it.
    fn step(&mut self, group: &[Call<'_, P::Operation>]) -> Result<(), Fault> {
        let version = self.version + 1;
        let mut next: Vec<P> = Vec::new();
        for state in &self.states {
            for (at, call) in group.iter().enumerate() {
                let after = After::new(state, self.version, call.event);
                let fits = |(other, call): (usize, &Call<'_, P::Operation>)| {
                    other == at || explains(&after.plain, version, call.event)
                };
                if after.changed
                    && after.outcome == call.event.outcome
                    && group.iter().enumerate().all(fits)
                    && !next.contains(&after.plain)
                {
                    next.push(after.plain);
                }
            }
        }
        if next.is_empty() {
            return Err(self.explain(group));
        }
        (self.states, self.version) = (next, version);
        Ok(())
    }

    /// Why no call of the next version, made the change, explains the others.
    fn explain(&self, group: &[Call<'_, P::Operation>]) -> Fault {
        let (state, version) = (&self.states[0], self.version + 1);
        let after = |call: &Call<'_, P::Operation>| After::new(state, self.version, call.event);
        let changes: Vec<_> = group.iter().filter(|call| after(call).changed).collect();
        let Some(first) = changes.first() else { return self.missing(&group[0]) };
        let Some(change) = changes.iter().find(|call| after(call).outcome == call.event.outcome) else {
            return self.misfit(first, self.version, state);
        };
        let plain = after(change).plain;
        let mut others = group.iter().filter(|call| !std::ptr::eq(call.event, change.event));
        let misfit = others.find(|call| !explains(&plain, version, call.event)).unwrap_or(change);
        if !After::new(&plain, version, misfit.event).changed {
            return self.misfit(misfit, version, &plain);
        }
        Fault {
            kind: FaultKind::SameVersion,
            explanation: format!(
                "version {version} of {:?} was made twice: by worker {} with {:?} and by worker {} with {:?}",
                self.object, change.worker, change.event.operation, misfit.worker, misfit.event.operation
            ),
        }
    }

    fn judge_refusals(&mut self) -> Result<(), Fault> {
        let (states, version) = (&self.states, self.version);
        self.refused.retain(|refusal| {
            let explained = |state: &P| After::new(state, version, refusal.event).outcome == refusal.event.outcome;
            !states.iter().any(explained)
        });
        match self.refused.iter().find(|refusal| refusal.to.is_some_and(|to| to <= version)) {
            Some(refusal) => Err(self.unexplained(refusal)),
            None => Ok(()),
        }
    }

    fn missing(&self, next: &Call<'_, P::Operation>) -> Fault {
        Fault {
            kind: FaultKind::MissingVersion,
            explanation: format!(
                "nobody made version {} of {:?}; the next that is known of is worker {}, which was answered {:?} \
                 from version {} to {:?}",
                self.version + 1,
                self.object,
                next.worker,
                next.event.outcome,
                next.version,
                next.event.operation
            ),
        }
    }

    fn misfit(&self, call: &Call<'_, P::Operation>, changes: u64, before: &P) -> Fault {
        Fault {
            kind: FaultKind::Misfit,
            explanation: format!(
                "worker {} was answered {:?} from version {} of {:?} to {:?}; after {changes} changes it should have \
                 been {:?}",
                call.worker,
                call.event.outcome,
                call.version,
                self.object,
                call.event.operation,
                After::new(before, changes, call.event).outcome
            ),
        }
    }

    fn unexplained(&self, refusal: &Refusal<'_, P::Operation>) -> Fault {
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
