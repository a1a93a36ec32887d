//! Watches and waits for data: no change is missed, and none is told twice.

use manager_protocol::watch::{self, ChangesReply, Condition, Met};
use manager_protocol::{Bin, Code, Encoded, Kind, Many, Operation, dict, manager};
use manager_server::core::Client;

use super::desk::{Answer, Desk, LATE, at_once, explore};
use super::wire::{Message, decode};

const KEY: Encoded<'static> = Encoded::Borrowed(&[0x07]);
const ONE: Encoded<'static> = Encoded::Borrowed(&[0x01]);
const TWO: Encoded<'static> = Encoded::Borrowed(&[0x02]);

fn set(value: Encoded<'static>) -> dict::Set<'static> {
    dict::Set { key: KEY, value }
}

fn wait_for(condition: Condition, operand: Option<Encoded<'static>>) -> watch::WaitFor<'static> {
    watch::WaitFor { at: KEY, path: Vec::new(), condition, operand, timeout_ms: None }
}

/// A dict, and a watch of it that a client has begun with its first request.
fn watched(desk: &Desk, client: &Client) -> (u64, u64) {
    let object = desk.open("dict", Kind::Dict);
    let watch = desk.get(client, 0, object, watch::Begin { key: None });
    (object, watch)
}

fn changes(desk: &Desk, client: &Client, id: u64, object: u64, (watch, after): (u64, u64)) -> Option<Answer> {
    desk.ask(client, id, object, watch::Changes { watch, after, timeout_ms: None })
}

/// The versions that a reader was told of, and how far it knows everything.
fn told(answer: Answer) -> (Vec<u64>, u64) {
    let bytes = answer.unwrap();
    let reply = decode::<ChangesReply<'_>>(&bytes);
    assert!(!reply.lost);
    (reply.entries.iter().map(|change| change.0).collect(), reply.through)
}

/// Sets the key to one value and then to another, at once.
fn set_twice(dict: u64) -> manager::Transaction<'static> {
    let steps = [ONE, TWO].map(|value| {
        let message = Message::new(dict, set(value));
        let arguments = Bin(message.arguments.into());
        manager::Step { object: dict, operation: dict::Set::ROW.number, arguments }
    });
    manager::Transaction { checks: Many::new([].into_iter()), operations: Many::new(steps.into_iter()) }
}

#[test]
fn a_change_is_told_to_who_is_about_to_wait_for_it() {
    explore(|| {
        let desk = Desk::new();
        let [writer, reader] = desk.clients();
        let (object, watch) = watched(&desk, &reader);
        let (first, second) = (desk.clone(), desk.clone());
        let (writing, reading) = (writer.clone(), reader.clone());
        let writes = shuttle::thread::spawn(move || {
            for id in 0..2 {
                first.ask(&writing, id, object, set(ONE)).unwrap().unwrap();
            }
        });
        let reads = shuttle::thread::spawn(move || changes(&second, &reading, 1, object, (watch, 0)));
        writes.join().unwrap();
        let answered = reads.join().unwrap();
        let mailed = Desk::mail(&reader);
        assert!(answered.is_none() || mailed.is_none(), "one answer");
        let (mut versions, through) = told(answered.or(mailed).unwrap());
        if through < 2 {
            versions.extend(told(changes(&desk, &reader, 2, object, (watch, through)).unwrap()).0);
        }
        assert_eq!(versions, [1, 2]);
        desk.close([&writer, &reader]);
    });
}

#[test]
fn a_transaction_is_told_as_a_whole() {
    explore(|| {
        let desk = Desk::new();
        let [writer, reader] = desk.clients();
        let (object, watch) = watched(&desk, &reader);
        assert!(desk.ask(&writer, 1, object, wait_for(Condition::Equals, Some(ONE))).is_none());
        let (first, second) = (desk.clone(), desk.clone());
        let (writing, reading) = (writer.clone(), reader.clone());
        let writes = shuttle::thread::spawn(move || {
            first.ask(&writing, 0, 0, set_twice(object)).unwrap().unwrap();
        });
        let reads = shuttle::thread::spawn(move || changes(&second, &reading, 1, object, (watch, 0)));
        writes.join().unwrap();
        let answered = reads.join().unwrap();
        let mailed = Desk::mail(&reader);
        assert_eq!(told(answered.or(mailed).unwrap()), (vec![1, 2], 2));
        assert!(Desk::mail(&writer).is_none(), "what was there in between is not seen");
        desk.close([&writer, &reader]);
    });
}

/// A change comes while the wait for it ends in this way: the reader is told, or can ask again.
fn change_while(end: fn(&Desk, &Client)) {
    explore(move || {
        let desk = Desk::new();
        let [writer, reader] = desk.clients();
        let (object, watch) = watched(&desk, &reader);
        assert!(changes(&desk, &reader, 1, object, (watch, 0)).is_none());
        let (first, second) = (desk.clone(), desk.clone());
        let (writing, ending) = (writer.clone(), reader.clone());
        at_once([
            Box::new(move || drop(first.ask(&writing, 0, object, set(ONE)).unwrap().unwrap())),
            Box::new(move || end(&second, &ending)),
        ]);
        desk.0.expire(LATE);
        match Desk::mail(&reader) {
            None | Some(Err(Code::Cancelled)) => {}
            Some(answer) => assert_eq!(told(answer), (vec![1], 1)),
        }
        if let Some(again) = desk.join(&reader) {
            assert_eq!(told(changes(&desk, &again, 2, object, (watch, 0)).unwrap()), (vec![1], 1));
        }
        desk.close([&writer, &reader]);
    });
}

#[test]
fn a_change_comes_while_the_reader_cancels() {
    change_while(|desk, client| desk.cancel(client, 1));
}

#[test]
fn a_change_comes_while_the_session_of_the_reader_ends() {
    change_while(Desk::abandon);
}

#[test]
fn a_change_comes_while_the_watch_ends() {
    explore(|| {
        let desk = Desk::new();
        let [writer, reader] = desk.clients();
        let (object, watch) = watched(&desk, &reader);
        assert!(changes(&desk, &reader, 1, object, (watch, 0)).is_none());
        let (first, second) = (desk.clone(), desk.clone());
        let (writing, ending) = (writer.clone(), reader.clone());
        at_once([
            Box::new(move || drop(first.ask(&writing, 0, object, set(ONE)).unwrap().unwrap())),
            Box::new(move || drop(second.ask(&ending, 2, object, watch::End { watch }).unwrap().unwrap())),
        ]);
        match Desk::mail(&reader).unwrap() {
            Err(code) => assert_eq!(code, Code::NoSuchWatch),
            told_it => assert_eq!(told(told_it), (vec![1], 1)),
        }
        desk.close([&writer, &reader]);
    });
}

#[test]
fn what_goes_with_a_session_is_told_to_who_is_about_to_wait_for_that() {
    explore(|| {
        let desk = Desk::new();
        let [owner, waiter] = desk.clients();
        let object = desk.open("dict", Kind::Dict);
        let put = dict::InsertWith { key: KEY, value: ONE, ttl_ms: None, session: true };
        desk.ask(&owner, 0, object, put).unwrap().unwrap();
        let (first, second) = (desk.clone(), desk.clone());
        let (ending, waiting) = (owner.clone(), waiter.clone());
        let ends = shuttle::thread::spawn(move || first.abandon(&ending));
        let waits = shuttle::thread::spawn(move || second.ask(&waiting, 0, object, wait_for(Condition::Absent, None)));
        ends.join().unwrap();
        let answered = waits.join().unwrap();
        desk.0.expire(LATE);
        let answer = answered.or_else(|| Desk::mail(&waiter)).unwrap().unwrap();
        assert!(decode::<Option<Met<'_>>>(&answer).unwrap().value.is_none());
        desk.close([&owner, &waiter]);
    });
}

#[test]
fn an_object_is_deleted_while_somebody_begins_to_wait_in_it() {
    explore(|| {
        let desk = Desk::new();
        let [deleter, waiter] = desk.clients();
        let object = desk.open("dict", Kind::Dict);
        let (first, second) = (desk.clone(), desk.clone());
        let (deleting, waiting) = (deleter.clone(), waiter.clone());
        let deletes = shuttle::thread::spawn(move || {
            first.ask(&deleting, 0, 0, manager::Delete { name: "dict" }).unwrap().unwrap();
        });
        let waits = shuttle::thread::spawn(move || second.ask(&waiting, 0, object, wait_for(Condition::Exists, None)));
        deletes.join().unwrap();
        let answered = waits.join().unwrap();
        assert_eq!(answered.or_else(|| Desk::mail(&waiter)).unwrap().unwrap_err(), Code::NoSuchObject);
        desk.close([&deleter, &waiter]);
    });
}
