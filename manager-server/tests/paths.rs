//! Operations on what is inside of values, at the core itself: where they go, what they cost, and what
//! becomes of the objects that the values refer to.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

use manager_protocol::path::{self, Step};
use manager_protocol::{
    Bin, Code, Encoded, ErrorReply, FrameKind, Kind, Many, Operation, Reference, ReplyHeader, RequestHeader,
    SessionChoice, SessionToken, array, decode_body, dict, encode_value, list, manager, set, split_frame, value,
};
use manager_server::core::{Client, Core, Limits, Outcome, Pace, Time};
use serde::Serialize;

/// A core with one object of each kind of data, numbered from 1.
struct Objects {
    core: Core,
    client: Client,
}

const DICT: u64 = 1;
const LIST: u64 = 2;
const SET: u64 = 3;
const VALUE: u64 = 4;
const ARRAY: u64 = 5;
const QUEUE: u64 = 6;

impl Objects {
    fn new(limits: Limits) -> Self {
        let core = Core::new(limits);
        let client = core.connect(0, SessionChoice::Own, SessionToken([7; 16])).unwrap();
        let objects = Self { core, client };
        for (name, kind) in [("dict", Kind::Dict), ("list", Kind::List), ("set", Kind::Set)] {
            objects.ok(0, manager::Open { name: Some(name), kind });
        }
        objects.ok(0, manager::OpenValue { name: Some("value"), initial: bin(&[1]) });
        objects
            .ok(0, manager::OpenArray { name: Some("array"), values: Many::new([bin(&[1]), bin(&[2])].into_iter()) });
        objects.ok(0, manager::Open { name: Some("queue"), kind: Kind::Queue });
        objects.ok(DICT, dict::Set { key: bin("key"), value: bin(&[1]) });
        objects.ok(LIST, list::Push { value: bin(&[1]) });
        objects.ok(SET, set::Add { value: bin(&[1]) });
        objects
    }

    fn dispatch<O: Operation>(&self, object: u64, operation: O, pace: Pace) -> (Outcome, Vec<u8>) {
        let (mut arguments, mut out) = (Vec::new(), Vec::new());
        operation.encode(&mut arguments);
        let request = RequestHeader { id: 1, operation: O::ROW.number, object, arguments: &arguments };
        (self.core.dispatch(&self.client, request, pace, Time::ZERO, &mut out), out)
    }

    /// The version and the result, or the refusal; what is held is not looked at.
    fn call<O: Operation>(&self, object: u64, operation: O) -> Result<(u64, Vec<u8>), (Code, String)> {
        let (outcome, out) = self.dispatch(object, operation, Pace::Patient);
        assert!(matches!(outcome, Outcome::Replied), "{outcome:?}");
        let mut rest = out.as_slice();
        loop {
            let (frame, used) = split_frame(rest, usize::MAX).unwrap().unwrap();
            if frame.kind == FrameKind::Error {
                let error: ErrorReply = decode_body(frame.kind, frame.body).unwrap();
                return Err((Code::from_number(error.code).unwrap(), error.message));
            }
            if frame.kind == FrameKind::Reply {
                let reply = ReplyHeader::parse(frame.body).unwrap();
                return Ok((reply.version, reply.result.to_vec()));
            }
            rest = &rest[used..];
        }
    }

    fn ok<O: Operation>(&self, object: u64, operation: O) -> Vec<u8> {
        self.call(object, operation).unwrap().1
    }

    fn is_postponed<O: Operation>(&self, object: u64, operation: O) -> bool {
        matches!(self.dispatch(object, operation, Pace::Inline).0, Outcome::Postponed)
    }

    /// A new list without a name, held by the session, and a reference to it.
    fn anonymous(&self) -> (u64, Reference) {
        let object = rmp_serde::from_slice(&self.ok(0, manager::Open { name: None, kind: Kind::List })).unwrap();
        (object, Reference { kind: Kind::List, epoch: self.core.epoch(), object })
    }

    /// Whether an object is there once all others that nothing refers to are gone.
    fn lives(&self, object: u64) -> bool {
        self.core.bury(Time::ZERO);
        self.call(object, list::Len {}).is_ok()
    }

    /// Lets go of an object, so many times.
    fn release(&self, object: u64, times: u64) {
        self.ok(0, manager::Release { objects: Many::new([(object, times)].into_iter()) });
    }
}

fn bin<T: Serialize + ?Sized>(value: &T) -> Encoded<'static> {
    Encoded::from(std::sync::Arc::<[u8]>::from(encode_value(value).unwrap()))
}

fn get(at: Encoded<'static>) -> path::Get<'static> {
    path::Get { at, path: vec![Step::Index(0)] }
}

fn set(at: Encoded<'static>, value: Encoded<'static>) -> path::Set<'static> {
    path::Set { at, path: vec![Step::Index(0)], value, create: false }
}

#[test]
fn every_kind_of_data_with_places_has_values_to_look_into() {
    let objects = Objects::new(Limits::default());
    for (object, at) in [(DICT, bin("key")), (LIST, bin(&-1)), (VALUE, bin(&())), (ARRAY, bin(&0))] {
        let (before, result) = objects.call(object, get(at.clone())).unwrap();
        assert_eq!(result, [0xc4, 1, 1]);
        assert_eq!(objects.call(object, set(at.clone(), bin(&7))).unwrap(), (before + 1, vec![0xc0]));
        assert_eq!(objects.ok(object, get(at)), [0xc4, 1, 7]);
    }
}

