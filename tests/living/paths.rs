//! Paths that do not fit what is there: each step against each kind of value, over every link. What is refused
//! says where and what was found, and changes nothing.

use std::collections::BTreeMap;

use manager_client::{
    DirectLink, Error, Manager, ManagerArray, ManagerDict, ManagerList, ManagerValue, Result, ValuePath,
};
use manager_tests::{over_every_link, server_with, wait};
use rmpv::Value as Data;
use serde::{Deserialize, Serialize};

use crate::refused::{MARKER, refused};

/// One value of each kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Bag {
    nil: (),
    flag: bool,
    integer: i64,
    float: f64,
    text: String,
    bytes: Data,
    array: Vec<String>,
    map: BTreeMap<String, String>,
    reference: manager_client::Reference,
}

/// Its fields, and what is said of them.
const FOUND: [(&str, &str); 9] = [
    ("nil", "nil"),
    ("flag", "a bool"),
    ("integer", "an integer"),
    ("float", "a float"),
    ("text", "text"),
    ("bytes", "bytes"),
    ("array", "an array of 2 elements"),
    ("map", "a map of 1 keys"),
    ("reference", "a reference to a list"),
];

/// A bag in each kind of object that paths lead into.
struct Table<L: DirectLink> {
    dict: ManagerDict<String, Bag, L>,
    list: ManagerList<Bag, L>,
    array: ManagerArray<Bag, L>,
    value: ManagerValue<Bag, L>,
    bag: Bag,
    before: [u64; 4],
    /// What the reference is to.
    _kept: ManagerList<u64, L>,
}

impl<L: DirectLink> Table<L> {
    fn new(manager: &Manager<L>) -> Self {
        let kept: ManagerList<u64, L> = wait::<L, _>(manager.new_list()).unwrap();
        let bag = Bag {
            nil: (),
            flag: true,
            integer: 1,
            float: 0.5,
            text: MARKER.into(),
            bytes: Data::Binary(MARKER.into()),
            array: vec![MARKER.into(); 2],
            map: BTreeMap::from([(MARKER.into(), MARKER.into())]),
            reference: kept.reference(),
        };
        let dict = wait::<L, _>(manager.dict("dict")).unwrap();
        wait::<L, _>(dict.set(MARKER, &bag)).unwrap();
        let list = wait::<L, _>(manager.list("list")).unwrap();
        wait::<L, _>(list.push(&bag)).unwrap();
        let array = wait::<L, _>(manager.array("array", [bag.clone()])).unwrap();
        let value = wait::<L, _>(manager.value("value", &bag)).unwrap();
        let mut table = Self { dict, list, array, value, bag, before: [0; 4], _kept: kept };
        table.before = table.versions();
        table
    }

    fn versions(&self) -> [u64; 4] {
        let Self { dict, list, array, value, .. } = self;
        [dict.version(), list.version(), array.version(), value.version()].map(|version| wait::<L, _>(version).unwrap())
    }

