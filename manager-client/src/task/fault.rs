//! Why a task, a process or a pool failed.

use std::fmt;
use std::time::Duration;

use super::{Refusal, TaskError};
use crate::process::Exit;

/// Why a task, a process or a pool failed.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// A function, or a type, without the attribute.
    NotATask(&'static str),
    /// Two tasks have this name.
    SameName(&'static str),
    /// `main` does not begin with `init`.
    NotInitialised,
    /// There are references among the arguments, and no server is given.
    NoManager,
    /// A process could not be started.
    Spawn,
    AlreadyStarted(String),
    NotStarted(String),
    StillRunning(String),
    ClosedProcess(String),
    Panicked(TaskError),
    Refused(Refusal),
    /// A process ended before its task had returned.
    Lost(Lost),
    TimedOut(Duration),
    Cancelled,
    NoWorkers,
    NotReady,
    NotClosed,
    Closed,
    Terminated,
    Broken(String),
    /// No worker knows the task any more.
    Unserved,
}

/// What is known of a process that ended before its task had returned.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    pub(crate) pid: Option<u32>,
    pub(crate) exit: Option<Exit>,
    /// How often the task was begun.
    pub(crate) attempts: u32,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process that ran the task")?;
        self.pid.map_or(Ok(()), |pid| write!(f, ", {pid},"))?;
        match &self.exit {
            Some(exit) => write!(f, " {exit}")?,
            None => f.write_str(" ended")?,
        }
        f.write_str(" before it returned")?;
        if self.attempts > 1 { write!(f, ", at attempt {}", self.attempts) } else { Ok(()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATask(name) => write!(f, "`{name}` is not a task: put the attribute `#[task]` on it"),
            Self::SameName(name) => {
                write!(f, "two tasks of this program are called {name:?}: give one another name with `#[task(name = \"…\")]`")
            }
            Self::NotInitialised => f.write_str(
                "`manager_client::init()` was not called: it must be the first line of `main`, because processes are \
                 made by running this program again; in tests, write `manager_client::enable_tests!();` in the test's crate",
            ),
            Self::NoManager => f.write_str(
                "there are proxies among the arguments: make the process with `manager.process(…)`, so that it knows \
                 their server",
            ),
            Self::Spawn => f.write_str("cannot start a process"),
            Self::AlreadyStarted(name) => write!(f, "{name} was started already"),
            Self::NotStarted(name) => write!(f, "{name} was not started yet"),
            Self::StillRunning(name) => write!(f, "{name} is still running: join it, or end it, before it is closed"),
            Self::ClosedProcess(name) => write!(f, "{name} was closed"),
            Self::Panicked(failure) => {
                write!(f, "the task panicked")?;
                failure.location().map_or(Ok(()), |location| write!(f, " at {location}"))?;
                write!(f, ": {failure}")
            }
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::Lost(lost) => write!(f, "{lost}"),
            Self::TimedOut(limit) => write!(f, "the task took longer than its limit of {limit:?}; its worker was ended"),
            Self::Cancelled => f.write_str("the task was cancelled"),
            Self::NoWorkers => f.write_str("a pool of 0 workers would never do anything"),
            Self::NotReady => f.write_str("the result is not ready yet"),
            Self::NotClosed => f.write_str("the pool must be closed or terminated before it is joined"),
            Self::Closed => f.write_str("the pool was closed: it takes no more tasks"),
            Self::Terminated => f.write_str("the pool was terminated"),
            Self::Broken(reason) => write!(f, "the pool is broken: {reason}"),
            Self::Unserved => f.write_str("no worker of the pool knows the task any more"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "the program has no task {name}: it was built from other sources"),
            Self::OtherSignature { name, wanted, found } => {
                write!(f, "the task {name} is {found} in the program, not {wanted}: it was built from other sources")
            }
            Self::Undecodable { name, fault } => {
                write!(f, "the arguments of the task {name} cannot be decoded: {fault}")
            }
            Self::Unencodable { name, fault } => write!(f, "the result of the task {name} cannot be encoded: {fault}"),
            Self::NoServer { fault } => write!(f, "the process cannot reach the server of its arguments: {fault}"),
        }
    }
}
