//! Objects without names that processes hand to each other: what can be reached is there, and nothing else is.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use manager_client::{Manager, ManagerDict, ManagerList, ManagerQueue, Reference};
use manager_protocol::SOCKET_VARIABLE;
use manager_tests::{TestServer, server};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;

use crate::child::{Worker, eventually, worker};
use crate::hands::{BENCH, COUNTS, SHELF, STEPS, STOP, TRAY, Thing, inside};

fn start(server: &TestServer, role: &str, arguments: &[&str]) -> Worker {
    let mut command = worker(role);
    command.args(arguments).env(SOCKET_VARIABLE, server.socket());
    Worker::start(command)
}

/// Waits until the server has so many objects, and sessions keep none of those without names.
#[track_caller]
fn objects_are(server: &TestServer, objects: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let census = server.census();
        if (census.objects, census.kept) == (objects, 0) {
            return;
        }
        assert!(Instant::now() < deadline, "{objects} objects are to be left, none of them kept: {census:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Far more than the server needs to see that something is needed no more.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same, by somebody who has let go of many at once: of some of them the next call tells the server.
#[track_caller]
fn objects_come_to_be(server: &TestServer, manager: &Manager, objects: usize) {
    manager.ping().unwrap();
    objects_are(server, objects);
}

/// All that can be reached from some things; each must have what it was made with.
fn reached(from: Vec<Thing>) -> HashSet<Reference> {
    let (mut open, mut found) = (from, HashSet::new());
    while let Some(thing) = open.pop() {
        let reference = match &thing {
            Thing::List(list) => list.reference(),
            Thing::Dict(dict) => dict.reference(),
            Thing::Mark(_) => panic!("a mark where an object was put"),
        };
        if found.insert(reference) {
            open.extend(inside(&thing));
        }
    }
    found
}

const WORKERS: u64 = 6;
const KILLS: u64 = 40;
const STEPS_BETWEEN: u64 = 60;
/// The tray, the shelf, the bench, and the counts.
const NAMED: usize = 4;

#[test]
fn what_workers_tie_together_lives_as_long_as_it_can_be_reached_though_they_are_killed() {
    let server = server();
    let manager = server.manager();
    let counts: ManagerDict<String, u64> = manager.dict(COUNTS).unwrap();
    let mut seeds = 0..;
    let mut hire = || start(&server, "hands", &[&seeds.next().unwrap().to_string()]);
    let mut workers: Vec<Worker> = (0..WORKERS).map(|_| hire()).collect();
    let mut random = StdRng::seed_from_u64(7);
    for kill in 1..=KILLS {
        eventually("they go on", || (counts.get(STEPS).unwrap() >= Some(kill * STEPS_BETWEEN)).then_some(()));
        let victim = random.random_range(0..workers.len());
        workers[victim].signal(Signal::KILL);
        workers[victim].wait();
        workers[victim] = hire();
    }
    counts.set(STOP, &1).unwrap();
    workers.iter_mut().for_each(|worker| assert!(worker.wait().success()));
    eventually("their sessions end", || (server.census().sessions == 1).then_some(()));

    let (tray, shelf, bench) = open(&manager);
    // What is still in the queue can be looked at elsewhere.
    while let Ok(thing) = tray.try_get() {
        bench.push(&thing).unwrap();
    }
    let found = reached([shelf.values().unwrap(), bench.values().unwrap()].concat());
    println!("{} can be reached of {:?}", found.len(), server.census());
    assert!(found.len() > 10, "{} can be reached", found.len());
    objects_come_to_be(&server, &manager, NAMED + found.len());
    assert_eq!(reached([shelf.values().unwrap(), bench.values().unwrap()].concat()), found);
    shelf.clear().unwrap();
    objects_come_to_be(&server, &manager, NAMED + reached(bench.values().unwrap()).len());
    bench.clear().unwrap();
    objects_come_to_be(&server, &manager, NAMED);
}

fn open(manager: &Manager) -> (ManagerQueue<Thing>, ManagerDict<u64, Thing>, ManagerList<Thing>) {
    (manager.queue(TRAY).unwrap(), manager.dict(SHELF).unwrap(), manager.list(BENCH).unwrap())
}

#[test]
fn an_object_without_a_name_outlives_the_process_that_put_its_only_proxy_into_a_queue() {
    let server = server();
    // The tray alone has a name.
    for mark in 0..20 {
        let mut leaving = start(&server, "leave", &[&mark.to_string()]);
        assert!(leaving.wait().success());
        eventually("its session ends", || (server.census().sessions == 0).then_some(()));
        objects_are(&server, 2);
        let mut fetching = start(&server, "fetch", &[]);
        assert_eq!(fetching.line(), format!("mark {mark}"));
        assert_eq!((server.census().objects, server.census().kept), (2, 1), "it has what it took");
        if mark % 2 == 0 {
            fetching.signal(Signal::KILL);
        }
        assert_eq!(fetching.wait().success(), mark % 2 == 1);
        objects_are(&server, 1);
    }
}

#[test]
fn an_object_goes_with_the_process_that_alone_knows_it_however_that_ends() {
    let server = server();
    for role in ["keep", "keep-circle"] {
        let mut keeper = start(&server, role, &[]);
        let objects: usize = keeper.line().parse().unwrap();
        assert_eq!(server.census().objects, objects);
        keeper.signal(Signal::KILL);
        keeper.wait();
        objects_are(&server, 0);
        let mut keeper = start(&server, role, &[]);
        keeper.line();
        assert!(keeper.wait().success());
        objects_are(&server, 0);
    }
}
