//! Ctrl-C and SIGTERM: this process ends its children and its private servers, and then itself.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::{family, system};

/// The signal that is ending this process; 0 if none is.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// The exit code of a process that a signal is ending.
pub(super) fn pending() -> Option<i32> {
    let signal = SIGNAL.load(Ordering::Relaxed);
    (signal != 0).then_some(128 + signal)
}

/// From now on SIGINT and SIGTERM end the children, the private servers and this process, with exit code 130 or
/// 143. A signal that is ignored stays so: that is how a shell keeps its background jobs from Ctrl-C.
pub(super) fn handle() {
    let ignored = ignored();
    let handled: Vec<i32> = [SIGINT, SIGTERM].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0).collect();
    for signal in &handled {
        // The flag first: who sees a child end by the same signal knows why.
        if !system::note_signal(*signal, &SIGNAL) {
            return; // Without a handler the signal does what it always did.
        }
    }
    let Ok(mut signals) = Signals::new(&handled) else { return };
    let ender = thread::Builder::new().name("manager signals".into());
    let started = ender.spawn(move || {
        let Some(signal) = signals.forever().next() else { return };
        family::end_all();
        #[expect(clippy::exit, reason = "the signal is to end the process")]
        std::process::exit(128 + signal);
    });
    if started.is_err() {
        // A process that can start no thread is to be ended all the same.
        for signal in &handled {
            let _registered = flag::register_conditional_default(*signal, Arc::new(true.into()));
        }
    }
}

/// From now on Ctrl-C does nothing: a worker's parent decides what becomes of it.
pub(super) fn leave_to_the_parent() {
    // Not ignored: that would be inherited by the programs that the worker starts.
    let _registered = flag::register(SIGINT, Arc::default());
}

/// The signals that this process ignores, as the kernel tells: the lowest bit is signal 1.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
