//! Sessions and waits, frame by frame: what is answered to whom, and what is refused.

use std::path::Path;

use manager_protocol::lock::{self, Grant};
use manager_protocol::{
    Acknowledge, Cancel, Code, Encoded, FrameKind, Goodbye, Hello, Kind, Leave, PROTOCOL_VERSION, SessionChoice,
    SessionToken, Welcome, barrier, condition, decode_body, event, list, manager, pipe, queue, write_control,
};
use manager_tests::{TestServer, server};

use crate::raw::{Raw, Reply, code, request};

/// A connection for a session, and what it was welcomed with.
fn join(socket: &Path, session: SessionChoice) -> (Raw, Welcome) {
    let (mut raw, answer) = say_hello(socket, session);
    (FrameKind::Welcome == answer.0).then_some(()).expect("a welcome");
    let welcome = decode_body(FrameKind::Welcome, &answer.1).unwrap();
    raw.ping();
    (raw, welcome)
}

fn say_hello(socket: &Path, session: SessionChoice) -> (Raw, (FrameKind, Vec<u8>)) {
    let mut raw = Raw::connect(socket);
    let hello = Hello { protocol: PROTOCOL_VERSION, client: "raw".into(), session };
    raw.send(&control(FrameKind::Hello, &hello));
    let answer = raw.receive().unwrap();
    (raw, answer)
}

fn control<T: serde::Serialize>(kind: FrameKind, body: &T) -> Vec<u8> {
    let mut out = Vec::new();
    write_control(&mut out, kind, body);
    out
}

fn again(welcome: &Welcome) -> SessionChoice {
    SessionChoice::Join(welcome.session, welcome.token.unwrap())
}

/// Why a hello is answered with a goodbye.
#[track_caller]
fn turned_away(socket: &Path, session: SessionChoice) -> Code {
    let (_, (kind, body)) = say_hello(socket, session);
    assert_eq!(kind, FrameKind::Goodbye);
    let goodbye: Goodbye = decode_body(kind, &body).unwrap();
    Code::from_number(goodbye.code).unwrap()
}

const ONE: &[u8] = &[0x01];

fn push() -> list::Push<'static> {
    list::Push { value: Encoded::Borrowed(ONE) }
}

#[test]
fn a_change_sent_again_is_answered_with_the_same_bytes_and_made_once() {
    let server = server();
    let (mut first, welcome) = join(server.socket(), SessionChoice::New(true));
    let object = first.open("list", Kind::List);
    let change = request(7, object, push());
    let answer = first.ask(&change).unwrap();
    assert_eq!(first.ask(&change).unwrap(), answer);
    let (mut second, rejoined) = join(server.socket(), again(&welcome));
    assert_eq!((rejoined.session, rejoined.epoch), (welcome.session, welcome.epoch));
    drop(first);
    assert_eq!(second.ask(&change).unwrap(), answer);
    // Other words under the same number.
    let other = second.ask(&request(7, object, list::Pop {})).unwrap_err();
    assert_eq!(code(&other), Code::RequestMismatch);
    // What was acknowledged is not remembered, and not done again either.
    second.send(&control(FrameKind::Acknowledge, &Acknowledge { next: 8, awaited: vec![] }));
    assert_eq!(code(&second.ask(&change).unwrap_err()), Code::StaleRequest);
    assert_eq!(second.call(object, list::Len {}).result, [0x01]);
    second.send(&control(FrameKind::Leave, &Leave()));
}

#[test]
fn a_session_is_joined_with_its_token_and_while_it_lives() {
    let server = server();
    let (mut raw, welcome) = join(server.socket(), SessionChoice::New(true));
    let SessionChoice::Join(id, SessionToken(mut token)) = again(&welcome) else { unreachable!("it was made so") };
    token[15] ^= 1;
    assert_eq!(turned_away(server.socket(), SessionChoice::Join(id, SessionToken(token))), Code::NotAuthorised);
    assert_eq!(turned_away(server.socket(), SessionChoice::Join(id + 1000, SessionToken(token))), Code::SessionExpired);
    let (own, welcomed) = join(server.socket(), SessionChoice::Own);
    assert_eq!(welcomed.token, None, "it cannot be joined");
    let guessed = SessionChoice::Join(welcomed.session, SessionToken([0; 16]));
    assert_eq!(turned_away(server.socket(), guessed), Code::NotAuthorised);
    drop(own);
    raw.send(&control(FrameKind::Leave, &Leave()));
    let (kind, body) = raw.receive().unwrap();
    assert_eq!(kind, FrameKind::Goodbye);
    let goodbye: Goodbye = decode_body(kind, &body).unwrap();
    assert_eq!(Code::from_number(goodbye.code), Some(Code::SessionExpired));
    assert_eq!(turned_away(server.socket(), again(&welcome)), Code::SessionExpired);
}

