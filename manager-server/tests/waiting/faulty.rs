//! Whether the comparison finds anything: a core with a fault in front of it.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::generate::{action, difference};
use super::lock::Locks;
use super::world::Fault;

/// Compares the same sequences each time; the first difference that is found.
fn first_difference(fault: Option<Fault>) -> Option<String> {
    let mut runner = TestRunner::deterministic();
    let sequences = proptest::collection::vec(action::<Locks>(), 10..40);
    (0..1_000).find_map(|_| {
        let actions = sequences.new_tree(&mut runner).unwrap().current();
        difference::<Locks>(&actions, fault)
    })
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
