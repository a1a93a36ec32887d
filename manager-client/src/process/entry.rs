//! Where the program begins when it is run again as a child: in `init`, or in a test made for that.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{child, signals};
use crate::error::{Error, Result};
use crate::task::Fault;

/// Whether `main` began with [`init`].
static INITIALISED: AtomicBool = AtomicBool::new(false);

/// Must be the first line of `main` in a program that starts processes or pools.
///
/// A child is this program, run again: there this function runs the task and never returns. In the program
/// itself it makes Ctrl-C and SIGTERM end the children and the private servers too, with exit code 130 or 143
/// ([`init_keeping_signals`] does not).
///
/// What stands before it runs in every child, too. With an async runtime, call it before the runtime is started (not
/// under `#[tokio::main]`) if tasks start a runtime of their own: they run where it is called.
///
/// ```no_run
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     manager_client::init();
///     // …
///     Ok(())
/// }
/// ```
pub fn init() {
    init_keeping_signals();
    signals::handle();
}

/// As [`init`], but leaves Ctrl-C and SIGTERM as they are: for programs that handle them.
///
/// The children of a program that a signal ends do not outlive it for long; but their tasks are cut off, and the
/// directory of a private server is left behind.
///
/// ```no_run
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     manager_client::init_keeping_signals();
///     // …
///     Ok(())
/// }
/// ```
pub fn init_keeping_signals() {
    // First: the task of a child may have children of its own.
    INITIALISED.store(true, Ordering::Relaxed);
    child::run_if_child();
}

/// The test in which the children of a test program begin. Made by [`enable_tests`](crate::enable_tests).
#[doc(hidden)]
#[derive(Debug)]
pub struct TestEntry {
    path: &'static str,
}

impl TestEntry {
    /// The test with this path, its crate included.
    #[must_use]
    pub const fn new(path: &'static str) -> Self {
        Self { path }
    }

    /// Runs the task, if this is a child.
    pub fn begin() {
        child::run_if_child();
    }
}

inventory::collect!(TestEntry);

/// Lets the tests of a crate start processes and pools: write it once in the test program, inside or outside of a
/// module.
///
/// A test program's `main` is not its own, so its children begin in a test that this makes. What they print
/// begins with a line of the test harness.
///
/// ```
/// #[cfg(test)]
/// mod tests {
///     manager_client::enable_tests!();
///     // … and any number of tests.
/// }
/// ```
#[macro_export]
macro_rules! enable_tests {
    () => {
        #[test]
        fn children_begin_here() {
            $crate::task::TestEntry::begin();
        }

        $crate::task::inventory::submit! {
            $crate::task::TestEntry::new(::core::concat!(::core::module_path!(), "::children_begin_here"))
        }
    };
}

/// The arguments with which this program comes to where its children begin.
pub(super) fn arguments() -> Result<Vec<&'static str>> {
    if INITIALISED.load(Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let entry = inventory::iter::<TestEntry>.into_iter().next();
    let entry = entry.ok_or_else(|| Error::work(Fault::NotInitialised))?;
    // The harness knows tests by their paths inside of the crate.
    let path = entry.path.split_once("::").map_or(entry.path, |(_, path)| path);
    Ok(vec![path, "--exact", "--nocapture", "--test-threads=1", "--quiet"])
}
