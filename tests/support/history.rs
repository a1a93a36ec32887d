//! A checker of histories: whatever many workers did to shared objects at once, and were told, must be
//! what one sequence of changes explains.
//!
//! Every reply carries the object's version, and every change makes the next one. So the changes are
//! put in order by their versions and made again on plain objects; a read, or a change that changed
//! nothing, belongs behind the change whose version it saw. A refusal has no version: it must be right
//! at some moment between what its worker saw before and after it. It searches nothing and knows no
//! clock; that a worker never sees an older version than before is all it asks of time.
//!
//! Each worker keeps a [`History`] and [records](History::record) its calls in it; at the end
//! [`check`] is given all of them. Workers that are processes write theirs to files.
//!
//! A kind of objects is a file here with its operations and a [`Plain`] object that does them, and a
//! line in `kinds.rs`. A test with a kind of its own gives [`check_from`] a `Plain` of its own.

mod dict;
mod fault;
mod kinds;
mod list;
mod outcome;
mod plain;
mod queue;
mod replay;
mod set;
mod value;

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;

use manager_client::{Result, Versioned};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use dict::{DictOperation, DictState};
pub use fault::{Fault, FaultKind, Summary};
pub use kinds::{Operation, State};
pub use list::{ListOperation, ListState, Part};
pub use outcome::Outcome;
pub use plain::{Plain, Turn};
pub use queue::{QueueOperation, QueueState};
pub use replay::{check, check_from};
pub use set::{SetOperation, SetState};
pub use value::{ValueOperation, ValueState};

/// What one worker did, in the order it was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History<O = Operation> {
    /// Who it was, for messages.
    pub worker: String,
    /// What it did.
    pub events: Vec<Event<O>>,
}

/// One operation and what was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event<O = Operation> {
    /// The name of the object.
    pub object: String,
    /// The object's version in the reply; a refusal has none.
    pub version: Option<u64>,
    /// What was asked for.
    pub operation: O,
    /// What came of it.
    pub outcome: Outcome,
}

impl<O> History<O> {
    /// A history of a worker that has done nothing.
    #[must_use]
    pub fn new(worker: impl Into<String>) -> Self {
        Self { worker: worker.into(), events: Vec::new() }
    }

    /// Makes a call, notes it and what came of it, and returns that.
    ///
    /// ```
    /// # use manager_client::Manager;
    /// # use manager_tests::history::{self, History, QueueOperation};
    /// # let manager = Manager::start()?;
    /// # let jobs = manager.queue::<i64>("jobs")?;
    /// let mut history = History::new("worker 1");
    /// history.record("jobs", QueueOperation::Put(7), || jobs.versioned().put(&7))?;
    /// let job = history.record("jobs", QueueOperation::Get, || jobs.versioned().get())?;
    /// assert_eq!(job, 7);
    /// history::check(&[history]).unwrap();
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the call. A refusal was noted.
    ///
    /// # Panics
    /// As [`note`](Self::note).
    pub fn record<T: Clone + Into<Outcome>>(
        &mut self,
        object: &str,
        operation: impl Into<O>,
        call: impl FnOnce() -> Result<Versioned<T>>,
    ) -> Result<T> {
        let outcome = call();
        self.note(object, operation, &outcome);
        outcome.map(|outcome| outcome.value)
    }

    /// Notes a call that was made already, as those of a batch are.
    ///
    /// # Panics
    /// If it is not known what became of it: a history that is not whole explains nothing.
    pub fn note<T: Clone + Into<Outcome>>(
        &mut self,
        object: &str,
        operation: impl Into<O>,
        outcome: &Result<Versioned<T>>,
    ) {
        let (version, outcome) = match outcome {
            Ok(outcome) => (Some(outcome.version), outcome.value.clone().into()),
            Err(error) => {
                let code = error.code().filter(|_| !error.is_disconnected() && !error.is_outcome_unknown());
                let code = code.unwrap_or_else(|| panic!("not a refusal: {error:?}"));
                (None, Outcome::Refused(code.number()))
            }
        };
        self.events.push(Event { object: object.to_owned(), version, operation: operation.into(), outcome });
    }
}

impl<O: Serialize + DeserializeOwned> History<O> {
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

#[cfg(test)]
mod tests;
