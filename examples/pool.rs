//! A pool of five processes does ten tasks, each of which takes a while: the program that explains
//! `multiprocessing.Pool` in Python's tutorials.
//!
//! ```text
//! cargo run --release --example pool
//! ```
//!
//! ```python
//! pool = Pool(5)
//! for i in range(10):
//!     pool.apply_async(func=fun1, args=(i,))
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::thread::sleep;
use std::time::{Duration, Instant};

use manager_client::{Error, Pool, task};

#[task]
fn fun1(name: u32) {
    println!("Run task {name} ({})...", std::process::id());
    let start = Instant::now();
    sleep(Duration::from_secs_f64(rand::random::<f64>() * 0.3));
    println!("Task {name} runs {:.2} seconds.", start.elapsed().as_secs_f64());
}

fn main() -> Result<(), Error> {
    manager_client::init();
    let pool = Pool::new(5)?;

    let results: Vec<_> = (0..10).map(|i| pool.apply_async(fun1, (i,))).collect::<Result<_, _>>()?;

    pool.close()?;
    pool.join()?;
    // Python's program would not notice if a task had failed.
    results.iter().try_for_each(|result| result.get())?;
    println!("the end of the test");
    Ok(())
}
