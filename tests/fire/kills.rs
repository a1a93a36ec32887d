//! Workers that are killed while there is much to do.

use std::thread;
use std::time::{Duration, Instant};

use manager_client::task;

use crate::range::Range;

/// Takes a while, so that there is time to be killed.
#[task]
fn square(x: u64) -> u64 {
    thread::sleep(Duration::from_micros(500));
    x * x
}

#[test]
fn with_retries_every_task_is_done_once_and_its_result_is_in_its_place() {
    let range = Range::new();
    let pool = range.pool(4);
    range.all_pids(&pool);
    let patient = pool.retries(100);
    let expected: Vec<u64> = (0..TASKS).map(|x| x * x).collect();
    let started = Instant::now();

    let (squares, killed) = range.kill_during(&pool, || patient.map(square, 0..TASKS).unwrap());
    assert!(squares == expected, "map");
    println!("map: {TASKS} tasks, {} kills, {:?}", killed.len(), started.elapsed());
    assert!(killed.len() > 1);

    let started = Instant::now();
    let (squares, killed) = range.kill_during(&pool, || {
        let results: Vec<_> = (0..TASKS).map(|x| patient.apply_async(square, (x,)).unwrap()).collect();
        results.into_iter().map(|result| result.get().unwrap()).collect::<Vec<_>>()
    });
    assert!(squares == expected, "apply_async");
    println!("apply_async: {TASKS} tasks, {} kills, {:?}", killed.len(), started.elapsed());

    let started = Instant::now();
    let (squares, killed) = range.kill_during(&pool, || {
        let squares = patient.chunk_size(7).imap(square, 0..TASKS);
        squares.collect::<Result<Vec<_>, _>>().unwrap()
    });
    assert!(squares == expected, "imap");
    println!("imap: {TASKS} tasks, {} kills, {:?}", killed.len(), started.elapsed());

    let (mut squares, _) = range.kill_during(&pool, || {
        let squares = patient.imap_unordered(square, 0..TASKS);
        squares.collect::<Result<Vec<_>, _>>().unwrap()
    });
    squares.sort_unstable();
    assert!(squares == expected, "imap_unordered");

    let status = pool.status().unwrap();
    assert_eq!((status.queued, status.running), (0, 0));
    pool.close().unwrap();
    pool.join().unwrap();
    drop((pool, patient));
    range.leaves_nothing();
}

#[test]
fn without_retries_every_task_that_is_lost_is_told_as_such() {
    let range = Range::new();
    let pool = range.pool(4);
    range.all_pids(&pool);
    for way in ["apply_async", "map"] {
        let (results, killed) = range.kill_during(&pool, || match way {
            "map" => pool.chunk_size(1).map_async(square, 0..TASKS).unwrap().results().unwrap(),
            _ => {
                let results: Vec<_> = (0..TASKS).map(|x| pool.apply_async(square, (x,)).unwrap()).collect();
                results.into_iter().map(|result| result.get()).collect()
            }
        });
        assert_eq!(results.len(), 5000);
        let mut lost = 0;
        for (x, result) in (0..).zip(results) {
            match result {
                Ok(square) => assert_eq!(square, x * x, "{way}"),
                Err(error) => {
                    lost += 1;
                    assert!(error.is_process_lost(), "{way}: {error}");
                    assert_eq!((error.exit_code(), error.attempts()), (Some(-9), Some(1)), "{way}: {error}");
                    assert!(error.pid().is_some_and(|pid| killed.contains(&pid)), "{way}: {error}");
                }
            }
        }
        println!("{way}: {} kills, {lost} of {TASKS} tasks lost", killed.len());
        assert!(killed.len() > 1 && lost > 0);
    }
    drop(pool);
    range.leaves_nothing();
}

const TASKS: u64 = 5000;
