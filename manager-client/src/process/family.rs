//! The children of this process, and what becomes of them when it exits.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Child, signals, system};

/// The children that have not ended.
static FAMILY: Mutex<Vec<Member>> = Mutex::new(Vec::new());

/// The process that the children are of: a fork has a copy of the list, but no children.
static PARENT: AtomicU32 = AtomicU32::new(0);

/// Whether this process is about to end: what ends now is not replaced.
static ENDING: AtomicBool = AtomicBool::new(false);

struct Member {
    child: Arc<Child>,
    daemon: bool,
    detached: bool,
}

/// From now on the children and the private servers are looked after when this process exits.
pub(crate) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| system::at_exit(at_exit));
    let parent = PARENT.swap(std::process::id(), Ordering::Relaxed);
    if parent != 0 && parent != std::process::id() {
        // A fork that has children of its own now: those in the list are its parent's.
        family().clear();
    }
}

/// Whether this process is about to end, so that no child can be started any more.
pub(super) fn is_ending() -> bool {
    ENDING.load(Ordering::Relaxed)
}

pub(super) fn add(child: &Arc<Child>, daemon: bool, detached: bool) {
    let member = Member { child: Arc::clone(child), daemon, detached };
    family().push(member);
    // Its keeper may have looked for it before.
    if child.exit().is_some() {
        remove(child);
    }
}

pub(super) fn remove(child: &Arc<Child>) {
    family().retain(|member| !Arc::ptr_eq(&member.child, child));
}

/// As Python does: daemons are ended, the others are waited for.
fn at_exit() {
    if PARENT.load(Ordering::Relaxed) != std::process::id() {
        return;
    }
    give_way_to_a_signal();
    ENDING.store(true, Ordering::Relaxed);
    end(&select(|member| member.daemon));
    // One that waits for a child that waits for it can be interrupted: that ends the children too.
    for child in select(|member| !member.daemon) {
        while child.wait(Some(Instant::now() + LOOK)).is_none() {
            give_way_to_a_signal();
        }
    }
    #[cfg(feature = "embedded")]
    crate::embedded::stop_all();
    // It may be what has ended the children.
    give_way_to_a_signal();
}

/// If a signal is ending this process, its exit code is the signal's, however the exit came about.
fn give_way_to_a_signal() {
    if let Some(code) = signals::pending() {
        end_all();
        system::exit_now(code);
    }
}

/// Ends all children, whatever they are doing, and the private servers.
pub(super) fn end_all() {
    if PARENT.load(Ordering::Relaxed) == std::process::id() {
        ENDING.store(true, Ordering::Relaxed);
        end(&select(|_| true));
    }
    // Each knows which process it is in.
    #[cfg(feature = "embedded")]
    crate::embedded::stop_all();
}

fn select(wanted: impl Fn(&Member) -> bool) -> Vec<Arc<Child>> {
    let family = family();
    let selected = family.iter().filter(|member| !member.detached && wanted(member));
    selected.map(|member| Arc::clone(&member.child)).collect()
}

/// Asks processes to end, and sees to it that they do.
pub(crate) fn end(children: &[Arc<Child>]) {
    for child in children {
        child.signal(Signal::TERM);
        // One that was stopped does not take notice.
        child.signal(Signal::CONT);
    }
    let deadline = Instant::now() + GRACE;
    for child in children {
        if child.wait(Some(deadline)).is_none() {
            child.signal(Signal::KILL);
        }
    }
    for child in children {
        child.wait(None);
    }
}

/// Each statement leaves the list whole.
fn family() -> MutexGuard<'static, Vec<Member>> {
    FAMILY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a process that was asked to end may take.
const GRACE: Duration = Duration::from_secs(1);

/// How often one who waits for children at the exit looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);
