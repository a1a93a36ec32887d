//! The worker program as a child process: a server of its own, or a client that does as it is told.

use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

/// A child process whose lines are read; killed on drop.
pub(crate) struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts what `command` says, with pipes to its stdin and from its stdout.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that it writes; it must not end before.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        self.lines.next().expect("the worker says something before it ends").unwrap()
    }

    /// Sends it a line.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops all its threads, and returns when they have stopped.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        let threads = PathBuf::from(format!("/proc/{}/task", self.id()));
        eventually("the process stops", || {
            let mut states = fs::read_dir(&threads).unwrap().map(|thread| thread_state(&thread.unwrap().path()));
            states.all(|state| state.is_none_or(|state| state == 'T')).then_some(())
        });
    }

    /// Closes its stdin and waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().unwrap()
    }

    /// A figure in KiB from the kernel's account of its memory: `VmRSS` now, `VmHWM` at most so far.
    pub(crate) fn memory(&self, figure: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill().is_err();
        self.child.wait().unwrap();
    }
}

/// The worker program in a role.
pub(crate) fn worker(role: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manager-test-worker"));
    command.arg(role).env_remove(manager_protocol::SOCKET_VARIABLE);
    command
}

/// A place for a socket that only this user can enter.
pub(crate) struct Place {
    _folder: tempfile::TempDir,
    pub(crate) socket: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap();
        let socket = folder.path().join("manager.sock");
        Self { _folder: folder, socket }
    }
}

/// A server in a process of its own, listening. `changes` to its configuration are the worker's flags.
pub(crate) fn serve(socket: &Path, changes: &[&str]) -> Worker {
    let mut command = worker("serve");
    command.arg(socket).args(changes);
    let mut server = Worker::start(command);
    assert_eq!(server.line(), "listening");
    server
}

/// What a thread does, by its folder in `/proc`: `S` waits, `T` is stopped; `None` if it has ended.
pub(crate) fn thread_state(thread: &Path) -> Option<char> {
    let stat = fs::read_to_string(thread.join("stat")).ok()?;
    stat.rsplit_once(") ").and_then(|(_, state)| state.chars().next())
}

/// Looks again and again until there is something to see.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
