//! Workers are killed at random while they work. No job is lost, and none is done twice.
//!
//! ```text
//! cargo run --release --example leased_jobs -- [--workers N] [--jobs N]
//! ```
//!
//! A worker reserves a job: if it dies, the job comes back to the queue for another. It writes the result
//! and adds it to the sum in one transaction, unless the result is there already, and then acknowledges
//! the job. One job is poisonous and kills each of its workers: after three deliveries it is put
//! aside, into the queue of dead letters.
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::collections::BTreeMap;
use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use manager_client::{Manager, ManagerDict, ManagerQueue, ManagerValue, Process, QueueOptions, TaskError, task};
use serde::{Deserialize, Serialize};

#[derive(Parser)]
#[command(about = "Workers are killed at random; no job is lost, and none is done twice")]
struct Args {
    /// How many processes work at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    workers: u64,
    /// How many jobs there are
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    jobs: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Job {
    number: u64,
    is_poisonous: bool,
}

/// What the processes share: it is the argument of each.
#[derive(Clone, Serialize, Deserialize)]
struct Shared {
    jobs: ManagerQueue<Job>,
    dead: ManagerQueue<Job>,
    /// How often each job was delivered.
    deliveries: ManagerDict<u64, u32>,
    results: ManagerDict<u64, u64>,
    /// Of all results: it shows if one was added twice.
    sum: ManagerValue<u64>,
    /// How often a job that was delivered again had its result already.
    done_before: ManagerValue<u64>,
}

/// A process that works, and returns when there are no more jobs.
type Worker = Process<Result<(), TaskError>>;

/// A job that was delivered so often, and never acknowledged, is a dead letter.
const MAX_DELIVERIES: u32 = 3;
/// Jobs that are put at a time. Not all at once: no job may lose all of its workers by chance.
const ROUND: usize = 40;

impl Shared {
    fn open(manager: &Manager) -> Result<Self, manager_client::Error> {
        let options = QueueOptions::new().max_deliveries(MAX_DELIVERIES).dead_letters("dead");
        Ok(Self {
            jobs: manager.queue_with("jobs", options)?,
            dead: manager.queue("dead")?,
            deliveries: manager.dict("deliveries")?,
            results: manager.dict("results")?,
            sum: manager.value("sum", &0)?,
            done_before: manager.value("done_before", &0)?,
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    manager_client::init();
    let args = Args::parse();
    let manager = Manager::start()?;
    let shared = Shared::open(&manager)?;
    let hire = || {
        let worker = manager.process(work, (shared.clone(),));
        worker.start().map(|()| worker)
    };
    let mut workers: Vec<Worker> = (0..args.workers).map(|_| hire()).collect::<Result<_, _>>()?;

    let poison = args.jobs / 2;
    let jobs: Vec<Job> = (0..args.jobs).map(|number| Job { number, is_poisonous: number == poison }).collect();
    let mut killed = 0;
    for round in jobs.chunks(ROUND) {
        shared.jobs.put_many(round)?;
        // One more might hit the same innocent job as those before, and make a dead letter of it.
        let kills = if round.iter().any(|job| job.is_poisonous) { 0 } else { MAX_DELIVERIES - 1 };
        killed += kill_until_done(kills, &shared, &mut workers, &hire)?;
    }
    shared.jobs.shut_down()?;
    for worker in workers {
        match worker.join() {
            Ok(outcome) => outcome?,
            // The poisonous job has killed it.
            Err(error) if error.is_process_lost() => {}
            Err(error) => return Err(error.into()),
        }
    }
    println!("{} jobs, {} workers at a time, {killed} workers killed at random", args.jobs, args.workers);
    report(&shared, args.jobs)
}

/// Waits until all jobs are dealt with. Kills a few workers meanwhile, and starts others; how many it killed.
fn kill_until_done(
    most: u32,
    shared: &Shared,
    workers: &mut [Worker],
    hire: &impl Fn() -> manager_client::Result<Worker>,
) -> Result<u32, Box<dyn Error>> {
    let mut killed = 0;
    while !shared.jobs.join_timeout(Duration::from_millis(rand::random_range(5..15)))? {
        if killed < most && shared.jobs.status()?.leased > 0 {
            let unlucky = rand::random_range(0..workers.len());
            workers[unlucky].kill()?;
            // It has not returned, as was to be expected.
            let _lost = workers[unlucky].join();
            killed += 1;
        }
        for worker in &mut *workers {
            if !worker.is_alive() {
                *worker = hire()?;
            }
        }
    }
    Ok(killed)
}

/// Does job after job until there are no more.
#[task]
fn work(shared: Shared) -> Result<(), TaskError> {
    let manager = Manager::from_env()?;
    for job in shared.jobs.leases() {
        let job = job?;
        shared.deliveries.set(&job.number, &job.deliveries())?;
        if job.is_poisonous {
            std::process::abort();
        }
        sleep(Duration::from_millis(rand::random_range(2..7))); // It is hard work.
        let result = result_of(job.number);
        let is_first = manager.transact(|attempt| {
            if attempt.read(&shared.results).contains_key(&job.number)? {
                return Ok(false); // Whoever had the job before came so far, and no further.
            }
            attempt.write(&shared.results).set(&job.number, &result);
            attempt.write(&shared.sum).add(result);
            Ok(true)
        })?;
        if !is_first {
            shared.done_before.add(1)?;
        }
        job.ack()?;
    }
    Ok(())
}

fn result_of(job: u64) -> u64 {
    job * job + 1
}

/// Tells what became of the jobs: each must have one result, but the poisonous one.
fn report(shared: &Shared, jobs: u64) -> Result<(), Box<dyn Error>> {
    let redelivered: u32 = shared.deliveries.values()?.iter().map(|deliveries| deliveries - 1).sum();
    println!("jobs delivered again: {redelivered}, of which {} had been done", shared.done_before.get()?);

    shared.dead.shut_down()?;
    let dead: Vec<Job> = shared.dead.iter().collect::<Result<_, _>>()?;
    for Job { number, .. } in &dead {
        println!("dead letter: job {number}, after {} deliveries", shared.deliveries.get(number)?.unwrap_or(0));
    }
    let results: BTreeMap<u64, u64> = shared.results.items()?.into_iter().collect();
    let poison = jobs / 2;
    let expected = (0..jobs).filter(|job| *job != poison).map(|job| (job, result_of(job))).collect();
    if results != expected || shared.sum.get()? != expected.values().sum::<u64>() || dead.len() != 1 {
        return Err("a job was lost, or done twice".into());
    }
    println!("results: {}, one of each other job", results.len());
    Ok(())
}
