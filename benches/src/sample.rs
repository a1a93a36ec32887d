//! What one round has shown, and what several have.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::order::Report;
use crate::stopwatch::latencies;
use crate::usage::Usage;

/// One round of one contender.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// In the unit of the work, by all clients.
    pub(crate) operations: u64,
    pub(crate) per_second: f64,
    /// Nanoseconds of each call.
    pub(crate) latencies: Histogram<u64>,
    /// What the server used.
    pub(crate) usage: Usage,
    /// What the client did that did least, against what the one did that did most.
    pub(crate) fairness: f64,
}

impl Sample {
    pub(crate) fn of(reports: &[Report], usage: Usage) -> Self {
        let done = || reports.iter().map(|report| report.operations);
        let (least, most) = (done().min().unwrap_or(0), done().max().unwrap_or(0));
        let fairness = least as f64 / most.max(1) as f64;
        let mut sample = Self { operations: 0, per_second: 0.0, latencies: latencies(), usage, fairness };
        for report in reports {
            sample.operations += report.operations;
            if report.seconds > 0.0 {
                sample.per_second += report.operations as f64 / report.seconds;
            }
            for (ns, count) in &report.latencies {
                sample.latencies.saturating_record_n(*ns, *count);
            }
        }
        sample
    }

    pub(crate) fn p50_us(&self) -> f64 {
        microseconds(&self.latencies, 0.5)
    }
}

/// All rounds of one contender.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) per_second: Spread,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
    pub(crate) server_cpu_us_per_operation: f64,
    pub(crate) server_switches_per_operation: f64,
    /// The median of the rounds: what the client did that did least, against what the one did that did most.
    pub(crate) fairness: f64,
}

/// The median of several figures, the least and the largest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// `None` of no samples.
    pub(crate) fn of(samples: &[Sample]) -> Option<Self> {
        let per_second = Spread::of(samples.iter().map(|sample| sample.per_second).collect())?;
        let fairness = Spread::of(samples.iter().map(|sample| sample.fairness).collect())?.median;
        let mut all = latencies();
        samples.iter().for_each(|sample| all += &sample.latencies);
        let operations: u64 = samples.iter().map(|sample| sample.operations).sum();
        let each = |total: u64| total as f64 / operations.max(1) as f64;
        Some(Self {
            per_second,
            p50_us: microseconds(&all, 0.5),
            p99_us: microseconds(&all, 0.99),
            p999_us: microseconds(&all, 0.999),
            max_us: microseconds(&all, 1.0),
            server_cpu_us_per_operation: each(samples.iter().map(|sample| sample.usage.cpu_ns).sum()) / 1000.0,
            server_switches_per_operation: each(samples.iter().map(|sample| sample.usage.switches).sum()),
            fairness,
        })
    }
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let (min, max) = (*figures.first()?, *figures.last()?);
        let (before, after) = (figures[(figures.len() - 1) / 2], figures[figures.len() / 2]);
        Some(Self { median: (before + after) / 2.0, min, max })
    }
}

fn microseconds(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(operations: u64, seconds: f64, latencies: &[(u64, u64)]) -> Report {
        Report { operations, seconds, latencies: latencies.to_vec() }
    }

    #[test]
    fn clients_are_added_up_and_their_latencies_merged() {
        let reports = [report(10, 1.0, &[(1000, 10)]), report(30, 2.0, &[(1000, 20), (4000, 10)])];
        let sample = Sample::of(&reports, Usage::default());
        assert_eq!((sample.operations, sample.per_second), (40, 25.0));
        assert_eq!(sample.latencies.len(), 40);
        assert!((sample.p50_us() - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_client_that_did_nothing_adds_nothing() {
        assert_eq!(Sample::of(&[report(0, 0.0, &[])], Usage::default()).per_second, 0.0);
    }

    #[test]
    fn a_summary_is_of_all_rounds() {
        let sample = |per_second, ns| {
            let reports = [report(per_second, 1.0, &[(ns, per_second)])];
            Sample::of(&reports, Usage { cpu_ns: per_second * 2000, switches: per_second * 3 })
        };
        let summary = Summary::of(&[sample(10, 5000), sample(20, 6000), sample(60, 9000)]).unwrap();
        assert_eq!(summary.per_second, Spread { median: 20.0, min: 10.0, max: 60.0 });
        assert_eq!((summary.server_cpu_us_per_operation, summary.server_switches_per_operation), (2.0, 3.0));
        assert!((summary.p50_us - 9.0).abs() < 0.01, "{summary:?}");
        assert!(Summary::of(&[]).is_none());
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(Spread::of(vec![4.0, 1.0, 3.0, 2.0]).unwrap().median, 2.5);
    }
}
