//! What a server is told when a manager ends: what was given up, and which answers were taken.

use std::sync::mpsc;
use std::time::Duration;

use manager_protocol::{Acknowledge, Cancel, FrameKind, RequestHeader, decode_body};

use crate::Manager;
use crate::fake::{Fake, Peer, reply};
use crate::faults::{LONG, dict};

/// What a server is told.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Request(u64),
    Cancel(u64),
    Acknowledge(u64, Vec<u64>),
    Leave,
}

/// Answers the first change, and no other.
fn confide(mut peer: Peer, told: &mpsc::Sender<Told>, is_answered: &mut bool) {
    peer.greet(1);
    while let Some((kind, body)) = peer.message() {
        let news = if kind == FrameKind::Request {
            Told::Request(RequestHeader::parse(&body).unwrap().id)
        } else if kind == FrameKind::Cancel {
            Told::Cancel(decode_body::<Cancel>(kind, &body).unwrap().id)
        } else if kind == FrameKind::Acknowledge {
            let Acknowledge { next, awaited } = decode_body(kind, &body).unwrap();
            Told::Acknowledge(next, awaited)
        } else {
            assert_eq!(kind, FrameKind::Leave);
            Told::Leave
        };
        if let Told::Request(id) = news
            && !std::mem::replace(is_answered, true)
        {
            peer.send(&reply(id, &[7]));
        }
        told.send(news).unwrap();
    }
}

/// Has a change answered, gives another up, and ends.
fn end_blocking(fake: &Fake) {
    let manager = Manager::connect(fake.path()).unwrap();
    let dict = dict(manager.link());
    dict.remove_many(["secret"]).unwrap();
    let late = dict.with_timeout(SHORT).remove_many(["secret"]);
    assert!(late.is_err_and(|error| error.is_timeout()));
}

/// When an async manager ends.
#[cfg(feature = "aio")]
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// While its runtime runs.
    Served,
    /// Between its runtime's last work and its end.
    Unserved,
    AfterRuntime,
}

/// Has a change answered, gives another up, and ends; `wait` until the server has seen that.
#[cfg(feature = "aio")]
fn end_async(fake: &Fake, end: End, mut wait: impl FnMut() -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let manager = runtime.block_on(async {
        let manager = crate::aio::Manager::connect(fake.path()).await.unwrap();
        let dict = dict(manager.link());
        dict.remove_many(["secret"]).await.unwrap();
        let late = dict.with_timeout(SHORT).remove_many(["secret"]).await;
        assert!(late.is_err_and(|error| error.is_timeout()));
        if end != End::Served {
            return Some(manager);
        }
        drop((manager, dict));
        let seen = async {
            while wait() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, seen).await.unwrap();
        None
    });
    if end == End::AfterRuntime {
        drop(runtime);
        drop(manager);
    } else {
        drop(manager);
        drop(runtime);
    }
}

const SHORT: Duration = Duration::from_millis(20);

/// What a server is told until the manager has left that `end` makes.
fn told_until(end: impl FnOnce(&Fake, &mut dyn FnMut() -> bool)) -> Vec<Told> {
    let (told, seen) = mpsc::channel();
    let mut is_answered = false;
    let fake = Fake::start(move |_, peer| confide(peer, &told, &mut is_answered));
    let mut all = Vec::new();
    end(&fake, &mut || {
        all.extend(seen.try_iter());
        all.last() != Some(&Told::Leave)
    });
    while all.last() != Some(&Told::Leave) {
        all.push(seen.recv_timeout(LONG).unwrap());
    }
    all
}

/// Which is that a change was given up, that the others were answered, and that the session ends.
fn assert_all_is_told(told: &[Told]) {
    let last_request = told.iter().rposition(|told| matches!(told, Told::Request(_))).unwrap();
    let Told::Request(given_up) = told[last_request] else { unreachable!() };
    let (cancels, last) = told[last_request + 1..].split_last_chunk().unwrap();
    assert_eq!(last, &[Told::Acknowledge(given_up + 1, vec![given_up]), Told::Leave], "{told:?}");
    assert!(!cancels.is_empty() && cancels.iter().all(|told| *told == Told::Cancel(given_up)), "{told:?}");
}

#[test]
fn the_end_is_told_behind_which_answers_were_taken() {
    assert_all_is_told(&told_until(|fake, _| end_blocking(fake)));
}

#[cfg(feature = "aio")]
#[test]
fn the_end_of_a_task_is_told_behind_which_answers_were_taken() {
    for end in [End::Served, End::Unserved, End::AfterRuntime] {
        assert_all_is_told(&told_until(|fake, wait| end_async(fake, end, wait)));
    }
}
