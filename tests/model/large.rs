//! Objects so large that what visits all of them is done apart, and replies so long that they come
//! in parts.

use manager_client::{DirectLink, Manager, ManagerDict, ManagerList, Slice};
use manager_server::core::{Limits, Pace};
use manager_tests::{InProcess, over_every_link, wait};

/// More than is visited inline.
const LARGE: i64 = 5000;

fn dict<L: DirectLink>(
    manager: &Manager<L>,
    name: &str,
    keys: impl Iterator<Item = i64>,
) -> ManagerDict<i64, String, L> {
    let dict = wait::<L, _>(manager.dict(name)).unwrap();
    wait::<L, _>(dict.insert_many(keys.map(|key| (key, text(key))))).unwrap();
    dict
}

fn text(key: i64) -> String {
    format!("value {key}")
}

fn list<L: DirectLink>(manager: &Manager<L>, values: &[i64]) -> ManagerList<i64, L> {
    let list = wait::<L, _>(manager.list("numbers")).unwrap();
    wait::<L, _>(list.clear()).unwrap();
    wait::<L, _>(list.extend(values)).unwrap();
    list
}

/// Every number below `LARGE` once, in no order.
fn shuffled() -> Vec<i64> {
    (0..LARGE).map(|n| n * 2741 % LARGE).collect()
}

fn a_large_dict<L: DirectLink>(manager: &Manager<L>) {
    let all: Vec<(i64, String)> = (0..LARGE).map(|key| (key, text(key))).collect();
    let one = dict(manager, "one", 0..LARGE);
    assert_eq!(wait::<L, _>(one.items()).unwrap(), all);
    assert_eq!(wait::<L, _>(one.keys()).unwrap(), (0..LARGE).collect::<Vec<_>>());
    assert_eq!(wait::<L, _>(one.values()).unwrap(), (0..LARGE).map(text).collect::<Vec<_>>());

    // With itself nothing changes but the version; with another the old keys keep their places.
    let version = wait::<L, _>(one.version()).unwrap();
    wait::<L, _>(one.update_from(&one)).unwrap();
    assert_eq!(wait::<L, _>(one.union_from(&one)).unwrap(), all);
    assert_eq!(wait::<L, _>(one.versioned().items()).unwrap().version, version + 1);
    let other = dict(manager, "other", LARGE - 10..LARGE + 5);
    wait::<L, _>(other.set(&0, "new")).unwrap();
    let mut united = all.clone();
    united[0].1 = "new".to_owned();
    united.extend((LARGE..LARGE + 5).map(|key| (key, text(key))));
    assert_eq!(wait::<L, _>(one.union_from(&other)).unwrap(), united);
    assert_eq!(wait::<L, _>(one.union([(0, "new".to_owned())])).unwrap().len(), all.len());
    wait::<L, _>(one.update_from(&other)).unwrap();
    assert_eq!(wait::<L, _>(one.items()).unwrap(), united);

    // What is not wanted goes, page by page.
    wait::<L, _>(one.retain(|key, value| key % 3 == 0 && value != "new")).unwrap();
    united.retain(|(key, value)| key % 3 == 0 && value != "new");
    assert_eq!(wait::<L, _>(one.items()).unwrap(), united);
    let keys: Vec<i64> = (0..LARGE).collect();
    let found = wait::<L, _>(one.get_many(&keys)).unwrap();
    assert_eq!(found.iter().flatten().count(), united.iter().filter(|(key, _)| *key < LARGE).count());
    assert_eq!(wait::<L, _>(one.remove_many(&keys)).unwrap(), found.iter().flatten().count() as u64);
    wait::<L, _>(one.clear()).unwrap();
    assert!(wait::<L, _>(one.is_empty()).unwrap());
}

