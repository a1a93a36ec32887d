//! What a process can be asked: the table of members in Python's tutorials, one after the other.
//!
//! ```text
//! cargo run --release --example process_members
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::os::fd::AsFd;
use std::time::Duration;

use manager_client::{Error, Process, TaskError, current_process, task};

#[task]
fn wait_for_ever() {
    loop {
        std::thread::park();
    }
}

#[task]
fn family() -> Result<(String, String), TaskError> {
    let child = Process::new(name, ());
    child.start()?;
    Ok((current_process().name, child.join()?))
}

#[task]
fn name() -> String {
    current_process().name
}

#[task]
fn divide(left: i64, right: i64) -> i64 {
    left / right
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    manager_client::init();

    let process = Process::new(wait_for_ever, ()).with_name("waiter").as_daemon();
    println!("name: {}, daemon: {}, pid: {:?}", process.name(), process.is_daemon(), process.pid());
    println!("before start: alive: {}, exit code: {:?}", process.is_alive(), process.exit_code());
    println!("join before start: {}", why(process.join()));
    process.start()?;
    println!("after start: alive: {}, exit code: {:?}", process.is_alive(), process.exit_code());
    println!("start again: {}", why(process.start()));
    println!("join for 10 ms: {:?}", process.join_timeout(Duration::from_millis(10))?);
    println!("close: {}", why(process.close()));
    let sentinel = process.sentinel()?.as_fd().try_clone_to_owned().is_ok();
    println!("sentinel: {sentinel}");

    process.terminate()?;
    println!("terminated: {}", why(process.join()));
    println!("alive: {}, exit code: {:?}", process.is_alive(), process.exit_code());
    process.close()?;
    println!("closed: {}", why(process.join()));

    let process = Process::new(wait_for_ever, ());
    process.start()?;
    process.kill()?;
    println!("killed: {}", why(process.join()));

    let process = Process::new(family, ()).with_name("parent");
    process.start()?;
    println!("a child and its child: {:?}", process.join()??);

    // Its stderr is kept: a panic is told there, too.
    let process = Process::new(divide, (7, 0)).with_captured_output();
    process.start()?;
    println!("{}", why(process.join()));
    println!("exit code: {:?}", process.exit_code());
    Ok(())
}

/// Why something failed.
fn why<T>(outcome: Result<T, Error>) -> String {
    outcome.err().map_or_else(|| "it did not fail".to_owned(), |error| error.to_string())
}
