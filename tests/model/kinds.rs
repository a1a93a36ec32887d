//! How sets, values and arrays are opened, what they refuse, and what of them is done at leisure.

use manager_client::{Code, DirectLink, Kind, Link, Manager, ManagerArray, ManagerSet, ManagerValue, Object};
use manager_protocol::{Encoded, Operation, manager, set};
use manager_server::core::Limits;
use manager_tests::{InProcess, over_every_link, wait};

use super::operation::code_of;
use super::value::Value;

fn what_exists_is_taken_as_it_is<L: DirectLink>(manager: &Manager<L>) {
    let progress: ManagerValue<u64, L> = wait::<L, _>(manager.value("progress", &7)).unwrap();
    let again: ManagerValue<u64, L> = wait::<L, _>(manager.value("progress", &0)).unwrap();
    assert_eq!(wait::<L, _>(again.get()).unwrap(), 7);
    wait::<L, _>(again.add(1)).unwrap();
    assert_eq!(wait::<L, _>(progress.versioned().get()).unwrap().version, 1);

    let grid: ManagerArray<i64, L> = wait::<L, _>(manager.array("grid", [1, 2, 3])).unwrap();
    let again: ManagerArray<i64, L> = wait::<L, _>(manager.array("grid", [0, 0, 0])).unwrap();
    assert_eq!(wait::<L, _>(again.values()).unwrap(), [1, 2, 3]);
    let none: ManagerArray<i64, L> = wait::<L, _>(manager.array("none", [])).unwrap();
    assert!(wait::<L, _>(none.is_empty()).unwrap());
    wait::<L, _>(none.fill(&1)).unwrap();
    wait::<L, _>(none.sort()).unwrap();
    assert_eq!(wait::<L, _>(none.versioned().values()).unwrap().version, 0);
    for values in [vec![0; 2], vec![0; 4]] {
        let refused = wait::<L, _>(manager.array("grid", values)).unwrap_err();
        assert_eq!(code_of(&refused), Code::WrongSetup);
    }
    let _: ManagerSet<i64, L> = wait::<L, _>(manager.set("tags")).unwrap();
    for refused in [
        wait::<L, _>(manager.value("grid", &1)).unwrap_err(),
        wait::<L, _>(manager.array("tags", [1])).map(drop).unwrap_err(),
        wait::<L, _>(manager.set::<i64>("progress")).unwrap_err(),
        wait::<L, _>(manager.list::<i64>("tags")).map(drop).unwrap_err(),
    ] {
        assert_eq!(code_of(&refused), Code::WrongKind);
    }
    assert_eq!(wait::<L, _>(grid.len()).unwrap(), 3);
}

#[test]
fn a_value_or_an_array_that_exists_is_taken_as_it_is() {
    over_every_link!(what_exists_is_taken_as_it_is);
}

fn a_plain_open_makes_no_value<L: DirectLink>(manager: &Manager<L>) {
    let itself = manager_client::Target::new(0, None, manager.link().epoch());
    for kind in [Kind::Value, Kind::Array] {
        let open = || {
            let encode = |out: &mut Vec<u8>| manager::Open { name: Some("plain"), kind }.encode(out);
            wait::<L, _>(manager.link().call(&itself, manager::Open::ROW, encode, |_| Ok(())))
        };
        assert_eq!(code_of(&open().unwrap_err()), Code::InvalidArgument);
        if kind == Kind::Value {
            wait::<L, _>(manager.value("plain", &1)).unwrap();
            open().unwrap();
            assert!(wait::<L, _>(manager.delete("plain")).unwrap());
        }
    }
}

#[test]
fn what_cannot_be_made_of_nothing_is_opened_only_if_it_exists() {
    over_every_link!(a_plain_open_makes_no_value);
}

fn a_source_is_of_the_same_kind<L: DirectLink>(manager: &Manager<L>) {
    let tags: ManagerSet<Value, L> = wait::<L, _>(manager.set("tags")).unwrap();
    let dict = wait::<L, _>(manager.dict::<Value, Value>("dict")).unwrap();
    wait::<L, _>(tags.insert(&Value::from(1))).unwrap();
    wait::<L, _>(dict.set(&Value::from(2), &Value::from(3))).unwrap();
    let operation = || set::CombineInPlaceFrom { operator: set::SetOperator::Union, source: dict.target().object() };
    let encode = |out: &mut Vec<u8>| operation().encode(out);
    let union = manager.link().call(tags.target(), set::CombineInPlaceFrom::ROW, encode, |_| Ok(()));
    assert_eq!(code_of(&wait::<L, _>(union).unwrap_err()), Code::WrongKind);
    let transaction = manager.transaction();
    let queued = tags.on(&transaction).insert(&Value::from(5));
    let batch = manager_client::Queue::link(&transaction);
    let refused = batch.call(tags.target(), set::CombineInPlaceFrom::ROW, encode, |_| Ok(()));
    assert_eq!(code_of(&wait::<L, _>(transaction.commit()).unwrap_err()), Code::WrongKind);
    assert!(queued.take().is_err() && refused.take().is_err());
    assert_eq!(wait::<L, _>(tags.versioned().values()).unwrap().value, [Value::from(1)]);
    assert_eq!(wait::<L, _>(tags.version()).unwrap(), 1);
}

