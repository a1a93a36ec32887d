//! Watches of a dict that many change at once, over connections that are cut: whoever watches knows the dict
//! at every version that it is told of.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{iter, thread};

use indexmap::IndexMap;
use manager_client::{DictChange, DictUpdate, Manager, ManagerDict, VersionedLink, aio};
use manager_tests::history::{History, Outcome, Summary, check_from};
use manager_tests::{TestServer, block_on, server, server_with};

use crate::asking::Asking;
use crate::changes::{Change, Contents, Datum};
use crate::child::eventually;
use crate::cutter::Cutter;
use crate::follower::{Followed, follow, follow_key};
use crate::writer::{DICT, Habits, write, write_last};

const WRITERS: u64 = 8;
const ROUNDS: usize = 300;
/// Connections are cut after fewer bytes than this: enough for a session to be resumed and a request answered.
/// Half of them are cut by what goes to the server, so a long answer comes through as well.
pub(crate) const MOST: usize = 800;
/// The key that is watched, and what is under it in the end.
const END: (u64, i64) = (3, 1_000_000);

/// So long a call may take that nearly always is cut.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client over connections that are cut. One that is cut before it has a session is nobody's to be resumed.
pub(crate) fn blocking(cutter: &Cutter) -> Manager {
    let connect = || Manager::options().timeout(PATIENCE).connect(cutter.socket());
    iter::repeat_with(connect).find_map(Result::ok).unwrap()
}

pub(crate) fn asynchronous(cutter: &Cutter) -> aio::Manager {
    let connect = || block_on(aio::Manager::options().timeout(PATIENCE).connect(cutter.socket()));
    iter::repeat_with(connect).find_map(Result::ok).unwrap()
}

/// The writers, half of them async; their histories, and that of the last one.
fn write_all(server: &TestServer, ends: bool) -> Vec<History<Change>> {
    let cutter = &Cutter::at_random(server.socket(), 1, MOST);
    let habits = Habits { rounds: ROUNDS, ends };
    let mut histories: Vec<_> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                scope.spawn(move || match number % 2 {
                    0 => write(&blocking(cutter), number, habits),
                    _ => write(&*asynchronous(cutter), number, habits),
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert!(cutter.cuts() > 100, "{} cuts", cutter.cuts());
    histories.push(last_of(&server.manager()));
    histories
}

fn last_of<L: manager_client::DirectLink>(manager: &Manager<L>) -> History<Change>
where
    VersionedLink<L>: Asking,
{
    write_last(manager, END.0, END.1)
}

fn watched(manager: &Manager) -> ManagerDict<u64, Datum> {
    manager.dict(DICT).unwrap()
}

fn check(histories: &[History<Change>]) -> Summary {
    check_from(histories, |_, _| Contents::default()).unwrap_or_else(|fault| panic!("{fault}"))
}

/// What the clock did: the versions that nobody's call made. They are known of from who missed no change.
fn by_the_clock(histories: &[History<Change>], told: &BTreeMap<u64, Vec<DictChange<u64, Datum>>>) -> History<Change> {
    let events = histories.iter().flat_map(|history| &history.events);
    let removals: Vec<u64> = events.filter(|event| removes(&event.outcome)).filter_map(|event| event.version).collect();
    let mut clock = History::new("the clock");
    for (version, changes) in told {
        let keys = changes.iter().map(|change| match change {
            DictChange::Removed { key, .. } => Some(*key),
            DictChange::Set { .. } | DictChange::Cleared { .. } => None,
        });
        if let Some(keys) = keys.collect::<Option<Vec<u64>>>().filter(|_| !removals.contains(version)) {
            let outcome = Ok(manager_client::Versioned { value: true, version: *version });
            clock.note(DICT, Change::End(keys), &outcome);
        }
    }
    clock
}

/// Whether a call that was answered so may have done nothing but remove entries.
fn removes(outcome: &Outcome) -> bool {
    // Removed by a key, popped, and removed by keys. What else is answered so, puts something.
    matches!(outcome, Outcome::Maybes(numbers) if !numbers.is_empty())
        || matches!(outcome, Outcome::Entries(entries) if !entries.is_empty())
        || matches!(outcome, Outcome::Count(1..))
}

/// What became of one key: each version at which it got a value or lost it.
fn of_key(key: u64, told: &BTreeMap<u64, Vec<DictChange<u64, Datum>>>) -> Vec<(u64, Option<Datum>)> {
    let (mut copy, mut values) = (IndexMap::new(), Vec::new());
    for change in told.values().flatten() {
        match change {
            DictChange::Set { version, key: found, value } => {
                copy.insert(*found, value.clone());
                values.extend((*found == key).then(|| (*version, Some(value.clone()))));
            }
            DictChange::Removed { version, key: found } => {
                copy.shift_remove(found);
                values.extend((*found == key).then_some((*version, None)));
            }
            DictChange::Cleared { version } => {
                values.extend(copy.contains_key(&key).then_some((*version, None)));
                copy.clear();
            }
        }
    }
    values
}

#[test]
fn who_watches_knows_the_dict_at_every_version_though_connections_are_cut() {
    let server = server();
    let cutter = Cutter::at_random(server.socket(), 2, 2 * MOST);
    let manager = server.manager();
    let dict = watched(&manager);
    // One whose connection is not cut, and who is there from the beginning.
    let mut watch = dict.watch();
    let DictUpdate::Snapshot { version: 0, entries, resync: false } = watch.next().unwrap().unwrap() else { panic!() };
    let mut empty = Some(DictUpdate::Snapshot { version: 0, entries, resync: false });
    let (mut histories, whole, cut, keys) = thread::scope(|scope| {
        let cutter = &cutter;
        let whole = scope.spawn(move || {
            follow("one who is not cut", END, |_| empty.take().unwrap_or_else(|| watch.next().unwrap().unwrap()))
        });
        let cut: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn(move || {
                    let name = format!("watcher {number}");
                    if number % 2 == 0 {
                        let mut watch = watched(&blocking(cutter)).watch();
                        follow(&name, END, |_| watch.next().unwrap().unwrap())
                    } else {
                        let dict = block_on(asynchronous(cutter).dict::<u64, Datum>(DICT)).unwrap();
                        let mut watch = dict.watch();
                        follow(&name, END, |_| block_on(watch.next()).unwrap().unwrap())
                    }
                })
            })
            .collect();
        let one = scope.spawn(|| {
            let mut watch = watched(&blocking(cutter)).watch_key(&END.0);
            follow_key("watcher of a key", END, || watch.next().unwrap().unwrap())
        });
        let other = scope.spawn(|| {
            let dict = block_on(asynchronous(cutter).dict::<u64, Datum>(DICT)).unwrap();
            let mut watch = dict.watch_key(&END.0);
            follow_key("async watcher of a key", END, || block_on(watch.next()).unwrap().unwrap())
        });
        eventually("all watch", || (server.census().held == 7).then_some(()));
        let histories = write_all(&server, true);
        let cut: Vec<Followed> = cut.into_iter().map(|watcher| watcher.join().unwrap()).collect();
        (histories, whole.join().unwrap(), cut, [one.join().unwrap(), other.join().unwrap()])
    });
    assert!(whole.gaps.is_empty());
    for follower in &cut {
        assert!(follower.gaps.is_empty(), "no change need be missed: {:?}", follower.gaps);
        let told: BTreeMap<_, _> = whole.changes.range(follower.first + 1..).map(|(v, c)| (*v, c.clone())).collect();
        assert_eq!(follower.changes, told, "{}", follower.seen.worker);
        assert_eq!(follower.last, whole.last);
    }
    let values = of_key(END.0, &whole.changes);
    for (seen, told) in &keys {
        let first = told[0].0;
        let behind: Vec<_> = values.iter().filter(|(version, _)| *version > first).cloned().collect();
        assert_eq!(told[1..], behind, "{}", seen.worker);
    }
    let clock = by_the_clock(&histories, &whole.changes);
    assert!(clock.events.len() > 5, "only {} times an entry ended by the clock", clock.events.len());
    histories.push(clock);
    histories.extend(cut.into_iter().chain([whole]).map(|follower| follower.seen));
    histories.extend(keys.map(|(seen, _)| seen));
    let summary = check(&histories);
    println!("{summary:?}, {} cuts", cutter.cuts());
    assert!(summary.changes > 500 && summary.reads > 500, "{summary:?}");
    assert!(cutter.cuts() > 50, "{} cuts of those who watch", cutter.cuts());
}

