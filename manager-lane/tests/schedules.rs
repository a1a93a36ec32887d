//! The ends of a lane under many orders of execution: `cargo test -p manager-lane --features shuttle --test schedules`.

use std::collections::VecDeque;

use manager_lane::{ClientEnd, ServerEnd};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::{check_random, thread};

const SLOTS: usize = 2;
const TRIES: usize = 3000;

fn lane() -> (ServerEnd, ClientEnd) {
    let (server, _descriptor) = ServerEnd::create(SLOTS, SLOTS).unwrap();
    let client = ClientEnd::of(&server, SLOTS, SLOTS);
    (server, client)
}

/// Stands for the socket: a sleeper waits here, and is told here.
#[derive(Default)]
struct Bell {
    rings: Mutex<usize>,
    rung: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rings.lock().unwrap() += 1;
        self.rung.notify_one();
    }

    fn wait(&self) {
        let mut rings = self.rings.lock().unwrap();
        while *rings == 0 {
            rings = self.rung.wait(rings).unwrap();
        }
        *rings = 0;
    }
}

#[test]
fn bytes_arrive_whole_and_in_order() {
    check_random(
        || {
            let (mut server, mut client) = lane();
            let sent: Vec<u8> = (0..250).collect();
            let expected = sent.clone();
            let writer = thread::spawn(move || {
                let mut rest = &sent[..];
                while !rest.is_empty() {
                    let written = client.requests.write(&rest[..rest.len().min(100)]).unwrap();
                    rest = &rest[written..];
                    thread::yield_now();
                }
            });
            let (mut read, mut room) = (Vec::<u8>::new(), [0; 70]);
            while read.len() < expected.len() {
                let count = server.requests.read(&mut room).unwrap();
                read.extend(&room[..count]);
                thread::yield_now();
            }
            writer.join().unwrap();
            assert_eq!(read, expected);
        },
        TRIES,
    );
}

/// Calls in a row, each end sleeping whenever there is nothing for it: a wake that is lost is a deadlock, which the
/// scheduler finds.
#[test]
fn no_wake_is_lost() {
    check_random(
        || {
            let (mut server, mut client) = lane();
            let (to_server, to_client) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
            let (server_bell, client_bell) = (Arc::clone(&to_server), Arc::clone(&to_client));
            let serving = thread::spawn(move || {
                let looker = server.looker();
                looker.rise(None);
                for _ in 0..3 {
                    let mut request = [0; 8];
                    while server.requests.read(&mut request).unwrap() == 0 {
                        if !looker.doze() {
                            server_bell.wait();
                        }
                        looker.rise(None);
                    }
                    server.replies.write(&request[..1]).unwrap();
                    if server.must_wake_client() {
                        client_bell.ring();
                    }
                }
            });
            for call in 1..=3_u8 {
                client.requests.write(&[call]).unwrap();
                if client.must_wake_server() {
                    to_server.ring();
                }
                let mut reply = [0; 8];
                while client.replies.read(&mut reply).unwrap() == 0 {
                    if client.doze() {
                        to_client.wait();
                        client.rise();
                    }
                }
                assert_eq!(reply[0], call);
            }
            serving.join().unwrap();
        },
        TRIES,
    );
}

#[test]
fn a_full_ring_loses_nothing() {
    check_random(
        || {
            let (mut server, mut client) = lane();
            let writer = thread::spawn(move || {
                let mut left = VecDeque::from_iter(0..200_u8);
                while !left.is_empty() {
                    let written = server.replies.write(left.make_contiguous()).unwrap();
                    left.drain(..written);
                    thread::yield_now();
                }
                while !server.replies.is_taken().unwrap() {
                    thread::yield_now();
                }
            });
            let (mut read, mut room) = (Vec::<u8>::new(), [0; 33]);
            while read.len() < 200 {
                let count = client.replies.read(&mut room).unwrap();
                read.extend(&room[..count]);
                thread::yield_now();
            }
            writer.join().unwrap();
            assert_eq!(read, Vec::from_iter(0..200));
        },
        TRIES,
    );
}
