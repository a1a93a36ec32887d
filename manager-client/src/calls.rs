//! Calls in a row and what came of them: kept in two buffers, with nothing allocated for each.

use std::ops::Range;

use manager_protocol::{Operation, Row};

use crate::error::{Error, Result};
use crate::link::{Answer, Target};

/// Calls that are to be sent together.
#[derive(Default)]
pub struct Calls {
    calls: Vec<(Target, Row, usize)>,
    arguments: Vec<u8>,
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
    pub(crate) fn push(&mut self, target: Target, row: Row, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.arguments);
        self.calls.push((target, row, self.arguments.len()));
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
        Some(Call { target, row: *row, arguments: &self.arguments[start..*end] })
    }

    /// The calls in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Call<'_>> + Send {
        (0..self.len()).map(|index| self.get(index).expect("the index is below the length"))
    }
}

/// The version of an answer, and where its result is.
type Found = (u64, Range<usize>);

/// What came of each of several [`Calls`].
#[derive(Default)]
pub struct Outcomes {
    outcomes: Vec<Option<Result<Found>>>,
    results: Vec<u8>,
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
        Self { outcomes: (0..len).map(|_| None).collect(), results: Vec::new() }
    }

    /// Notes the answer to a call. False if the call had an outcome already, or there is no such.
    pub fn answer(&mut self, index: usize, answer: Answer<'_>) -> bool {
        let start = self.results.len();
        if !self.note(index, Ok((answer.version, start..start + answer.result.len()))) {
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
    pub(crate) fn take(&mut self, index: usize) -> Option<Result<Answer<'_>>> {
        let outcome = self.outcomes.get_mut(index)?.take()?;
        Some(outcome.map(|(version, range)| Answer { version, result: &self.results[range] }))
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
}

impl std::fmt::Debug for Raw {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").field("version", &self.version).finish_non_exhaustive()
    }
}

impl From<Answer<'_>> for Raw {
    fn from(answer: Answer<'_>) -> Self {
        Self { version: answer.version, result: answer.result.to_vec() }
    }
}

impl Raw {
    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer { version: self.version, result: &self.result }
    }

    pub(crate) fn reply<O: Operation>(&self) -> Result<O::Reply<'_>> {
        self.answer().reply::<O>()
    }
}
