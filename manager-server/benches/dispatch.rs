//! What a request costs in the core, without a socket: `cargo bench -p manager-server`.
//!
//! Each takes the way of any other request, from its header to the bytes of its reply. Answers are
//! acknowledged every 64 requests, as clients do.

#![allow(clippy::unwrap_used, reason = "a measurement may fail at any point")]

#[path = "../tests/support/desk.rs"]
mod desk;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use desk::{Desk, Request};
use manager_protocol::{Encoded, Kind, Many, dict, encode_value, list, lock, queue};

/// Requests in a batch, and between two acknowledgements.
const BATCH: usize = 64;

/// Entries of a small dict.
const SMALL: u64 = 1_000;

/// Entries of a large dict. When everything is only tried once it is not worth while to fill one.
fn large() -> u64 {
    if std::env::args().any(|argument| argument == "--test") { 10 * SMALL } else { 1_000 * SMALL }
}

/// Text of 64 bytes with its header.
fn value() -> Vec<u8> {
    encode_value(&"v".repeat(62)).unwrap()
}

fn key(number: u64) -> Vec<u8> {
    encode_value(&format!("key-{number:08}")).unwrap()
}

/// Both sorts of sessions, with what their clients are called here.
fn desks() -> [(&'static str, Desk); 2] {
    [("own", Desk::own()), ("joinable", Desk::joinable())]
}

/// A dict that has so many entries once something is measured of it.
struct Filled {
    dict: u64,
    entries: u64,
    done: bool,
}

impl Filled {
    fn new(desk: &mut Desk, name: &str, entries: u64) -> Self {
        Self { dict: desk.open(name, Kind::Dict), entries, done: false }
    }

    fn fill(&mut self, desk: &mut Desk) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let value = value();
        for first in (0..self.entries).step_by(1_000) {
            let keys: Vec<_> = (first..self.entries.min(first + 1_000)).map(key).collect();
            let entries: Vec<_> = keys.iter().map(|key| (Encoded::from(key), Encoded::from(&value))).collect();
            desk.send(&Request::new(self.dict, dict::InsertMany { entries: Many::new(entries.into_iter()) }));
            desk.acknowledge();
        }
    }
}

/// What is measured, and with what.
struct Bench<'b, 'c> {
    group: &'b mut BenchmarkGroup<'c, WallTime>,
    desk: &'b mut Desk,
    filled: Option<&'b mut Filled>,
}

impl Bench<'_, '_> {
    /// Measures requests that are sent one after the other, so many at a time, again and again.
    fn measure(&mut self, name: &str, requests: &[Request], at_a_time: usize) {
        let Self { group, desk, filled } = self;
        let mut requests = requests.iter().cycle();
        let mut sent = 0;
        group.bench_function(name, |bencher| {
            if let Some(filled) = filled {
                filled.fill(desk);
            }
            bencher.iter(|| {
                requests.by_ref().take(at_a_time).for_each(|request| desk.send(request));
                sent += at_a_time;
                if sent % BATCH == 0 {
                    desk.acknowledge();
                }
            });
        });
        desk.acknowledge();
    }
}

/// Some keys of a dict with so many entries, spread over all of it.
fn some_keys(entries: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..4_096).map(move |nth: u64| key(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) % entries))
}

fn dicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dict");
    for (session, mut desk) in desks() {
        for (size, entries) in [("small", SMALL), ("large", large())] {
            let mut filled = Filled::new(&mut desk, size, entries);
            let (dict, value) = (filled.dict, value());
            let mut bench = Bench { group: &mut group, desk: &mut desk, filled: Some(&mut filled) };
            let keys: Vec<_> = some_keys(entries).collect();
            let gets: Vec<_> = keys.iter().map(|key| Request::new(dict, dict::Get { key: key.into() })).collect();
            bench.measure(&format!("get, {size}, {session}"), &gets, 1);
            bench.measure(&format!("64 gets, {size}, {session}"), &gets, BATCH);

            let value = || Encoded::from(&value);
            let insert = |key| Request::new(dict, dict::Insert { key: Encoded::from(key), value: value() });
            let inserts: Vec<_> = keys.iter().map(insert).collect();
            bench.measure(&format!("insert that replaces, {size}, {session}"), &inserts, 1);

            let new = key(entries);
            let pair = [insert(&new), Request::new(dict, dict::Remove { key: (&new).into() })];
            bench.measure(&format!("insert and remove, {size}, {session}"), &pair, 2);
        }
        let (dict, key, one) = (desk.open("sums", Kind::Dict), key(0), encode_value(&1).unwrap());
        let add = Request::new(dict, dict::Add { key: (&key).into(), delta: (&one).into(), bounds: None });
        let mut bench = Bench { group: &mut group, desk: &mut desk, filled: None };
        bench.measure(&format!("add, {session}"), &[add], 1);
    }
    group.finish();
}

fn lists(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("list");
    for (session, mut desk) in desks() {
        let (list, value) = (desk.open("list", Kind::List), value());
        let push = || Request::new(list, list::Push { value: (&value).into() });
        for _ in 0..SMALL {
            desk.send(&push());
            desk.acknowledge();
        }
        let gets: Vec<_> = (0..SMALL as i64).map(|index| Request::new(list, list::Get { index })).collect();
        let mut bench = Bench { group: &mut group, desk: &mut desk, filled: None };
        bench.measure(&format!("get, {session}"), &gets, 1);
        bench.measure(&format!("push and pop, {session}"), &[push(), Request::new(list, list::Pop {})], 2);
    }
    group.finish();
}

fn waitables(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("waitable");
    for (session, mut desk) in desks() {
        let (queue, lock, value) = (desk.open("queue", Kind::Queue), desk.open("lock", Kind::Lock), value());
        let mut bench = Bench { group: &mut group, desk: &mut desk, filled: None };
        let put = queue::Put { value: (&value).into(), priority: None, timeout_ms: None };
        let pair = [Request::new(queue, put), Request::new(queue, queue::Get { timeout_ms: None })];
        bench.measure(&format!("queue put and get, {session}"), &pair, 2);

        let acquire = Request::new(lock, lock::Acquire { holder: 1, timeout_ms: None });
        let pair = [acquire, Request::new(lock, lock::Release { holder: 1 })];
        bench.measure(&format!("lock acquire and release, {session}"), &pair, 2);
    }
    group.finish();
}

criterion_group! {
    name = requests;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50);
    targets = dicts, lists, waitables
}
criterion_main!(requests);
