//! What both drivers do when a server breaks off, breaks the protocol, or says nothing.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use manager_protocol::Code;
#[cfg(feature = "aio")]
use manager_protocol::FrameKind;

use crate::error::{Error, Result};
use crate::fake::{Fake, Peer, private_directory, reply, welcome};
use crate::handle::Handle;
use crate::link::{Link, Target};
use crate::{Manager, ManagerDict};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Driver {
    Blocking,
    #[cfg(feature = "aio")]
    Async,
}

pub(crate) const DRIVERS: &[Driver] = &[
    Driver::Blocking,
    #[cfg(feature = "aio")]
    Driver::Async,
];

#[derive(Debug, Clone, Copy)]
pub(crate) enum Call {
    Read,
    Change,
}

/// The dict number 1 of the server, not opened.
pub(crate) fn dict<L: Link>(link: &L) -> ManagerDict<String, u64, L> {
    ManagerDict::new(Handle { link: link.clone(), target: Target::new(1, Some("hits".into()), link.epoch()) })
}

/// Connects and makes some calls, one after the other.
pub(crate) fn call(driver: Driver, path: &Path, timeout: Duration, calls: &[Call]) -> Result<Vec<u64>> {
    match driver {
        Driver::Blocking => {
            let manager = Manager::options().timeout(timeout).connect(path)?;
            let dict = dict(manager.link());
            let one = |call: &Call| match call {
                Call::Read => dict.len(),
                Call::Change => dict.remove_many(["secret"]),
            };
            calls.iter().map(one).collect()
        }
        #[cfg(feature = "aio")]
        Driver::Async => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let manager = crate::aio::Manager::options().timeout(timeout).connect(path).await?;
            let dict = dict(manager.link());
            let mut results = Vec::new();
            for call in calls {
                results.push(match call {
                    Call::Read => dict.len().await?,
                    Call::Change => dict.remove_many(["secret"]).await?,
                });
            }
            Ok(results)
        }),
    }
}

/// The error of one call to a server that runs the script on each connection.
fn fails(driver: Driver, call: Call, script: impl FnMut(usize, Peer) + Send + 'static) -> Error {
    let fake = Fake::start(script);
    let error = self::call(driver, fake.path(), LONG, &[call]).unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    error
}

/// Longer than anything takes here; a test that waits for it has failed.
pub(crate) const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_call_whose_reply_is_cut_at_any_byte_is_sent_again_under_its_id() {
    for &driver in DRIVERS {
        for kind in [Call::Read, Call::Change] {
            for cut in 0..reply(1, &[7]).len() {
                let (seen, ids) = mpsc::channel();
                let fake = Fake::start(move |index, mut peer| {
                    peer.greet(1);
                    let Some(id) = peer.request() else { return };
                    seen.send(id).unwrap();
                    if index == 0 {
                        return peer.send(&reply(id, &[7])[..cut]);
                    }
                    peer.send(&reply(id, &[8]));
                    peer.request();
                });
                assert_eq!(call(driver, fake.path(), LONG, &[kind]).unwrap(), [8], "{driver:?} cut at {cut}");
                assert_eq!(ids.recv().unwrap(), ids.recv().unwrap());
            }
        }
    }
}

#[test]
fn a_welcome_cut_at_any_byte_is_an_error_and_no_hang() {
    for &driver in DRIVERS {
        for cut in 0..welcome(1, 1).len() {
            let error = fails(driver, Call::Change, move |_, mut peer| {
                peer.frame();
                peer.send(&welcome(1, 1)[..cut]);
            });
            assert!(error.is_disconnected() && !error.is_outcome_unknown(), "{driver:?} cut at {cut}: {error}");
        }
    }
}

#[test]
fn a_reply_that_arrives_byte_by_byte_is_the_same_reply() {
    for &driver in DRIVERS {
        let fake = Fake::start(|_, mut peer| {
            peer.greet(1);
            while let Some(id) = peer.request() {
                for byte in reply(id, &[7]) {
                    peer.send(&[byte]);
                }
            }
        });
        let calls = [Call::Read, Call::Change, Call::Read];
        assert_eq!(call(driver, fake.path(), LONG, &calls).unwrap(), [7, 7, 7]);
    }
}

#[test]
fn an_answer_to_another_request_ends_the_connection() {
    for &driver in DRIVERS {
        let error = fails(driver, Call::Change, |_, mut peer| {
            peer.greet(1);
            let Some(id) = peer.request() else { return };
            peer.send(&reply(id + 1000, &[7]));
            peer.request();
        });
        assert!(error.is_disconnected() && error.is_outcome_unknown(), "{driver:?}: {error}");
    }
}

