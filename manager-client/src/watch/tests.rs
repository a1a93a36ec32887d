//! Tests of what a watch makes of the server's answers, over a link that has no server.

use std::time::Duration;

use manager_protocol::watch::{ChangesReply, EntryChange, Splice};
use manager_protocol::{Code, Encoded, decode_value, encode_value};
use serde::Serialize;

use super::subject::{Entries, Entry, Values};
use super::update::{DictChange, DictUpdate, KeyUpdate, ListChange, ListUpdate};
use super::{LONGEST_POLL, Subject, Watching};
use crate::argument::Argument;
use crate::handle::{Handle, MARGIN};
use crate::link::Target;
use crate::scripted::{Scripted, now};

/// The version of every answer that the link gives.
const VERSION: u64 = 1;

fn watching<S: Subject>(key: Option<&str>) -> (Watching<S, Scripted>, Scripted) {
    let link = Scripted::new();
    let target = Target::new(5, Some("ages".into()), 1);
    (Watching::new(&Handle { link: link.clone(), target }, key.map(Argument::new)), link)
}

fn dict() -> (Watching<Entries<String, u64>, Scripted>, Scripted) {
    watching(None)
}

fn encoded<T: Serialize + ?Sized>(value: &T) -> Encoded<'static> {
    Encoded::from(std::sync::Arc::<[u8]>::from(encode_value(value).unwrap()))
}

fn set(version: u64, key: &str, value: u64) -> EntryChange<'static> {
    EntryChange(version, Some(encoded(key)), Some(encoded(&value)))
}

fn entries(through: u64, entries: Vec<EntryChange<'_>>) -> ChangesReply<'_> {
    ChangesReply { entries, splices: Vec::new(), through, lost: false }
}

fn lost() -> ChangesReply<'static> {
    ChangesReply { lost: true, ..entries(9, Vec::new()) }
}

fn answer_items(link: &Scripted, items: &[(&str, u64)]) {
    let items: Vec<_> = items.iter().map(|(key, value)| (encoded(*key), encoded(value))).collect();
    link.answer(&items);
}

fn snapshot(items: &[(&str, u64)], resync: bool) -> DictUpdate<String, u64> {
    let entries = items.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
    DictUpdate::Snapshot { version: VERSION, entries, resync }
}

fn changed(version: u64, key: &str, value: u64) -> DictChange<String, u64> {
    DictChange::Set { version, key: key.to_owned(), value }
}

/// The watch, the version and the time of a call for changes.
fn polled(link: &Scripted) -> (u64, u64, Option<i64>) {
    let asked = link.asked().pop().unwrap();
    assert_eq!(asked.operation, "watch.changes");
    decode_value(&asked.arguments).unwrap()
}

#[test]
fn a_watch_tells_all_first_and_then_what_changes() {
    let (mut watching, link) = dict();
    link.answer(&7_u64);
    answer_items(&link, &[("ann", 31)]);
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [snapshot(&[("ann", 31)], false)]);
    assert_eq!(link.operations(), ["watch.begin", "dict.items"]);

    let removed = EntryChange(3, Some(encoded("ann")), None);
    link.answer(&entries(4, vec![set(2, "bob", 40), removed, EntryChange(4, None, None)]));
    let removed = DictChange::Removed { version: 3, key: "ann".to_owned() };
    let changes = vec![changed(2, "bob", 40), removed, DictChange::Cleared { version: 4 }];
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [DictUpdate::Changes(changes)]);
    let poll = i64::try_from(LONGEST_POLL.as_millis()).unwrap();
    assert_eq!(polled(&link), (7, VERSION, Some(poll)));

    link.answer(&entries(5, vec![set(5, "ann", 1)]));
    now(watching.advance(Duration::MAX)).unwrap();
    assert_eq!(polled(&link), (7, 4, Some(poll)));
    drop(watching);
    assert_eq!(link.operations(), ["watch.end (detached)"]);
}

#[test]
fn what_is_in_the_snapshot_is_not_told_again() {
    let (mut watching, link) = dict();
    link.answer(&7_u64);
    answer_items(&link, &[("ann", 31)]);
    now(watching.advance(Duration::MAX)).unwrap();

    link.answer(&entries(VERSION, vec![set(VERSION, "ann", 31)]));
    link.answer(&entries(2, vec![set(VERSION, "ann", 31), set(2, "bob", 40)]));
    let update = now(watching.advance(Duration::MAX)).unwrap();
    assert_eq!(update, [DictUpdate::Changes(vec![changed(2, "bob", 40)])]);
}

