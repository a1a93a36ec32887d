//! What a server is to be: where it listens, for whom, and within which limits.

use std::num::NonZero;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, io, thread};

use manager_protocol::MAX_HELLO_BYTES;
use tempfile::TempDir;

use crate::core::Limits;
use crate::tempo::Looking;

/// The configuration of a [`Server`](crate::Server).
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// The path of the socket.
    pub socket: PathBuf,
    /// How many threads serve connections.
    pub workers: usize,
    /// Whether each worker stays on a core of its own, if there are as many of the one as of the other.
    pub keep_cores: bool,
    /// Limits on what is held, and on the sizes of frames and messages.
    pub limits: Limits,
    /// Most connections at one time; one more is told so and closed.
    pub max_connections: usize,
    /// Most lanes at one time: rings in shared memory for clients that ask for them, 84 KiB each; 0 for none.
    pub max_lanes: usize,
    /// Whether lanes are looked into after every request, and not only where that was found to get more done. So it is
    /// unless told otherwise if the environment variable `MANAGER_LANES` is `eager`.
    pub eager_lanes: bool,
    /// When lanes are looked into, if that is not after every request.
    pub looking: Looking,
    /// Most connections at one time that have not said hello; more wait to be accepted.
    pub max_unauthenticated: usize,
    /// How long a connection may take to say hello.
    pub hello_timeout: Duration,
    /// How long the server waits for the rest of a frame, or of a message in parts.
    pub frame_timeout: Duration,
    /// How long a client may take nothing of its replies before it is disconnected.
    pub write_timeout: Duration,
    /// How long a shutdown waits for what is running and for clients to take their replies.
    pub drain: Duration,
    /// Users that may connect beside the server's own.
    pub allow_uids: Vec<u32>,
    /// Groups whose members may connect. Only the primary group of a process counts.
    pub allow_gids: Vec<u32>,
    /// Removed, with all that is in it, when the server ends.
    pub(crate) private: Option<TempDir>,
}

impl Config {
    /// The defaults, at this socket.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            workers: thread::available_parallelism().map_or(1, NonZero::get),
            keep_cores: true,
            limits: Limits::default(),
            max_connections: 4096,
            max_lanes: 256,
            eager_lanes: env::var_os("MANAGER_LANES").is_some_and(|policy| policy == "eager"),
            looking: Looking::default(),
            max_unauthenticated: 64,
            hello_timeout: Duration::from_secs(5),
            frame_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(5),
            allow_uids: Vec::new(),
            allow_gids: Vec::new(),
            private: None,
        }
    }

    /// The defaults, at a socket in a fresh directory that only this user can enter: under
    /// `$XDG_RUNTIME_DIR`, or else among the temporary files. The directory goes with the server.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn private() -> io::Result<Self> {
        let directory = match env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
            Some(runtime) if runtime.is_absolute() => {
                private_directory(runtime).or_else(|_| private_directory(env::temp_dir()))
            }
            Some(_) | None => private_directory(env::temp_dir()),
        }?;
        let socket = directory.path().join("manager.sock");
        Ok(Self { private: Some(directory), ..Self::new(socket) })
    }

    /// Whether others than the server's own user may connect.
    pub(crate) fn is_shared(&self) -> bool {
        !self.allow_uids.is_empty() || !self.allow_gids.is_empty()
    }

    /// What makes no sense, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        let counts = [
            ("workers", self.workers),
            ("max_connections", self.max_connections),
            ("max_unauthenticated", self.max_unauthenticated),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Some(format!("{name} is 0"));
        }
        let frame = self.limits.max_frame;
        (!(MAX_HELLO_BYTES..=LARGEST_FRAME).contains(&frame))
            .then(|| format!("max_frame is {frame} bytes, not from {MAX_HELLO_BYTES} to {LARGEST_FRAME}"))
    }
}

fn private_directory(parent: PathBuf) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("manager-").permissions(fs::Permissions::from_mode(0o700)).tempdir_in(parent)
}

/// Most that `max_frame` may be: a frame is held in memory, and its length has 32 bits.
pub(crate) const LARGEST_FRAME: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_sockets_are_apart_and_nobody_else_can_reach_them() {
        let (one, other) = (Config::private().unwrap(), Config::private().unwrap());
        assert_ne!(one.socket, other.socket);
        manager_socket::check_directory(&one.socket, None).unwrap();
    }

    #[test]
    fn the_defaults_make_sense_and_zero_does_not() {
        let mut config = Config::new("/run/manager.sock");
        assert_eq!(config.fault(), None);
        config.workers = 0;
        assert_eq!(config.fault().unwrap(), "workers is 0");
        config.workers = 1;
        config.limits.max_frame = 7;
        assert!(config.fault().unwrap().starts_with("max_frame is 7 bytes"));
    }
}
