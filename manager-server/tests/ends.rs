//! Entries that end: two dicts of a core against plain maps with deadlines, in virtual time and without
//! sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

#[path = "ends/mod.rs"]
mod ends;