#[test]
fn nothing_in_time_is_no_item() {
    let (mut watching, link) = dict();
    link.answer(&7_u64);
    answer_items(&link, &[]);
    assert_eq!(now(watching.advance(Duration::ZERO)).unwrap(), [snapshot(&[], false)], "that is there at once");
    link.asked();

    link.answer(&entries(3, Vec::new()));
    assert!(now(watching.advance(Duration::ZERO)).unwrap().is_empty());
    let asked = link.asked().pop().unwrap();
    assert_eq!(asked.timeout, Some(MARGIN));
    assert_eq!(decode_value::<(u64, u64, Option<i64>)>(&asked.arguments).unwrap(), (7, VERSION, Some(0)));

    // An empty answer before the time is over is no reason to stop.
    link.answer(&entries(3, Vec::new()));
    link.answer(&entries(4, vec![set(4, "ann", 1)]));
    let update = now(watching.advance(Duration::from_secs(3600))).unwrap();
    assert_eq!(update, [DictUpdate::Changes(vec![changed(4, "ann", 1)])]);
    assert_eq!(polled(&link).1, 3, "there is nothing behind the version before");
}

#[test]
fn a_reader_that_is_too_slow_is_told_all_anew() {
    let (mut watching, link) = dict();
    link.answer(&7_u64);
    answer_items(&link, &[("ann", 31)]);
    now(watching.advance(Duration::MAX)).unwrap();
    link.asked();

    link.answer(&lost());
    answer_items(&link, &[("bob", 40)]);
    assert_eq!(now(watching.advance(Duration::ZERO)).unwrap(), [snapshot(&[("bob", 40)], true)]);
    assert_eq!(link.operations(), ["watch.changes", "dict.items"], "the watch goes on");

    link.answer(&entries(2, vec![set(2, "ann", 1)]));
    now(watching.advance(Duration::MAX)).unwrap();
    assert_eq!(polled(&link).0, 7);
}

#[test]
fn a_watch_whose_session_ended_is_begun_anew() {
    for code in [Code::NoSuchWatch, Code::SessionExpired] {
        let (mut watching, link) = dict();
        link.answer(&7_u64);
        answer_items(&link, &[("ann", 31)]);
        now(watching.advance(Duration::MAX)).unwrap();
        link.asked();

        link.refuse(code);
        link.answer(&8_u64);
        answer_items(&link, &[("bob", 40)]);
        assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [snapshot(&[("bob", 40)], true)]);
        assert_eq!(link.operations(), ["watch.changes", "watch.begin", "dict.items"]);
        link.answer(&entries(2, vec![set(2, "ann", 1)]));
        now(watching.advance(Duration::MAX)).unwrap();
        assert_eq!(polled(&link).0, 8);
    }
}

#[test]
fn a_session_that_ends_meanwhile_does_not_end_the_watch() {
    let (mut watching, link) = dict();
    link.refuse(Code::SessionExpired);
    link.answer(&7_u64);
    answer_items(&link, &[]);
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [snapshot(&[], false)]);
    assert_eq!(link.operations(), ["watch.begin", "watch.begin", "dict.items"]);
}

#[test]
fn after_a_failure_it_goes_on_where_it_was() {
    let (mut watching, link) = dict();
    link.refuse(Code::NoSuchObject);
    assert!(now(watching.advance(Duration::MAX)).is_err_and(|error| error.is_no_such_object()));
    link.answer(&7_u64);
    link.refuse(Code::LimitExceeded);
    assert!(now(watching.advance(Duration::MAX)).is_err_and(|error| error.is_limit_exceeded()));
    link.asked();
    answer_items(&link, &[]);
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [snapshot(&[], false)], "nothing was told before");
    assert_eq!(link.operations(), ["dict.items"]);

    link.refuse(Code::ShuttingDown);
    let error = now(watching.advance(Duration::MAX)).unwrap_err();
    assert!(error.to_string().starts_with("watch.changes on \"ages\": "), "{error}");
    link.answer(&entries(2, vec![set(2, "ann", 1)]));
    now(watching.advance(Duration::MAX)).unwrap();
    assert_eq!(polled(&link).1, VERSION);
}

#[test]
fn what_is_of_another_type_is_an_error_and_then_all_is_told_anew() {
    let (mut watching, link) = dict();
    link.answer(&7_u64);
    link.answer(&[(encoded("ann"), encoded("thirty-one"))]);
    assert!(now(watching.advance(Duration::MAX)).is_err_and(|error| error.is_wrong_type()));
    link.answer(&entries(3, vec![set(2, "bob", 40), EntryChange(3, Some(encoded("ann")), Some(encoded("forty")))]));
    let error = now(watching.advance(Duration::MAX)).unwrap_err();
    assert!(error.is_wrong_type() && !error.to_string().contains("forty"), "{error}");
    link.asked();

    answer_items(&link, &[("bob", 40)]);
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [snapshot(&[("bob", 40)], true)]);
    assert_eq!(link.operations(), ["dict.items"]);
}

#[test]
fn what_could_not_be_read_is_read_again_when_it_has_changed() {
    let (mut dict, link) = dict();
    link.answer(&7_u64);
    link.answer(&[(encoded("ann"), encoded("of another type"))]);
    assert!(now(dict.advance(Duration::MAX)).is_err_and(|error| error.is_wrong_type()));
    link.answer(&entries(5, vec![EntryChange(5, Some(encoded("ann")), None)]));
    answer_items(&link, &[("bob", 2)]);
    assert_eq!(now(dict.advance(Duration::MAX)).unwrap(), [snapshot(&[("bob", 2)], true)]);
}

