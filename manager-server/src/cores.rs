//! Which core each worker is on.
//!
//! Left to itself, the system may keep all workers on one core and their clients on another: as long as all cores are
//! busy it moves nobody, and each request then wakes another core twice. A worker that stays on its core is joined
//! there by the clients that it answers, which makes a request cost half as much.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that the server may use, if each worker can have one.
#[derive(Debug, Clone)]
pub(crate) struct Cores {
    all: CpuSet,
    numbers: Vec<usize>,
}

impl Cores {
    /// A core for each of so many workers; `None` if there are more or fewer cores than that.
    pub(crate) fn for_workers(workers: usize) -> Option<Self> {
        let all = sched_getaffinity(None).ok()?;
        let numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|number| all.is_set(*number)).collect();
        (numbers.len() == workers && workers > 1).then_some(Self { all, numbers })
    }

    /// Keeps this thread on one of them.
    pub(crate) fn keep_to(&self, index: usize) {
        let mut own = CpuSet::new();
        own.set(self.numbers[index]);
        adopt(&own);
    }

    /// Lets this thread go where it likes, although the one that started it may not.
    pub(crate) fn roam(&self) {
        adopt(&self.all);
    }
}

fn adopt(cores: &CpuSet) {
    // It would be slower elsewhere, not wrong.
    if let Err(error) = sched_setaffinity(None, cores) {
        tracing::debug!(%error, "cannot choose the cores of a thread");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_stays_on_its_core_and_its_helpers_roam() {
        let all = sched_getaffinity(None).unwrap();
        let count = all.count() as usize;
        assert!(Cores::for_workers(count + 1).is_none(), "there is no core for each");
        let Some(cores) = Cores::for_workers(count) else {
            assert_eq!(count, 1, "one core needs no choice");
            return;
        };
        let own = std::thread::spawn(move || {
            cores.keep_to(count - 1);
            let kept = sched_getaffinity(None).unwrap();
            let roaming = std::thread::spawn(move || {
                cores.roam();
                sched_getaffinity(None).unwrap()
            });
            (kept, roaming.join().unwrap())
        });
        let (kept, roaming) = own.join().unwrap();
        assert_eq!((kept.count(), roaming), (1, all));
    }
}