    /// The paths to the bags, and what their objects are called.
    fn bags(&self) -> [(ValuePath<L>, &'static str); 4] {
        let Self { dict, list, array, value, .. } = self;
        let named = [dict.at(MARKER), list.at(-1), array.at(0), value.at()];
        let names = ["\"dict\"", "\"list\"", "\"array\"", "\"value\""];
        let mut names = names.into_iter();
        named.map(|path| (path, names.next().unwrap()))
    }

    #[track_caller]
    fn is_unchanged(&self) {
        assert_eq!(self.versions(), self.before);
        let Self { dict, list, array, value, bag, .. } = self;
        assert_eq!(wait::<L, _>(dict.items()).unwrap(), [(MARKER.to_owned(), bag.clone())]);
        assert_eq!(wait::<L, _>(list.values()).unwrap(), std::slice::from_ref(bag));
        assert_eq!(wait::<L, _>(array.values()).unwrap(), std::slice::from_ref(bag));
        assert_eq!(wait::<L, _>(value.get()).unwrap(), *bag);
    }
}

/// Every operation at the end of a path.
fn every<L: DirectLink>(path: &ValuePath<L>) -> [(&'static str, Result<()>); 8] {
    let marker = MARKER.to_owned();
    [
        ("path.get", wait::<L, _>(path.get::<Data>()).map(drop)),
        ("path.len", wait::<L, _>(path.len()).map(drop)),
        ("path.contains", wait::<L, _>(path.contains(&marker)).map(drop)),
        ("path.set", wait::<L, _>(path.set(&marker))),
        ("path.remove", wait::<L, _>(path.remove::<Data>()).map(drop)),
        ("path.add", wait::<L, _>(path.add(1_i64)).map(drop)),
        ("path.extend", wait::<L, _>(path.push(&marker)).map(drop)),
        ("path.insert", wait::<L, _>(path.insert(0, &marker))),
    ]
}

/// Those that need something to be there, or the last key's map.
fn refuses_all<L: DirectLink>(path: &ValuePath<L>, object: &str, is_so: fn(&Error) -> bool, said: &str) {
    for (operation, outcome) in every(path) {
        refused(outcome, is_so, &[&format!("{operation} on {object}: "), said]);
    }
}

fn steps<L: DirectLink>(manager: &Manager<L>) {
    let table = Table::new(manager);
    for (bag, object) in table.bags() {
        for (field, found) in FOUND {
            let at = bag.field(field);
            if field != "map" {
                let said = format!("step 2 of the path is a key, and there is {found}");
                refuses_all(&at.key(MARKER), object, Error::is_path_mismatch, &said);
                refuses_all(&at.create().field("x").index(0), object, Error::is_path_mismatch, &said);
            }
            if field != "array" {
                let said = format!("step 2 of the path is an index, and there is {found}");
                refuses_all(&at.index(0), object, Error::is_path_mismatch, &said);
                refuses_all(&at.create().index(-1).key(MARKER), object, Error::is_path_mismatch, &said);
            }
        }
        let said = "step 1 of the path is an index, and there is a map of 9 keys";
        refuses_all(&bag.index(0), object, Error::is_path_mismatch, said);
        for index in [2, -3, i64::MAX, i64::MIN] {
            let said = format!("step 2 of the path: index {index} is out of range for length 2");
            refuses_all(&bag.field("array").index(index), object, Error::is_out_of_range, &said);
        }
    }
    table.is_unchanged();
}

#[test]
fn a_step_that_does_not_fit_is_named_with_what_is_there() {
    over_every_link!(steps);
}

fn ends<L: DirectLink>(manager: &Manager<L>) {
    let table = Table::new(manager);
    for (bag, object) in table.bags() {
        for (field, found) in FOUND {
            let at = bag.field(field);
            let during = |operation: &str| format!("{operation} on {object}: ");
            let mismatch = |outcome: Result<()>, operation: &str, wanted: &str| {
                let said = format!("the path leads to {found}, not to {wanted}");
                refused(outcome, Error::is_path_mismatch, &[&during(operation), &said]);
            };
            if !["array", "map"].contains(&field) {
                mismatch(wait::<L, _>(at.len()).map(drop), "path.len", "an array or a map");
                mismatch(wait::<L, _>(at.contains(MARKER)).map(drop), "path.contains", "an array or a map");
            }
            if field != "array" {
                mismatch(wait::<L, _>(at.push(MARKER)).map(drop), "path.extend", "an array");
                mismatch(wait::<L, _>(at.insert(0, MARKER)), "path.insert", "an array");
                mismatch(wait::<L, _>(at.create().extend([MARKER; 3])).map(drop), "path.extend", "an array");
            }
            if !["integer", "float"].contains(&field) {
                let said = "after step 1 of the path: the stored value is not a number";
                for at in [&at, &at.create()] {
                    refused(wait::<L, _>(at.add(1_u8)), Error::is_not_a_number, &[&during("path.add"), said]);
                }
            }
            // The server holds something else than is asked for.
            let wrong = wait::<L, _>(at.get::<BTreeMap<u64, Vec<bool>>>());
            refused(
                wrong,
                Error::is_wrong_type,
                &[&during("path.get"), "what the server holds is not of the proxy's type"],
            );
        }
        let said = [&format!("path.add on {object}: "), "after step 1 of the path", "sum"];
        refused(wait::<L, _>(bag.field("integer").add(i64::MAX)), Error::is_overflow, &said);
        refused(wait::<L, _>(bag.field("integer").add(255_u8)), Error::is_overflow, &said);
    }
    for (whole, object) in [(table.array.at(0), "\"array\""), (table.value.at(), "\"value\"")] {
        let said = [&format!("path.remove on {object}: "), "the path is empty"];
        refused(wait::<L, _>(whole.remove::<Bag>()), Error::is_path_mismatch, &said);
    }
    table.is_unchanged();
}

#[test]
fn an_end_that_does_not_fit_is_named_as_well() {
    over_every_link!(ends);
}

/// Changes of what is inside of something.
fn changes<L: DirectLink>(path: &ValuePath<L>) -> Vec<(&'static str, Result<()>)> {
    let (changes, reads) = (
        ["path.set", "path.add", "path.extend", "path.insert"],
        ["path.get", "path.len", "path.contains", "path.remove"],
    );
    let all = every(path);
    assert!(all.iter().all(|(operation, outcome)| !reads.contains(operation) || outcome.is_ok()), "{all:?}");
    all.into_iter().filter(|(operation, _)| changes.contains(operation)).collect()
}

fn missing<L: DirectLink>(manager: &Manager<L>) {
    let table = Table::new(manager);
    for (bag, object) in table.bags() {
        let map = bag.field("map");
        for (operation, outcome) in changes(&map.field("none").key(MARKER)) {
            let said = [&format!("{operation} on {object}: "), "step 2 of the path: the map has no such key"];
            refused(outcome, Error::is_path_mismatch, &said);
        }
        // What is made is empty at first.
        for (operation, outcome) in changes(&map.create().field("none").index(1)) {
            let said =
                [&format!("{operation} on {object}: "), "step 3 of the path: index 1 is out of range for length 0"];
            refused(outcome, Error::is_out_of_range, &said);
        }
        let said = "step 2 of the path: index 3 is out of range for length 2";
        refuses_all(&bag.field("array").index(3).create(), object, Error::is_out_of_range, said);
    }
    for (operation, outcome) in changes(&table.dict.at("none").key(MARKER)) {
        refused(outcome, Error::is_path_mismatch, &[&format!("{operation} on \"dict\": "), "the dict has no such key"]);
    }
    for index in [1, -2, i64::MAX, i64::MIN] {
        for path in [table.list.at(index), table.list.at(index).create().key(MARKER)] {
            refuses_all(
                &path,
                "\"list\"",
                Error::is_out_of_range,
                &format!("index {index} is out of range for length 1"),
            );
        }
        for path in [table.array.at(index), table.array.at(index).create().key(MARKER)] {
            refuses_all(
                &path,
                "\"array\"",
                Error::is_out_of_range,
                &format!("index {index} is out of range for length 1"),
            );
        }
    }
    table.is_unchanged();
}

#[test]
fn what_is_missing_is_named_by_the_step_that_should_have_led_there() {
    over_every_link!(missing);
}

fn keys<L: DirectLink>(manager: &Manager<L>) {
    let table = Table::new(manager);
    let reference = table.bag.reference;
    for (bag, object) in table.bags() {
        refuses_all(&bag.field("map").key(&f64::NAN), object, Error::is_invalid_argument, "NaN cannot be a key");
        refuses_all(
            &bag.field("map").key(&reference),
            object,
            Error::is_invalid_argument,
            "a reference cannot be a key",
        );
        refuses_all(&bag.create().key(&[reference]), object, Error::is_invalid_argument, "a reference cannot be a key");
    }
    table.is_unchanged();
}

#[test]
fn no_step_is_nan_or_a_reference() {
    over_every_link!(keys);
}

fn depth<L: DirectLink>(manager: &Manager<L>) {
    let table = Table::new(manager);
    for (bag, object) in table.bags() {
        let said = [&format!("path.set on {object}: "), "the value would be too large", "nested deeper than 64 levels"];
        let longer = |steps| (0..steps).fold(bag.field("map").create(), |path, _| path.key(MARKER));
        // From the first key on all is to be made; there is a text under the other.
        let made = |steps: usize| (0..steps).fold(bag.create().field("new"), |path, _| path.index(0));
        for path in [made(64), made(65), made(2000)] {
            refused(wait::<L, _>(path.set(MARKER)), Error::is_limit_exceeded, &said);
        }
        let said = "step 3 of the path is a key, and there is text";
        refuses_all(&longer(2000), object, Error::is_path_mismatch, said);
        let too_deep = (0..64).fold(Data::Nil, |inner, _| Data::Array(vec![inner]));
        let said = [&format!("path.set on {object}: "), "nested deeper than 64 levels"];
        refused(wait::<L, _>(bag.field("text").set(&too_deep)), Error::is_limit_exceeded, &said);
    }
    table.is_unchanged();
    for (bag, _) in table.bags() {
        let fits = (0..63).fold(bag.create().field("new"), |path, _| path.index(0));
        wait::<L, _>(fits.set(MARKER)).unwrap();
        assert_eq!(wait::<L, _>(fits.get()).unwrap(), Some(MARKER.to_owned()));
    }
}

#[test]
fn no_path_makes_a_value_deeper_than_values_may_be() {
    over_every_link!(depth);
}

#[test]
fn no_path_makes_a_value_larger_than_a_message_may_be() {
    let server = server_with(|config| config.limits.max_message = 100_000);
    let manager = server.manager();
    let notes = manager.dict::<String, Vec<String>>("notes").unwrap();
    let long = MARKER.repeat(4_000);
    notes.set(MARKER, &vec![long.clone(), long.clone()]).unwrap();
    let (path, version) = (notes.at(MARKER), notes.version().unwrap());
    let said = "the value would have more than 100000 bytes, the server's limit";
    refused(path.push(&long), Error::is_limit_exceeded, &["path.extend on \"notes\": ", said]);
    refused(path.insert(0, &long), Error::is_limit_exceeded, &["path.insert on \"notes\": ", said]);
    refused(path.index(2).create().set(&long), Error::is_limit_exceeded, &["path.set on \"notes\": ", said]);
    assert_eq!((notes.version().unwrap(), path.len().unwrap()), (version, 2));
    path.index(1).set(&long).unwrap();
}
