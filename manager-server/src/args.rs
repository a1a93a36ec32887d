//! The arguments of the program `manager-server`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};
use manager_protocol::MAX_HELLO_BYTES;
use manager_socket::SocketError;

use crate::config::{Config, LARGEST_FRAME};

/// Holds dicts, lists, queues, locks and more in memory and lets many processes share them over a Unix
/// socket.
#[derive(Debug, Parser)]
#[command(name = "manager-server", version, after_help = MORE, max_term_width = 100)]
pub(crate) struct Args {
    /// Where to listen [default: $XDG_RUNTIME_DIR/manager/manager.sock, else the same under
    /// /run/user/UID, else, for root, /run/manager/manager.sock]
    ///
    /// The directory must belong to you and be open to nobody else. It is made if it is missing.
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    /// Threads that serve connections [default: one for each CPU]
    #[arg(long, value_name = "N", value_parser = count(1024))]
    pub(crate) workers: Option<usize>,

    /// Leave it to the system on which cores the workers run
    ///
    /// Otherwise each stays on one, if there are as many cores as workers.
    #[arg(long)]
    pub(crate) any_core: bool,

    /// Largest request that a client may send in parts, such as 100MB or 1GiB [default: 512MiB]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) max_message: Option<usize>,

    /// Largest frame, sent or received; what is larger travels in parts [default: 16MiB]
    #[arg(long, value_name = "BYTES", value_parser = frame)]
    pub(crate) max_frame: Option<usize>,

    /// Most connections at one time [default: 4096]
    #[arg(long, value_name = "N", value_parser = count(1 << 20))]
    pub(crate) max_connections: Option<usize>,

    /// Most objects at one time [default: 1000000]
    #[arg(long, value_name = "N", value_parser = count(u64::MAX))]
    pub(crate) max_objects: Option<usize>,

    /// Most entries of a dict, or values of a list [default: 134217728]
    #[arg(long, value_name = "N", value_parser = count(u32::MAX.into()))]
    pub(crate) max_items: Option<usize>,

    /// Most sessions at one time [default: 100000]
    #[arg(long, value_name = "N", value_parser = count(1 << 24))]
    pub(crate) max_sessions: Option<usize>,

    /// Most requests of one session that wait at one time [default: 100000]
    #[arg(long, value_name = "N", value_parser = count(1 << 24))]
    pub(crate) max_waiting: Option<usize>,

    /// Most clients that get rings in shared memory beside their connection, 84 KiB each [default: 256]
    #[arg(long, value_name = "N", value_parser = count(1 << 16), conflicts_with = "no_shared_memory")]
    pub(crate) max_lanes: Option<usize>,

    /// Look for requests in shared memory after every one, and not only where that was found to get more done
    ///
    /// The answer to a request that comes within two milliseconds of another takes a fraction of the time, and a core is
    /// busy meanwhile. The same as the environment variable MANAGER_LANES=eager.
    #[arg(long, conflicts_with = "no_shared_memory")]
    pub(crate) eager_lanes: bool,

    /// Requests a second that must be answered for them to be looked for in shared memory, which is tried from an
    /// eighth of them on [default: 8000]
    #[arg(long, value_name = "N", value_parser = count(1 << 32), conflicts_with = "no_shared_memory")]
    pub(crate) look_least_rate: Option<usize>,

    /// Over how long requests are counted, to compare looking with waiting, in seconds [default: 0.005]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "no_shared_memory")]
    pub(crate) look_window: Option<Duration>,

    /// How many times as many requests must be answered while looking as while waiting [default: 1.15]
    #[arg(long, value_name = "FACTOR", value_parser = factor, conflicts_with = "no_shared_memory")]
    pub(crate) look_gain: Option<f64>,

    /// Without a request for so long, wait at the sockets again, in seconds [default: 0.00006]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "no_shared_memory")]
    pub(crate) look_idle: Option<Duration>,

    /// Give no client rings in shared memory: all talk over the socket
    #[arg(long)]
    pub(crate) no_shared_memory: bool,

    /// How long the session of a living process is kept without a connection [default: 10]
    ///
    /// Then its locks pass on and its leases return. When its process ends they do so at once.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) grace: Option<Duration>,

    /// Let this user connect too; may be given several times
    ///
    /// With this or --allow-gid, the socket can be reached by everybody who can enter its directory,
    /// and the system's word for who connects decides.
    #[arg(long = "allow-uid", value_name = "UID")]
    pub(crate) allow_uids: Vec<u32>,

