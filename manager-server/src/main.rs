//! The program `manager-server`.

#![forbid(unsafe_code)]

mod allocator;

use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::set_up();
    manager_server::daemon::main()
}
