//! What both drivers make of the end of a connection with a lane.

use std::thread::yield_now;
use std::time::Instant;

use manager_lane::ServerEnd;
use manager_protocol::{Code, FrameKind, RequestHeader};

use crate::fake::{Fake, Peer, reply};
use crate::faults::{Call, DRIVERS, Driver, LONG, call};

/// Answers by the socket until there is a request in the lane, has all of it taken or nothing, and closes the connection,
/// or says first that it does. The session has ended then, and another answers.
fn closing(takes: bool, goodbye: Option<Code>) -> impl FnMut(usize, Peer) + Send + 'static {
    move |index, mut peer| match index {
        0 => {
            peer.greet(1);
            let Some(mut lane) = await_request_by_lane(&mut peer) else { return };
            if takes {
                assert!(lane.requests.read(&mut [0; 4096]).unwrap() > 0);
            }
            if let Some(code) = goodbye {
                peer.goodbye(code);
            }
        }
        1 => {
            peer.hello();
            peer.goodbye(Code::SessionExpired);
        }
        _ => {
            peer.welcome(1, 2);
            while let Some(id) = peer.request() {
                peer.send(&reply(id, &[8]));
            }
        }
    }
}

fn await_request_by_lane(peer: &mut Peer) -> Option<ServerEnd> {
    let mut lane: Option<ServerEnd> = None;
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        if let Some(lane) = lane.take_if(|lane| lane.requests.has_more()) {
            return Some(lane);
        }
        match (peer.frame(), &lane) {
            (Some((FrameKind::Request, body)), _) => {
                let id = RequestHeader::parse(&body).unwrap().id;
                peer.send(&reply(id, &[7]));
            }
            (Some((FrameKind::OpenLane, _)), None) => lane = Some(peer.offer_lane()),
            (Some((FrameKind::WakeServer, _)), Some(lane)) => {
                lane.looker().rise(None);
                peer.never_block();
            }
            (Some(_), _) => {}
            (None, _) => yield_now(),
        }
    }
    None
}

/// More than it takes both drivers to get a lane and to go by it.
const CALLS: [Call; 300] = [Call::Change; 300];

/// Both drivers, and both ends that a connection may have.
fn cases() -> impl Iterator<Item = (Driver, Option<Code>)> {
    DRIVERS.iter().flat_map(|driver| [(*driver, None), (*driver, Some(Code::TooSlow))])
}

#[test]
fn what_a_server_has_not_taken_from_its_lane_was_not_done() {
    for (driver, goodbye) in cases() {
        let fake = Fake::start(closing(false, goodbye));
        let results = call(driver, fake.path(), LONG, &CALLS).unwrap();
        let by_first = results.iter().take_while(|result| **result == 7).count();
        assert!(by_first > 0 && results[by_first..].iter().all(|result| *result == 8), "{driver:?}: {results:?}");
        assert!(by_first < CALLS.len(), "{driver:?}: nothing went by the lane");
    }
}

#[test]
fn what_a_server_has_taken_from_its_lane_may_have_been_done() {
    for (driver, goodbye) in cases() {
        let fake = Fake::start(closing(true, goodbye));
        let error = call(driver, fake.path(), LONG, &CALLS).unwrap_err();
        assert!(error.is_session_expired() && error.is_outcome_unknown(), "{driver:?}: {error}");
    }
}
