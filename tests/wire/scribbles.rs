//! Clients that scribble over all of the memory that they share with the server, while others, on lanes too, do their
//! work.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use manager_client::aio;
use manager_client::{Lane, Manager, ManagerDict};
use manager_protocol::manager;
use manager_tests::{block_on, server_with};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::on_lane::{OnLane, eager, wake};
use crate::raw::request;

/// For as long as the variable says, in seconds, and for some rounds at least; the scribblers are killed in the middle
/// of whatever they do.
#[test]
fn whatever_is_written_over_a_lane_harms_no_other() {
    let server = server_with(eager);
    let time = env::var(TIME).map_or(Duration::ZERO, |time| Duration::from_secs(time.parse().unwrap()));
    let mut scribblers: Vec<Scribbler> = (0..4).map(|seed| Scribbler::start(server.socket(), seed)).collect();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for nth in 0..2 {
            let manager = Manager::options().lane(Lane::SharedMemory).connect(server.socket()).unwrap();
            scope.spawn(move || {
                let dict: ManagerDict<u64, String> = manager.dict("dict").unwrap();
                work(begin, time, |round| {
                    let (key, value) = (10_000 * nth + round % 100, format!("{nth}-{round}"));
                    dict.set(&key, &value).unwrap();
                    assert_eq!(dict.get(&key).unwrap(), Some(value));
                });
            });
        }
        scope.spawn(|| {
            let connecting = aio::Manager::options().lane(Lane::SharedMemory).connect(server.socket());
            let counts: aio::ManagerDict<String, u64> = block_on(block_on(connecting).unwrap().dict("counts")).unwrap();
            work(begin, time, |round| assert_eq!(block_on(counts.add("rounds", 1)).unwrap(), round + 1));
        });
        let mut seed = 4;
        while begin.elapsed() < time || seed < 12 {
            let nth = seed as usize % scribblers.len();
            scribblers[nth].await_rounds(20);
            scribblers[nth] = Scribbler::start(server.socket(), seed);
            seed += 1;
        }
    });
}

/// Goes on for some rounds, and for so long.
fn work(begin: Instant, time: Duration, mut turn: impl FnMut(u64)) {
    let mut round = 0;
    while round < 300 || begin.elapsed() < time {
        turn(round);
        round += 1;
    }
}

/// A process that scribbles until it is killed.
struct Scribbler {
    process: Child,
    rounds: BufReader<ChildStdout>,
}

impl Scribbler {
    fn start(socket: &Path, seed: u64) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "scribbles::a_scribbler", "--nocapture"])
            .env(ROLE, seed.to_string())
            .env("MANAGER_SOCKET", socket)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let rounds = BufReader::new(process.stdout.take().unwrap());
        Self { process, rounds }
    }

    /// Waits until it has scribbled over so many lanes.
    fn await_rounds(&mut self, count: usize) {
        let told = self.rounds.by_ref().lines().map(Result::unwrap).filter(|line| line.ends_with(ROUND)).take(count);
        assert_eq!(told.count(), count, "the scribbler has ended");
    }
}

impl Drop for Scribbler {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// No test by itself: what such a process does.
#[test]
fn a_scribbler() {
    let Ok(seed) = env::var(ROLE) else { return };
    let socket = env::var_os("MANAGER_SOCKET").unwrap();
    let mut random = SmallRng::seed_from_u64(seed.parse().unwrap());
    loop {
        scribble(OnLane::open(socket.as_ref()), &mut random);
        println!("{ROUND}");
    }
}

fn scribble(mut client: OnLane, random: &mut SmallRng) {
    let size = client.memory.metadata().unwrap().len();
    let ping = request(1, 0, manager::Ping {});
    for _ in 0..random.random_range(1..200) {
        let place = random.random_range(0..size / 8) * 8;
        let word: u64 = match random.random_range(0..3) {
            0 => random.random(),
            1 => random.random_range(0..0x10000),
            _ => 1 << random.random_range(0..64),
        };
        client.memory.write_all_at(&word.to_le_bytes(), place).unwrap();
        if random.random_bool(0.2) {
            // What it writes properly in between may fail as well.
            let _ = client.lane.requests.write(&ping);
        }
    }
    // It may have been cut off already.
    let _ = client.raw.writer().write(&wake());
}

/// How long it goes on, in seconds.
const TIME: &str = "MANAGER_SCRIBBLE_SECONDS";

/// Says that the process scribbles; the seed of what it writes.
const ROLE: &str = "MANAGER_TEST_SCRIBBLER";

/// A lane was scribbled over.
const ROUND: &str = "scribbled";