#[test]
fn a_key_is_told_with_each_of_its_values() {
    let (mut watching, link) = watching::<Entry<u64>>(Some("ann"));
    link.answer(&7_u64);
    link.answer(&None::<Encoded<'_>>);
    let update = |version, value| KeyUpdate { version, value, resync: false };
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [update(VERSION, None)]);
    let begun = link.asked();
    assert_eq!(begun[0].arguments, [&[0x91, 0xc4, 4][..], &encode_value("ann").unwrap()].concat());
    assert_eq!(begun[1].operation, "dict.get");

    let removed = EntryChange(3, Some(encoded("ann")), None);
    link.answer(&entries(6, vec![set(2, "ann", 31), removed, set(5, "ann", 1), EntryChange(6, None, None)]));
    let told = [update(2, Some(31)), update(3, None), update(5, Some(1)), update(6, None)];
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), told);

    link.answer(&lost());
    link.answer(&Some(encoded(&40)));
    let resync = KeyUpdate { version: VERSION, value: Some(40), resync: true };
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [resync]);
}

#[test]
fn a_list_is_told_by_stretches() {
    let (mut watching, link) = watching::<Values<String>>(None);
    link.answer(&7_u64);
    link.answer(&[encoded("eat")]);
    let all = ListUpdate::Snapshot { version: VERSION, values: vec!["eat".to_owned()], resync: false };
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [all]);
    assert_eq!(link.operations(), ["watch.begin", "list.values"]);

    let splices = vec![Splice(1, 0, 0, vec![encoded("eat")]), Splice(2, 0, 1, vec![encoded("wash"), encoded("iron")])];
    link.answer(&ChangesReply { splices, ..entries(2, Vec::new()) });
    let values = vec!["wash".to_owned(), "iron".to_owned()];
    let change = ListChange { version: 2, start: 0, removed: 1, values };
    assert_eq!(now(watching.advance(Duration::MAX)).unwrap(), [ListUpdate::Changes(vec![change])]);
}

#[test]
fn a_key_that_cannot_be_encoded_is_told_when_it_is_watched() {
    let link = Scripted::new();
    let target = Target::new(5, Some("ages".into()), 1);
    let key = Argument::new(&Unencodable);
    let mut watching = Watching::<Entry<u64>, _>::new(&Handle { link: link.clone(), target }, Some(key));
    let error = now(watching.advance(Duration::MAX)).unwrap_err();
    assert!(error.is_invalid_argument() && error.to_string().starts_with("watch.begin on \"ages\": "), "{error}");
    drop(watching);
    assert!(link.asked().is_empty());
}

struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not this one"))
    }
}

#[cfg(feature = "aio")]
mod stream {
    use std::pin::pin;

    use super::*;
    use crate::scripted::poll_once;
    use crate::watch::stream::Stream;

    #[test]
    fn a_stream_goes_on_with_what_a_dropped_future_began() {
        let (watching, link) = dict();
        let mut stream = Stream::new(watching);
        link.answer(&7_u64);
        assert!(poll_once(pin!(stream.next())).is_pending());
        assert_eq!(link.operations(), ["watch.begin", "dict.items"]);
        assert!(poll_once(pin!(stream.next())).is_pending());
        assert!(link.asked().is_empty(), "the same call is still under way");
        drop(stream);
        assert_eq!(link.operations(), ["watch.end (detached)"]);
    }

    #[test]
    fn the_last_item_is_an_error() {
        let (watching, link) = dict();
        let mut stream = Stream::new(watching);
        link.answer(&7_u64);
        link.answer(&[(encoded("ann"), encoded("thirty-one"))]);
        link.answer(&entries(2, vec![set(2, "ann", 31)]));
        answer_items(&link, &[("ann", 31)]);
        link.refuse(Code::NoSuchObject);
        let next = |stream: &mut Stream<_, _>| now(stream.next());
        assert!(next(&mut stream).unwrap().is_err_and(|error| error.is_wrong_type()));
        assert_eq!(next(&mut stream).unwrap().unwrap(), snapshot(&[("ann", 31)], true));
        assert!(next(&mut stream).unwrap().is_err_and(|error| error.is_no_such_object()));
        assert!(next(&mut stream).is_none());
    }

    #[test]
    fn the_updates_that_came_together_are_told_one_by_one() {
        let (watching, link) = watching::<Entry<u64>>(Some("ann"));
        let mut stream = Stream::new(watching);
        link.answer(&7_u64);
        link.answer(&None::<Encoded<'_>>);
        link.answer(&entries(3, vec![set(2, "ann", 1), set(3, "ann", 2)]));
        let values: Vec<_> = (0..3).map(|_| now(stream.next()).unwrap().unwrap().value).collect();
        assert_eq!(values, [None, Some(1), Some(2)]);
    }
}
