//! The measurement: one stage after the other, and on each all contenders of a row in turns.

use std::collections::BTreeSet;
use std::env;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use crate::error::BenchError;
use crate::host::Programs;
use crate::interrupt;
use crate::peers::Peers;
use crate::perf::{Count, SystemCalls};
use crate::plan::{Bout, Contender, Effort, Kind, Pin, Stage};
use crate::progress;
use crate::results::{Finding, Line, Results};
use crate::sample::Sample;
use crate::stage::Running;
use crate::system::System;
use crate::usage::{Usage, resident_bytes};
use crate::work::{MILLION, Stock};

/// How to measure.
#[derive(Debug)]
pub(crate) struct Measurement {
    pub(crate) rounds: usize,
    pub(crate) effort: Effort,
    pub(crate) peers: Peers,
    pub(crate) programs: Programs,
    folder: TempDir,
}

impl Measurement {
    pub(crate) fn new(rounds: usize, effort: Effort, peers: Peers, ours: Option<PathBuf>) -> Result<Self, BenchError> {
        let folder = private_folder(&env::temp_dir())?;
        let python = peers.cpython.as_ref().map(|python| python.program.clone()).unwrap_or_default();
        Ok(Self { rounds, effort, peers, programs: Programs { ours, python }, folder })
    }

    pub(crate) fn of(&self, stages: &[Stage]) -> Result<Results, BenchError> {
        let mut results = Results::default();
        for stage in stages {
            progress::stage(stage);
            let mut lines = self.stage(stage)?;
            results.lines.append(&mut lines);
        }
        Ok(results)
    }

    fn stage(&self, stage: &Stage) -> Result<Vec<Line>, BenchError> {
        let contenders = stage.bouts.iter().flat_map(|bout| &bout.contenders);
        let systems: BTreeSet<System> =
            contenders.map(|one| one.system).filter(|system| self.peers.have(*system)).collect();
        // Sockets and whatever else is left over go with the stage.
        let folder = private_folder(self.folder.path())?;
        let mut running = Running::start(stage, &systems, folder.path(), &self.programs)?;
        let mut lines = Vec::new();
        if stage.pin == Pin::WhenFilled {
            for one in stage.bouts.iter().flat_map(|bout| &bout.contenders) {
                self.stock(&mut running, one)?;
            }
            running.pin()?;
        }
        for bout in &stage.bouts {
            let mut measured = match bout.kind {
                Kind::Memory => self.memory(&mut running, bout)?,
                Kind::Idle => self.idle(&mut running, bout)?,
                Kind::Together | Kind::Alone | Kind::Disturbed(_) | Kind::Busy(_) => {
                    self.bout(&mut running, bout, folder.path())?
                }
            };
            progress::lines(&measured);
            lines.append(&mut measured);
        }
        Ok(lines)
    }

    fn stock(&self, running: &mut Running, one: &Contender) -> Result<(), BenchError> {
        match one.work.stock() {
            Some(stock) if self.peers.have(one.system) => running.stock(one.system, stock),
            Some(_) | None => Ok(()),
        }
    }

