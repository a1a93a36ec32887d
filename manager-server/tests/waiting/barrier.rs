//! Barriers.

use std::collections::BTreeSet;

use manager_protocol::barrier::{self, BarrierStatus};
use manager_protocol::{Code, manager};
use proptest::prelude::*;

use super::generate::{compare, timeout};
use super::objects::{Key, Objects, Others, Said, Turn, Undo, Why};
use super::wire::{Message, decode};

const PARTIES: [u64; 3] = [1, 2, 3];

#[derive(Default)]
pub(crate) struct Barriers([Barrier; 3]);

#[derive(Default)]
struct Barrier {
    broken: bool,
    waiting: Vec<Key>,
    /// Sessions that lost the connection for whose sake they waited.
    lost: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Wait { at: usize, timeout_ms: Option<i64> },
    Abort { at: usize },
    Reset { at: usize },
    Status { at: usize },
}

impl Barrier {
    fn break_up(&mut self, others: &mut Others) {
        self.broken = true;
        self.lost.clear();
        for key in self.waiting.drain(..) {
            others.answer(key, Err(Code::Broken), None);
        }
    }

    fn wait(&mut self, key: Key, parties: u64, timeout_ms: Option<i64>, others: &mut Others) -> Turn {
        if self.broken {
            return Turn::Refused(Code::Broken);
        }
        if self.waiting.len() as u64 + 1 == parties {
            self.lost.clear();
            for (place, key) in self.waiting.drain(..).enumerate() {
                others.answer(key, Ok(Said::Number(place as u64)), None);
            }
            return Turn::Now(Said::Number(parties - 1), None);
        }
        if timeout_ms == Some(0) {
            self.break_up(others);
            return Turn::Refused(Code::Broken);
        }
        self.lost.remove(&key.0);
        self.waiting.push(key);
        Turn::Wait(timeout_ms)
    }
}

impl Objects for Barriers {
    type Op = Op;

    fn new() -> Self {
        Self::default()
    }

    fn open() -> Vec<Message> {
        let open = |(name, parties)| Message::new(0, manager::OpenBarrier { name: Some(name), parties });
        ["a", "b", "c"].into_iter().zip(PARTIES).map(open).collect()
    }

    fn operations() -> BoxedStrategy<Op> {
        let at = || prop_oneof![1 => Just(0_usize), 4 => Just(1), 6 => Just(2)];
        prop_oneof![
            8 => (at(), timeout()).prop_map(|(at, timeout_ms)| Op::Wait { at, timeout_ms }),
            1 => at().prop_map(|at| Op::Abort { at }),
            3 => at().prop_map(|at| Op::Reset { at }),
            1 => at().prop_map(|at| Op::Status { at }),
        ]
        .boxed()
    }

    fn message(operation: &Op) -> Message {
        match *operation {
            Op::Wait { at, timeout_ms } => Message::new(at as u64 + 1, barrier::Wait { timeout_ms }),
            Op::Abort { at } => Message::new(at as u64 + 1, barrier::Abort {}),
            Op::Reset { at } => Message::new(at as u64 + 1, barrier::Reset {}),
            Op::Status { at } => Message::new(at as u64 + 1, barrier::Status {}),
        }
    }

    fn decode(operation: &Op, result: &[u8]) -> Said {
        match operation {
            Op::Wait { .. } => Said::Number(decode(result)),
            Op::Abort { .. } | Op::Reset { .. } => {
                decode::<()>(result);
                Said::Unit
            }
            Op::Status { .. } => {
                let status: BarrierStatus = decode(result);
                Said::Status(vec![status.parties, status.waiting, status.broken.into()])
            }
        }
    }

    fn ask(&mut self, key: Key, operation: &Op, others: &mut Others) -> Turn {
        match *operation {
            Op::Wait { at, timeout_ms } => return self.0[at].wait(key, PARTIES[at], timeout_ms, others),
            Op::Abort { at } => self.0[at].break_up(others),
            Op::Reset { at } => {
                let barrier = &mut self.0[at];
                if !barrier.waiting.is_empty() {
                    return Turn::Refused(Code::InUse);
                }
                barrier.broken = false;
            }
            Op::Status { at } => {
                let barrier = &self.0[at];
                let (waiting, broken) = (barrier.waiting.len() as u64, barrier.broken.into());
                return Turn::Now(Said::Status(vec![PARTIES[at], waiting, broken]), None);
            }
        }
        Turn::Now(Said::Unit, None)
    }

    fn end_wait(&mut self, at: usize, key: Key, why: Why, others: &mut Others) {
        let barrier = &mut self.0[at];
        barrier.waiting.retain(|waiting| *waiting != key);
        match why {
            Why::TimedOut => others.answer(key, Err(Code::Broken), None),
            Why::Cancelled => others.answer(key, Err(Code::Cancelled), None),
            Why::Lost => {
                barrier.lost.insert(key.0);
                return;
            }
        }
        barrier.break_up(others);
    }

    fn end_session(&mut self, session: usize, _: Vec<Undo>, others: &mut Others) {
        for barrier in &mut self.0 {
            let before = barrier.waiting.len();
            barrier.waiting.retain(|waiting| waiting.0 != session);
            if barrier.lost.remove(&session) || barrier.waiting.len() < before {
                barrier.break_up(others);
            }
        }
    }

    fn undo(&mut self, _: Undo, _: &mut Others) {}

    fn delete(&mut self, at: usize) {
        self.0[at] = Barrier::default();
    }

    fn held(&self) -> usize {
        self.0.iter().map(|barrier| barrier.lost.len()).sum()
    }
}

#[test]
fn barriers_do_what_the_model_does() {
    compare::<Barriers>(10_000);
}
