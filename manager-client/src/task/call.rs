//! Running a task that another process has named.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use manager_protocol::Encoded;
use serde::{Deserialize, Serialize};

use super::registry::{find, named, number};
use super::{Outcome, Ran, Refusal, Registration, TaskError};

/// A task as another process names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) signature: String,
}

impl Named {
    pub(crate) fn new(name: &str, signature: &str) -> Self {
        Self { name: name.to_owned(), signature: signature.to_owned() }
    }

    /// What means this task in every program that has it.
    pub(crate) fn number(&self) -> u64 {
        number(&self.name, &self.signature)
    }

    /// Why this program does not have the task.
    fn refuse(&self) -> Refusal {
        let name = self.name.clone();
        match named(&name) {
            None => Refusal::Unknown { name },
            Some(found) => Refusal::OtherSignature { name, wanted: self.signature.clone(), found: found.to_owned() },
        }
    }
}

/// A task with arguments, encoded as a tuple.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call<'a> {
    pub(crate) task: Named,
    #[serde(borrow)]
    pub(crate) arguments: Encoded<'a>,
}

impl Call<'_> {
    /// Runs it in this thread. A panic is data.
    pub(crate) fn run(&self) -> Outcome<'static> {
        if find(self.task.number()).is_none() {
            return Outcome::Refused(self.task.refuse());
        }
        invoke(self.task.number(), self.arguments.as_slice())
    }
}

/// Runs the task with a number in this thread. A panic is data.
fn invoke(task: u64, arguments: &[u8]) -> Outcome<'static> {
    let Some(registration) = find(task) else {
        return Outcome::Refused(Refusal::Unknown { name: format!("{task:016x}") });
    };
    let mut returned = Vec::new();
    forget_panics();
    match attempt(registration, arguments, &mut returned) {
        Ok(true) => Outcome::Returned(own(returned)),
        Ok(false) => Outcome::ReturnedError(own(returned)),
        Err(outcome) => outcome,
    }
}

/// Runs a task in this thread and appends what it returned; whether that is no `Err`. A panic is data.
///
/// # Errors
/// A panic, or a refusal; the output is then as it was.
pub(crate) fn attempt(
    registration: &Registration,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Result<bool, Outcome<'static>> {
    let start = out.len();
    // What the task leaves half done is its own; nothing of this crate is in its hands.
    let ran = catch_unwind(AssertUnwindSafe(|| (registration.run)(arguments, out)));
    let name = || registration.name.to_owned();
    let failure = match ran {
        Ok(Ran::Returned) => return Ok(true),
        Ok(Ran::ReturnedError) => return Ok(false),
        Ok(Ran::Undecodable(fault)) => Outcome::Refused(Refusal::Undecodable { name: name(), fault }),
        Ok(Ran::Unencodable(fault)) => Outcome::Refused(Refusal::Unencodable { name: name(), fault }),
        Err(payload) => {
            let told = PANIC.take().unwrap_or_else(|| TaskError::panic(message_of(&*payload), None, None));
            // Dropping what somebody panicked with may panic as well.
            std::mem::forget(payload);
            Outcome::Panicked(told)
        }
    };
    out.truncate(start);
    Err(failure)
}

fn own(bytes: Vec<u8>) -> Encoded<'static> {
    Encoded::from(std::sync::Arc::<[u8]>::from(bytes))
}

thread_local! {
    /// The latest panic of this thread.
    static PANIC: RefCell<Option<TaskError>> = const { RefCell::new(None) };
}

/// From now on panics are remembered with their place and backtrace; they are also told on stderr, or not.
pub(crate) fn remember_panics(also_tell: bool) {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if also_tell {
            tell(panic);
        }
        let location = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::force_capture().to_string();
        let failure = TaskError::panic(message_of(panic.payload()), location, Some(backtrace));
        // There is no place for it any more in a thread that ends.
        let _ = PANIC.try_with(|place| place.replace(Some(failure)));
    }));
}

/// Forgets the panics that this thread has caught before.
pub(crate) fn forget_panics() {
    PANIC.take();
}

fn message_of(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a value that is no text".to_owned())
}

#[cfg(test)]
mod tests {
    use manager_client::task;

    use super::*;
    use crate::argument::cannot_decode;

    #[task(name = "call::double")]
    fn double(x: u8) -> u8 {
        x * 2
    }

    fn call(signature: &str, name: &str, arguments: &impl Serialize) -> Outcome<'static> {
        let arguments = manager_protocol::encode_value(arguments).unwrap();
        Call { task: Named::new(name, signature), arguments: Encoded::from(&arguments) }.run()
    }

    #[test]
    fn a_call_of_another_program_is_run_or_refused_by_its_name() {
        let returned = call("fn(u8) -> u8", "call::double", &(4,));
        let read = |outcome: Outcome<'static>| outcome.read(|value| value.decode::<u8>().map_err(cannot_decode));
        assert_eq!(read(returned).unwrap(), 8);
        let refused = |outcome| read(outcome).unwrap_err();

        let error = refused(call("fn(u8) -> u8", "call::double", &("four",)));
        assert!(
            !error.is_unknown_task() && error.to_string().contains("arguments of the task call::double"),
            "{error}"
        );
        let error = refused(call("fn(u8) -> u8", "call::double", &(4, 5)));
        assert!(error.to_string().contains("cannot be decoded"), "{error}");
        let error = refused(call("fn(u64) -> u64", "call::double", &(4,)));
        assert!(error.is_unknown_task() && error.to_string().contains("is fn(u8) -> u8 in the program"), "{error}");
        let error = refused(call("fn(u8) -> u8", "call::triple", &(4,)));
        assert!(error.is_unknown_task() && error.to_string().contains("no task call::triple"), "{error}");
    }
}
