//! Async managers whose calls go by lanes, many at a time, and change their way.

use std::ops::Range;
use std::time::Duration;

use manager_client::aio::{Manager, ManagerDict, ManagerList, ManagerQueue};
use manager_client::{Lane, Result};
use manager_tests::{TestServer, block_on, server_with};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::on_lane::{PATIENCE, eager};

async fn on_lane(server: &TestServer) -> Manager {
    let options = Manager::options().lane(Lane::SharedMemory).timeout(PATIENCE);
    options.connect(server.socket()).await.unwrap()
}

/// Pushes numbers, of which so many are under way at a time: each is begun behind the one before.
async fn push(list: &ManagerList<u64>, numbers: Range<u64>, at_once: usize) {
    let mut pushes = JoinSet::new();
    for number in numbers {
        if pushes.len() == at_once {
            pushes.join_next().await.unwrap().unwrap();
        }
        let list = list.clone();
        pushes.spawn(async move { list.push(&number).await.unwrap() });
    }
    pushes.join_all().await;
}

/// While calls follow one another the server looks, and they go by the lane. What comes all at once after a rest begins
/// before it looks again, and goes on by the socket. Either way calls stay in order, and what waits is answered.
#[test]
fn calls_stay_in_order_while_they_change_their_way() {
    let server = server_with(eager);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let manager = on_lane(&server).await;
        let list: ManagerList<u64> = manager.list("numbers").await.unwrap();
        let queue: ManagerQueue<u64> = manager.queue("late").await.unwrap();
        let waiting: JoinHandle<Result<u64>> = tokio::spawn({
            let queue = queue.clone();
            async move { queue.get().await }
        });
        let dropping = tokio::spawn(drop_calls(manager.dict("counts").await.unwrap()));
        let mut pushed = 0;
        for _ in 0..10 {
            for (count, at_once) in [(1000, 8), (500, 500)] {
                push(&list, pushed..pushed + count, at_once).await;
                pushed += count;
                // A rest, after which the server does not look.
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
        }
        queue.put(&7).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), 7);
        assert_eq!(list.values().await.unwrap(), (0..pushed).collect::<Vec<_>>());
        dropping.abort();
        assert!(dropping.await.unwrap_err().is_cancelled(), "a call failed");
    });
}

/// Makes calls and drops them at any moment, which has them cancelled, until it is dropped itself.
async fn drop_calls(counts: ManagerDict<u64, u64>) {
    let (mut least, mut most) = (0, 0);
    for round in 0.. {
        let mut calls = JoinSet::new();
        for nth in 0..8 {
            let counts = counts.clone();
            let time = Duration::from_micros((round * 7 + nth * 13) % 200);
            calls.spawn(async move { timeout(time, counts.add(&1, 1)).await.map(Result::unwrap) });
        }
        let outcomes = calls.join_all().await;
        most += outcomes.len() as u64;
        least += outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
        let found = counts.get(&1).await.unwrap().unwrap_or(0);
        assert!((least..=most).contains(&found), "{found} is not from {least} to {most}");
    }
}

#[test]
fn large_values_go_by_the_lane_in_both_ways_while_small_ones_do() {
    let server = server_with(eager);
    block_on(async {
        let manager = on_lane(&server).await;
        let dict = manager.dict::<u64, String>("values").await.unwrap();
        let mut calls = JoinSet::new();
        for key in 0..8_u64 {
            let dict = dict.clone();
            calls.spawn(async move {
                for round in 0..10 {
                    let value = format!("{key}-{round}-").repeat(1 << (key * 2));
                    dict.set(&key, &value).await.unwrap();
                    assert_eq!(dict.get(&key).await.unwrap().as_ref(), Some(&value));
                }
            });
        }
        calls.join_all().await;
        assert_eq!(dict.items().await.unwrap().len(), 8);
    });
}

#[test]
fn who_insists_on_a_lane_is_told_that_there_is_none() {
    let server = server_with(|config| config.max_lanes = 0);
    let error = block_on(Manager::options().lane(Lane::SharedMemory).connect(server.socket())).unwrap_err();
    assert!(error.is_no_shared_memory(), "{error:?}");
    let manager = block_on(Manager::connect(server.socket())).unwrap();
    let dict = block_on(manager.dict::<u64, u64>("numbers")).unwrap();
    for number in 0..200 {
        block_on(dict.set(&number, &number)).unwrap();
    }
    assert_eq!(block_on(dict.len()).unwrap(), 200);
}

#[test]
fn all_calls_end_with_the_server() {
    let server = server_with(eager);
    let calls = block_on(async {
        let manager = on_lane(&server).await;
        let dict = manager.dict::<u64, u64>("numbers").await.unwrap();
        let mut calls = JoinSet::new();
        for key in 0..16 {
            let dict = dict.clone();
            calls.spawn(async move { while dict.add(&key, 1).await.is_ok() {} });
        }
        while dict.get(&15).await.unwrap() < Some(100) {}
        calls
    });
    server.stop();
    block_on(calls.join_all());
}
