//! What paths find in values and make of them, and what they are refused with.

use manager_protocol::{Kind, MAX_DEPTH, MAX_ELEMENTS, Many, Reference, encode_value};
use rmpv::Value as Data;

use super::*;

const LIMIT: Limit = Limit(1 << 24);

/// Steps, of which those that are integers are indices and all others keys.
fn steps(steps: &[Data]) -> Vec<path::Step<'static>> {
    let step = |step: &Data| match step.as_i64() {
        Some(index) => path::Step::Index(index),
        None => path::Step::Key(Encoded::from(std::sync::Arc::<[u8]>::from(encoded(step.clone())))),
    };
    steps.iter().map(step).collect()
}

macro_rules! path {
    ($($step:expr),*) => {
        steps(&[$(Data::from($step)),*])
    };
}

fn encoded(value: impl Into<Data>) -> Vec<u8> {
    encode_value(&value.into()).unwrap()
}

fn array(items: impl IntoIterator<Item = Data>) -> Data {
    Data::Array(items.into_iter().collect())
}

fn map(pairs: impl IntoIterator<Item = (&'static str, Data)>) -> Data {
    Data::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// A map with an array of maps, and a reference.
fn sample() -> Vec<u8> {
    let jobs = array([map([("done", 1.into())]), map([("done", "all".into()), ("left", Data::Nil)])]);
    let mut sample = encoded(map([("jobs", jobs), ("none", array([]))]));
    sample[0] += 1;
    sample.extend(encoded("other"));
    sample.extend(encode_value(&Reference { kind: Kind::List, epoch: 1, object: 2 }).unwrap());
    sample
}

fn set(value: &[u8], steps: &[path::Step<'_>], new: impl Into<Data>, create: bool) -> Result<Vec<u8>> {
    Path::new(steps)?.set(Some(value), &encoded(new), create, LIMIT)
}

fn extend(
    value: Option<&[u8]>,
    steps: &[path::Step<'_>],
    count: usize,
    create: bool,
) -> Result<(Option<Vec<u8>>, u64)> {
    let new = Many::new(vec![Encoded::Borrowed(&[0x07]); count].into_iter());
    Path::new(steps)?.extend(value, new, create, LIMIT)
}

fn found(value: &[u8], steps: &[path::Step<'_>]) -> Result<Option<Vec<u8>>> {
    Ok(Path::new(steps)?.find(value)?.map(|part| value[part].to_vec()))
}

fn message<T>(result: Result<T>) -> String {
    result.map(drop).unwrap_err().message
}

#[test]
fn a_path_leads_through_maps_and_arrays() {
    let sample = sample();
    assert_eq!(found(&sample, &path![]).unwrap().unwrap(), sample);
    assert_eq!(found(&sample, &path!["jobs", 1, "done"]).unwrap().unwrap(), encoded("all"));
    assert_eq!(found(&sample, &path!["jobs", -2, "done"]).unwrap().unwrap(), [0x01]);
    assert_eq!(found(&sample, &path!["jobs", 1, "left"]).unwrap().unwrap(), [0xc0], "nil is there");
    for missing in [path!["job"], path!["jobs", 0, "left"], path!["job", "what follows", 5]] {
        assert_eq!(found(&sample, &missing).unwrap(), None);
    }
}

#[test]
fn keys_are_found_by_equality() {
    // 1 as 64 bits, and a text with a longer head than it needs.
    let value = [&[0x82, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1, 0x05][..], &[0xd9, 1, b'x', 0x06]].concat();
    assert_eq!(found(&value, &path![1.0, 0]).unwrap_err().code, manager_protocol::Code::PathMismatch);
    assert_eq!(found(&value, &path![1.0]).unwrap().unwrap(), [0x05]);
    assert_eq!(found(&value, &path!["x"]).unwrap().unwrap(), [0x06]);
    let changed = set(&value, &path![1.0], 7, false).unwrap();
    assert_eq!(changed, [&value[..10], &[0x07], &value[11..]].concat(), "the key stays as it was written");
}

#[test]
fn what_does_not_fit_is_named_by_its_step() {
    let sample = sample();
    let find = |steps: &[path::Step<'_>]| message(found(&sample, steps));
    assert_eq!(find(&path!["jobs", "a"]), "step 2 of the path is a key, and there is an array of 2 elements");
    assert_eq!(find(&path![0]), "step 1 of the path is an index, and there is a map of 3 keys");
    assert_eq!(find(&path!["other", 0]), "step 2 of the path is an index, and there is a reference to a list");
    assert_eq!(find(&path!["jobs", 1, "done", 0]), "step 4 of the path is an index, and there is text");
    assert_eq!(find(&path!["jobs", 7]), "step 2 of the path: index 7 is out of range for length 2");
    assert_eq!(find(&path!["jobs", -3]), "step 2 of the path: index -3 is out of range for length 2");
    let steps = path!["jobs", 1, "done"];
    assert_eq!(message(extend(Some(&sample), &steps, 1, true)), "the path leads to text, not to an array");
    assert_eq!(message(Path::new(&steps).unwrap().count(&sample)), "the path leads to text, not to an array or a map");
    let steps = path!["jobs", 0, "left"];
    assert_eq!(message(extend(Some(&sample), &steps, 1, false)), "step 3 of the path: the map has no such key");
    assert_eq!(message(extend(None, &steps, 1, false)), "the dict has no such key");
    let (steps, delta) = (path!["jobs", 1, "done"], encoded(1));
    let sum = Path::new(&steps).unwrap().add(Some(&sample), &(&delta).into(), None, false, LIMIT);
    assert_eq!(message(sum), "after step 3 of the path: the stored value is not a number");
}

#[test]
fn no_key_is_nan_or_a_reference() {
    let reference = encode_value(&Reference { kind: Kind::List, epoch: 1, object: 2 }).unwrap();
    for key in [encoded(f64::NAN), reference] {
        let steps = [path::Step::Index(0), path::Step::Key((&key).into())];
        assert_eq!(Path::new(&steps).err().unwrap().code, manager_protocol::Code::InvalidKey);
    }
}

#[test]
fn what_is_around_a_change_stays_byte_for_byte() {
    // An array with a long head, of 1 as 64 bits, a map with a long head, and 2 as 16 bits.
    let (before, inner, after) =
        ([0xdc, 0, 3, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1], [0xde, 0, 1, 0xa1, b'k', 0x05], [0xcd, 0, 2]);
    let value = [&before[..], &inner, &after].concat();
    let changed = |inner: &[u8]| [&before[..], inner, &after].concat();
    assert_eq!(set(&value, &path![1, "k"], 6, false).unwrap(), changed(&[0xde, 0, 1, 0xa1, b'k', 0x06]));
    let grown = [0x82, 0xa1, b'k', 0x05, 0xa1, b'l', 0x06];
    assert_eq!(set(&value, &path![1, "l"], 6, false).unwrap(), changed(&grown));
    let steps = path![-2, "k"];
    let (without, part) = Path::new(&steps).unwrap().remove(&value).unwrap().unwrap();
    assert_eq!((without, &value[part]), (changed(&[0x80]), &[0x05][..]));
    let steps = path![0];
    let (without, part) = Path::new(&steps).unwrap().remove(&value).unwrap().unwrap();
    assert_eq!((without, &value[part]), ([&[0x92][..], &inner, &after].concat(), &before[3..]));
}

#[test]
fn heads_are_the_shortest_for_every_length() {
    let mut expected = Vec::new();
    let mut value = encoded(map([("a", array([])), ("b", 1.into())]));
    for count in [1, 14, 1, 1, 65_518, 1, 1] {
        expected.extend(vec![Data::from(7); count]);
        let (changed, len) = extend(Some(&value), &path!["a"], count, false).unwrap();
        value = changed.unwrap();
        assert_eq!(value, encoded(map([("a", array(expected.clone())), ("b", 1.into())])));
        assert_eq!(len, expected.len() as u64);
    }
    let steps = path!["a", 0];
    while expected.len() > 65_534 {
        expected.pop();
        (value, _) = Path::new(&steps).unwrap().remove(&value).unwrap().unwrap();
        assert_eq!(value, encoded(map([("a", array(expected.clone())), ("b", 1.into())])));
    }
}

#[test]
fn elements_are_inserted_before_an_index_or_at_the_end_it_is_beyond() {
    let value = encoded(array([1.into(), array([1.into(), 2.into()])]));
    let insert = |index| {
        let steps = path![1];
        Path::new(&steps).unwrap().insert(Some(&value), index, &Encoded::Borrowed(&[0x09]), false, LIMIT).unwrap()
    };
    let with = |items: [i32; 3]| encoded(array([1.into(), array(items.map(Data::from))]));
    for (index, items) in [
        (0, [9, 1, 2]),
        (1, [1, 9, 2]),
        (2, [1, 2, 9]),
        (-1, [1, 9, 2]),
        (-2, [9, 1, 2]),
        (-3, [9, 1, 2]),
        (i64::MIN, [9, 1, 2]),
        (i64::MAX, [1, 2, 9]),
        (1 << 33, [1, 2, 9]),
    ] {
        assert_eq!(insert(index), with(items), "{index}");
    }
}

#[test]
fn what_is_missing_is_made_if_it_may() {
    let value = encoded(map([("a", array([1.into()]))]));
    let made = |steps: &[path::Step<'_>]| set(&value, steps, "new", true);
    let b = |value: Data| encoded(map([("a", array([1.into()])), ("b", value)]));
    assert_eq!(made(&path!["b", "c", "d"]).unwrap(), b(map([("c", map([("d", "new".into())]))])));
    assert_eq!(made(&path!["b", 0, "d"]).unwrap(), b(array([map([("d", "new".into())])])));
    let longer = |value: Data| encoded(map([("a", array([1.into(), value]))]));
    assert_eq!(made(&path!["a", 1]).unwrap(), longer("new".into()));
    assert_eq!(made(&path!["a", 1, 0]).unwrap(), longer(array(["new".into()])));
    for (wrong, len) in
        [(path!["a", 2], 1), (path!["a", -2], 1), (path!["b", 1], 0), (path!["b", -1], 0), (path!["b", "c", 7], 0)]
    {
        let error = made(&wrong).unwrap_err();
        assert_eq!(error.code, manager_protocol::Code::OutOfRange);
        assert!(error.message.ends_with(&format!("is out of range for length {len}")), "{}", error.message);
    }
    assert_eq!(made(&path!["a", 0, "b"]).unwrap_err().code, manager_protocol::Code::PathMismatch, "1 is not replaced");
    assert_eq!(set(&value, &path!["a", 1], 1, false).unwrap_err().code, manager_protocol::Code::OutOfRange);
}

#[test]
fn a_whole_value_is_made_if_there_is_none() {
    let steps = path!["a"];
    let path = Path::new(&steps).unwrap();
    assert_eq!(path.set(None, &[0x01], true, LIMIT).unwrap(), encoded(map([("a", 1.into())])));
    assert_eq!(path.set(None, &[0x01], false, LIMIT).unwrap_err().code, manager_protocol::Code::PathMismatch);
    let whole = Path::new(&[]).unwrap();
    assert_eq!(whole.set(None, &[0x01], false, LIMIT).unwrap(), [0x01]);
    let (value, sum) = whole.add(None, &Encoded::Borrowed(&[0x05]), None, true, LIMIT).unwrap();
    assert_eq!((value, sum), (vec![0x05], vec![0x05]));
    assert_eq!(extend(None, &path![], 2, true).unwrap(), (Some(vec![0x92, 7, 7]), 2));
    assert_eq!(extend(None, &path![], 0, true).unwrap(), (Some(vec![0x90]), 0), "it is made, if empty");
    assert_eq!(extend(Some(&[0x90]), &path![], 0, true).unwrap(), (None, 0));
    assert_eq!(whole.insert(None, 5, &Encoded::Borrowed(&[0x05]), true, LIMIT).unwrap(), [0x91, 0x05]);
}

#[test]
fn what_would_be_too_large_is_refused() {
    let deep = [&[0x91; MAX_DEPTH - 1][..], &[0x80]].concat();
    let steps = vec![path::Step::Index(0); MAX_DEPTH - 1];
    assert_eq!(found(&deep, &steps).unwrap().unwrap(), [0x80]);
    let longer: Vec<_> = steps.iter().cloned().chain(path!["a"]).collect();
    assert!(set(&deep, &longer, 1, false).is_ok());
    assert!(message(set(&deep, &longer, array([]), false)).contains("nested deeper than 64 levels"));
    let endless = vec![path::Step::Index(0); 100_000];
    assert!(message(set(&[0x90], &endless, 1, true)).contains("nested deeper than 64 levels"));

    let full = encoded(array(vec![Data::Nil; MAX_ELEMENTS as usize]));
    assert_eq!(set(&full, &path![-1], 1, false).unwrap().len(), full.len());
    for error in [extend(Some(&full), &path![], 1, false).err(), set(&full, &path![0], array([1.into()]), false).err()]
    {
        let error = error.unwrap();
        assert_eq!(error.code, manager_protocol::Code::LimitExceeded);
        assert!(error.message.contains("elements"), "{}", error.message);
    }

    let path = Path::new(&[]).unwrap();
    assert_eq!(path.set(Some(&[0xc0]), &encoded("abcd"), false, Limit(5)).unwrap().len(), 5);
    let error = path.set(Some(&[0xc0]), &encoded("abcde"), false, Limit(5)).unwrap_err();
    assert_eq!(error.message, "the value would have more than 5 bytes, the server's limit");
    let delta = encoded(100_000);
    assert!(path.add(Some(&[0x01]), &(&delta).into(), None, false, Limit(4)).is_err());
}

#[test]
fn elements_and_keys_are_counted_and_looked_for() {
    let sample = sample();
    let contains =
        |steps: &[path::Step<'_>], item: Data| Path::new(steps).unwrap().contains(&sample, &(&encoded(item)).into());
    let count = |steps: &[path::Step<'_>]| Path::new(steps).unwrap().count(&sample);
    assert_eq!(
        [count(&path![]), count(&path!["jobs"]), count(&path!["none"]), count(&path!["x"])],
        [3, 2, 0, 0].map(Ok)
    );
    assert!(contains(&path![], "none".into()).unwrap());
    assert!(!contains(&path!["jobs", 1], "all".into()).unwrap(), "that is a value, not a key");
    assert!(contains(&path!["jobs"], map([("done", 1.0.into())])).unwrap());
    assert!(!contains(&path!["x"], Data::Nil).unwrap());
    assert!(contains(&path!["other"], Data::Nil).is_err());
}
