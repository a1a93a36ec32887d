//! Workers that reload their configuration the moment it changes, and say when they have.
//!
//! ```text
//! cargo run --release --example config_reload -- [--workers N]
//! ```
//!
//! A worker waits until the configuration may be another than at the version that it knows, so it misses no
//! change, and asks for nothing as long as there is none. The parent publishes one revision after the other, and
//! waits until every worker has acknowledged it. To remove the configuration is the sign to end.
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::error::Error;
use std::process::Child;
use std::time::Duration;

use clap::Parser;
use manager_client::{Manager, ManagerDict, Until};
use serde::{Deserialize, Serialize};

#[derive(Parser)]
#[command(about = "Workers reload their configuration the moment it changes")]
struct Args {
    /// How many processes work
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    workers: u64,
    /// In a child: the worker's number
    #[arg(long, hide = true)]
    worker: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Config {
    revision: u64,
    log_level: String,
    max_connections: u32,
}

/// What the processes share.
struct Shared {
    configs: ManagerDict<String, Config>,
    /// By worker: the revision that it works with.
    applied: ManagerDict<u64, u64>,
}

/// The service whose configuration it is.
const SERVICE: &str = "mail";

impl Shared {
    fn open(manager: &Manager) -> Result<Self, manager_client::Error> {
        Ok(Self { configs: manager.dict("configs")?, applied: manager.dict("applied")? })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(number) = args.worker {
        return work(number);
    }
    let manager = Manager::start()?;
    let shared = Shared::open(&manager)?;
    let me = std::env::current_exe()?;
    let spawn = |number: u64| manager.command(&me).args(["--worker", &number.to_string()]).spawn();
    let workers: Vec<Child> = (0..args.workers).map(spawn).collect::<Result<_, _>>()?;

    for (revision, (log_level, max_connections)) in (1..).zip([("info", 100), ("debug", 100), ("warn", 250)]) {
        let config = Config { revision, log_level: log_level.to_owned(), max_connections };
        shared.configs.set(SERVICE, &config)?;
        for worker in 0..args.workers {
            shared.applied.wait_for(&worker, Until::at_least(&revision))?;
        }
        println!(
            "revision {revision}: log level {log_level}, {max_connections} connections; {} workers apply it",
            args.workers
        );
    }
    shared.configs.remove(SERVICE)?;
    for mut worker in workers {
        let status = worker.wait()?;
        if !status.success() {
            return Err(format!("a worker ended with {status}").into());
        }
    }
    println!("the configuration is removed, and all workers have ended");
    Ok(())
}

fn work(number: u64) -> Result<(), Box<dyn Error>> {
    let shared = Shared::open(&Manager::from_env()?)?;
    let configs = shared.configs.versioned();
    let mut seen = configs.wait_for(SERVICE, Until::exists())?;
    while let Some(config) = seen.value {
        // Here it would set up what it does.
        shared.applied.set(&number, &config.revision)?;
        seen = configs.wait_for_timeout(SERVICE, Until::changed_since(seen.version), Duration::MAX)?;
    }
    Ok(())
}
