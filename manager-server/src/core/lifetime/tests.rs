use std::cell::Cell;
use std::task::{Context, Waker};

use manager_protocol::{
    Code, Encoded, ErrorReply, FrameKind, Kind, Operation, ReplyHeader, RequestHeader, SessionChoice, SessionToken,
    decode_body, decode_value, dict, encode_value, manager, split_frame,
};

use super::*;
use crate::core::{Client, Clock, Core, Limits, Now, Outcome};

/// A core with the dict 1, and a client.
struct Desk {
    core: Core,
    client: Client,
}

/// Whether it was asked.
#[derive(Debug, Default)]
struct Asked(Cell<bool>);

impl Clock for Asked {
    fn time(&self) -> Time {
        self.0.set(true);
        Time::ZERO
    }
}

impl Desk {
    fn new() -> Self {
        let core = Core::new(Limits::default());
        let client = core.connect(0, SessionChoice::Own, SessionToken([0; 16])).unwrap();
        let desk = Self { core, client };
        desk.ask(0, manager::Open { name: Some("dict"), kind: Kind::Dict }, 0).unwrap();
        desk
    }

    fn dispatch<O: Operation>(&self, object: u64, operation: O, ms: u64, pace: Pace) -> (Outcome, Vec<u8>) {
        self.dispatch_at(Duration::from_millis(ms).into(), object, operation, pace)
    }

    fn dispatch_at<O: Operation>(&self, now: Now<'_>, object: u64, operation: O, pace: Pace) -> (Outcome, Vec<u8>) {
        let (mut arguments, mut out) = (Vec::new(), Vec::new());
        operation.encode(&mut arguments);
        let request = RequestHeader { id: 1, operation: O::ROW.number, object, arguments: &arguments };
        let outcome = self.core.dispatch(&self.client, request, pace, now, &mut out);
        (outcome, out)
    }

    /// Whether an operation on the dict asks for the time.
    fn asks_time<O: Operation>(&self, operation: O) -> bool {
        let clock = Asked::default();
        self.dispatch_at(Now::Asked(&clock), 1, operation, Pace::Inline);
        clock.0.get()
    }

    /// The version and the result, or the code of the refusal.
    fn ask<O: Operation>(&self, object: u64, operation: O, ms: u64) -> Result<(u64, Vec<u8>), Code> {
        let (outcome, out) = self.dispatch(object, operation, ms, Pace::Patient);
        assert!(matches!(outcome, Outcome::Replied), "{outcome:?}");
        let (frame, _) = split_frame(&out, usize::MAX).unwrap().unwrap();
        if frame.kind == FrameKind::Error {
            let error: ErrorReply = decode_body(frame.kind, frame.body).unwrap();
            return Err(Code::from_number(error.code).unwrap());
        }
        let reply = ReplyHeader::parse(frame.body).unwrap();
        Ok((reply.version, reply.result.to_vec()))
    }

    fn insert(&self, key: u64, ttl_ms: Option<i64>, session: bool, ms: u64) -> Result<(u64, Vec<u8>), Code> {
        let key = encode_value(&key).unwrap();
        let value = Encoded::Borrowed(&[0x01]);
        self.ask(1, dict::InsertWith { key: (&key).into(), value, ttl_ms, session }, ms)
    }

    /// When the next timer goes off, in milliseconds.
    fn next(&self) -> Option<u128> {
        self.core.next_due(&mut Context::from_waker(Waker::noop())).map(|due| due.as_millis())
    }

    fn expire(&self, ms: u64) {
        self.core.expire(Duration::from_millis(ms));
    }

    fn len(&self, ms: u64) -> (u64, u64) {
        let (version, len) = self.ask(1, dict::Len {}, ms).unwrap();
        (version, decode_value(&len).unwrap())
    }
}

const MANY: u64 = 5 * SLICE as u64;

#[test]
fn what_has_ended_is_removed_though_nobody_looks() {
    let desk = Desk::new();
    desk.insert(1, Some(100), true, 0).unwrap();
    desk.insert(2, Some(70), true, 0).unwrap();
    desk.insert(3, None, true, 0).unwrap();
    assert_eq!(desk.next(), Some(70));
    desk.expire(69);
    assert_eq!((desk.core.census().held, desk.core.census().timers), (3, 0), "no timer that anybody waits for");
    desk.expire(70);
    // Two timers of one dict are never closer to each other than this.
    assert_eq!((desk.core.census().held, desk.next()), (2, Some(120)));
    desk.expire(119);
    assert_eq!(desk.core.census().held, 2);
    desk.expire(120);
    assert_eq!((desk.core.census().held, desk.next()), (1, None));
    assert_eq!(desk.len(120), (5, 1), "each removal is a change");
}

