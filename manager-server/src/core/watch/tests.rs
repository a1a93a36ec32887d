//! What waits cost those who change what is waited for.

use manager_protocol::path::Step;
use manager_protocol::watch::{ChangesReply, Condition};
use manager_protocol::{
    FrameKind, Kind, Many, Operation, ReplyHeader, SessionChoice, SessionToken, decode_value, dict, encode_value, list,
    manager, split_frame,
};

use super::looks::TAKEN;
use super::*;
use crate::core::{Core, Limits, Outcome, Time};

/// A core with the dict 1 and the list 2, and a client.
struct Desk {
    core: Core,
    client: Client,
    sent: std::cell::Cell<u64>,
}

impl Desk {
    fn new() -> Self {
        let core = Core::new(Limits::default());
        let client = core.connect(0, SessionChoice::New(true), SessionToken([0; 16])).unwrap();
        let desk = Self { core, client, sent: std::cell::Cell::new(0) };
        for (name, kind) in [("dict", Kind::Dict), ("list", Kind::List)] {
            desk.call(0, manager::Open { name: Some(name), kind });
        }
        desk
    }

    fn ask<O: Operation>(&self, object: u64, operation: O, pace: Pace) -> (Outcome, Vec<u8>) {
        let (mut arguments, mut out) = (Vec::new(), Vec::new());
        operation.encode(&mut arguments);
        self.sent.set(self.sent.get() + 1);
        let request = RequestHeader { id: self.sent.get(), operation: O::ROW.number, object, arguments: &arguments };
        let outcome = self.core.dispatch(&self.client, request, pace, Time::ZERO, &mut out);
        (outcome, out)
    }

    fn call<O: Operation>(&self, object: u64, operation: O) -> Vec<u8> {
        let (outcome, out) = self.ask(object, operation, Pace::Patient);
        assert!(matches!(outcome, Outcome::Replied), "{outcome:?}");
        let (frame, _) = split_frame(&out, usize::MAX).unwrap().unwrap();
        assert_ne!(frame.kind, FrameKind::Error);
        ReplyHeader::parse(frame.body).unwrap().result.to_vec()
    }

    fn wait(&self, object: u64, at: u8, path: Vec<Step<'_>>, condition: Condition, operand: &[u8]) {
        let (at, operand) = ([at], Some(operand.into()));
        let operation = watch::WaitFor { at: (&at[..]).into(), path, condition, operand, timeout_ms: None };
        let (outcome, _) = self.ask(object, operation, Pace::Patient);
        assert!(matches!(outcome, Outcome::Waiting), "{outcome:?}");
    }

    fn push(&self, value: &[u8]) {
        self.call(2, list::Push { value: value.into() });
    }

    fn set(&self, index: i64, value: &[u8]) {
        self.call(2, list::Set { index, value: value.into() });
    }

    fn waiting(&self) -> usize {
        self.core.census().waiting
    }
}

/// How often values are looked into meanwhile.
fn looks(act: impl FnOnce()) -> usize {
    let before = TAKEN.get();
    act();
    TAKEN.get() - before
}

/// An array that is not in its canonical form.
fn large(last: u8) -> Vec<u8> {
    encode_value(&(0..100_000_u32).map(|_| 1.0_f64).chain([last.into()]).collect::<Vec<_>>()).unwrap()
}

#[test]
fn what_was_not_touched_is_not_looked_into_again() {
    let desk = Desk::new();
    desk.push(&large(2));
    desk.push(&[0x01]);
    for _ in 0..10 {
        desk.wait(2, 0, Vec::new(), Condition::Equals, &[0x90]);
        desk.wait(2, 0, vec![Step::Index(-1)], Condition::AtLeast, &[0x03]);
    }
    assert_eq!(looks(|| (0..10).for_each(|value| desk.set(1, &[value]))), 0);
    assert_eq!(looks(|| desk.set(0, &large(2))), 2, "one look for all who look for the same");
    assert_eq!(desk.waiting(), 20);
    desk.set(0, &large(3));
    assert_eq!(desk.waiting(), 10);
    desk.set(0, &[0x90]);
    assert_eq!(desk.waiting(), 0);
}

#[test]
fn a_change_that_wakes_many_who_look_into_much_is_done_at_leisure() {
    let desk = Desk::new();
    let is_postponed = |object, value: &[u8]| {
        let outcome = match object {
            1 => desk.ask(1, dict::Set { key: (&[0x05][..]).into(), value: value.into() }, Pace::Inline).0,
            _ => desk.ask(2, list::Push { value: value.into() }, Pace::Inline).0,
        };
        matches!(outcome, Outcome::Postponed)
    };
    desk.push(&large(2));
    desk.wait(1, 5, Vec::new(), Condition::Equals, &[0x07]);
    assert!(!is_postponed(2, &[0x01]) && !is_postponed(1, &[0x01]));
    assert!(is_postponed(1, &large(2)), "it would be looked into");
    desk.wait(2, 0, Vec::new(), Condition::ChangedSince, &[0x7f]);
    assert!(!is_postponed(2, &[0x01]), "it is not looked into");
    desk.wait(2, 0, Vec::new(), Condition::Equals, &[0x90]);
    assert!(is_postponed(2, &[0x01]));
    desk.call(2, list::Set { index: 0, value: (&[0x01][..]).into() });
    assert!(!is_postponed(2, &[0x01]), "it is small now");
    desk.call(2, list::Set { index: 0, value: (&large(2)).into() });
    assert!(is_postponed(2, &[0x01]));
    desk.call(2, list::Set { index: 0, value: (&[0x90][..]).into() });
    assert!(!is_postponed(2, &[0x01]), "nobody waits for it any more");
}

#[test]
fn one_change_that_is_more_than_is_kept_is_lost() {
    let desk = Desk::new();
    let number = decode_value(&desk.call(2, watch::Begin { key: None })).unwrap();
    let changes = |after| {
        let reply = desk.call(2, watch::Changes { watch: number, after, timeout_ms: Some(0) });
        let reply = decode_value::<ChangesReply<'_>>(&reply).unwrap();
        (reply.lost, reply.splices.len(), reply.through)
    };
    let value = large(1);
    let of = |count| Many::new(std::iter::repeat_n(Encoded::from(&value), count));
    desk.call(2, list::Extend { values: of(12) });
    assert_eq!(changes(0), (true, 0, 1));
    desk.push(&[0x01]);
    assert_eq!(changes(1), (false, 1, 2));
}
