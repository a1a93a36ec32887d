//! The watch that a client looks at: when to begin, when to end, and how long each call took.

use std::thread::sleep;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

use crate::order::Report;

#[derive(Debug, Clone)]
pub(crate) struct Stopwatch {
    start_ns: u64,
    stop_ns: u64,
    last_ns: u64,
    operations: u64,
    latencies: Histogram<u64>,
}

impl Stopwatch {
    pub(crate) fn new(start_ns: u64, stop_ns: u64) -> Self {
        Self { start_ns, stop_ns, last_ns: start_ns, operations: 0, latencies: latencies() }
    }

    /// Waits until all clients begin. Who is late begins later; the rates are by each client's own time.
    pub(crate) fn start(&mut self) {
        sleep(Duration::from_nanos(self.start_ns.saturating_sub(now_ns())));
        self.start_ns = now_ns();
        self.last_ns = self.start_ns;
    }

    /// Whether there is time for another call.
    pub(crate) fn goes_on(&self) -> bool {
        self.last_ns < self.stop_ns
    }

    /// A call has ended, by which so many operations were done.
    pub(crate) fn lap(&mut self, operations: usize) {
        let now = now_ns();
        self.latencies.saturating_record(now - self.last_ns);
        self.operations += operations as u64;
        self.last_ns = now;
    }

    pub(crate) fn report(&self) -> Report {
        let spread = self.latencies.iter_recorded();
        Report {
            operations: self.operations,
            seconds: (self.last_ns - self.start_ns) as f64 / 1e9,
            latencies: spread.map(|step| (step.value_iterated_to(), step.count_at_value())).collect(),
        }
    }

    /// What several did at the same time, in one report.
    pub(crate) fn report_all(all: &[Self]) -> Report {
        let Some(mut whole) = all.first().cloned() else { return Report::default() };
        for other in &all[1..] {
            whole.start_ns = whole.start_ns.min(other.start_ns);
            whole.last_ns = whole.last_ns.max(other.last_ns);
            whole.operations += other.operations;
            whole.latencies += &other.latencies;
        }
        whole.report()
    }
}

/// An empty histogram of nanoseconds up to a minute.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds make sense")
}

/// The monotonic clock, which all processes see alike.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(start_ns: u64, laps: &[u64]) -> Stopwatch {
        let mut watch = Stopwatch::new(start_ns, u64::MAX);
        for lap in laps {
            watch.latencies.record(*lap).unwrap();
            watch.operations += 1;
            watch.last_ns += lap;
        }
        watch
    }

    #[test]
    fn a_report_has_what_was_recorded() {
        let report = watch(5, &[100, 200, 200, 600]).report();
        assert_eq!(report, Report { operations: 4, seconds: 1.1e-6, latencies: vec![(100, 1), (200, 2), (600, 1)] });
    }

    #[test]
    fn lanes_are_reported_as_one() {
        let report = Stopwatch::report_all(&[watch(10, &[100]), watch(0, &[100, 400])]);
        assert_eq!(report, Report { operations: 3, seconds: 0.5e-6, latencies: vec![(100, 2), (400, 1)] });
    }

    #[test]
    fn a_lap_counts_all_operations_of_a_call() {
        let mut watch = Stopwatch::new(0, now_ns());
        watch.start();
        assert!(!watch.goes_on());
        watch.lap(64);
        let report = watch.report();
        assert_eq!((report.operations, report.latencies.len()), (64, 1));
    }
}
