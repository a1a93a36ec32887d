//! Three child processes put messages into a queue, and the parent gets them all: the program that
//! explains `multiprocessing.Queue` in Python's tutorials.
//!
//! ```text
//! cargo run --release --example queue
//! ```
//!
//! ```python
//! p = Process(target=fun1, args=(q, i,))
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use manager_client::{Manager, ManagerQueue, TaskError, task};

#[task]
fn fun1(q: ManagerQueue<String>, i: u32) -> Result<(), TaskError> {
    println!("child {i} begins to put");
    q.put(&format!("I am {i}, by way of the queue"))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    manager_client::init();
    let manager = Manager::start()?;
    let q: ManagerQueue<String> = manager.new_queue()?;

    let process_list: Vec<_> = (0..3).map(|i| manager.process(fun1, (q.clone(), i))).collect();
    process_list.iter().try_for_each(|process| process.start())?;
    // The server holds what is put: no child waits for its messages to be taken.
    for process in &process_list {
        process.join()??;
    }

    // Nobody will put any more, so there is an end to what can be got.
    q.shut_down()?;
    println!("the parent gets:");
    for message in q.iter() {
        println!("{}", message?);
    }
    println!("the end of the test");
    Ok(())
}
