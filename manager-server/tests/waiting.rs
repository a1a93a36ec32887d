//! The core's waiting objects against models of them, in virtual time and without sockets: whatever is
//! done to both, they must answer alike.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

#[path = "waiting/mod.rs"]
mod waiting;
