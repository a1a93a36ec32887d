//! A server inside this process: what its connections may do, and where their limits are.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

mod support;

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::time::Duration;

use manager_protocol::{
    Assembly, Cancel, Code, Encoded, FrameKind, Kind, Many, PROTOCOL_VERSION, Part, decode_value, list, manager,
    write_control, write_part,
};
use manager_server::{Config, Server};
use support::{Raw, add_part, eventually, hello, reply_id, request};

fn server(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::private().unwrap();
    change(&mut config);
    Server::start(config).unwrap()
}

fn ping(id: u64) -> Vec<u8> {
    request(id, 0, manager::Ping {})
}

#[test]
fn what_is_no_conversation_is_refused_with_a_reason() {
    let server = server(|_| {});
    let mut unknown_kind = hello(PROTOCOL_VERSION);
    unknown_kind[4] = 0x77;
    let table: [(&[u8], Code); 8] = [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Code::FrameTooLarge),
        (&[0x00; 64], Code::MalformedFrame),
        (&[0xff; 4096], Code::FrameTooLarge),
        (&unknown_kind, Code::MalformedFrame),
        (&ping(1), Code::MalformedFrame),
        (&[0, 0, 0x40, 0x01, FrameKind::Hello as u8], Code::FrameTooLarge),
        (&[0, 0, 0, 2, FrameKind::Hello as u8, 0xc1], Code::MalformedFrame),
        (&hello(999), Code::UnsupportedVersion),
    ];
    for (bytes, code) in table {
        let mut client = Raw::connect(server.socket()).unwrap();
        client.send(bytes).unwrap();
        client.expect_goodbye(code);
    }
    Raw::greeted(server.socket()).unwrap().ping(1).unwrap();
}

#[test]
fn a_broken_frame_ends_its_connection_and_no_other() {
    let server = server(|config| config.limits.max_frame = 1 << 20);
    let mut bystander = Raw::greeted(server.socket()).unwrap();
    let welcome = [0, 0, 0, 2, FrameKind::Welcome as u8, 0xc0];
    let no_id = [0, 0, 0, 2, FrameKind::Request as u8, 0xc0];
    let table: [(&[u8], Code); 5] = [
        (&[0, 0x10, 0, 1, FrameKind::Request as u8], Code::FrameTooLarge),
        (&[0, 0, 0, 1, 0x77], Code::MalformedFrame),
        (&welcome, Code::MalformedFrame),
        (&hello(PROTOCOL_VERSION), Code::MalformedFrame),
        (&no_id, Code::MalformedFrame),
    ];
    for (bytes, code) in table {
        let mut client = Raw::greeted(server.socket()).unwrap();
        client.send(&[&ping(1), bytes].concat()).unwrap();
        assert_eq!(reply_id(&client.receive().unwrap().unwrap()), 1, "what came before it is answered");
        client.expect_goodbye(code);
        bystander.ping(2).unwrap();
    }
}

#[test]
fn a_malformed_request_is_answered_and_the_connection_lives_on() {
    let server = server(|_| {});
    let mut client = Raw::greeted(server.socket()).unwrap();
    client.send(&[0, 0, 0, 6, FrameKind::Request as u8, 0x94, 7, 0xc0, 0, 0x90]).unwrap();
    let error = client.error_reply();
    assert_eq!((error.id, error.code), (7, Code::MalformedRequest.number()));
    client.ping(8).unwrap();
}

#[test]
fn requests_arrive_in_any_pieces() {
    let server = server(|_| {});
    let mut client = Raw::connect(server.socket()).unwrap();
    for byte in [hello(PROTOCOL_VERSION), ping(1), ping(2)].concat() {
        client.send(&[byte]).unwrap();
    }
    assert_eq!(client.receive().unwrap().unwrap().0, FrameKind::Welcome);
    for id in [1, 2] {
        assert_eq!(reply_id(&client.receive().unwrap().unwrap()), id);
    }
    client.send(&(10..5000).flat_map(ping).collect::<Vec<u8>>()).unwrap();
    for id in 10..5000 {
        assert_eq!(reply_id(&client.receive().unwrap().unwrap()), id);
    }
}

#[test]
fn a_client_that_closed_its_side_still_gets_its_replies() {
    let server = server(|_| {});
    let mut client = Raw::connect(server.socket()).unwrap();
    client.send(&[hello(PROTOCOL_VERSION), ping(1)].concat()).unwrap();
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive().unwrap().unwrap().0, FrameKind::Welcome);
    assert_eq!(reply_id(&client.receive().unwrap().unwrap()), 1);
    assert!(client.receive().unwrap().is_none());
}

