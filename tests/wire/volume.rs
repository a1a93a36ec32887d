//! Much at once: long pipelines, replies in parts, and a client that takes nothing.

use std::io::{ErrorKind, Write};
use std::thread;

use manager_protocol::{
    Cancel, Code, Encoded, ErrorReply, FrameKind, Kind, Many, Part, decode_body, decode_value, dict, list, manager,
    write_control,
};
use manager_tests::{server, server_with};

use crate::child::{Place, eventually, serve};
use crate::raw::{Raw, encoded, in_parts, request};

#[test]
fn ten_thousand_pings_in_a_row_are_answered_in_order() {
    let server = server();
    let mut raw = Raw::greeted(server.socket());
    let pings: Vec<u8> = (0..10_000).flat_map(|id| request(id, 0, manager::Ping {})).collect();
    let mut writer = raw.writer();
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(&pings).unwrap());
        for id in 0..10_000 {
            let (answered, outcome) = raw.answer();
            assert_eq!(answered, id);
            outcome.unwrap();
        }
    });
}

#[test]
fn no_frame_is_larger_than_the_limit_in_either_direction() {
    const FRAME: usize = 16 * 1024;
    let server = server_with(|config| config.limits.max_frame = FRAME);
    let mut raw = Raw::greeted(server.socket());
    let dict = raw.open("dict", Kind::Dict);
    let (key, value) = (encoded("large"), encoded(&"x".repeat(1_000_000)));
    let set = request(7, dict, dict::Set { key: (&key).into(), value: (&value).into() });
    assert_eq!(raw.ask(&in_parts(7, &set, FRAME - 100).concat()).unwrap().version, 1);

    raw.send(&request(8, dict, dict::Get { key: (&key).into() }));
    let (mut content, mut parts) = (Vec::new(), 0);
    loop {
        let (kind, body) = raw.receive().unwrap();
        assert_eq!(kind, FrameKind::ReplyPart);
        assert!(body.len() < FRAME, "a part of {} bytes", body.len());
        let part: Part<'_> = decode_body(kind, &body).unwrap();
        assert_eq!(part.id, 8);
        content.extend(part.bytes);
        parts += 1;
        if part.last {
            break;
        }
    }
    assert!(parts > 1_000_000 / FRAME, "in {parts} parts");
    let reply = manager_protocol::ReplyHeader::parse(&content[1..]).unwrap();
    assert_eq!(decode_value::<Option<Encoded<'_>>>(reply.result).unwrap(), Some(Encoded::from(&value)));

    let whole = raw.ask(&request(9, dict, dict::Items {})).unwrap();
    let items: Vec<(Encoded<'_>, Encoded<'_>)> = decode_value(&whole.result).unwrap();
    assert_eq!(items, [(Encoded::from(&key), Encoded::from(&value))]);
}

#[test]
fn nothing_more_comes_of_a_long_reply_after_its_cancel_was_answered() {
    let server = server();
    let mut raw = Raw::greeted(server.socket());
    let list = raw.open("list", Kind::List);
    let value = encoded(&"x".repeat(10_000));
    raw.call(list, list::Extend { values: Many::new((0..1000).map(|_| Encoded::from(&value))) });
    raw.send(&request(1, list, list::Values {}));
    // It has begun, and cannot end: far more is to come than a socket holds.
    assert_eq!(raw.receive().unwrap().0, FrameKind::ReplyPart);
    let mut cancel = Vec::new();
    write_control(&mut cancel, FrameKind::Cancel, &Cancel { id: 1 });
    raw.send(&[cancel.clone(), request(2, 0, manager::Ping {})].concat());
    let mut parts = 0;
    let (kind, body) = loop {
        let frame = raw.receive().unwrap();
        if frame.0 != FrameKind::ReplyPart {
            break frame;
        }
        let part: Part<'_> = decode_body(frame.0, &frame.1).unwrap();
        assert!(!part.last, "a reply that was cancelled came to its end");
        parts += part.bytes.len();
    };
    assert!(parts < 9_000_000, "{parts} bytes were still sent");
    assert_eq!(kind, FrameKind::Error);
    let error: ErrorReply = decode_body(kind, &body).unwrap();
    assert_eq!((error.id, Code::from_number(error.code)), (1, Some(Code::Cancelled)));
    assert_eq!(raw.receive().unwrap().0, FrameKind::Reply, "the ping");
    // What has ended cannot be cancelled, and what never was neither.
    raw.send(&cancel);
    raw.ping();
    assert_eq!(raw.call(list, list::Len {}).version, 1);
}

#[test]
fn a_client_that_never_reads_costs_little_and_is_disconnected() {
    // A hundred megabytes of replies, and a gigabyte.
    for (gets, size) in [(100_000, 1024), (4_000, 256 * 1024)] {
        never_reads(gets, size);
    }
}

fn never_reads(gets: u64, size: usize) {
    let place = Place::new();
    let server = serve(&place.socket, &["workers=1", "write_timeout_ms=500"]);
    let mut bystander = Raw::greeted(&place.socket);
    let dict = bystander.open("dict", Kind::Dict);
    let (key, value) = (encoded("key"), encoded(&"x".repeat(size)));
    bystander.call(dict, dict::Set { key: (&key).into(), value: (&value).into() });
    let before = server.memory("VmRSS");

    let greedy = Raw::greeted(&place.socket);
    let gets: Vec<u8> = (0..gets).flat_map(|id| request(id, dict, dict::Get { key: (&key).into() })).collect();
    let mut writer = greedy.writer();
    // Blocks as soon as the server reads no more, until it closes the connection.
    let writing = thread::spawn(move || {
        let written = writer.write_all(&gets);
        // So few requests may all be on their way before that; nothing more can be, once it is closed.
        written.and_then(|()| {
            loop {
                writer.write_all(&request(0, 0, manager::Ping {}))?;
            }
        })
    });
    let mut pings = 0;
    eventually("the client is disconnected", || {
        bystander.ping();
        pings += 1;
        writing.is_finished().then_some(())
    });
    let ended: std::io::Result<()> = writing.join().unwrap();
    let error = ended.expect_err("the replies are nowhere");
    assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
    assert!(pings > 10, "others are served meanwhile: {pings}");
    let most = server.memory("VmHWM");
    println!("the server had {before} KiB before and {most} KiB at most, with replies of {size} bytes");
    assert!(most < before + 16 * 1024, "{before} KiB have grown to {most} KiB");
    bystander.ping();
}
