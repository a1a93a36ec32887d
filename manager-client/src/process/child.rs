//! The side of the child: what it is to do comes over the lifeline, and what came of it goes back.

use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::exit;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, getpid, kill_process};

use super::lifeline::{self, Opening, Report, Work};
use super::{signals, system};
use crate::error::Result;
use crate::manager::Manager;
use crate::pool;
use crate::reference::{Kept, take_keepers};
use crate::task::{Call, Outcome, Refusal, remember_panics};

/// How the zeroth argument of a child begins; its name follows.
pub(super) const PREFIX: &str = "manager-process ";

/// What a process knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Current {
    /// Its name; `MainProcess` if it was not started by this library.
    pub name: String,
    /// Whether it is ended when its parent exits.
    pub is_daemon: bool,
}

static CURRENT: OnceLock<Current> = OnceLock::new();

/// What this process is called.
///
/// ```
/// assert_eq!(manager_client::current_process().name, "MainProcess");
/// ```
#[doc(alias = "multiprocessing.current_process")]
#[must_use]
pub fn current_process() -> Current {
    CURRENT.get().cloned().unwrap_or_else(|| Current { name: "MainProcess".into(), is_daemon: false })
}

/// The name of a child of this process, by its number: `Process-1`, and of a child `Process-1:2`.
pub(super) fn name_of_child(number: u64) -> String {
    CURRENT.get().map_or_else(|| format!("Process-{number}"), |current| format!("{}:{number}", current.name))
}

/// In a child, runs what it is to do, and does not return.
#[expect(clippy::exit, reason = "the child must not go on with the program's `main`")]
pub(super) fn run_if_child() {
    let Some(lifeline) = lifeline() else { return };
    let Ok(opening) = lifeline::hear(&lifeline) else { exit(UNABLE) };
    let Ok(opening) = rmp_serde::from_slice::<Opening<'_>>(&opening) else { exit(UNABLE) };
    let Opening { name, daemon, detached, socket, work } = opening;
    CURRENT.get_or_init(|| Current { name, is_daemon: daemon });
    if !detached {
        lifeline::die_with_the_parent();
    }
    system::tell_faults(lifeline.as_raw_fd());
    let Ok(farewell) = watch(&lifeline, detached) else { exit(UNABLE) };
    let code = match work {
        Work::Task(call) => {
            remember_panics(true);
            run_task(&call, socket, &lifeline, &farewell)
        }
        Work::Pool(duty) => {
            remember_panics(false);
            signals::leave_to_the_parent();
            pool::work(duty, &mut |report| lifeline::tell(&lifeline, report).is_ok())
        }
    };
    exit(code)
}

/// The lifeline, if this is a child: it came as stdin, which is empty from now on.
fn lifeline() -> Option<UnixStream> {
    let first = std::env::args_os().next()?;
    if !first.as_bytes().starts_with(PREFIX.as_bytes()) {
        return None;
    }
    let stdin = rustix::stdio::stdin();
    if !lifeline::is_the_end_of_a_child(stdin) {
        return None;
    }
    // Not among the descriptors that programs which this one runs inherit, or take for their stdio.
    let lifeline: OwnedFd = rustix::io::fcntl_dupfd_cloexec(stdin, 3).ok()?;
    let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    rustix::stdio::dup2_stdin(&nothing).ok()?;
    Some(UnixStream::from(lifeline))
}

/// Watches the lifeline: when it ends, so does this process. The farewell comes through the channel.
fn watch(lifeline: &UnixStream, detached: bool) -> std::io::Result<Receiver<()>> {
    let mut lifeline = lifeline.try_clone()?;
    let (tell, farewell) = channel();
    thread::Builder::new().name("lifeline".into()).spawn(move || {
        let mut byte = [0];
        loop {
            match lifeline.read(&mut byte) {
                // Nobody need have waited for it.
                Ok(1) => drop(tell.send(())),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => break,
            }
        }
        if !detached {
            // Whatever the task is doing, and whatever handlers there are. There is always a process of one's own.
            let _sent = kill_process(getpid(), Signal::KILL);
        }
    })?;
    Ok(farewell)
}

/// Runs a task and tells what came of it; the exit code.
fn run_task(call: &Call<'_>, socket: Option<PathBuf>, lifeline: &UnixStream, farewell: &Receiver<()>) -> i32 {
    let outcome = match unpack(call, socket) {
        Ok(arguments) => arguments.within(|_| call.run()),
        Err(error) => Outcome::Refused(Refusal::NoServer { fault: error.to_string() }),
    };
    // What the result refers to is held until the parent holds it.
    let keepers = take_keepers();
    let code = match &outcome {
        Outcome::Returned(_) => 0,
        Outcome::ReturnedError(_) => 1,
        Outcome::Panicked(_) => PANICKED,
        Outcome::Refused(_) => UNABLE,
    };
    // A parent that is gone need not be told.
    if lifeline::tell(lifeline, &Report::Done(outcome)).is_ok() && !keepers.is_empty() {
        let _gone = farewell.recv().is_err();
    }
    code
}

/// The arguments, with proxies for the references in them.
fn unpack(call: &Call<'_>, socket: Option<PathBuf>) -> Result<Kept> {
    if !manager_protocol::may_have_references(call.arguments.as_slice()) {
        return Ok(Kept::new(&call.arguments, None));
    }
    let manager = match socket {
        Some(socket) => Manager::connect(socket)?,
        None => Manager::from_env()?,
    };
    Kept::received(&call.arguments, &manager)
}

/// As of a program that panics.
const PANICKED: i32 = 101;

/// The exit code of a child that could not run its task: `EX_SOFTWARE` of sysexits(3).
const UNABLE: i32 = 70;