#[test]
fn order_is_kept_when_a_request_runs_elsewhere() {
    let server = server(|config| config.workers = 1);
    let mut client = Raw::greeted(server.socket()).unwrap();
    let list = client.open("list", Kind::List);
    let large = manager_protocol::encode_value(&"x".repeat(1_000_000)).unwrap();
    let push = || list::Push { value: (&large).into() };
    let frames = [ping(1), request(2, list, push()), request(3, list, list::Len {}), ping(4), request(5, list, push())];
    client.send(&frames.concat()).unwrap();
    for id in 1..=5 {
        assert_eq!(reply_id(&client.receive().unwrap().unwrap()), id);
    }
}

#[test]
fn a_request_may_come_in_parts_between_others() {
    let server = server(|config| config.limits.max_message = 10_000);
    let mut client = Raw::greeted(server.socket()).unwrap();
    let list = client.open("list", Kind::List);
    let value = manager_protocol::encode_value(&7).unwrap();
    let whole = request(3, list, list::Push { value: (&value).into() });
    let mut frames = ping(1);
    for (index, bytes) in whole[4..].chunks(3).enumerate() {
        let last = 4 + 3 * (index + 1) >= whole.len();
        write_part(&mut frames, FrameKind::RequestPart, &Part { id: 3, last, bytes });
        if !last {
            frames.extend(ping(2));
        }
    }
    client.send(&frames).unwrap();
    let mut ids = Vec::new();
    while ids.last() != Some(&3) {
        ids.push(reply_id(&client.receive().unwrap().unwrap()));
    }
    assert!(ids.len() > 3, "pings are answered between the parts: {ids:?}");
    assert_eq!(decode_value::<u64>(&client.call(4, list, list::Len {}).unwrap()).unwrap(), 1);

    let mut frames = Vec::new();
    for _ in 0..2 {
        write_part(&mut frames, FrameKind::RequestPart, &Part { id: 9, last: false, bytes: &[2; 6000] });
    }
    client.send(&frames).unwrap();
    client.expect_goodbye(Code::FrameTooLarge);
}

/// A list with 8 MB of values, on a server whose frames hold far less.
fn with_a_long_list() -> (Server, Raw, u64) {
    let server = server(|config| config.limits.max_frame = 1 << 20);
    let mut client = Raw::greeted(server.socket()).unwrap();
    let list = client.open("list", Kind::List);
    let value = manager_protocol::encode_value(&"x".repeat(800)).unwrap();
    for id in 0..10 {
        let values = Many::new((0..1000).map(|_| Encoded::from(&value)));
        client.call(id, list, list::Extend { values }).unwrap();
    }
    (server, client, list)
}

#[test]
fn a_long_reply_comes_in_parts_and_others_between_them() {
    let (_server, mut client, list) = with_a_long_list();
    let mut bytes = request(1, list, list::Values {});
    bytes.extend((2..10).flat_map(ping));
    client.send(&bytes).unwrap();
    let (mut assembly, mut pings) = (None::<Assembly>, Vec::new());
    let whole = loop {
        let frame = client.receive().unwrap().unwrap();
        if frame.0 != FrameKind::ReplyPart {
            pings.push(reply_id(&frame));
            continue;
        }
        if let (1, Some(whole)) = add_part(&mut assembly, &frame.1) {
            break whole;
        }
    };
    assert_eq!(pings, (2..10).collect::<Vec<_>>(), "nothing waits for a long reply");
    assert!(whole.len() > 8_000_000);
}

#[test]
fn a_long_reply_can_be_cancelled() {
    let (_server, mut client, list) = with_a_long_list();
    let mut bytes = request(1, list, list::Values {});
    write_control(&mut bytes, FrameKind::Cancel, &Cancel { id: 1 });
    client.send(&bytes).unwrap();
    let frame = eventually("the cancel is answered", || {
        client.receive().unwrap().filter(|frame| frame.0 != FrameKind::ReplyPart)
    });
    assert_eq!(frame.0, FrameKind::Error);
    client.ping(2).unwrap();
}

#[test]
fn more_long_replies_than_are_sent_at_once_all_arrive() {
    let (_server, mut client, list) = with_a_long_list();
    client.send(&(0..20).flat_map(|id| request(id, list, list::Values {})).collect::<Vec<u8>>()).unwrap();
    let mut assemblies: Vec<Option<Assembly>> = (0..20).map(|_| None).collect();
    let mut whole = 0;
    while whole < 20 {
        let (kind, body) = client.receive().unwrap().unwrap();
        assert_eq!(kind, FrameKind::ReplyPart);
        let part: Part<'_> = manager_protocol::decode_body(kind, &body).unwrap();
        let id = usize::try_from(part.id).unwrap();
        whole += usize::from(add_part(&mut assemblies[id], &body).1.is_some());
    }
    client.ping(100).unwrap();
}

