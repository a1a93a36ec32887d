//! Whether the comparison finds anything: a core with a fault in front of it.

use proptest::strategy::Strategy;

use super::generate::{action, difference};
use super::lock::Locks;
use super::objects::Objects;
use super::pool::Pools;
use super::sequences;
use super::world::Fault;

fn first_difference<K: Objects + 'static>(fault: Option<Fault>) -> Option<String>
where
    K::Op: 'static,
{
    sequences::first_difference(1_000, action::<K>().boxed(), |actions| difference::<K>(actions, fault))
}

#[test]
fn every_fault_is_found_and_none_where_there_is_none() {
    assert_eq!(first_difference::<Locks>(None), None);
    for fault in [
        Fault::LosesCancels,
        Fault::TimesOutLate,
        Fault::HidesDeaths,
        Fault::RunsAgain,
        Fault::CountsTheLostAsHad,
        Fault::LosesAcknowledgements,
        Fault::ForgetsWaitsOfTheLost,
        Fault::RepeatsTokens,
    ] {
        assert!(first_difference::<Locks>(Some(fault)).is_some(), "{fault:?} was not found");
    }
}

#[test]
fn every_fault_that_has_to_do_with_pools_is_found_there() {
    assert_eq!(first_difference::<Pools>(None), None);
    for fault in [
        Fault::LosesCancels,
        Fault::TimesOutLate,
        Fault::RunsAgain,
        Fault::CountsTheLostAsHad,
        Fault::LosesAcknowledgements,
        Fault::ForgetsWaitsOfTheLost,
    ] {
        assert!(first_difference::<Pools>(Some(fault)).is_some(), "{fault:?} was not found");
    }
}
