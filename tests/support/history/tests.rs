//! The checker accepts what is right and catches each seeded fault.

mod kinds;
mod record;

use super::*;

const DICT: &str = "counts";

fn event(object: &str, version: u64, operation: impl Into<Operation>, outcome: impl Into<Outcome>) -> Event {
    Event { object: object.into(), version: Some(version), operation: operation.into(), outcome: outcome.into() }
}

fn dict(version: u64, operation: DictOperation, outcome: impl Into<Outcome>) -> Event {
    event(DICT, version, operation, outcome)
}

fn list(version: u64, operation: ListOperation, outcome: impl Into<Outcome>) -> Event {
    event("steps", version, operation, outcome)
}

fn refused(event: Event, code: manager_protocol::Code) -> Event {
    Event { version: None, outcome: Outcome::Refused(code.number()), ..event }
}

fn check_all(workers: impl IntoIterator<Item = Vec<Event>>) -> Result<Summary, Fault> {
    let histories: Vec<History> = workers
        .into_iter()
        .enumerate()
        .map(|(number, events)| History { worker: format!("w{number}"), events })
        .collect();
    check(&histories)
}

#[track_caller]
fn caught(workers: impl IntoIterator<Item = Vec<Event>>, kind: FaultKind, words: &[&str]) {
    let fault = check_all(workers).expect_err("a seeded fault is found");
    assert_eq!(fault.kind, kind, "{fault}");
    for word in words {
        assert!(fault.explanation.contains(word), "{word:?} is not in: {fault}");
    }
}

#[test]
fn calls_of_several_workers_are_put_in_order_by_their_versions() {
    let first = vec![
        dict(0, DictOperation::Len, 0_u64),
        dict(1, DictOperation::Set(7, 1), ()),
        dict(3, DictOperation::Remove(7), Some(3_i64)),
        dict(3, DictOperation::Remove(7), None::<i64>),
    ];
    let second = vec![
        dict(1, DictOperation::Get(7), Some(1_i64)),
        dict(2, DictOperation::Add(7, 2), 3_i64),
        dict(3, DictOperation::Items, Vec::<(u64, i64)>::new()),
        list(1, ListOperation::Push(5), ()),
        list(2, ListOperation::RepeatInPlace(2), ()),
        list(3, ListOperation::SetSlice(Part { start: Some(1), stop: None, step: 1 }, vec![8, 9]), ()),
        list(3, ListOperation::Values, vec![5_i64, 8, 9]),
    ];
    assert_eq!(check_all([first, second]), Ok(Summary { changes: 6, reads: 5, refusals: 0 }));
}

#[test]
fn a_history_survives_being_written_and_read() {
    let history = History { worker: "w".into(), events: vec![dict(1, DictOperation::Add(7, 2), 2_i64)] };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    history.write(&path).unwrap();
    assert_eq!(History::read(&path).unwrap(), history);
}

#[test]
fn two_changes_with_one_version_are_caught() {
    let first = vec![dict(1, DictOperation::Set(7, 1), ())];
    let second = vec![dict(1, DictOperation::Set(8, 1), ())];
    caught([first, second], FaultKind::SameVersion, &["version 1", "w0", "w1", "Set(7, 1)", "Set(8, 1)"]);
}

#[test]
fn a_missing_version_is_caught() {
    let jump = vec![dict(1, DictOperation::Set(7, 1), ()), dict(3, DictOperation::Set(8, 1), ())];
    caught([jump], FaultKind::MissingVersion, &["version 2", "version 3", "Set(8, 1)"]);
    let seen_only = vec![dict(1, DictOperation::Set(7, 1), ()), dict(2, DictOperation::Len, 1_u64)];
    caught([seen_only], FaultKind::MissingVersion, &["version 2", "Len"]);
}

#[test]
fn a_lost_update_is_caught() {
    // Both have added to what was there at first.
    let first = vec![dict(1, DictOperation::Add(7, 1), 1_i64), dict(2, DictOperation::Add(7, 1), 2_i64)];
    let second = vec![dict(3, DictOperation::Add(7, 1), 2_i64)];
    caught([first, second], FaultKind::Misfit, &["w1", "Value(2)", "should have been Value(3)"]);
    // A push that was answered, and whose value is not there.
    let pushed = vec![list(1, ListOperation::Push(5), ()), list(2, ListOperation::Push(6), ())];
    let read = vec![list(2, ListOperation::Values, vec![6_i64])];
    caught([pushed, read], FaultKind::Misfit, &["w1", "should have been Values([5, 6])"]);
}

