//! Watches of a list that many change at once, over connections that are cut.

use std::collections::BTreeMap;
use std::thread;

use manager_client::{DirectLink, ListChange, ListUpdate, Manager, ManagerList, Slice, Versioned, VersionedLink};
use manager_tests::history::{History, ListOperation, ListState, Outcome, Part, check_from};
use manager_tests::{block_on, server, wait};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::asking::{Asking, Take};
use crate::child::eventually;
use crate::cutter::Cutter;
use crate::watches::{MOST, asynchronous, blocking};

const LIST: &str = "list";
const WRITERS: u64 = 4;
const ROUNDS: usize = 200;
/// Pushed at last.
const END: i64 = 1_000_000;

fn write<L>(manager: &Manager<L>, number: u64) -> History<ListOperation>
where
    L: DirectLink,
    VersionedLink<L>: Asking,
{
    let list: ManagerList<i64, L> = wait::<L, _>(manager.list(LIST)).unwrap();
    let (mut random, mut seen) = (StdRng::seed_from_u64(number), History::new(format!("writer {number}")));
    for _ in 0..ROUNDS {
        if random.random_bool(0.8) {
            let operation = choose(&mut random);
            let outcome = call(&list.versioned(), &operation)();
            seen.note(LIST, operation, &outcome);
            continue;
        }
        let transaction = manager.transaction();
        let queued = list.on(&transaction).versioned();
        let operations: Vec<_> = (0..3).map(|_| choose(&mut random)).collect();
        let takes: Vec<Take> = operations.iter().map(|operation| call(&queued, operation)).collect();
        match wait::<L, _>(transaction.commit()) {
            Ok(()) => operations.into_iter().zip(takes).for_each(|(done, take)| seen.note(LIST, done, &take())),
            Err(error) => assert!(error.is_out_of_range(), "{error:?}"),
        }
    }
    seen
}

fn choose(random: &mut StdRng) -> ListOperation {
    let index = random.random_range(-5..5);
    let value = random.random_range(-9..9);
    let part = Part {
        start: Some(random.random_range(-4..4)),
        stop: Some(index),
        step: *[1, 1, 2, -1].choose(random).unwrap(),
    };
    let values = || (0..3).map(|nth| value + nth).collect();
    match random.random_range(0..24) {
        0..5 => ListOperation::Push(value),
        5 => ListOperation::PushFront(value),
        6 => ListOperation::Pop,
        7 => ListOperation::PopFront,
        8..10 => ListOperation::Set(index, value),
        10..12 => ListOperation::Insert(index, value),
        12 => ListOperation::Remove(index),
        13 => ListOperation::RemoveValue(value),
        14..16 => ListOperation::Extend(values()),
        16 => ListOperation::SetSlice(Part { step: 1, ..part }, values()),
        17 => ListOperation::RemoveSlice(part),
        18 => ListOperation::Reverse,
        19 => ListOperation::Sort,
        20 if random.random_bool(0.3) => ListOperation::Clear,
        20 => ListOperation::SortDescending,
        // What makes the list longer is held back by what cuts it.
        21 => ListOperation::RemoveSlice(Part { start: Some(15), stop: None, step: 1 }),
        _ => ListOperation::Add(index, value),
    }
}

fn call<L: Asking>(list: &ManagerList<i64, L>, operation: &ListOperation) -> Take {
    let slice = |part: &Part| Slice::new(part.start, part.stop, part.step);
    match operation {
        ListOperation::Push(value) => L::asked(list.push(value), Outcome::from),
        ListOperation::PushFront(value) => L::asked(list.push_front(value), Outcome::from),
        ListOperation::Pop => L::asked(list.pop(), Outcome::from),
        ListOperation::PopFront => L::asked(list.pop_front(), Outcome::from),
        // By paths: what is done is the same.
        ListOperation::Set(index, value) => L::asked(list.at(*index).set(value), Outcome::from),
        ListOperation::Add(index, delta) => L::asked(list.at(*index).add(*delta), Outcome::from),
        ListOperation::Insert(index, value) => L::asked(list.insert(*index, value), Outcome::from),
        ListOperation::Remove(index) => L::asked(list.remove(*index), Outcome::from),
        ListOperation::RemoveValue(value) => L::asked(list.remove_value(value), Outcome::from),
        ListOperation::Extend(values) => L::asked(list.extend(values), Outcome::from),
        ListOperation::SetSlice(part, values) => L::asked(list.set_slice(slice(part), values), Outcome::from),
        ListOperation::RemoveSlice(part) => L::asked(list.remove_slice(slice(part)), Outcome::from),
        ListOperation::Reverse => L::asked(list.reverse(), Outcome::from),
        ListOperation::Sort => L::asked(list.sort(), Outcome::from),
        ListOperation::SortDescending => L::asked(list.sort_descending(), Outcome::from),
        ListOperation::Clear => L::asked(list.clear(), Outcome::from),
        ListOperation::Len
        | ListOperation::Get(_)
        | ListOperation::ExtendFrom(_)
        | ListOperation::ExtendFromItself
        | ListOperation::Values
        | ListOperation::Slice(_)
        | ListOperation::Contains(_)
        | ListOperation::IndexOf(_)
        | ListOperation::IndexOfWithin(..)
        | ListOperation::Count(_)
        | ListOperation::Concat(_)
        | ListOperation::ConcatFrom(_)
        | ListOperation::Repeat(_)
        | ListOperation::RepeatInPlace(_)
        | ListOperation::CompareAndSet(..)
        | ListOperation::ReplaceIfVersion(..) => unreachable!("nobody chooses {operation:?}"),
    }
}

