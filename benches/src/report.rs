//! The results as one JSON object.

use serde_json::{Map, Value, json};

use crate::machine::Machine;
use crate::ratios::ratios;
use crate::results::{Finding, Line, Results};
use crate::sample::Summary;

/// The figures by their names, the machine, and all rows.
pub(crate) fn report(results: &Results, machine: &Machine, rounds: usize) -> Value {
    let mut report: Map<String, Value> = ratios(results).into_iter().map(|(key, ratio)| (key, json!(ratio))).collect();
    report.insert("machine".to_owned(), json!(machine));
    report.insert("rounds".to_owned(), json!(rounds));
    report.insert("rows".to_owned(), results.lines.iter().map(row).collect());
    Value::Object(report)
}

fn row(line: &Line) -> Value {
    let mut row = json!({ "row": line.row, "system": line.system, "unit": line.unit });
    match &line.finding {
        Finding::Rounds(samples) => {
            row["results"] = json!(Summary::of(samples));
            let rates: Vec<f64> = samples.iter().map(|sample| sample.per_second.round()).collect();
            row["per_second_by_round"] = json!(rates);
        }
        Finding::Bytes(bytes) => row["bytes"] = json!(bytes),
        Finding::Busy(percent) => row["busy_percent"] = json!(percent),
        Finding::NotInstalled => row["missing"] = json!("not installed"),
    }
    if let Some(calls) = line.system_calls {
        row["system_calls_per_operation"] = json!(calls);
    }
    row
}
