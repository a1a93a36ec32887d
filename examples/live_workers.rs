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
use std::process::Child;

use clap::Parser;
use manager_client::{Manager, ManagerDict, Until};

#[derive(Parser)]
#[command(about = "A registry of live workers: one is killed, and it is not in it any more")]
struct Args {
    /// How many processes work
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(2..))]
    workers: u64,
    /// In a child: the worker's number
    #[arg(long, hide = true)]
    worker: Option<u64>,
}

/// Worker by number: what it does.
type Registry = ManagerDict<u64, String>;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(number) = args.worker {
        return work(number);
    }
    let manager = Manager::start()?;
    let registry: Registry = manager.dict("registry")?;
    let me = std::env::current_exe()?;
    let spawn = |number: u64| manager.command(&me).args(["--worker", &number.to_string()]).spawn();
    let mut workers: Vec<Child> = (0..args.workers).map(spawn).collect::<Result<_, _>>()?;
    for number in 0..args.workers {
        registry.wait_for(&number, Until::exists())?;
    }
    println!("alive: {}", alive(&registry)?);

    let mut killed = workers.remove(1);
    let is_told = killed.kill();
    killed.wait()?;
    is_told?;
    registry.wait_for(&1, Until::absent())?;
    println!("worker 1 is killed; alive: {}", alive(&registry)?);

    manager.event("over")?.set()?;
    for mut worker in workers {
        let status = worker.wait()?;
        if !status.success() {
            return Err(format!("a worker ended with {status}").into());
        }
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

fn work(number: u64) -> Result<(), Box<dyn Error>> {
    let manager = Manager::from_env()?;
    let registry: Registry = manager.dict("registry")?;
    registry.insert_for_session(&number, "is at work")?;
    // It works until it is told that it is over, or killed.
    manager.event("over")?.wait()?;
    Ok(())
}
