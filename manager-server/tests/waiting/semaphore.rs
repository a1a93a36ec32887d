//! Semaphores: bounded or not, owned or not.

use std::collections::{BTreeMap, VecDeque};

use manager_protocol::semaphore::{self, SemaphoreSetup, SemaphoreStatus};
use manager_protocol::{Code, manager};
use proptest::prelude::*;

use super::generate::{compare, timeout};
use super::objects::{Key, Objects, Others, Said, Turn, Undo, Why};
use super::wire::{Message, decode};

const SETUPS: [SemaphoreSetup; 4] = [
    SemaphoreSetup { permits: 2, bounded: true, ownerless: false },
    SemaphoreSetup { permits: 1, bounded: false, ownerless: false },
    SemaphoreSetup { permits: 1, bounded: true, ownerless: true },
    SemaphoreSetup { permits: 0, bounded: false, ownerless: true },
];

pub(crate) struct Semaphores(Vec<Semaphore>);

#[derive(Clone)]
struct Semaphore {
    setup: SemaphoreSetup,
    available: u64,
    taken: BTreeMap<usize, u64>,
    queue: VecDeque<Key>,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Acquire { at: usize, timeout_ms: Option<i64> },
    Release { at: usize },
    Status { at: usize },
}

impl Semaphore {
    fn new(setup: SemaphoreSetup) -> Self {
        Self { setup, available: setup.permits, taken: BTreeMap::new(), queue: VecDeque::new() }
    }

    fn take(&mut self, session: usize) {
        self.available -= 1;
        if !self.setup.ownerless {
            *self.taken.entry(session).or_default() += 1;
        }
    }

    /// Gives permits back, though never more than a bounded one may have.
    fn give(&mut self, permits: u64) {
        self.available += permits;
        if self.setup.bounded {
            self.available = self.available.min(self.setup.permits);
        }
    }

    fn note_given(&mut self, session: usize) -> bool {
        let Some(taken) = self.taken.get_mut(&session) else { return false };
        *taken -= 1;
        if *taken == 0 {
            self.taken.remove(&session);
        }
        true
    }

    fn take_back(&mut self, session: usize) {
        if self.note_given(session) || self.setup.ownerless {
            self.give(1);
        }
    }

    fn hand_over(&mut self, at: usize, others: &mut Others) {
        while self.available > 0
            && let Some(key) = self.queue.pop_front()
        {
            self.take(key.0);
            others.answer(key, Ok(Said::Bool(true)), Some(Undo::Permit { at, session: key.0 }));
        }
    }
}

impl Objects for Semaphores {
    type Op = Op;

    fn new() -> Self {
        Self(SETUPS.map(Semaphore::new).to_vec())
    }

    fn open() -> Vec<Message> {
        let names = ["a", "b", "c", "d"];
        let open = |(name, setup)| Message::new(0, manager::OpenSemaphore { name: Some(name), setup });
        names.into_iter().zip(SETUPS).map(open).collect()
    }

    fn operations() -> BoxedStrategy<Op> {
        let at = || prop_oneof![3 => Just(0_usize), 2 => Just(1), 2 => Just(2), 1 => Just(3)];
        prop_oneof![
            6 => (at(), timeout()).prop_map(|(at, timeout_ms)| Op::Acquire { at, timeout_ms }),
            4 => at().prop_map(|at| Op::Release { at }),
            1 => at().prop_map(|at| Op::Status { at }),
        ]
        .boxed()
    }

    fn message(operation: &Op) -> Message {
        match *operation {
            Op::Acquire { at, timeout_ms } => Message::new(at as u64 + 1, semaphore::Acquire { timeout_ms }),
            Op::Release { at } => Message::new(at as u64 + 1, semaphore::Release {}),
            Op::Status { at } => Message::new(at as u64 + 1, semaphore::Status {}),
        }
    }

    fn decode(operation: &Op, result: &[u8]) -> Said {
        match operation {
            Op::Acquire { .. } => Said::Bool(decode(result)),
            Op::Release { .. } => {
                decode::<()>(result);
                Said::Unit
            }
            Op::Status { .. } => {
                let status: SemaphoreStatus = decode(result);
                Said::Status(vec![status.available, status.waiting])
            }
        }
    }

    fn ask(&mut self, key: Key, operation: &Op, others: &mut Others) -> Turn {
        match *operation {
            Op::Acquire { at, timeout_ms } => {
                let semaphore = &mut self.0[at];
                if semaphore.available > 0 {
                    semaphore.take(key.0);
                    return Turn::Now(Said::Bool(true), Some(Undo::Permit { at, session: key.0 }));
                }
                if timeout_ms == Some(0) {
                    return Turn::Now(Said::Bool(false), None);
                }
                semaphore.queue.push_back(key);
                Turn::Wait(timeout_ms)
            }
            Op::Release { at } => {
                let semaphore = &mut self.0[at];
                if semaphore.setup.bounded && semaphore.available == semaphore.setup.permits {
                    return Turn::Refused(Code::OverRelease);
                }
                semaphore.note_given(key.0);
                semaphore.give(1);
                semaphore.hand_over(at, others);
                Turn::Now(Said::Unit, None)
            }
            Op::Status { at } => {
                let semaphore = &self.0[at];
                Turn::Now(Said::Status(vec![semaphore.available, semaphore.queue.len() as u64]), None)
            }
        }
    }

    fn end_wait(&mut self, at: usize, key: Key, why: Why, others: &mut Others) {
        self.0[at].queue.retain(|waiting| *waiting != key);
        match why {
            Why::TimedOut => others.answer(key, Ok(Said::Bool(false)), None),
            Why::Cancelled => others.answer(key, Err(Code::Cancelled), None),
            Why::Lost => {}
        }
    }

    fn end_session(&mut self, session: usize, undelivered: Vec<Undo>, others: &mut Others) {
        for (at, semaphore) in self.0.iter_mut().enumerate() {
            semaphore.queue.retain(|waiting| waiting.0 != session);
            let of = |undo: &&Undo| matches!(undo, Undo::Permit { at: place, .. } if *place == at);
            for _ in undelivered.iter().filter(of) {
                semaphore.take_back(session);
                semaphore.hand_over(at, others);
            }
            let taken = semaphore.taken.remove(&session).unwrap_or(0);
            semaphore.give(taken);
            semaphore.hand_over(at, others);
        }
    }

    fn undo(&mut self, undo: Undo, others: &mut Others) {
        if let Undo::Permit { at, session } = undo {
            self.0[at].take_back(session);
            self.0[at].hand_over(at, others);
        }
    }

    fn delete(&mut self, at: usize) {
        self.0[at] = Semaphore::new(SETUPS[at]);
        self.0[at].available = 0;
    }

    fn held(&self) -> usize {
        self.0.iter().map(|semaphore| semaphore.taken.len()).sum()
    }
}

#[test]
fn semaphores_do_what_the_model_does() {
    compare::<Semaphores>(10_000);
}
