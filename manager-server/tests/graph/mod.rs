//! A model of objects that refer to each other, and what drives the core and it.

mod generate;
mod model;
#[path = "../support/sequences.rs"]
mod sequences;
mod wire;
mod world;