fn a_large_list<L: DirectLink>(manager: &Manager<L>) {
    let mut values = shuffled();
    let numbers = list(manager, &values);
    assert_eq!(wait::<L, _>(numbers.values()).unwrap(), values);
    assert_eq!(wait::<L, _>(numbers.index_of(&values[4321])).unwrap(), Some(4321));
    assert!(!wait::<L, _>(numbers.contains(&LARGE)).unwrap());
    assert_eq!(wait::<L, _>(numbers.count(&7)).unwrap(), 1);
    let part = Slice::new(Some(-1), Some(-LARGE), -3);
    let expected: Vec<i64> = values[1..].iter().rev().step_by(3).copied().collect();
    assert_eq!(wait::<L, _>(numbers.slice(part)).unwrap(), expected);

    // Every change of all values counts once.
    let version = wait::<L, _>(numbers.version()).unwrap();
    wait::<L, _>(numbers.sort()).unwrap();
    values.sort_unstable();
    assert_eq!(wait::<L, _>(numbers.values()).unwrap(), values);
    wait::<L, _>(numbers.reverse()).unwrap();
    wait::<L, _>(numbers.sort_by_key(|number| number % 10)).unwrap();
    values.reverse();
    values.sort_by_key(|number| number % 10);
    assert_eq!(wait::<L, _>(numbers.values()).unwrap(), values);
    wait::<L, _>(numbers.set_slice(Slice::new(None, None, 2), values.iter().step_by(2).map(|number| -number))).unwrap();
    values.iter_mut().step_by(2).for_each(|number| *number = -*number);
    wait::<L, _>(numbers.remove_slice(Slice::new(Some(1), None, 5))).unwrap();
    values = values.iter().enumerate().filter(|(at, _)| at % 5 != 1).map(|(_, number)| *number).collect();
    wait::<L, _>(numbers.extend_from(&numbers)).unwrap();
    values.extend_from_within(..);
    assert_eq!(wait::<L, _>(numbers.versioned().values()).unwrap().value, values);
    assert_eq!(wait::<L, _>(numbers.version()).unwrap(), version + 6);

    assert_eq!(wait::<L, _>(numbers.concat_from(&numbers)).unwrap(), values.repeat(2));
    assert_eq!(wait::<L, _>(numbers.concat([1])).unwrap(), [values.as_slice(), &[1]].concat());
    assert_eq!(wait::<L, _>(numbers.repeat(3)).unwrap(), values.repeat(3));
    wait::<L, _>(numbers.retain(|number| *number > 0)).unwrap();
    values.retain(|number| *number > 0);
    wait::<L, _>(numbers.repeat_in_place(2)).unwrap();
    assert_eq!(wait::<L, _>(numbers.values()).unwrap(), values.repeat(2));
    assert!(wait::<L, _>(numbers.remove_value(&values[9])).unwrap());
    wait::<L, _>(numbers.clear()).unwrap();
    assert!(wait::<L, _>(numbers.is_empty()).unwrap());
}

#[test]
fn a_large_dict_does_all_that_a_small_one_does() {
    over_every_link!(a_large_dict);
}

#[test]
fn a_large_list_does_all_that_a_small_one_does() {
    over_every_link!(a_large_list);
}

#[test]
fn what_visits_all_of_a_large_object_is_postponed_and_nothing_else_is() {
    let link = InProcess::new(Limits::default());
    let manager = link.manager();
    let dict = dict(&manager, "one", 0..LARGE);
    let list = list(&manager, &shuffled());
    dict.set(&1, "again").unwrap();
    dict.remove_many(&[1, 2]).unwrap();
    list.push(&1).unwrap();
    list.insert(LARGE / 2, &1).unwrap();
    assert_eq!(link.postponed(), 0);
    let postponed = |call: manager_client::Result<()>| {
        call.unwrap();
        link.postponed()
    };
    assert_eq!(postponed(list.sort()), 1);
    assert_eq!(postponed(list.reverse()), 2);
    assert_eq!(postponed(list.remove_slice(5..6)), 3);
    assert_eq!(postponed(list.extend_from(&list)), 4);
    assert_eq!(postponed(list.values().map(drop)), 5);
    assert_eq!(postponed(dict.items().map(drop)), 6);
    assert_eq!(postponed(list.clear()), 7);
    assert_eq!(postponed(dict.clear()), 8);
    // Small again, so there is nothing to postpone.
    let before = link.postponed();
    list.extend([3, 2, 1]).unwrap();
    list.sort().unwrap();
    assert_eq!(link.postponed(), before);
}

#[test]
fn a_reply_comes_in_parts_if_it_has_many_items_or_many_bytes() {
    for pace in [Pace::Inline, Pace::Patient] {
        let link = InProcess::new(Limits { max_frame: 1000, ..Limits::default() }).at_pace(pace);
        let manager = link.manager();
        let list = manager.list::<String>("texts").unwrap();
        list.extend(vec![String::new(); 10]).unwrap();
        assert_eq!(list.values().unwrap(), vec![String::new(); 10]);
        assert_eq!(link.parts(), 0);

        // One value longer than a frame, then exactly as many bytes around its limit.
        for len in [900, 960, 970, 980, 990, 1000, 1010, 5000, 300_000] {
            let text = "x".repeat(len);
            list.set(0, &text).unwrap();
            assert_eq!(list.get(0).unwrap(), text);
        }
        assert!(link.parts() > 300);

        let before = link.parts();
        let many = manager.list::<u64>("numbers").unwrap();
        many.extend(vec![1; 1024]).unwrap();
        assert_eq!(many.slice(..300).unwrap(), [1; 300]);
        assert_eq!(link.parts(), before, "few small values are one frame");
        many.push(&1).unwrap();
        assert_eq!(many.values().unwrap(), [1; 1025]);
        assert!(link.parts() > before);
    }
}
