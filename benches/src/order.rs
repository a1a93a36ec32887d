//! What is said between the program and its clients: a line of JSON each, and a line for an answer.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::system::System;
use crate::work::{Stock, Work};

/// What a client is told first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Introduction {
    pub(crate) system: System,
    /// The server's socket.
    pub(crate) socket: PathBuf,
    /// Which client it is: its keys are its own.
    pub(crate) index: usize,
    /// How many threads or tasks it has, if it is of a system that has such.
    pub(crate) lanes: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub(crate) enum Order {
    /// Put something there.
    Prepare {
        #[serde(flatten)]
        stock: Stock,
        /// This part of what the clients put there together.
        part: usize,
        parts: usize,
    },
    /// Work.
    Run {
        #[serde(flatten)]
        work: Work,
        /// From then until then, by the monotonic clock.
        start_ns: u64,
        stop_ns: u64,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Prepared,
    Ran(Report),
    /// Why it cannot be done.
    Failed(String),
}

/// What a client has done.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// In the unit of the work.
    pub(crate) operations: u64,
    pub(crate) seconds: f64,
    /// Nanoseconds (three digits of them count) and how often a call took so long.
    pub(crate) latencies: Vec<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_flat_objects() {
        let order = Order::Run { work: Work::Bulk { entries: 7 }, start_ns: 1, stop_ns: u64::MAX };
        let line = serde_json::to_string(&order).unwrap();
        let expected = format!(r#"{{"order":"run","work":"bulk","entries":7,"start_ns":1,"stop_ns":{}}}"#, u64::MAX);
        assert_eq!(line, expected);
        for line in [
            line.as_str(),
            r#"{"order":"run","work":"lock","start_ns":1,"stop_ns":2}"#,
            r#"{"order":"prepare","stock":"entries","size":64,"part":0,"parts":2}"#,
            r#"{"order":"prepare","stock":"numbers","part":0,"parts":1}"#,
        ] {
            let order: Order = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&order).unwrap(), line);
        }
    }

    #[test]
    fn answers_are_short() {
        let ran = Answer::Ran(Report { operations: 2, seconds: 0.5, latencies: vec![(100, 2)] });
        let lines =
            [Answer::Prepared, ran, Answer::Failed("no".to_owned())].map(|one| serde_json::to_string(&one).unwrap());
        let ran = r#"{"ran":{"operations":2,"seconds":0.5,"latencies":[[100,2]]}}"#;
        assert_eq!(lines, [r#""prepared""#, ran, r#"{"failed":"no"}"#]);
    }
}
