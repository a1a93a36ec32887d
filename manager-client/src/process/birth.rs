//! Starting a child: this program, run again, with the lifeline as its stdin.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::child::PREFIX;
use super::keeper::{self, Child, Listener};
use super::lifeline::{self, Opening, Work};
use super::{entry, family};
use crate::error::{Error, Reason, Result};
use crate::task::Fault;

/// What a process is to be like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Birth {
    pub(crate) name: String,
    /// It is ended when this process exits; others are waited for.
    pub(crate) daemon: bool,
    /// It outlives this process.
    pub(crate) detached: bool,
    /// Its stdout and stderr are kept for [`Child::output`].
    pub(crate) captured: bool,
    /// Variables that are set, or removed.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    pub(crate) current_dir: Option<PathBuf>,
    /// The server of the objects among its arguments.
    pub(crate) socket: Option<PathBuf>,
}

impl Birth {
    /// Starts a process. `listener` is told what it reports, and that it ended, by a thread of its own.
    pub(crate) fn start(&self, work: Work<'_>, listener: Listener) -> Result<Arc<Child>> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0(format!("{PREFIX}{}", self.name)).args(entry::arguments()?);
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(socket) = &self.socket {
            command.env(manager_protocol::SOCKET_VARIABLE, socket);
        }
        if let Some(folder) = &self.current_dir {
            command.current_dir(folder);
        }
        if self.captured {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        if self.detached {
            // Not of the terminal's foreground: Ctrl-C is not for it.
            command.process_group(0);
        }
        let opening = Opening {
            name: self.name.clone(),
            daemon: self.daemon,
            detached: self.detached,
            socket: self.socket.clone(),
            work,
        };
        family::prepare();
        if family::is_ending() {
            return Err(cannot_start(io::Error::other("this process is about to end")));
        }
        let child = self.spawn(command, lifeline::encode(&opening), listener).map_err(cannot_start)?;
        family::add(&child, self.daemon, self.detached);
        Ok(child)
    }

    fn spawn(&self, mut command: Command, opening: Vec<u8>, listener: Listener) -> io::Result<Arc<Child>> {
        let (ours, theirs) = lifeline::pair(&mut command)?;
        command.stdin(theirs);
        keeper::keep(&self.name, command, ours, opening, listener)
    }
}

pub(crate) fn cannot_start(error: io::Error) -> Error {
    Error::with_source(Reason::Work(Fault::Spawn), error)
}