#[test]
fn garbage_is_an_error() {
    for &driver in DRIVERS {
        for garbage in [&b"HTTP/1.1 400 Bad Request\r\n"[..], &[0, 0, 0, 0], &[0, 0, 0, 2, 0x12, 0xc1], &[0xff; 9]] {
            let error = fails(driver, Call::Read, move |_, mut peer| {
                peer.greet(1);
                peer.request();
                peer.send(garbage);
                peer.request();
            });
            assert!(error.is_disconnected(), "{driver:?}: {error}");
        }
    }
}

#[test]
fn a_reply_of_another_type_is_an_error_of_that_call_alone() {
    for &driver in DRIVERS {
        let error = fails(driver, Call::Read, |_, mut peer| {
            peer.greet(1);
            while let Some(id) = peer.request() {
                peer.send(&reply(id, &[0xa1, b's']));
            }
        });
        assert!(error.is_disconnected(), "{driver:?}: {error}");
    }
}

#[test]
fn a_goodbye_is_told_with_its_code() {
    for &driver in DRIVERS {
        let in_a_call = fails(driver, Call::Change, move |_, mut peer| {
            peer.greet(1);
            peer.request();
            peer.goodbye(Code::ShuttingDown);
        });
        assert!(in_a_call.is_shutting_down() && in_a_call.is_outcome_unknown(), "{driver:?}: {in_a_call}");
        let in_the_hello = fails(driver, Call::Change, move |_, mut peer| {
            peer.frame();
            peer.goodbye(Code::ShuttingDown);
        });
        assert!(in_the_hello.is_shutting_down() && !in_the_hello.is_outcome_unknown(), "{driver:?}: {in_the_hello}");
    }
}

#[test]
fn a_server_that_never_answers_costs_no_more_than_the_timeout() {
    for &driver in DRIVERS {
        let fake = Fake::start(|_, mut peer| {
            peer.greet(1);
            while peer.request().is_some() {}
        });
        let started = Instant::now();
        let error = call(driver, fake.path(), Duration::from_millis(50), &[Call::Change]).unwrap_err();
        assert!(error.is_timeout() && error.is_outcome_unknown() && !error.is_disconnected(), "{driver:?}: {error}");
        assert!(started.elapsed() >= Duration::from_millis(50) && started.elapsed() < LONG);
        let error = call(driver, fake.path(), Duration::from_millis(50), &[Call::Read]).unwrap_err();
        assert!(error.is_timeout() && !error.is_outcome_unknown(), "{driver:?}: {error}");
    }
}

#[test]
fn a_full_backlog_is_waited_for_until_the_deadline() {
    for &driver in DRIVERS {
        let (fake, listener) = Fake::listening();
        rustix::net::listen(&listener, 0).unwrap();
        // One more than the backlog says is let in.
        let _waiting = std::os::unix::net::UnixStream::connect(fake.path()).unwrap();
        let error = call(driver, fake.path(), Duration::from_millis(50), &[Call::Read]).unwrap_err();
        assert!(error.is_timeout(), "{driver:?}: {error}");
    }
}

#[test]
fn a_restarted_server_is_not_mistaken_for_the_old_one() {
    for &driver in DRIVERS {
        let error = fails(driver, Call::Read, |index, mut peer| {
            peer.greet(index as u64);
            peer.request();
        });
        assert!(error.is_disconnected(), "{driver:?}: {error}");
        assert!(error.to_string().contains("was restarted and its objects are gone"), "{driver:?}: {error}");
    }
}

