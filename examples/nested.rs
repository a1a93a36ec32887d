//! A dict of lists of jobs, whose steps several workers write down at once, each in its place.
//!
//! ```text
//! cargo run --release --example nested -- [--workers N]
//! ```
//!
//! The lists have no names: each lives because the dict refers to it, and whoever reads the dict gets a proxy of
//! the list itself, not a copy. A worker never fetches a job to change it and put it back: it says by a path
//! which part of the job it means, and the server changes that.
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::error::Error;

use clap::Parser;
use manager_client::{Manager, ManagerDict, ManagerList, TaskError, task};
use serde::{Deserialize, Serialize};

#[derive(Parser)]
#[command(about = "Several workers change parts of nested jobs at once, each in its place")]
struct Args {
    /// How many processes work
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    workers: u64,
}

#[derive(Serialize, Deserialize)]
struct Job {
    name: String,
    state: State,
    minutes: u64,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Waits,
    Done,
}

#[derive(Serialize, Deserialize)]
struct Step {
    worker: u64,
    minutes: u64,
}

/// Lists of jobs, by room.
type Plan = ManagerDict<String, ManagerList<Job>>;

const ROOMS: [(&str, &[&str]); 2] = [("kitchen", &["wash up", "cook"]), ("garden", &["mow", "water", "rake"])];

fn main() -> Result<(), Box<dyn Error>> {
    manager_client::init();
    let args = Args::parse();
    let manager = Manager::start()?;
    let plan: Plan = manager.new_dict()?;
    for (room, names) in ROOMS {
        let jobs = manager.new_list::<Job>()?;
        jobs.extend(names.iter().map(|name| Job::new(name)))?;
        plan.set(room, &jobs)?;
    }

    let workers: Vec<_> =
        (0..args.workers).map(|worker| manager.process(work, (plan.clone(), worker, args.workers))).collect();
    workers.iter().try_for_each(|worker| worker.start())?;
    for worker in &workers {
        worker.join()??;
    }

    let expected: u64 = (0..args.workers).map(minutes).sum();
    let mut is_right = true;
    for (room, jobs) in plan.items()? {
        println!("{room}");
        for job in jobs.values()? {
            println!("    {}: {:?}, {} steps, {} minutes", job.name, job.state, job.steps.len(), job.minutes);
            let all: u64 = job.steps.iter().map(|step| step.minutes).sum();
            is_right &= job.state == State::Done && all == expected && job.minutes == expected;
        }
    }
    println!("check: no step was lost: {is_right}");
    if is_right { Ok(()) } else { Err("a step was lost".into()) }
}

impl Job {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), state: State::Waits, minutes: 0, steps: Vec::new() }
    }
}

/// How long each step of a worker takes.
fn minutes(worker: u64) -> u64 {
    10 + worker
}

/// Takes a step in each job of each room.
#[task]
fn work(plan: Plan, worker: u64, workers: u64) -> Result<(), TaskError> {
    for (_, jobs) in plan.items()? {
        for index in 0..i64::try_from(jobs.len()?)? {
            let job = jobs.at(index);
            let minutes = minutes(worker);
            job.field("minutes").add(minutes)?;
            let steps = job.field("steps").push(&Step { worker, minutes })?;
            // Whoever comes last knows it by how many there are.
            if steps == workers {
                job.field("state").set(&State::Done)?;
            }
        }
    }
    Ok(())
}
