//! The core as a whole: what it answers to requests of any sort.

use manager_protocol::{
    Bin, Encoded, ErrorReply, FrameKind, Kind, Many, Operation, SessionChoice, SessionToken, array, decode_body, dict,
    list, manager, path, set, split_frame, value,
};
use proptest::prelude::*;

use super::*;

/// The code of the refusal that `out` holds, if it holds one.
fn refusal(out: &[u8]) -> Option<u16> {
    let (frame, _) = split_frame(out, usize::MAX).unwrap()?;
    (frame.kind == FrameKind::Error).then(|| decode_body::<ErrorReply>(frame.kind, frame.body).unwrap().code)
}

/// One argument: what operations expect, and what they do not.
fn argument() -> impl Strategy<Value = Vec<u8>> {
    let bin = |value: Vec<u8>| {
        let mut out = Vec::new();
        rmp::encode::write_bin(&mut out, &value).unwrap();
        out
    };
    let scalar = prop_oneof![
        any::<i64>().prop_map(|number| rmp_serde::to_vec(&number).unwrap()),
        (-5_i64..5).prop_map(|number| rmp_serde::to_vec(&number).unwrap()),
        any::<f64>().prop_map(|number| rmp_serde::to_vec(&number).unwrap()),
        any::<bool>().prop_map(|yes| rmp_serde::to_vec(&yes).unwrap()),
        "[ab]{0,2}".prop_map(|text| rmp_serde::to_vec(&text).unwrap()),
        Just(vec![0xc0]),
        Just(vec![0x82, 0x01, 0x02, 0xa1, b'k', 0x92, 0x01, 0xc0]),
    ];
    let encoded = scalar.clone().prop_map(bin);
    let leaf = prop_oneof![3 => encoded, 2 => scalar, 1 => any::<Vec<u8>>()];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|items| {
            let mut out = vec![0x90 | items.len() as u8];
            items.iter().for_each(|item| out.extend(item));
            out
        })
    })
}

fn client(core: &Core) -> Client {
    core.connect(0, SessionChoice::Own, SessionToken([0; 16])).unwrap()
}

/// A core with the dict 1 and the list 2.
fn core(limits: Limits) -> Core {
    let core = Core::new(limits);
    for (name, kind) in [("dict", Kind::Dict), ("list", Kind::List)] {
        assert!(matches!(call(&core, 0, manager::Open { name: Some(name), kind }, Pace::Inline).0, Outcome::Replied));
    }
    core
}

fn call<O: Operation>(core: &Core, object: u64, operation: O, pace: Pace) -> (Outcome, Vec<u8>) {
    let (mut arguments, mut out) = (Vec::new(), Vec::new());
    operation.encode(&mut arguments);
    let request = RequestHeader { id: 1, operation: O::ROW.number, object, arguments: &arguments };
    let outcome = core.dispatch(&client(core), request, pace, Time::ZERO, &mut out);
    (outcome, out)
}

fn step<O: Operation>(object: u64, operation: O) -> manager::Step<'static> {
    let mut arguments = Vec::new();
    operation.encode(&mut arguments);
    manager::Step { object, operation: O::ROW.number, arguments: Bin(arguments.into()) }
}

