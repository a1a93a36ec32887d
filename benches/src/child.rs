//! A child: a server or a client. It ends when its stdin is closed, and is ended if it does not.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use crate::error::BenchError;
use crate::interrupt;
use crate::order::Answer;

#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: process::Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    /// What it prints to stderr.
    complaints: PathBuf,
}

impl Child {
    /// Starts it; what it complains about goes into a file in this folder.
    pub(crate) fn start(name: String, mut command: Command, folder: &Path) -> Result<Self, BenchError> {
        let failed = |cause| BenchError::Start { program: name.clone(), cause };
        let complaints = folder.join(format!("{}.err", name.replace(' ', "-")));
        let stderr = File::create(&complaints).map_err(failed)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        // A signal must not find a child that is not noted yet.
        let mut living = interrupt::living();
        interrupt::check()?;
        let mut process = command.spawn().map_err(failed)?;
        living.insert(process.id().cast_signed());
        drop(living);
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().expect("stdout is a pipe");
        Ok(Self { name, process, stdin, stdout: BufReader::new(stdout).lines(), complaints })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a line of JSON.
    pub(crate) fn tell(&mut self, message: &impl Serialize) -> Result<(), BenchError> {
        let mut line = serde_json::to_string(message).expect("orders can be encoded");
        line.push('\n');
        let written = self.stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(line.as_bytes()));
        written.map_err(|_| self.died())
    }

    /// Waits for its answer.
    pub(crate) fn answer(&mut self) -> Result<Answer, BenchError> {
        let Some(Ok(line)) = self.stdout.next() else { return Err(self.died()) };
        match serde_json::from_str(&line) {
            Ok(Answer::Failed(reason)) => Err(BenchError::Work { child: self.name.clone(), reason }),
            Ok(answer) => Ok(answer),
            Err(cause) => Err(BenchError::Garbled { child: self.name.clone(), line, cause }),
        }
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> Result<(), BenchError> {
        interrupt::check()?;
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(self.died()),
            Err(cause) => Err(BenchError::System { attempt: "look after a child", cause }),
        }
    }

    /// Why it has ended, or does not do what it should; if that is not because of a signal.
    pub(crate) fn died(&self) -> BenchError {
        match interrupt::check() {
            Err(interrupted) => interrupted,
            Ok(()) => {
                let printed = fs::read_to_string(&self.complaints).unwrap_or_default();
                BenchError::Died { child: self.name.clone(), printed: printed.trim_end().to_owned() }
            }
        }
    }

    /// Waits until it has ended, but not for long.
    fn wait(&mut self, time: Duration) -> io::Result<bool> {
        let begun = Instant::now();
        loop {
            if self.process.try_wait()?.is_some() {
                return Ok(true);
            }
            if begun.elapsed() > time {
                return Ok(false);
            }
            sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        interrupt::living().remove(&self.pid().cast_signed());
        self.stdin = None;
        // Those of ours end now; others are asked to.
        if !self.wait(ON_ITS_OWN).unwrap_or(true) {
            let pid = Pid::from_raw(self.pid().cast_signed());
            let _ended = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_err());
            if !self.wait(WHEN_ASKED).unwrap_or(true) {
                let _ended = self.process.kill().and_then(|()| self.process.wait());
            }
        }
    }
}

const ON_ITS_OWN: Duration = Duration::from_millis(300);
const WHEN_ASKED: Duration = Duration::from_secs(2);