/// So many changes are kept.
const KEPT: u64 = 40;
/// No call changes more than this.
const AT_ONCE: u64 = 4;

#[test]
fn who_watches_too_slowly_is_told_all_anew_and_nobody_else_is() {
    let server = server_with(|config| config.limits.max_kept = KEPT as usize);
    let cutter = Cutter::at_random(server.socket(), 3, 2 * MOST);
    let manager = server.manager();
    let dict = watched(&manager);
    let is_written = AtomicBool::new(false);
    // Waits until more has changed than is kept, or nothing changes any more.
    let dawdle = |known: u64| {
        eventually("the dict changes, or not any more", || {
            let goes_on = dict.version().unwrap() <= known + 2 * KEPT && !is_written.load(Ordering::Acquire);
            (!goes_on).then_some(())
        });
    };
    let (mut histories, followers) = thread::scope(|scope| {
        let (cutter, dawdle) = (&cutter, &dawdle);
        let followers: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn(move || {
                    let name = format!("watcher {number}");
                    let pause = |known: Option<u64>| known.filter(|_| number < 2).into_iter().for_each(dawdle);
                    let follower = if number % 2 == 0 {
                        let mut watch = watched(&blocking(cutter)).watch();
                        follow(&name, END, |known| (pause(known), watch.next().unwrap().unwrap()).1)
                    } else {
                        let dict = block_on(asynchronous(cutter).dict::<u64, Datum>(DICT)).unwrap();
                        let mut watch = dict.watch();
                        follow(&name, END, |known| (pause(known), block_on(watch.next()).unwrap().unwrap()).1)
                    };
                    (follower, number < 2)
                })
            })
            .collect();
        eventually("all watch", || (server.census().held == 4).then_some(()));
        let histories = write_all(&server, false);
        is_written.store(true, Ordering::Release);
        (histories, followers.into_iter().map(|follower| follower.join().unwrap()).collect::<Vec<_>>())
    });
    for (follower, is_slow) in &followers {
        assert!(!follower.gaps.is_empty() || !is_slow, "{} missed nothing", follower.seen.worker);
        for (known, anew) in &follower.gaps {
            assert!((anew - known) * AT_ONCE > KEPT, "all anew at {anew} for one who knew {known}");
        }
    }
    histories.extend(followers.into_iter().map(|(follower, _)| follower.seen));
    let summary = check(&histories);
    assert!(summary.changes > 500 && summary.reads > 100, "{summary:?}");
}
