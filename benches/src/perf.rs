//! System calls of a server, counted by `perf stat` where it is there and may be used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

/// How many of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct SystemCalls {
    pub(crate) receive: f64,
    pub(crate) send: f64,
    pub(crate) wait: f64,
}

impl SystemCalls {
    pub(crate) fn for_each(self, operations: u64) -> Self {
        let each = |count: f64| count / operations.max(1) as f64;
        Self { receive: each(self.receive), send: each(self.send), wait: each(self.wait) }
    }
}

/// A count that is going on.
#[derive(Debug)]
pub(crate) struct Count {
    perf: Child,
    output: PathBuf,
}

impl Count {
    /// Begins to count; `None` where that is not possible.
    pub(crate) fn start(pid: u32, folder: &Path) -> Option<Self> {
        let output = folder.join("perf");
        let events: Vec<String> =
            [RECEIVE, SEND, WAIT].concat().iter().map(|call| format!("syscalls:sys_enter_{call}")).collect();
        let mut command = Command::new("perf");
        command.args(["stat", "-x", ",", "-e", &events.join(","), "-p", &pid.to_string(), "-o"]).arg(&output);
        let perf = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut count = Self { perf, output };
        let begun = Instant::now();
        while !count.is_counting() {
            if begun.elapsed() > STARTED_WITHIN || !matches!(count.perf.try_wait(), Ok(None)) {
                return None;
            }
            sleep(Duration::from_millis(20));
        }
        Some(count)
    }

    /// Whether it has its counters, and sleeps until it is told to end.
    fn is_counting(&self) -> bool {
        let process = PathBuf::from(format!("/proc/{}", self.perf.id()));
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let counters = files.filter_map(|file| fs::read_link(file.path()).ok());
        let opened = counters.filter(|file| file.to_string_lossy().contains("perf_event")).count();
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        opened >= RECEIVE.len() + SEND.len() + WAIT.len() && status.contains("State:\tS")
    }

    /// Ends it; `None` if it could not count.
    pub(crate) fn finish(mut self) -> Option<SystemCalls> {
        kill_process(Pid::from_raw(self.perf.id().cast_signed())?, Signal::INT).ok()?;
        self.perf.wait().ok()?;
        counted(&fs::read_to_string(&self.output).ok()?)
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        // It has ended, or is of no use.
        let _ended = self.perf.kill().and_then(|()| self.perf.wait());
    }
}

/// The sums of what `perf stat -x,` prints: a line `COUNT,,EVENT,…` for each event.
fn counted(printed: &str) -> Option<SystemCalls> {
    let sum = |calls: &[&str]| {
        calls.iter().try_fold(0.0, |sum, call| {
            let event = format!("syscalls:sys_enter_{call}");
            let line = printed.lines().find(|line| line.split(',').nth(2) == Some(event.as_str()))?;
            Some(sum + line.split(',').next()?.parse::<f64>().ok()?)
        })
    };
    Some(SystemCalls { receive: sum(&RECEIVE)?, send: sum(&SEND)?, wait: sum(&WAIT)? })
}

const RECEIVE: [&str; 4] = ["read", "recvfrom", "recvmsg", "readv"];
const SEND: [&str; 4] = ["write", "sendto", "sendmsg", "writev"];
const WAIT: [&str; 4] = ["epoll_wait", "epoll_pwait", "epoll_pwait2", "poll"];

const STARTED_WITHIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_up() {
        let calls = [RECEIVE, SEND, WAIT].concat();
        let lines: Vec<String> =
            calls.iter().enumerate().map(|(n, call)| format!("{n},,syscalls:sys_enter_{call},5,100.00,,")).collect();
        let expected = SystemCalls { receive: 6.0, send: 22.0, wait: 38.0 };
        assert_eq!(counted(&lines.join("\n")), Some(expected));
        assert_eq!(expected.for_each(2).receive, 3.0);
        assert_eq!(counted("<not supported>,,syscalls:sys_enter_read,0,100.00,,"), None);
    }
}
