//! Tests of waits for a value, over a link that has no server.

use std::time::Duration;

use manager_protocol::watch::Met;
use manager_protocol::{Encoded, encode_value, write_item};
use serde::Serialize;

use super::Until;
use crate::ManagerDict;
use crate::handle::MARGIN;
use crate::manager::Manager;
use crate::scripted::{Scripted, now};

fn dict() -> (ManagerDict<String, u64, Scripted>, Scripted) {
    let link = Scripted::new();
    link.answer(&5_u64);
    let dict = now(Manager::over(link.clone()).dict("ages")).unwrap();
    link.asked();
    (dict, link)
}

fn bin<T: Serialize + ?Sized>(value: &T) -> Encoded<'static> {
    Encoded::from(std::sync::Arc::<[u8]>::from(encode_value(value).unwrap()))
}

fn met(value: Option<u64>) -> Option<Met<'static>> {
    Some(Met { value: value.map(|value| bin(&value)) })
}

#[test]
fn a_condition_is_sent_with_what_it_compares() {
    let (ages, link) = dict();
    let conditions = [
        (Until::exists(), 1, None),
        (Until::absent(), 2, None),
        (Until::equals(&31), 3, Some(31)),
        (Until::at_least(&18), 4, Some(18)),
        (Until::changed_since(9), 5, Some(9_u64)),
    ];
    for (until, number, operand) in conditions {
        link.answer(&met(Some(31)));
        assert_eq!(now(ages.wait_for_timeout("ann", until, Duration::from_millis(20))).unwrap(), Some(31));
        let asked = link.asked().pop().unwrap();
        let mut arguments = Vec::new();
        write_item(&mut arguments, &(bin("ann"), [(); 0], number, operand.map(|operand| bin(&operand)), 20));
        assert_eq!((asked.operation, asked.arguments), ("watch.wait_for", arguments));
        assert_eq!(asked.timeout, Some(MARGIN + Duration::from_millis(20)));
    }
}

#[test]
fn a_value_that_is_gone_is_none_and_one_that_does_not_come_is_late() {
    let (ages, link) = dict();
    link.answer(&met(None));
    assert_eq!(now(ages.wait_for("ann", Until::absent())).unwrap(), None);
    assert_eq!(link.asked()[0].timeout, Some(Duration::from_secs(5) + MARGIN));

    link.answer(&None::<Met<'_>>);
    let error = now(ages.wait_for("ann", Until::exists())).unwrap_err();
    assert!(error.is_timeout() && !error.is_outcome_unknown());
    assert!(error.to_string().starts_with("watch.wait_for on \"ages\": "), "{error}");
}

#[test]
fn the_version_is_told_for_the_next_wait() {
    let (ages, link) = dict();
    link.answer(&met(Some(31)));
    let ages = ages.versioned();
    let seen = now(ages.wait_for("ann", Until::changed_since(0))).unwrap();
    assert_eq!((seen.value, seen.version), (Some(31), 1));
    link.answer(&met(Some(32)));
    let seen = now(ages.at("ann").wait_for::<u64>(Until::changed_since(seen.version))).unwrap();
    assert_eq!(seen.value, Some(32));
}

#[test]
fn a_value_always_holds_something() {
    let link = Scripted::new();
    link.answer(&5_u64);
    let progress = now(Manager::over(link.clone()).value("progress", &0_u64)).unwrap();
    link.answer(&met(Some(60)));
    assert_eq!(now(progress.wait_for(Until::at_least(&50))).unwrap(), 60);
    link.answer(&met(None));
    assert!(now(progress.wait_for(Until::absent())).is_err_and(|error| error.is_disconnected()));
    link.answer(&None::<Met<'_>>);
    assert!(now(progress.wait_for_timeout(Until::exists(), Duration::ZERO)).is_err_and(|error| error.is_timeout()));
}
