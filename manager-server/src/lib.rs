//! A server of shared dicts, lists, queues and locks: one process holds them, any number of others use
//! them by requests over a Unix socket.
//!
//! [`Server`] runs one inside any program; the program `manager-server` is one by itself. What the
//! requests do is decided by [`core`], which knows nothing of sockets, threads or time; everything
//! else here carries frames to it and back, and keeps peers within their limits.
//!
//! ```
//! use manager_server::{Config, Server};
//!
//! let server = Server::start(Config::private()?)?;
//! println!("clients connect to {}", server.socket().display());
//! server.shutdown();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod core;
mod cores;
#[cfg(feature = "daemon")]
pub mod daemon;

mod accept;
#[cfg(feature = "daemon")]
mod args;
mod clock;
mod config;
mod connection;
mod conversation;
mod handshake;
mod inbox;
mod lane;
mod listener;
mod process;
mod server;
mod stop;
mod tempo;
mod tidy;
mod wire;
mod worker;

pub use config::Config;
pub use server::{Server, StartError};
pub use tempo::Looking;
