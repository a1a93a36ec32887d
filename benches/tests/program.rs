//! Runs the program as a user does, and looks at what it prints; never at how fast something was.

#![allow(clippy::unwrap_used, reason = "a test may fail at any point, in a helper as well")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manager-bench"));
    command.args(arguments);
    command
}

fn stdout(output: Output) -> String {
    let (printed, complaints) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{printed}\n{complaints}", output.status);
    printed
}

/// A folder for temporary files, in which nothing must be left.
fn with_empty_folder(run: impl FnOnce(&Path)) {
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in("/tmp").unwrap();
    run(folder.path());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_row_is_measured_and_reported_without_peers() {
    with_empty_folder(|folder| {
        let mut command = bench(&["--only", "one_core_get", "--quick", "--json", "--rounds", "2"]);
        // No peer is found there.
        let output = command.env("PATH", "/nonexistent").env("TMPDIR", folder).output().unwrap();
        let printed = stdout(output);
        let report: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
        assert!(report["one_core_get_time_vs_echo"].as_f64().is_some_and(|ratio| ratio > 0.0), "{report}");
        for key in NAMES {
            assert!(report.get(key).is_some_and(|value| value.is_null() || value.is_number()), "{key}: {report}");
        }
        assert!(report["one_core_get_vs_redis"].is_null(), "{report}");
        for key in ["cpu", "cores", "kernel", "date", "versions"] {
            assert!(report["machine"].get(key).is_some(), "{key}: {report}");
        }
        let rows = report["rows"].as_array().unwrap();
        let row = |system: &str| {
            let found = rows.iter().find(|row| row["row"] == "one_core_get" && row["system"] == system);
            found.unwrap_or_else(|| panic!("{system} is not in {report}"))
        };
        for system in ["echo", "manager"] {
            let results = &row(system)["results"];
            for figure in ["p50_us", "p99_us", "p999_us", "server_cpu_us_per_operation"] {
                assert!(results[figure].as_f64().is_some_and(|figure| figure > 0.0), "{figure}: {report}");
            }
            assert!(results["per_second"]["median"].as_f64().is_some_and(|figure| figure > 0.0), "{report}");
            assert_eq!(row(system)["per_second_by_round"].as_array().unwrap().len(), 2);
        }
        assert_eq!(row("redis")["missing"], "not installed");
        assert!(printed.contains("not installed"), "{printed}");
    });
}

#[test]
fn a_server_that_dies_is_reported_with_what_it_printed() {
    with_empty_folder(|folder| {
        let mut command = bench(&["--only", "one_core_get", "--quick", "--server", "/bin/ls"]);
        let output = command.env("TMPDIR", folder).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let complaints = String::from_utf8(output.stderr).unwrap();
        assert!(complaints.contains("manager-bench: manager-server has ended; it printed:\n"), "{complaints}");
        assert!(complaints.contains("--socket"), "{complaints}");
    });
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    with_empty_folder(|folder| {
        let mut command = bench(&["--only", "clients_8_get", "--rounds", "1000"]);
        let mut program = command.env("TMPDIR", folder).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut complaints = BufReader::new(program.stderr.take().unwrap());
        let mut line = String::new();
        complaints.read_line(&mut line).unwrap();
        assert!(line.starts_with("clients_8: starting"), "{line}");
        // It and others.
        while processes_of(folder) < 2 {
            std::thread::yield_now();
        }
        let pid = Pid::from_raw(program.id().cast_signed()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        assert_eq!(program.wait().unwrap().code(), Some(130));
        line.clear();
        complaints.read_line(&mut line).unwrap();
        assert_eq!(line, "manager-bench: interrupted\n");
        assert_eq!(processes_of(folder), 0);
    });
}

/// How many processes there are of a run with this folder: their environment names it.
fn processes_of(folder: &Path) -> usize {
    let name = folder.to_str().unwrap().as_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let environments = processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
    environments.filter(|text| text.windows(name.len()).any(|part| part == name)).count()
}

#[test]
fn an_unknown_row_is_told_what_there_is() {
    let output = bench(&["--only", "clients_7"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(complaints.contains("\"clients_7\"") && complaints.contains("clients_8_get"), "{complaints}");
}

#[test]
fn the_rows_are_listed() {
    let printed = stdout(bench(&["--list"]).output().unwrap());
    let rows: Vec<&str> = printed.lines().collect();
    for row in ["one_core_get", "clients_32_insert", "pipeline_64_clients_8_get", "growth_10m_get", "interference_copy"]
    {
        assert!(rows.contains(&row), "{row}: {printed}");
    }
}

/// The figures that a report always has, if only as nulls.
const NAMES: [&str; 38] = [
    "one_core_get_vs_redis",
    "one_core_insert_vs_redis",
    "one_core_get_time_vs_echo",
    "one_core_insert_time_vs_echo",
    "clients_2_get_vs_redis",
    "clients_2_insert_vs_redis",
    "clients_8_get_vs_redis",
    "clients_8_insert_vs_redis",
    "clients_32_get_vs_redis",
    "clients_32_insert_vs_redis",
    "pipeline_16_clients_1_get_vs_redis",
    "pipeline_16_clients_8_get_vs_redis",
    "pipeline_64_clients_1_get_vs_redis",
    "pipeline_64_clients_1_insert_vs_redis",
    "pipeline_64_clients_8_get_vs_redis",
    "pipeline_64_clients_8_insert_vs_redis",
    "one_core_get_vs_cpython",
    "one_core_insert_vs_cpython",
    "clients_8_get_vs_cpython",
    "clients_8_insert_vs_cpython",
    "bulk_1000_vs_cpython",
    "bulk_1000_vs_redis",
    "get_10m_vs_1k_time",
    "insert_10m_vs_1k_time",
    "get_1m_vs_1k_time",
    "insert_1m_vs_1k_time",
    "memory_per_entry_vs_redis",
    "memory_per_entry_bytes",
    "async_64_tasks_get_per_second",
    "threads_8_vs_clients_8",
    "interference_none_p999_us",
    "interference_copy_p999_us",
    "interference_sort_p999_us",
    "interference_stream_p999_us",
    "syscalls_recv_per_get",
    "syscalls_send_per_get",
    "syscalls_epoll_wait_per_get",
    "rounds",
];
