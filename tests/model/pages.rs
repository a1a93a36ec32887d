//! Going through a dict while others write: whatever is there all the time is seen exactly once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use manager_client::{DirectLink, Manager, ManagerDict};
use manager_tests::{over_every_link, server, wait};

use super::contents::entry_page;

const ENTRIES: i64 = 900;

/// Goes through a dict and, after each page, replaces, removes and inserts on both sides of it.
fn every_surviving_key_is_seen_once<L: DirectLink>(manager: &Manager<L>) {
    for (name, backward) in [("forward", false), ("backward", true)] {
        let dict: ManagerDict<i64, i64, L> = wait::<L, _>(manager.dict(name)).unwrap();
        wait::<L, _>(dict.insert_many((0..ENTRIES).map(|key| (key, 0)))).unwrap();
        let mut removed = Vec::new();
        let mut inserted = 0;
        let mut seen = BTreeMap::new();
        let mut after = None;
        loop {
            let (page, next) = entry_page(manager.link(), &dict, after, 50, backward);
            let keys: Vec<i64> = page.iter().map(|(key, _): &(i64, i64)| *key).collect();
            let in_order = keys.windows(2).all(|pair| if backward { pair[0] > pair[1] } else { pair[0] < pair[1] });
            assert!(in_order, "{name}: {keys:?}");
            keys.iter().for_each(|key| *seen.entry(*key).or_insert(0) += 1);
            let Some(next) = next else { break };
            after = Some(next);
            // The page's last key is the place to go on from: it goes, and so do others before and behind.
            let here = *keys.last().unwrap();
            for key in [here, here - 7, here + 7, here - 120, here + 120] {
                if key < ENTRIES && wait::<L, _>(dict.remove(&key)).unwrap().is_some() {
                    removed.push(key);
                }
            }
            wait::<L, _>(dict.set(&(here + 3), &1)).unwrap();
            if inserted < 100 {
                wait::<L, _>(dict.set(&(ENTRIES + 500 + inserted), &1)).unwrap();
                inserted += 1;
            }
        }
        assert!(seen.values().all(|times| *times == 1), "{name}: a key was seen twice");
        let survivors = (0..ENTRIES).filter(|key| !removed.contains(key));
        assert!(removed.len() > 50 && survivors.clone().count() > 700);
        survivors.for_each(|key| assert!(seen.contains_key(&key), "{name}: {key} was not seen"));
    }
}

#[test]
fn every_surviving_key_is_seen_once_whatever_is_written_between_the_pages() {
    over_every_link!(every_surviving_key_is_seen_once);
}

#[test]
fn every_surviving_key_is_seen_once_while_others_write() {
    let server = server();
    let manager = server.manager();
    let dict = manager.dict::<i64, i64>("busy").unwrap();
    // Keys below 5000 stay; the others come and go all the time.
    dict.insert_many((0..5000).flat_map(|key| [(key, 0), (key + 10_000, 0)])).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..2 {
            let dict = server.manager().dict::<i64, i64>("busy").unwrap();
            let done = &done;
            scope.spawn(move || {
                let mut turn = 0;
                while !done.load(Ordering::Relaxed) {
                    turn += 1;
                    let key = 10_000 + (turn * 97 + writer * 31) % 5000;
                    dict.remove(&key).unwrap();
                    dict.set(&(turn % 5000), &turn).unwrap();
                    dict.set(&key, &turn).unwrap();
                }
            });
        }
        let check = || {
            for _ in 0..5 {
                for (backward, keys) in [(false, dict.iter()), (true, dict.iter_rev())] {
                    let keys = keys.map(|entry| entry.unwrap().0).filter(|key| *key < 5000).collect::<Vec<_>>();
                    let expected: Vec<i64> = if backward { (0..5000).rev().collect() } else { (0..5000).collect() };
                    assert!(keys == expected, "backward: {backward}; {} keys", keys.len());
                }
            }
        };
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        done.store(true, Ordering::Relaxed);
        checked.unwrap();
    });
}
