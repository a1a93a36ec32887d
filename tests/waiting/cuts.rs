//! A connection that is cut anywhere, again and again: every change is made exactly once.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use manager_client::{DirectLink, Manager, ManagerDict, ManagerList, ManagerQueue, aio};
use manager_tests::{block_on, server, wait};

use crate::child::Place;

/// Stands between clients and a server, and cuts each connection after some bytes one way.
struct Cutter {
    place: Place,
    cuts: Arc<AtomicUsize>,
}

impl Cutter {
    /// Each connection is cut one byte later than the one before, by turns of those that go to the
    /// server and those that come from it. From `most` on it begins again at no byte. The first gets
    /// half of that, so that there is a session to be resumed.
    fn start(server: PathBuf, most: usize) -> Self {
        let place = Place::new();
        let listener = UnixListener::bind(&place.socket).unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = cuts.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = UnixStream::connect(&server) else { return };
                let turn = counted.fetch_add(1, Ordering::Relaxed);
                let (way, budget) = (turn % 2, (turn + most) / 2 % most);
                let [there, back] = [(&client, &server), (&server, &client)]
                    .map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()));
                let budget_of = |this: usize| if this == way { budget } else { usize::MAX };
                let (to_server, to_client) = (budget_of(0), budget_of(1));
                thread::spawn(move || pass(there, to_server));
                thread::spawn(move || pass(back, to_client));
            }
        });
        Self { place, cuts }
    }
}

/// Passes on so many bytes, then cuts both ways.
fn pass((mut from, mut to): (UnixStream, UnixStream), mut budget: usize) {
    let mut bytes = [0; 4096];
    while budget > 0 {
        let most = bytes.len().min(budget);
        let Ok(count @ 1..) = from.read(&mut bytes[..most]) else { break };
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
        budget -= count;
    }
    // The other side may have done so already.
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

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
    let cutter = Cutter::start(server.socket().to_owned(), MOST);
    let manager = Manager::connect(&cutter.place.socket).unwrap();
    change(&manager, 250);
    let mut rounds = 250;
    // Every place was cut at in both directions.
    while cutter.cuts.load(Ordering::Relaxed) < 2 * MOST {
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
    let cutter = Cutter::start(server.socket().to_owned(), MOST);
    let manager = block_on(aio::Manager::connect(&cutter.place.socket)).unwrap();
    change(&manager, 250);
    check(&server.manager(), 250);
    assert!(cutter.cuts.load(Ordering::Relaxed) > 100);
}

#[test]
fn pipelines_and_transactions_over_a_connection_that_is_cut_are_carried_out_once() {
    let server = server();
    // A pipeline that cannot get through whole goes on where it was cut.
    let cutter = Cutter::start(server.socket().to_owned(), 3000);
    let manager = Manager::connect(&cutter.place.socket).unwrap();
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
    assert!(cutter.cuts.load(Ordering::Relaxed) > 10);
}

#[test]
fn locks_and_leases_survive_a_connection_that_is_cut() {
    let server = server();
    let cutter = Cutter::start(server.socket().to_owned(), MOST);
    let manager = Manager::connect(&cutter.place.socket).unwrap();
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
    assert!(cutter.cuts.load(Ordering::Relaxed) > 50);
}
