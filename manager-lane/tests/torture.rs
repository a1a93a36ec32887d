//! Somebody writes whatever, wherever, into the memory of a lane while both ends use it.

#![cfg(not(any(feature = "shuttle", feature = "loom")))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use manager_lane::{ClientEnd, Corrupt, ServerEnd};

const SLOTS: usize = 16;
const WORDS: u64 = 512 + 2 * 8 * SLOTS as u64;

/// Numbers that are alike in each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Whether the word is one that says where the ends are: a stamp, or how many slots were taken.
fn is_position(place: u64) -> bool {
    place.is_multiple_of(8) && !(2 * 8..512).contains(&place)
}

/// Writes words until it is told to stop: near to what stands there, or far from it.
fn vandal(file: &File, seed: u64, spares_positions: bool, is_over: &AtomicBool) {
    let mut numbers = Numbers(seed);
    while !is_over.load(Ordering::Relaxed) {
        // Now and then a control word; few would be met by chance.
        let place = if numbers.next().is_multiple_of(8) { numbers.next() % 5 * 8 } else { numbers.next() % WORDS };
        if spares_positions && is_position(place) {
            continue;
        }
        let mut word = [0; 8];
        file.read_exact_at(&mut word, place * 8).unwrap();
        let word = match numbers.next() % 4 {
            0 => numbers.next(),
            1 => u64::from_le_bytes(word) ^ 1 << (numbers.next() % 64),
            2 => u64::from_le_bytes(word).wrapping_add(numbers.next() % 512),
            _ => numbers.next() % 4096,
        };
        file.write_all_at(&word.to_le_bytes(), place * 8).unwrap();
    }
}

/// How often an end is used if it does not come to an end by itself.
const USES: usize = 20_000;

/// How both ends come to an end, which they must, while two write over their memory.
fn torture(round: u64, spares_positions: bool) -> (Result<(), Corrupt>, Result<(), Corrupt>) {
    let (server, file) = ServerEnd::create(SLOTS, SLOTS).unwrap();
    let client = ClientEnd::open(&file, SLOTS, SLOTS).unwrap();
    let file = File::from(file);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in [1, 2] {
            let (file, is_over) = (&file, &is_over);
            scope.spawn(move || vandal(file, (round << 8) + seed, spares_positions, is_over));
        }
        let (serving, asking) = (scope.spawn(|| serve(server)), scope.spawn(|| ask(client)));
        let ended = (serving.join(), asking.join());
        is_over.store(true, Ordering::Relaxed);
        (ended.0.unwrap(), ended.1.unwrap())
    })
}

#[test]
fn both_ends_go_on_or_end_whatever_is_written() {
    for round in 1..=50 {
        let (Ok(()) | Err(Corrupt), Ok(()) | Err(Corrupt)) = torture(round, false);
    }
}

#[test]
fn wrong_bytes_and_wrong_flags_end_nothing() {
    for round in 1..=10 {
        assert_eq!(torture(round, true), (Ok(()), Ok(())));
    }
}

fn serve(mut server: ServerEnd) -> Result<(), Corrupt> {
    let mut room = [0; 300];
    for count in 0..USES {
        let asked = count % room.len();
        let read = server.requests.read(&mut room[..asked])?;
        assert!(read <= asked);
        if read > 0 || server.requests.has_more() {
            assert!(server.replies.write(&room[..read])? <= read);
            let _ = (server.must_wake_client(), server.replies.is_taken()?, server.looker().doze());
        }
    }
    Ok(())
}

fn ask(mut client: ClientEnd) -> Result<(), Corrupt> {
    let mut room = [0; 300];
    for count in 0..USES {
        let asked = count % room.len();
        assert!(client.requests.write(&room[..asked])? <= asked);
        assert!(client.replies.read(&mut room[..asked])? <= asked);
        let _ = (client.must_wake_server(), client.server_cpu(), client.doze());
        client.rise();
    }
    Ok(())
}
