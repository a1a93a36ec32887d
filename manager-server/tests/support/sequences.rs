//! Sequences of actions, made at random and carried out.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

/// Carries out so many sequences, most of them short, or as many as the environment's `PROPTEST_CASES`
/// says; none may differ. `file` is the test's own: failures are remembered beside it.
pub(crate) fn compare<A: Clone + std::fmt::Debug>(
    cases: u32,
    file: &'static str,
    action: impl Fn() -> BoxedStrategy<A>,
    difference: impl Fn(&[A]) -> Option<String>,
) {
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().expect("a number of cases"));
    let persistence = FileFailurePersistence::WithSource("regressions");
    let config = Config { cases, failure_persistence: Some(Box::new(persistence)), ..Config::default() };
    let sequences = prop_oneof![
        4 => prop::collection::vec(action(), 1..20),
        1 => prop::collection::vec(action(), 20..80),
    ];
    TestRunner::new(Config { source_file: Some(file), ..config })
        .run(&sequences, |actions| difference(&actions).map_or(Ok(()), |fault| Err(TestCaseError::fail(fault))))
        .unwrap();
}

/// Carries out the same sequences each time, up to so many; the first difference that is found.
pub(crate) fn first_difference<A: std::fmt::Debug>(
    tries: usize,
    action: BoxedStrategy<A>,
    difference: impl Fn(&[A]) -> Option<String>,
) -> Option<String> {
    let mut runner = TestRunner::deterministic();
    let sequences = prop::collection::vec(action, 10..60);
    (0..tries).find_map(|_| difference(&sequences.new_tree(&mut runner).unwrap().current()))
}
