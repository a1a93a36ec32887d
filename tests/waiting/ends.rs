//! How waits end, over every link and across processes: by time, by a drop, with a session.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use manager_client::{DirectLink, Manager, ManagerQueue, aio};
use manager_protocol::lock::{self, Grant, LockMode};
use manager_protocol::{
    FrameKind, Hello, Operation, PROTOCOL_VERSION, ReplyHeader, SessionChoice, finish_frame, manager, split_frame,
    start_frame, write_control, write_request_header,
};
use manager_tests::{block_on, over_every_link, server, server_with, wait};

use crate::child::eventually;

const SHORT: Duration = Duration::from_millis(20);

fn time_ends_every_wait<L: DirectLink>(manager: &Manager<L>) {
    let queue: ManagerQueue<u64, L> = wait::<L, _>(manager.queue("queue")).unwrap();
    assert!(wait::<L, _>(queue.get_timeout(SHORT)).unwrap_err().is_empty());
    assert!(wait::<L, _>(queue.get_many_timeout(5, SHORT)).unwrap_err().is_empty());
    let one = manager_client::QueueOptions::new().capacity(1);
    let full: ManagerQueue<u64, L> = wait::<L, _>(manager.queue_with("full", one)).unwrap();
    wait::<L, _>(full.put(&1)).unwrap();
    assert!(wait::<L, _>(full.put_timeout(&2, SHORT)).unwrap_err().is_full());
    assert!(!wait::<L, _>(full.join_timeout(SHORT)).unwrap());

    let event = wait::<L, _>(manager.event("event")).unwrap();
    assert!(!wait::<L, _>(event.wait_timeout(SHORT)).unwrap());
    let permits = wait::<L, _>(manager.semaphore("permits", 0)).unwrap();
    assert!(wait::<L, _>(permits.acquire_timeout(SHORT)).unwrap().is_none());
    let barrier = wait::<L, _>(manager.barrier("barrier", 2)).unwrap();
    assert!(wait::<L, _>(barrier.wait_timeout(SHORT)).is_err_and(|error| error.is_broken()));
    assert!(wait::<L, _>(barrier.status()).unwrap().broken);
    wait::<L, _>(barrier.reset()).unwrap();
    assert!(!wait::<L, _>(barrier.status()).unwrap().broken);

    let ownerless = wait::<L, _>(manager.ownerless_lock("ownerless")).unwrap();
    wait::<L, _>(ownerless.acquire()).unwrap();
    assert!(!wait::<L, _>(ownerless.acquire_timeout(SHORT)).unwrap());
    wait::<L, _>(ownerless.release()).unwrap();

    let condition = wait::<L, _>(manager.condition("condition")).unwrap();
    let mut guard = wait::<L, _>(condition.acquire()).unwrap();
    assert!(!wait::<L, _>(guard.wait_timeout(SHORT)).unwrap());
    wait::<L, _>(guard.release()).unwrap();

    let (left, right) = wait::<L, _>(manager.pipe::<u64, u64>("pipe")).unwrap();
    assert_eq!(wait::<L, _>(left.recv_timeout(SHORT)).unwrap(), None);
    assert!(!wait::<L, _>(right.poll(SHORT)).unwrap());
}

#[test]
fn a_wait_ends_with_its_time() {
    over_every_link!(time_ends_every_wait);
}

#[test]
fn the_default_wait_is_that_of_the_proxy() {
    let server = server();
    let lock = server.manager().lock("lock").unwrap();
    let _held = lock.acquire().unwrap();
    let other = server.manager().lock("lock").unwrap().with_timeout(SHORT);
    let error = other.acquire().unwrap_err();
    assert!(error.is_timeout() && !error.is_outcome_unknown(), "{error}");
}

#[test]
fn a_guard_that_an_async_program_drops_is_released_without_blocking() {
    let server = server();
    let manager = block_on(server.aio());
    let lock = block_on(manager.lock("lock")).unwrap();
    for _ in 0..100 {
        let guard = block_on(lock.acquire()).unwrap();
        drop(guard);
    }
    // Also when the future that was about to return it is dropped: polled a few times, then gone.
    let other = server.manager().lock("lock").unwrap();
    for polls in 0..50 {
        let mut attempt = Box::pin(lock.acquire());
        block_on(async {
            for _ in 0..polls {
                tokio::select! {
                    biased;
                    guard = &mut attempt => { drop(guard); return; }
                    () = tokio::task::yield_now() => {}
                }
            }
        });
        drop(attempt);
        drop(other.acquire().unwrap_or_else(|error| panic!("after {polls} polls: {error}; {:?}", other.status())));
    }
}

