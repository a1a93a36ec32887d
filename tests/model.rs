//! Dicts and lists against models that share no code with the server, by generated operations; and
//! what only shows in large objects, or while others write.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "model/mod.rs"]
mod model;
