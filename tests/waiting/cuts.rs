//! A connection that is cut anywhere, again and again: every change is made exactly once.

use std::time::{Duration, Instant};

use manager_client::{DirectLink, Manager, ManagerDict, ManagerList, ManagerQueue, Until, aio};
use manager_tests::{block_on, server, wait};

use crate::cutter::Cutter;

/// Longer than the hello and a few requests, so that there is progress.
const MOST: usize = 400;

/// Changes of several sorts, each of which would show if it were made twice or not at all.
fn change<L: DirectLink>(manager: &Manager<L>, rounds: u64) {
    let dict: ManagerDict<String, u64, L> = wait::<L, _>(manager.dict("dict")).unwrap();
    let list: ManagerList<u64, L> = wait::<L, _>(manager.list("list")).unwrap();
    let queue: ManagerQueue<u64, L> = wait::<L, _>(manager.queue("queue")).unwrap();
    for round in 0..rounds {
        assert_eq!(wait::<L, _>(dict.add("count", 1)).unwrap(), round + 1);
        wait::<L, _>(list.push(&round)).unwrap();
        wait::<L, _>(queue.put(&round)).unwrap();
        assert_eq!(wait::<L, _>(queue.get()).unwrap(), round);
    }
}

/// How it looks without anything in between.
fn check(manager: &Manager, rounds: u64) {
    let dict: ManagerDict<String, u64> = manager.dict("dict").unwrap();
    let list: ManagerList<u64> = manager.list("list").unwrap();
    let queue: ManagerQueue<u64> = manager.queue("queue").unwrap();
    assert_eq!(dict.get("count").unwrap(), Some(rounds));
    assert_eq!(list.values().unwrap(), (0..rounds).collect::<Vec<_>>());
    assert_eq!(queue.len().unwrap(), 0);
    assert_eq!((dict.version().unwrap(), list.version().unwrap()), (rounds, rounds));
}

#[test]
fn a_thousand_changes_over_a_connection_cut_at_every_byte_are_made_once_each() {
    let server = server();
    let cutter = Cutter::at_every_byte(server.socket(), MOST);
    let manager = Manager::connect(cutter.socket()).unwrap();
    change(&manager, 250);
    let mut rounds = 250;
    // Every place was cut at in both directions.
    while cutter.cuts() < 2 * MOST {
        change_on(&manager, &mut rounds);
    }
    check(&server.manager(), rounds);
}

/// One more round.
fn change_on(manager: &Manager, rounds: &mut u64) {
    let dict: ManagerDict<String, u64> = manager.dict("dict").unwrap();
    let list: ManagerList<u64> = manager.list("list").unwrap();
    assert_eq!(dict.add("count", 1).unwrap(), *rounds + 1);
    list.push(rounds).unwrap();
    *rounds += 1;
}

#[test]
fn so_are_those_of_the_async_client() {
    let server = server();
    let cutter = Cutter::at_every_byte(server.socket(), MOST);
    let manager = block_on(aio::Manager::connect(cutter.socket())).unwrap();
    change(&manager, 250);
    check(&server.manager(), 250);
    assert!(cutter.cuts() > 100);
}

#[test]
fn pipelines_and_transactions_over_a_connection_that_is_cut_are_carried_out_once() {
    let server = server();
    // A pipeline that cannot get through whole goes on where it was cut.
    let cutter = Cutter::at_every_byte(server.socket(), 3000);
    let manager = Manager::connect(cutter.socket()).unwrap();
    let list: ManagerList<u64> = manager.list("list").unwrap();
    for round in 0..20 {
        let pipeline = manager.pipeline();
        let pushed: Vec<_> = (0..100).map(|nth| list.on(&pipeline).push(&(round * 102 + nth))).collect();
        pipeline.send().unwrap();
        pushed.into_iter().for_each(|pushed| pushed.take().unwrap());
        let transaction = manager.transaction();
        let pair = [100, 101].map(|nth| list.on(&transaction).push(&(round * 102 + nth)));
        transaction.commit().unwrap();
        pair.into_iter().for_each(|pushed| pushed.take().unwrap());
    }
    let direct: ManagerList<u64> = server.manager().list("list").unwrap();
    assert_eq!(direct.values().unwrap(), (0..20 * 102).collect::<Vec<_>>());
    assert!(cutter.cuts() > 10);
}

#[test]
fn locks_and_leases_survive_a_connection_that_is_cut() {
    let server = server();
    let cutter = Cutter::at_every_byte(server.socket(), MOST);
    let manager = Manager::connect(cutter.socket()).unwrap();
    let (lock, queue) = (manager.lock("lock").unwrap(), manager.queue::<u64>("queue").unwrap());
    let mut last_token = 0;
    for item in 0..100 {
        let guard = lock.acquire().unwrap();
        assert!(guard.token() > last_token && !guard.owner_died());
        last_token = guard.token();
        queue.put(&item).unwrap();
        let lease = queue.reserve().unwrap();
        assert_eq!((*lease.value(), lease.deliveries()), (item, 1));
        lease.ack().unwrap();
        guard.release().unwrap();
    }
    assert!(cutter.cuts() > 50);
}

/// However often it is cut off, a wait ends in its time, and with what is said of that.
fn wait_in_vain<L: DirectLink>(manager: &Manager<L>) {
    let started = Instant::now();
    let queue: ManagerQueue<u64, L> = wait::<L, _>(manager.queue("queue")).unwrap();
    let dict: ManagerDict<String, u64, L> = wait::<L, _>(manager.dict("dict")).unwrap();
    let error = wait::<L, _>(queue.get_timeout(TIME)).unwrap_err();
    assert!(error.is_empty() && !error.is_outcome_unknown(), "{error}");
    let error = wait::<L, _>(dict.wait_for_timeout("key", Until::exists(), TIME)).unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("500ms"), "{error}");
    assert!(started.elapsed() >= 2 * TIME);
}

#[test]
fn a_wait_that_is_cut_off_again_and_again_ends_in_its_time() {
    let server = server();
    let cutter = Cutter::at_random(server.socket(), 1, 100_000);
    wait_in_vain(&Manager::connect(cutter.socket()).unwrap());
    wait_in_vain(&block_on(aio::Manager::connect(cutter.socket())).unwrap());
    assert!(cutter.cuts() > 20);
}

/// Many times as long as a connection that is cut when it is quiet.
const TIME: Duration = Duration::from_millis(500);
