//! What a sequence of operations does not show: closures against other writers, every encoding of
//! one number, and what an error tells.

use std::thread;

use manager_client::{DirectLink, Manager, ManagerDict, ManagerList, Object};
use manager_protocol::{Code, Encoded, Operation, dict, list};
use manager_tests::{over_every_link, server, wait};

use super::operation::{SECRET, code_of};
use super::value::Value;

#[test]
fn no_closure_loses_an_update_whoever_else_writes() {
    const THREADS: u64 = 4;
    const TIMES: u64 = 100;
    let server = server();
    let total = server.manager().list::<u64>("total").unwrap();
    total.push(&0).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let manager = server.manager();
            scope.spawn(move || {
                let counts = manager.dict::<String, u64>("counts").unwrap();
                let total = manager.list::<u64>("total").unwrap();
                for _ in 0..TIMES {
                    counts.update_with("shared", |count| Some(count.unwrap_or(0) + 1)).unwrap();
                    total.update_with(0, |count| count + 1).unwrap();
                    // Also against changes of the whole list, which put nothing but its tail elsewhere.
                    total.push(&(1000 + thread)).unwrap();
                    total.retain(|value| *value != 1000 + thread).unwrap();
                }
            });
        }
    });
    let counts = server.manager().dict::<String, u64>("counts").unwrap();
    assert_eq!(counts.get("shared").unwrap(), Some(THREADS * TIMES));
    assert_eq!(total.values().unwrap(), [THREADS * TIMES]);
}

