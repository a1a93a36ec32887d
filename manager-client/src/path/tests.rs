//! Tests of what a path sends, over a link that has no server.

use std::collections::BTreeMap;

use manager_protocol::{Encoded, encode_value, write_item};
use serde::Serialize;

use super::ValuePath;
use crate::link::DirectLink;
use crate::manager::Manager;
use crate::scripted::{Scripted, now};
use crate::{Blocking, ManagerDict, ManagerList};

type Job = BTreeMap<String, Vec<u64>>;

fn dict() -> (ManagerDict<String, Job, Scripted>, Scripted) {
    let link = Scripted::new();
    link.answer(&5_u64);
    let dict = now(Manager::over(link.clone()).dict("jobs")).unwrap();
    link.asked();
    (dict, link)
}

fn bin<T: Serialize + ?Sized>(value: &T) -> Encoded<'static> {
    Encoded::from(std::sync::Arc::<[u8]>::from(encode_value(value).unwrap()))
}

fn items(items: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_item(&mut bytes, items);
    bytes
}

#[test]
fn a_path_is_sent_step_by_step() {
    let (jobs, link) = dict();
    link.answer(&Some(bin(&31)));
    let steps = jobs.at("shirt").field("steps");
    assert_eq!(now(steps.index(-1).get::<u64>()).unwrap(), Some(31));
    let asked = link.asked().pop().unwrap();
    assert_eq!(asked.operation, "path.get");
    assert_eq!(asked.arguments, items(&(bin("shirt"), (bin("steps"), -1))));

    link.answer(&3_u64);
    assert_eq!(now(steps.create().push(&7)).unwrap(), 3);
    let asked = link.asked().pop().unwrap();
    assert_eq!(asked.operation, "path.extend");
    assert_eq!(asked.arguments, items(&(bin("shirt"), [bin("steps")], [bin(&7)], true)));

    link.answer(&bin(&255));
    assert_eq!(now(steps.key(&4).add(1_u8)).unwrap(), 255);
    let asked = link.asked().pop().unwrap();
    let bounds = (bin(&0), bin(&255));
    assert_eq!(asked.arguments, items(&(bin("shirt"), (bin("steps"), bin(&4)), bin(&1), bounds, false)));
}

#[test]
fn a_path_begins_as_its_object_has_it() {
    let link = Scripted::new();
    let manager = Manager::over(link.clone());
    for _ in 0..2 {
        link.answer(&5_u64);
        link.answer(&2_u64);
    }
    let list: ManagerList<Vec<u64>, _> = now(manager.list("rows")).unwrap();
    assert_eq!(now(list.at(-1).len()).unwrap(), 2);
    assert_eq!(link.asked()[1].arguments, items(&(bin(&-1), [(); 0])));
    let value = now(manager.value("point", &vec![1_u64, 2])).unwrap();
    assert_eq!(now(value.at().len()).unwrap(), 2);
    assert_eq!(link.asked()[1].arguments, items(&(bin(&()), [(); 0])));
}

#[test]
fn what_cannot_be_encoded_is_told_by_the_method() {
    struct Unencodable;

    impl Serialize for Unencodable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not this one"))
        }
    }

    let (jobs, link) = dict();
    let path = jobs.at("shirt").key(&Unencodable).field("steps");
    let error = now(path.len()).unwrap_err();
    assert!(error.is_invalid_argument() && error.to_string().starts_with("path.len on \"jobs\": "), "{error}");
    assert!(now(jobs.at("shirt").set(&Unencodable)).is_err_and(|error| error.is_invalid_argument()));
    assert!(link.asked().is_empty());
}

#[test]
fn paths_can_go_to_other_threads() {
    fn sent<T: Send + Sync + 'static>() {}
    fn all<L: DirectLink>() {
        sent::<ValuePath<L>>();
    }
    all::<Blocking>();
}