    /// Let processes of this (primary) group connect too; may be given several times
    #[arg(long = "allow-gid", value_name = "GID")]
    pub(crate) allow_gids: Vec<u32>,

    /// How much to log to stderr [default: $RUST_LOG, else info]
    ///
    /// Keys and values are never logged.
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub(crate) log: Option<LogLevel>,

    /// How to write the log
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How each line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl Args {
    /// The configuration that the arguments ask for.
    pub(crate) fn config(&self) -> Result<Config, SocketError> {
        let socket = self.socket.clone().map_or_else(manager_socket::default_socket, Ok)?;
        let mut config = Config::new(socket);
        let replace = |place: &mut usize, given: Option<usize>| *place = given.unwrap_or(*place);
        replace(&mut config.workers, self.workers);
        replace(&mut config.limits.max_message, self.max_message);
        replace(&mut config.limits.max_frame, self.max_frame);
        replace(&mut config.max_connections, self.max_connections);
        replace(&mut config.max_lanes, if self.no_shared_memory { Some(0) } else { self.max_lanes });
        replace(&mut config.limits.max_objects, self.max_objects);
        replace(&mut config.limits.max_items, self.max_items);
        replace(&mut config.limits.max_sessions, self.max_sessions);
        replace(&mut config.limits.max_waiting, self.max_waiting);
        config.limits.grace = self.grace.unwrap_or(config.limits.grace);
        config.eager_lanes |= self.eager_lanes;
        let looking = &mut config.looking;
        looking.least_rate = self.look_least_rate.map_or(looking.least_rate, |rate| rate as f64);
        looking.window = self.look_window.unwrap_or(looking.window);
        looking.gain = self.look_gain.unwrap_or(looking.gain);
        looking.idle = self.look_idle.unwrap_or(looking.idle);
        config.keep_cores = !self.any_core;
        config.allow_uids.clone_from(&self.allow_uids);
        config.allow_gids.clone_from(&self.allow_gids);
        Ok(config)
    }
}

impl LogLevel {
    /// The level's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

fn count(max: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=max)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| *time <= LONGEST_GRACE).ok_or_else(|| "not a number of seconds from 0 to 86400".to_owned())
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| factor.is_finite() && *factor >= 0.0);
    factor.ok_or_else(|| "not a number from 0".to_owned())
}

fn frame(text: &str) -> Result<usize, String> {
    let size = bytes(text)?;
    if !(MAX_HELLO_BYTES..=LARGEST_FRAME).contains(&size) {
        return Err(format!("not from {MAX_HELLO_BYTES} bytes to {LARGEST_FRAME}"));
    }
    Ok(size)
}

fn bytes(text: &str) -> Result<usize, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(format!("unknown unit {:?}: use B, KB, MB, GB, KiB, MiB or GiB", unit.trim())),
    };
    let number: usize = digits.parse().map_err(|_| "not a number of bytes, such as 1000000, 100MB or 1GiB")?;
    match number.checked_mul(factor) {
        None => Err("more bytes than can be counted".into()),
        Some(0) => Err("0 bytes is too little".into()),
        Some(size) => Ok(size),
    }
}

const MORE: &str = "\
Example:
  manager-server --socket /run/user/1000/demo/manager.sock
  prints `manager-server VERSION listening on PATH` once clients can connect. Stop it with Ctrl-C or
  SIGTERM: it finishes what is running and tells its clients. What it holds is gone then.

Exit codes:
  0    stopped as asked
  1    failed
  2    wrong arguments
  3    a server is already running at this socket
  130  told a second time to stop, and did so at once";

/// A day: who is away for longer has gone.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_defined() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        for (text, size) in [("1", 1), ("100MB", 100_000_000), ("1GiB", 1 << 30), ("64 kib", 65536), ("2m", 2 << 20)] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "MB", "-1", "1.5GB", "1TB", "0", "0x10", "99999999999999999999", "99999999999999GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_given_replaces_the_default() {
        let given = ["manager-server", "--socket", "/s", "--workers", "3", "--max-frame", "1MiB", "--allow-uid", "7"];
        let config = Args::parse_from(given).config().unwrap();
        assert_eq!(config.socket, PathBuf::from("/s"));
        assert_eq!((config.workers, config.limits.max_frame), (3, 1 << 20));
        assert_eq!((config.allow_uids, config.max_connections), (vec![7], 4096));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [["--workers", "0"], ["--max-frame", "7"], ["--max-frame", "2GiB"], ["--log", "loud"]] {
            assert!(Args::try_parse_from([&["manager-server"], &wrong[..]].concat()).is_err(), "{wrong:?}");
        }
    }
}
