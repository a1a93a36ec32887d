//! Tasks that end their worker, or do not end.

use std::thread;
use std::time::{Duration, Instant};

use manager_client::{Error, Pool, task};
use rustix::process::{Signal, getpid, kill_process};

use crate::child::eventually;
use crate::program::is_stopped;
use crate::range::{Range, kill};

#[task]
fn square(x: u64) -> u64 {
    x * x
}

#[expect(clippy::exit, reason = "that is a way to end")]
#[task]
fn end(how: &str) {
    match how {
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        "overflow" => {
            overflow(0);
        }
        "kill" => {
            kill_process(getpid(), Signal::KILL).unwrap();
            wait_for_ever();
        }
        other => panic!("there is no end called {other:?}"),
    }
}

#[expect(unconditional_recursion, reason = "the stack is to overflow")]
fn overflow(depth: u64) -> u64 {
    let frame = [depth; 512];
    overflow(std::hint::black_box(depth + 1)) + std::hint::black_box(frame)[7]
}

#[task]
fn wait_for_ever() {
    loop {
        thread::park();
    }
}

#[task]
fn stop() {
    kill_process(getpid(), Signal::STOP).unwrap();
    // Other threads may have to be stopped first.
    wait_for_ever();
}

#[test]
fn a_task_that_ends_its_worker_is_told_as_what_it_was() {
    let range = Range::new();
    let pool = range.pool(2);
    range.all_pids(&pool);
    for (how, code, words) in [
        ("abort", -6, "SIGABRT"),
        ("exit", 3, "exited with code 3"),
        ("overflow", -6, "its stack overflowed"),
        ("kill", -9, "SIGKILL"),
    ] {
        let error = pool.apply(end, (how,)).unwrap_err();
        assert_eq!((error.exit_code(), error.attempts()), (Some(code), Some(1)), "{error}");
        assert!(error.is_process_lost() && error.pid().is_some() && error.to_string().contains(words), "{error}");
        let error = pool.retries(2).apply(end, (how,)).unwrap_err();
        assert_eq!((error.exit_code(), error.attempts()), (Some(code), Some(3)), "{error}");
        assert_eq!(pool.apply(square, (9,)).unwrap(), 81, "the pool goes on");
    }
    drop(pool);
    range.leaves_nothing();
}

#[test]
fn a_stopped_worker_is_replaced_when_its_time_is_over() {
    let range = Range::new();
    let pool = range.pool(1);
    let before = range.all_pids(&pool);
    let limited = pool.time_limit(Duration::from_millis(200));
    let started = Instant::now();
    let error = limited.apply(stop, ()).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    println!("a stopped worker: told after {:?}", started.elapsed());
    // It is the only worker, so there is another now.
    assert_eq!(limited.apply(square, (9,)).unwrap(), 81);
    assert_ne!(range.all_pids(&pool), before);

    // Stopped from outside, in the middle.
    let pid = range.all_pids(&pool)[0];
    let result = limited.apply_async(wait_for_ever, ()).unwrap();
    // One that is stopped before it asks for a task is not given any, and so is not missed.
    eventually("the worker has the task", || (pool.status().unwrap().running == 1).then_some(()));
    kill(pid, Signal::STOP);
    let error = result.get().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(pool.apply(square, (9,)).unwrap(), 81);
    drop((pool, limited));
    range.leaves_nothing();
}

#[test]
fn a_pool_that_is_dropped_leaves_no_process_whatever_runs() {
    for stopped in [false, true] {
        let range = Range::new();
        let pool = range.pool(3);
        let pids = range.all_pids(&pool);
        let results: Vec<_> = (0..20).map(|_| pool.apply_async(wait_for_ever, ()).unwrap()).collect();
        let squares = pool.map_async(square, 0..10_000).unwrap();
        eventually("all workers are busy", || (pool.status().unwrap().running >= 3).then_some(()));
        if stopped {
            pids.iter().for_each(|pid| assert!(kill(*pid, Signal::STOP)));
            pids.iter().for_each(|pid| eventually("it has stopped", || is_stopped(*pid).then_some(())));
        }
        let started = Instant::now();
        drop(pool);
        println!("dropped, stopped: {stopped}: {:?}", started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(15));
        results.iter().for_each(|result| assert!(is_terminated(&result.get().unwrap_err())));
        assert!(is_terminated(&squares.get().unwrap_err()));
        drop((results, squares));
        range.leaves_nothing();
    }
}

fn is_terminated(error: &Error) -> bool {
    assert!(error.is_pool_terminated(), "{error}");
    true
}

#[test]
fn a_terminated_pool_kills_those_who_do_not_listen() {
    let range = Range::new();
    let pool: Pool = range.pool(2);
    let pids = range.all_pids(&pool);
    pids.iter().for_each(|pid| assert!(kill(*pid, Signal::STOP)));
    let result = pool.apply_async(square, (1,)).unwrap();
    pool.terminate().unwrap();
    pool.join().unwrap();
    assert!(result.get().is_err());
    drop((pool, result));
    range.leaves_nothing();
}

#[test]
fn a_task_that_ends_its_worker_takes_few_with_it() {
    let range = Range::new();
    let pool = range.pool(2);
    range.all_pids(&pool);
    for retries in [0, 1, 2] {
        let patient = pool.retries(retries);
        // They come to take many at a time.
        patient.chunk_size(1).map(square, 0..2000).unwrap();
        let before: Vec<_> = (0..1000).map(|x| patient.apply_async(square, (x,)).unwrap()).collect();
        let poison = patient.apply_async(end, ("abort",)).unwrap();
        let after: Vec<_> = (0..1000).map(|x| patient.apply_async(square, (x,)).unwrap()).collect();
        let ended = poison.get().unwrap_err();
        assert_eq!((ended.exit_code(), ended.attempts()), (Some(-6), Some(retries + 1)), "{ended}");
        // Small tasks are taken many at a time, and nobody knows which of those had been begun.
        let others: Vec<_> = before.iter().chain(&after).filter_map(|result| result.get().err()).collect();
        assert!(others.iter().all(|error| error.exit_code() == Some(-6) && error.pid() == ended.pid()), "{others:?}");
        assert!(others.len() < 1024, "as many as a worker takes at most");
        println!("with {retries} retries a task that aborted took {} others with it", others.len());
    }
    drop(pool);
    range.leaves_nothing();
}
