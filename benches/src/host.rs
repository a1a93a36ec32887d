//! The servers: how each is started, and when it can be used.

use std::ffi::OsStr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::child::Child;
use crate::error::BenchError;
use crate::role::Role;
use crate::system::Server;

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Host {
    child: Child,
    socket: PathBuf,
}

impl Host {
    /// Starts it, with its socket in this folder, and waits until it listens.
    pub(crate) fn start(server: Server, folder: &Path, programs: &Programs) -> Result<Self, BenchError> {
        let socket = folder.join(match server {
            Server::Echo => "echo.sock",
            Server::Manager => "manager.sock",
            Server::Redis => "redis.sock",
            Server::Cpython => "cpython.sock",
        });
        let mut command = match (server, &programs.ours) {
            (Server::Echo, _) => Role::Echo.command()?,
            (Server::Manager, None) => Role::Server.command()?,
            (Server::Manager, Some(program)) => other(program.as_ref())?,
            (Server::Redis, _) => other("redis-server".as_ref())?,
            (Server::Cpython, _) => programs.python(),
        };
        match server {
            Server::Echo => command.arg(&socket),
            Server::Manager => command.arg("--socket").arg(&socket).args(["--log", "error"]),
            Server::Redis => {
                command.args(["--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning"]);
                command.arg("--unixsocket").arg(&socket).arg("--dir").arg(folder)
            }
            Server::Cpython => command.arg("server").arg(&socket),
        };
        let mut child = Child::start(server.to_string(), command, folder)?;
        let begun = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            child.check()?;
            if begun.elapsed() > STARTED_WITHIN {
                return Err(child.died());
            }
            sleep(Duration::from_millis(2));
        }
        Ok(Self { child, socket })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

/// The programs that are not this one.
#[derive(Debug)]
pub(crate) struct Programs {
    /// What stands in for our server.
    pub(crate) ours: Option<PathBuf>,
    pub(crate) python: PathBuf,
}

impl Programs {
    /// Python with the program that is server or client.
    pub(crate) fn python(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/manager.py"));
        command
    }
}

/// A program that ends with this one, whatever becomes of this one.
fn other(program: &OsStr) -> Result<Command, BenchError> {
    let mut command = Role::Other.command()?;
    command.arg(program);
    Ok(command)
}

const STARTED_WITHIN: Duration = Duration::from_secs(20);
