//! Calls in a row and what came of them: kept in two buffers, with nothing allocated for each.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use manager_protocol::{Operation, Row, may_have_references};

use crate::error::{Error, Result};
use crate::link::{Answer, DirectLink, Target};
use crate::reference::{Hold, Origin, collect};

/// Calls that are to be sent together.
#[derive(Default)]
pub struct Calls {
    /// The place of each one's target, its row, and where its arguments end.
    calls: Vec<(usize, Row, usize)>,
    targets: Targets,
    arguments: Vec<u8>,
    /// What the arguments refer to: held until the calls were carried out.
    needed: Vec<Arc<Hold>>,
}

impl std::fmt::Debug for Calls {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Calls({})", self.len())
    }
}

/// One of several [`Calls`].
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The object.
    pub target: &'a Target,
    /// The operation.
    pub row: Row,
    /// The encoded array of its arguments.
    pub arguments: &'a [u8],
}

impl std::fmt::Debug for Call<'_> {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("target", &self.target).field("row", &self.row).finish_non_exhaustive()
    }
}

impl Calls {
    /// Appends a call; the place of its target among [`Targets`].
    pub(crate) fn push(&mut self, target: &Target, row: Row, encode: impl FnOnce(&mut Vec<u8>)) -> usize {
        let ((), needed) = collect(|| encode(&mut self.arguments));
        self.needed.extend(needed);
        let place = self.targets.place(target);
        self.calls.push((place, row, self.arguments.len()));
        place
    }

    /// The targets of all calls.
    pub(crate) fn targets(&self) -> Targets {
        self.targets.clone()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The call at an index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Call<'_>> {
        let (target, row, end) = self.calls.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.calls[before].2);
        Some(Call { target: self.targets.get(*target), row: *row, arguments: &self.arguments[start..*end] })
    }

    /// The calls in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Call<'_>> + Send {
        (0..self.len()).map(|index| self.get(index).expect("the index is below the length"))
    }
}

/// What calls are for: once for many calls in a row that are for the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Targets(Vec<Target>);

impl Targets {
    fn place(&mut self, target: &Target) -> usize {
        if !self.0.last().is_some_and(|last| last.is(target)) {
            self.0.push(target.clone());
        }
        self.0.len() - 1
    }

    pub(crate) fn get(&self, place: usize) -> &Target {
        &self.0[place]
    }
}

/// The version of an answer, where its result is, and what proxies in it are made of.
type Found = (u64, Range<usize>, Option<Box<Origin>>);

/// What came of each of several [`Calls`].
#[derive(Default)]
pub struct Outcomes {
    outcomes: Vec<Option<Result<Found>>>,
    results: Vec<u8>,
    /// The link of the proxies in results of which nothing else is told.
    link: Option<Arc<dyn Any + Send + Sync>>,
}

impl std::fmt::Debug for Outcomes {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outcomes({})", self.outcomes.len())
    }
}

impl Outcomes {
    /// Room for the outcomes of so many calls.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { outcomes: (0..len).map(|_| None).collect(), results: Vec::new(), link: None }
    }

    /// The same outcomes, to calls of this link.
    pub(crate) fn over<L: DirectLink>(mut self, link: &L) -> Self {
        if may_have_references(&self.results) {
            self.link = Some(Arc::new(link.clone()));
        }
        self
    }

    /// Notes the answer to a call. False if the call had an outcome already, or there is no such.
    pub fn answer(&mut self, index: usize, answer: Answer<'_>) -> bool {
        let start = self.results.len();
        let origin = answer.origin.filter(|_| may_have_references(answer.result)).cloned().map(Box::new);
        if !self.note(index, Ok((answer.version, start..start + answer.result.len(), origin))) {
            return false;
        }
        self.results.extend_from_slice(answer.result);
        true
    }

    /// Notes that a call failed. False if the call had an outcome already, or there is no such.
    pub fn refuse(&mut self, index: usize, error: Error) -> bool {
        self.note(index, Err(error))
    }

    fn note(&mut self, index: usize, outcome: Result<Found>) -> bool {
        match self.outcomes.get_mut(index) {
            Some(place @ None) => {
                *place = Some(outcome);
                true
            }
            Some(Some(_)) | None => false,
        }
    }

    /// Gives every call without an outcome this one.
    pub(crate) fn fail_rest(&mut self, mut error: impl FnMut(usize) -> Error) {
        for (index, place) in self.outcomes.iter_mut().enumerate() {
            place.get_or_insert_with(|| Err(error(index)));
        }
    }

    /// Takes the outcome of a call; `None` if it has none, or it was taken before.
    pub(crate) fn take<T>(&mut self, index: usize, decode: impl FnOnce(Answer<'_>) -> Result<T>) -> Option<Result<T>> {
        let outcome = self.outcomes.get_mut(index)?.take()?;
        Some(outcome.and_then(|(version, range, origin)| {
            let origin = match &self.link {
                Some(link) => Some(Box::new(origin.unwrap_or_default().over(Arc::clone(link)))),
                None => origin,
            };
            decode(Answer { version, result: &self.results[range], origin: origin.as_deref() })
        }))
    }

    /// The first failure that is not a refusal by the server: the others may be for the same reason.
    pub(crate) fn lost(&self) -> Option<&Error> {
        self.outcomes.iter().flatten().filter_map(|outcome| outcome.as_ref().err()).find(|error| error.is_lost())
    }
}

/// An answer that was kept.
pub(crate) struct Raw {
    pub(crate) version: u64,
    result: Vec<u8>,
    origin: Option<Origin>,
}

impl std::fmt::Debug for Raw {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").field("version", &self.version).finish_non_exhaustive()
    }
}

impl From<Answer<'_>> for Raw {
    fn from(answer: Answer<'_>) -> Self {
        Self { version: answer.version, result: answer.result.to_vec(), origin: answer.origin.cloned() }
    }
}

impl Raw {
    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer { version: self.version, result: &self.result, origin: self.origin.as_ref() }
    }

    /// What proxies in it are made of.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Decodes the reply of an operation and the values in it, proxies among them.
    pub(crate) fn read<O: Operation, T>(&self, decode: impl FnOnce(O::Reply<'_>) -> Result<T>) -> Result<T> {
        self.answer().read::<O, T>(decode)
    }

    /// Decodes the reply of an operation, without proxies in it.
    pub(crate) fn reply<O: Operation>(&self) -> Result<O::Reply<'_>> {
        self.answer().reply::<O>()
    }
}
