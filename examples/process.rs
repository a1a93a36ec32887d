//! Five processes run one function: the first program of Python's tutorials on `multiprocessing`.
//!
//! ```text
//! cargo run --release --example process
//! ```
//!
//! ```python
//! p = Process(target=fun1, args=('Python',))
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use manager_client::{Error, Process, task};

#[task]
fn fun1(name: &str) {
    println!("testing many processes of {name}");
}

fn main() -> Result<(), Error> {
    // The first line of every program that starts processes: they are this program, run again.
    manager_client::init();

    let mut process_list = Vec::new();
    for _ in 0..5 {
        let process = Process::new(fun1, ("Python",));
        process.start()?;
        process_list.push(process);
    }
    for process in process_list {
        process.join()?;
    }
    println!("the end of the test");
    Ok(())
}
