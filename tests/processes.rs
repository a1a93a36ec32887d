//! What crosses processes: many at once on the same objects, forks, deaths, deadlines.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[allow(dead_code, reason = "another program uses the rest")]
#[path = "processes/child.rs"]
mod child;
#[path = "processes/deaths.rs"]
mod deaths;
#[path = "processes/histories.rs"]
mod histories;
#[path = "processes/inheritance.rs"]
mod inheritance;
#[path = "processes/mixed.rs"]
mod mixed;
