//! What is wanted of one value.

use std::sync::Arc;

use manager_protocol::path::Step;
use manager_protocol::watch::{Condition, Met, WaitFor};
use manager_protocol::{Code, Encoded, Error, Reader, Result, Token, encode_value};

use super::Seen;
use super::looks::Looks;
use crate::core::value::{Path, at_least, canonical};

/// Where a value is, and what it is to be like.
#[derive(Debug)]
pub(in crate::core) struct Wanted {
    pub(super) at: Encoded<'static>,
    path: Vec<Step<'static>>,
    encoded_path: Arc<[u8]>,
    want: Want,
    /// The value that was not as wanted, if there was one. As long as it is kept, no other value has
    /// its memory.
    refused: Refused,
}

#[derive(Debug)]
enum Refused {
    Unchecked,
    Absent,
    Value(Encoded<'static>),
}

#[derive(Debug)]
enum Want {
    Exists,
    Absent,
    /// Its canonical form is this.
    Equals(Box<[u8]>),
    AtLeast(Box<[u8]>),
    ChangedSince(u64),
}

impl Wanted {
    /// Judges what is asked for.
    pub(super) fn new(operation: &WaitFor<'_>) -> Result<Self> {
        Path::new(&operation.path)?;
        let encoded_path = encode_value(&operation.path)?.into();
        let path = operation.path.iter().map(owned_step).collect();
        let want = match (operation.condition, &operation.operand) {
            (Condition::Exists, None) => Want::Exists,
            (Condition::Absent, None) => Want::Absent,
            (Condition::Equals, Some(operand)) => Want::Equals(canonical(operand.as_slice()).into()),
            (Condition::AtLeast, Some(operand)) => Want::AtLeast(operand.as_slice().into()),
            (Condition::ChangedSince, Some(operand)) => Want::ChangedSince(version(operand)?),
            (Condition::Exists | Condition::Absent, Some(_)) => {
                return Err(Error::new(Code::InvalidArgument, "the condition takes no operand"));
            }
            (Condition::Equals | Condition::AtLeast | Condition::ChangedSince, None) => {
                return Err(Error::new(Code::InvalidArgument, "the condition needs an operand"));
            }
        };
        Ok(Self { at: owned(&operation.at), path, encoded_path, want, refused: Refused::Unchecked })
    }

    /// Whether the value is as wanted at this version of the object, and what it is then. One that was
    /// not is not looked into again.
    pub(super) fn check(&mut self, seen: Option<Seen>, now: u64, looks: &mut Looks) -> Option<Met<'static>> {
        let version = seen.as_ref().map_or(now, |seen| seen.version);
        let whole = seen.map(|seen| seen.value);
        match self.want {
            Want::ChangedSince(since) if version <= since => return None,
            Want::ChangedSince(_) => {}
            Want::Exists | Want::Absent | Want::Equals(_) | Want::AtLeast(_) => {
                if self.refused.is(whole.as_ref()) {
                    return None;
                }
            }
        }
        self.refused = Refused::of(whole.as_ref());
        let value = whole.and_then(|whole| looks.inside(whole, &self.path, &self.encoded_path));
        let is_met = match (&self.want, &value) {
            (Want::Exists, value) => value.is_some(),
            (Want::Absent, value) => value.is_none(),
            (Want::Equals(wanted), Some(value)) => looks.is_canonical(wanted, value),
            (Want::AtLeast(wanted), Some(value)) => at_least(value.as_slice(), wanted),
            (Want::ChangedSince(_), _) => true,
            (Want::Equals(_) | Want::AtLeast(_), None) => false,
        };
        is_met.then_some(Met { value })
    }

    /// Whether a value has to be looked into.
    pub(super) fn looks_inside(&self) -> bool {
        !self.path.is_empty() || matches!(self.want, Want::Equals(_) | Want::AtLeast(_))
    }

    /// How large the value was that was checked last.
    pub(super) fn size(&self) -> usize {
        match &self.refused {
            Refused::Unchecked | Refused::Absent => 0,
            Refused::Value(value) => value.as_slice().len(),
        }
    }

    /// Whether changes of other entries matter for one that is there or not at a version: it is wanted to
    /// have changed, and what is not there has changed with the dict.
    pub(super) fn minds_others(&self, is_there: bool, now: u64) -> bool {
        matches!(self.want, Want::ChangedSince(since) if !is_there || since > now)
    }
}

impl Refused {
    /// Links are not kept: who waits for a value does not keep alive what it refers to.
    fn of(value: Option<&Encoded<'static>>) -> Self {
        match value {
            Some(Encoded::Shared(bytes)) => Self::Value(Encoded::Shared(bytes.clone().alone())),
            Some(Encoded::Borrowed(bytes)) => Self::Value(Encoded::Borrowed(bytes)),
            None => Self::Absent,
        }
    }

    /// Whether it is this value: not one that equals it, but the same memory.
    fn is(&self, value: Option<&Encoded<'_>>) -> bool {
        match (self, value) {
            (Self::Value(refused), Some(value)) => std::ptr::eq(refused.as_slice(), value.as_slice()),
            (Self::Absent, None) => true,
            (Self::Unchecked | Self::Absent, Some(_)) | (Self::Unchecked | Self::Value(_), None) => false,
        }
    }
}

fn owned(value: &Encoded<'_>) -> Encoded<'static> {
    Encoded::from(Arc::<[u8]>::from(value.as_slice()))
}

fn owned_step(step: &Step<'_>) -> Step<'static> {
    match step {
        Step::Key(key) => Step::Key(owned(key)),
        Step::Index(index) => Step::Index(*index),
    }
}

fn version(operand: &Encoded<'_>) -> Result<u64> {
    let version = match Reader::new(operand.as_slice()).token() {
        Ok(Token::Integer(version)) => u64::try_from(version).ok(),
        Ok(_) | Err(_) => None,
    };
    version.ok_or_else(|| Error::new(Code::InvalidArgument, "the operand is not a version"))
}
