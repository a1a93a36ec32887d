//! The program with its family, as the tests see it from outside.

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::child::{Worker, eventually};

/// The program, with what it has said of its family.
pub(crate) struct Program {
    pub(crate) worker: Worker,
    pids: HashMap<String, u32>,
    folder: Option<PathBuf>,
}

/// A command that plays a role, in a process group of its own.
pub(crate) fn family(arguments: &[&str]) -> Command {
    // Tests that run in the background inherit from the shell that SIGINT is ignored, and would hand that down.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT,TERM", PROGRAM]).args(arguments);
    command.env_remove(manager_protocol::SOCKET_VARIABLE).process_group(0);
    command
}

/// A command of which the zeroth argument can be changed.
pub(crate) fn plain(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove(manager_protocol::SOCKET_VARIABLE).process_group(0);
    command
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_manager-test-family");

impl Program {
    /// Starts it, and returns when so many processes have said who they are.
    #[track_caller]
    pub(crate) fn start(command: Command, members: usize) -> Self {
        let mut program = Self { worker: Worker::start(command), pids: HashMap::new(), folder: None };
        while program.pids.len() < members {
            let line = program.worker.line();
            let (name, rest) = line.split_once(' ').unwrap();
            if name == "folder" {
                program.folder = Some(rest.into());
            } else {
                program.pids.insert(name.to_owned(), rest.parse().unwrap());
            }
        }
        program
    }

    pub(crate) fn pid_of(&self, name: &str) -> u32 {
        self.pids[name]
    }

    /// Sends a signal to the program, or to all of its process group.
    pub(crate) fn signal(&self, signal: Signal, group: bool) {
        let pid = Pid::from_raw(self.worker.id().try_into().unwrap()).unwrap();
        if group { kill_process_group(pid, signal) } else { kill_process(pid, signal) }.unwrap();
    }

    /// Whether its main thread waits for something.
    pub(crate) fn is_waiting(&self) -> bool {
        let thread = format!("/proc/{0}/task/{0}", self.worker.id());
        crate::child::thread_state(thread.as_ref()) == Some('S')
    }

    /// Whether the private server's directory is there.
    pub(crate) fn has_folder(&self) -> bool {
        self.folder.as_ref().unwrap().exists()
    }

    pub(crate) fn remove_folder(&self) {
        fs::remove_dir_all(self.folder.as_ref().unwrap()).unwrap();
    }

    /// Waits until no process of the family is left; how long that took since then.
    #[track_caller]
    pub(crate) fn await_none_left(&self, since: Instant) -> Duration {
        for (name, pid) in &self.pids {
            eventually(&format!("{name} is gone"), || (!is_there(*pid)).then_some(()));
        }
        since.elapsed()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What a test that failed has left.
        for pid in self.pids.values().filter(|pid| is_there(**pid)) {
            let _gone = kill_process(Pid::from_raw((*pid).try_into().unwrap()).unwrap(), Signal::KILL).is_err();
        }
    }
}

/// Whether all threads of a process have stopped.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let mut threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.all(|thread| crate::child::thread_state(&thread.unwrap().path()) == Some('T'))
}

/// Whether a process is there, and not a zombie that waits to be reaped.
pub(crate) fn is_there(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with(['Z', 'X'])))
}
