//! A model of dicts whose entries end, and what drives the core and it.

mod generate;
mod model;
mod operation;
#[path = "../support/sequences.rs"]
mod sequences;
#[path = "../waiting/wire.rs"]
#[allow(dead_code, reason = "the tests of waiting compare bytes, too")]
mod wire;
mod world;
