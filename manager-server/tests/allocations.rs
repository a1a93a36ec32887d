//! How often a request takes memory: the common ones never do, but for what they store.
//!
//! All threads of this program are counted together, so one test at a time counts; and of several rounds
//! the one with the fewest counts, for the harness takes memory now and then.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

#[path = "support/desk.rs"]
mod desk;
mod support;

use std::alloc::System;
use std::io::{Read, Write};
use std::sync::{Mutex, PoisonError};

use desk::{Desk, Request};
use manager_protocol::{Encoded, HEADER_BYTES, Kind, dict, encode_value, list};
use manager_server::{Config, Server};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{Raw, request};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests in one round.
const BATCH: usize = 64;

const KEY: Encoded<'static> = Encoded::Borrowed(b"\xa3key");

/// How often memory is taken by what `act` does, in the best of many rounds.
fn allocations(mut act: impl FnMut()) -> usize {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _counting = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let round = |_| {
        let region = Region::new(COUNTED);
        act();
        let change = region.change();
        change.allocations + change.reallocations
    };
    (0..50).map(round).min().unwrap()
}

/// How often memory is taken by a request, and by a batch of it.
fn by_one_and_by_a_batch(desk: &mut Desk, request: &Request) -> (usize, usize) {
    let mut send = |times| {
        allocations(|| {
            (0..times).for_each(|_| desk.send(request));
            desk.acknowledge();
        })
    };
    (send(1), send(BATCH))
}

fn value() -> Vec<u8> {
    encode_value(&"v".repeat(62)).unwrap()
}

#[test]
fn reads_take_no_memory() {
    for mut desk in [Desk::own(), Desk::joinable()] {
        let (value, dict, list) = (value(), desk.open("dict", Kind::Dict), desk.open("list", Kind::List));
        desk.send(&Request::new(dict, dict::Set { key: KEY, value: (&value).into() }));
        desk.send(&Request::new(list, list::Push { value: (&value).into() }));
        for read in [
            Request::new(dict, dict::Get { key: KEY }),
            Request::new(dict, dict::Get { key: Encoded::Borrowed(&[7]) }),
            Request::new(dict, dict::Contains { key: KEY }),
            Request::new(dict, dict::Len {}),
            Request::new(list, list::Get { index: -1 }),
            Request::new(list, list::Len {}),
        ] {
            assert_eq!(by_one_and_by_a_batch(&mut desk, &read), (0, 0), "{read:?}");
        }
    }
}

#[test]
fn a_change_takes_memory_for_what_it_stores() {
    for mut desk in [Desk::own(), Desk::joinable()] {
        let (value, dict, list) = (value(), desk.open("dict", Kind::Dict), desk.open("list", Kind::List));
        let value = || Encoded::from(&value);
        desk.send(&Request::new(list, list::Push { value: value() }));
        // A dict has room for a value of the same size; a list keeps each in an allocation of its own.
        for (change, taken) in [
            (Request::new(dict, dict::Set { key: KEY, value: value() }), 0),
            (Request::new(dict, dict::Insert { key: KEY, value: value() }), 0),
            (Request::new(list, list::Set { index: 0, value: value() }), 1),
        ] {
            assert_eq!(by_one_and_by_a_batch(&mut desk, &change), (taken, taken * BATCH), "{change:?}");
        }
    }
}

#[test]
fn reads_over_a_socket_take_no_memory() {
    let mut config = Config::private().unwrap();
    config.workers = 1;
    let server = Server::start(config).unwrap();
    let mut raw = Raw::greeted(server.socket()).unwrap();
    let (value, dict) = (value(), raw.open("dict", Kind::Dict));
    raw.call(1, dict, dict::Set { key: KEY, value: (&value).into() }).unwrap();
    let get = request(1, dict, dict::Get { key: KEY });
    raw.send(&get).unwrap();
    let reply = HEADER_BYTES + 1 + raw.receive().unwrap().unwrap().1.len();

    let mut answers = vec![0; BATCH * reply];
    for batch in [1, 2, BATCH] {
        let gets = get.repeat(batch);
        let taken = allocations(|| {
            let mut stream = raw.stream();
            stream.write_all(&gets).unwrap();
            stream.read_exact(&mut answers[..batch * reply]).unwrap();
        });
        assert_eq!(taken, 0, "{batch} at once");
    }
}
