//! Faults seeded into histories of queues, sets and values, and of a kind that only a test has.

use manager_protocol::Code;

use super::*;

fn queue(version: u64, operation: QueueOperation, outcome: impl Into<Outcome>) -> Event {
    event("jobs", version, operation, outcome)
}

fn set(version: u64, operation: SetOperation, outcome: impl Into<Outcome>) -> Event {
    event("seen", version, operation, outcome)
}

fn value(version: u64, operation: ValueOperation, outcome: impl Into<Outcome>) -> Event {
    event("total", version, operation, outcome)
}

fn put(version: u64, item: i64) -> Event {
    queue(version, QueueOperation::Put(item), ())
}

fn get(version: u64, item: i64) -> Event {
    queue(version, QueueOperation::Get, item)
}

#[test]
fn honest_histories_of_each_kind_fit() {
    let waited = vec![get(2, 5), queue(5, QueueOperation::GetMany(9), vec![6_i64, 7])];
    let put = vec![put(1, 5), put(3, 6), put(4, 7), queue(5, QueueOperation::Len, 0_u64)];
    assert_eq!(check_all([waited, put]), Ok(Summary { changes: 5, reads: 1, refusals: 0 }));
    let members = vec![
        set(1, SetOperation::Insert(3), true),
        set(1, SetOperation::Insert(3), false),
        set(2, SetOperation::Insert(1), true),
        set(3, SetOperation::Insert(2), true),
        set(3, SetOperation::Values, vec![3_i64, 1, 2]),
        set(4, SetOperation::PopFirst, Some(3_i64)),
        set(5, SetOperation::PopLast, Some(2_i64)),
        set(6, SetOperation::Remove(1), true),
        set(6, SetOperation::PopLast, None::<i64>),
        set(6, SetOperation::Contains(1), false),
        set(6, SetOperation::Len, 0_u64),
    ];
    assert_eq!(check_all([members]), Ok(Summary { changes: 6, reads: 5, refusals: 0 }));
    let numbers = vec![
        value(0, ValueOperation::Get, 0_i64),
        value(1, ValueOperation::Set(5), ()),
        value(2, ValueOperation::Replace(6), 5_i64),
        value(3, ValueOperation::Add(1), 7_i64),
        value(3, ValueOperation::CompareAndSet(6, 9), Outcome::NotSwapped(Some(7))),
        value(4, ValueOperation::CompareAndSet(7, i64::MAX), Outcome::Swapped),
        refused(value(4, ValueOperation::Add(1), 0_i64), Code::Overflow),
    ];
    assert_eq!(check_all([numbers]), Ok(Summary { changes: 4, reads: 2, refusals: 1 }));
}

#[test]
fn what_was_there_before_is_for_the_test_to_say() {
    let history = |events| [History { worker: "w0".to_owned(), events }];
    let begun = history(vec![value(0, ValueOperation::Get, 9_i64), put(1, 5), refused(put(0, 6), Code::Full)]);
    let before = |object: &str, first: &Operation| match object {
        "total" => ValueState::new(9).into(),
        "jobs" => QueueState::with_capacity(1).into(),
        _ => State::before(first),
    };
    assert!(check_from(&begun, before).is_ok());
    assert_eq!(check(&begun).unwrap_err().kind, FaultKind::Misfit);
    let overfull = history(vec![put(1, 5), put(2, 6)]);
    let fault = check_from(&overfull, before).unwrap_err();
    assert_eq!(fault.kind, FaultKind::MissingVersion, "{fault}");
}

#[test]
fn a_lost_update_is_caught() {
    let first = vec![value(1, ValueOperation::Add(1), 1_i64), value(2, ValueOperation::Add(1), 2_i64)];
    let second = vec![value(3, ValueOperation::Add(1), 2_i64)];
    caught([first, second], FaultKind::Misfit, &["w1", "Add(1)", "Value(2)", "should have been Value(3)"]);
    // Both swapped the same value.
    let swap = |version| vec![value(version, ValueOperation::CompareAndSet(0, 1), Outcome::Swapped)];
    caught([swap(1), swap(2)], FaultKind::MissingVersion, &["w1", "version 2", "CompareAndSet(0, 1)"]);
    let inserted = vec![set(1, SetOperation::Insert(1), true), set(2, SetOperation::Insert(2), true)];
    let read = vec![set(2, SetOperation::Values, vec![2_i64])];
    caught([inserted, read], FaultKind::Misfit, &["w1", "should have been Values([1, 2])"]);
}

#[test]
fn a_double_apply_is_caught() {
    let added_twice = vec![value(1, ValueOperation::Add(1), 2_i64)];
    caught([added_twice], FaultKind::Misfit, &["Value(2)", "should have been Value(1)"]);
    let counted_twice = vec![value(1, ValueOperation::Add(1), 1_i64), value(3, ValueOperation::Add(1), 3_i64)];
    caught([counted_twice], FaultKind::MissingVersion, &["version 2", "version 3"]);
    // The answer to the second try.
    let inserted_twice = vec![set(1, SetOperation::Insert(1), false)];
    caught([inserted_twice], FaultKind::Misfit, &["Flag(false)", "should have been Flag(true)"]);
    let popped_twice = vec![
        set(1, SetOperation::Insert(1), true),
        set(2, SetOperation::Insert(2), true),
        set(4, SetOperation::PopFirst, Some(2_i64)),
    ];
    caught([popped_twice], FaultKind::MissingVersion, &["version 3", "PopFirst"]);
    let put_twice = vec![put(1, 5), queue(1, QueueOperation::Len, 2_u64)];
    caught([put_twice], FaultKind::Misfit, &["Count(2)", "should have been Count(1)"]);
}

