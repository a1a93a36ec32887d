//! How many small tasks a pool does in a second, beside CPython's `multiprocessing.Pool`.
//!
//! ```text
//! cargo run --release -p manager-bench --bin pool [-- [--rounds N] [--tasks N] [--workers N] [--only WAY] [--alone]]
//! ```
//!
//! Both do the same tasks on the same machine in turns, so that what else it does meanwhile troubles both alike.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are what the program is for")]

use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use manager_client::{Pool, task};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[task]
fn square(x: u64) -> u64 {
    x * x
}

fn main() -> Outcome {
    manager_client::init();
    let settings = Settings::from_arguments(std::env::args().skip(1))?;
    let mut peer = if settings.alone { None } else { Peer::start(&settings) };
    let pool = Pool::new(settings.workers)?;
    // All workers have begun.
    while pool.status()?.workers.iter().any(|worker| worker.pid.is_none()) {
        std::thread::yield_now();
    }
    pool.map(square, 0..settings.workers as u64)?;
    println!("{} tasks by {} workers, medians of {} rounds", settings.tasks, settings.workers, settings.rounds);
    for way in WAYS.into_iter().filter(|way| settings.only.as_ref().is_none_or(|only| only == way.name)) {
        compare(&way, &pool, &settings, peer.as_mut())?;
    }
    pool.close()?;
    pool.join()?;
    Ok(())
}

struct Settings {
    rounds: usize,
    tasks: u64,
    workers: usize,
    /// This way only.
    only: Option<String>,
    /// Without the peer.
    alone: bool,
}

impl Settings {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut settings = Self { rounds: 5, tasks: 100_000, workers: 2, only: None, alone: false };
        while let Some(name) = arguments.next() {
            if name == "--alone" {
                settings.alone = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--rounds" => settings.rounds = value.parse::<usize>()?.max(1),
                "--tasks" => settings.tasks = value.parse()?,
                "--workers" => settings.workers = value.parse()?,
                "--only" => settings.only = Some(value),
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        Ok(settings)
    }
}

/// A way to have all tasks done.
struct Way {
    name: &'static str,
    run: fn(&Pool, u64) -> manager_client::Result<Vec<u64>>,
}

const WAYS: [Way; 3] = [
    Way { name: "map", run: |pool, tasks| pool.map(square, 0..tasks) },
    Way { name: "imap", run: |pool, tasks| pool.imap(square, 0..tasks).collect() },
    Way {
        name: "apply_async",
        run: |pool, tasks| {
            let results: Result<Vec<_>, _> = (0..tasks).map(|x| pool.apply_async(square, (x,))).collect();
            results?.into_iter().map(|result| result.get()).collect()
        },
    },
];

/// Lets both do it in turns, and prints the medians.
fn compare(way: &Way, pool: &Pool, settings: &Settings, mut peer: Option<&mut Peer>) -> Outcome {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        ours.push(measure(way, pool, settings.tasks)?);
        if let Some(peer) = peer.as_deref_mut() {
            theirs.push(peer.measure(way.name)?);
        }
    }
    let rate = |seconds: Vec<f64>| settings.tasks as f64 / median(seconds);
    let own = rate(ours);
    if theirs.is_empty() {
        println!("{:<12} {own:>11.0} tasks/s", way.name);
    } else {
        let other = rate(theirs);
        println!("{:<12} {own:>11.0} tasks/s  python {other:>11.0} tasks/s  ratio {:>6.2}", way.name, own / other);
    }
    Ok(())
}

/// How many seconds it takes.
fn measure(way: &Way, pool: &Pool, tasks: u64) -> Outcome<f64> {
    let begun = Instant::now();
    let squares = (way.run)(pool, tasks)?;
    let seconds = begun.elapsed().as_secs_f64();
    if !squares.iter().copied().eq((0..tasks).map(|x| x * x)) {
        return Err(format!("{} gave wrong results", way.name).into());
    }
    Ok(seconds)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    let (before, after) = (seconds[(seconds.len() - 1) / 2], seconds[seconds.len() / 2]);
    (before + after) / 2.0
}

/// CPython with its pool.
struct Peer {
    process: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts it; without it there are our own figures only.
    fn start(settings: &Settings) -> Option<Self> {
        match Self::try_start(settings) {
            Ok((peer, about)) => {
                println!("peer: {about}");
                Some(peer)
            }
            Err(error) => {
                eprintln!("python3 cannot be asked ({error}): these are the pool's own figures only");
                None
            }
        }
    }

    fn try_start(settings: &Settings) -> Outcome<(Self, String)> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/pool.py");
        let mut command = Command::new("python3");
        command.arg(script).args([settings.workers.to_string(), settings.tasks.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) = (process.stdin.take().ok_or("no stdin")?, process.stdout.take().ok_or("no stdout")?);
        let mut peer = Self { process, stdin, lines: BufReader::new(stdout).lines() };
        let about = peer.line()?;
        Ok((peer, about))
    }

    /// How many seconds it takes to do it in this way.
    fn measure(&mut self, way: &str) -> Outcome<f64> {
        writeln!(self.stdin, "{way}")?;
        Ok(self.line()?.parse()?)
    }

    fn line(&mut self) -> Outcome<String> {
        Ok(self.lines.next().ok_or("it has ended")??)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}