/// A server with a lock that somebody has, and one who waits for it.
fn contended() -> (TestServer, Raw, Raw, u64) {
    let server = server();
    let (mut holder, _) = join(server.socket(), SessionChoice::Own);
    let object = holder.open("lock", Kind::Lock);
    holder.call(object, lock::Acquire { holder: 1, timeout_ms: Some(0) });
    let (mut waiter, _) = join(server.socket(), SessionChoice::Own);
    waiter.send(&request(5, object, lock::Acquire { holder: 1, timeout_ms: None }));
    (server, holder, waiter, object)
}

#[test]
fn a_wait_holds_up_nothing_behind_it() {
    let (_server, mut holder, mut waiter, object) = contended();
    let status: lock::LockStatus = decoded(&waiter.call(object, lock::Status {}));
    assert_eq!((status.held, status.waiting), (true, 1));
    holder.call(object, lock::Release { holder: 1 });
    let (id, answer) = waiter.answer();
    let grant: Option<Grant> = decoded(&answer.unwrap());
    assert_eq!((id, grant), (5, Some(Grant { token: 2, owner_died: false })));
}

#[test]
fn a_wait_ends_when_it_is_cancelled_and_when_its_object_is_deleted() {
    let (_server, mut holder, mut waiter, object) = contended();
    waiter.send(&control(FrameKind::Cancel, &Cancel { id: 5 }));
    let (id, answer) = waiter.answer();
    assert_eq!((id, code(&answer.unwrap_err())), (5, Code::Cancelled));
    waiter.send(&request(6, object, lock::Acquire { holder: 1, timeout_ms: None }));
    waiter.ping();
    holder.call(0, manager::Delete { name: "lock" });
    let (id, answer) = waiter.answer();
    assert_eq!((id, code(&answer.unwrap_err())), (6, Code::NoSuchObject));
}

#[test]
fn the_next_holder_is_told_that_the_one_before_has_gone() {
    let (_server, holder, mut waiter, _) = contended();
    waiter.ping();
    drop(holder);
    let (_, answer) = waiter.answer();
    assert_eq!(decoded::<Option<Grant>>(&answer.unwrap()), Some(Grant { token: 2, owner_died: true }));
}

fn decoded<T: serde::de::DeserializeOwned>(reply: &Reply) -> T {
    rmp_serde::from_slice(&reply.result).unwrap()
}

#[test]
fn times_and_counts_that_make_no_sense_are_refused() {
    let server = server();
    let mut raw = Raw::greeted(server.socket());
    let [lock, queue, event, pipe, condition] = [
        ("lock", Kind::Lock),
        ("queue", Kind::Queue),
        ("event", Kind::Event),
        ("pipe", Kind::Pipe),
        ("c", Kind::Condition),
    ]
    .map(|(name, kind)| raw.open(name, kind));
    raw.call(pipe, pipe::Attach { side: pipe::Side::Left, ticket: None });
    raw.call(0, manager::OpenBarrier { name: Some("barrier"), parties: 2 });
    let barrier = raw.open("barrier", Kind::Barrier);
    let negative = Some(-1);
    let value = || Encoded::Borrowed(ONE);
    for (name, frame) in [
        ("lock.acquire", request(7, lock, lock::Acquire { holder: 1, timeout_ms: negative })),
        ("queue.put", request(7, queue, queue::Put { value: value(), priority: None, timeout_ms: negative })),
        ("queue.get", request(7, queue, queue::Get { timeout_ms: negative })),
        ("queue.reserve", request(7, queue, queue::Reserve { lease_ms: negative, timeout_ms: None })),
        ("queue.reserve", request(7, queue, queue::Reserve { lease_ms: None, timeout_ms: Some(i64::MIN) })),
        ("queue.join", request(7, queue, queue::Join { timeout_ms: negative })),
        ("event.wait", request(7, event, event::Wait { timeout_ms: negative })),
        ("pipe.receive", request(7, pipe, pipe::Receive { side: pipe::Side::Left, timeout_ms: negative })),
        ("barrier.wait", request(7, barrier, barrier::Wait { timeout_ms: negative })),
    ] {
        let error = raw.ask(&frame).unwrap_err();
        assert_eq!(code(&error), Code::InvalidArgument, "{name}: {}", error.message);
        assert!(error.message.starts_with(name) && error.message.contains("negative"), "{}", error.message);
    }
    // The longest time is none that overflows, and a lease that is not out is nobody's.
    raw.send(&request(8, lock, lock::Acquire { holder: 1, timeout_ms: Some(i64::MAX) }));
    assert_eq!(raw.answer().0, 8);
    let error = raw.ask(&request(7, queue, queue::Ack { lease: 99 })).unwrap_err();
    assert_eq!(code(&error), Code::LeaseLost);
    for frame in [
        request(7, condition, condition::Wait { holder: 1, timeout_ms: None }),
        request(7, condition, condition::Notify { holder: 1, count: None }),
        request(7, condition, condition::Release { holder: 1 }),
        request(7, lock, lock::Release { holder: 2 }),
    ] {
        assert_eq!(code(&raw.ask(&frame).unwrap_err()), Code::NotHeld);
    }
}

