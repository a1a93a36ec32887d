//! A dict of a million entries: it grows, is read whole while others go on, and shrinks at both ends.
//!
//! Times are printed and not judged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use manager_protocol::{Encoded, FrameKind, Kind, Many, ObjectId, Part, ReplyHeader, decode_body, decode_value, dict};
use manager_tests::{TestServer, server_with};

use crate::raw::{Raw, Reply, encoded, request};

const ENTRIES: u64 = 1_000_000;
const BATCH: u64 = 20_000;

#[test]
fn a_million_entries_come_and_go_and_a_snapshot_of_them_stops_nobody() {
    // All on one thread: nobody is served but between the parts of the snapshot.
    let server = server_with(|config| config.workers = 1);
    let mut raw = Raw::greeted(server.socket());
    let (large, small) = (raw.open("large", Kind::Dict), raw.open("small", Kind::Dict));
    grow(&mut raw, large);
    let key = encoded(&7);
    raw.call(small, dict::Set { key: (&key).into(), value: (&key).into() });
    snapshot(&server, large, small);
    shrink(&mut raw, large);
}

fn grow(raw: &mut Raw, dict: ObjectId) {
    let mut times = Vec::new();
    for start in (0..ENTRIES).step_by(BATCH as usize) {
        let entries: Vec<(Vec<u8>, Vec<u8>)> =
            (start..start + BATCH).map(|key| (encoded(&key), encoded(&(key * 2)))).collect();
        let entries = entries.iter().map(|(key, value)| (Encoded::from(key), Encoded::from(value)));
        let begun = Instant::now();
        raw.call(dict, dict::InsertMany { entries: Many::new(entries) });
        times.push(begun.elapsed());
    }
    assert_eq!(length(raw, dict), ENTRIES);
    report("inserting 20,000 entries", times);
}

fn length(raw: &mut Raw, dict: ObjectId) -> u64 {
    decode_value(&raw.call(dict, dict::Len {}).result).unwrap()
}

/// One client reads the whole dict; two others get single values until it is done.
///
/// The reader goes on behind the first part only when both have got some: then the reply is neither
/// unbegun nor, with far more to come than a socket holds, at its end.
fn snapshot(server: &TestServer, large: ObjectId, small: ObjectId) {
    let done = AtomicBool::new(false);
    let (begin, begun) = mpsc::channel();
    let (got, enough) = mpsc::channel();
    let key = encoded(&7);
    thread::scope(|scope| {
        let (done, key) = (&done, &key);
        let start = Instant::now();
        let getters =
            [("the large dict", large, begin.clone()), ("another dict", small, begin)].map(|(name, dict, begin)| {
                let got = got.clone();
                let mut raw = Raw::greeted(server.socket());
                let (go, gone) = mpsc::channel();
                begin.send(go).unwrap();
                let getter = scope.spawn(move || {
                    gone.recv().unwrap();
                    let mut times = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let asked = Instant::now();
                        raw.call(dict, dict::Get { key: key.into() });
                        times.push(asked.elapsed());
                        if times.len() == 100 {
                            got.send(()).unwrap();
                        }
                    }
                    times
                });
                (name, getter)
            });
        let mut raw = Raw::greeted(server.socket());
        raw.send(&request(1, large, dict::Items {}));
        let mut content = first_part(&mut raw);
        begun.iter().for_each(|go| go.send(()).unwrap());
        for _ in &getters {
            enough.recv_timeout(Duration::from_secs(30)).expect("gets are answered beside a snapshot");
        }
        rest(&mut raw, &mut content);
        println!("a snapshot of {} bytes took {:?}", content.len(), start.elapsed());
        done.store(true, Ordering::Relaxed);
        for (name, getter) in getters {
            report(&format!("a get from {name} beside the snapshot"), getter.join().unwrap());
        }
        let reply = ReplyHeader::parse(&content[1..]).unwrap();
        let mut decoder = manager_protocol::Decoder::new(reply.result);
        let items: Many<'_, (Encoded<'_>, Encoded<'_>)> = decoder.argument("items").unwrap();
        assert_eq!(items.len() as u64, ENTRIES);
        for (at, (key, value)) in items.enumerate().step_by(9973) {
            assert_eq!((key.decode(), value.decode()), (Ok(at as u64), Ok(at as u64 * 2)));
        }
    });
}

fn first_part(raw: &mut Raw) -> Vec<u8> {
    let (kind, body) = raw.receive().unwrap();
    assert_eq!(kind, FrameKind::ReplyPart);
    let part: Part<'_> = decode_body(kind, &body).unwrap();
    assert!(!part.last);
    part.bytes.to_vec()
}

fn rest(raw: &mut Raw, content: &mut Vec<u8>) {
    loop {
        let (kind, body) = raw.receive().unwrap();
        assert_eq!(kind, FrameKind::ReplyPart);
        let part: Part<'_> = decode_body(kind, &body).unwrap();
        content.extend(part.bytes);
        if part.last {
            return;
        }
    }
}

fn shrink(raw: &mut Raw, dict: ObjectId) {
    let entry = |reply: &Reply| -> Option<(u64, u64)> {
        let entry: Option<(Encoded<'_>, Encoded<'_>)> = decode_value(&reply.result).unwrap();
        entry.map(|(key, value)| (key.decode().unwrap(), value.decode().unwrap()))
    };
    let mut times = Vec::new();
    let mut timed = |work: &mut dyn FnMut() -> Reply| {
        let begun = Instant::now();
        let reply = work();
        times.push(begun.elapsed());
        reply
    };
    for nth in 0..1000 {
        let first = timed(&mut || raw.call(dict, dict::PopFirst {}));
        assert_eq!(entry(&first), Some((nth, nth * 2)));
        let last = timed(&mut || raw.call(dict, dict::PopLast {}));
        assert_eq!(entry(&last), Some((ENTRIES - 1 - nth, (ENTRIES - 1 - nth) * 2)));
        // From the middle, far apart.
        let key = 2000 + nth * 900;
        let removed = timed(&mut || raw.call(dict, dict::Remove { key: (&encoded(&key)).into() }));
        let value: Option<Encoded<'_>> = decode_value(&removed.result).unwrap();
        assert_eq!(value.unwrap().decode(), Ok(key * 2));
    }
    report("removing one entry", times);
    assert_eq!(length(raw, dict), ENTRIES - 3000);

    // A dict that is emptied from the front gives everything in order, whatever was removed between.
    let mut keys = (1000..ENTRIES - 1000).filter(|key| *key < 2000 || (key - 2000) % 900 != 0 || key - 2000 >= 900_000);
    let pops: Vec<u8> = (0..10_000).flat_map(|id| request(id, dict, dict::PopFirst {})).collect();
    raw.send(&pops);
    for _ in 0..10_000 {
        let popped = raw.answer().1.unwrap();
        assert_eq!(entry(&popped).unwrap().0, keys.next().unwrap());
    }
    let version = raw.call(dict, dict::Clear {}).version;
    assert_eq!(version, ENTRIES / BATCH + 3000 + 10_000 + 1, "every change is counted once");
    assert_eq!(length(raw, dict), 0);
    assert_eq!(entry(&raw.call(dict, dict::PopLast {})), None);
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what}: {} times, median {:?}, p99 {:?}, max {:?}", times.len(), at(0.5), at(0.99), at(1.0));
}