    /// Measures all contenders in turns, of which each round changes the order.
    fn bout(&self, running: &mut Running, bout: &Bout, folder: &Path) -> Result<Vec<Line>, BenchError> {
        let present: Vec<&Contender> = bout.contenders.iter().filter(|one| self.peers.have(one.system)).collect();
        for one in &present {
            self.stock(running, one)?;
            if let Kind::Disturbed(Some(disturbance)) = bout.kind
                && let Some(stock) = disturbance.stock()
            {
                running.stock(one.system, stock)?;
            }
        }
        let time = self.time(bout.kind);
        for one in &present {
            running.run(one.system, one.work, bout.kind, time / 4)?;
        }
        let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); present.len()];
        for round in 0..self.rounds {
            for turn in 0..present.len() {
                let index = (round + turn) % present.len();
                interrupt::check()?;
                samples[index].push(running.run(present[index].system, present[index].work, bout.kind, time)?);
            }
        }
        let mut samples = samples.into_iter();
        let mut lines = Vec::new();
        for one in &bout.contenders {
            let finding = if self.peers.have(one.system) {
                Finding::Rounds(samples.next().unwrap_or_default())
            } else {
                Finding::NotInstalled
            };
            let mut line = line(one, finding);
            if one.row == COUNTED
                && matches!(one.system, System::Manager | System::Redis)
                && self.peers.have(one.system)
            {
                line.system_calls = self.system_calls(running, one, folder)?;
            }
            lines.push(line);
        }
        Ok(lines)
    }

    /// Counts a server's system calls in a round of its own, as counting costs time.
    fn system_calls(
        &self,
        running: &mut Running,
        one: &Contender,
        folder: &Path,
    ) -> Result<Option<SystemCalls>, BenchError> {
        let Some(count) = Count::start(running.server(one.system), folder) else { return Ok(None) };
        let sample = running.run(one.system, one.work, Kind::Together, self.time(Kind::Together))?;
        Ok(count.finish().map(|calls| calls.for_each(sample.operations)))
    }

    /// Compares the memory of each server before and after it is given a million entries.
    fn memory(&self, running: &mut Running, bout: &Bout) -> Result<Vec<Line>, BenchError> {
        let mut lines = Vec::new();
        for one in &bout.contenders {
            let finding = if self.peers.have(one.system) {
                let server = running.server(one.system);
                let before = settled_bytes(server)?;
                running.stock(one.system, Stock::Grown { entries: MILLION })?;
                let after = settled_bytes(server)?;
                Finding::Bytes(after.saturating_sub(before) as f64 / MILLION as f64)
            } else {
                Finding::NotInstalled
            };
            lines.push(line(one, finding));
        }
        Ok(lines)
    }

    /// Has clients work, and then looks what the server uses while they do nothing.
    fn idle(&self, running: &mut Running, bout: &Bout) -> Result<Vec<Line>, BenchError> {
        let mut lines = Vec::new();
        for one in &bout.contenders {
            self.stock(running, one)?;
            running.run(one.system, one.work, bout.kind, self.time(bout.kind))?;
            let (server, time) = (running.server(one.system), Duration::from_secs(1));
            let before = Usage::of(server);
            sleep(time);
            let used = Duration::from_nanos(Usage::of(server).since(before).cpu_ns);
            lines.push(line(one, Finding::Busy(used.as_secs_f64() / time.as_secs_f64() * 100.0)));
        }
        Ok(lines)
    }

    fn time(&self, kind: Kind) -> Duration {
        let disturbed = matches!(kind, Kind::Disturbed(_) | Kind::Busy(_));
        Duration::from_millis(match (self.effort, disturbed) {
            (Effort::Quick, false) => 120,
            (Effort::Quick, true) => 300,
            (Effort::Full, false) => 300,
            (Effort::Full, true) => 1000,
        })
    }
}

fn line(one: &Contender, finding: Finding) -> Line {
    Line { row: one.row.clone(), system: one.system, unit: one.work.unit(), finding, system_calls: None }
}

/// A folder that nobody else can enter: a server's socket may not be anywhere else.
fn private_folder(parent: &Path) -> Result<TempDir, BenchError> {
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix("manager-bench-").permissions(Permissions::from_mode(0o700)).tempdir_in(parent);
    made.map_err(BenchError::system("make a temporary directory"))
}

/// What a server has in memory once it has given back what it does not need: allocators take a moment for that.
fn settled_bytes(pid: u32) -> Result<u64, BenchError> {
    let gone = || BenchError::System { attempt: "read a server's memory", cause: std::io::ErrorKind::NotFound.into() };
    let mut bytes = resident_bytes(pid).ok_or_else(gone)?;
    for _ in 0..10 {
        sleep(Duration::from_millis(300));
        interrupt::check()?;
        let now = resident_bytes(pid).ok_or_else(gone)?;
        if now.abs_diff(bytes) < bytes / 1000 {
            return Ok(now);
        }
        bytes = now;
    }
    Ok(bytes)
}

/// The row of which system calls are counted.
const COUNTED: &str = "one_core_get";
