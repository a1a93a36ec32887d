//! Lanes where memory is weakly ordered: each load is tried with everything that it may see.
//!
//! `cargo test -p manager-lane --features loom --test orders`

use loom::thread;
use manager_lane::{ClientEnd, SLOT_BYTES, ServerEnd};

fn lane(request_slots: usize, reply_slots: usize) -> (ServerEnd, ClientEnd) {
    let (server, _descriptor) = ServerEnd::create(request_slots, reply_slots).expect("the system has memory");
    let client = ClientEnd::of(&server, request_slots, reply_slots);
    (server, client)
}

/// What is read of a slot is what was written into it, also in the second round, in which it stands over something.
#[test]
fn a_stream_arrives_whole_and_in_order() {
    loom::model(|| {
        let (mut server, mut client) = lane(1, 1);
        let total = 2 * SLOT_BYTES;
        let writing = thread::spawn(move || {
            let bytes: Vec<u8> = (0..total as u8).collect();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let written = client.requests.write(rest).expect("nobody spoils it");
                rest = &rest[written..];
                if written == 0 {
                    thread::yield_now();
                }
            }
        });
        let (mut read, mut room) = (Vec::<u8>::new(), [0; SLOT_BYTES]);
        while read.len() < total {
            let count = server.requests.read(&mut room).expect("nobody spoils it");
            read.extend(&room[..count]);
            if count == 0 {
                thread::yield_now();
            }
        }
        writing.join().expect("it has not panicked");
        assert_eq!(read, Vec::from_iter(0..total as u8));
    });
}

/// Who sees the first slot of a short write sees the others as well.
#[test]
fn a_short_write_is_seen_whole() {
    loom::model(|| {
        let (mut server, mut client) = lane(2, 1);
        let total = SLOT_BYTES + 1;
        let writing = thread::spawn(move || {
            let bytes: Vec<u8> = (0..total as u8).collect();
            assert_eq!(client.requests.write(&bytes), Ok(total));
        });
        let mut room = [0; 2 * SLOT_BYTES];
        let read = loop {
            match server.requests.read(&mut room).expect("nobody spoils it") {
                0 => thread::yield_now(),
                read => break read,
            }
        };
        writing.join().expect("it has not panicked");
        assert_eq!(room[..read], Vec::from_iter(0..total as u8));
    });
}

#[test]
fn a_client_that_falls_asleep_is_woken() {
    loom::model(|| {
        let (mut server, mut client) = lane(1, 1);
        let writing = thread::spawn(move || {
            server.replies.write(b"r").expect("nobody spoils it");
            server.must_wake_client()
        });
        let sleeps = client.doze();
        let is_woken = writing.join().expect("it has not panicked");
        assert!(is_woken || !sleeps);
    });
}

#[test]
fn a_server_that_falls_asleep_is_woken() {
    loom::model(|| {
        let (server, mut client) = lane(1, 1);
        let looker = server.looker();
        looker.rise(None);
        let writing = thread::spawn(move || {
            client.requests.write(b"r").expect("nobody spoils it");
            client.must_wake_server()
        });
        let sleeps = !looker.doze();
        let is_woken = writing.join().expect("it has not panicked");
        assert!(is_woken || !sleeps);
    });
}
