//! A running server: its threads and its socket, from start to end.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;
use std::{error, fmt, io};

use manager_socket::SocketError;
use tempfile::TempDir;

use crate::accept::Acceptor;
use crate::config::Config;
use crate::core::{Census, Core};
use crate::cores::Cores;
use crate::lane::{self, Lanes};
use crate::listener::{self, SocketFile};
use crate::stop::StopSwitch;
use crate::worker::{Shared, Worker};

/// A server that listens. Dropping it shuts it down.
///
/// It runs on threads of its own, so it can live in any program, inside an async runtime or not;
/// starting it and shutting it down block the calling thread.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    core: Arc<Core>,
    switches: Vec<StopSwitch>,
    threads: Vec<JoinHandle<()>>,
    // Dropped in this order: the lock is let go of before its directory is removed.
    file: SocketFile,
    _private: Option<TempDir>,
}

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration makes no sense.
    Config {
        /// What is wrong with it.
        fault: String,
    },
    /// The path is no place for a socket.
    Socket(SocketError),
    /// Another server has this socket.
    AlreadyRunning {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is not a socket is at the path.
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// A socket that no manager made is at the path.
    Foreign {
        /// The path.
        path: PathBuf,
    },
    /// The system refused something.
    System {
        /// What was attempted.
        attempt: String,
        /// Why it was refused.
        source: io::Error,
    },
}

impl Server {
    /// Starts a server and returns once it listens.
    ///
    /// # Errors
    /// If the configuration, the place of the socket, or the system does not allow it, or another
    /// server is there already.
    pub fn start(mut config: Config) -> Result<Self, StartError> {
        if let Some(fault) = config.fault() {
            return Err(StartError::Config { fault });
        }
        let (file, listener) = listener::open(&config)?;
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..config.workers).map(|_| tokio::sync::mpsc::unbounded_channel()).unzip();
        let mut acceptor = Some(Acceptor::new(listener, senders.clone(), &config));
        let core = Arc::new(Core::new(config.limits.clone()));
        let mut server = Self {
            socket: config.socket.clone(),
            core: Arc::clone(&core),
            switches: Vec::new(),
            threads: Vec::new(),
            file,
            _private: config.private.take(),
        };
        let (looker, moved) = tokio::sync::mpsc::unbounded_channel();
        let has_lanes = config.max_lanes > 0 && lane::are_useful();
        let lanes = has_lanes.then(|| Arc::new(Lanes::new(&config, looker)));
        let (started, stalled) = (Instant::now(), AtomicU64::new(0));
        let shared = Arc::new(Shared { core, config, started, stalled, lanes, workers: senders });

        let failed = |source| StartError::System { attempt: "start a worker".into(), source };
        let cores = if shared.config.keep_cores { Cores::for_workers(shared.config.workers) } else { None };
        let (started, reports) = mpsc::channel();
        let plain = receivers.into_iter().enumerate().map(|(index, guests)| (Some(index), guests));
        for (index, guests) in plain.chain(has_lanes.then_some((None, moved))) {
            let (switch, stop) = StopSwitch::new();
            let (shared, acceptor) = (Arc::clone(&shared), acceptor.take());
            let cores = cores.clone().filter(|_| index.is_some());
            let worker = Worker { index, guests, shared, stop, acceptor, cores };
            server.switches.push(switch);
            server.threads.push(worker.spawn(started.clone()).map_err(failed)?);
        }
        drop(started);
        for report in reports.iter().take(server.threads.len()) {
            report.map_err(failed)?;
        }
        Ok(server)
    }

    /// The path of the socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Counts what the server holds at the moment.
    #[must_use]
    pub fn census(&self) -> Census {
        self.core.census()
    }

    /// Stops accepting, answers what has arrived, tells every client, and waits for all of that, for
    /// as long as the configuration's `drain` at most.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.file.remove();
        for switch in &self.switches {
            switch.throw();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker ended by a fault in the server");
            }
        }
    }
}

impl StartError {
    /// Whether another server has the socket.
    #[must_use]
    pub fn is_already_running(&self) -> bool {
        matches!(self, Self::AlreadyRunning { .. })
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { fault } => write!(f, "the configuration makes no sense: {fault}"),
            Self::Socket(error) => error.fmt(f),
            Self::AlreadyRunning { path } => write!(f, "a server is already running at {}", path.display()),
            Self::NotASocket { path } => {
                write!(f, "{} is there already and is not a socket; it is left alone", path.display())
            }
            Self::Foreign { path } => write!(
                f,
                "{path} is the socket of another program (there is no {path}.lock beside it); it is left alone",
                path = path.display()
            ),
            Self::System { attempt, .. } => write!(f, "cannot {attempt}"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Socket(error) => error.source(),
            Self::System { source, .. } => Some(source),
            Self::Config { .. } | Self::AlreadyRunning { .. } | Self::NotASocket { .. } | Self::Foreign { .. } => None,
        }
    }
}

impl From<SocketError> for StartError {
    fn from(error: SocketError) -> Self {
        Self::Socket(error)
    }
}
