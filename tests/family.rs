//! The program that the tests of families run: it has children and a private server, and ends in some way.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::exit, reason = "how a program ends is what the tests are about")]

#[path = "families/roles.rs"]
mod roles;

fn main() {
    let mut arguments = std::env::args().skip(1);
    // A child has no arguments.
    let role = arguments.next().unwrap_or_default();
    match role.as_str() {
        "unprepared" => {}
        "keeping" => manager_client::init_keeping_signals(),
        _ => manager_client::init(),
    }
    roles::play(&role, arguments);
}
