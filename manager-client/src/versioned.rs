//! Results together with the version of the object that they are of.

use std::time::Duration;

use manager_protocol::Row;

use crate::error::{Error, Result};
use crate::link::{Answer, DirectLink, Link, Target, WaitingLink};

/// A result, and the object's version right after the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The result.
    pub value: T,
    /// How many changes the object had seen.
    pub version: u64,
}

/// A link whose calls also give the object's version.
#[derive(Debug, Clone)]
pub struct VersionedLink<L>(L);

impl<L> VersionedLink<L> {
    pub(crate) fn new(link: L) -> Self {
        Self(link)
    }
}

impl<L: Link> Link for VersionedLink<L> {
    type Wait<'a, T: 'a> = L::Wait<'a, Versioned<T>>;

    fn call<'a, T: 'a>(
        &'a self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'static,
    ) -> L::Wait<'a, Versioned<T>> {
        self.0.call(target, row, encode, |answer| versioned(answer, decode))
    }

    fn fail<'a, T: 'a>(&'a self, error: Error) -> L::Wait<'a, Versioned<T>> {
        self.0.fail(error)
    }

    fn epoch(&self) -> u64 {
        self.0.epoch()
    }
}

impl<L: DirectLink> WaitingLink for VersionedLink<L> {
    fn patience(&self) -> Duration {
        self.0.patience()
    }

    fn call_within<'a, T: 'a>(
        &'a self,
        limit: Duration,
        target: &'a Target,
        row: Row,
        arguments: Vec<u8>,
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, Versioned<T>> {
        self.0.call_within(limit, target, row, arguments, |answer| versioned(answer, decode))
    }
}

fn versioned<T>(answer: Answer<'_>, decode: impl FnOnce(Answer<'_>) -> Result<T>) -> Result<Versioned<T>> {
    Ok(Versioned { version: answer.version, value: decode(answer)? })
}
