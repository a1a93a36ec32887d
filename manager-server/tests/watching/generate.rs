//! Sequences of actions, made at random and carried out.

use manager_protocol::list::Range;
use manager_protocol::watch::Condition;
use proptest::prelude::*;

use super::history::{Value, Want, Which};
use super::objects::Change;
use super::sequences::compare;
use super::world::{Action, Fault, World};

fn timeout() -> BoxedStrategy<Option<i64>> {
    prop_oneof![5 => Just(None), 2 => Just(Some(0)), 3 => (1_i64..40).prop_map(Some)].boxed()
}

fn key() -> BoxedStrategy<u8> {
    prop_oneof![3 => 0_u8..2, 2 => 0_u8..5].boxed()
}

fn number() -> BoxedStrategy<Value> {
    (0_u8..5).prop_map(|number| vec![number]).boxed()
}

/// Numbers, a text, arrays of numbers, and what is large.
fn value() -> BoxedStrategy<Value> {
    let array = prop::collection::vec(0_u8..4, 0..4).prop_map(|elements| {
        let mut array = vec![0x90 | elements.len() as u8];
        array.extend(elements);
        array
    });
    let large = Just([vec![0xc6, 0, 1, 0x01, 0xd0], vec![7; 66_000]].concat());
    prop_oneof![
        30 => number(),
        10 => array,
        3 => Just(vec![0xa1, b'a']),
        1 => large,
    ]
    .boxed()
}

fn index() -> BoxedStrategy<i64> {
    prop_oneof![3 => 0_i64..3, 1 => -3_i64..6].boxed()
}

fn slice() -> BoxedStrategy<Range> {
    let end = || prop::option::of(-3_i64..6);
    (end(), end(), prop_oneof![4 => Just(1_i64), 1 => Just(-1), 1 => Just(2)])
        .prop_map(|(start, stop, step)| Range { start, stop, step })
        .boxed()
}

fn change_of_dict() -> BoxedStrategy<Change> {
    let keys = || prop::collection::vec(key(), 0..5);
    prop_oneof![
        6 => (key(), value()).prop_map(|(key, value)| Change::Set(key, value)),
        3 => key().prop_map(Change::Remove),
        2 => (keys(), value()).prop_map(|(keys, value)| Change::SetMany(keys, value)),
        1 => keys().prop_map(Change::RemoveMany),
        2 => (key(), prop::option::of(value()), prop::option::of(value()))
            .prop_map(|(key, expected, new)| Change::Swap(key, expected, new)),
        2 => key().prop_map(Change::Add),
        1 => Just(Change::PopFirst),
        1 => Just(Change::PopLast),
        1 => Just(Change::ClearDict),
        2 => (key(), index(), number()).prop_map(|(key, step, value)| Change::PutInside(key, step, value)),
    ]
    .boxed()
}

fn change_of_list() -> BoxedStrategy<Change> {
    let values = || prop::collection::vec(value(), 0..5);
    let some = prop_oneof![
        4 => value().prop_map(Change::Push),
        2 => value().prop_map(Change::PushFront),
        1 => Just(Change::Pop),
        1 => Just(Change::PopFront),
        2 => (index(), value()).prop_map(|(index, value)| Change::Insert(index, value)),
        1 => index().prop_map(Change::Delete),
        1 => value().prop_map(Change::DeleteValue),
    ];
    let others = prop_oneof![
        2 => values().prop_map(Change::Extend),
        2 => (index(), value()).prop_map(|(index, value)| Change::Replace(index, value)),
        2 => (slice(), values()).prop_map(|(slice, values)| Change::ReplaceSlice(slice, values)),
        1 => slice().prop_map(Change::DeleteSlice),
        1 => Just(Change::Reverse),
        1 => (-1_i64..3).prop_map(Change::Repeat),
        2 => index().prop_map(Change::Increase),
        1 => Just(Change::ClearList),
        2 => (0_i64..3, index(), number()).prop_map(|(at, step, value)| Change::PutInsideOf(at, step, value)),
    ];
    prop_oneof![12 => some, 14 => others].boxed()
}

