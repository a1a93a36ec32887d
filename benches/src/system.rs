//! What is measured: servers, and ways to use them.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A server together with a way to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum System {
    /// A socket whose other end sends everything back: the floor.
    Echo,
    /// This project's server and its blocking client as they are: one thread a process, by whichever way is better.
    Manager,
    /// The same server and client, held to the socket.
    Socket,
    /// This project's server and its blocking client, all threads of one process on one manager.
    Threads,
    /// This project's server and its async client, all tasks of one process on one connection.
    Async,
    /// Redis and the crate of that name.
    Redis,
    /// Python's `multiprocessing` with server and clients in Python.
    Cpython,
}

/// The program that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    Echo,
    Manager,
    Redis,
    Cpython,
}

impl System {
    pub(crate) fn server(self) -> Server {
        match self {
            Self::Echo => Server::Echo,
            Self::Manager | Self::Socket | Self::Threads | Self::Async => Server::Manager,
            Self::Redis => Server::Redis,
            Self::Cpython => Server::Cpython,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Manager => "manager",
            Self::Socket => "socket",
            Self::Threads => "threads",
            Self::Async => "async",
            Self::Redis => "redis",
            Self::Cpython => "cpython",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Echo => "the echo server",
            Self::Manager => "manager-server",
            Self::Redis => "redis-server",
            Self::Cpython => "CPython's manager",
        })
    }
}
