//! Three child processes put messages into a queue, and the parent gets them all: the program that
//! explains `multiprocessing.Queue` in Python's tutorials.
//!
//! ```text
//! cargo run --release --example queue
//! ```
//!
//! ```python
//! def fun1(q, i):
//!     print('child %s begins to put' % i)
//!     q.put('I am %s, by way of the queue' % i)
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::error::Error;

use manager_client::{Manager, ManagerQueue};

const CHILDREN: u32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => parent(),
        ["child", index] => child(index),
        _ => Err("usage: queue (it takes no arguments)".into()),
    }
}

fn parent() -> Result<(), Box<dyn Error>> {
    let manager = Manager::start()?;
    let q: ManagerQueue<String> = manager.queue("q")?;

    // A child is this program again; `command` tells it where the manager is.
    let me = std::env::current_exe()?;
    let children: Result<Vec<_>, _> =
        (0..CHILDREN).map(|index| manager.command(&me).args(["child", &index.to_string()]).spawn()).collect();
    // The server holds what is put: no child waits for its messages to be taken.
    for mut child in children? {
        let status = child.wait()?;
        if !status.success() {
            return Err(format!("a child ended with {status}").into());
        }
    }

    // Nobody will put any more, so there is an end to what can be got.
    q.shut_down()?;
    println!("the parent gets:");
    let mut got = 0;
    for message in q.iter() {
        println!("{}", message?);
        got += 1;
    }
    println!("the end, after {got} messages");
    if got == CHILDREN { Ok(()) } else { Err("some messages were lost".into()) }
}

fn child(index: &str) -> Result<(), Box<dyn Error>> {
    let q: ManagerQueue<String> = Manager::from_env()?.queue("q")?;
    println!("child {index} begins to put");
    q.put(&format!("I am {index}, by way of the queue"))?;
    Ok(())
}
