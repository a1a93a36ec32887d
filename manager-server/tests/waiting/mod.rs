//! A model for each kind of object, one of sessions, and what drives the core and them.

mod barrier;
mod condition;
mod event;
mod faulty;
mod generate;
mod hold;
mod lock;
mod model;
mod objects;
mod pool;
mod semaphore;
#[path = "../support/sequences.rs"]
mod sequences;
mod sessions;
mod wire;
mod world;
