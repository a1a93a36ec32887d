//! What waits, and what is held: processes that are killed, connections that are cut, crowds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[allow(dead_code, reason = "another program uses the rest")]
#[path = "processes/child.rs"]
mod child;
#[path = "waiting/crowds.rs"]
mod crowds;
#[path = "waiting/cuts.rs"]
mod cuts;
#[path = "waiting/cutter.rs"]
mod cutter;
#[path = "waiting/ends.rs"]
mod ends;
#[path = "waiting/histories.rs"]
mod histories;
#[path = "waiting/killed.rs"]
mod killed;
#[path = "waiting/misuse.rs"]
mod misuse;
