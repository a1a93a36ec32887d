//! A stream of bytes means the same however it is cut into writes.

use std::ops::Range;

use manager_protocol::{
    Bin, Cancel, Encoded, FrameKind, Kind, Many, RequestHeader, dict, list, manager, write_control,
};
use manager_tests::{TestServer, server_with};
use proptest::prelude::*;

use crate::raw::{Raw, encoded, hello, in_parts, request, request_of};

/// A server with one thread, whose objects get the same numbers each time.
fn fresh() -> TestServer {
    server_with(|config| config.workers = 1)
}

const DICT: u64 = 1;
const LIST: u64 = 2;

/// Frames of most sorts, refusals among them, and how many answers they get.
fn conversation() -> Vec<Vec<u8>> {
    let (key, one, two) = (encoded("key"), encoded(&1), encoded(&2.5));
    let bytes = |value| Encoded::Borrowed(value);
    let pairs = [(bytes(&key), bytes(&one)), (bytes(&one), bytes(&two))];
    let mut arguments = Vec::new();
    manager_protocol::Operation::encode(dict::Get { key: bytes(&key) }, &mut arguments);
    let step = manager::Step { object: DICT, operation: 0x0102, arguments: Bin((&arguments).into()) };
    let check = manager::Check { object: DICT, version: 3 };
    let mut cancel = Vec::new();
    write_control(&mut cancel, FrameKind::Cancel, &Cancel { id: 77 });
    vec![
        request(1, 0, manager::Open { name: Some("dict"), kind: Kind::Dict }),
        request(2, 0, manager::Open { name: Some("list"), kind: Kind::List }),
        request(3, DICT, dict::Set { key: bytes(&key), value: bytes(&one) }),
        request(4, DICT, dict::InsertMany { entries: Many::new(pairs.into_iter()) }),
        request(5, DICT, dict::Add { key: bytes(&key), delta: bytes(&one), bounds: None }),
        request(6, DICT, dict::Items {}),
        cancel,
        request(7, LIST, list::Extend { values: Many::new([bytes(&one), bytes(&two)].into_iter()) }),
        request(8, LIST, list::ExtendFrom { source: LIST }),
        request(9, LIST, list::Get { index: 99 }),
        request(10, LIST, list::Slice { slice: list::Range { start: None, stop: None, step: -2 } }),
        request_of(11, 0x01ff, DICT, &[0x90]),
        request_of(12, 0x0102, DICT, &[0x91, 0xc4, 0xff]),
        request(
            13,
            0,
            manager::Transaction { checks: Many::new([check].into_iter()), operations: Many::new([step].into_iter()) },
        ),
        request(14, LIST, list::Sort { descending: true }),
        request(15, LIST, list::Values {}),
        request(16, 0, manager::Ping {}),
    ]
}

/// The same, with the longer requests in parts and others between the parts.
fn conversation_in_parts() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (nth, frame) in conversation().into_iter().enumerate() {
        if nth % 3 != 0 || frame[4] != FrameKind::Request as u8 {
            frames.push(frame);
            continue;
        }
        let id = RequestHeader::parse(&frame[5..]).unwrap().id;
        for part in in_parts(id, &frame, 11) {
            frames.push(part);
            frames.push(request(100 + nth as u64, 0, manager::Ping {}));
        }
    }
    frames
}

/// What is answered behind the welcome, which alone differs between servers.
fn answers(raw: &mut Raw) -> Vec<u8> {
    raw.finish();
    let welcome = raw.receive().expect("a welcome");
    assert_eq!(welcome.0, FrameKind::Welcome);
    raw.receive_all()
}

fn all_at_once(stream: &[u8]) -> Vec<u8> {
    let server = fresh();
    let mut raw = Raw::connect(server.socket());
    raw.send(stream);
    answers(&mut raw)
}

/// The same bytes in two writes, of which the server has seen the first before the second is made.
fn cut(stream: &[u8], at: usize) -> Vec<u8> {
    let server = fresh();
    let mut bystander = Raw::greeted(server.socket());
    let mut raw = Raw::connect(server.socket());
    raw.send(&stream[..at]);
    // The only thread of the server answers these after it was woken for the bytes before them.
    bystander.ping();
    bystander.ping();
    raw.send(&stream[at..]);
    answers(&mut raw)
}

/// The conversation with its hello, and how many answers it gets.
fn stream(conversation: &[Vec<u8>]) -> Vec<u8> {
    [hello(), conversation.concat()].concat()
}

fn same_wherever_cut(stream: &[u8], cuts: Range<usize>) {
    let whole = all_at_once(stream);
    for at in cuts {
        assert!(cut(stream, at) == whole, "cut at byte {at} of {}, the answers are others", stream.len());
    }
}

#[test]
fn a_conversation_is_answered_whole() {
    let answers = all_at_once(&stream(&conversation()));
    let mut kinds = Vec::new();
    let mut rest = answers.as_slice();
    while let Some((frame, used)) = manager_protocol::split_frame(rest, 1 << 20).unwrap() {
        kinds.push(frame.kind);
        rest = &rest[used..];
    }
    assert_eq!(kinds.len(), 16, "one answer to each request");
    let refused = kinds.iter().enumerate().filter(|(_, kind)| **kind == FrameKind::Error).map(|(at, _)| at + 1);
    assert_eq!(refused.collect::<Vec<_>>(), [9, 11, 12]);
    assert!(kinds.iter().all(|kind| matches!(kind, FrameKind::Reply | FrameKind::Error)));
    assert!(rest.is_empty());
}

#[test]
fn answers_are_the_same_bytes_wherever_the_requests_are_cut() {
    let stream = stream(&conversation());
    same_wherever_cut(&stream, 1..stream.len());
}

#[test]
fn answers_are_the_same_bytes_wherever_requests_in_parts_are_cut() {
    let stream = stream(&conversation_in_parts());
    let parts = all_at_once(&stream);
    assert!(parts.len() > all_at_once(&self::stream(&conversation())).len(), "the pings are answered as well");
    same_wherever_cut(&stream, 1..stream.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_the_same_bytes_in_any_pieces(
        in_parts: bool,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let stream = stream(&if in_parts { conversation_in_parts() } else { conversation() });
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let server = fresh();
        let mut raw = Raw::connect(server.socket());
        for piece in cuts.windows(2) {
            raw.send(&stream[piece[0]..piece[1]]);
        }
        prop_assert!(answers(&mut raw) == all_at_once(&stream), "the answers are others");
    }
}
