//! The program `manager-server` around a [`Server`]: arguments, log, signals, exit codes.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::args::{Args, LogFormat};
use crate::server::{Server, StartError};

/// Runs the program: serves until it is told to stop.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _closed = error.print().is_err();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    start_log(&args);
    raise_file_limit();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            complain(&*error);
            match error.downcast_ref::<StartError>() {
                Some(error) if error.is_already_running() => ExitCode::from(ALREADY_RUNNING),
                Some(_) | None => ExitCode::FAILURE,
            }
        }
    }
}

fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    // Before the server starts: whoever sees it ready may tell it to stop.
    let mut signals = runtime.block_on(async { Signals::new() })?;
    let server = Server::start(args.config()?)?;
    announce(server.socket());
    runtime.block_on(signals.next());
    tracing::info!("shutting down");
    Ok(stop(runtime, server, signals))
}

/// Shuts the server down, or gives up on that at the next signal.
fn stop(runtime: Runtime, server: Server, mut signals: Signals) -> ExitCode {
    let code = runtime.block_on(async {
        let shutdown = tokio::task::spawn_blocking(move || server.shutdown());
        tokio::select! {
            ended = shutdown => if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE },
            () = signals.next() => ExitCode::from(INTERRUPTED),
        }
    });
    runtime.shutdown_background();
    code
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Says on stdout that clients can connect: one line, for people and for scripts.
fn announce(socket: &Path) {
    let mut stdout = io::stdout();
    let line = format!("manager-server {} listening on {}\n", env!("CARGO_PKG_VERSION"), socket.display());
    if let Err(error) = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()) {
        tracing::warn!(%error, "cannot write to stdout");
    }
}

fn complain(error: &dyn Error) {
    let mut sentence = format!("manager-server: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        sentence += &format!(": {cause}");
        source = cause.source();
    }
    let _closed = writeln!(io::stderr(), "{sentence}").is_err();
}

fn start_log(args: &Args) {
    let filter = match args.log {
        Some(level) => EnvFilter::new(level.name()),
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match args.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Each connection needs a file descriptor; the usual soft limit is below what the hard one allows.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "cannot raise the limit on open files");
    }
}

const ALREADY_RUNNING: u8 = 3;
const INTERRUPTED: u8 = 130;
