//! Who waits for whom: finds the wait that would close a circle, before it begins.
//!
//! Only locks that somebody waits for are in the graph, so a lock that is free costs nothing here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use manager_protocol::{Code, Error, ObjectId, Result};

use super::object::Object;
use super::sync::{Mutex, lock};
use super::waiting::Holder;

/// The graph of holders and locks.
#[derive(Debug, Default)]
pub(super) struct WaitsFor {
    /// Locked after objects: each change is made while its object is locked, so it is never out of
    /// date for whoever has this.
    graph: Mutex<Graph>,
}

#[derive(Debug, Default)]
struct Graph {
    /// The holder of each lock that is waited for, and how many wait.
    held: HashMap<ObjectId, Held>,
    /// The locks that each holder waits for.
    waits: HashMap<Holder, Vec<ObjectId>>,
}

#[derive(Debug)]
struct Held {
    name: Box<str>,
    holder: Holder,
    waiting: usize,
}

impl WaitsFor {
    /// A holder is to wait for a lock that another has.
    ///
    /// # Errors
    /// `Deadlock`, naming the circle that this would close; then nothing is noted.
    pub(super) fn wait(&self, waiter: Holder, object: &Arc<Object>, holder: Holder) -> Result<()> {
        let mut graph = lock(&self.graph);
        if let Some(circle) = graph.path(waiter, holder, &object.name) {
            return Err(Error::new(Code::Deadlock, format!("this would wait for ever: {circle}")));
        }
        graph.add(waiter, object, holder);
        Ok(())
    }

    /// As [`wait`](Self::wait), for a wait that cannot be refused any more.
    pub(super) fn wait_anyway(&self, waiter: Holder, object: &Arc<Object>, holder: Holder) {
        lock(&self.graph).add(waiter, object, holder);
    }

    /// A holder no longer waits for a lock.
    pub(super) fn leave(&self, waiter: Holder, object: ObjectId) {
        lock(&self.graph).leave(waiter, object);
    }

    /// A holder that waited has got the lock.
    pub(super) fn pass(&self, object: ObjectId, holder: Holder) {
        let mut graph = lock(&self.graph);
        graph.leave(holder, object);
        if let Some(held) = graph.held.get_mut(&object) {
            held.holder = holder;
        }
    }

    /// How many wait for a lock that can be part of a circle.
    pub(super) fn len(&self) -> usize {
        lock(&self.graph).waits.values().map(Vec::len).sum()
    }
}

impl Graph {
    fn add(&mut self, waiter: Holder, object: &Arc<Object>, holder: Holder) {
        let held = self.held.entry(object.id).or_insert_with(|| Held { name: object.name.clone(), holder, waiting: 0 });
        held.waiting += 1;
        held.holder = holder;
        self.waits.entry(waiter).or_default().push(object.id);
    }

    fn leave(&mut self, waiter: Holder, object: ObjectId) {
        let Some(waits) = self.waits.get_mut(&waiter) else { return };
        let Some(place) = waits.iter().position(|waited| *waited == object) else { return };
        waits.swap_remove(place);
        if waits.is_empty() {
            self.waits.remove(&waiter);
        }
        if let Some(held) = self.held.get_mut(&object) {
            held.waiting -= 1;
            if held.waiting == 0 {
                self.held.remove(&object);
            }
        }
    }

    /// The way from `holder`, who has the lock called `name`, back to `waiter`, in words.
    fn path<'a>(&'a self, waiter: Holder, holder: Holder, name: &'a str) -> Option<String> {
        let mut trail = vec![(name, holder)];
        if !self.search(waiter, holder, &mut HashSet::new(), &mut trail) {
            return None;
        }
        let steps: Vec<String> = trail
            .iter()
            .map(|(name, (session, holder))| format!("{name:?} is held by {holder} of session {session}"))
            .collect();
        Some(format!("{}, who asks for {name:?}", steps.join(", who waits; ")))
    }

    /// Goes from a holder to those it waits for, until it comes to `waiter`.
    fn search<'a>(
        &'a self,
        waiter: Holder,
        holder: Holder,
        seen: &mut HashSet<Holder>,
        trail: &mut Vec<(&'a str, Holder)>,
    ) -> bool {
        if holder == waiter {
            return true;
        }
        if !seen.insert(holder) {
            return false;
        }
        for held in self.waits.get(&holder).into_iter().flatten().filter_map(|object| self.held.get(object)) {
            trail.push((&held.name, held.holder));
            if self.search(waiter, held.holder, seen, trail) {
                return true;
            }
            trail.pop();
        }
        false
    }
}
