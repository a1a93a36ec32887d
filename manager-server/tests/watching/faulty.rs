//! Whether the comparison finds anything: a core with a fault in front of it.

use super::generate::{action, difference};
use super::sequences;
use super::world::Fault;

fn first_difference(fault: Option<Fault>) -> Option<String> {
    sequences::first_difference(500, action(), |actions| difference(actions, fault))
}

#[test]
fn every_fault_is_found_and_none_where_there_is_none() {
    assert_eq!(first_difference(None), None);
    for fault in [
        Fault::DropsAChange,
        Fault::RepeatsAChange,
        Fault::SplitsAVersion,
        Fault::HidesALoss,
        Fault::LosesTooMuch,
        Fault::OverstatesTheVersion,
        Fault::TellsTheOldValue,
        Fault::WakesNobody,
        Fault::TimesOutEarly,
        Fault::ForgetsTheEndOfSessions,
    ] {
        assert!(first_difference(Some(fault)).is_some(), "{fault:?} was not found");
    }
}
