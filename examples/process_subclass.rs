//! Five processes run a value of a type of one's own: the counterpart of a subclass of `Process` whose `run` is
//! overridden.
//!
//! ```text
//! cargo run --release --example process_subclass
//! ```
//!
//! ```python
//! class MyProcess(Process):
//!     def run(self):
//!         print('testing many processes of %s' % self.name)
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use manager_client::{Error, Process, Run, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct MyProcess {
    name: String,
}

#[task]
impl Run for MyProcess {
    type Output = ();

    fn run(self) {
        println!("testing many processes of {}", self.name);
    }
}

fn main() -> Result<(), Error> {
    manager_client::init();

    let mut process_list = Vec::new();
    for _ in 0..5 {
        let process = Process::of_value(MyProcess { name: "Python".into() });
        process.start()?;
        process_list.push(process);
    }
    for process in process_list {
        process.join()?;
    }
    println!("the end of the test");
    Ok(())
}
