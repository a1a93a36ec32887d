//! The benchmark: this server beside a raw socket, Redis and CPython's manager, in turns, in one run.
//!
//! ```text
//! cargo run --release -p manager-bench -- [--quick] [--only NAME]... [--list] [--json] [--plot DIR]
//! ```
//!
//! Nothing here is part of what is measured: servers and clients are processes of their own.

mod affinity;
// The very file of the daemon, so that the server that is measured is the one that is shipped.
#[path = "../../manager-server/src/allocator.rs"]
mod allocator;
mod chart;
mod child;
mod client;
mod error;
mod host;
mod interrupt;
mod keys;
mod machine;
mod measure;
mod options;
mod order;
mod peers;
mod perf;
mod plan;
mod plot;
mod progress;
mod ratios;
mod report;
mod results;
mod role;
mod sample;
mod stage;
mod stopwatch;
mod system;
mod systems;
mod table;
mod usage;
mod work;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::client::in_full;
use crate::error::BenchError;
use crate::machine::Machine;
use crate::measure::Measurement;
use crate::options::Options;
use crate::peers::Peers;
use crate::plan::Effort;
use crate::role::Role;

fn main() -> ExitCode {
    if let Some(role) = Role::mine() {
        return role.play().unwrap_or_else(|error| {
            complain(&in_full(&*error));
            ExitCode::FAILURE
        });
    }
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&in_full(&error));
            match error {
                BenchError::Interrupted => ExitCode::from(130),
                BenchError::UnknownRow { .. } => ExitCode::from(2),
                BenchError::Start { .. }
                | BenchError::Died { .. }
                | BenchError::Work { .. }
                | BenchError::Garbled { .. }
                | BenchError::System { .. }
                | BenchError::Plot { .. } => ExitCode::FAILURE,
            }
        }
    }
}

fn run(options: &Options) -> Result<(), BenchError> {
    let effort = if options.quick { Effort::Quick } else { Effort::Full };
    if options.list {
        let stages = plan::chosen(plan::stages(), &options.only, Effort::Full)?;
        return print(&(plan::rows(&stages).join("\n") + "\n"));
    }
    let stages = plan::chosen(plan::stages(), &options.only, effort)?;
    interrupt::watch().map_err(BenchError::system("watch for signals"))?;
    let peers = Peers::find();
    let machine = Machine::this(&peers);
    let rounds = options.rounds.map_or(if options.quick { 3 } else { 7 }, |rounds| rounds as usize);
    let results = Measurement::new(rounds, effort, peers, options.server.clone())?.of(&stages)?;
    print(&format!("{}\n\n{}", machine.describe(), table::table(&results)))?;
    if let Some(directory) = &options.plot {
        for path in plot::plot(&results, directory, &machine.describe())? {
            print(&format!("drawn: {}\n", path.display()))?;
        }
    }
    if options.json {
        print(&format!("{}\n", report::report(&results, &machine, rounds)))?;
    }
    Ok(())
}

fn print(text: &str) -> Result<(), BenchError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(BenchError::system("print"))
}

fn complain(sentence: &str) {
    let _closed = writeln!(io::stderr(), "manager-bench: {sentence}").is_err();
}
