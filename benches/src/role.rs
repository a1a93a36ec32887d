//! The parts that this program plays: it starts itself as its own clients and servers, and tells them so by their
//! zeroth argument.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;

use rustix::process::{Signal, getpid, kill_process, set_parent_process_death_signal};

use crate::client::Outcome;
use crate::error::BenchError;
use crate::systems::echo;
use crate::{allocator, client};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The program `manager-server`, with the same allocator.
    Server,
    /// The server that sends everything back.
    Echo,
    /// A client of any system whose clients are written in Rust.
    Client,
    /// Another program, which takes this process over and ends with the one that started it.
    Other,
}

const ROLES: [Role; 4] = [Role::Server, Role::Echo, Role::Client, Role::Other];

impl Role {
    /// What this process is to be, if it is not the one that measures.
    pub(crate) fn mine() -> Option<Self> {
        let name = env::args_os().next()?;
        ROLES.into_iter().find(|role| name == role.name())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Server => "manager-bench: server",
            Self::Echo => "manager-bench: echo",
            Self::Client => "manager-bench: client",
            Self::Other => "manager-bench: other",
        }
    }

    /// What starts such a process.
    pub(crate) fn command(self) -> Result<Command, BenchError> {
        let program = env::current_exe().map_err(BenchError::system("find this program"))?;
        let mut command = Command::new(program);
        command.arg0(self.name());
        Ok(command)
    }

    pub(crate) fn play(self) -> Outcome<ExitCode> {
        match self {
            Self::Server => {
                allocator::set_up();
                end_with_stdin();
                Ok(manager_server::daemon::main())
            }
            Self::Echo => {
                end_with_stdin();
                let socket = env::args_os().nth(1).ok_or("no socket was given")?;
                echo::serve(Path::new(&socket))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Client => {
                client::main()?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Other => {
                set_parent_process_death_signal(Some(Signal::TERM))?;
                let mut arguments = env::args_os().skip(1);
                let program = arguments.next().ok_or("no program was given")?;
                Err(format!("{}: {}", program.display(), Command::new(&program).args(arguments).exec()).into())
            }
        }
    }
}

/// A server is told to end when nobody can tell it anything any more.
fn end_with_stdin() {
    thread::spawn(|| {
        let _nothing = io::copy(&mut io::stdin().lock(), &mut io::sink()).is_err();
        let _told = kill_process(getpid(), Signal::TERM).is_err();
    });
}
