//! Objects without names that are needed no more, and how they are found.
//!
//! Losing a link happens anywhere, under any lock, so it only notes the object here. What follows from
//! it is done at leisure, with nothing locked: [`Core::bury`] takes away what has lost its last link, and
//! [`Core::break_circles`] finds objects that only refer to each other.
//!
//! Circles are found by trial (Lins; Bacon and Rajan, ECOOP 2001): from the objects that lost a link and
//! have others left, all that can be reached is visited, and the links among those are counted. What has
//! more links than that is needed by somebody else, and so is what it reaches. The rest is garbage, if
//! nothing was changed meanwhile: so all of it is locked and counted again before it is taken apart.
//! While objects are visited each is locked for a moment only, and those that get locked together are
//! those that nobody uses.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use manager_protocol::ObjectId;

use super::object::Object;
use super::reference::Links;
use super::sync::{Mutex, lock};
use super::timers::Time;
use super::waiting::Effects;
use super::{Core, Pace};

/// What is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    /// Held to put in or to take out, never while anything else is locked after it.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those that lost their last link.
    dead: Vec<Arc<Object>>,
    /// Those that lost another one: they may be part of a circle that nobody else refers to.
    suspects: Vec<Arc<Object>>,
    /// Woken when there is something.
    waker: Option<Waker>,
}

/// What there is to be done about garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untidy {
    /// Objects have lost their last link: [`Core::bury`].
    Dead,
    /// Objects have lost a link: [`Core::break_circles`], not too often.
    Suspects,
}

impl Garbage {
    pub(super) fn note_dead(&self, object: Arc<Object>) {
        self.note(|state| state.dead.push(object));
    }

    pub(super) fn note_suspect(&self, object: Arc<Object>) {
        self.note(|state| state.suspects.push(object));
    }

