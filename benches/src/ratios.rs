//! The figures by which systems are compared: each has a name that does not change.

use std::collections::BTreeMap;

use crate::plan::{Kind, stages};
use crate::results::Results;
use crate::sample::Sample;
use crate::system::System::{self, Async, Cpython, Echo, Manager, Redis, Socket, Threads};

/// All figures; `None` where something was not measured.
pub(crate) fn ratios(results: &Results) -> BTreeMap<String, Option<f64>> {
    let mut ratios = BTreeMap::new();
    for (row, peer) in compared() {
        let (ours, theirs) = ((row.as_str(), Manager), (row.as_str(), peer));
        ratios.insert(format!("{row}_vs_{peer}"), results.compare(ours, theirs, rate));
        ratios.insert(format!("{row}_time_vs_{peer}"), results.compare(ours, theirs, time));
    }
    for work in ["get", "insert"] {
        let row = format!("one_core_{work}");
        ratios.insert(format!("{row}_time_vs_echo"), results.compare((&row, Manager), (&row, Echo), time));
        for large in ["1m", "10m"] {
            let (many, few) = (format!("growth_{large}_{work}"), format!("growth_1k_{work}"));
            let ratio = results.compare((&many, Manager), (&few, Manager), time);
            ratios.insert(format!("{work}_{large}_vs_1k_time"), ratio);
        }
    }
    let (ours, theirs) = (bytes(results, Manager), bytes(results, Redis));
    ratios.insert("memory_per_entry_vs_redis".to_owned(), ours.zip(theirs).map(|(ours, theirs)| ours / theirs));
    ratios.insert("memory_per_entry_bytes".to_owned(), ours);
    let tasks = results.summary("async_64_tasks_get", Async).map(|summary| summary.per_second.median);
    ratios.insert("async_64_tasks_get_per_second".to_owned(), tasks);
    let threads = results.compare(("threads_8_get", Threads), ("clients_8_get", Manager), rate);
    ratios.insert("threads_8_vs_clients_8".to_owned(), threads);
    for disturbance in ["none", "copy", "sort", "stream"] {
        let row = format!("interference_{disturbance}");
        ratios.insert(format!("{row}_p999_us"), results.summary(&row, Manager).map(|summary| summary.p999_us));
    }
    for clients in [1, 2, 8, 32] {
        for work in ["get", "insert"] {
            let row = format!("clients_{clients}_{work}");
            for peer in [Socket, Redis, Cpython] {
                let ratio = results.compare((&row, Manager), (&row, peer), rate);
                ratios.insert(format!("lane_{row}_vs_{peer}"), ratio);
            }
            let ratio = results.compare((&row, Socket), (&row, Redis), rate);
            ratios.insert(format!("socket_{row}_vs_redis"), ratio);
        }
    }
    let ours = |row| results.summary(row, Manager);
    ratios.insert("lane_one_client_get_p50_us".to_owned(), ours("clients_1_get").map(|one| one.p50_us));
    ratios.insert("lane_clients_8_max_ms".to_owned(), ours("clients_8_get").map(|all| all.max_us / 1000.0));
    ratios.insert("lane_clients_8_fairness".to_owned(), ours("clients_8_get").map(|all| all.fairness));
    for (row, clients) in [("busy_1_get", 1), ("busy_8_get", 8)] {
        let ratio = results.compare((row, Manager), (row, Socket), rate);
        ratios.insert(format!("lane_clients_{clients}_beside_8_busy_vs_socket"), ratio);
    }
    ratios.insert("lane_idle_cpu_percent".to_owned(), results.busy("lane_idle", Manager));
    let calls = results.system_calls("one_core_get", Manager);
    ratios.insert("syscalls_recv_per_get".to_owned(), calls.map(|calls| calls.receive));
    ratios.insert("syscalls_send_per_get".to_owned(), calls.map(|calls| calls.send));
    ratios.insert("syscalls_epoll_wait_per_get".to_owned(), calls.map(|calls| calls.wait));
    ratios
}

/// The rows in which throughput is compared with a peer's.
fn compared() -> Vec<(String, System)> {
    let mut pairs = Vec::new();
    for bout in stages().iter().flat_map(|stage| &stage.bouts) {
        if bout.kind == Kind::Together {
            let peers = bout.contenders.iter().filter(|one| [Redis, Cpython].contains(&one.system));
            pairs.extend(peers.map(|one| (one.row.clone(), one.system)));
        }
    }
    pairs
}

fn rate(sample: &Sample) -> f64 {
    sample.per_second
}

fn time(sample: &Sample) -> f64 {
    sample.p50_us()
}

fn bytes(results: &Results, system: System) -> Option<f64> {
    results.bytes("memory_per_entry", system)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Report;
    use crate::results::{Finding, Line};
    use crate::usage::Usage;

    fn line(row: &str, system: System, finding: Finding) -> Line {
        Line { row: row.to_owned(), system, unit: "gets", finding, system_calls: None }
    }

    /// Rounds by their rates, and the time of each call.
    fn rounds(rounds: &[(u64, u64)]) -> Finding {
        let sample = |&(rate, ns): &(u64, u64)| {
            let report = Report { operations: rate, seconds: 1.0, latencies: vec![(ns, rate)] };
            Sample::of(&[report], Usage::default())
        };
        Finding::Rounds(rounds.iter().map(sample).collect())
    }

    #[test]
    fn a_ratio_is_the_median_of_what_the_rounds_show() {
        let lines = vec![
            line("clients_8_get", Manager, rounds(&[(200, 1000), (100, 2000), (300, 1000)])),
            line("clients_8_get", Redis, rounds(&[(100, 1000), (100, 1000), (100, 4000)])),
            line("clients_8_get", Cpython, Finding::NotInstalled),
            line("threads_8_get", Threads, rounds(&[(100, 1), (50, 1), (150, 1)])),
            line("memory_per_entry", Manager, Finding::Bytes(200.0)),
            line("memory_per_entry", Redis, Finding::Bytes(160.0)),
        ];
        let ratios = ratios(&Results { lines });
        assert_eq!(ratios["clients_8_get_vs_redis"], Some(2.0));
        assert!(ratios["clients_8_get_time_vs_redis"].is_some_and(|ratio| (ratio - 1.0).abs() < 0.01));
        assert_eq!(ratios["clients_8_get_vs_cpython"], None);
        assert_eq!(ratios["threads_8_vs_clients_8"], Some(0.5));
        assert_eq!(ratios["memory_per_entry_vs_redis"], Some(1.25));
        assert_eq!(ratios["one_core_get_time_vs_echo"], None);
    }

    #[test]
    fn a_round_that_shows_nothing_is_left_out() {
        let lines = vec![
            line("lock", Manager, rounds(&[(200, 1), (100, 1), (90, 1)])),
            line("lock", Redis, rounds(&[(0, 1), (100, 1), (30, 1)])),
        ];
        assert_eq!(ratios(&Results { lines })["lock_vs_redis"], Some(2.0));
    }
}