#[test]
fn what_is_granted_to_a_dropped_future_goes_to_the_next() {
    let server = server();
    let manager = block_on(server.aio());
    let queue = block_on(manager.queue::<u64>("queue")).unwrap();
    let direct = server.manager().queue::<u64>("queue").unwrap();
    for item in 0..200 {
        let mut get = Box::pin(queue.get());
        block_on(async {
            tokio::select! {
                biased;
                _ = &mut get => unreachable!("there is no item"),
                () = tokio::task::yield_now() => {}
            }
        });
        direct.put(&item).unwrap();
        drop(get);
        assert_eq!(direct.get().unwrap(), item);
    }
}

#[test]
fn a_session_without_a_connection_ends_when_its_grace_is_over() {
    let server = server_with(|config| config.limits.grace = SHORT);
    let manager = server.manager();
    let lock = manager.lock("lock").unwrap();
    // A client that never comes back: its connections break, and its process (this one) lives on.
    let guard = abandon(server.socket(), "lock");
    let next = lock.acquire().unwrap();
    assert!(next.owner_died());
    assert!(next.token() > guard);
}

#[test]
fn the_last_clone_of_a_manager_takes_its_session_along() {
    let server = server();
    let manager = server.manager();
    let lock = manager.lock("lock").unwrap();
    let guard = lock.acquire().unwrap();
    drop((manager, lock));
    assert_eq!((server.census().sessions, server.census().held), (1, 1), "the guard is of the session too");
    drop(guard);
    eventually("the session ends", || (server.census().sessions == 0).then_some(()));

    let manager: aio::Manager = block_on(server.aio());
    let lock = block_on(manager.lock("lock")).unwrap();
    let guard = block_on(lock.acquire()).unwrap();
    drop((manager, lock, guard));
    eventually("the session ends", || (server.census().sessions == 0 && server.census().held == 0).then_some(()));
}

/// A client that takes a lock and never says anything again; the token it got.
fn abandon(socket: &Path, name: &str) -> u64 {
    let mut stream = UnixStream::connect(socket).unwrap();
    let mut out = Vec::new();
    let hello = Hello { protocol: PROTOCOL_VERSION, client: "gone".into(), session: SessionChoice::New(true) };
    write_control(&mut out, FrameKind::Hello, &hello);
    request(&mut out, 1, 0, manager::OpenLock { name: Some(name), mode: LockMode::Owned });
    stream.write_all(&out).unwrap();
    let mut arrived = Vec::new();
    assert_eq!(next_frame(&mut stream, &mut arrived).0, FrameKind::Welcome);
    let (_, opened) = next_frame(&mut stream, &mut arrived);
    let object: u64 = rmp_serde::from_slice(ReplyHeader::parse(&opened).unwrap().result).unwrap();
    out.clear();
    request(&mut out, 2, object, lock::Acquire { holder: 1, timeout_ms: Some(0) });
    stream.write_all(&out).unwrap();
    let (_, taken) = next_frame(&mut stream, &mut arrived);
    let grant: Option<Grant> = rmp_serde::from_slice(ReplyHeader::parse(&taken).unwrap().result).unwrap();
    grant.unwrap().token
}

fn request<O: Operation>(out: &mut Vec<u8>, id: u64, object: u64, operation: O) {
    let start = start_frame(out, FrameKind::Request);
    write_request_header(out, id, O::ROW.number, object);
    operation.encode(out);
    finish_frame(out, start);
}

fn next_frame(stream: &mut UnixStream, arrived: &mut Vec<u8>) -> (FrameKind, Vec<u8>) {
    loop {
        if let Some((frame, used)) = split_frame(arrived, 1 << 20).unwrap() {
            let taken = (frame.kind, frame.body.to_vec());
            arrived.drain(..used);
            return taken;
        }
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the server goes on");
        arrived.extend_from_slice(&bytes[..count]);
    }
}
