//! What the tests share: a server to talk to, and every way to talk to it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

pub mod history;
mod in_process;
mod server;
mod wait;

pub use in_process::InProcess;
pub use server::{TestServer, server, server_with};
pub use wait::{block_on, wait};
