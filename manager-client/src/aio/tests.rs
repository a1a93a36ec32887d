//! Calls that are dropped, batches that are cut, and ends of the async driver.

use std::sync::mpsc;

use manager_protocol::{
    Cancel, FrameKind, Operation, RequestHeader, decode_body, decode_value, dict as rows, semaphore, watch, write_item,
};
use tokio::sync::mpsc as channel;
use tokio::task::JoinSet;

use super::*;
use crate::fake::{Fake, reply};
use crate::faults::{LONG, dict};
use crate::handle::Handle;

#[tokio::test]
async fn a_call_dropped_after_its_answer_arrived_is_cancelled() {
    let (seen, mut is_seen) = channel::unbounded_channel();
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        while let Some((kind, body)) = peer.message() {
            if kind == FrameKind::Request {
                let id = RequestHeader::parse(&body).unwrap().id;
                peer.send(&reply(id, &[7]));
                seen.send((kind, id)).unwrap();
            } else if kind == FrameKind::Cancel {
                seen.send((kind, decode_body::<Cancel>(kind, &body).unwrap().id)).unwrap();
            }
        }
    });
    let manager = Manager::connect(fake.path()).await.unwrap();
    let dict = dict(manager.link());
    let mut dropped = dict.remove_many(["secret"]);
    assert!(std::future::poll_fn(|context| std::task::Poll::Ready(dropped.as_mut().poll(context).is_pending())).await);
    // Answered in turn: the answer to the first is there as well.
    assert_eq!(dict.len().await.unwrap(), 7);
    let (_, id) = is_seen.recv().await.unwrap();
    is_seen.recv().await.unwrap();
    drop(dropped);
    assert_eq!(is_seen.recv().await, Some((FrameKind::Cancel, id)));
}

/// Begins watches and ends them; each number that it gave out goes to one channel, and each that was ended to the
/// other. With `late`, it answers what begins one when that was cancelled.
fn watched(late: bool) -> (Fake, channel::UnboundedReceiver<u64>, channel::UnboundedReceiver<u64>) {
    let ((begun, is_begun), (ended, is_ended)) = (channel::unbounded_channel(), channel::unbounded_channel());
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        while let Some((kind, body)) = peer.message() {
            if kind != FrameKind::Request {
                continue;
            }
            let request = RequestHeader::parse(&body).unwrap();
            if request.operation == watch::Begin::ROW.number {
                begun.send(request.id).unwrap();
                while late && peer.frame().unwrap().0 != FrameKind::Cancel {}
                let mut number = Vec::new();
                write_item(&mut number, &request.id);
                peer.send(&reply(request.id, &number));
            } else if request.operation == watch::End::ROW.number {
                ended.send(decode_value::<(u64,)>(request.arguments).unwrap().0).unwrap();
                peer.send(&reply(request.id, &[0xc3]));
            } else {
                peer.send(&reply(request.id, &[7]));
            }
        }
    });
    (fake, is_begun, is_ended)
}

