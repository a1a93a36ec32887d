//! The jobs of a pool that wait, by task, and those who wait for them.
//!
//! Workers that know the same tasks form a group: the next job is the same for all of them. Nothing here is
//! looked through but tasks that jobs wait for and groups that know a task.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::core::waiting::WaitKey;

#[derive(Debug, Default)]
pub(super) struct Line {
    /// Those that some worker knows.
    tasks: HashMap<u64, Task>,
    /// Those of them that jobs wait for.
    ready: BTreeSet<u64>,
    groups: BTreeMap<u64, Group>,
    numbers: HashMap<Arc<[u64]>, u64>,
    last_group: u64,
    /// Groups in which somebody may get a job who could not before.
    stirred: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Task {
    groups: BTreeSet<u64>,
    /// Jobs in the order of their numbers, which is that of submission; whether each has a time limit: then
    /// it is taken alone, by a worker that has nothing else.
    waiting: BTreeMap<u64, bool>,
}

#[derive(Debug)]
struct Group {
    /// In order, each once.
    tasks: Arc<[u64]>,
    workers: usize,
    /// Those who wait for a job and whose worker has none, in the order of coming.
    idle: BTreeMap<u64, WaitKey>,
    /// Those whose worker has jobs, but none with a time limit.
    busy: BTreeMap<u64, WaitKey>,
}

/// What a worker can take beside the jobs that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// It has none: any.
    Idle,
    /// It has some: those without a time limit.
    Busy,
    /// It has one with a time limit: nothing.
    Full,
}

/// One who waits for a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) group: u64,
    /// The order of coming.
    pub(super) number: u64,
}

impl Line {
    pub(super) fn knows(&self, task: u64) -> bool {
        self.tasks.contains_key(&task)
    }

    /// Adds a worker that knows these tasks, each once and in order; its group.
    pub(super) fn join(&mut self, tasks: Arc<[u64]>) -> u64 {
        if let Some(&number) = self.numbers.get(&tasks) {
            if let Some(group) = self.groups.get_mut(&number) {
                group.workers += 1;
            }
            return number;
        }
        self.last_group += 1;
        let number = self.last_group;
        for task in &*tasks {
            self.tasks.entry(*task).or_default().groups.insert(number);
        }
        self.numbers.insert(Arc::clone(&tasks), number);
        self.groups.insert(number, Group { tasks, workers: 1, idle: BTreeMap::new(), busy: BTreeMap::new() });
        number
    }

    /// Takes a worker of a group away. Gives the jobs that wait for tasks that nobody knows any more, in
    /// their order.
    pub(super) fn quit(&mut self, number: u64) -> Vec<u64> {
        let Some(group) = self.groups.get_mut(&number) else { return Vec::new() };
        group.workers -= 1;
        if group.workers > 0 {
            return Vec::new();
        }
        let tasks = Arc::clone(&group.tasks);
        self.groups.remove(&number);
        self.numbers.remove(&tasks);
        self.stirred.remove(&number);
        let mut unserved = BTreeMap::new();
        for id in &*tasks {
            let Some(task) = self.tasks.get_mut(id) else { continue };
            task.groups.remove(&number);
            if task.groups.is_empty() {
                unserved.append(&mut task.waiting);
                self.tasks.remove(id);
                self.ready.remove(id);
            }
        }
        unserved.into_keys().collect()
    }

    /// Puts a job in its place.
    pub(super) fn push(&mut self, id: u64, job: u64, is_limited: bool) {
        let task = self.tasks.entry(id).or_default();
        task.waiting.insert(job, is_limited);
        self.ready.insert(id);
        self.stirred.extend(&task.groups);
    }

    pub(super) fn remove(&mut self, id: u64, job: u64) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if task.waiting.remove(&job) == Some(true) {
            // Those who must not have it were kept from what is behind it.
            self.stirred.extend(&task.groups);
        }
        if task.waiting.is_empty() {
            self.ready.remove(&id);
        }
    }

    /// The next job of each task of a group that has any, and the task.
    fn heads(&self, group: &Group) -> BTreeMap<u64, u64> {
        let head = |id: &u64| Some((*self.tasks.get(id)?.waiting.first_key_value()?.0, *id));
        if self.ready.len() < group.tasks.len() {
            self.ready.iter().filter(|id| group.tasks.binary_search(id).is_ok()).filter_map(head).collect()
        } else {
            group.tasks.iter().filter_map(head).collect()
        }
    }

    fn is_limited(&self, task: u64, job: u64) -> bool {
        self.tasks.get(&task).and_then(|task| task.waiting.get(&job)).copied().unwrap_or(false)
    }

    /// Takes the next jobs for a worker of a group, in their order, for as long as they are wanted.
    pub(super) fn take(&mut self, group: u64, stand: Stand, mut wants: impl FnMut(u64) -> bool) -> Vec<u64> {
        let (Some(group), true) = (self.groups.get(&group), stand != Stand::Full) else { return Vec::new() };
        let (mut heads, mut taken) = (self.heads(group), Vec::new());
        while let Some((job, task)) = heads.pop_first() {
            let is_limited = self.is_limited(task, job);
            let must_wait = is_limited && (stand == Stand::Busy || !taken.is_empty());
            if must_wait || !wants(job) {
                break;
            }
            self.remove(task, job);
            taken.push(job);
            if is_limited {
                break;
            }
            let next = self.tasks.get(&task).and_then(|task| task.waiting.first_key_value());
            heads.extend(next.map(|(job, _)| (*job, task)));
        }
        taken
    }

    /// Somebody waits for a job, or can have other jobs than before.
    pub(super) fn seat(&mut self, place: Place, wait: WaitKey, stand: Stand) {
        self.leave(place);
        let Some(group) = self.groups.get_mut(&place.group) else { return };
        match stand {
            Stand::Idle => group.idle.insert(place.number, wait),
            Stand::Busy => group.busy.insert(place.number, wait),
            Stand::Full => return,
        };
        self.stirred.insert(place.group);
    }

    /// Somebody waits for a job no more.
    pub(super) fn leave(&mut self, place: Place) {
        if let Some(group) = self.groups.get_mut(&place.group) {
            group.idle.remove(&place.number);
            group.busy.remove(&place.number);
        }
    }

    /// The one who has waited longest of those that can have a job, if there is anybody.
    pub(super) fn next_taker(&mut self) -> Option<WaitKey> {
        let next = self.stirred.iter().filter_map(|group| self.candidate(self.groups.get(group)?)).min();
        if next.is_none() {
            self.stirred.clear();
        }
        next.map(|(_, wait)| wait)
    }

    fn candidate(&self, group: &Group) -> Option<(u64, WaitKey)> {
        if group.idle.is_empty() && group.busy.is_empty() {
            return None;
        }
        let (job, task) = self.heads(group).pop_first()?;
        let is_limited = self.is_limited(task, job);
        let (idle, busy) = (group.idle.first_key_value(), group.busy.first_key_value());
        let first = idle.into_iter().chain(busy.filter(|_| !is_limited)).min();
        first.map(|(number, wait)| (*number, *wait))
    }
}