#[test]
fn a_double_apply_is_caught() {
    // Counted once: what it left behind does not fit.
    let counted_once = vec![dict(1, DictOperation::Add(7, 1), 1_i64), dict(2, DictOperation::Add(7, 1), 3_i64)];
    caught([counted_once], FaultKind::Misfit, &["Value(3)", "should have been Value(2)"]);
    let pushed = vec![list(1, ListOperation::Push(5), ()), list(1, ListOperation::Len, 2_u64)];
    caught([pushed], FaultKind::Misfit, &["Count(2)", "should have been Count(1)"]);
    // Counted twice: one version is nobody's.
    let counted_twice = vec![list(1, ListOperation::Push(5), ()), list(3, ListOperation::Push(6), ())];
    caught([counted_twice], FaultKind::MissingVersion, &["version 2"]);
}

#[test]
fn a_stale_read_is_caught() {
    let change = vec![dict(1, DictOperation::Set(7, 1), ()), dict(2, DictOperation::Set(7, 2), ())];
    let old_value = vec![dict(2, DictOperation::Get(7), Some(1_i64))];
    caught(
        [change.clone(), old_value],
        FaultKind::Misfit,
        &["w1", "Maybe(Some(1))", "should have been Maybe(Some(2))"],
    );
    let old_version = vec![dict(2, DictOperation::Get(7), Some(2_i64)), dict(1, DictOperation::Get(7), Some(1_i64))];
    caught([change.clone(), old_version], FaultKind::WentBack, &["w1", "version 2", "version 1"]);
    let own_change_unseen = [change, vec![dict(1, DictOperation::Len, 1_u64)]].concat();
    caught([own_change_unseen], FaultKind::WentBack, &["w0"]);
}

#[test]
fn an_order_that_was_not_kept_is_caught() {
    let insert = vec![dict(1, DictOperation::InsertMany(vec![(1, 0), (2, 0), (3, 0)]), ())];
    let read = vec![dict(2, DictOperation::Set(1, 5), ()), dict(2, DictOperation::Keys, vec![2_u64, 3, 1])];
    caught([insert, read], FaultKind::Misfit, &["should have been Keys([1, 2, 3])"]);
}

#[test]
fn a_change_that_changed_nothing_must_not_be_counted() {
    let counted = vec![dict(1, DictOperation::Set(7, 1), ()), dict(2, DictOperation::Remove(8), None::<i64>)];
    caught([counted], FaultKind::MissingVersion, &["version 2", "Remove(8)"]);
}

#[test]
fn a_refusal_must_have_been_right_at_some_moment_it_may_have_been_made_at() {
    let out = |index| refused(list(0, ListOperation::Get(index), 0_i64), manager_protocol::Code::OutOfRange);
    let push = |version| list(version, ListOperation::Push(5), ());
    let right = vec![push(1), out(1), push(2)];
    assert_eq!(check_all([right]).map(|summary| summary.refusals), Ok(1));
    // Somebody else may have made it right for a moment.
    let popped = vec![list(2, ListOperation::Pop, Some(5_i64))];
    assert!(check_all([vec![push(1), out(0), push(3)], popped]).is_ok());
    caught([vec![push(1), out(0), push(2)]], FaultKind::Misfit, &["from version 1 to version 2", "never right"]);
    caught([vec![push(1), out(0)]], FaultKind::Misfit, &["from version 1 to the end"]);
    let overflow = refused(dict(0, DictOperation::Add(7, 1), 0_i64), manager_protocol::Code::Overflow);
    caught([vec![overflow]], FaultKind::Misfit, &["from version 0", "never right"]);
}

#[test]
fn changes_that_say_nothing_of_what_they_did_are_told_by_later_ones() {
    // Either of the two may have been the change: the other found one value only.
    let part = |start, stop| ListOperation::RemoveSlice(Part { start, stop, step: 1 });
    let begun = list(1, ListOperation::Extend(vec![1, 2]), ());
    let all_but_last = list(2, part(None, Some(-1)), ());
    let all_but_first = list(2, part(Some(1), None), ());
    for left in [1_i64, 2] {
        let read = list(3, ListOperation::Pop, Some(left));
        let workers = [vec![begun.clone(), all_but_last.clone(), read], vec![all_but_first.clone()]];
        assert!(check_all(workers).is_ok(), "{left} may be left");
    }
    let read = list(3, ListOperation::Pop, Some(3_i64));
    caught([vec![begun, all_but_last, read], vec![all_but_first]], FaultKind::Misfit, &["Maybe(Some(3))"]);
}