#[test]
fn waits_that_are_asked_for_again_while_their_connection_ends_are_all_answered() {
    const WAITS: u64 = 50;
    let server = server();
    for round in 0..30 {
        let (mut first, welcome) = join(server.socket(), SessionChoice::New(true));
        let (mut second, _) = join(server.socket(), again(&welcome));
        let object = second.open(&format!("event {round}"), Kind::Event);
        let wait = |id| request(id, object, event::Wait { timeout_ms: None });
        (0..WAITS).for_each(|id| first.send(&wait(id)));
        first.ping();
        drop(first);
        (0..WAITS).for_each(|id| second.send(&wait(id)));
        second.send(&request(WAITS, object, event::Set {}));
        let mut answered: Vec<u64> = (0..=WAITS).map(|_| second.answer().0).collect();
        answered.sort_unstable();
        assert_eq!(answered, (0..=WAITS).collect::<Vec<_>>());
        second.send(&control(FrameKind::Leave, &Leave()));
    }
}

#[test]
fn what_was_not_read_is_taken_back_when_the_session_is_left() {
    let server = server();
    let (mut first, welcome) = join(server.socket(), SessionChoice::New(true));
    let mut other = Raw::greeted(server.socket());
    let [queue, lock] = [("queue", Kind::Queue), ("lock", Kind::Lock)].map(|(name, kind)| other.open(name, kind));
    other.call(queue, queue::Put { value: Encoded::Borrowed(ONE), priority: None, timeout_ms: None });
    let (mut second, _) = join(server.socket(), again(&welcome));
    let get = request(1, queue, queue::Get { timeout_ms: None });
    // At once: whatever is heard of a client later says that it has what was sent before.
    first.send(&[get, request(2, lock, lock::Acquire { holder: 1, timeout_ms: None })].concat());
    // Both are granted; nobody reads that.
    let status: lock::LockStatus = loop {
        let status: lock::LockStatus = decoded(&second.call(lock, lock::Status {}));
        if status.held {
            break status;
        }
    };
    assert_eq!(status.token, 1);
    drop(first);
    second.send(&control(FrameKind::Leave, &Leave()));
    let grant = other.call(lock, lock::Acquire { holder: 1, timeout_ms: None });
    assert_eq!(decoded::<Option<Grant>>(&grant), Some(Grant { token: 2, owner_died: false }));
    assert_eq!(other.call(queue, queue::Get { timeout_ms: None }).result[..2], [0xc4, 0x01]);
}

#[test]
fn a_large_item_that_was_read_in_part_returns() {
    let server = server();
    let (mut first, welcome) = join(server.socket(), SessionChoice::New(true));
    let mut other = Raw::greeted(server.socket());
    let object = other.open("queue", Kind::Queue);
    let item = manager_protocol::encode_value(&"x".repeat(10_000_000)).unwrap();
    other.call(object, queue::Put { value: Encoded::from(&item), priority: None, timeout_ms: None });
    let (mut second, _) = join(server.socket(), again(&welcome));
    first.send(&request(1, object, queue::Get { timeout_ms: None }));
    // More is heard of the client while the reply is on its way.
    assert_eq!(first.receive().map(|frame| frame.0), Some(FrameKind::ReplyPart));
    first.send(&request(2, 0, manager::Ping {}));
    for _ in 0..10 {
        assert!(first.receive().is_some());
    }
    drop(first);
    second.send(&control(FrameKind::Leave, &Leave()));
    let returned = other.call(object, queue::Get { timeout_ms: None });
    assert_eq!(returned.result.len(), item.len() + 5);
}
