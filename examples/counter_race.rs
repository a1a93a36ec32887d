//! Many processes count in one dict. `add` and `update_with` lose nothing; reading, adding and
//! writing back does.
//!
//! ```text
//! cargo run --release --example counter_race
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the program's result and progress")]

use std::error::Error;

use clap::Parser;
use manager_client::{Manager, ManagerDict, TaskError, task};
use serde::{Deserialize, Serialize};

#[derive(Parser)]
#[command(about = "Many processes count in one dict: what is lost, and what is not")]
struct Args {
    /// How many processes count at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    processes: u64,
    /// How often each process adds one (the two slower ways: a tenth of that)
    #[arg(long, default_value_t = 100_000)]
    times: u64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Way {
    Add,
    UpdateWith,
    ReadThenWrite,
}

fn main() -> Result<(), Box<dyn Error>> {
    manager_client::init();
    let args = Args::parse();
    let manager = Manager::start()?;
    let counters = manager.new_dict()?;
    for (way, name, times) in [
        (Way::Add, "dict.add", args.times),
        (Way::UpdateWith, "dict.update_with", args.times / 10),
        (Way::ReadThenWrite, "get, then set", args.times / 10),
    ] {
        eprintln!("{name}: {} processes x {times} ...", args.processes);
        let processes: Vec<_> =
            (0..args.processes).map(|_| manager.process(count, (counters.clone(), way, times))).collect();
        processes.iter().try_for_each(|process| process.start())?;
        for process in &processes {
            process.join()??;
        }
        let (expected, counted) = (args.processes * times, counters.get(way.key())?.unwrap_or(0));
        let lost = expected.checked_sub(counted).ok_or("counted more than was added")?;
        println!("{name:16} {} x {times} = {expected:7}   counted {counted:7}   lost {lost}", args.processes);
        if lost > 0 && !matches!(way, Way::ReadThenWrite) {
            return Err(format!("{name} lost {lost} updates").into());
        }
    }
    Ok(())
}

#[task]
fn count(counters: ManagerDict<String, u64>, way: Way, times: u64) -> Result<(), TaskError> {
    let key = way.key();
    for _ in 0..times {
        match way {
            // One request: the server adds.
            Way::Add => {
                counters.add(key, 1)?;
            }
            // Read, compute here, and swap if nobody else was faster; else again.
            Way::UpdateWith => {
                counters.update_with(key, |count| Some(count.unwrap_or(0) + 1))?;
            }
            // Two requests: what others add in between is overwritten.
            Way::ReadThenWrite => {
                let count = counters.get(key)?.unwrap_or(0);
                counters.set(key, &(count + 1))?;
            }
        }
    }
    Ok(())
}

impl Way {
    fn key(self) -> &'static str {
        match self {
            Self::Add => "added",
            Self::UpdateWith => "updated",
            Self::ReadThenWrite => "overwritten",
        }
    }
}
