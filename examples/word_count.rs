//! Counts the words of many files with many processes that share one dict and one list of files.
//!
//! ```text
//! cargo run --release --example word_count -- [PATH]... [--workers N] [--check] [--socket PATH]
//! ```
//!
//! A pool of processes takes one file after the other and adds its words to a shared dict, all the words of one file
//! in one write. What is not text, cannot be read or has more than 8 MiB is left out and named at the end.
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use manager_client::{Manager, ManagerDict, task};

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
}

/// Adds the words of one file to the counts of all, in one write; how many they are, or why the file is left out.
#[task]
fn count_into((counts, path): (ManagerDict<String, u64>, String)) -> Result<u64, String> {
    let words = count_file(&path)?;
    let manager = Manager::from_env().map_err(|error| error.to_string())?;
    // Each addition is atomic by itself.
    let pipeline = manager.pipeline();
    let sums: Vec<_> = words.iter().map(|(word, count)| counts.on(&pipeline).add(word, *count)).collect();
    let sent = pipeline.send().and_then(|()| sums.into_iter().try_for_each(|sum| sum.take().map(drop)));
    sent.map_err(|error| error.to_string())?;
    Ok(words.values().sum())
}

fn main() -> Result<(), Box<dyn Error>> {
    manager_client::init();
    let args = Args::parse();
    let manager = match &args.socket {
        Some(socket) => Manager::connect(socket)?,
        None => Manager::start()?,
    };
    let Found { files, mut skipped } = Found::under(&args.paths)?;
    let workers = args.workers.or_else(|| available_parallelism().ok()).map_or(1, NonZero::get);
    // Without a name: nobody else sees it, and it goes with the last process that has it.
    let shared = manager.new_dict::<String, u64>()?;

    let pool = manager.pool(workers)?;
    // Shown on a terminal only.
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {msg} words")?;
    let bar = ProgressBar::new(files.len() as u64).with_style(style);
    let (mut counted, mut words) = (0, 0);
    for outcome in pool.imap_unordered(count_into, files.iter().map(|path| (shared.clone(), path.clone()))) {
        bar.inc(1);
        match outcome? {
            Ok(more) => (counted, words) = (counted + 1, words + more),
            Err(reason) => skipped.push(reason),
        }
        bar.set_message(words.to_string());
    }
    bar.finish_and_clear();
    pool.close()?;
    pool.join()?;

    let counts: HashMap<String, u64> = shared.items()?.into_iter().collect();
    let total: u64 = counts.values().sum();
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
