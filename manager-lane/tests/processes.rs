//! A lane between two processes: this test is the server, and the client is this program again.

#![cfg(not(any(feature = "shuttle", feature = "loom")))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

use std::env;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread::yield_now;

use manager_lane::{ClientEnd, ServerEnd, receive, send};

const SLOTS: (usize, usize) = (32, 16);

/// What the other process is to do.
const ROLE: &str = "MANAGER_LANE_TEST_ROLE";

/// Starts this program as a client that does what the role says, and gives it a lane.
fn start(role: &str) -> (Child, UnixStream, ServerEnd) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "the_other_process"])
        .env(ROLE, role)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (server, file) = ServerEnd::create(SLOTS.0, SLOTS.1).unwrap();
    assert_eq!(send(&ours, b"lane", file.as_fd()).unwrap(), 4);
    (child, ours, server)
}

/// No test by itself: what the other process does.
#[test]
fn the_other_process() {
    let Ok(role) = env::var(ROLE) else { return };
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
    let (count, came) = receive(&socket, &mut [0; 4]).unwrap();
    assert_eq!(count, 4);
    let client = ClientEnd::open(&came.unwrap(), SLOTS.0, SLOTS.1).unwrap();
    match role.as_str() {
        "exchange" => exchange(client, socket),
        "flood" => flood(client, socket),
        other => panic!("unknown role {other}"),
    }
}

const MESSAGES: u64 = 100_000;
const MESSAGE_BYTES: usize = 32;

fn request(number: u64) -> [u8; MESSAGE_BYTES] {
    let mut message = [number as u8; MESSAGE_BYTES];
    message[..8].copy_from_slice(&number.to_le_bytes());
    message
}

/// The sum of all words of a message.
fn sum(message: &[u8]) -> u64 {
    let (words, _) = message.as_chunks();
    words.iter().fold(0, |sum: u64, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

fn reply(request: &[u8]) -> Vec<u8> {
    request.iter().map(|byte| !byte).collect()
}

/// Sends all requests and takes all replies, sleeping at the socket when there is nothing to do; then tells the sum of
/// the replies.
fn exchange(mut client: ClientEnd, mut socket: UnixStream) {
    let (mut asked, mut answered, mut replies) = (0, 0, 0_u64);
    let (mut rest, mut room) = (Vec::new(), [0; 1000]);
    let mut begun = Vec::new();
    while answered < MESSAGES {
        if rest.is_empty() && asked < MESSAGES {
            rest.extend(request(asked));
            asked += 1;
        }
        let written = client.requests.write(&rest).unwrap();
        rest.drain(..written);
        let read = client.replies.read(&mut room).unwrap();
        begun.extend_from_slice(&room[..read]);
        let whole = begun.len() - begun.len() % MESSAGE_BYTES;
        for message in begun[..whole].chunks(MESSAGE_BYTES) {
            replies = replies.wrapping_add(sum(message));
            answered += 1;
        }
        begun.drain(..whole);
        if written == 0 && read == 0 && client.doze() {
            assert_eq!(socket.read(&mut [0]).unwrap(), 1);
            client.rise();
        }
    }
    socket.write_all(b"s").unwrap();
    socket.write_all(&replies.to_le_bytes()).unwrap();
}

#[test]
fn messages_go_both_ways_and_sleepers_are_woken() {
    let (mut child, mut socket, mut server) = start("exchange");
    let (mut requests, mut answered) = (0_u64, 0);
    let mut message = [0; MESSAGE_BYTES];
    while answered < MESSAGES {
        let mut filled = 0;
        while filled < MESSAGE_BYTES {
            let read = server.requests.read(&mut message[filled..]).unwrap();
            filled += read;
            if read == 0 {
                yield_now();
            }
        }
        assert_eq!(message, request(answered));
        requests = requests.wrapping_add(sum(&message));
        let reply = reply(&message);
        let mut rest = &reply[..];
        while !rest.is_empty() {
            let written = server.replies.write(rest).unwrap();
            rest = &rest[written..];
            if server.must_wake_client() {
                socket.write_all(b"w").unwrap();
            }
            if written == 0 {
                yield_now();
            }
        }
        answered += 1;
    }
    let (expected_requests, expected_replies) = (0..MESSAGES).fold((0_u64, 0_u64), |(requests, replies), number| {
        let message = request(number);
        (requests.wrapping_add(sum(&message)), replies.wrapping_add(sum(&reply(&message))))
    });
    let mut last = [0];
    socket.read_exact(&mut last).unwrap();
    assert_eq!(last, *b"s");
    let mut replies = [0; 8];
    socket.read_exact(&mut replies).unwrap();
    assert_eq!((requests, u64::from_le_bytes(replies)), (expected_requests, expected_replies));
    assert!(child.wait().unwrap().success());
}

/// The byte at a place of an endless stream in which no stretch is like the one before.
fn byte(place: u64) -> u8 {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Writes until the server is gone, in pieces of many sizes.
fn flood(mut client: ClientEnd, mut socket: UnixStream) {
    socket.set_nonblocking(true).unwrap();
    let mut place = 0;
    loop {
        let piece: Vec<u8> = (place..place + place % 150 + 1).map(byte).collect();
        let written = client.requests.write(&piece).unwrap();
        place += written as u64;
        if written == 0 {
            if socket.read(&mut [0]).is_ok_and(|read| read == 0) {
                return;
            }
            yield_now();
        }
    }
}

#[test]
fn a_writer_that_is_killed_leaves_nothing_corrupt() {
    for round in 0..30 {
        let (mut child, _socket, mut server) = start("flood");
        let (mut place, mut room) = (0, [0; 200]);
        let mut take = |server: &mut ServerEnd| {
            let read = server.requests.read(&mut room).unwrap();
            for found in &room[..read] {
                assert_eq!(*found, byte(place));
                place += 1;
            }
            (read, place)
        };
        while take(&mut server).1 < 1000 * round {
            yield_now();
        }
        child.kill().unwrap();
        // While it is dying it may be writing still.
        while take(&mut server).0 > 0 {}
        child.wait().unwrap();
        while take(&mut server).0 > 0 {}
        assert!(!server.requests.has_more());
    }
}
