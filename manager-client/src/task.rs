//! Tasks: functions that other processes can be asked to run, by their names.
//!
//! Nothing executable crosses a process border: a name and arguments do, and the process that runs the task
//! finds it in its own register. Here are the register's entries, and what `#[task]` makes of a function; that
//! part is public for the macro's sake only.

mod call;
mod failure;
mod fault;
mod function;
mod outcome;
mod registry;

use std::any::TypeId;

use manager_protocol::{append_value, decode_checked_value};
use serde::{Deserialize, Serialize};

use crate::reference::keeping;

pub(crate) use self::call::{Call, Named, attempt, forget_panics, remember_panics};
pub use self::failure::TaskError;
pub(crate) use self::fault::{Fault, Lost};
pub use self::function::{Run, Task};
pub(crate) use self::outcome::{Outcome, Refusal};
pub(crate) use self::registry::{find, name_of_function, name_of_value, numbers};
#[doc(hidden)]
pub use crate::process::TestEntry;
#[doc(hidden)]
pub use inventory;

/// An entry of the register.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registration {
    name: &'static str,
    /// The types of the arguments and of the result, as text.
    signature: fn() -> &'static str,
    /// The type of the function, or of the value.
    type_id: fn() -> TypeId,
    run: fn(&[u8], &mut Vec<u8>) -> Ran,
}

impl Registration {
    /// An entry, as `#[task]` makes it.
    #[must_use]
    pub const fn new(
        name: &'static str,
        signature: fn() -> &'static str,
        type_id: fn() -> TypeId,
        run: fn(&[u8], &mut Vec<u8>) -> Ran,
    ) -> Self {
        Self { name, signature, type_id, run }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

inventory::collect!(Registration);

/// What came of running a task with encoded arguments; what it returned is appended to the output.
#[doc(hidden)]
#[derive(Debug)]
pub enum Ran {
    /// It returned.
    Returned,
    /// It returned an `Err`.
    ReturnedError,
    /// The arguments are not those of the task: why.
    Undecodable(String),
    /// What it returned cannot be encoded: why.
    Unencodable(String),
}

/// Decodes the arguments of a task, which are one well-formed value: whoever took them off a message has seen to it.
///
/// # Errors
/// [`Ran::Undecodable`].
#[doc(hidden)]
pub fn decode<'a, T: Deserialize<'a>>(arguments: &'a [u8]) -> Result<T, Ran> {
    decode_checked_value(arguments).map_err(|error| Ran::Undecodable(error.message))
}

/// Appends what a task returned.
#[doc(hidden)]
pub fn encode<T: Serialize>(returned: &T, failed: bool, out: &mut Vec<u8>) -> Ran {
    match keeping(|| append_value(out, returned)) {
        Ok(()) if failed => Ran::ReturnedError,
        Ok(()) => Ran::Returned,
        Err(error) => Ran::Unencodable(error.message),
    }
}

/// The type of a function.
#[doc(hidden)]
#[must_use]
pub fn type_of<F: 'static>(_: &F) -> TypeId {
    TypeId::of::<F>()
}

/// What a task returned, to be asked whether it is an `Err`: by method resolution, the trait for a `Result` is
/// found before the one for anything.
#[doc(hidden)]
#[derive(Debug)]
pub struct Returned<'a, T>(pub &'a T);

/// Found for a `Result`.
#[doc(hidden)]
pub trait IsResult {
    /// Whether it is an `Err`.
    fn is_failure(&self) -> bool;
}

impl<T, E> IsResult for Returned<'_, Result<T, E>> {
    fn is_failure(&self) -> bool {
        self.0.is_err()
    }
}

/// Found for anything else.
#[doc(hidden)]
pub trait IsAny {
    /// Never.
    fn is_failure(&self) -> bool;
}

impl<T> IsAny for &Returned<'_, T> {
    fn is_failure(&self) -> bool {
        false
    }
}
