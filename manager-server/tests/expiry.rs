//! A million entries that end by themselves: they go, their memory goes, and others are served.
//!
//! Times of single requests are printed and not judged.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]
#![allow(clippy::print_stdout, reason = "figures that are shown and not judged")]

mod support;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use manager_protocol::{FrameKind, Kind, decode_value, dict, encode_value};
use support::{Daemon, Place, Raw, request};

/// Without optimisations the server takes several seconds for a million.
const ENTRIES: u64 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

/// The first of them lives so long, the last one so much longer.
const SHORTEST_MS: i64 = 1_000;
const SPREAD_MS: i64 = 4_000;

/// What the allocator keeps for its accounts of memory that it once had.
const ACCOUNTS_KIB: u64 = 8 * 1024;

/// Within this time after the last one has ended, all must be as it was.
const PROMISE: Duration = Duration::from_secs(2);

#[test]
fn a_million_entries_end_and_give_their_memory_back_while_others_are_served() {
    let place = Place::new();
    // One thread serves everybody and keeps the time.
    let (server, _) = Daemon::start(&place.socket, &["--workers", "1"]);
    let mut raw = Raw::greeted(&place.socket).unwrap();
    let (ending, other) = (raw.open("ending", Kind::Dict), raw.open("other", Kind::Dict));
    let key = encode_value(&7).unwrap();
    raw.call(1, other, dict::Set { key: (&key).into(), value: (&key).into() }).unwrap();
    // What the server allocates once for any load is not what is looked at.
    fill(&mut raw, ending, 2_000, Some(SHORTEST_MS));
    raw.call(1, ending, dict::Clear {}).unwrap();
    let before = server.resident();

    fill(&mut raw, ending, ENTRIES, None);
    let last = Instant::now() + Duration::from_millis((SHORTEST_MS + SPREAD_MS).unsigned_abs());
    let most = server.resident();
    println!("{before} KiB grow to {most} KiB");
    let done = AtomicBool::new(false);
    let allowed = before + (most - before) / 10 + ACCOUNTS_KIB;
    let (left, times) = thread::scope(|scope| {
        let getter = scope.spawn(|| {
            let mut raw = Raw::greeted(&place.socket).unwrap();
            let mut times = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let asked = Instant::now();
                raw.call(1, other, dict::Get { key: (&key).into() }).unwrap();
                times.push(asked.elapsed());
            }
            times
        });
        let gone = wait_for_memory(&server, allowed, last);
        done.store(true, Ordering::Relaxed);
        let left = server.resident();
        println!("{left} KiB are left, {:?} after the last entry has ended", gone.saturating_duration_since(last));
        (left, getter.join().unwrap())
    });
    let gets = times.len();
    report(times);
    // Nobody has looked so far.
    assert_eq!(decode_value::<u64>(&raw.call(1, ending, dict::Len {}).unwrap()).unwrap(), 0);
    assert!(gets > 100, "others are served meanwhile: {gets} times");
    assert!(left <= allowed, "{left} KiB are left instead of {allowed} KiB");
}

/// Puts entries with keys of 16 bytes and values of 64, which live so long, or end one after the other.
fn fill(raw: &mut Raw, dict: u64, count: u64, ttl_ms: Option<i64>) {
    let mut writer = raw.stream().try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let value = encode_value(&"x".repeat(62)).unwrap();
            for batch in (0..count).collect::<Vec<_>>().chunks(1_000) {
                let frames: Vec<u8> = batch.iter().flat_map(|&nth| insert(dict, nth, &value, ttl_ms)).collect();
                writer.write_all(&frames).unwrap();
            }
        });
        for _ in 0..count {
            assert_eq!(raw.receive().unwrap().unwrap().0, FrameKind::Reply);
        }
    });
}

fn insert(dict: u64, nth: u64, value: &[u8], ttl_ms: Option<i64>) -> Vec<u8> {
    let key = encode_value(&format!("{nth:015}")).unwrap();
    // Neighbours do not end together.
    let spread = (nth.wrapping_mul(2_654_435_761) % SPREAD_MS.unsigned_abs()).cast_signed();
    let ttl_ms = Some(ttl_ms.unwrap_or(SHORTEST_MS + 1 + spread));
    request(nth, dict, dict::InsertWith { key: (&key).into(), value: value.into(), ttl_ms, session: false })
}

/// Looks until all entries have ended and the server has no more memory than this, or should have had
/// for long.
fn wait_for_memory(server: &Daemon, most: u64, last: Instant) -> Instant {
    loop {
        let memory = server.resident();
        let now = Instant::now();
        if now >= last && memory <= most || now >= last + PROMISE {
            return now;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn report(mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{} gets beside: median {:?}, p99 {:?}, max {:?}", times.len(), at(0.5), at(0.99), at(1.0));
}
