//! How calls travel to a worker, and what came of them back.
//!
//! The arguments of a job are an array of calls, each the tuple of its arguments. Its outcome is an array of how
//! many calls failed and then, for each call, what it was and a value. Both travel as a bin, which the server
//! does not look into, unless there are references in them: those it must see.

use std::ops::Range;
use std::sync::Arc;

use manager_protocol::{Encoded, Reader, Token, append_value, decode_checked_value, may_have_references, write_item};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::argument::{cannot_decode, cannot_encode};
use crate::error::{Error, Reason, Result};
use crate::reference::{Hold, Kept, collect};
use crate::task::{Fault, Outcome, Refusal, attempt, find, forget_panics};

/// An encoded job: one call of a task, or several.
pub(super) struct Parcel {
    pub(super) task: u64,
    pub(super) calls: u32,
    pub(super) arguments: Vec<u8>,
    /// What the arguments refer to.
    pub(super) held: Vec<Arc<Hold>>,
}

impl Parcel {
    /// The calls, each as a job of its own.
    pub(super) fn split(&self) -> Vec<Self> {
        let whole = Encoded::from(&self.arguments);
        let calls = Calls::of(&whole);
        let alone = calls.map(|call| {
            let mut packer = Packer::new();
            packer.push_encoded(call);
            Self { held: self.held.clone(), ..packer.finish(self.task) }
        });
        alone.collect()
    }
}

/// Puts calls into jobs.
pub(super) struct Packer {
    bytes: Vec<u8>,
    calls: u32,
    held: Vec<Arc<Hold>>,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; HEAD], calls: 0, held: Vec::new() }
    }

    /// Adds a call with these arguments, a tuple. If that fails nothing was added.
    pub(super) fn push<T: Serialize>(&mut self, arguments: &T) -> Result<()> {
        let (appended, held) = collect(|| self.append(arguments));
        self.held.extend(held);
        appended
    }

    fn append<T: Serialize>(&mut self, arguments: &T) -> Result<()> {
        append_value(&mut self.bytes, arguments).map_err(cannot_encode)?;
        self.calls += 1;
        Ok(())
    }

    fn push_encoded(&mut self, arguments: &[u8]) {
        self.bytes.extend_from_slice(arguments);
        self.calls += 1;
    }

    pub(super) fn calls(&self) -> usize {
        self.calls as usize
    }

    /// Whether the next call is to go into another job.
    pub(super) fn is_full(&self, most: usize) -> bool {
        self.calls() >= most || self.bytes.len() >= LARGE
    }

    pub(super) fn finish(self, task: u64) -> Parcel {
        Parcel { task, calls: self.calls, arguments: seal(self.bytes, self.calls), held: self.held }
    }
}

/// Puts calls into as few jobs as may be, of so many calls at most.
pub(super) fn pack<T: Serialize>(task: u64, calls: impl Iterator<Item = T>, most: usize) -> Result<Vec<Parcel>> {
    let (mut parcels, mut calls) = (Vec::new(), calls.peekable());
    while calls.peek().is_some() {
        let mut packer = Packer::new();
        // One look at what is referred to for all of them: there are many, and they are small.
        let (packed, held) = collect(|| -> Result<()> {
            while !packer.is_full(most)
                && let Some(call) = calls.next()
            {
                packer.append(&call)?;
            }
            Ok(())
        });
        packed?;
        packer.held = held;
        parcels.push(packer.finish(task));
    }
    Ok(parcels)
}

/// The calls of a job, in their encoded form.
pub(super) struct Calls<'a> {
    reader: Reader<'a>,
    left: u32,
}

impl<'a> Calls<'a> {
    /// Those of a job's arguments; none, if these are something else.
    pub(super) fn of(arguments: &'a Encoded<'_>) -> Self {
        let mut reader = Reader::new(unseal(arguments.as_slice()));
        match reader.token() {
            Ok(Token::Array(left)) => Self { reader, left },
            Ok(_) | Err(_) => Self { reader: Reader::new(&[]), left: 0 },
        }
    }
}

impl<'a> Iterator for Calls<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        self.reader.value().ok()
    }
}

