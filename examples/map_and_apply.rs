//! `apply_async`, `apply`, `map` and `map_async`, and what can be asked of their results: the last program of
//! Python's tutorials on `multiprocessing`.
//!
//! ```text
//! cargo run --release --example map_and_apply
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::thread::sleep;
use std::time::Duration;

use manager_client::{Error, Pool, task};

#[task]
fn func(msg: String) -> String {
    println!("msg:  {msg}");
    sleep(Duration::from_millis(100));
    println!("********");
    format!("func_return: {msg}")
}

fn main() -> Result<(), Error> {
    manager_client::init();

    println!("\n--------apply_async------------");
    let pool = Pool::new(4)?;
    let mut results = Vec::new();
    for i in 0..10 {
        results.push(pool.apply_async(func, (format!("hello world {i}"),))?);
    }
    println!("apply_async: does not block");
    for result in &results {
        result.wait();
    }
    for result in &results {
        if result.ready() && result.successful()? {
            println!("{}", result.get()?);
        }
    }

    println!("\n--------apply------------");
    let mut results = Vec::new();
    for i in 0..10 {
        results.push(pool.apply(func, (format!("hello world {i}"),))?);
    }
    println!("apply: blocks"); // until each one has returned
    pool.close()?;
    pool.join()?; // after close
    println!("{results:?}");

    println!("\n--------map------------");
    let args = [1, 2, 4, 5, 7, 8].map(|number| number.to_string());
    let pool = Pool::new(5)?;
    let return_data = pool.map(func, args.clone())?;
    println!("map: blocks");
    pool.close()?;
    pool.join()?;
    println!("{return_data:?}");

    println!("\n--------map_async------------");
    let pool = Pool::new(5)?;
    let result = pool.map_async(func, args)?;
    println!("ready:  {}", result.ready());
    println!("map_async: does not block");
    result.wait();
    if result.ready() && result.successful()? {
        println!("{:?}", result.get()?);
    }
    Ok(())
}
