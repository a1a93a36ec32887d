//! Processes compete to be the leader, by a lock. The leader is killed, and the next one is told so; a write
//! that the old one left behind comes too late and is refused.
//!
//! ```text
//! cargo run --release --example leader -- [--candidates N] [--kills N]
//! ```
//!
//! Each time the lock is acquired it gives a larger fencing token. The leader writes with its token, and
//! the storage takes no write with a smaller token than it has seen.
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::collections::BTreeMap;
use std::error::Error;

use clap::Parser;
use manager_client::{Manager, ManagerDict, ManagerEvent, ManagerLock, ManagerQueue, Process, TaskError, task};
use serde::{Deserialize, Serialize};

#[derive(Parser)]
#[command(about = "Processes compete to be the leader; a dead leader's late write is refused")]
struct Args {
    /// How many processes compete
    #[arg(long, default_value_t = 5)]
    candidates: usize,
    /// How many leaders are killed
    #[arg(long, default_value_t = 3)]
    kills: usize,
}

/// What a leader tells the parent once it leads.
#[derive(Serialize, Deserialize)]
struct Term {
    leader: usize,
    token: u64,
    owner_died: bool,
}

/// What is stored, and under whose token.
#[derive(Serialize, Deserialize)]
struct Entry {
    token: u64,
    text: String,
}

/// What the processes share: it is an argument of each.
#[derive(Clone, Serialize, Deserialize)]
struct Shared {
    leadership: ManagerLock,
    storage: ManagerDict<String, Entry>,
    terms: ManagerQueue<Term>,
    over: ManagerEvent,
}

impl Shared {
    fn new(manager: &Manager) -> Result<Self, manager_client::Error> {
        Ok(Self {
            leadership: manager.new_lock()?,
            storage: manager.new_dict()?,
            terms: manager.new_queue()?,
            over: manager.new_event()?,
        })
    }

    /// Writes, unless somebody has written with a larger token; whether it was written.
    fn write(&self, token: u64, text: &str) -> Result<bool, manager_client::Error> {
        let stored = self.storage.update_with("page", |old| match old {
            Some(newer) if newer.token > token => Some(newer),
            Some(_) | None => Some(Entry { token, text: text.to_owned() }),
        })?;
        Ok(stored.is_some_and(|entry| entry.token == token))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    manager_client::init();
    let args = Args::parse();
    if args.kills >= args.candidates {
        return Err("there must be more candidates than are killed".into());
    }
    let manager = Manager::start()?;
    let shared = Shared::new(&manager)?;
    let mut candidates: BTreeMap<usize, Process<_>> =
        (0..args.candidates).map(|number| (number, manager.process(candidate, (shared.clone(), number)))).collect();
    candidates.values().try_for_each(|candidate| candidate.start())?;

    let mut latest = 0;
    for index in 0..args.candidates {
        let term = shared.terms.get()?;
        let before = match (index, term.owner_died) {
            (0, _) => "the first",
            (_, true) => "the leader before died",
            (_, false) => "the leader before let go",
        };
        println!("token {}: candidate {} leads; {before}", term.token, term.leader);
        if term.token <= latest || term.owner_died != (1..=args.kills).contains(&index) {
            return Err("the lock told the leader something wrong".into());
        }
        latest = term.token;
        if index < args.kills {
            let leader = candidates.remove(&term.leader).ok_or("a dead candidate leads")?;
            leader.kill()?;
            if !leader.join().is_err_and(|error| error.is_process_lost()) {
                return Err("a leader was not to be killed".into());
            }
            println!("    candidate {} is killed", term.leader);
        } else if index == args.kills {
            write_late(&shared, latest)?;
            shared.over.set()?; // The leader lets go, and so does each after it.
        }
    }
    for candidate in candidates.values() {
        candidate.join()??;
    }
    Ok(())
}

/// Writes as the leaders before might: something that they left behind does it, or it was long on its way.
fn write_late(shared: &Shared, latest: u64) -> Result<(), Box<dyn Error>> {
    for token in 1..latest {
        if shared.write(token, "this is stale")? {
            return Err(format!("a write with token {token} was stored after one with token {latest}").into());
        }
        println!("    a late write with token {token} is refused");
    }
    let stored = shared.storage.get("page")?.ok_or("nothing was stored")?;
    println!("    stored with token {}: {}", stored.token, stored.text);
    Ok(())
}

#[task]
fn candidate(shared: Shared, number: usize) -> Result<(), TaskError> {
    // It goes to one after the other in the order of asking, and to the next one if its owner dies.
    let leadership = shared.leadership.acquire()?;
    let token = leadership.token();
    if !shared.write(token, &format!("written by candidate {number}"))? {
        return Err(TaskError::new("a leader's write was refused"));
    }
    shared.terms.put(&Term { leader: number, token, owner_died: leadership.owner_died() })?;
    // Leads until it is killed, or the end.
    shared.over.wait()?;
    leadership.release()?;
    Ok(())
}
