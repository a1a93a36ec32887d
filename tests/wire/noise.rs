//! Random bytes and damaged frames: the server stays alive and other connections are unharmed.

use manager_protocol::{Encoded, HEADER_BYTES, Kind, Many, decode_value, dict, list, manager};
use manager_tests::server_with;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::raw::{Raw, encoded, hello, in_parts, request};

/// Good frames to be damaged, for the objects 1 (a dict) and 2 (a list).
fn frames() -> Vec<Vec<u8>> {
    let (key, value) = (encoded("key"), encoded(&[1, 2, 3]));
    let pairs = [(Encoded::from(&key), Encoded::from(&value))];
    let push = request(6, 2, list::Push { value: (&value).into() });
    let mut frames = vec![
        request(1, 1, dict::Set { key: (&key).into(), value: (&value).into() }),
        request(2, 1, dict::InsertMany { entries: Many::new(pairs.into_iter()) }),
        request(3, 1, dict::Add { key: (&key).into(), delta: (&key).into(), bounds: None }),
        request(4, 2, list::Slice { slice: list::Range { start: Some(0), stop: None, step: 2 } }),
        request(5, 2, list::RepeatInPlace { times: 2 }),
        request(7, 0, manager::Open { name: Some("another"), kind: Kind::List }),
        request(
            8,
            0,
            manager::Transaction { checks: Many::new([].into_iter()), operations: Many::new([].into_iter()) },
        ),
        request(9, 1, dict::Items {}),
        hello(),
    ];
    frames.extend(in_parts(6, &push, 5));
    frames.push(push);
    frames
}

/// Some of the frames in a row, damaged in a few places; often with the lengths still right.
fn damaged(random: &mut StdRng, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..random.random_range(1..6) {
        let mut frame = frames[random.random_range(0..frames.len())].clone();
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..frame.len());
            match random.random_range(0..4) {
                0 => frame[at] ^= 1 << random.random_range(0..8),
                1 => frame[at] = random.random(),
                2 => frame.insert(at, random.random()),
                _ => frame.truncate(at.max(HEADER_BYTES + 1)),
            }
        }
        if random.random_bool(0.7) {
            let length = u32::try_from(frame.len() - HEADER_BYTES).unwrap();
            frame[..HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
        }
        out.extend(frame);
    }
    out
}

fn garbage(random: &mut StdRng) -> Vec<u8> {
    let length = random.random_range(0..300);
    (0..length).map(|_| random.random()).collect()
}

#[test]
fn noise_harms_nobody_else() {
    let server = server_with(|config| config.limits.max_items = 10_000);
    let mut bystander = Raw::greeted(server.socket());
    let (dict, _list) = (bystander.open("dict", Kind::Dict), bystander.open("list", Kind::List));
    let own = bystander.open("own", Kind::Dict);
    assert!(dict == 1 && own == 3, "the frames are for the objects 1 and 2");
    let key = encoded("key");
    let frames = frames();
    // Always the same noise, so that what it finds can be found again.
    let mut random = StdRng::seed_from_u64(22);
    for round in 0..2000_u64 {
        let mut raw = Raw::connect(server.socket());
        let noise = if round % 2 == 0 { damaged(&mut random, &frames) } else { garbage(&mut random) };
        let greeting = if round % 5 == 0 { Vec::new() } else { hello() };
        // A server that has refused a part may have closed its side before the rest.
        let _refused = std::io::Write::write_all(&mut raw.writer(), &[greeting, noise].concat()).is_err();
        let _gone = raw.writer().shutdown(std::net::Shutdown::Write).is_err();
        raw.receive_all();

        let value = encoded(&round);
        bystander.call(own, dict::Set { key: (&key).into(), value: (&value).into() });
        let seen = bystander.call(own, dict::Get { key: (&key).into() }).result;
        let seen: Option<Encoded<'_>> = decode_value(&seen).unwrap();
        assert_eq!(seen, Some(Encoded::from(&value)), "after round {round}");
    }
    Raw::greeted(server.socket()).ping();
}
