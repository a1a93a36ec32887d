//! Which objects without names live: the core against a model that follows every reference, while
//! sessions store, take, move and let go of references, and end.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

#[path = "graph/mod.rs"]
mod graph;
