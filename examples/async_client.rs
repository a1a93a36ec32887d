//! The same dict from tokio tasks: many tasks share one connection, and none waits for another.
//!
//! ```text
//! cargo run --release --example async_client
//! ```
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::error::Error;

use manager_client::aio::{Manager, ManagerDict};

const TASKS: u64 = 64;
const ADDS: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let manager = Manager::start().await?;
    let hits: ManagerDict<String, u64> = manager.dict("hits").await?;

    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let hits = hits.clone();
            tokio::spawn(async move {
                let page = format!("/page/{}", task % 4);
                for _ in 0..ADDS {
                    hits.add(&page, 1).await?;
                }
                Ok::<(), manager_client::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }

    let mut total = 0;
    for (page, count) in hits.items().await? {
        println!("{page} {count}");
        total += count;
    }
    println!("{TASKS} tasks x {ADDS} = {total}");
    if total == TASKS * ADDS { Ok(()) } else { Err("some additions were lost".into()) }
}
