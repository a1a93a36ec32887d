//! Lanes, by clients that use them well and by clients that do not.

use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use manager_client::{Lane, Manager};
use manager_lane::SLOT_BYTES;
use manager_protocol::{
    Code, FrameKind, Goodbye, Kind, OpenLane, SessionChoice, decode_body, decode_value, dict, manager, queue,
};
use manager_tests::{server, server_with};

use crate::on_lane::{OnLane, PATIENCE, control, eager, wake};
use crate::raw::{Raw, encoded, request};

#[test]
fn what_is_asked_by_a_lane_is_answered_by_it() {
    let server = server_with(eager);
    let mut client = OnLane::open(server.socket());
    let dict = client.raw.open("dict", Kind::Dict);
    for round in 0..2000_u64 {
        let (key, value) = (encoded(&(round % 7)), encoded(&"x".repeat(round as usize)));
        client.write(&request(2 * round, dict, dict::Set { key: (&key).into(), value: (&value).into() }));
        client.write(&request(2 * round + 1, dict, dict::Get { key: (&key).into() }));
        assert_eq!(client.answer().0, 2 * round);
        let (id, result) = client.answer();
        let found: Option<manager_protocol::Encoded<'_>> = decode_value(&result).unwrap();
        assert_eq!((id, found.unwrap().as_slice()), (2 * round + 1, &value[..]));
        if round % 100 == 0 {
            client.raw.ping();
        }
    }
}

#[test]
fn requests_in_pieces_and_many_at_once_are_as_on_the_socket() {
    let server = server_with(eager);
    let mut client = OnLane::open(server.socket());
    let pings: Vec<u8> = (0..5000).flat_map(|id| request(id, 0, manager::Ping {})).collect();
    let mut answered = 0;
    for piece in pings.chunks(SLOT_BYTES * 50 + 1) {
        client.write(piece);
        // So that neither ring is full for ever.
        while client.lane.replies.has_more() {
            assert_eq!(client.answer().0, answered);
            answered += 1;
        }
    }
    while answered < 5000 {
        assert_eq!(client.answer().0, answered);
        answered += 1;
    }
}

/// The buffer that they are read into grows, and is nearly full at each moment of that.
#[test]
fn requests_of_any_size_go_by_a_lane() {
    let server = server_with(eager);
    let mut client = OnLane::open(server.socket());
    let dict = client.raw.open("dict", Kind::Dict);
    let key = encoded(&1);
    let sizes = (65_300..65_700).chain([130_000, 131_072, 262_144, 1 << 20]);
    for (id, size) in sizes.enumerate() {
        let value = encoded(&"x".repeat(size));
        client.write(&request(id as u64, dict, dict::Set { key: (&key).into(), value: (&value).into() }));
        assert_eq!(client.answer().0, id as u64, "{size} bytes");
    }
}

#[test]
fn a_server_that_gives_no_lane_says_so_and_goes_on() {
    let server = server_with(|config| config.max_lanes = 0);
    let mut raw = Raw::greeted(server.socket());
    let (offer, memory) = raw.open_lane();
    assert_eq!((offer.request_slots, offer.reply_slots, memory.is_none()), (0, 0, true));
    raw.ping();
    let error = Manager::options().lane(Lane::SharedMemory).connect(server.socket()).unwrap_err();
    assert!(error.is_no_shared_memory(), "{error:?}");
}

#[test]
fn a_lane_that_is_given_back_is_there_for_others() {
    let server = server_with(|config| config.max_lanes = 1);
    let held = OnLane::open(server.socket());
    let mut raw = Raw::greeted(server.socket());
    assert!(raw.open_lane().1.is_none());
    drop(held);
    let deadline = Instant::now() + PATIENCE;
    while Raw::greeted(server.socket()).open_lane().1.is_none() {
        assert!(Instant::now() < deadline, "the place is not free again");
    }
}

#[test]
fn a_second_lane_and_a_wake_without_one_end_the_connection() {
    let server = server();
    let mut client = OnLane::open(server.socket());
    client.raw.send(&control(FrameKind::OpenLane, &OpenLane()));
    assert_eq!(client.goodbye(), Some(Code::MalformedFrame));
    let mut raw = Raw::greeted(server.socket());
    raw.send(&wake());
    let (kind, body) = raw.receive().unwrap();
    assert_eq!(kind, FrameKind::Goodbye);
    assert_eq!(decode_body::<Goodbye>(kind, &body).unwrap().code, Code::MalformedFrame.number());
}

