//! Families of processes: how they end, and that nothing of them is left.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[allow(dead_code, reason = "another program uses the rest")]
#[path = "processes/child.rs"]
mod child;
#[path = "families/entry.rs"]
mod entry;
#[path = "families/exits.rs"]
mod exits;
#[path = "families/kills.rs"]
mod kills;
#[path = "families/program.rs"]
mod program;
#[path = "families/signals.rs"]
mod signals;
