//! The core under many orders of execution: two or three threads do what must not come between each
//! other, and whichever way they are interleaved, the same must hold in the end.
//!
//! Runs with the feature `shuttle`.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

#[path = "schedules/mod.rs"]
mod schedules;
