//! What both drivers make of a session, and what it keeps of changes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, mpsc};

use manager_protocol::{Acknowledge, Code, FrameKind, RequestHeader, SessionChoice, SessionToken, decode_body};

use super::changes::MOST_ANSWERED;
use super::*;
use crate::Manager;
use crate::error::Error;
use crate::fake::{Fake, Peer, reply};
use crate::faults::{Call, DRIVERS, Driver, LONG, call, dict};
use crate::reference::nowhere;

const TOKEN: SessionToken = SessionToken([7; 16]);

#[test]
fn a_call_whose_reply_was_lost_joins_the_session_and_has_one_outcome() {
    for &driver in DRIVERS {
        let (seen, is_seen) = mpsc::channel();
        let fake = Fake::start(move |index, mut peer| {
            let choice = peer.welcome(1, 42);
            let Some(id) = peer.request() else { return };
            seen.send((choice, id)).unwrap();
            if index > 0 {
                peer.send(&reply(id, &[7]));
                peer.request();
            }
        });
        assert_eq!(call(driver, fake.path(), LONG, &[Call::Change]).unwrap(), [7]);
        let (first, id) = is_seen.recv().unwrap();
        assert_eq!(first, Some(SessionChoice::New(true)));
        assert_eq!(is_seen.recv().unwrap(), (Some(SessionChoice::Join(42, TOKEN)), id), "{driver:?}");
    }
}

/// Loses the session of the first connection, and answers from the third one on.
fn forgetful(code: Code) -> impl FnMut(usize, Peer) + Send + 'static {
    move |index, mut peer| match index {
        0 => {
            peer.greet(1);
            peer.request();
        }
        1 => {
            assert_eq!(peer.hello(), Some(SessionChoice::Join(1, TOKEN)));
            peer.goodbye(code);
        }
        _ => {
            let choice = peer.welcome(1, 2);
            assert!(matches!(choice, Some(SessionChoice::New(true) | SessionChoice::Join(2, TOKEN))), "{choice:?}");
            while let Some(id) = peer.request() {
                peer.send(&reply(id, &[7]));
            }
        }
    }
}

/// The outcomes of two changes, one after the other.
fn two_changes(driver: Driver, fake: &Fake) -> [Result<u64, Error>; 2] {
    match driver {
        Driver::Blocking => {
            let manager = Manager::connect(fake.path()).unwrap();
            let dict = dict(manager.link());
            [(); 2].map(|()| dict.remove_many(["secret"]))
        }
        #[cfg(feature = "aio")]
        Driver::Async => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let manager = crate::aio::Manager::connect(fake.path()).await.unwrap();
            let dict = dict(manager.link());
            [dict.remove_many(["secret"]).await, dict.remove_many(["secret"]).await]
        }),
    }
}

#[test]
fn an_expired_session_leaves_changes_unknown_and_is_replaced() {
    for &driver in DRIVERS {
        for code in [Code::SessionExpired, Code::NotAuthorised] {
            let fake = Fake::start(forgetful(code));
            let [first, second] = two_changes(driver, &fake);
            let error = first.unwrap_err();
            assert!(error.is_session_expired() && error.is_outcome_unknown(), "{driver:?}: {error}");
            assert_eq!(second.unwrap(), 7, "{driver:?}");
        }
    }
}

#[test]
fn a_read_goes_on_in_the_next_session() {
    for &driver in DRIVERS {
        let fake = Fake::start(forgetful(Code::SessionExpired));
        assert_eq!(call(driver, fake.path(), LONG, &[Call::Read]).unwrap(), [7], "{driver:?}");
    }
}

#[test]
fn a_server_that_goes_is_not_waited_for() {
    for &driver in DRIVERS {
        let (fake, listener) = Fake::listening();
        std::thread::spawn(move || {
            let mut peer = Peer::accept(&listener);
            peer.greet(1);
            peer.request();
            drop(listener);
        });
        let error = call(driver, fake.path(), LONG, &[Call::Change]).unwrap_err();
        assert!(error.to_string().contains("no server is listening"), "{driver:?}: {error}");
        assert!(error.is_outcome_unknown(), "{driver:?}: {error}");
    }
}

#[test]
fn a_repetition_that_came_too_late_has_an_unknown_outcome() {
    for &driver in DRIVERS {
        let fake = Fake::start(|_, mut peer| {
            peer.greet(1);
            while let Some(id) = peer.request() {
                let mut out = Vec::new();
                let stale = manager_protocol::Error::new(Code::StaleRequest, "forgotten");
                manager_protocol::write_error_reply(&mut out, id, &stale);
                peer.send(&out);
            }
        });
        let error = call(driver, fake.path(), LONG, &[Call::Change]).unwrap_err();
        assert!(error.is_outcome_unknown() && !error.is_disconnected(), "{driver:?}: {error}");
    }
}

#[test]
fn the_end_is_told() {
    for &driver in DRIVERS {
        let (seen, is_seen) = mpsc::channel();
        let fake = Fake::start(move |_, mut peer| {
            peer.greet(1);
            while let Some((kind, body)) = peer.message() {
                if kind == FrameKind::Leave {
                    seen.send(()).unwrap();
                } else if kind == FrameKind::Request {
                    peer.send(&reply(RequestHeader::parse(&body).unwrap().id, &[7]));
                }
            }
        });
        assert_eq!(call(driver, fake.path(), LONG, &[Call::Change]).unwrap(), [7], "{driver:?}");
        is_seen.recv_timeout(LONG).unwrap();
    }
}

/// What a server has answered, and what it was told that the client has.
#[derive(Default)]
struct Memory {
    answered: BTreeSet<u64>,
    remembered: BTreeSet<u64>,
    most: usize,
    acknowledgements: usize,
}

