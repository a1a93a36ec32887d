//! Owners and servers of pools that are killed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use manager_client::{Manager, Pool, task};
use manager_protocol::SOCKET_VARIABLE;
use manager_tests::server;
use rustix::process::Signal;

use crate::child::{Place, eventually, serve};
use crate::program::{Program, family, is_there};
use crate::range::{Watchdog, kill};

/// Also the program with the family has a task of this name.
#[task(name = "wait in a pool")]
fn wait_in_pool() {
    loop {
        std::thread::park();
    }
}

#[test]
fn the_workers_of_an_owner_that_is_killed_end_and_submitters_are_told() {
    let _watchdog = Watchdog::new();
    for stopped in [false, true] {
        let server = server();
        let mut owner = family(&["pool", "here"]);
        owner.env(SOCKET_VARIABLE, server.socket());
        let mut owner = Program::start(owner, 0);
        assert!(owner.worker.line().starts_with("pool "));
        let manager = server.manager();
        let pool = manager.open_pool("shared").unwrap();
        let pids = pids_of(&pool, 2);
        let results: Vec<_> = (0..10).map(|_| pool.apply_async(wait_in_pool, ()).unwrap()).collect();
        eventually("the workers are busy", || (pool.status().unwrap().running >= 2).then_some(()));
        if stopped {
            pids.iter().for_each(|pid| assert!(kill(*pid, Signal::STOP)));
        }
        let killed = Instant::now();
        owner.signal(Signal::KILL, false);
        for pid in &pids {
            eventually("the worker ends", || (!is_there(*pid)).then_some(()));
        }
        println!("workers, stopped: {stopped}: gone {:?} after their owner was killed", killed.elapsed());
        for result in &results {
            let error = result.get().unwrap_err();
            assert!(error.is_process_lost() || error.is_unknown_task(), "{error}");
        }
        println!("the submitter knows {:?} after that", killed.elapsed());
        assert!(killed.elapsed() < Duration::from_secs(20));
        owner.worker.wait();
        assert!(pool.apply(wait_in_pool, ()).is_err_and(|error| error.is_unknown_task()));
        drop((results, pool, manager));
    }
}

#[test]
fn submitters_learn_that_the_owner_was_killed_with_its_private_server() {
    let _watchdog = Watchdog::new();
    let mut owner = Program::start(family(&["pool", "private"]), 0);
    let (socket, pool, pids) = private_pool(&mut owner);
    let results: Vec<_> = (0..10).map(|_| pool.apply_async(wait_in_pool, ()).unwrap()).collect();
    let killed = Instant::now();
    owner.signal(Signal::KILL, false);
    for result in &results {
        let error = result.get().unwrap_err();
        assert!(error.is_disconnected(), "{error}");
    }
    for pid in &pids {
        eventually("the worker ends", || (!is_there(*pid)).then_some(()));
    }
    println!("all is over {:?} after the owner and its server were killed", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(20));
    drop((results, pool));
    owner.worker.wait();
    std::fs::remove_dir_all(socket.parent().unwrap()).unwrap();
}

#[test]
fn an_owner_that_is_interrupted_or_exits_takes_everything_with_it() {
    let _watchdog = Watchdog::new();
    for (what, signal, code) in [
        ("private", Some(Signal::INT), 130),
        ("private", Some(Signal::TERM), 143),
        ("apply", Some(Signal::INT), 130),
        ("apply", Some(Signal::TERM), 143),
        ("leave", None, 0),
    ] {
        let mut owner = Program::start(family(&["pool", what]), 0);
        let (socket, pool, pids) = private_pool(&mut owner);
        let result = pool.apply_async(wait_in_pool, ()).unwrap();
        let wanted = if what == "apply" { 2 } else { 1 };
        eventually("the workers are busy", || (pool.status().unwrap().running >= wanted).then_some(()));
        match signal {
            // As Ctrl-C does.
            Some(signal) => owner.signal(signal, true),
            None => owner.worker.tell("leave"),
        }
        let error = result.get().unwrap_err();
        assert!(error.is_disconnected() || error.is_process_lost() || error.is_pool_closed(), "{what}: {error}");
        assert_eq!(owner.worker.wait().code(), Some(code), "{what} by {signal:?}");
        assert!(pids.iter().all(|pid| !is_there(*pid)), "{what} by {signal:?}: a worker is left");
        assert!(!socket.parent().unwrap().exists(), "{what} by {signal:?}: the server's directory is left");
    }
}

/// The socket of the private server of a program with a pool, the pool, and its workers.
fn private_pool(owner: &mut Program) -> (PathBuf, Pool, Vec<u32>) {
    let line = owner.worker.line();
    let socket = PathBuf::from(line.strip_prefix("pool ").unwrap());
    let pool = Manager::connect(&socket).unwrap().open_pool("shared").unwrap();
    let pids = pids_of(&pool, 2);
    (socket, pool, pids)
}

#[test]
fn every_waiter_learns_that_the_server_was_killed_and_the_workers_end() {
    let _watchdog = Watchdog::new();
    let place = Place::new();
    let mut daemon = serve(&place.socket, &[]);
    let manager = Manager::connect(&place.socket).unwrap();
    let pool = manager.pool(2).unwrap();
    let pids = pids_of(&pool, 2);
    let results: Vec<_> = (0..10).map(|_| pool.apply_async(wait_in_pool, ()).unwrap()).collect();
    let many = pool.starmap_async(wait_in_pool, (0..100).map(|_| ())).unwrap();
    eventually("the workers are busy", || (pool.status().unwrap().running >= 2).then_some(()));
    let killed = Instant::now();
    daemon.signal(Signal::KILL);
    for result in &results {
        let error = result.get().unwrap_err();
        assert!(error.is_disconnected(), "{error}");
    }
    assert!(many.get().is_err_and(|error| error.is_disconnected()));
    println!("every waiter knows {:?} after the server was killed", killed.elapsed());
    assert!(pool.apply(wait_in_pool, ()).is_err_and(|error| error.is_disconnected()));
    for pid in &pids {
        eventually("the worker ends", || (!is_there(*pid)).then_some(()));
    }
    println!("the workers are gone {:?} after that", killed.elapsed());
    drop((results, many, pool));
    assert!(killed.elapsed() < Duration::from_secs(20));
    daemon.wait();
}

fn pids_of(pool: &Pool, workers: usize) -> Vec<u32> {
    eventually("the workers are there", || {
        let workers_now = pool.status().unwrap().workers;
        let pids: Vec<u32> = workers_now.into_iter().filter_map(|worker| worker.pid).collect();
        (pids.len() == workers).then_some(pids)
    })
}