/// What came of running a job.
pub(super) struct Ran {
    /// Encoded.
    pub(super) outcome: Vec<u8>,
    pub(super) calls: u32,
    pub(super) failed: u32,
}

/// Runs the calls of a job in this thread.
pub(super) fn run(task: u64, arguments: &Encoded<'_>) -> Ran {
    let (mut out, mut calls, mut failed) = (vec![0; HEAD], 0_u32, 0_u32);
    // How many failed comes first, and is known last.
    out.extend([0xce, 0, 0, 0, 0]);
    let registration = find(task);
    forget_panics();
    for call in Calls::of(arguments) {
        calls += 1;
        let place = out.len();
        out.push(RETURNED);
        let attempted = match registration {
            Some(registration) => attempt(registration, call, &mut out),
            None => Err(Outcome::Refused(Refusal::Unknown { name: format!("{task:016x}") })),
        };
        failed += u32::from(!matches!(attempted, Ok(true)));
        match attempted {
            Ok(true) | Err(Outcome::Returned(_) | Outcome::ReturnedError(_)) => {}
            Ok(false) => out[place] = RETURNED_ERROR,
            Err(Outcome::Panicked(failure)) => {
                out[place] = PANICKED;
                write_item(&mut out, &failure);
            }
            Err(Outcome::Refused(refusal)) => {
                out[place] = REFUSED;
                write_item(&mut out, &refusal);
            }
        }
    }
    out[HEAD + 1..HEAD + 5].copy_from_slice(&failed.to_be_bytes());
    Ran { outcome: seal(out, 2 * calls + 1), calls, failed }
}

/// What is told of a job of so many calls whose outcome cannot be told, for this reason.
pub(super) fn refuse(calls: u32, refusal: &Refusal) -> Ran {
    let mut out = vec![0; HEAD];
    write_item(&mut out, &calls);
    for _ in 0..calls {
        out.push(REFUSED);
        write_item(&mut out, refusal);
    }
    Ran { outcome: seal(out, 2 * calls + 1), calls, failed: calls }
}

/// What came of the calls of a job that a worker has finished.
#[derive(Clone)]
pub(super) struct Report {
    kept: Kept,
    pub(super) failed: usize,
    pub(super) calls: usize,
}

impl Report {
    /// Judges an outcome of so many calls.
    pub(super) fn new(kept: Kept, calls: usize) -> Result<Self> {
        let encoded = kept.encoded();
        let mut reader = Reader::new(unseal(encoded.as_slice()));
        let (Ok(Token::Array(len)), Ok(Token::Integer(failed))) = (reader.token(), reader.token()) else {
            return Err(foreign());
        };
        if len as usize != 2 * calls + 1 {
            return Err(foreign());
        }
        Ok(Self { kept, failed: usize::try_from(failed).map_err(|_| foreign())?, calls })
    }

    /// What each call returned, decoded, or why it failed.
    pub(super) fn read<T: DeserializeOwned>(&self, mut each: impl FnMut(Result<T>)) {
        let encoded = self.kept.encoded();
        let bytes = unseal(encoded.as_slice());
        let mut reader = Reader::new(bytes);
        // The heads were judged before.
        let _heads = (reader.token(), reader.token());
        for _ in 0..self.calls {
            let (kind, value) = (reader.token(), reader.value());
            each(self.read_one(kind.ok(), value.unwrap_or_default()));
        }
    }

    fn read_one<T: DeserializeOwned>(&self, kind: Option<Token<'_>>, value: &[u8]) -> Result<T> {
        let kind = match kind {
            Some(Token::Integer(kind)) => u8::try_from(kind).ok(),
            Some(_) | None => None,
        };
        match kind {
            Some(RETURNED | RETURNED_ERROR) => self.kept.read(|_| decode_checked_value(value).map_err(cannot_decode)),
            Some(PANICKED) => Err(fault(value, Fault::Panicked)),
            Some(REFUSED) => Err(fault(value, Fault::Refused)),
            Some(_) | None => Err(foreign()),
        }
    }
}

fn fault<T: DeserializeOwned>(value: &[u8], fault: impl FnOnce(T) -> Fault) -> Error {
    rmp_serde::from_slice(value).map_or_else(|_| foreign(), |told| Error::work(fault(told)))
}

