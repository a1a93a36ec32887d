//! Whether the comparison finds anything: a core with a fault in front of it.

use proptest::strategy::Strategy;

use super::generate::{action, difference};
use super::lock::Locks;
use super::sequences;
use super::world::Fault;

fn first_difference(fault: Option<Fault>) -> Option<String> {
    sequences::first_difference(1_000, action::<Locks>().boxed(), |actions| difference::<Locks>(actions, fault))
}

#[test]
fn every_fault_is_found_and_none_where_there_is_none() {
    assert_eq!(first_difference(None), None);
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
        assert!(first_difference(Some(fault)).is_some(), "{fault:?} was not found");
    }
}
