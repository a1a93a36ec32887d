//! Watches that nobody reads while more changes are made than are kept.

use std::fmt::Debug;

use manager_client::{DictChange, DictUpdate, KeyUpdate, ListChange, ListUpdate, ManagerDict, ManagerList};
use manager_tests::{TestServer, block_on, server_with};

/// So many changes are kept.
const KEPT: u64 = 100;

fn few_are_kept() -> TestServer {
    server_with(|config| config.limits.max_kept = KEPT as usize)
}

/// Both ways to watch the same: each is asked in turn, and must be told the same.
struct Both<A, B>(A, B);

impl<A, B, U> Both<A, B>
where
    A: FnMut() -> U,
    B: FnMut() -> U,
    U: PartialEq + Debug,
{
    #[track_caller]
    fn next(&mut self) -> U {
        let told = (self.0)();
        assert_eq!(told, (self.1)());
        told
    }
}

/// Adds to what is under a key, more often than is kept.
fn count(dict: &ManagerDict<u64, u64>, key: u64) {
    for _ in 0..2 * KEPT {
        dict.add(&key, 1).unwrap();
    }
}

#[test]
fn a_dict_is_told_anew_if_one_more_has_changed_than_is_kept() {
    let server = few_are_kept();
    let (manager, other) = (server.manager(), block_on(server.aio()));
    let dict: ManagerDict<u64, u64> = manager.dict("dict").unwrap();
    let mut watch = dict.watch();
    let mut stream = block_on(other.dict::<u64, u64>("dict")).unwrap().watch();
    let mut both = Both(|| watch.next().unwrap().unwrap(), || block_on(stream.next()).unwrap().unwrap());
    assert_eq!(both.next(), DictUpdate::Snapshot { version: 0, entries: vec![], resync: false });

    let set = |key| DictChange::Set { version: key, key, value: key };
    (1..=KEPT).for_each(|key| dict.set(&key, &key).unwrap());
    assert_eq!(both.next(), DictUpdate::Changes((1..=KEPT).map(set).collect()), "so many are kept");

    count(&dict, 7);
    let version = 3 * KEPT;
    let entries: Vec<_> = (1..=KEPT).map(|key| (key, if key == 7 { 7 + 2 * KEPT } else { key })).collect();
    assert_eq!(both.next(), DictUpdate::Snapshot { version, entries, resync: true });
    dict.remove(&7).unwrap();
    dict.clear().unwrap();
    let after = [DictChange::Removed { version: version + 1, key: 7 }, DictChange::Cleared { version: version + 2 }];
    assert_eq!(both.next(), DictUpdate::Changes(after.to_vec()), "and nothing of before");

    // One call that changes more than is kept.
    dict.insert_many((0..=KEPT).map(|key| (key, key))).unwrap();
    let entries = (0..=KEPT).map(|key| (key, key)).collect();
    assert_eq!(both.next(), DictUpdate::Snapshot { version: version + 3, entries, resync: true });
    dict.set(&0, &1).unwrap();
    let set = DictChange::Set { version: version + 4, key: 0, value: 1 };
    assert_eq!(both.next(), DictUpdate::Changes(vec![set]));
}

#[test]
fn so_is_a_list() {
    let server = few_are_kept();
    let (manager, other) = (server.manager(), block_on(server.aio()));
    let list: ManagerList<u64> = manager.list("list").unwrap();
    let mut watch = list.watch();
    let mut stream = block_on(other.list::<u64>("list")).unwrap().watch();
    let mut both = Both(|| watch.next().unwrap().unwrap(), || block_on(stream.next()).unwrap().unwrap());
    assert_eq!(both.next(), ListUpdate::Snapshot { version: 0, values: vec![], resync: false });
    (0..KEPT).for_each(|value| list.push(&value).unwrap());
    list.reverse().unwrap();
    let values: Vec<u64> = (0..KEPT).rev().collect();
    assert_eq!(both.next(), ListUpdate::Snapshot { version: KEPT + 1, values, resync: true });
    list.remove(0).unwrap();
    let change = ListChange { version: KEPT + 2, start: 0, removed: 1, values: vec![] };
    assert_eq!(both.next(), ListUpdate::Changes(vec![change]));
}

#[test]
fn a_key_is_told_anew_if_its_own_changes_were_too_many_and_not_for_those_of_others() {
    let server = few_are_kept();
    let (manager, other) = (server.manager(), block_on(server.aio()));
    let dict: ManagerDict<u64, u64> = manager.dict("dict").unwrap();
    let mut watch = dict.watch_key(&1);
    let mut stream = block_on(other.dict::<u64, u64>("dict")).unwrap().watch_key(&1);
    let mut both = Both(|| watch.next().unwrap().unwrap(), || block_on(stream.next()).unwrap().unwrap());
    assert_eq!(both.next(), KeyUpdate { version: 0, value: None, resync: false });
    dict.set(&1, &1).unwrap();
    count(&dict, 2);
    assert_eq!(both.next(), KeyUpdate { version: 1, value: Some(1), resync: false });

    count(&dict, 1);
    let version = 1 + 4 * KEPT;
    assert_eq!(both.next(), KeyUpdate { version, value: Some(1 + 2 * KEPT), resync: true });
    dict.remove(&1).unwrap();
    assert_eq!(both.next(), KeyUpdate { version: version + 1, value: None, resync: false });
}
