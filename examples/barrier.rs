//! Heat spreads along a ring, and each worker computes a part of the ring in phases: a phase begins when all are
//! done with the one before, for it needs what the neighbours have computed.
//!
//! ```text
//! cargo run --release --example barrier -- [--workers N] [--phases N]
//! ```
//!
//! One worker of each pass through the barrier is its leader, and sums up what the workers have.
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::error::Error;

use clap::Parser;
use manager_client::{Manager, ManagerBarrier, ManagerDict, ManagerList, TaskError, task};
use serde::{Deserialize, Serialize};

#[derive(Parser)]
#[command(about = "Workers compute in phases; none begins a phase before all are done with the one before")]
struct Args {
    /// How many processes compute
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    workers: u64,
    /// How many phases there are
    #[arg(long, default_value_t = 8)]
    phases: u64,
}

/// The cells of the ring that one worker computes.
const CELLS: usize = 100;

/// Begun or done, told in the order in which it happened.
#[derive(Serialize, Deserialize)]
struct Step {
    phase: u64,
    is_done: bool,
}

#[derive(Serialize, Deserialize)]
struct Sum {
    phase: u64,
    leader: u64,
    heat: f64,
}

/// What the processes share: it is an argument of each.
#[derive(Clone, Serialize, Deserialize)]
struct Shared {
    /// By phase and worker: the cells after that phase.
    parts: ManagerDict<(u64, u64), Vec<f64>>,
    steps: ManagerList<Step>,
    sums: ManagerList<Sum>,
    all_done: ManagerBarrier,
}

impl Shared {
    fn part(&self, phase: u64, worker: u64) -> Result<Vec<f64>, TaskError> {
        let part = self.parts.get(&(phase, worker))?;
        part.ok_or_else(|| TaskError::new(format!("worker {worker} is not done with phase {phase}")))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    manager_client::init();
    let args = Args::parse();
    let manager = Manager::start()?;
    let shared = Shared {
        parts: manager.new_dict()?,
        steps: manager.new_list()?,
        sums: manager.new_list()?,
        all_done: manager.new_barrier(args.workers)?,
    };
    let mut ring = vec![0.0; CELLS * usize::try_from(args.workers)?];
    ring[0] = 1000.0;
    for (worker, part) in (0..).zip(ring.chunks(CELLS)) {
        shared.parts.set(&(0, worker), part)?;
    }

    let workers: Vec<_> = (0..args.workers)
        .map(|worker| manager.process(work, (shared.clone(), worker, args.workers, args.phases)))
        .collect();
    workers.iter().try_for_each(|worker| worker.start())?;
    for worker in &workers {
        worker.join()??;
    }

    for Sum { phase, leader, heat } in shared.sums.values()? {
        println!("phase {phase}: heat {heat:.3}, summed up by worker {leader}");
    }
    let ahead = count_ahead(&shared.steps.values()?, args.workers);
    println!("{} workers, {} phases; ahead of the others: {ahead}", args.workers, args.phases);
    let computed: Result<Vec<_>, _> = (0..args.workers).map(|worker| shared.part(args.phases, worker)).collect();
    let expected = (0..args.phases).fold(ring, |ring, _| spread(&ring, ring[ring.len() - 1], ring[0]));
    let is_right = computed?.concat() == expected;
    println!("check: one process computes the same: {is_right}");
    if ahead == 0 && is_right { Ok(()) } else { Err("a worker did not wait for the others".into()) }
}

/// How often a worker began a phase while another was not done with the one before.
fn count_ahead(steps: &[Step], workers: u64) -> usize {
    let begun = steps.iter().enumerate().filter(|(_, step)| !step.is_done && step.phase > 1);
    let done = |at: usize, phase| steps[..at].iter().filter(|step| step.is_done && step.phase == phase).count() as u64;
    begun.filter(|(at, step)| done(*at, step.phase - 1) < workers).count()
}

#[task]
fn work(shared: Shared, worker: u64, workers: u64, phases: u64) -> Result<(), TaskError> {
    let (left, right) = ((worker + workers - 1) % workers, (worker + 1) % workers);
    for phase in 1..=phases {
        shared.steps.push(&Step { phase, is_done: false })?;
        let edges = (shared.part(phase - 1, left)?[CELLS - 1], shared.part(phase - 1, right)?[0]);
        let part = spread(&shared.part(phase - 1, worker)?, edges.0, edges.1);
        shared.parts.set(&(phase, worker), &part)?;
        shared.steps.push(&Step { phase, is_done: true })?;

        if shared.all_done.wait()?.is_leader() {
            let parts: Result<Vec<_>, _> = (0..workers).map(|worker| shared.part(phase, worker)).collect();
            let heat = parts?.iter().flatten().sum();
            shared.sums.push(&Sum { phase, leader: worker, heat })?;
        }
    }
    Ok(())
}

/// The cells in the next phase: each takes the mean of itself and its neighbours.
fn spread(cells: &[f64], left: f64, right: f64) -> Vec<f64> {
    let at = |index: usize| match index {
        0 => left,
        index if index > cells.len() => right,
        index => cells[index - 1],
    };
    (1..=cells.len()).map(|index| (at(index - 1) + at(index) + at(index + 1)) / 3.0).collect()
}