/// Polls a future once.
async fn once(future: impl Future) -> bool {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn a_watch_that_nobody_took_is_ended() {
    for late in [true, false] {
        let (fake, mut is_begun, mut is_ended) = watched(late);
        let manager = Manager::connect(fake.path()).await.unwrap();
        let dict = dict(manager.link());
        for _ in 0..3 {
            let mut watch = dict.watch();
            assert!(once(watch.next()).await);
            let begun = is_begun.recv().await.unwrap();
            if !late {
                // Answered in turn: the answer to the first is there as well.
                assert_eq!(dict.len().await.unwrap(), 7);
            }
            drop(watch);
            assert_eq!(is_ended.recv().await, Some(begun));
        }
    }
}

#[tokio::test]
async fn watches_that_are_dropped_at_any_moment_are_all_ended() {
    let (fake, mut is_begun, mut is_ended) = watched(false);
    let manager = Manager::connect(fake.path()).await.unwrap();
    let dict = dict(manager.link());
    for index in 0..1000 {
        let mut watch = dict.watch();
        assert!(once(watch.next()).await);
        for _ in 0..index % 7 {
            tokio::task::yield_now().await;
        }
    }
    // Answered in turn.
    dict.len().await.unwrap();
    let mut begun: Vec<u64> = std::iter::from_fn(|| is_begun.try_recv().ok()).collect();
    let mut ended = Vec::new();
    while ended.len() < begun.len() {
        ended.push(is_ended.recv().await.unwrap());
    }
    ended.sort_unstable();
    begun.sort_unstable();
    assert_eq!(ended, begun);
    dict.len().await.unwrap();
    assert!(is_ended.try_recv().is_err(), "once each");
}

#[tokio::test]
async fn a_batch_that_is_cut_sends_again_what_was_not_answered() {
    let (seen, mut is_seen) = channel::unbounded_channel();
    let fake = Fake::start(move |index, mut peer| {
        peer.greet(1);
        for count in 0.. {
            let Some(id) = peer.request() else { return };
            seen.send((index, id)).unwrap();
            match (index, count) {
                (0, 400) => return,
                (0, 256..) if id % 2 == 0 => {}
                _ => peer.send(&reply(id, &[7])),
            }
        }
    });
    let manager = Manager::connect(fake.path()).await.unwrap();
    let mut calls = Calls::default();
    for _ in 0..1000 {
        calls.push(&Target::new(1, None, manager.link().epoch()), rows::Clear::ROW, |out| out.push(0x90));
    }
    let mut outcomes = manager.link().batch(calls).await;
    assert!((0..1000).all(|index| outcomes.take(index, |_| Ok(())).unwrap().is_ok()));
    let (mut answered, mut again) = (Vec::new(), Vec::new());
    while let Ok((connection, id)) = is_seen.try_recv() {
        if connection > 0 {
            again.push(id);
        } else if answered.len() < 256 || id % 2 == 1 {
            answered.push(id);
        }
    }
    // The last one that the first connection saw was not answered, whichever it was.
    answered.truncate(again.len().abs_diff(1000));
    assert!(again.is_sorted(), "in the order of the batch");
    assert!(again.iter().all(|id| !answered.contains(id)));
    assert_eq!(again.len() + answered.len(), 1000);
}

#[tokio::test]
async fn no_more_is_under_way_than_the_server_remembers() {
    let (seen, mut is_seen) = channel::unbounded_channel();
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        let mut unanswered = Vec::new();
        while let Some((kind, body)) = peer.message() {
            if kind != FrameKind::Request {
                continue;
            }
            let request = RequestHeader::parse(&body).unwrap();
            if request.operation == rows::Clear::ROW.number {
                unanswered.push(request.id);
                if unanswered.len() == crate::session::WINDOW {
                    // Had more been sent, it would be here.
                    seen.send(peer.has_arrived()).unwrap();
                    unanswered.drain(..).for_each(|id| peer.send(&reply(id, &[7])));
                }
            }
        }
    });
    let manager = Manager::connect(fake.path()).await.unwrap();
    let mut calls = Calls::default();
    let waits = Row { waits: true, ..rows::Set::ROW };
    for index in 0..300 + 512 {
        let row = if index < 300 { waits } else { rows::Clear::ROW };
        calls.push(&Target::new(1, None, manager.link().epoch()), row, |out| out.push(0x90));
    }
    let link = manager.link().clone();
    let batch = tokio::spawn(async move { link.batch(calls).await });
    assert_eq!(is_seen.recv().await, Some(false));
    assert_eq!(is_seen.recv().await, Some(false));
    batch.abort();
}

#[tokio::test]
async fn more_than_is_written_at_once_is_sent_before_any_answer() {
    const CALLS: usize = 20;
    let fake = Fake::start(|_, mut peer| {
        peer.greet(1);
        let ids: Vec<u64> = (0..CALLS).map_while(|_| peer.request()).collect();
        ids.into_iter().for_each(|id| peer.send(&reply(id, &[7])));
        peer.request();
    });
    let manager = Manager::options().timeout(LONG).connect(fake.path()).await.unwrap();
    let dict = dict(manager.link());
    // Each takes most of a frame.
    let large = "x".repeat(60_000);
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let (dict, large) = (dict.clone(), large.clone());
        calls.spawn(async move { dict.remove_many([large.as_str()]).await });
    }
    for outcome in calls.join_all().await {
        assert_eq!(outcome.unwrap(), 7);
    }
}