/// The worker's program has another version of this library.
fn foreign() -> Error {
    Error::new(Reason::Protocol)
}

/// Completes an array of so many elements, in front of which there is room for the heads.
fn seal(mut bytes: Vec<u8>, elements: u32) -> Vec<u8> {
    bytes[ARRAY].copy_from_slice(&head(0xdd, elements));
    if may_have_references(&bytes) {
        bytes.drain(BIN);
        return bytes;
    }
    let len = u32::try_from(bytes.len() - BIN.end).unwrap_or(u32::MAX);
    bytes[BIN].copy_from_slice(&head(0xc6, len));
    bytes
}

fn head(marker: u8, len: u32) -> [u8; 5] {
    let [a, b, c, d] = len.to_be_bytes();
    [marker, a, b, c, d]
}

/// What is in the bin, if it is one.
fn unseal(bytes: &[u8]) -> &[u8] {
    match Reader::new(bytes).token() {
        Ok(Token::Bytes(inside)) => inside,
        Ok(_) | Err(_) => bytes,
    }
}

/// Where the head of the bin is.
const BIN: Range<usize> = 0..5;

/// Where the head of the array is.
const ARRAY: Range<usize> = 5..HEAD;

/// The room for both.
const HEAD: usize = 10;

/// A job takes no more calls when it has so many bytes.
const LARGE: usize = 512 * 1024;

const RETURNED: u8 = 0;
const RETURNED_ERROR: u8 = 1;
const PANICKED: u8 = 2;
const REFUSED: u8 = 3;

#[cfg(test)]
mod tests {
    use manager_protocol::decode_value;

    use super::*;

    fn arguments(parcel: &Parcel) -> Vec<(u32, String)> {
        let encoded = Encoded::from(&parcel.arguments);
        Calls::of(&encoded).map(|call| decode_value(call).unwrap()).collect()
    }

    #[test]
    fn calls_go_into_jobs_in_order_and_come_out_again() {
        let calls: Vec<(u32, String)> = (0..10).map(|n| (n, n.to_string())).collect();
        let parcels = pack(7, calls.iter(), 4).unwrap();
        assert_eq!(parcels.iter().map(|parcel| parcel.calls).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!(parcels.iter().flat_map(arguments).collect::<Vec<_>>(), calls);
        let alone = parcels[2].split();
        assert_eq!(alone.iter().map(|parcel| (parcel.task, parcel.calls)).collect::<Vec<_>>(), [(7, 1); 2]);
        assert_eq!(alone.iter().flat_map(arguments).collect::<Vec<_>>(), calls[8..]);
        assert!(pack(7, std::iter::empty::<(u32,)>(), 4).unwrap().is_empty());
    }

    #[test]
    fn large_calls_go_alone() {
        let calls = (0..3).map(|_| ("x".repeat(LARGE),));
        assert_eq!(pack(7, calls, 100).unwrap().len(), 3);
    }

    #[test]
    fn what_comes_of_an_unknown_task_is_told_for_each_call() {
        let parcel = pack(7, [(1_u8,), (2,)].iter(), 9).unwrap().remove(0);
        let Ran { outcome, failed, .. } = run(7, &Encoded::from(&parcel.arguments));
        assert_eq!(failed, 2);
        let report = Report::new(Kept::new(&Encoded::from(&outcome), None), 2).unwrap();
        assert_eq!(report.failed, 2);
        let mut errors = Vec::new();
        report.read::<u8>(|outcome| errors.push(outcome.unwrap_err()));
        assert!(errors.len() == 2 && errors.iter().all(Error::is_unknown_task), "{errors:?}");
        assert!(Report::new(Kept::new(&Encoded::from(&outcome), None), 3).is_err());
    }

    #[test]
    fn a_refused_outcome_is_one_for_each_call() {
        let refusal = Refusal::Unencodable { name: "f".into(), fault: "too large".into() };
        let Ran { outcome, .. } = refuse(300, &refusal);
        let report = Report::new(Kept::new(&Encoded::from(&outcome), None), 300).unwrap();
        let mut count = 0;
        report.read::<u8>(|outcome| count += usize::from(outcome.is_err()));
        assert_eq!((count, report.failed), (300, 300));
    }
}