#[test]
fn a_frame_by_the_socket_inside_of_one_by_the_lane_ends_the_connection() {
    let server = server_with(eager);
    let mut client = OnLane::open(server.socket());
    let ping = request(1, 0, manager::Ping {});
    let (half, rest) = ping.split_at(7);
    client.write(half);
    client.raw.send(&wake());
    client.write(rest);
    assert_eq!(client.answer().0, 1, "a wake may come there");
    client.write(half);
    // Until the half was taken, the order of the two would be nobody's fault.
    client.write(&[]);
    let taken = || {
        let mut word = [0; 8];
        client.memory.read_exact_at(&mut word, 0).unwrap();
        u64::from_le_bytes(word)
    };
    let deadline = Instant::now() + PATIENCE;
    while taken() < 3 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    client.raw.send(&request(2, 0, manager::Ping {}));
    assert_eq!(client.goodbye(), Some(Code::MalformedFrame));
}

#[test]
fn a_wrong_stamp_ends_that_connection_alone() {
    let server = server_with(eager);
    let neighbour = server.manager().dict::<String, u64>("dict").unwrap();
    for word in [1, 0x100, 0x139, 0x201, u64::MAX] {
        let mut client = OnLane::open(server.socket());
        client.raw.ping();
        client.memory.write_all_at(&u64::to_le_bytes(word), FIRST_SLOT).unwrap();
        client.raw.send(&wake());
        assert_eq!(client.goodbye(), Some(Code::MalformedFrame), "{word:#x}");
        neighbour.add("calls", 1).unwrap();
    }
    assert_eq!(neighbour.get("calls").unwrap(), Some(5));
}

#[test]
fn a_client_that_takes_no_replies_is_cut_off() {
    let server = server_with(|config| {
        config.eager_lanes = true;
        config.write_timeout = Duration::from_millis(100);
    });
    let mut client = OnLane::open(server.socket());
    let pings: Vec<u8> = (0..100).flat_map(|id| request(id, 0, manager::Ping {})).collect();
    let mut neighbour = Raw::greeted(server.socket());
    let (deadline, mut written) = (Instant::now() + PATIENCE, 0);
    loop {
        assert!(Instant::now() < deadline, "it is served for ever");
        written += client.lane.requests.write(&pings[written..]).unwrap();
        written %= pings.len();
        if std::io::Write::write(&mut client.raw.writer(), &wake()).is_err() {
            break;
        }
        neighbour.ping();
    }
    assert_eq!(client.goodbye(), None, "it cannot be told");
}

#[test]
fn what_a_client_has_not_taken_from_its_lane_goes_back() {
    let server = server_with(|config| {
        config.eager_lanes = true;
        config.limits.grace = Duration::from_millis(50);
    });
    let jobs = server.manager().queue::<u64>("jobs").unwrap();
    jobs.put(&7).unwrap();
    let mut client = OnLane::open_in(server.socket(), SessionChoice::New(true));
    let queue = client.raw.open("jobs", Kind::Queue);
    client.write(&request(1, queue, queue::Get { timeout_ms: Some(10_000) }));
    let deadline = Instant::now() + PATIENCE;
    while !client.lane.replies.has_more() {
        assert!(Instant::now() < deadline, "no answer comes by the lane");
        std::thread::yield_now();
    }
    drop(client);
    assert_eq!(jobs.get_timeout(PATIENCE).unwrap(), 7);
}

#[test]
fn half_a_frame_is_nothing() {
    let server = server_with(eager);
    let dict = server.manager().dict::<u64, u64>("dict").unwrap();
    for cut in [1, 5, 20, 60] {
        let mut client = OnLane::open(server.socket());
        let object = client.raw.open("dict", Kind::Dict);
        let (key, value) = (encoded(&1), encoded(&"x".repeat(100)));
        let set = request(1, object, dict::Set { key: (&key).into(), value: (&value).into() });
        client.write(&set[..cut]);
    }
    assert_eq!(dict.len().unwrap(), 0);
}

/// Behind the words of control.
const FIRST_SLOT: u64 = 4096;
