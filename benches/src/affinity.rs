//! Which CPUs processes run on.

use std::fs;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::BenchError;

/// Starts something whose processes run on one CPU, and all that they start.
pub(crate) fn on_one_cpu<T>(start: impl FnOnce() -> Result<T, BenchError>) -> Result<T, BenchError> {
    let failed = BenchError::system("pin a process to one CPU");
    let before = sched_getaffinity(None).map_err(BenchError::system("read which CPUs there are"))?;
    sched_setaffinity(None, &first(&before)).map_err(failed)?;
    let started = start();
    sched_setaffinity(None, &before).map_err(BenchError::system("go back to all CPUs"))?;
    started
}

/// Has a process that runs already go on on that CPU, with all its threads.
pub(crate) fn move_to_one_cpu(pid: u32) -> Result<(), BenchError> {
    let one = first(&sched_getaffinity(None).map_err(BenchError::system("read which CPUs there are"))?);
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_err(BenchError::system("list the threads"))?;
    for thread in threads.flatten() {
        let id = thread.file_name().to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
        // A thread may have ended meanwhile.
        let _ended = id.is_some_and(|id| sched_setaffinity(Some(id), &one).is_err());
    }
    Ok(())
}

fn first(all: &CpuSet) -> CpuSet {
    let mut one = CpuSet::new();
    if let Some(cpu) = (0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)) {
        one.set(cpu);
    }
    one
}
