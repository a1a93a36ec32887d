//! Which CPU a thread is on, and how it leaves it.

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The number of the CPU that this thread runs on, at this moment.
#[must_use]
pub fn current_cpu() -> usize {
    sched_getcpu()
}

/// Moves this thread off a CPU, if it may run on another; whether it was moved.
///
/// Where the thread may run is as before afterwards: it only is somewhere else. A change of that by another thread in
/// the same moment may be lost.
pub fn leave_cpu(cpu: usize) -> bool {
    let Ok(all) = sched_getaffinity(None) else { return false };
    let mut others = all;
    if cpu >= CpuSet::MAX_CPU {
        return false;
    }
    others.unset(cpu);
    if others.count() == 0 || others == all {
        return false;
    }
    let moved = sched_setaffinity(None, &others).is_ok();
    // If this fails it stays off the one CPU, which harms nobody.
    let _stays = sched_setaffinity(None, &all).is_err();
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_leaves_its_cpu_and_may_run_where_it_might_before() {
        let before = sched_getaffinity(None).unwrap();
        let cpu = current_cpu();
        assert_eq!(leave_cpu(cpu), before.count() > 1);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
        assert!(!leave_cpu(CpuSet::MAX_CPU));
    }
}