    fn note(&self, note: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        note(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn take_dead(&self) -> Vec<Arc<Object>> {
        std::mem::take(&mut lock(&self.state).dead)
    }

    fn take_suspects(&self) -> Vec<Arc<Object>> {
        std::mem::take(&mut lock(&self.state).suspects)
    }
}

impl Core {
    /// Ready when there is something to be done about garbage. Whoever asks is woken when there is more.
    pub fn poll_untidy(&self, context: &mut Context<'_>) -> Poll<Untidy> {
        let mut state = lock(&self.registry.garbage.state);
        state.waker = Some(context.waker().clone());
        if !state.dead.is_empty() {
            Poll::Ready(Untidy::Dead)
        } else if !state.suspects.is_empty() {
            Poll::Ready(Untidy::Suspects)
        } else {
            Poll::Pending
        }
    }

    /// Takes away the objects that have lost their last link, those that lose theirs by that, and so on.
    ///
    /// It takes as long as freeing them does.
    pub fn bury(&self, now: Time) {
        loop {
            let dead = self.registry.garbage.take_dead();
            if dead.is_empty() {
                return;
            }
            for object in dead {
                self.registry.forget(&object);
                let mut effects = Effects::new(self, now);
                object.delete(&mut effects);
                effects.carry_out();
                // What it refers to loses a link now, unless an operation still has the object.
                drop(object);
            }
        }
    }

    /// Takes apart the objects that only refer to each other, of those that can be reached from where a
    /// link was lost. How many there were.
    ///
    /// It takes a time that grows with what can be reached. They are gone after the next
    /// [`bury`](Self::bury).
    pub fn break_circles(&self) -> usize {
        let suspects = self.registry.garbage.take_suspects();
        let mut trial = Trial::default();
        // All of them before any is visited: each may be reached from another, and loses links meanwhile.
        suspects.iter().for_each(|object| object.clear_suspicion());
        suspects.iter().for_each(|object| trial.visit_from(object));
        let garbage = trial.garbage();
        let count = garbage.len();
        let done = take_apart(garbage);
        if trial.was_disturbed || !done {
            // Not all is known. What is garbage stays so, and is found another time.
            suspects.iter().for_each(Object::suspect);
        }
        if done { count } else { 0 }
    }
}

/// What was found by visiting all that can be reached from some objects.
#[derive(Debug, Default)]
struct Trial {
    found: HashMap<ObjectId, Found>,
    /// An object was locked by somebody else.
    was_disturbed: bool,
}

/// One object, as it was when it was visited.
#[derive(Debug)]
struct Found {
    object: Arc<Object>,
    /// How many links there were to it.
    links: usize,
    /// How many of those are from what was visited.
    inside: usize,
    /// What it refers to, once for each link.
    refers_to: Vec<ObjectId>,
}

impl Trial {
    fn visit_from(&mut self, object: &Arc<Object>) {
        let mut open = vec![Arc::clone(object)];
        while let Some(object) = open.pop() {
            if object.is_named() || self.found.contains_key(&object.id) {
                continue;
            }
            let mut links = object.links();
            let referred = object.references().unwrap_or_else(|| {
                // Whoever uses it needs it.
                self.was_disturbed = true;
                links = usize::MAX;
                Vec::new()
            });
            let refers_to = each_link(&referred, |target| open.push(Arc::clone(target)));
            self.found.insert(object.id, Found { object, links, inside: 0, refers_to });
        }
    }

    /// What has no link from elsewhere, and cannot be reached from what has; only those that refer to
    /// something: the others lose their links with them.
    fn garbage(&mut self) -> BTreeMap<ObjectId, Arc<Object>> {
        let targets: Vec<ObjectId> = self.found.values().flat_map(|found| found.refers_to.iter().copied()).collect();
        for target in targets {
            if let Some(found) = self.found.get_mut(&target) {
                found.inside += 1;
            }
        }
        let mut needed: Vec<ObjectId> =
            self.found.iter().filter(|(_, found)| found.links > found.inside).map(|(id, _)| *id).collect();
        let mut kept: HashSet<ObjectId> = needed.iter().copied().collect();
        while let Some(id) = needed.pop() {
            let Some(found) = self.found.get(&id) else { continue };
            needed.extend(found.refers_to.iter().copied().filter(|target| kept.insert(*target)));
        }
        let found = self.found.iter().filter(|(id, found)| !kept.contains(id) && !found.refers_to.is_empty());
        found.map(|(id, found)| (*id, Arc::clone(&found.object))).collect()
    }
}

/// Notes what links lead to, each of the links that some values share once.
fn each_link(links: &[Links], mut act: impl FnMut(&Arc<Object>)) -> Vec<ObjectId> {
    let mut seen = HashSet::new();
    let once = links.iter().filter(|links| links.identity().is_some_and(|identity| seen.insert(identity)));
    let targets = once.flat_map(Links::iter).map(|link| link.object());
    targets
        .map(|target| {
            act(target);
            target.id
        })
        .collect()
}

/// Empties objects, if all their links are from among them. They are locked all at once, without
/// waiting for any; nobody uses them if they are garbage.
fn take_apart(garbage: BTreeMap<ObjectId, Arc<Object>>) -> bool {
    let mut locked = Vec::new();
    for object in garbage.values() {
        let Some(referring) = object.lock_referring(Pace::Inline) else { return false };
        locked.push(referring);
    }
    // Who links to one of them from here on waits.
    garbage.values().for_each(|object| object.seal());
    let mut inside: HashMap<ObjectId, usize> = HashMap::new();
    for referring in &locked {
        for target in each_link(&referring.references(), |_| {}) {
            *inside.entry(target).or_default() += 1;
        }
    }
    let is_needed = garbage.iter().any(|(id, object)| inside.get(id).copied().unwrap_or(0) != object.links());
    garbage.values().for_each(|object| object.unseal(!is_needed));
    if is_needed {
        return false;
    }
    let contents: Vec<_> = locked.iter_mut().map(|referring| referring.take_contents()).collect();
    drop(locked);
    drop(contents);
    true
}