#[test]
fn a_set_reads_no_dict_though_both_are_made_alike() {
    over_every_link!(a_source_is_of_the_same_kind);
}

fn the_value_first_stored_is_kept<L: DirectLink>(manager: &Manager<L>) {
    let tags: ManagerSet<Value, L> = wait::<L, _>(manager.set("tags")).unwrap();
    for encoding in [&[0xcd, 0x00, 0x01][..], &[0x01], &[0xca, 0x3f, 0x80, 0x00, 0x00]] {
        let encode = |out: &mut Vec<u8>| set::Add { value: Encoded::Borrowed(encoding) }.encode(out);
        wait::<L, _>(manager.link().call(tags.target(), set::Add::ROW, encode, |_| Ok(()))).unwrap();
    }
    assert_eq!(wait::<L, _>(tags.len()).unwrap(), 1);
    let values = wait::<L, _>(tags.union([Value::from(1.0), Value::from(2)])).unwrap();
    assert_eq!(values, [Value::from(1), Value::from(2)]);
    let nan = Value::from(f64::NAN);
    assert_eq!(code_of(&wait::<L, _>(tags.insert(&nan)).unwrap_err()), Code::InvalidKey);
    assert_eq!(code_of(&wait::<L, _>(tags.is_subset([nan])).unwrap_err()), Code::InvalidKey);
}

#[test]
fn a_set_keeps_the_value_first_stored_and_takes_no_nan() {
    over_every_link!(the_value_first_stored_is_kept);
}

#[test]
fn no_closure_loses_an_update_of_a_value_or_an_array() {
    let server = manager_tests::server();
    let manager = server.manager();
    let value = manager.value("sum", &0_u64).unwrap();
    let array = manager.array("sums", [0_u64; 3]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    value.update_with(|sum| sum + 1).unwrap();
                    array.update_with(1, |sum| sum + 1).unwrap();
                }
            });
        }
    });
    assert_eq!((value.get().unwrap(), array.values().unwrap()), (400, vec![0, 400, 0]));
}

#[test]
fn what_visits_all_of_a_large_set_or_array_is_postponed_and_nothing_else_is() {
    let link = InProcess::new(Limits::default());
    let manager = link.manager();
    let large = 5000_i64;
    let set = manager.set::<i64>("set").unwrap();
    let array = manager.array("array", 0..large).unwrap();
    assert_eq!(set.extend(0..large).unwrap(), 5000);
    set.insert(&-1).unwrap();
    set.remove(&7).unwrap();
    set.pop_first().unwrap();
    array.set(-1, &7).unwrap();
    array.swap(0, -1).unwrap();
    assert!(array.compare_and_set(0, &7, &8).unwrap().is_swapped());
    assert_eq!(link.postponed(), 0);
    let postponed = |call: manager_client::Result<()>| {
        call.unwrap();
        link.postponed()
    };
    assert_eq!(postponed(set.values().map(drop)), 1);
    assert_eq!(postponed(set.union_in_place([1]).map(drop)), 2);
    assert_eq!(postponed(set.is_superset([1]).map(drop)), 3);
    assert_eq!(postponed(set.intersection_with(&set).map(drop)), 4);
    assert_eq!(postponed(array.sort()), 5);
    assert_eq!(postponed(array.fill(&0)), 6);
    assert_eq!(postponed(array.count(&0).map(drop)), 7);
    assert_eq!(postponed(set.symmetric_difference_in_place_with(&set).map(drop)), 8);
    assert!(set.is_empty().unwrap());
    let text = manager.value("text", &"x".repeat(100_000)).unwrap();
    assert_eq!(link.postponed(), 8, "what is stored is copied, and not looked into");
    assert!(text.compare_and_set("y", "z").is_ok_and(|swap| !swap.is_swapped()));
    assert_eq!(link.postponed(), 9, "a large value to compare with");
}
