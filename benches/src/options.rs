//! The options of the program.

use std::path::PathBuf;

use clap::Parser;

/// Measures this server beside a raw socket, Redis and CPython's multiprocessing.Manager, in turns, in one run.
#[derive(Debug, Clone, Parser)]
#[command(name = "manager-bench", version, after_help = MORE, max_term_width = 100)]
pub(crate) struct Options {
    /// Fewer and shorter rounds, under a minute in all
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only the rows whose names begin with this; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,

    /// Print the names of the rows, and measure nothing
    #[arg(long)]
    pub(crate) list: bool,

    /// Print all results as one line of JSON at the end
    #[arg(long)]
    pub(crate) json: bool,

    /// Draw charts (SVG) into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) plot: Option<PathBuf>,

    /// How often each system has its turn [default: 7, with --quick 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,

    /// Measure this program in place of the server that is built in
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) server: Option<PathBuf>,
}

const MORE: &str = "\
Examples:
  manager-bench --quick
  manager-bench --only one_core --only clients_8 --json
  manager-bench --plot charts

Redis is measured if redis-server is on the PATH, CPython if python3 is.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_are_well_defined() {
        Options::command().debug_assert();
    }
}
