//! A registry of live workers in three lines: whoever dies is not in it any more.
//!
//! ```text
//! cargo run --release --example live_workers -- [--workers N]
//! ```
//!
//! Each worker puts an entry into a shared dict that lives as long as its session. One of them is killed, and
//! the server removes its entry; those that end by themselves take theirs with them.
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::error::Error;

use clap::Parser;
use manager_client::{Manager, ManagerDict, ManagerEvent, TaskError, Until, task};

#[derive(Parser)]
#[command(about = "A registry of live workers: one is killed, and it is not in it any more")]
struct Args {
    /// How many processes work
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(2..))]
    workers: u64,
}

/// Worker by number: what it does.
type Registry = ManagerDict<u64, String>;

fn main() -> Result<(), Box<dyn Error>> {
    manager_client::init();
    let args = Args::parse();
    let manager = Manager::start()?;
    let (registry, over): (Registry, _) = (manager.new_dict()?, manager.new_event()?);
    let mut workers: Vec<_> =
        (0..args.workers).map(|number| manager.process(work, (registry.clone(), over.clone(), number))).collect();
    workers.iter().try_for_each(|worker| worker.start())?;
    for number in 0..args.workers {
        registry.wait_for(&number, Until::exists())?;
    }
    println!("alive: {}", alive(&registry)?);

    workers.remove(1).kill()?;
    registry.wait_for(&1, Until::absent())?;
    println!("worker 1 is killed; alive: {}", alive(&registry)?);

    over.set()?;
    for worker in &workers {
        worker.join()??;
    }
    for number in 0..args.workers {
        registry.wait_for(&number, Until::absent())?;
    }
    println!("the others have ended; alive: {}", alive(&registry)?);
    Ok(())
}

fn alive(registry: &Registry) -> Result<String, manager_client::Error> {
    let mut numbers = registry.keys()?;
    numbers.sort_unstable();
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    Ok(if numbers.is_empty() { "nobody".to_owned() } else { numbers.join(", ") })
}

#[task]
fn work(registry: Registry, over: ManagerEvent, number: u64) -> Result<(), TaskError> {
    registry.insert_for_session(&number, "is at work")?;
    // It works until it is told that it is over, or killed.
    over.wait()?;
    Ok(())
}
