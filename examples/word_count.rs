//! Counts the words of many files with many processes that share one dict and one list of files.
//!
//! ```text
//! cargo run --release --example word_count -- [PATH]... [--workers N] [--check] [--socket PATH]
//! ```
//!
//! The parent puts the files into a shared list; each worker takes one after the other and adds its
//! words to a shared dict, all the words of one file in one write.
#![allow(clippy::print_stdout, reason = "the program's result")]

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use manager_client::{Manager, ManagerDict, ManagerList};

/// Larger files are not prose.
const LARGEST_FILE: u64 = 8 * 1024 * 1024;

#[derive(Parser)]
#[command(about = "Counts words with many processes that share one dict")]
struct Args {
    /// Files and folders to count [default: this repository]
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
    to_do: ManagerList<PathBuf>,
    counts: ManagerDict<String, u64>,
    progress: ManagerDict<String, u64>,
}

impl Shared {
    fn open(manager: &Manager, run: &str) -> Result<Self, manager_client::Error> {
        Ok(Self {
            to_do: manager.list(&format!("{run}/to_do"))?,
            counts: manager.dict(&format!("{run}/counts"))?,
            progress: manager.dict(&format!("{run}/progress"))?,
        })
    }

    fn delete(manager: &Manager, run: &str) -> Result<(), manager_client::Error> {
        for name in ["to_do", "counts", "progress"] {
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
    // A daemon may serve several runs at once, so each has names of its own.
    let run = format!("word_count/{}", std::process::id());
    let result = parent(&args, &manager, &run);
    Shared::delete(&manager, &run)?;
    result
}

fn parent(args: &Args, manager: &Manager, run: &str) -> Result<(), Box<dyn Error>> {
    let files = text_files(&args.paths)?;
    let shared = Shared::open(manager, run)?;
    shared.to_do.extend(&files)?;

    let workers = args.workers.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let me = std::env::current_exe()?;
    let children =
        (0..workers).map(|_| manager.command(&me).args(["--run", run]).spawn()).collect::<Result<Vec<_>, _>>()?;
    watch(children, files.len() as u64, &shared)?;

    let counts: HashMap<String, u64> = shared.counts.items()?.into_iter().collect();
    let total: u64 = counts.values().sum();
    println!("{total} words, {} different, in {} files, by {workers} workers", counts.len(), files.len());
    for (word, count) in commonest(&counts, 20) {
        println!("{count:8} {word}");
    }
    if args.check {
        check(&files, &counts)?;
        println!("check: a count in one process gives the same");
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
    while let Some(path) = shared.to_do.pop_front()? {
        let counts = count_file(&path)?;
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
    Ok(())
}

/// The words of a file; none if it is not text.
fn count_file(path: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    let Ok(text) = String::from_utf8(fs::read(path)?) else {
        return Ok(counts);
    };
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    Ok(counts)
}

fn check(files: &[PathBuf], counts: &HashMap<String, u64>) -> Result<(), Box<dyn Error>> {
    let mut expected: HashMap<String, u64> = HashMap::new();
    for file in files {
        for (word, count) in count_file(file)? {
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

/// Every file under the given paths that may be text, in a fixed order.
fn text_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let repository = [Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    let paths = if paths.is_empty() { &repository } else { paths };
    let mut files = Vec::new();
    for path in paths {
        let path = fs::canonicalize(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        collect(&path, &mut files).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        return Err("no files to count under the given paths".into());
    }
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            // Hidden folders and build results are not text that somebody wrote.
            if !name.to_string_lossy().starts_with('.') && name != "target" {
                collect(&entry.path(), files)?;
            }
        }
    } else if metadata.is_file() && metadata.len() <= LARGEST_FILE {
        files.push(path.to_owned());
    }
    Ok(())
}
