//! Watches and waits for data against a model of them, in virtual time and without sockets: what a watch
//! tells must make of what was known what is there, and a wait must end when it is to, neither sooner nor
//! later.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

#[path = "watching/mod.rs"]
mod watching;
