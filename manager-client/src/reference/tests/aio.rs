//! What async calls hold that were given up.

use super::*;

#[tokio::test]
async fn the_late_reply_to_a_cancelled_call_goes_back() {
    let (sender, released) = mpsc::channel();
    let (seen, mut is_seen) = tokio::sync::mpsc::unbounded_channel();
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        let first = peer.request().unwrap();
        seen.send(()).unwrap();
        assert_eq!(peer.frame().unwrap().0, FrameKind::Cancel);
        peer.send(&[held(first, &[7]), reply(first, &found(&list(7)))].concat());
        serve(&mut peer, &sender, |peer, request| {
            peer.send(&reply(request.id, &[3]));
            true
        });
    });
    let manager = crate::aio::Manager::connect(fake.path()).await.unwrap();
    let dict = lists::<crate::aio::ManagerList<u64>, _>(manager.link());
    let mut dropped = dict.remove("ann");
    tokio::select! {
        _ = &mut dropped => panic!("the first call is never answered"),
        _ = is_seen.recv() => {}
    }
    drop(dropped);
    while released.try_recv().is_err() {
        assert_eq!(dict.len().await.unwrap(), 3);
    }
}

#[tokio::test]
async fn an_object_whose_making_was_cancelled_goes_back() {
    let (sender, released) = mpsc::channel();
    let (seen, mut is_seen) = tokio::sync::mpsc::unbounded_channel();
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        let first = peer.request().unwrap();
        seen.send(()).unwrap();
        assert_eq!(peer.frame().unwrap().0, FrameKind::Cancel);
        peer.send(&reply(first, &[9]));
        serve(&mut peer, &sender, |peer, request| {
            peer.send(&reply(request.id, &[3]));
            true
        });
    });
    let manager = crate::aio::Manager::connect(fake.path()).await.unwrap();
    let mut dropped = manager.new_list::<u64>();
    tokio::select! {
        _ = &mut dropped => panic!("the first call is never answered"),
        _ = is_seen.recv() => {}
    }
    drop(dropped);
    let dict = lists::<u64, _>(manager.link());
    let first = loop {
        assert_eq!(dict.len().await.unwrap(), 3);
        if let Ok((_, first)) = released.try_recv() {
            break first;
        }
    };
    assert_eq!(first, [(9, 1)]);
    drop(manager.new_list::<u64>().await.unwrap());
    while released.try_recv().is_err() {
        assert_eq!(dict.len().await.unwrap(), 3);
    }
}

#[tokio::test]
async fn an_object_whose_making_was_cancelled_goes_back_over_another_connection() {
    let (sender, released) = mpsc::channel();
    let (seen, mut is_seen) = tokio::sync::mpsc::unbounded_channel();
    let mut first = 0;
    let fake = Fake::start(move |index, mut peer| {
        peer.greet(1);
        if index == 0 {
            first = peer.request().unwrap();
            seen.send(()).unwrap();
            assert_eq!(peer.frame().unwrap().0, FrameKind::Cancel);
            return;
        }
        serve(&mut peer, &sender, |peer, request| {
            peer.send(&reply(request.id, if request.id == first { &[9] } else { &[3] }));
            true
        });
    });
    let manager = crate::aio::Manager::connect(fake.path()).await.unwrap();
    let mut dropped = manager.new_list::<u64>();
    tokio::select! {
        _ = &mut dropped => panic!("the first call is never answered"),
        _ = is_seen.recv() => {}
    }
    drop(dropped);
    let dict = lists::<u64, _>(manager.link());
    let given = loop {
        assert_eq!(dict.len().await.unwrap(), 3);
        if let Ok((_, given)) = released.try_recv() {
            break given;
        }
    };
    assert_eq!(given, [(9, 1)]);
}