#[test]
fn a_stale_read_is_caught() {
    let change = vec![value(1, ValueOperation::Set(5), ()), value(2, ValueOperation::Replace(6), 5_i64)];
    let old_value = vec![value(2, ValueOperation::Get, 5_i64)];
    caught([change.clone(), old_value], FaultKind::Misfit, &["w1", "Value(5)", "should have been Value(6)"]);
    let own_change_unseen = [change, vec![value(1, ValueOperation::Get, 5_i64)]].concat();
    caught([own_change_unseen], FaultKind::WentBack, &["w0", "version 2", "version 1"]);
    let removed = vec![set(1, SetOperation::Insert(1), true), set(2, SetOperation::Remove(1), true)];
    let old_member = vec![set(2, SetOperation::Contains(1), true)];
    caught([removed, old_member], FaultKind::Misfit, &["w1", "should have been Flag(false)"]);
    let old_length = vec![put(1, 5), put(2, 6), queue(2, QueueOperation::Len, 1_u64)];
    caught([old_length], FaultKind::Misfit, &["Count(1)", "should have been Count(2)"]);
}

#[test]
fn an_item_that_is_taken_twice_is_caught() {
    let puts = vec![put(1, 5), put(2, 6)];
    caught([puts.clone(), vec![get(3, 5)], vec![get(4, 5)]], FaultKind::Misfit, &["w2", "should have been Value(6)"]);
    // Both by one change.
    caught([puts, vec![get(3, 5)], vec![get(3, 5)]], FaultKind::SameVersion, &["version 3", "w1", "w2", "Get"]);
    // It was the only one.
    caught([vec![put(1, 5)], vec![get(2, 5)], vec![get(3, 5)]], FaultKind::MissingVersion, &["version 3", "w2"]);
    let popped = vec![set(1, SetOperation::Insert(1), true), set(2, SetOperation::PopFirst, Some(1_i64))];
    caught([popped, vec![set(3, SetOperation::PopFirst, Some(1_i64))]], FaultKind::MissingVersion, &["version 3"]);
}

#[test]
fn an_item_that_is_lost_is_caught() {
    let puts = vec![put(1, 5), put(2, 6)];
    caught([puts.clone(), vec![get(3, 6)]], FaultKind::Misfit, &["w1", "Value(6)", "should have been Value(5)"]);
    // Somebody took it and was not told.
    caught([puts.clone(), vec![get(4, 6)]], FaultKind::MissingVersion, &["version 3", "version 4", "Value(6)"]);
    let none = refused(get(0, 0), Code::Empty);
    let found_nothing = [vec![queue(2, QueueOperation::Len, 2_u64)], vec![none], vec![get(3, 5)]].concat();
    caught([puts, found_nothing], FaultKind::Misfit, &["w1", "from version 2 to version 3", "never right"]);
}

#[test]
fn an_order_that_is_not_kept_is_caught() {
    let puts = vec![put(1, 5), put(2, 6), put(3, 7)];
    let many = |items: Vec<i64>| vec![queue(4, QueueOperation::GetMany(3), items)];
    caught([puts.clone(), many(vec![5, 7, 6])], FaultKind::Misfit, &["should have been Values([5, 6, 7])"]);
    caught([puts.clone(), many(vec![5, 6])], FaultKind::Misfit, &["should have been Values([5, 6, 7])"]);
    caught([puts, vec![get(4, 7)]], FaultKind::Misfit, &["should have been Value(5)"]);
    let inserted = vec![set(1, SetOperation::Insert(2), true), set(2, SetOperation::Insert(1), true)];
    caught(
        [inserted, vec![set(2, SetOperation::Values, vec![1_i64, 2])]],
        FaultKind::Misfit,
        &["should have been Values([2, 1])"],
    );
}

#[test]
fn an_item_that_was_taken_before_it_was_put_is_caught() {
    // The version of the put, not that of the change that served the one who waited.
    caught([vec![put(2, 5)], vec![get(1, 5)]], FaultKind::MissingVersion, &["version 1", "w1", "Get"]);
    caught([vec![put(1, 5)], vec![get(1, 5)]], FaultKind::SameVersion, &["version 1", "Put(5)", "Get"]);
}

/// A light, the whole kind of it.
#[derive(Debug, Clone, PartialEq)]
struct Light(bool);

impl Plain for Light {
    type Operation = bool;

    fn apply(&mut self, on: &bool, turn: &mut Turn) -> std::result::Result<Outcome, Code> {
        turn.change_if(*on != self.0);
        self.0 = *on;
        Ok(Outcome::Done)
    }
}

#[test]
fn a_test_can_have_a_kind_of_its_own() {
    let switch =
        |version, operation| Event { object: "hall".into(), version: Some(version), operation, outcome: Outcome::Done };
    let first = History { worker: "w0".to_owned(), events: vec![switch(1, true), switch(1, true), switch(2, false)] };
    let second = |version| History { worker: "w1".to_owned(), events: vec![switch(version, true)] };
    let check = |version| check_from(&[first.clone(), second(version)], |_, _| Light(false));
    assert_eq!(check(3), Ok(Summary { changes: 3, reads: 1, refusals: 0 }));
    assert_eq!(check(2).unwrap_err().kind, FaultKind::SameVersion);
}