#[test]
fn a_transaction_reads_and_writes_as_one_whoever_else_writes() {
    const THREADS: i64 = 4;
    const TIMES: i64 = 50;
    let server = server();
    let accounts = server.manager().dict::<String, i64>("accounts").unwrap();
    accounts.insert_many([("from".to_owned(), 1000), ("to".to_owned(), 0)]).unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let manager = server.manager();
            scope.spawn(move || {
                let accounts = manager.dict::<String, i64>("accounts").unwrap();
                let log = manager.list::<i64>("log").unwrap();
                for _ in 0..TIMES {
                    manager
                        .transact(|attempt| {
                            let (from, to) = (attempt.read(&accounts).get("from")?, attempt.read(&accounts).get("to")?);
                            attempt.write(&accounts).set("from", &(from.unwrap() - 1));
                            attempt.write(&accounts).set("to", &(to.unwrap() + 1));
                            attempt.write(&log).push(&to.unwrap());
                            Ok(())
                        })
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(accounts.values().unwrap(), [1000 - THREADS * TIMES, THREADS * TIMES]);
    let log = server.manager().list::<i64>("log").unwrap();
    assert_eq!(log.values().unwrap(), (0..THREADS * TIMES).collect::<Vec<_>>());
}

/// The number 1 in every encoding that MessagePack has for it.
const ONES: [&[u8]; 11] = [
    &[0x01],
    &[0xcc, 1],
    &[0xcd, 0, 1],
    &[0xce, 0, 0, 0, 1],
    &[0xcf, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0xd0, 1],
    &[0xd1, 0, 1],
    &[0xd2, 0, 0, 0, 1],
    &[0xd3, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0xca, 0x3f, 0x80, 0, 0],
    &[0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
];

/// The text "a" and the array [1, "a"] likewise, as far as there are longer headers.
const TEXTS: [&[u8]; 4] = [&[0xa1, b'a'], &[0xd9, 1, b'a'], &[0xda, 0, 1, b'a'], &[0xdb, 0, 0, 0, 1, b'a']];
const ARRAYS: [&[u8]; 3] = [
    &[0x92, 1, 0xa1, b'a'],
    &[0xdc, 0, 2, 0xcc, 1, 0xd9, 1, b'a'],
    &[0xdd, 0, 0, 0, 2, 0xca, 0x3f, 0x80, 0, 0, 0xa1, b'a'],
];

/// Sends an operation as it is, whatever the client would have encoded.
fn send<L: DirectLink, O: Operation>(link: &L, object: &impl Object, operation: O) {
    wait::<L, _>(link.call(object.target(), O::ROW, |out| operation.encode(out), |_| Ok(()))).unwrap();
}

fn every_encoding_is_one_key<L: DirectLink>(manager: &Manager<L>) {
    let dict: ManagerDict<Value, u64, L> = wait::<L, _>(manager.dict("dict")).unwrap();
    let list: ManagerList<Value, L> = wait::<L, _>(manager.list("list")).unwrap();
    for encodings in [ONES.as_slice(), &TEXTS, &ARRAYS] {
        for first in encodings {
            wait::<L, _>(dict.clear()).unwrap();
            wait::<L, _>(list.clear()).unwrap();
            for (nth, key) in encodings.iter().enumerate() {
                let value = [nth as u8];
                send(
                    manager.link(),
                    &dict,
                    dict::GetOrInsert { key: Encoded::Borrowed(first), value: Encoded::Borrowed(&[0x00]) },
                );
                send(
                    manager.link(),
                    &dict,
                    dict::Set { key: Encoded::Borrowed(key), value: Encoded::Borrowed(&value) },
                );
                send(manager.link(), &list, list::Push { value: Encoded::Borrowed(key) });
            }
            assert_eq!(wait::<L, _>(dict.values()).unwrap(), [encodings.len() as u64 - 1], "{first:02x?}");
            let value: Value = manager_protocol::decode_value(first).unwrap();
            assert_eq!(
                wait::<L, _>(dict.keys()).unwrap(),
                std::slice::from_ref(&value),
                "the key first stored is kept"
            );
            assert_eq!(wait::<L, _>(list.count(&value)).unwrap(), encodings.len() as u64);
        }
    }
}

#[test]
fn every_encoding_of_a_value_is_the_same_key() {
    over_every_link!(every_encoding_is_one_key);
}

fn a_sum_fits_its_type<L: DirectLink>(manager: &Manager<L>) {
    let integers: ManagerDict<String, i64, L> = wait::<L, _>(manager.dict("sums")).unwrap();
    let floats: ManagerDict<String, f64, L> = wait::<L, _>(manager.dict("sums")).unwrap();
    wait::<L, _>(floats.set("a", &1.5)).unwrap();
    let version = wait::<L, _>(integers.version()).unwrap();
    assert_eq!(code_of(&wait::<L, _>(integers.add("a", 1)).unwrap_err()), Code::Overflow);
    assert_eq!(wait::<L, _>(floats.versioned().get("a")).unwrap().value, Some(1.5));
    assert_eq!(wait::<L, _>(integers.version()).unwrap(), version);
    assert_eq!(wait::<L, _>(floats.add("a", 1.0)).unwrap(), 2.5);
}

#[test]
fn a_sum_that_is_no_integer_is_refused_before_it_is_stored() {
    over_every_link!(a_sum_fits_its_type);
}

fn a_refusal_tells_no_secret<L: DirectLink>(manager: &Manager<L>) {
    let secret = Value::from(SECRET);
    let nan = Value(rmpv::Value::Array(vec![SECRET.into(), f64::NAN.into()]));
    let dict: ManagerDict<Value, Value, L> = wait::<L, _>(manager.dict("dict")).unwrap();
    let list: ManagerList<Value, L> = wait::<L, _>(manager.list("list")).unwrap();
    wait::<L, _>(dict.set(&secret, &secret)).unwrap();
    wait::<L, _>(list.extend([&secret, &Value::from(1)])).unwrap();
    let sums: ManagerDict<Value, i64, L> = wait::<L, _>(manager.dict("dict")).unwrap();
    assert_eq!(code_of(&wait::<L, _>(sums.add(&secret, 1)).unwrap_err()), Code::NotANumber);
    assert_eq!(code_of(&wait::<L, _>(dict.set(&nan, &secret)).unwrap_err()), Code::InvalidKey);
    assert_eq!(code_of(&wait::<L, _>(list.sort()).unwrap_err()), Code::NoOrder);
    let transaction = manager.transaction();
    let queued = dict.on(&transaction).set(&secret, &secret);
    let refused = dict.on(&transaction).insert(&nan, &secret);
    assert_eq!(code_of(&wait::<L, _>(transaction.commit()).unwrap_err()), Code::InvalidKey);
    assert!(queued.take().is_err() && refused.take().is_err());
    // What is of another type than the proxy's is no refusal, and is not told either.
    let error = wait::<L, _>(sums.get(&secret)).unwrap_err();
    assert!(error.is_wrong_type() && !format!("{error} {error:?}").contains(SECRET), "{error:?}");
}

#[test]
fn an_error_tells_neither_a_key_nor_a_value() {
    over_every_link!(a_refusal_tells_no_secret);
}
