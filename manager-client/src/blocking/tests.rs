//! Calls that are given up, batches that are cut, and ends of the blocking driver.

use std::sync::mpsc;

use manager_protocol::{Cancel, FrameKind, Operation, RequestHeader, decode_body, dict as rows};

use super::*;
use crate::fake::{Fake, reply};
use crate::faults::{LONG, dict};
use crate::reference::nowhere;
use crate::{Manager, Row};

#[test]
fn a_call_that_ran_out_of_time_is_cancelled() {
    let (seen, is_seen) = mpsc::channel();
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        while let Some((kind, body)) = peer.message() {
            if kind == FrameKind::Cancel {
                seen.send(decode_body::<Cancel>(kind, &body).unwrap().id).unwrap();
            } else if kind == FrameKind::Request {
                let id = RequestHeader::parse(&body).unwrap().id;
                if id > 1 {
                    peer.send(&reply(id, &[7]));
                }
            }
        }
    });
    let manager = Manager::connect(fake.path()).unwrap();
    let dict = dict(manager.link());
    let error = dict.with_timeout(Duration::from_millis(20)).remove_many(["secret"]).unwrap_err();
    assert!(error.is_timeout() && error.is_outcome_unknown(), "{error}");
    assert_eq!(is_seen.recv_timeout(LONG).unwrap(), 1, "told at once, on the connection of the call");
    assert_eq!(dict.len().unwrap(), 7);
    assert_eq!(is_seen.recv_timeout(LONG).unwrap(), 1, "told again by the next connection, which arrives");
    assert_eq!(dict.remove_many(["secret"]).unwrap(), 7);
    drop((dict, manager));
    assert!(is_seen.try_recv().is_err());
}

#[test]
fn the_end_is_told_on_a_new_connection_if_there_is_no_other() {
    let (seen, is_seen) = mpsc::channel();
    let fake = Fake::start(move |index, mut peer| {
        peer.greet(1);
        while let Some((kind, _)) = peer.message() {
            seen.send((index, kind)).unwrap();
        }
    });
    let manager = Manager::connect(fake.path()).unwrap();
    let dict = dict(manager.link()).with_timeout(Duration::from_millis(20));
    assert!(dict.len().unwrap_err().is_timeout());
    drop((dict, manager));
    let told: Vec<_> = is_seen.iter().take(4).collect();
    let (before, last) =
        ([(0, FrameKind::Request), (0, FrameKind::Cancel)], [FrameKind::Acknowledge, FrameKind::Leave]);
    assert_eq!(told, [before, last.map(|kind| (1, kind))].concat());
}

fn calls(count: usize, row: impl Fn(usize) -> Row, driver: &Blocking) -> Calls {
    let mut calls = Calls::default();
    for index in 0..count {
        let target = Target::new(1, None, driver.epoch());
        calls.push(&target, row(index), |out| out.push(0x90));
    }
    calls
}

fn batch(driver: &Blocking, calls: Calls) -> Vec<u64> {
    let count = calls.len();
    let mut outcomes = finish(driver.batch(calls));
    (0..count).map(|index| outcomes.take(index, |answer| Ok(answer.version)).unwrap().unwrap()).collect()
}

#[test]
fn a_batch_that_is_cut_sends_again_what_was_not_answered() {
    let (seen, is_seen) = mpsc::channel();
    let fake = Fake::start(move |index, mut peer| {
        peer.greet(1);
        for count in 0.. {
            let Some(id) = peer.request() else { return };
            seen.send((index, id)).unwrap();
            match (index, count) {
                // The second chunk is cut in the middle, with every second call answered.
                (0, 400) => return,
                (0, 256..) if id % 2 == 0 => {}
                _ => peer.send(&reply(id, &[7])),
            }
        }
    });
    let link = Manager::connect(fake.path()).unwrap().link().clone();
    let outcomes = batch(&link, calls(1000, |_| rows::Clear::ROW, &link));
    assert_eq!(outcomes.len(), 1000);
    drop(link);
    let (first, second): (Vec<_>, Vec<_>) = is_seen.iter().take(401 + 1000 - 256 - 72).partition(|seen| seen.0 == 0);
    let answered = |id: u64| id <= 256 || (id <= 400 && id % 2 == 1);
    let again: Vec<u64> = second.iter().map(|(_, id)| *id).collect();
    assert_eq!(first.len(), 401);
    assert_eq!(again, (1..=1000).filter(|id| !answered(*id)).collect::<Vec<u64>>());
}

#[test]
fn calls_of_a_batch_that_wait_do_not_keep_others_from_being_sent() {
    let fake = Fake::start(|_, mut peer| {
        peer.greet(1);
        let mut waiting = Vec::new();
        while let Some((kind, body)) = peer.message() {
            if kind != FrameKind::Request {
                continue;
            }
            let request = RequestHeader::parse(&body).unwrap();
            if request.operation == rows::Clear::ROW.number {
                peer.send(&reply(request.id, &[7]));
                // The first one together with the last answer of a chunk.
                let together = waiting.pop().map(|id| reply(id, &[7])).unwrap_or_default();
                peer.send(&together);
            } else {
                waiting.push(request.id);
            }
        }
    });
    let link = Manager::connect(fake.path()).unwrap().link().clone();
    let waits = Row { waits: true, ..rows::Set::ROW };
    let outcomes = batch(&link, calls(600, |index| if index < 300 { waits } else { rows::Clear::ROW }, &link));
    assert_eq!(outcomes.len(), 600);
}

#[test]
fn what_is_detached_is_carried_out() {
    let (seen, is_seen) = mpsc::channel();
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        while let Some(id) = peer.request() {
            peer.send(&reply(id, &[7]));
            seen.send(id).unwrap();
        }
    });
    let manager = Manager::connect(fake.path()).unwrap();
    let target = Target::new(1, None, manager.link().epoch());
    manager.link().detach(&target, rows::Clear::ROW, |out| out.push(0x90));
    assert_eq!(is_seen.recv().unwrap(), 1);
}

#[test]
fn the_child_of_a_fork_does_not_end_the_session() {
    let (seen, is_seen) = mpsc::channel();
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        let frames: Vec<FrameKind> = std::iter::from_fn(|| Some(peer.frame()?.0)).collect();
        seen.send(frames).unwrap();
    });
    let endpoint = Endpoint::new(fake.path().to_owned(), crate::options::Settings::default());
    let driver = Driver::new(endpoint, Sessions::inherited);
    let parents = Sessions::new(nowhere());
    let connection = Connection::open(&driver.endpoint, &parents.current(), &Deadline::after(LONG)).unwrap();
    driver.idle.put(connection);
    drop(driver);
    assert_eq!(is_seen.recv_timeout(LONG).unwrap(), []);
}

#[test]
fn a_holder_is_a_thread() {
    let (fake, _listener) = Fake::listening();
    let endpoint = Endpoint::new(fake.path().to_owned(), crate::options::Settings::default());
    let link = Blocking { driver: Driver::new(endpoint, Sessions::new), timeout: LONG };
    let other = std::thread::scope(|scope| scope.spawn(|| link.holder()).join().unwrap());
    assert_eq!(link.holder(), link.reentrant_holder());
    assert_ne!(link.holder(), other);
}
