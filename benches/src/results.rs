//! All that was measured, by rows and systems.

use crate::perf::SystemCalls;
use crate::sample::{Sample, Spread, Summary};
use crate::system::System;

#[derive(Debug, Clone, Default)]
pub(crate) struct Results {
    pub(crate) lines: Vec<Line>,
}

/// One system in one row.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) row: String,
    pub(crate) system: System,
    /// What is counted.
    pub(crate) unit: &'static str,
    pub(crate) finding: Finding,
    pub(crate) system_calls: Option<SystemCalls>,
}

#[derive(Debug, Clone)]
pub(crate) enum Finding {
    /// What each round has shown, the first first.
    Rounds(Vec<Sample>),
    /// Bytes for each entry.
    Bytes(f64),
    /// How much of a processor is used, in percent.
    Busy(f64),
    NotInstalled,
}

impl Results {
    fn find(&self, row: &str, system: System) -> Option<&Line> {
        self.lines.iter().find(|line| line.row == row && line.system == system)
    }

    /// The rounds of one line; none if there was no such measurement.
    pub(crate) fn samples(&self, row: &str, system: System) -> &[Sample] {
        match self.find(row, system).map(|line| &line.finding) {
            Some(Finding::Rounds(samples)) => samples,
            Some(Finding::Bytes(_) | Finding::Busy(_) | Finding::NotInstalled) | None => &[],
        }
    }

    pub(crate) fn summary(&self, row: &str, system: System) -> Option<Summary> {
        Summary::of(self.samples(row, system))
    }

    pub(crate) fn bytes(&self, row: &str, system: System) -> Option<f64> {
        match self.find(row, system)?.finding {
            Finding::Bytes(bytes) => Some(bytes),
            Finding::Rounds(_) | Finding::Busy(_) | Finding::NotInstalled => None,
        }
    }

    pub(crate) fn busy(&self, row: &str, system: System) -> Option<f64> {
        match self.find(row, system)?.finding {
            Finding::Busy(percent) => Some(percent),
            Finding::Rounds(_) | Finding::Bytes(_) | Finding::NotInstalled => None,
        }
    }

    pub(crate) fn system_calls(&self, row: &str, system: System) -> Option<SystemCalls> {
        self.find(row, system)?.system_calls
    }

    /// The median of what two lines' rounds show of each other, each round of one beside that of the other.
    pub(crate) fn compare(&self, one: (&str, System), other: (&str, System), show: fn(&Sample) -> f64) -> Option<f64> {
        let pairs = self.samples(one.0, one.1).iter().zip(self.samples(other.0, other.1));
        let ratios = pairs.map(|(one, other)| show(one) / show(other)).filter(|ratio| ratio.is_finite());
        Spread::of(ratios.collect()).map(|spread| spread.median)
    }
}
