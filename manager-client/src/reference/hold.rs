//! What this process's session holds of objects without names, and when it gives that back.
//!
//! The server counts how often a session holds an object; a [`Hold`] stands for all of that at once. It
//! never waits for anything, and never does anything in another process or session than that it is of.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use manager_protocol::ObjectId;

/// Where holds go back to.
pub(crate) trait Outlet: fmt::Debug + Send + Sync {
    /// The session of this generation holds an object so many times less. Nothing is waited for.
    fn release(&self, generation: u32, object: ObjectId, times: u64);
}

/// The holds of a session that are alive.
#[derive(Debug)]
pub(crate) struct Holds {
    /// The process that the session is of.
    pid: u32,
    /// How often another session of the server took the place of the first.
    generation: AtomicU32,
    alive: Mutex<HashMap<ObjectId, Weak<Hold>>>,
    outlet: Weak<dyn Outlet>,
}

impl Holds {
    pub(crate) fn new(pid: u32, outlet: Weak<dyn Outlet>) -> Self {
        Self { pid, generation: AtomicU32::new(0), alive: Mutex::default(), outlet }
    }

    /// Notes that the server holds these objects for the session once more for each time that they are
    /// here. One hold for each object; none if the session of this generation has ended.
    pub(crate) fn take(self: &Arc<Self>, generation: u32, objects: &[ObjectId]) -> Vec<Arc<Hold>> {
        let mut counts = BTreeMap::new();
        for object in objects {
            *counts.entry(*object).or_insert(0) += 1;
        }
        let mut alive = self.alive();
        if self.generation() != generation {
            return Vec::new();
        }
        let hold = |(object, times): (ObjectId, u64)| {
            if let Some(hold) = alive.get(&object).and_then(Weak::upgrade) {
                hold.times.fetch_add(times, Ordering::Relaxed);
                return hold;
            }
            let hold = Hold { holds: Arc::clone(self), generation, object, times: AtomicU64::new(times) };
            let hold = Arc::new(hold);
            alive.insert(object, Arc::downgrade(&hold));
            hold
        };
        counts.into_iter().map(hold).collect()
    }

    /// Notes that the server has ended the session: its holds are gone, and the next is of this generation.
    pub(crate) fn expire(&self, next: u32) {
        let mut alive = self.alive();
        self.generation.store(next, Ordering::Release);
        alive.clear();
    }

    fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// The table is whole after each statement that changes it, so a panic elsewhere spoils nothing. No hold
    /// is dropped while it is locked.
    fn alive(&self) -> MutexGuard<'_, HashMap<ObjectId, Weak<Hold>>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An object that the session holds, so many times. They all go back when it is dropped.
pub(crate) struct Hold {
    holds: Arc<Holds>,
    generation: u32,
    object: ObjectId,
    times: AtomicU64,
}

impl Hold {
    pub(crate) fn object(&self) -> ObjectId {
        self.object
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let holds = &self.holds;
        // The child of a fork holds nothing, and the table may have been locked when it was copied.
        if holds.pid != std::process::id() {
            return;
        }
        let mut alive = holds.alive();
        if alive.get(&self.object).is_some_and(|hold| hold.strong_count() == 0) {
            alive.remove(&self.object);
        }
        let is_held = holds.generation() == self.generation;
        drop(alive);
        // Without an outlet there is no link any more, and the session ends, or has ended.
        if is_held && let Some(outlet) = holds.outlet.upgrade() {
            outlet.release(self.generation, self.object, *self.times.get_mut());
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").field("object", &self.object).field("times", &self.times).finish_non_exhaustive()
    }
}