#[test]
fn whoever_is_slow_with_a_hello_or_a_frame_is_told_so() {
    let server = server(|config| {
        config.hello_timeout = Duration::from_millis(50);
        config.frame_timeout = Duration::from_millis(50);
    });
    let mut silent = Raw::connect(server.socket()).unwrap();
    silent.expect_goodbye(Code::TooSlow);

    let mut idle = Raw::greeted(server.socket()).unwrap();
    let mut started = Raw::greeted(server.socket()).unwrap();
    started.send(&ping(1)[..7]).unwrap();
    started.expect_goodbye(Code::TooSlow);
    let mut part = Vec::new();
    write_part(&mut part, FrameKind::RequestPart, &Part { id: 1, last: false, bytes: b"x" });
    let mut waiting = Raw::greeted(server.socket()).unwrap();
    waiting.send(&part).unwrap();
    waiting.expect_goodbye(Code::TooSlow);
    idle.ping(1).unwrap();
}

#[test]
fn a_client_that_takes_nothing_is_disconnected_and_stops_nobody() {
    let server = server(|config| {
        config.workers = 1;
        config.write_timeout = Duration::from_millis(200);
    });
    let mut client = Raw::greeted(server.socket()).unwrap();
    let list = client.open("list", Kind::List);
    let value = manager_protocol::encode_value(&"x".repeat(100_000)).unwrap();
    client.call(1, list, list::Push { value: (&value).into() }).unwrap();

    let mut greedy = Raw::greeted(server.socket()).unwrap();
    greedy.send(&(0..1000).flat_map(|id| request(id, list, list::Get { index: 0 })).collect::<Vec<u8>>()).unwrap();
    greedy.stream().set_nonblocking(true).unwrap();
    eventually("the greedy client is cut off", || {
        client.ping(2).unwrap();
        let gone = |error: std::io::Error| matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        greedy.stream().write_all(&[0]).is_err_and(gone).then_some(())
    });
}

#[test]
fn one_connection_more_than_allowed_is_told_so() {
    let server = server(|config| config.max_connections = 2);
    let mut first = Raw::greeted(server.socket()).unwrap();
    let second = Raw::greeted(server.socket()).unwrap();
    let mut third = Raw::connect(server.socket()).unwrap();
    third.send(&hello(PROTOCOL_VERSION)).unwrap();
    third.expect_goodbye(Code::TooManyConnections);
    first.ping(1).unwrap();
    drop(second);
    eventually("a place is free again", || Raw::greeted(server.socket()).ok()).ping(1).unwrap();
}

#[test]
fn many_may_come_at_once() {
    let server = server(|config| config.max_unauthenticated = 2);
    let mut clients: Vec<Raw> = (0..200).map(|_| Raw::connect(server.socket()).unwrap()).collect();
    for client in &mut clients {
        client.send(&[hello(PROTOCOL_VERSION), ping(1)].concat()).unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.receive().unwrap().unwrap().0, FrameKind::Welcome);
        assert_eq!(reply_id(&client.receive().unwrap().unwrap()), 1);
    }
}

#[test]
fn shutting_down_tells_idle_clients_and_new_ones_and_leaves_nothing_behind() {
    let server = server(|_| {});
    let socket = server.socket().to_owned();
    let mut idle = Raw::greeted(&socket).unwrap();
    let mut silent = Raw::connect(&socket).unwrap();
    idle.ping(1).unwrap(); // Accepted in order: the silent one has been accepted as well, or is about to be.
    server.shutdown();
    idle.expect_goodbye(Code::ShuttingDown);
    assert!(matches!(silent.receive(), Ok(None | Some((FrameKind::Goodbye, _))) | Err(_)));
    assert!(!socket.parent().unwrap().exists(), "the private directory is removed");
}

#[test]
fn it_can_be_started_and_stopped_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = server(|_| {});
        Raw::greeted(server.socket()).unwrap().ping(1).unwrap();
    });
}

#[test]
fn a_socket_that_is_taken_is_an_error_of_its_own() {
    let first = server(|_| {});
    let error = Server::start(Config::new(first.socket())).unwrap_err();
    assert!(error.is_already_running(), "{error}");
    let mut config = Config::private().unwrap();
    config.workers = 0;
    assert!(Server::start(config).unwrap_err().to_string().contains("workers is 0"));
}
