//! One module for each sort of object.

mod barrier;
mod condition;
mod desk;
mod ends;
mod garbage;
mod lock;
mod pool;
mod queue;
mod semaphore;
mod session;
mod watch;
#[path = "../waiting/wire.rs"]
#[allow(dead_code, reason = "the tests of waiting compare bytes, too")]
mod wire;
