//! Entries that live as long as the process that wrote them, and processes that are killed.

use std::collections::BTreeSet;

use manager_client::{DictChange, DictUpdate, ManagerDict, Ttl};
use manager_protocol::SOCKET_VARIABLE;
use manager_tests::{TestServer, server};
use rustix::process::Signal;

use crate::child::{Worker, eventually, worker};

/// How many register. The even ones are killed.
const WORKERS: u64 = 20;

/// A worker that has registered under these numbers.
fn registered(server: &TestServer, numbers: &[u64]) -> Worker {
    let mut command = worker("register");
    command.args(numbers.iter().map(u64::to_string)).env(SOCKET_VARIABLE, server.socket());
    let mut worker = Worker::start(command);
    assert_eq!(worker.line(), "registered");
    worker
}

fn keys(dict: &ManagerDict<u64, u32>) -> BTreeSet<u64> {
    dict.keys().unwrap().into_iter().collect()
}

#[test]
fn of_those_who_registered_exactly_those_who_live_remain() {
    let server = server();
    let manager = server.manager();
    let dict: ManagerDict<u64, u32> = manager.dict("workers").unwrap();
    let mut watch = dict.watch();
    watch.next().unwrap().unwrap();
    let mut workers: Vec<Worker> = (0..WORKERS).map(|number| registered(&server, &[number])).collect();
    assert_eq!(keys(&dict), (0..WORKERS).collect());
    assert_eq!(dict.get(&3).unwrap(), Some(workers[3].id()));

    // Of those that will be killed, 0 is overwritten by a plain value, 2 by one that lives on, and 4 gets a time;
    // 6 is changed, which leaves it whose it was. 1, which lives on, is taken over by one that will be killed.
    dict.set(&0, &7).unwrap();
    workers.push(registered(&server, &[2]));
    assert!(dict.expire(&4, std::time::Duration::from_secs(600)).unwrap() && dict.persist(&4).unwrap());
    assert_eq!(dict.ttl(&4).unwrap(), Some(Ttl::Endless));
    dict.add(&6, 1).unwrap();
    let mut taken_over = registered(&server, &[1]);
    assert_eq!(server.census().held, WORKERS as usize, "19 entries and a watch: 0 is nobody's any more");

    let (killed, alive): (Vec<_>, Vec<_>) =
        workers.iter_mut().enumerate().partition(|(number, _)| number % 2 == 0 && *number < WORKERS as usize);
    for (_, worker) in &killed {
        worker.signal(Signal::KILL);
    }
    taken_over.signal(Signal::KILL);
    for (_, worker) in killed {
        worker.wait();
    }
    taken_over.wait();
    eventually("their sessions end", || (server.census().sessions == alive.len() + 1).then_some(()));
    let remain: BTreeSet<u64> = (0..WORKERS).filter(|number| number % 2 == 1 && *number != 1).chain([0, 2]).collect();
    assert_eq!(keys(&dict), remain);
    assert_eq!(dict.get(&0).unwrap(), Some(7));

    for (_, worker) in alive {
        assert!(worker.wait().success());
    }
    eventually("their sessions end", || (server.census().sessions == 1).then_some(()));
    assert_eq!(dict.items().unwrap(), [(0, 7)]);
    assert_eq!(server.census().held, 1, "the watch");

    // Who watches was told all of it.
    let version = dict.version().unwrap();
    let (mut copy, mut last) = (std::collections::BTreeMap::new(), 0);
    while last < version {
        let update = watch.next().unwrap().unwrap();
        let DictUpdate::Changes(changes) = &update else { panic!("{update:?}") };
        last = changes.last().map_or(last, DictChange::version);
        update.apply_to(&mut copy);
    }
    assert_eq!(copy.into_iter().collect::<Vec<_>>(), [(0, 7)]);
}