fn change() -> BoxedStrategy<Change> {
    prop_oneof![change_of_dict(), change_of_list()].boxed()
}

fn which() -> BoxedStrategy<Which> {
    prop_oneof![Just(Which::Dict), Just(Which::List)].boxed()
}

fn want() -> BoxedStrategy<Want> {
    let condition = prop_oneof![
        2 => Just((Condition::Exists, None)),
        2 => Just((Condition::Absent, None)),
        3 => (0_i64..5).prop_map(|operand| (Condition::Equals, Some(operand))),
        3 => (0_i64..5).prop_map(|operand| (Condition::AtLeast, Some(operand))),
        3 => (0_i64..20).prop_map(|since| (Condition::ChangedSince, Some(since))),
    ];
    let step = prop_oneof![3 => Just(None), 2 => (-2_i64..3).prop_map(Some)];
    let at = prop_oneof![4 => 0_i8..3, 1 => -3_i8..5];
    (at, step, condition).prop_map(|(at, step, (condition, operand))| Want { at, step, condition, operand }).boxed()
}

pub(crate) fn action() -> BoxedStrategy<Action> {
    let session = || 0_usize..3;
    let watch = || 0_usize..12;
    let all = (value(), any::<bool>())
        .prop_map(|(value, patient)| Action::Change { change: Change::SetMany((0..5).collect(), value), patient });
    let ending = (session(), key(), value(), prop::option::of(1_i64..60), any::<bool>());
    let asks = prop_oneof![
        12 => (watch(), prop_oneof![6 => Just(0), 1 => 1_u64..4], timeout())
            .prop_map(|(watch, back, timeout_ms)| Action::Follow { watch, back, timeout_ms }),
        4 => (session(), which(), prop_oneof![2 => Just(None), 3 => key().prop_map(Some)])
            .prop_map(|(session, which, key)| Action::Begin { session, which, key }),
        8 => (session(), which(), want(), timeout())
            .prop_map(|(session, which, want, timeout_ms)| Action::Wait { session, which, want, timeout_ms }),
        1 => watch().prop_map(|watch| Action::End { watch }),
        1 => (session(), watch(), any::<bool>())
            .prop_map(|(session, watch, early)| Action::Intrude { session, watch, early }),
        1 => (0_usize..12).prop_map(|request| Action::Cancel { request }),
    ];
    let changes = prop_oneof![
        16 => (change(), any::<bool>()).prop_map(|(change, patient)| Action::Change { change, patient }),
        1 => all,
        1 => (key(), 1_u8..24).prop_map(|(key, times)| Action::Burst { key, times }),
        6 => (prop::collection::vec(change(), 1..5), prop::bool::weighted(0.3))
            .prop_map(|(changes, fails)| Action::Transaction { changes, fails }),
        3 => ending.prop_map(|(session, key, value, ttl_ms, own)| Action::PutEnding {
            session, key, value, ttl_ms, own,
        }),
    ];
    let others = prop_oneof![
        6 => (1_u64..40).prop_map(|milliseconds| Action::Advance { milliseconds }),
        2 => session().prop_map(|session| Action::Reconnect { session }),
        1 => session().prop_map(|session| Action::Leave { session }),
        1 => which().prop_map(|which| Action::Delete { which }),
    ];
    prop_oneof![8 => asks, 8 => changes, 3 => others].boxed()
}

/// Carries out a sequence; the first difference.
pub(crate) fn difference(actions: &[Action], fault: Option<Fault>) -> Option<String> {
    let mut world = World::new(fault);
    actions.iter().try_for_each(|action| world.apply(action)).and_then(|()| world.finish()).err()
}

#[test]
fn watches_tell_all_that_changes_and_waits_end_when_they_are_to() {
    compare(10_000, file!(), action, |actions| difference(actions, None));
}
