//! The program that the tests start as another process: its first argument is its role.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[allow(dead_code, reason = "another program uses the rest")]
#[path = "living/hands.rs"]
mod hands;
#[allow(dead_code, reason = "another program uses the rest")]
#[path = "processes/mixed.rs"]
mod mixed;
#[path = "processes/roles.rs"]
mod roles;

fn main() {
    roles::play(std::env::args().skip(1));
}