#[test]
fn a_server_that_took_the_place_of_another_is_asked_once() {
    let (arrived, arrivals) = mpsc::channel();
    let fake = Fake::start(move |index, mut peer| {
        arrived.send(index).unwrap();
        peer.greet(index as u64);
        peer.request();
    });
    let manager = Manager::connect(fake.path()).unwrap();
    let dict = dict(manager.link());
    for _ in 0..20 {
        assert!(dict.len().unwrap_err().is_restarted());
    }
    assert_eq!(arrivals.try_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_change_that_could_not_be_sent_is_sent_on_a_fresh_connection() {
    let (closed, is_closed) = mpsc::channel();
    let fake = Fake::start(move |index, mut peer| {
        peer.greet(1);
        let Some(id) = peer.request() else { return };
        peer.send(&reply(id, &[u8::try_from(index).unwrap()]));
        drop(peer);
        closed.send(()).unwrap();
    });
    let manager = Manager::connect(fake.path()).unwrap();
    let dict = dict(manager.link());
    for connection in 0..3 {
        assert_eq!(dict.remove_many(["secret"]).unwrap(), connection);
        is_closed.recv().unwrap();
    }
}

#[test]
fn what_is_no_socket_is_told_so() {
    let directory = private_directory();
    let (folder, file) = (directory.path().join("folder"), directory.path().join("file"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&file, "").unwrap();
    for path in [folder, file] {
        for &driver in DRIVERS {
            let error = call(driver, &path, LONG, &[]).unwrap_err();
            let said =
                format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
            assert!(said.contains("not a socket") && !said.contains("start one"), "{driver:?}: {said}");
        }
    }
}

#[test]
fn a_missing_server_is_told_with_what_to_do() {
    let directory = private_directory();
    for path in [directory.path().join("none.sock"), directory.path().join("none/none.sock")] {
        for &driver in DRIVERS {
            let error = call(driver, &path, LONG, &[]).unwrap_err();
            assert!(error.is_disconnected(), "{driver:?}: {error}");
            let advice = format!("start one with `manager-server --socket {}`", path.display());
            assert!(error.to_string().contains(&advice), "{driver:?}: {error}");
        }
    }
}

#[test]
fn a_pipeline_that_breaks_off_keeps_the_outcomes_that_arrived() {
    let fake = Fake::start(|_, mut peer| {
        peer.greet(1);
        let (Some(_), Some(second)) = (peer.request(), peer.request()) else { return };
        peer.send(&reply(second, &[7]));
        peer.request();
        peer.goodbye(Code::ShuttingDown);
    });
    let manager = Manager::connect(fake.path()).unwrap();
    let dict = dict(manager.link());
    let pipeline = manager.pipeline();
    let change = dict.on(&pipeline).remove_many(["secret"]);
    let answered = dict.on(&pipeline).remove_many(["secret"]);
    let read = dict.on(&pipeline).len();
    let error = pipeline.send().unwrap_err();
    assert!(error.is_disconnected(), "{error}");
    assert_eq!(answered.take().unwrap(), 7);
    assert!(change.take().unwrap_err().is_outcome_unknown());
    assert!(!read.take().unwrap_err().is_outcome_unknown());
    assert!(pipeline.send().is_err());
}

#[test]
fn a_request_over_the_servers_limit_is_an_error_of_that_call_alone() {
    for &driver in DRIVERS {
        let fake = Fake::start(|_, mut peer| {
            peer.greet(1);
            while let Some(id) = peer.request() {
                peer.send(&reply(id, &[7]));
            }
        });
        let (large, small) = match driver {
            Driver::Blocking => {
                let manager = Manager::connect(fake.path()).unwrap();
                let dict = dict(manager.link());
                (dict.contains_key("x".repeat(2 << 20).as_str()).map(drop), dict.len())
            }
            #[cfg(feature = "aio")]
            Driver::Async => {
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                    let manager = crate::aio::Manager::connect(fake.path()).await.unwrap();
                    let dict = dict(manager.link());
                    (dict.contains_key("x".repeat(2 << 20).as_str()).await.map(drop), dict.len().await)
                })
            }
        };
        assert!(large.unwrap_err().is_limit_exceeded(), "{driver:?}");
        assert_eq!(small.unwrap(), 7, "{driver:?}");
    }
}

#[cfg(feature = "aio")]
#[tokio::test]
async fn a_dropped_call_is_cancelled_and_its_late_reply_ignored() {
    let (seen, mut is_seen) = tokio::sync::mpsc::unbounded_channel();
    let fake = Fake::start(move |_, mut peer| {
        peer.greet(1);
        let Some(first) = peer.request() else { return };
        seen.send(()).unwrap();
        let (kind, _) = peer.frame().unwrap();
        assert_eq!(kind, FrameKind::Cancel);
        peer.send(&reply(first, &[1]));
        let Some(second) = peer.request() else { return };
        peer.send(&reply(second, &[2]));
        peer.request();
    });
    let manager = crate::aio::Manager::connect(fake.path()).await.unwrap();
    let dict = dict(manager.link());
    let mut dropped = dict.remove_many(["secret"]);
    tokio::select! {
        _ = &mut dropped => panic!("the first call is never answered"),
        _ = is_seen.recv() => {}
    }
    drop(dropped);
    assert_eq!(dict.remove_many(["secret"]).await.unwrap(), 2);
}
