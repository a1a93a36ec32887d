//! Makes thumbnails of a folder of pictures with a pool of processes: the program that explains `Pool.map` in
//! Python's tutorials. (`imap` gives each result when it is there, for the progress bar.)
//!
//! ```text
//! cargo run --release --example thumbnails -- DIR [--size N] [--workers N]
//! ```
//!
//! The thumbnails of `DIR/*.jpg`, `*.jpeg` and `*.png` go into `DIR/thumbs`. A picture that is broken does not stop the
//! others: it is named at the end, with the reason.
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use clap::Parser;
use image::{ImageReader, Limits};
use indicatif::{ProgressBar, ProgressStyle};
use manager_client::{Pool, TaskError, task};

const SAVE_DIRECTORY: &str = "thumbs";

#[derive(Parser)]
#[command(about = "Makes thumbnails of the pictures in a folder")]
struct Args {
    /// The folder of the pictures; the thumbnails go into its folder `thumbs`
    folder: PathBuf,
    /// Longest side of a thumbnail, in pixels
    #[arg(long, default_value = "75")]
    size: NonZero<u32>,
    /// How many processes work [default: one per core]
    #[arg(long)]
    workers: Option<NonZero<usize>>,
}

#[task]
fn create_thumbnail((picture, size, folder): (PathBuf, u32, PathBuf)) -> Result<(), TaskError> {
    let mut reader = ImageReader::open(&picture)?.with_guessed_format()?;
    // A header can claim any size: nothing is allocated for one that lies.
    let mut limits = Limits::default();
    limits.max_alloc = Some(512 * 1024 * 1024);
    reader.limits(limits);
    let format = reader.format().ok_or_else(|| TaskError::new("neither a JPEG nor a PNG"))?;
    let mut image = reader.decode()?;
    // One that is small enough is not made larger.
    if image.width().max(image.height()) > size {
        image = image.thumbnail(size, size);
    }
    let name = picture.file_name().ok_or_else(|| TaskError::new("no name"))?;
    // Whole or not at all, also if somebody ends this process.
    let (saved, half) = (folder.join(name), folder.join(format!(".{}.part", std::process::id())));
    image.save_with_format(&half, format)?;
    Ok(fs::rename(half, saved)?)
}

/// The pictures of a folder, by their names.
fn image_paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn main() -> Result<(), Box<dyn Error>> {
    manager_client::init();
    let args = Args::parse();
    let pictures =
        image_paths(&args.folder).map_err(|error| format!("cannot read {}: {error}", args.folder.display()))?;
    if pictures.is_empty() {
        return Err(format!("there are no pictures in {}", args.folder.display()).into());
    }
    let folder = args.folder.join(SAVE_DIRECTORY);
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;

    let workers = args.workers.or_else(|| available_parallelism().ok()).map_or(1, NonZero::get);
    let pool = Pool::new(workers)?;
    // Shown on a terminal only.
    let bar = ProgressBar::new(pictures.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} pictures")?);
    let calls = pictures.iter().map(|picture| (picture.clone(), args.size.get(), folder.clone()));
    let mut broken = Vec::new();
    for (picture, made) in pictures.iter().zip(pool.imap(create_thumbnail, calls)) {
        bar.inc(1);
        match made {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => broken.push(format!("{}: {reason}", picture.display())),
            // It ended its process, or its name is not text.
            Err(reason) => broken.push(format!("{}: {reason}", picture.display())),
        }
    }
    bar.finish_and_clear();
    pool.close()?;
    pool.join()?;

    let mut out = io::stdout().lock();
    let made = pictures.len() - broken.len();
    writeln!(out, "{made} thumbnails in {}, by {workers} processes", folder.display())?;
    for reason in &broken {
        writeln!(out, "left out: {reason}")?;
    }
    Ok(())
}