/// What somebody who watches the list was told: the changes by version, and the list at each.
struct Followed {
    seen: History<ListOperation>,
    first: u64,
    changes: BTreeMap<u64, Vec<ListChange<i64>>>,
}

fn follow(name: &str, mut next: impl FnMut() -> ListUpdate<i64>) -> Followed {
    let (mut seen, mut changes) = (History::new(name), BTreeMap::new());
    let ListUpdate::Snapshot { version: first, values: mut copy, resync: false } = next() else {
        panic!("{name} is told all at first")
    };
    let (mut last, list) = (first, ListOperation::Values);
    seen.note(LIST, list.clone(), &Ok(Versioned { value: copy.clone(), version: first }));
    while copy.last() != Some(&END) {
        let ListUpdate::Changes(told) = next() else { panic!("{name}: all anew behind version {last}") };
        for group in told.chunk_by(|one, other| one.version == other.version) {
            let version = group[0].version;
            assert_eq!(version, last + 1, "{name}: each change of a list is told, and once");
            last = version;
            changes.insert(version, group.to_vec());
            for change in group {
                let fits = change.start + change.removed <= copy.len() as u64;
                assert!(fits, "{name}: {change:?} of {} values", copy.len());
            }
            ListUpdate::Changes(group.to_vec()).apply_to(&mut copy);
            seen.note(LIST, list.clone(), &Ok(Versioned { value: copy.clone(), version }));
        }
    }
    Followed { seen, first, changes }
}

#[test]
fn who_watches_knows_the_list_at_every_version_though_connections_are_cut() {
    let server = server();
    let (away, cutter) = (Cutter::at_random(server.socket(), 4, MOST), Cutter::at_random(server.socket(), 5, 2 * MOST));
    let direct: ManagerList<i64> = server.manager().list(LIST).unwrap();
    let (mut histories, followers) = thread::scope(|scope| {
        let (away, cutter, direct) = (&away, &cutter, &direct);
        let whole = scope.spawn(|| {
            let mut watch = direct.watch();
            follow("one who is not cut", || watch.next().unwrap().unwrap())
        });
        let one = scope.spawn(|| {
            let mut watch = blocking(cutter).list::<i64>(LIST).unwrap().watch();
            follow("one who is cut", || watch.next().unwrap().unwrap())
        });
        let other = scope.spawn(|| {
            let list = block_on(asynchronous(cutter).list::<i64>(LIST)).unwrap();
            let mut watch = list.watch();
            follow("an async one", || block_on(watch.next()).unwrap().unwrap())
        });
        eventually("all watch", || (server.census().held == 3).then_some(()));
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                scope.spawn(move || match number % 2 {
                    0 => write(&blocking(away), number),
                    _ => write(&*asynchronous(away), number),
                })
            })
            .collect();
        let mut histories: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        let mut last = History::new("the last writer");
        last.record(LIST, ListOperation::Push(END), || direct.versioned().push(&END)).unwrap();
        histories.push(last);
        (histories, [whole, one, other].map(|follower| follower.join().unwrap()))
    });
    for follower in &followers {
        let behind = followers[0].changes.range(follower.first + 1..);
        assert!(behind.eq(&follower.changes), "{}", follower.seen.worker);
    }
    histories.extend(followers.map(|follower| follower.seen));
    let summary = check_from(&histories, |_, _| ListState::default()).unwrap_or_else(|fault| panic!("{fault}"));
    println!("{summary:?}, {} and {} cuts", away.cuts(), cutter.cuts());
    assert!(summary.changes > 300 && away.cuts() > 50 && cutter.cuts() > 20, "{summary:?}");
}