#[test]
fn acknowledgements_speak_of_answered_requests_alone() {
    const THREADS: usize = 8;
    const CALLS: usize = 400;
    for piped in [false, true] {
        let memory = Arc::new(Mutex::new(Memory::default()));
        let of_server = memory.clone();
        let fake = Fake::start_parallel(move |_, mut peer| {
            peer.greet(1);
            while let Some((kind, body)) = peer.frame() {
                let mut memory = of_server.lock().unwrap();
                if kind == FrameKind::Request {
                    let id = RequestHeader::parse(&body).unwrap().id;
                    assert!(memory.answered.insert(id), "{id} came twice");
                    memory.remembered.insert(id);
                    memory.most = memory.most.max(memory.remembered.len());
                    drop(memory);
                    peer.send(&reply(id, &[7]));
                } else if kind == FrameKind::Acknowledge {
                    let told: Acknowledge = decode_body(kind, &body).unwrap();
                    let done: Vec<u64> = (1..told.next).filter(|id| !told.awaited.contains(id)).collect();
                    assert!(done.iter().all(|id| memory.answered.contains(id)), "not answered yet");
                    memory.remembered.retain(|id| done.binary_search(id).is_err());
                    memory.acknowledgements += 1;
                }
            }
        });
        let manager = Manager::connect(fake.path()).unwrap();
        let dict = dict(manager.link());
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    if piped {
                        let pipeline = manager.pipeline();
                        let promises: Vec<_> = (0..CALLS).map(|_| dict.on(&pipeline).remove_many(["secret"])).collect();
                        pipeline.send().unwrap();
                        assert!(promises.into_iter().all(|promise| promise.take().unwrap() == 7));
                    } else {
                        for _ in 0..CALLS {
                            assert_eq!(dict.remove_many(["secret"]).unwrap(), 7);
                        }
                    }
                });
            }
        });
        let memory = memory.lock().unwrap();
        assert_eq!(memory.answered.len(), THREADS * CALLS);
        assert!(memory.acknowledgements >= THREADS * CALLS / MOST_ANSWERED / 2);
        // 512, and what batches that begin at once may take before they share.
        assert!(memory.most <= 2 * WINDOW + WINDOW * 2, "{} answers had to be remembered", memory.most);
    }
}

#[test]
fn a_change_is_acknowledged_when_its_answer_was_taken() {
    const LIMITS: Limits = Limits { frame: 1 << 16, message: 1 << 16 };
    let session = Session::new(1, nowhere());
    let first = session.begin(Effect::Change);
    let others: Vec<u64> = (0..MOST_ANSWERED).map(|_| session.begin(Effect::Change)).collect();
    assert!(session.take_news(LIMITS).is_none());
    session.finish_all(others);
    let told = session.take_news(LIMITS).unwrap().acknowledge.unwrap();
    assert_eq!((told.next, told.awaited), (session.begin(Effect::Read), vec![first]));
    assert!(session.take_news(LIMITS).is_none());
}

#[test]
fn a_change_that_was_given_up_is_awaited_until_its_cancelling_was_told() {
    const LIMITS: Limits = Limits { frame: 1 << 16, message: 1 << 16 };
    let session = Session::new(1, nowhere());
    let id = session.begin(Effect::Change);
    session.give_up([id]);
    session.was_cut();
    let told = session.take_news(LIMITS).unwrap();
    assert_eq!(told.cancels, [id]);
    assert_eq!(told.acknowledge.unwrap().awaited, [id]);
    session.finish_all(told.cancels);
    session.was_cut();
    let told = session.take_news(LIMITS).unwrap();
    assert!(told.cancels.is_empty() && told.acknowledge.unwrap().awaited.is_empty());
}

#[test]
fn an_acknowledgement_fits_a_frame() {
    let session = Session::new(1, nowhere());
    let ids: Vec<u64> = (0..1000).map(|_| session.begin(Effect::Change)).collect();
    session.was_cut();
    let news = session.take_news(Limits { frame: 1000, message: 1000 }).unwrap();
    let mut out = Vec::new();
    news.write(&mut out);
    assert!(out.len() <= 1004);
    let told = news.acknowledge.unwrap();
    assert_eq!(told.awaited, ids[..told.awaited.len()]);
    assert_eq!(told.next, ids[told.awaited.len()], "what is not listed is not spoken of");
}

#[test]
fn one_connection_begins_the_session_and_the_others_wait_for_it() {
    let session = Session::new(1, nowhere());
    let mut first = session.enter(&Deadline::after(LONG)).unwrap();
    assert_eq!(first.choice(), SessionChoice::New(true));
    let error = session.enter(&Deadline::after(Duration::from_millis(1))).unwrap_err();
    assert!(error.is_timeout());
    std::thread::scope(|scope| {
        let second = scope.spawn(|| session.enter(&Deadline::after(LONG)).unwrap().choice());
        first.welcome(9, Some(TOKEN), 10).unwrap();
        assert_eq!(second.join().unwrap(), SessionChoice::Join(9, TOKEN));
    });
    session.expire(0);
    // The first to come tries, and fails: the next one tries.
    drop(session.enter(&Deadline::after(LONG)).unwrap());
    assert_eq!(session.enter(&Deadline::after(LONG)).unwrap().choice(), SessionChoice::New(true));
    assert_eq!(session.generation(), 1);
}

#[test]
fn the_child_of_a_fork_has_a_session_of_its_own() {
    let sessions = Sessions::inherited(nowhere());
    assert!(sessions.own().is_none());
    let own = Guard::into_inner(sessions.current());
    assert_eq!(own.pid(), std::process::id());
    assert!(Arc::ptr_eq(&own, &sessions.current()) && sessions.own().is_some());
}
