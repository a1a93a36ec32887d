//! Pools under fire: workers, owners and servers that are killed, and tasks that end their process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[allow(dead_code, reason = "another program uses the rest")]
#[path = "processes/child.rs"]
mod child;
#[path = "fire/ends.rs"]
mod ends;
#[path = "fire/kills.rs"]
mod kills;
#[path = "fire/owners.rs"]
mod owners;
#[allow(dead_code, reason = "another program uses the rest")]
#[path = "families/program.rs"]
mod program;
#[path = "fire/range.rs"]
mod range;

manager_client::enable_tests!();
