//! Who waits for whom: finds the wait that would close a circle, before it begins.
//!
//! Only locks that somebody waits for are in the graph, so a lock that is free costs nothing here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use manager_protocol::{Code, Error, ObjectId, Result};

use super::hashing::Seeded;
use super::object::Label;
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
    held: HashMap<ObjectId, Held, Seeded>,
    /// The locks that each holder waits for.
    waits: HashMap<Holder, Vec<ObjectId>, Seeded>,
}

#[derive(Debug)]
struct Held {
    name: Label,
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
    fn path(&self, waiter: Holder, holder: Holder, name: &Label) -> Option<String> {
        let mut circle = vec![(name, holder)];
        if holder != waiter {
            circle.extend(self.search(waiter, holder)?);
        }
        let told = circle.iter().take(MOST_TOLD);
        let told: Vec<String> = told
            .map(|(name, (session, holder))| format!("{name:?} is held by {holder} of session {session}"))
            .collect();
        let others = match circle.len().saturating_sub(MOST_TOLD) {
            0 => String::new(),
            untold => format!(", who waits; and so on for {untold} more"),
        };
        Some(format!("{}{others}, who asks for {name:?}", told.join(", who waits; ")))
    }

    /// The locks and their holders from those that a holder waits for to one that `waiter` has.
    ///
    /// A search that would take long is given up: the wait then ends by its time, if in no other way.
    fn search(&self, waiter: Holder, holder: Holder) -> Option<Vec<(&Label, Holder)>> {
        let mut came_from: HashMap<Holder, (&Label, Holder)> = HashMap::new();
        let mut ahead = VecDeque::from([holder]);
        while let Some(current) = ahead.pop_front()
            && came_from.len() < LONGEST_SEARCH
        {
            for held in self.waits.get(&current).into_iter().flatten().filter_map(|object| self.held.get(object)) {
                if held.holder == holder || came_from.contains_key(&held.holder) {
                    continue;
                }
                came_from.insert(held.holder, (&held.name, current));
                if held.holder == waiter {
                    return Some(trail(&came_from, waiter, holder));
                }
                ahead.push_back(held.holder);
            }
        }
        None
    }
}

/// The way that a search has found, from its beginning.
fn trail<'a>(came_from: &HashMap<Holder, (&'a Label, Holder)>, end: Holder, start: Holder) -> Vec<(&'a Label, Holder)> {
    let mut trail = Vec::new();
    let mut at = end;
    while at != start {
        let (name, before) = came_from[&at];
        trail.push((name, at));
        at = before;
    }
    trail.reverse();
    trail
}

/// Most holders that are looked at for one wait.
const LONGEST_SEARCH: usize = 10_000;

/// Most locks of a circle that are named.
const MOST_TOLD: usize = 8;

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    fn label(name: &str) -> Label {
        Label::new(Some(name), manager_protocol::Kind::Lock, 0)
    }

    /// A graph in which each holder waits for the lock of the next.
    fn chain(len: u64) -> Graph {
        let mut graph = Graph::default();
        for at in 0..len {
            let name = label(&format!("lock {at}"));
            graph.held.insert(at, Held { name, holder: (1, at), waiting: 1 });
            graph.waits.entry((1, at.wrapping_sub(1))).or_default().push(at);
        }
        graph
    }

    #[test]
    fn a_long_chain_is_searched_without_a_deep_stack_and_told_in_short() {
        let graph = chain(5000);
        let circle = graph.path((1, 4999), (1, 0), &label("first")).unwrap();
        assert!(
            circle.starts_with("\"first\" is held by 0 of session 1, who waits; \"lock 1\" is held by 1"),
            "{circle}"
        );
        assert!(circle.contains("for 4992 more") && circle.len() < 1000, "{circle}");
        assert_eq!(graph.path((2, 0), (1, 0), &label("first")), None);
    }

    #[test]
    fn a_search_that_would_take_long_is_given_up() {
        assert_eq!(chain(200_000).path((1, 199_999), (1, 0), &label("first")), None);
    }
}
