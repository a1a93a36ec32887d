//! Sequences of actions, made at random and carried out.

use proptest::prelude::*;

use super::objects::Objects;
use super::sequences;
use super::world::{Action, Fault, World};

/// How long an operation waits.
pub(crate) fn timeout() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![5 => Just(None), 1 => Just(Some(0)), 4 => (1_i64..40).prop_map(Some)]
}

pub(crate) fn action<K: Objects>() -> impl Strategy<Value = Action<K::Op>>
where
    K::Op: 'static,
{
    let connection = || 0_usize..12;
    let which = || prop_oneof![0_u64..4, 0_u64..24];
    let again = (connection(), which());
    prop_oneof![
        24 => (connection(), K::operations())
            .prop_map(|(connection, operation)| Action::Ask { connection, operation }),
        4 => again.prop_map(|(connection, which)| Action::Again { connection, which }),
        1 => (connection(), which(), K::operations())
            .prop_map(|(connection, which, operation)| Action::Other { connection, which, operation }),
        3 => (connection(), which()).prop_map(|(connection, which)| Action::Cancel { connection, which }),
        3 => (connection(), any::<bool>()).prop_map(|(connection, left)| Action::Disconnect { connection, left }),
        1 => connection().prop_map(|connection| Action::Leave { connection }),
        1 => connection().prop_map(|connection| Action::Abandon { connection }),
        2 => connection().prop_map(|connection| Action::Hear { connection }),
        2 => (connection(), prop_oneof![Just(0), any::<u64>()], prop_oneof![3 => Just(0), 1 => 0_u64..3])
            .prop_map(|(connection, lacks, back)| Action::Acknowledge { connection, lacks, back }),
        5 => (1_u64..50).prop_map(|milliseconds| Action::Advance { milliseconds }),
        3 => (0_usize..6).prop_map(|session| Action::Join { session }),
        1 => (0_usize..6, any::<bool>()).prop_map(|(session, other_user)| Action::Intrude { session, other_user }),
        1 => any::<bool>().prop_map(|has_token| Action::Connect { has_token }),
        1 => (0_usize..4).prop_map(|at| Action::Delete { at }),
    ]
}

/// Carries out a sequence; the first difference from the model.
pub(crate) fn difference<K: Objects>(actions: &[Action<K::Op>], fault: Option<Fault>) -> Option<String> {
    let mut world = World::<K>::new(fault);
    actions.iter().find_map(|action| world.apply(action)).or_else(|| world.finish())
}

/// Compares the core with a model in so many sequences.
pub(crate) fn compare<K: Objects + 'static>(cases: u32)
where
    K::Op: 'static,
{
    sequences::compare(cases, file!(), || action::<K>().boxed(), |actions| difference::<K>(actions, None));
}
