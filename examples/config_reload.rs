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
use std::time::Duration;

use clap::Parser;
use manager_client::{Manager, ManagerDict, TaskError, Until, task};
use serde::{Deserialize, Serialize};

#[derive(Parser)]
#[command(about = "Workers reload their configuration the moment it changes")]
struct Args {
    /// How many processes work
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    workers: u64,
}

#[derive(Serialize, Deserialize)]
struct Config {
    revision: u64,
    log_level: String,
    max_connections: u32,
}

type Configs = ManagerDict<String, Config>;

/// By worker: the revision that it works with.
type Applied = ManagerDict<u64, u64>;

/// The service whose configuration it is.
const SERVICE: &str = "mail";

fn main() -> Result<(), Box<dyn Error>> {
    manager_client::init();
    let args = Args::parse();
    let manager = Manager::start()?;
    let (configs, applied): (Configs, Applied) = (manager.new_dict()?, manager.new_dict()?);
    let workers: Vec<_> =
        (0..args.workers).map(|number| manager.process(work, (configs.clone(), applied.clone(), number))).collect();
    workers.iter().try_for_each(|worker| worker.start())?;

    for (revision, (log_level, max_connections)) in (1..).zip([("info", 100), ("debug", 100), ("warn", 250)]) {
        let config = Config { revision, log_level: log_level.to_owned(), max_connections };
        configs.set(SERVICE, &config)?;
        for worker in 0..args.workers {
            applied.wait_for(&worker, Until::at_least(&revision))?;
        }
        println!(
            "revision {revision}: log level {log_level}, {max_connections} connections; {} workers apply it",
            args.workers
        );
    }
    configs.remove(SERVICE)?;
    for worker in &workers {
        worker.join()??;
    }
    println!("the configuration is removed, and all workers have ended");
    Ok(())
}

#[task]
fn work(configs: Configs, applied: Applied, number: u64) -> Result<(), TaskError> {
    let configs = configs.versioned();
    let mut seen = configs.wait_for(SERVICE, Until::exists())?;
    while let Some(config) = seen.value {
        // Here it would set up what it does.
        applied.set(&number, &config.revision)?;
        seen = configs.wait_for_timeout(SERVICE, Until::changed_since(seen.version), Duration::MAX)?;
    }
    Ok(())
}
