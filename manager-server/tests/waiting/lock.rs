//! Locks: an owned pair, a reentrant one and an ownerless one.

use manager_protocol::lock::{self, Grant, LockMode, LockStatus};
use manager_protocol::{Code, manager};
use proptest::prelude::*;

use super::generate::{compare, timeout};
use super::hold::{Hold, closes_a_circle, hand_over};
use super::objects::{Holder, Key, Objects, Others, Said, Turn, Undo, Why};
use super::wire::{Message, decode};

const MODES: [LockMode; 4] = [LockMode::Owned, LockMode::Owned, LockMode::Reentrant, LockMode::Ownerless];

pub(crate) struct Locks(Vec<Hold<()>>);

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Acquire { at: usize, holder: u64, timeout_ms: Option<i64> },
    Release { at: usize, holder: u64 },
    Status { at: usize },
}

fn granted((): (), (token, died): (u64, bool)) -> Said {
    Said::Grant { token, died }
}

impl Locks {
    fn acquire(&mut self, key: Key, at: usize, holder: Holder, timeout_ms: Option<i64>) -> Turn {
        let again = MODES[at] == LockMode::Reentrant && self.0[at].is_held_by(holder);
        let hold = &mut self.0[at];
        let given = if again {
            hold.owner.as_mut().unwrap().depth += 1;
            Some((hold.token, false))
        } else {
            hold.owner.is_none().then(|| hold.give(holder))
        };
        if let Some(grant) = given {
            return Turn::Now(granted((), grant), Some(Undo::Lock { at, holder, token: grant.0 }));
        }
        if timeout_ms == Some(0) {
            return Turn::Now(Said::Nil, None);
        }
        let watched = |at: usize| MODES[at] != LockMode::Ownerless;
        let all: Vec<_> = self.0.iter().enumerate().map(|(at, hold)| (hold, watched(at))).collect();
        if watched(at) && closes_a_circle(&all, holder, at) {
            return Turn::Refused(Code::Deadlock);
        }
        self.0[at].queue.push_back((key, holder, ()));
        Turn::Wait(timeout_ms)
    }
}

impl Objects for Locks {
    type Op = Op;

    fn new() -> Self {
        Self(vec![Hold::new(); 4])
    }

    fn open() -> Vec<Message> {
        let names = ["a", "b", "c", "d"];
        names
            .into_iter()
            .zip(MODES)
            .map(|(name, mode)| Message::new(0, manager::OpenLock { name: Some(name), mode }))
            .collect()
    }

    fn operations() -> BoxedStrategy<Op> {
        let at = || prop_oneof![3 => Just(0_usize), 2 => Just(1), 2 => Just(2), 1 => Just(3)];
        prop_oneof![
            6 => (at(), 0_u64..2, timeout()).prop_map(|(at, holder, timeout_ms)| Op::Acquire { at, holder, timeout_ms }),
            4 => (at(), 0_u64..2).prop_map(|(at, holder)| Op::Release { at, holder }),
            1 => at().prop_map(|at| Op::Status { at }),
        ]
        .boxed()
    }

    fn message(operation: &Op) -> Message {
        match *operation {
            Op::Acquire { at, holder, timeout_ms } => Message::new(at as u64 + 1, lock::Acquire { holder, timeout_ms }),
            Op::Release { at, holder } => Message::new(at as u64 + 1, lock::Release { holder }),
            Op::Status { at } => Message::new(at as u64 + 1, lock::Status {}),
        }
    }

    fn decode(operation: &Op, result: &[u8]) -> Said {
        match operation {
            Op::Acquire { .. } => decode::<Option<Grant>>(result)
                .map_or(Said::Nil, |grant| Said::Grant { token: grant.token, died: grant.owner_died }),
            Op::Release { .. } => {
                decode::<()>(result);
                Said::Unit
            }
            Op::Status { .. } => {
                let status: LockStatus = decode(result);
                Said::Status(vec![status.held.into(), status.token, status.waiting])
            }
        }
    }

    fn ask(&mut self, key: Key, operation: &Op, others: &mut Others) -> Turn {
        match *operation {
            Op::Acquire { at, holder, timeout_ms } => self.acquire(key, at, (key.0, holder), timeout_ms),
            Op::Release { at, holder } => {
                let hold = &mut self.0[at];
                if hold.owner.is_none() || (MODES[at] != LockMode::Ownerless && !hold.is_held_by((key.0, holder))) {
                    return Turn::Refused(Code::NotHeld);
                }
                hold.take_away();
                hand_over(hold, at, granted, others);
                Turn::Now(Said::Unit, None)
            }
            Op::Status { at } => {
                let hold = &self.0[at];
                let held = hold.owner.is_some().into();
                Turn::Now(Said::Status(vec![held, hold.token, hold.queue.len() as u64]), None)
            }
        }
    }

    fn end_wait(&mut self, at: usize, key: Key, why: Why, others: &mut Others) {
        self.0[at].remove(key).unwrap();
        match why {
            Why::TimedOut => others.answer(key, Ok(Said::Nil), None),
            Why::Cancelled => others.answer(key, Err(Code::Cancelled), None),
            Why::Lost => {}
        }
    }

    fn end_session(&mut self, session: usize, undelivered: Vec<Undo>, others: &mut Others) {
        for (at, hold) in self.0.iter_mut().enumerate() {
            hold.end_session(at, session, &undelivered, MODES[at] != LockMode::Ownerless);
            hand_over(hold, at, granted, others);
        }
    }

    fn undo(&mut self, undo: Undo, others: &mut Others) {
        if let Undo::Lock { at, holder, token } = undo {
            self.0[at].take_back(holder, token);
            hand_over(&mut self.0[at], at, granted, others);
        }
    }

    fn delete(&mut self, at: usize) {
        self.0[at] = Hold::new();
    }

    fn held(&self) -> usize {
        self.0.iter().filter(|hold| hold.owner.is_some()).count()
    }
}

#[test]
fn locks_do_what_the_model_does() {
    compare::<Locks>(10_000);
}
