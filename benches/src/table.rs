//! The results as a table for people.

use std::fmt::Write;

use crate::results::{Finding, Line, Results};
use crate::sample::{Spread, Summary};
use crate::system::System;

/// All rows, each system on a line.
pub(crate) fn table(results: &Results) -> String {
    let mut text = format!(
        "{:<32} {:<8} {:>10} {:>21}  {:>9} {:>9} {:>9} {:>8} {:>8} {:>7}\n",
        "row", "system", "per second", "(min..max)", "p50 µs", "p99 µs", "p99.9 µs", "CPU µs", "switches", "ours x"
    );
    let mut row = "";
    for line in &results.lines {
        let name = if line.row == row { "" } else { &line.row };
        row = &line.row;
        let _infallible = writeln!(text, "{name:<32} {:<8} {}", line.system.name(), figures(line, results));
    }
    text + NOTES
}

fn figures(line: &Line, results: &Results) -> String {
    match &line.finding {
        Finding::NotInstalled => "not installed".to_owned(),
        Finding::Bytes(bytes) => format!("{bytes:.1} bytes"),
        Finding::Busy(percent) => format!("{percent:.2} % of a processor"),
        Finding::Rounds(samples) => Summary::of(samples).map_or_else(String::new, |summary| {
            let Spread { median, min, max } = summary.per_second;
            let ratio = if line.system == System::Manager {
                String::new()
            } else {
                let ours =
                    results.compare((&line.row, System::Manager), (&line.row, line.system), |one| one.per_second);
                ours.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
            };
            let mut text = format!(
                "{:>10} {:>21}  {:>9} {:>9} {:>9} {:>8.2} {:>8.2} {ratio:>7}",
                number(median),
                format!("({}..{})", number(min), number(max)),
                time(summary.p50_us),
                time(summary.p99_us),
                time(summary.p999_us),
                summary.server_cpu_us_per_operation,
                summary.server_switches_per_operation,
            );
            if let Some(calls) = line.system_calls {
                let _infallible = write!(
                    text,
                    "\n{:>41} recv {:.2}, send {:.2}, epoll_wait {:.2} system calls of the server for each",
                    "", calls.receive, calls.send, calls.wait
                );
            }
            text
        }),
    }
}

/// With commas, and a digit after the point if there are few before it.
fn number(figure: f64) -> String {
    if figure < 100.0 {
        return format!("{figure:.1}");
    }
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(us: f64) -> String {
    if us < 1000.0 { format!("{us:.1}") } else { number(us) }
}

const NOTES: &str = "
per second: median of the rounds. p50, p99, p99.9: of all calls; a pipeline is one call.
CPU, switches: of the server, for each operation. ours x: how many times as many the manager's blocking client does,
median over the rounds of what a round shows.
One client on free cores is either fast or slow for a whole round, whichever the server: the system runs both sides on
one core, or wakes a second one for each message. So rows of one client share one core, save for clients_1 and
pipeline_*_clients_1; look at the spread of those.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Report;
    use crate::sample::Sample;
    use crate::usage::Usage;

    fn line(system: System, finding: Finding) -> Line {
        Line { row: "clients_2_get".to_owned(), system, unit: "gets", finding, system_calls: None }
    }

    fn rounds(rates: &[u64]) -> Finding {
        let sample = |rate: &u64| {
            let report = Report { operations: *rate, seconds: 1.0, latencies: vec![(8000, *rate)] };
            Sample::of(&[report], Usage { cpu_ns: 3000 * rate, switches: *rate })
        };
        Finding::Rounds(rates.iter().map(sample).collect())
    }

    #[test]
    fn a_row_is_named_once_and_compared() {
        let results = Results {
            lines: vec![
                line(System::Manager, rounds(&[180_000, 200_000, 190_000])),
                line(System::Redis, rounds(&[90_000, 50_000, 95_000])),
                line(System::Cpython, Finding::NotInstalled),
            ],
        };
        let table = table(&results);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][..4], ["clients_2_get", "manager", "190,000", "(180,000..200,000)"]);
        assert_eq!(lines[1][7..], ["3.00", "1.00"]);
        assert_eq!(lines[2][..2], ["redis", "90,000"]);
        assert_eq!(lines[2].last(), Some(&"2.00"));
        assert_eq!(lines[3], ["cpython", "not", "installed"]);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([1_234_567.8, 999.6, 12.34].map(number), ["1,234,568", "1,000", "12.3"]);
    }
}