#[test]
fn what_is_detached_is_sent_from_anywhere_and_over_a_lost_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (seen, is_seen) = mpsc::channel();
    let fake = Fake::start(move |index, mut peer| {
        peer.greet(1);
        while let Some(id) = peer.request() {
            seen.send((index, id)).unwrap();
            if index == 0 {
                return;
            }
            peer.send(&reply(id, &[7]));
        }
    });
    let manager = runtime.block_on(Manager::connect(fake.path())).unwrap();
    let target = Target::new(1, None, manager.link().epoch());
    manager.link().detach(&target, rows::Clear::ROW, |out| out.push(0x90));
    let (connection, id) = is_seen.recv_timeout(LONG).unwrap();
    assert_eq!(connection, 0);
    assert_eq!(is_seen.recv_timeout(LONG).unwrap(), (1, id));
}

#[test]
fn a_detached_change_goes_in_front_of_later_calls() {
    let (seen, is_seen) = mpsc::channel();
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        while let Some((kind, body)) = peer.message() {
            if kind == FrameKind::Request {
                let request = RequestHeader::parse(&body).unwrap();
                peer.send(&reply(request.id, &[7]));
                seen.send(request.operation).unwrap();
            }
        }
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let manager = Manager::connect(fake.path()).await.unwrap();
        let dict = dict(manager.link());
        let target = Target::new(1, None, manager.link().epoch());
        manager.link().detach(&target, rows::Clear::ROW, |out| out.push(0x90));
        dict.len().await.unwrap();
    });
    assert_eq!(is_seen.recv().unwrap(), rows::Clear::ROW.number);
    assert_eq!(is_seen.recv().unwrap(), rows::Len::ROW.number);
}

#[tokio::test]
async fn a_permit_whose_release_is_dropped_goes_back_over_a_lost_connection() {
    let (seen, mut is_seen) = channel::unbounded_channel();
    let (cut, is_cut) = mpsc::channel();
    let fake = Fake::start(move |index, mut peer| {
        peer.greet(1);
        while let Some((kind, body)) = peer.message() {
            assert_ne!(kind, FrameKind::Cancel);
            if kind != FrameKind::Request {
                continue;
            }
            let request = RequestHeader::parse(&body).unwrap();
            if request.operation == semaphore::Acquire::ROW.number {
                peer.send(&reply(request.id, &[0xc3]));
                continue;
            }
            seen.send((index, request.id)).unwrap();
            if index == 0 {
                return is_cut.recv().unwrap();
            }
            peer.send(&reply(request.id, &[0xc0]));
        }
    });
    let manager = Manager::connect(fake.path()).await.unwrap();
    let target = Target::new(1, Some("downloads".into()), manager.link().epoch());
    let downloads = ManagerSemaphore::new(Handle { link: manager.link().clone(), target });
    let mut release = downloads.acquire().await.unwrap().release();
    assert!(std::future::poll_fn(|context| std::task::Poll::Ready(release.as_mut().poll(context).is_pending())).await);
    let (connection, id) = is_seen.recv().await.unwrap();
    assert_eq!(connection, 0);
    drop(release);
    cut.send(()).unwrap();
    // Answered in turn, and behind what is sent again.
    manager.ping().await.unwrap();
    assert_eq!(is_seen.try_recv(), Ok((1, id)));
}

#[test]
fn the_end_is_told_whether_the_runtime_or_the_manager_ends_first() {
    for manager_first in [true, false] {
        let (seen, is_seen) = mpsc::channel();
        let fake = Fake::start(move |_, mut peer| {
            peer.greet(1);
            while let Some((kind, _)) = peer.message() {
                seen.send(kind).unwrap();
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let manager = runtime.block_on(Manager::connect(fake.path())).unwrap();
        if manager_first {
            drop(manager);
            drop(runtime);
        } else {
            drop(runtime);
            drop(manager);
        }
        let told = [(); 2].map(|()| is_seen.recv_timeout(LONG).unwrap());
        assert_eq!(told, [FrameKind::Acknowledge, FrameKind::Leave], "{manager_first}");
    }
}

#[tokio::test]
async fn holders_are_calls_tasks_and_threads() {
    let fake = Fake::start(|_, mut peer| {
        peer.greet(1);
        while peer.request().is_some() {}
    });
    let link = Manager::connect(fake.path()).await.unwrap().link().clone();
    assert_ne!(link.holder(), link.holder());
    assert_eq!(link.reentrant_holder(), thread_number(), "this is no task");
    let in_task = link.clone();
    let task = tokio::spawn(async move { (in_task.reentrant_holder(), in_task.reentrant_holder()) });
    let (first, second) = task.await.unwrap();
    assert_eq!(first, second);
    assert_eq!((first >> 61, link.holder() >> 61), (1, 2));
}
