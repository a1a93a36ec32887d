//! What came of one call of a task, as it crosses process borders.

use manager_protocol::Encoded;
use serde::{Deserialize, Serialize};

use super::{Fault, TaskError};
use crate::error::{Error, Result};

/// What came of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome<'a> {
    /// What it returned, encoded.
    #[serde(borrow)]
    Returned(Encoded<'a>),
    /// An `Err` that it returned, encoded as the whole `Result`.
    ReturnedError(Encoded<'a>),
    Panicked(TaskError),
    Refused(Refusal),
}

/// Why a task was not run, or its result cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// The process has no task of this name.
    Unknown {
        name: String,
    },
    /// The process has a task of this name with other types: it was built from other sources.
    OtherSignature {
        name: String,
        wanted: String,
        found: String,
    },
    Undecodable {
        name: String,
        fault: String,
    },
    Unencodable {
        name: String,
        fault: String,
    },
    /// The server, which the arguments are of, cannot be reached.
    NoServer {
        fault: String,
    },
}

impl Outcome<'_> {
    /// What the call returned, decoded by `decode`.
    pub(crate) fn read<T>(self, decode: impl FnOnce(&Encoded<'_>) -> Result<T>) -> Result<T> {
        match self {
            Self::Returned(value) | Self::ReturnedError(value) => decode(&value),
            Self::Panicked(failure) => Err(Error::work(Fault::Panicked(failure))),
            Self::Refused(refusal) => Err(Error::work(Fault::Refused(refusal))),
        }
    }
}
