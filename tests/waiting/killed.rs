//! Processes that are killed while they hold or await something: others get it, once.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;

use manager_client::{Manager, ManagerDict, ManagerList, ManagerQueue};
use manager_protocol::SOCKET_VARIABLE;
use manager_tests::{TestServer, server};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rustix::process::Signal;

use crate::child::{Worker, eventually, worker};

fn start(server: &TestServer, role: &str, arguments: &[&str]) -> Worker {
    let mut command = worker(role);
    command.args(arguments).env(SOCKET_VARIABLE, server.socket());
    Worker::start(command)
}

#[test]
fn a_lock_passes_on_with_a_larger_token_whenever_its_holder_is_killed() {
    let server = server();
    let (said, says) = mpsc::channel();
    let hold = || {
        let (mut holder, said) = (start(&server, "hold", &["lock"]), said.clone());
        // Said once it holds the lock; the thread ends with the process.
        thread::spawn(move || {
            let line = holder.line();
            let _test_is_over = said.send((line, holder)).is_err();
        });
    };
    for _ in 0..3 {
        hold();
    }
    let mut last_token = 0;
    for kill in 0..500 {
        let (line, mut holder) = says.recv().unwrap();
        let (token, owner_died) = line.split_once(' ').unwrap();
        let token: u64 = token.parse().unwrap();
        assert!(token > last_token, "token {token} after {last_token}");
        assert_eq!(owner_died, if kill == 0 { "false" } else { "true" });
        last_token = token;
        // Whoever waits must not hold it too, while this one does.
        hold();
        assert!(says.try_recv().is_err(), "two hold the lock at once");
        holder.signal(Signal::KILL);
        holder.wait();
    }
    // Those that still wait are killed when they say that they hold it.
    for _ in 0..3 {
        drop(says.recv().unwrap());
    }
}

#[test]
fn no_leased_item_is_lost_or_acknowledged_twice_when_consumers_are_killed() {
    const ITEMS: u64 = 10_000;
    const CONSUMERS: usize = 8;
    let server = server();
    let manager = server.manager();
    let jobs: ManagerQueue<u64> = manager.queue("jobs").unwrap();
    jobs.put_many(0..ITEMS).unwrap();
    let acknowledged: ManagerList<u64> = manager.list("acknowledged").unwrap();
    let consume = || start(&server, "consume", &["jobs"]);
    let mut consumers: Vec<Worker> = (0..CONSUMERS).map(|_| consume()).collect();
    let mut random = StdRng::seed_from_u64(7);
    let mut kills = 0;
    let mut next_kill = 0;
    eventually("all items are acknowledged", || {
        let done = ITEMS - jobs.status().unwrap().unfinished;
        if done >= next_kill && done < ITEMS {
            let victim = random.random_range(0..CONSUMERS);
            consumers[victim].signal(Signal::KILL);
            consumers[victim].wait();
            consumers[victim] = consume();
            kills += 1;
            next_kill = done + 100;
        }
        (done == ITEMS).then_some(())
    });
    assert!(kills > 50, "only {kills} were killed");
    jobs.shut_down().unwrap();
    for consumer in &mut consumers {
        assert!(consumer.wait().success());
    }
    let status = jobs.status().unwrap();
    assert_eq!((status.len, status.leased, status.unfinished), (0, 0, 0));
    let noted = acknowledged.values().unwrap();
    let distinct: BTreeSet<u64> = noted.iter().copied().collect();
    assert_eq!(distinct.len(), noted.len(), "an item was acknowledged twice");
    // Who is killed after it has acknowledged an item, and before it has noted that, leaves a gap.
    assert!(ITEMS - noted.len() as u64 <= kills, "{} of {ITEMS} noted after {kills} kills", noted.len());
    let seen: ManagerDict<u64, u64> = manager.dict("seen").unwrap();
    assert_eq!(seen.len().unwrap(), ITEMS, "an item was never delivered");
}

#[test]
fn a_client_that_is_killed_while_it_waits_does_not_swallow_the_next_item() {
    let server = server();
    let queue: ManagerQueue<u64> = server.manager().queue("queue").unwrap();
    let takers = || queue.status().unwrap().takers;
    let mut random = StdRng::seed_from_u64(7);
    for item in 0..100 {
        let mut waiter = start(&server, "take", &["queue"]);
        eventually("the client waits", || (takers() == 1).then_some(()));
        waiter.signal(Signal::KILL);
        // At once it may have the item in its socket, and yet it never comes to read it.
        if random.next_u32() % 2 == 0 {
            waiter.wait();
        }
        queue.put(&item).unwrap();
        assert_eq!(queue.get().unwrap(), item);
    }
}

#[test]
fn what_a_killed_process_held_is_free_for_others() {
    let server = server();
    let manager = server.manager();
    let mut holder = start(&server, "hold-all", &[]);
    assert_eq!(holder.line(), "holding");
    let jobs: ManagerQueue<u64> = manager.queue("jobs").unwrap();
    let permits = manager.semaphore("permits", 1).unwrap();
    let end = manager.pipe_right::<u64, u64>("pipe").unwrap();
    let barrier = manager.barrier("barrier", 3).unwrap();
    assert!(permits.try_acquire().unwrap().is_none());
    assert!(jobs.try_get().is_err_and(|error| error.is_empty()));
    eventually("it waits at the barrier", || (barrier.status().unwrap().waiting == 1).then_some(()));
    holder.signal(Signal::KILL);
    let permit = permits.acquire().unwrap();
    assert_eq!(jobs.reserve().unwrap().deliveries(), 2);
    assert!(end.recv().is_err_and(|error| error.is_closed()), "the other end is closed");
    assert!(barrier.wait().is_err_and(|error| error.is_broken()));
    drop(permit);
}

/// A manager of its own for each thread, as if they were processes.
#[test]
fn a_wait_ends_at_once_when_the_server_shuts_down() {
    let server = server();
    let manager = server.manager();
    let queue: ManagerQueue<u64> = manager.queue("queue").unwrap();
    let event = manager.event("event").unwrap();
    thread::scope(|scope| {
        let mut waits = Vec::new();
        for _ in 0..4 {
            waits.push(scope.spawn(|| queue.get().unwrap_err()));
            waits.push(scope.spawn(|| event.wait().unwrap_err()));
        }
        let watcher = Manager::connect(server.socket()).unwrap().queue::<u64>("queue").unwrap();
        eventually("all wait", || {
            (watcher.status().unwrap().takers == 4 && server.census().waiting == 8).then_some(())
        });
        server.stop();
        for wait in waits {
            let error = wait.join().unwrap();
            assert!(error.is_shutting_down() && !error.is_outcome_unknown(), "{error}");
        }
    });
}