#[test]
fn what_has_no_places_is_refused_by_its_kind() {
    let objects = Objects::new(Limits::default());
    for (object, name) in [(SET, "set"), (QUEUE, "queue")] {
        let (code, message) = objects.call(object, get(bin(&0))).unwrap_err();
        assert_eq!(code, Code::WrongKind);
        assert!(message.starts_with("path.get on ") && message.contains(name), "{message}");
        assert_eq!(objects.call(object, set(bin(&0), bin(&7))).unwrap_err().0, Code::WrongKind);
        assert_eq!(
            objects.call(object, path::Remove { at: bin(&0), path: Vec::new() }).unwrap_err().0,
            Code::WrongKind
        );
    }
}

#[test]
fn a_place_is_what_the_kind_says() {
    let objects = Objects::new(Limits::default());
    for (object, at, code) in [
        (LIST, bin("key"), Code::InvalidArgument),
        (ARRAY, bin(&1.0), Code::InvalidArgument),
        (VALUE, bin(&0), Code::InvalidArgument),
        (DICT, bin(&f64::NAN), Code::InvalidKey),
        (LIST, bin(&1), Code::OutOfRange),
        (ARRAY, bin(&u64::MAX), Code::OutOfRange),
    ] {
        assert_eq!(objects.call(object, get(at.clone())).unwrap_err().0, code);
        assert_eq!(objects.call(object, set(at.clone(), bin(&7))).unwrap_err().0, code);
        assert_eq!(objects.call(object, path::Remove { at, path: Vec::new() }).unwrap_err().0, code);
    }
    assert_eq!(objects.ok(DICT, get(bin("no such key"))), [0xc0]);
}

#[test]
fn no_change_makes_a_value_larger_than_a_message() {
    let objects = Objects::new(Limits { max_message: 100, ..Limits::default() });
    for (object, at) in [(DICT, bin("key")), (LIST, bin(&-1)), (VALUE, bin(&())), (ARRAY, bin(&0))] {
        let extend = |len| {
            let values = Many::new([bin(&"x".repeat(len))].into_iter());
            objects.call(object, path::Extend { at: at.clone(), path: Vec::new(), values, create: false })
        };
        assert_eq!(extend(97).unwrap_err().0, Code::LimitExceeded, "101 bytes");
        let (version, _) = extend(96).unwrap();
        let (code, message) = extend(0).unwrap_err();
        assert_eq!(code, Code::LimitExceeded);
        assert!(message.ends_with("the value would have more than 100 bytes, the server's limit"), "{message}");
        assert_eq!(objects.call(object, get(at.clone())).unwrap(), (version, vec![0xc4, 1, 1]));
    }
}

#[test]
fn what_looks_into_many_bytes_is_postponed() {
    let objects = Objects::new(Limits::default());
    let large = bin(&vec!["x".repeat(1000); 70]);
    objects.ok(DICT, dict::Set { key: bin("large"), value: large.clone() });
    objects.ok(DICT, dict::Set { key: bin("middle"), value: bin(&"x".repeat(1000)) });
    objects.ok(LIST, list::Push { value: large.clone() });
    objects.ok(VALUE, value::Set { value: large.clone() });
    objects.ok(ARRAY, array::Set { index: 1, value: large });
    for (object, at) in [(DICT, bin("large")), (LIST, bin(&1)), (VALUE, bin(&())), (ARRAY, bin(&-1))] {
        assert!(objects.is_postponed(object, get(at.clone())));
        assert!(objects.is_postponed(object, path::Len { at: at.clone(), path: Vec::new() }));
        assert!(objects.is_postponed(object, set(at, bin(&7))));
    }
    assert!(!objects.is_postponed(DICT, get(bin("key"))));
    let steps = |count| {
        let mut arguments = Vec::new();
        path::Get { at: bin("middle"), path: Vec::new() }.encode(&mut arguments);
        let step = || manager::Step {
            object: DICT,
            operation: path::Get::ROW.number,
            arguments: Bin(arguments.clone().into()),
        };
        let operations: Vec<_> = std::iter::repeat_with(step).take(count).collect();
        manager::Transaction { checks: Many::new([].into_iter()), operations: Many::new(operations.into_iter()) }
    };
    assert!(!objects.is_postponed(0, steps(60)));
    assert!(objects.is_postponed(0, steps(70)), "a transaction that looks into as much by all of its steps");
}

#[test]
fn what_a_changed_value_refers_to_lives_as_long_as_it_does() {
    let objects = Objects::new(Limits::default());
    for (object, at) in [(DICT, bin("key")), (LIST, bin(&-1)), (VALUE, bin(&())), (ARRAY, bin(&0))] {
        let (first, second) = (objects.anonymous(), objects.anonymous());
        objects.ok(object, set(at.clone(), bin(&(first.1, "beside"))));
        let values = Many::new([bin(&second.1)].into_iter());
        objects.ok(object, path::Extend { at: at.clone(), path: Vec::new(), values, create: false });
        objects.release(first.0, 1);
        objects.release(second.0, 1);
        // A change beside of a reference leaves it.
        let beside = vec![Step::Index(0), Step::Index(1)];
        objects.ok(object, path::Set { at: at.clone(), path: beside, value: bin(&0), create: false });
        assert!(objects.lives(first.0) && objects.lives(second.0));
        // What is removed is held by the session that gets it.
        objects.ok(object, path::Remove { at: at.clone(), path: vec![Step::Index(-1)] });
        assert!(objects.lives(second.0));
        objects.release(second.0, 1);
        assert!(objects.lives(first.0) && !objects.lives(second.0));
        let (code, message) =
            objects.call(object, path::Get { at: at.clone(), path: vec![Step::Index(0); 3] }).unwrap_err();
        assert_eq!(code, Code::PathMismatch);
        assert!(message.ends_with("step 3 of the path is an index, and there is a reference to a list"), "{message}");
        objects.ok(object, set(at, bin(&1)));
        assert!(!objects.lives(first.0));
    }
}
