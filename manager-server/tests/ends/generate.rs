//! Sequences of actions, made at random and carried out.

use proptest::prelude::*;

use super::operation::{KEYS, Op};
use super::sequences::{compare, first_difference};
use super::world::{Action, Fault, World};

fn ttl() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        2 => Just(None),
        8 => (1_i64..12).prop_map(Some),
        4 => (12_i64..200).prop_map(Some),
        1 => prop_oneof![Just(0), Just(-1), Just(i64::MIN), Just(i64::MAX), Just(315_576_000_001)].prop_map(Some),
        1 => Just(Some(315_576_000_000)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..KEYS;
    let value = || 0_u64..4;
    let maybe = || proptest::option::of(0_u64..3);
    prop_oneof![
        2 => Just(Op::Len),
        3 => key().prop_map(|key| Op::Get { key }),
        1 => Just(Op::GetMany),
        3 => (key(), value()).prop_map(|(key, value)| Op::Set { key, value }),
        2 => (key(), value()).prop_map(|(key, value)| Op::Insert { key, value }),
        12 => (key(), value(), ttl(), any::<bool>())
            .prop_map(|(key, value, ttl_ms, session)| Op::InsertWith { key, value, ttl_ms, session }),
        1 => value().prop_map(|value| Op::InsertMany { value }),
        4 => (key(), ttl()).prop_map(|(key, ttl_ms)| Op::Expire { key, ttl_ms }),
        4 => key().prop_map(|key| Op::Ttl { key }),
        2 => (key(), value()).prop_map(|(key, value)| Op::GetOrInsert { key, value }),
        3 => key().prop_map(|key| Op::Add { key }),
        2 => (key(), maybe(), maybe()).prop_map(|(key, expected, new)| Op::CompareAndSet { key, expected, new }),
        2 => (key(), value()).prop_map(|(key, value)| Op::ReplaceIfVersion { key, value }),
        1 => key().prop_map(|key| Op::RemoveIfVersion { key }),
        2 => key().prop_map(|key| Op::Remove { key }),
        1 => Just(Op::PopFirst),
        1 => Just(Op::PopLast),
        1 => Just(Op::Clear),
        2 => Just(Op::Items),
        2 => (1_u32..4, any::<bool>()).prop_map(|(limit, backward)| Op::Page { limit, backward }),
        2 => Just(Op::UpdateFrom),
        1 => Just(Op::UnionFrom),
    ]
}

fn action() -> BoxedStrategy<Action> {
    let (client, dict) = (|| 0_usize..3, || 0_usize..2);
    // Ends are at whole milliseconds; it is looked just before, at, and behind them.
    let time = prop_oneof![
        6 => (1_u64..12).prop_map(|halves| halves * 500),
        2 => (1_u64..300).prop_map(|milliseconds| milliseconds * 1000),
        1 => 1_u64..3,
    ];
    prop_oneof![
        20 => (client(), dict(), op(), 0_u64..4)
            .prop_map(|(client, dict, op, ago)| Action::Ask { client, dict, op, ago }),
        4 => (client(), prop::collection::vec((dict(), op()), 1..5), prop::bool::weighted(0.3))
            .prop_map(|(client, steps, fails)| Action::Transaction { client, steps, fails }),
        8 => (time, any::<bool>()).prop_map(|(microseconds, tell)| Action::Advance { microseconds, tell }),
        2 => client().prop_map(|client| Action::Leave { client }),
        1 => prop::bool::weighted(0.2)
            .prop_map(|delete| if delete { Action::Delete } else { Action::Advance { microseconds: 1, tell: true } }),
    ]
    .boxed()
}

/// Carries out a sequence; the first difference from the model.
fn difference(actions: &[Action], fault: Option<Fault>) -> Option<String> {
    let mut world = World::new(fault);
    actions.iter().find_map(|action| world.apply(action)).or_else(|| world.finish())
}

#[test]
fn no_entry_outlives_its_end_and_none_ends_before() {
    compare(10_000, file!(), action, |actions| difference(actions, None));
}

#[test]
fn every_fault_is_found_and_none_where_there_is_none() {
    let found = |fault| first_difference(500, action(), |actions| difference(actions, fault));
    assert_eq!(found(None), None);
    for fault in [
        Fault::ForgetsTtls,
        Fault::ForgetsSessions,
        Fault::LagsBehind,
        Fault::HidesEndsOfSessions,
        Fault::SetsByChanging,
        Fault::ChangesBySetting,
        Fault::ExpiresForEver,
        Fault::RoundsDown,
        Fault::MixesSessions,
        Fault::CommitsFailures,
        Fault::TellsNoTimers,
    ] {
        assert!(found(Some(fault)).is_some(), "{fault:?} was not found");
    }
}
