//! One module for each sort of object.

mod barrier;
mod condition;
mod desk;
mod lock;
mod queue;
mod semaphore;
mod session;
#[path = "../waiting/wire.rs"]
#[allow(dead_code, reason = "the tests of waiting compare bytes, too")]
mod wire;
