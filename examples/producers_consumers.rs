//! Two producers and four consumers in two pools of three processes: over a pipe, where `None` marks the end, and
//! again over a queue that is shut down, which needs no mark.
//!
//! ```text
//! cargo run --release --example producers_consumers
//! ```
//!
//! ```python
//! p1.apply_async(func=producer, args=('fioman', 'dumplings', q1))
//! p2.apply_async(func=consumer, args=(q2, 'mengmeng'))
//! ```
//!
//! (Python's program sends two marks for four consumers, so two of them wait for ever.)
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::thread::sleep;
use std::time::{Duration, Instant};

use manager_client::{Manager, ManagerQueue, TaskError, task};

const PRODUCERS: [(&str, &str); 2] = [("fioman", "dumplings"), ("jingjing", "noodles")];
const CONSUMERS: [&str; 4] = ["mengmeng", "xiaoxiao", "x", "xy"];

fn a_moment() {
    sleep(Duration::from_secs_f64(rand::random::<f64>() * 0.02));
}

/// The ends of a pipe with a name are opened by it, by any number of processes.
#[task]
fn producer(name: &str, food: &str, pipe: &str) -> Result<(), TaskError> {
    let q = Manager::from_env()?.pipe_left::<Option<String>, ()>(pipe)?;
    for i in 0..10 {
        a_moment();
        let f = format!("{name} has made {food} {i}");
        println!("{f}");
        q.send(&Some(f))?;
    }
    // One for each of its consumers.
    for _ in 0..CONSUMERS.len() / PRODUCERS.len() {
        q.send(&None)?;
    }
    Ok(())
}

#[task]
fn consumer(pipe: &str, name: &str) -> Result<u32, TaskError> {
    let q = Manager::from_env()?.pipe_right::<(), Option<String>>(pipe)?;
    let mut eaten = 0;
    while let Some(food) = q.recv()? {
        println!("{name} eats: {food}");
        eaten += 1;
        a_moment();
    }
    println!("{name} got nothing: the producers are done");
    Ok(eaten)
}

#[task]
fn queue_producer(name: &str, food: &str, q: ManagerQueue<String>) -> Result<(), TaskError> {
    for i in 0..10 {
        a_moment();
        let f = format!("{name} has made {food} {i}");
        println!("{f}");
        q.put(&f)?;
    }
    Ok(())
}

#[task]
fn queue_consumer(q: ManagerQueue<String>, name: &str) -> Result<u32, TaskError> {
    let mut eaten = 0;
    for food in q.iter() {
        println!("{name} eats: {}", food?);
        eaten += 1;
        a_moment();
    }
    println!("{name} got nothing: the queue was shut down");
    Ok(eaten)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    manager_client::init();
    let manager = Manager::start()?;
    let (p1, p2) = (manager.pool(3)?, manager.pool(3)?);
    let start_time = Instant::now();

    // Open here too, so that the pipe does not end before all have come.
    let _ends = manager.pipe::<Option<String>, ()>("food")?;
    let producers: Vec<_> = PRODUCERS
        .iter()
        .map(|(name, food)| p1.apply_async(producer, (*name, *food, "food")))
        .collect::<Result<_, _>>()?;
    let consumers: Vec<_> =
        CONSUMERS.iter().map(|name| p2.apply_async(consumer, ("food", *name))).collect::<Result<_, _>>()?;
    for producer in &producers {
        producer.get()??;
    }
    let mut eaten = 0;
    for consumer in &consumers {
        eaten += consumer.get()??;
    }
    println!("by pipe: {eaten} eaten");

    let q: ManagerQueue<String> = manager.new_queue()?;
    let producers: Vec<_> = PRODUCERS
        .iter()
        .map(|(name, food)| p1.apply_async(queue_producer, (*name, *food, q.clone())))
        .collect::<Result<_, _>>()?;
    let consumers: Vec<_> =
        CONSUMERS.iter().map(|name| p2.apply_async(queue_consumer, (q.clone(), *name))).collect::<Result<_, _>>()?;
    for producer in &producers {
        producer.get()??;
    }
    q.shut_down()?; // what is there can still be got
    let mut eaten = 0;
    for consumer in &consumers {
        eaten += consumer.get()??;
    }
    println!("by queue: {eaten} eaten");

    p1.close()?;
    p2.close()?;
    p1.join()?;
    p2.join()?;
    println!("the main program ends..........");
    println!("{:.2} seconds", start_time.elapsed().as_secs_f64());
    Ok(())
}
