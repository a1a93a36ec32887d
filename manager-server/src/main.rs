//! The program `manager-server`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    manager_server::daemon::main()
}