#[test]
fn the_clock_is_read_where_something_ends() {
    let desk = Desk::new();
    let (key, value) = (Encoded::Borrowed(&[0x01]), Encoded::Borrowed(&[0x02]));
    assert!(!desk.asks_time(dict::Set { key: key.clone(), value: value.clone() }));
    assert!(!desk.asks_time(dict::Get { key: key.clone() }));
    assert!(desk.asks_time(dict::Ttl { key: key.clone() }));
    assert!(desk.asks_time(dict::InsertWith { key: key.clone(), value, ttl_ms: Some(60_000), session: false }));
    assert!(desk.asks_time(dict::Get { key: key.clone() }), "it might have ended");
    assert!(desk.asks_time(dict::Expire { key: key.clone(), ttl_ms: None }));
    assert!(!desk.asks_time(dict::Get { key }));
}

#[test]
fn an_end_that_is_put_off_keeps_one_timer_that_goes_off_in_vain_once() {
    let desk = Desk::new();
    desk.insert(1, Some(100), true, 0).unwrap();
    for ms in 1..100 {
        desk.insert(1, Some(100), true, ms).unwrap();
    }
    assert_eq!(desk.next(), Some(100));
    desk.expire(100);
    assert_eq!((desk.core.census().held, desk.next()), (1, Some(199)));
}

#[test]
fn much_that_has_ended_is_removed_at_leisure_before_an_operation() {
    let desk = Desk::new();
    for key in 0..MANY {
        desk.insert(key, Some(10), false, 0).unwrap();
    }
    let (outcome, out) = desk.dispatch(1, dict::Len {}, 10, Pace::Inline);
    assert!(matches!(outcome, Outcome::Postponed) && out.is_empty());
    let (version, len) = desk.len(10);
    assert_eq!(len, 0);
    assert!((MANY + 2..=MANY + 5).contains(&version), "in several changes: {version}");
}

#[test]
fn the_timer_leaves_what_takes_long_to_another_thread() {
    let desk = Desk::new();
    for key in 0..MANY {
        desk.insert(key, Some(10), true, 0).unwrap();
    }
    let mut chores = desk.core.expire_inline(Duration::from_millis(10)).expect("it takes long");
    assert_eq!(desk.core.census().held as u64, MANY - SLICE as u64);
    assert_eq!(desk.next(), None, "it is not told again while it is at work");
    let mut pieces = 1;
    while chores.go_on(&desk.core) {
        pieces += 1;
    }
    assert_eq!((pieces, desk.core.census().held), (4, 0));
    desk.insert(1, Some(10), true, 10).unwrap();
    assert_eq!(desk.next(), Some(60), "it is told again");
}

#[test]
fn a_deleted_dict_leaves_no_timer() {
    let desk = Desk::new();
    desk.insert(1, Some(100), true, 0).unwrap();
    assert_eq!(desk.next(), Some(100));
    desk.ask(0, manager::Delete { name: "dict" }, 0).unwrap();
    assert_eq!(desk.next(), None);
}

#[test]
fn a_session_that_has_ended_gets_no_entries_and_a_large_one_goes_at_leisure() {
    let desk = Desk::new();
    for key in 0..MANY {
        desk.insert(key, None, true, 0).unwrap();
    }
    let (version, _) = desk.insert(MANY, None, false, 0).unwrap();
    desk.core.leave(&desk.client, Time::ZERO);
    assert_eq!(desk.insert(1, None, true, 0), Err(Code::SessionExpired));
    assert_eq!((desk.core.census().held as u64, desk.core.census().timers), (MANY, 1));
    desk.expire(0);
    assert_eq!((desk.core.census().held, desk.core.census().timers), (0, 0));
    assert_eq!(desk.len(0), (version + 1, 1), "as one change");
}

#[test]
fn a_time_to_live_is_judged_and_the_longest_is_no_trouble() {
    let desk = Desk::new();
    let key = || Encoded::Borrowed(&[0x01]);
    for wrong in [0, -1, i64::MIN, i64::MAX, 315_576_000_001] {
        assert_eq!(desk.insert(1, Some(wrong), false, 0), Err(Code::InvalidArgument));
        // It is judged though there is no such key.
        assert_eq!(desk.ask(1, dict::Expire { key: key(), ttl_ms: Some(wrong) }, 0), Err(Code::InvalidArgument));
    }
    assert_eq!(desk.len(0), (0, 0));
    desk.insert(1, Some(315_576_000_000), false, u64::MAX).unwrap();
    let (_, left) = desk.ask(1, dict::Ttl { key: key() }, u64::MAX).unwrap();
    assert_eq!(decode_value::<Option<dict::TimeLeft>>(&left).unwrap().unwrap().left_ms, Some(315_576_000_000));
}
