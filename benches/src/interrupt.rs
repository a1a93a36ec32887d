//! Ctrl-C: the children are ended, so that whoever waits for one goes on, finds out and cleans up.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::BenchError;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The children that were not waited for yet: their numbers are theirs.
static LIVING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// From now on a signal ends the children, and the program in good order.
pub(crate) fn watch() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            INTERRUPTED.store(true, Ordering::SeqCst);
            for pid in living().iter().copied().filter_map(Pid::from_raw) {
                // It may have ended by itself.
                let _ended = kill_process(pid, Signal::KILL).is_err();
            }
        }
    });
    Ok(())
}

/// Fails if there was a signal.
pub(crate) fn check() -> Result<(), BenchError> {
    if INTERRUPTED.load(Ordering::SeqCst) { Err(BenchError::Interrupted) } else { Ok(()) }
}

pub(crate) fn living() -> MutexGuard<'static, BTreeSet<i32>> {
    LIVING.lock().unwrap_or_else(PoisonError::into_inner)
}
