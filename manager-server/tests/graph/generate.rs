//! Sequences of actions, made at random and carried out.

use proptest::prelude::*;

use super::sequences::{compare, first_difference};
use super::world::{Action, Fault, World};

fn action() -> BoxedStrategy<Action> {
    let session = || 0_usize..3;
    let object = || prop_oneof![0_usize..12, 0_usize..4];
    let at = || 0_u64..4;
    let refers_to = || prop::collection::vec(0_usize..12, 0..3);
    prop_oneof![
        4 => (session(), prop_oneof![3 => 0_usize..2, 1 => 0_usize..7])
            .prop_map(|(session, kind)| Action::Make { session, kind }),
        8 => (session(), object(), at(), refers_to())
            .prop_map(|(session, object, at, refers_to)| Action::Put { session, object, at, refers_to }),
        4 => (session(), object(), at()).prop_map(|(session, object, at)| Action::Get { session, object, at }),
        3 => (session(), object(), at()).prop_map(|(session, object, at)| Action::Remove { session, object, at }),
        1 => (session(), object()).prop_map(|(session, object)| Action::GetAll { session, object }),
        1 => (session(), object()).prop_map(|(session, object)| Action::Clear { session, object }),
        4 => (session(), object(), object())
            .prop_map(|(session, object, source)| Action::Merge { session, object, source }),
        1 => (session(), object()).prop_map(|(session, object)| Action::Double { session, object }),
        2 => (session(), object(), at(), refers_to(), any::<bool>()).prop_map(
            |(session, object, at, refers_to, fails)| Action::Exchange { session, object, at, refers_to, fails }
        ),
        6 => (session(), object(), 1_u64..3)
            .prop_map(|(session, object, times)| Action::Release { session, object, times }),
        1 => (0_usize..3).prop_map(|which| Action::Delete { which }),
        2 => session().prop_map(|session| Action::End { session }),
    ]
    .boxed()
}

/// Carries out a sequence; the first difference from the model.
fn difference(actions: &[Action], fault: Option<Fault>) -> Option<String> {
    let mut world = World::new(fault);
    actions.iter().find_map(|action| world.apply(action)).or_else(|| world.finish())
}

#[test]
fn what_can_be_reached_lives_and_nothing_else_does() {
    compare(4_000, file!(), action, |actions| difference(actions, None));
}

#[test]
fn every_fault_is_found_and_none_where_there_is_none() {
    let found = |fault| first_difference(400, action(), |actions| difference(actions, fault));
    assert_eq!(found(None), None);
    for fault in [
        Fault::KeepsCircles,
        Fault::KeepsTheDead,
        Fault::ForgetsReleases,
        Fault::ReleasesTwice,
        Fault::HoldsNothingByReplies,
    ] {
        assert!(found(Some(fault)).is_some(), "{fault:?} was not found");
    }
}
