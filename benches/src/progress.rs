//! What is told on stderr while it goes on.

#![expect(clippy::print_stderr, reason = "whoever waits wants to see how far it is")]

use crate::plan::{Pin, Stage};
use crate::results::{Finding, Line};
use crate::sample::Summary;

pub(crate) fn stage(stage: &Stage) {
    let place = match stage.pin {
        Pin::Never => "",
        Pin::AtStart | Pin::WhenFilled => ", on one CPU",
    };
    eprintln!("{}: starting{place}", stage.name);
}

pub(crate) fn lines(lines: &[Line]) {
    let mut row = "";
    for line in lines {
        if line.row != row {
            eprintln!("  {}", line.row);
            row = &line.row;
        }
        let told = match &line.finding {
            Finding::Rounds(samples) => match Summary::of(samples) {
                Some(summary) => format!("{:>12.0} {}/s", summary.per_second.median, line.unit),
                None => "nothing".to_owned(),
            },
            Finding::Bytes(bytes) => format!("{bytes:>12.1} bytes"),
            Finding::Busy(percent) => format!("{percent:>12.2} % of a processor"),
            Finding::NotInstalled => "not installed".to_owned(),
        };
        eprintln!("    {:<8} {told}", line.system.name());
    }
}
