//! The charts of the results. What was not measured is not drawn.

use std::fs;
use std::path::{Path, PathBuf};

use plotters::style::RGBColor;

use crate::chart::{Chart, ChartLine, Scale};
use crate::error::BenchError;
use crate::results::Results;
use crate::sample::Summary;
use crate::system::System::{self, Async, Cpython, Echo, Manager, Redis, Socket, Threads};

/// Draws all charts that there are figures for into a directory, which is made if it is missing.
pub(crate) fn plot(results: &Results, directory: &Path, caption: &str) -> Result<Vec<PathBuf>, BenchError> {
    fs::create_dir_all(directory).map_err(BenchError::system("make the directory for the charts"))?;
    let mut drawn = Vec::new();
    for (file, chart) in charts(results) {
        let path = directory.join(file);
        chart
            .draw(&path, caption)
            .map_err(|error| BenchError::Plot { path: path.clone(), reason: error.to_string() })?;
        drawn.push(path);
    }
    Ok(drawn)
}

fn charts(results: &Results) -> Vec<(&'static str, Chart)> {
    let mut charts = vec![
        ("throughput_get.svg", throughput(results, "get")),
        ("throughput_insert.svg", throughput(results, "insert")),
        ("pipeline_get.svg", pipeline(results, "get")),
        ("pipeline_insert.svg", pipeline(results, "insert")),
        ("latency_get.svg", latency(results)),
        ("growth.svg", growth(results)),
    ];
    for (_, chart) in &mut charts {
        chart.lines.retain(|line| !line.points.is_empty());
    }
    charts.retain(|(_, chart)| !chart.lines.is_empty());
    charts
}

fn throughput(results: &Results, work: &str) -> Chart {
    let line = |system: System| ChartLine {
        name: name(system).to_owned(),
        colour: colour(system),
        points: points(results, system, &CLIENTS.map(|clients| format!("clients_{clients}_{work}")), rate),
    };
    Chart {
        title: format!("Throughput of {work} by clients (values of 64 bytes)"),
        across: "client processes",
        places: CLIENTS.map(|clients| clients.to_string()).into(),
        upwards: "operations per second",
        scale: Scale::Linear,
        lines: [Echo, Manager, Redis, Cpython].map(line).into(),
    }
}

fn pipeline(results: &Results, work: &str) -> Chart {
    let line = |(system, clients): (System, usize)| {
        let rows = [
            format!("clients_{clients}_{work}"),
            format!("pipeline_16_clients_{clients}_{work}"),
            format!("pipeline_64_clients_{clients}_{work}"),
        ];
        ChartLine {
            name: format!("{}, {clients} {}", name(system), if clients == 1 { "client" } else { "clients" }),
            colour: if clients == 1 { lighter(colour(system)) } else { colour(system) },
            points: points(results, system, &rows, rate),
        }
    };
    Chart {
        title: format!("Throughput of {work} in pipelines (values of 64 bytes)"),
        across: "operations sent together",
        places: ["1", "16", "64"].map(str::to_owned).into(),
        upwards: "operations per second",
        scale: Scale::Linear,
        lines: [(Manager, 8), (Redis, 8), (Manager, 1), (Redis, 1)].map(line).into(),
    }
}

fn latency(results: &Results) -> Chart {
    let rows = CLIENTS.map(|clients| format!("clients_{clients}_get"));
    let lines = [Echo, Manager, Redis, Cpython].into_iter().flat_map(|system| {
        let line = |quantile, colour, show| ChartLine {
            name: format!("{} {quantile}", name(system)),
            colour,
            points: points(results, system, &rows, show),
        };
        let colour = colour(system);
        [line("p50", colour, |one| one.p50_us), line("p99", lighter(colour), |one| one.p99_us)]
    });
    Chart {
        title: "Latency of get by clients (values of 64 bytes)".to_owned(),
        across: "client processes",
        places: CLIENTS.map(|clients| clients.to_string()).into(),
        upwards: "microseconds",
        scale: Scale::Logarithmic,
        lines: lines.collect(),
    }
}

fn growth(results: &Results) -> Chart {
    let lines = [Manager, Redis].into_iter().flat_map(|system| {
        ["get", "insert"].map(|work| ChartLine {
            name: format!("{} {work}", name(system)),
            colour: if work == "get" { colour(system) } else { lighter(colour(system)) },
            points: points(results, system, &SIZES.map(|size| format!("growth_{size}_{work}")), |one| one.p50_us),
        })
    });
    Chart {
        title: "Latency by the size of the dict (one client, one core)".to_owned(),
        across: "entries",
        places: SIZES.map(str::to_owned).into(),
        upwards: "microseconds (p50)",
        scale: Scale::Linear,
        lines: lines.collect(),
    }
}

/// The figures of these rows that were measured.
fn points(results: &Results, system: System, rows: &[String], show: fn(&Summary) -> f64) -> Vec<(usize, f64)> {
    let figure = |(place, row): (usize, &String)| Some((place, show(&results.summary(row, system)?)));
    rows.iter().enumerate().filter_map(figure).collect()
}

fn rate(summary: &Summary) -> f64 {
    summary.per_second.median
}

fn name(system: System) -> &'static str {
    match system {
        Echo => "raw socket",
        Manager => "manager",
        Socket => "manager, socket only",
        Threads => "manager, threads",
        Async => "manager, async",
        Redis => "Redis",
        Cpython => "CPython",
    }
}

fn colour(system: System) -> RGBColor {
    match system {
        Echo => RGBColor(110, 110, 110),
        Manager | Socket | Threads | Async => RGBColor(20, 90, 200),
        Redis => RGBColor(200, 40, 30),
        Cpython => RGBColor(30, 140, 60),
    }
}

fn lighter(RGBColor(red, green, blue): RGBColor) -> RGBColor {
    let half = |part: u8| part / 2 + 127;
    RGBColor(half(red), half(green), half(blue))
}

const CLIENTS: [usize; 4] = [1, 2, 8, 32];
const SIZES: [&str; 4] = ["1k", "100k", "1m", "10m"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Report;
    use crate::results::{Finding, Line};
    use crate::sample::Sample;
    use crate::usage::Usage;

    fn line(row: &str, system: System, operations: u64) -> Line {
        let report = Report { operations, seconds: 1.0, latencies: vec![(9000, operations)] };
        let finding = Finding::Rounds(vec![Sample::of(&[report], Usage::default())]);
        Line { row: row.to_owned(), system, unit: "gets", finding, system_calls: None }
    }

    #[test]
    fn charts_are_drawn_without_peers() {
        let lines = vec![
            line("clients_1_get", Manager, 40_000),
            line("clients_8_get", Manager, 200_000),
            Line { finding: Finding::NotInstalled, ..line("clients_8_get", Redis, 0) },
        ];
        let folder = tempfile::tempdir().unwrap();
        let drawn = plot(&Results { lines }, &folder.path().join("charts"), "a machine & a date").unwrap();
        let names: Vec<_> = drawn.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["throughput_get.svg", "pipeline_get.svg", "latency_get.svg"]);
        let text = fs::read_to_string(&drawn[0]).unwrap();
        for shown in ["client processes", "operations per second", "a machine &amp; a date", "manager", "32"] {
            assert!(text.contains(shown), "{shown} is not in the chart");
        }
        assert!(!text.contains("Redis"));
    }

    #[test]
    fn nothing_measured_is_nothing_drawn() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(plot(&Results::default(), folder.path(), "").unwrap(), Vec::<PathBuf>::new());
    }
}
