//! Counts the words of many files with many processes that share one dict and one list of files.
//!
//! ```text
//! cargo run --release --example word_count -- [PATH]... [--workers N] [--check] [--socket PATH]
//! ```
//!
//! The parent puts the files into a shared list; each worker takes one after the other and adds its
//! words to a shared dict, all the words of one file in one write. What is not text, cannot be read or
//! has more than 8 MiB is left out and named at the end.
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use manager_client::{Manager, ManagerDict, ManagerList};

/// Larger files are not prose.
const LARGEST_FILE: u64 = 8 * 1024 * 1024;

#[derive(Parser)]
#[command(about = "Counts words with many processes that share one dict")]
struct Args {
    /// Files and folders to count, text of up to 8 MiB a file [default: this repository]
    paths: Vec<PathBuf>,
    /// How many processes count [default: one per core]
    #[arg(long)]
    workers: Option<NonZero<usize>>,
    /// Count again in one process, and fail if anything differs
    #[arg(long)]
    check: bool,
    /// Use the manager-server at this socket instead of a private one
    #[arg(long)]
    socket: Option<PathBuf>,
    /// In a worker: the prefix of the names of this run's objects
    #[arg(long, hide = true)]
    run: Option<String>,
}

/// What the processes share.
struct Shared {
    to_do: ManagerList<String>,
    /// Files that were left out, and why.
    skipped: ManagerList<String>,
    counts: ManagerDict<String, u64>,
    progress: ManagerDict<String, u64>,
}

impl Shared {
    fn open(manager: &Manager, run: &str) -> Result<Self, manager_client::Error> {
        Ok(Self {
            to_do: manager.list(&format!("{run}/to_do"))?,
            skipped: manager.list(&format!("{run}/skipped"))?,
            counts: manager.dict(&format!("{run}/counts"))?,
            progress: manager.dict(&format!("{run}/progress"))?,
        })
    }

    fn delete(manager: &Manager, run: &str) -> Result<(), manager_client::Error> {
        for name in ["to_do", "skipped", "counts", "progress"] {
            manager.delete(&format!("{run}/{name}"))?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(run) = &args.run {
        let manager = Manager::from_env()?;
        return worker(&manager, &Shared::open(&manager, run)?);
    }
    let manager = match &args.socket {
        Some(socket) => Manager::connect(socket)?,
        None => Manager::start()?,
    };
    // A daemon may serve several runs at once, and one before may have been killed.
    let started = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let run = format!("word_count/{}-{started}", std::process::id());
    let result = parent(&args, &manager, &run);
    Shared::delete(&manager, &run)?;
    result
}

fn parent(args: &Args, manager: &Manager, run: &str) -> Result<(), Box<dyn Error>> {
    let found = Found::under(&args.paths)?;
    let files = found.files;
    let shared = Shared::open(manager, run)?;
    shared.to_do.extend(&files)?;
    shared.skipped.extend(&found.skipped)?;

    let workers = args.workers.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let me = std::env::current_exe()?;
    let children =
        (0..workers).map(|_| manager.command(&me).args(["--run", run]).spawn()).collect::<Result<Vec<_>, _>>()?;
    watch(children, files.len() as u64, &shared)?;

    let counts: HashMap<String, u64> = shared.counts.items()?.into_iter().collect();
    let total: u64 = counts.values().sum();
    let skipped = shared.skipped.values()?;
    let counted = files.len() + found.skipped.len() - skipped.len();
    let mut out = io::stdout().lock();
    writeln!(out, "{total} words, {} different, in {counted} files, by {workers} workers", counts.len())?;
    for (word, count) in commonest(&counts, 20) {
        writeln!(out, "{count:8} {word}")?;
    }
    for reason in &skipped {
        writeln!(out, "left out: {reason}")?;
    }
    if args.check {
        check(&files, &counts)?;
        writeln!(out, "check: a count in one process gives the same")?;
    }
    Ok(())
}

/// Shows the progress until all workers have ended; any that failed is an error.
fn watch(mut children: Vec<Child>, files: u64, shared: &Shared) -> Result<(), Box<dyn Error>> {
    // Shown on a terminal only.
    let bar =
        ProgressBar::new(files).with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} files, {msg} words")?);
    let mut failed = None;
    while !children.is_empty() {
        let mut running = Vec::new();
        for mut child in children {
            match child.try_wait()? {
                None => running.push(child),
                Some(status) if status.success() => {}
                Some(status) => failed = Some(status),
            }
        }
        children = running;
        bar.set_position(shared.progress.get("files")?.unwrap_or(0));
        bar.set_message(shared.progress.get("words")?.unwrap_or(0).to_string());
        std::thread::sleep(Duration::from_millis(20));
    }
    bar.finish_and_clear();
    failed.map_or(Ok(()), |status| Err(format!("a worker ended with {status}: its counts are missing").into()))
}

fn worker(manager: &Manager, shared: &Shared) -> Result<(), Box<dyn Error>> {
    let mut skipped = Vec::new();
    while let Some(path) = shared.to_do.pop_front()? {
        let counts = count_file(&path).unwrap_or_else(|reason| {
            skipped.push(reason);
            BTreeMap::new()
        });
        // One write for the whole file; each addition is atomic by itself.
        let pipeline = manager.pipeline();
        let sums: Vec<_> = counts.iter().map(|(word, count)| shared.counts.on(&pipeline).add(word, *count)).collect();
        let progress = shared.progress.on(&pipeline);
        let files = progress.add("files", 1);
        let words = progress.add("words", counts.values().sum());
        pipeline.send()?;
        for sum in sums {
            sum.take()?;
        }
        files.take()?;
        words.take()?;
    }
    Ok(shared.skipped.extend(&skipped)?)
}

/// The words of a file, or why it is left out.
fn count_file(path: &str) -> Result<BTreeMap<String, u64>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{path}: not UTF-8 text"))?;
    let mut counts = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    Ok(counts)
}

