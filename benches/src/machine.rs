//! What was measured where and when.

use std::fs;
use std::num::NonZero;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::peers::Peers;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// Of UTC.
    pub(crate) date: String,
    pub(crate) versions: Versions,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Versions {
    pub(crate) manager: &'static str,
    pub(crate) redis: Option<String>,
    pub(crate) cpython: Option<String>,
}

impl Machine {
    pub(crate) fn this(peers: &Peers) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpu = model(&read("/proc/cpuinfo")).unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self {
            cpu,
            cores: thread::available_parallelism().map_or(1, NonZero::get),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            date: date(seconds / 86_400),
            versions: Versions {
                manager: env!("CARGO_PKG_VERSION"),
                redis: peers.redis.clone(),
                cpython: peers.cpython.as_ref().map(|python| python.version.clone()),
            },
        }
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let Self { cpu, cores, kernel, date, versions } = self;
        let mut text = format!("{cpu}, {cores} cores, Linux {kernel}, {date}; manager {}", versions.manager);
        for (name, version) in [("Redis", &versions.redis), ("CPython", &versions.cpython)] {
            text += &version.as_ref().map_or_else(|| format!(", no {name}"), |version| format!(", {name} {version}"));
        }
        text
    }
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The date so many days after 1970-01-01, by counting in years that begin in March.
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (year, day) = (year + era * 400 + u64::from(month >= 10), day - (153 * month + 2) / 5 + 1);
    format!("{year:04}-{:02}-{day:02}", (month + 2) % 12 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        let dates = [0, 58, 59, 11_016, 11_017, 20_088, 20_453].map(date);
        let expected =
            ["1970-01-01", "1970-02-28", "1970-03-01", "2000-02-29", "2000-03-01", "2024-12-31", "2025-12-31"];
        assert_eq!(dates, expected);
    }

    #[test]
    fn the_cpu_has_a_name() {
        assert_eq!(model("processor\t: 0\nmodel name\t: Fast One\n").unwrap(), "Fast One");
        assert_eq!(model("processor: 0"), None);
    }
}