fn transaction(steps: Vec<manager::Step<'_>>) -> manager::Transaction<'_> {
    manager::Transaction { checks: Many::new([].into_iter()), operations: Many::new(steps.into_iter()) }
}

#[test]
fn a_small_request_cannot_ask_for_more_memory_than_a_message_may_have() {
    let core = core(Limits { max_message: 10_000, ..Limits::default() });
    call(&core, 2, list::Push { value: (&vec![0x01]).into() }, Pace::Inline);
    let steps = vec![step(2, list::Push { value: (&vec![0x02]).into() }), step(2, list::Repeat { times: 1 << 25 })];
    let (_, out) = call(&core, 0, transaction(steps), Pace::Patient);
    assert_eq!(refusal(&out), Some(Code::LimitExceeded.number()));
    let value = manager_protocol::encode_value(&"x".repeat(1000)).unwrap();
    let keys: Vec<Vec<u8>> = (0..20).map(|key| vec![key]).collect();
    let keys = Many::new(keys.iter().map(Encoded::from));
    let (_, out) = call(&core, 1, dict::InsertKeys { keys, value: (&value).into() }, Pace::Patient);
    assert_eq!(refusal(&out), Some(Code::LimitExceeded.number()));
    for (object, len) in [(1, 0), (2, 1)] {
        let (_, out) = if object == 1 {
            call(&core, 1, dict::Len {}, Pace::Inline)
        } else {
            call(&core, 2, list::Len {}, Pace::Inline)
        };
        assert_eq!(out.last(), Some(&len), "nothing was done");
    }
}

#[test]
fn what_may_take_long_is_postponed_whatever_makes_it_long() {
    let core = core(Limits::default());
    let large = manager_protocol::encode_value(&vec!["x".repeat(1000); 100]).unwrap();
    call(&core, 2, list::Push { value: (&large).into() }, Pace::Inline);
    call(&core, 1, dict::Set { key: (&large).into(), value: (&large).into() }, Pace::Inline);
    let postponed = |(outcome, out): (Outcome, Vec<u8>)| matches!(outcome, Outcome::Postponed) && out.is_empty();
    let one = || Encoded::Borrowed(&[0x01]);
    assert!(postponed(call(&core, 2, list::Contains { value: one() }, Pace::Inline)), "large values");
    assert!(postponed(call(&core, 2, list::RepeatInPlace { times: 5000 }, Pace::Inline)), "a large result");
    assert!(postponed(call(&core, 1, dict::PopLast {}, Pace::Inline)), "a large key");
    let swap = dict::CompareAndSet { key: (&large).into(), expected: Some(one()), new: None };
    assert!(postponed(call(&core, 1, swap, Pace::Inline)), "a large value to compare with");
    let steps = (0..5000).map(|_| step(1, dict::Items {})).collect();
    assert!(postponed(call(&core, 0, transaction(steps), Pace::Inline)), "many steps");
    assert!(!postponed(call(&core, 2, list::Get { index: 0 }, Pace::Inline)), "sharing a value takes no time");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_arguments_whatever_make_an_operation_panic(
        calls in prop::collection::vec((0_usize..150, 0_u64..7, prop::collection::vec(argument(), 0..4)), 1..40),
    ) {
        let core = Core::new(Limits { max_items: 1000, max_frame: 200, ..Limits::default() });
        let client = client(&core);
        for (name, kind) in [("dict", Kind::Dict), ("list", Kind::List), ("set", Kind::Set)] {
            call(&core, 0, manager::Open { name: Some(name), kind }, Pace::Inline);
        }
        let one = || Encoded::Borrowed(&[0x01]);
        call(&core, 0, manager::OpenValue { name: Some("value"), initial: one() }, Pace::Inline);
        let values = Many::new(vec![one(), one(), one()].into_iter());
        call(&core, 0, manager::OpenArray { name: Some("array"), values }, Pace::Inline);
        let rows =
            [manager::ROWS, dict::ROWS, list::ROWS, set::ROWS, value::ROWS, array::ROWS, path::ROWS].concat();
        for (row, object, arguments) in calls {
            let row = rows[row % rows.len()];
            let mut encoded = vec![0x90 | arguments.len() as u8];
            arguments.iter().for_each(|argument| encoded.extend(argument));
            let request = RequestHeader { id: 1, operation: row.number, object, arguments: &encoded };
            let mut out = Vec::new();
            match core.dispatch(&client, request, Pace::Patient, Time::ZERO, &mut out) {
                Outcome::Replied => prop_assert_ne!(refusal(&out), Some(Code::Internal.number()), "{}", row.name),
                Outcome::Streaming(mut stream) => while stream.next_part(&mut out) {},
                Outcome::Waiting => {}
                Outcome::Postponed => prop_assert!(false, "{} was postponed though there is time", row.name),
            }
        }
    }
}

#[test]
fn a_panic_answers_its_own_request_and_leaves_the_replies_before_it() {
    let core = Core::new(Limits::default());
    let ping = |id| RequestHeader { id, operation: 1, object: 0, arguments: &[0x90] };
    let mut out = Vec::new();
    let client = client(&core);
    core.dispatch(&client, ping(1), Pace::Inline, Time::ZERO, &mut out);
    let before = out.clone();
    let outcome = core.answer(&client.session, &ping(2), &mut out, |sink| {
        manager_protocol::Sink::value(sink, 0, "half a reply");
        panic!("as a bug would");
    });
    assert!(matches!(outcome, Outcome::Replied));
    let after = out.strip_prefix(before.as_slice()).expect("earlier replies are untouched");
    let (frame, used) = split_frame(after, 1000).unwrap().unwrap();
    assert_eq!((frame.kind, used), (FrameKind::Error, after.len()));
    let error: ErrorReply = decode_body(frame.kind, frame.body).unwrap();
    assert_eq!((error.id, error.code), (2, Code::Internal.number()));
    let mut next = Vec::new();
    core.dispatch(&client, ping(1), Pace::Inline, Time::ZERO, &mut next);
    assert_eq!(next, before, "the core goes on");
}