fn check(files: &[String], counts: &HashMap<String, u64>) -> Result<(), Box<dyn Error>> {
    let mut expected: HashMap<String, u64> = HashMap::new();
    for file in files {
        for (word, count) in count_file(file).unwrap_or_default() {
            *expected.entry(word).or_default() += count;
        }
    }
    if *counts == expected {
        return Ok(());
    }
    let different = expected.iter().filter(|(word, count)| counts.get(*word) != Some(count)).count();
    Err(format!("check: {different} of {} words differ from a count in one process", expected.len()).into())
}

fn commonest(counts: &HashMap<String, u64>, most: usize) -> Vec<(&String, u64)> {
    let mut sorted: Vec<_> = counts.iter().map(|(word, count)| (word, *count)).collect();
    sorted.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(right.0)));
    sorted.truncate(most);
    sorted
}

/// What is under the given paths, in a fixed order.
#[derive(Default)]
struct Found {
    files: Vec<String>,
    skipped: Vec<String>,
}

impl Found {
    fn under(paths: &[PathBuf]) -> Result<Self, Box<dyn Error>> {
        let repository = [Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
        let mut found = Self::default();
        for path in if paths.is_empty() { &repository } else { paths } {
            let path = fs::canonicalize(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            found.add(&path);
        }
        found.files.sort();
        found.files.dedup();
        if found.files.is_empty() {
            return Err(format!("no files to count under the given paths; left out: {:?}", found.skipped).into());
        }
        Ok(found)
    }

    fn add(&mut self, path: &Path) {
        let Some(name) = path.to_str() else {
            return self.skipped.push(format!("{}: its name is not UTF-8", path.display()));
        };
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.add_folder(path),
            Ok(metadata) if metadata.len() > LARGEST_FILE => self.skipped.push(format!("{name}: over 8 MiB")),
            Ok(metadata) if metadata.is_file() => self.files.push(name.to_owned()),
            Ok(_) => {} // Links, sockets and the like are not files that somebody wrote here.
            Err(error) => self.skipped.push(format!("{name}: {error}")),
        }
    }

    fn add_folder(&mut self, path: &Path) {
        let entries = match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => return self.skipped.push(format!("{}: {error}", path.display())),
        };
        for entry in entries {
            let name = entry.file_name();
            // Hidden folders and build results are not text that somebody wrote.
            if !name.to_string_lossy().starts_with('.') && name != "target" {
                self.add(&entry.path());
            }
        }
    }
}
