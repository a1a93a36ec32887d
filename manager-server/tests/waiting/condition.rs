//! Conditions: a pair, so that their locks can be part of a circle.

use std::collections::{BTreeSet, VecDeque};

use manager_protocol::condition::{self, ConditionStatus, Wake};
use manager_protocol::lock::Grant;
use manager_protocol::{Code, Kind, manager};
use proptest::prelude::*;

use super::generate::{compare, timeout};
use super::hold::{Hold, closes_a_circle, hand_over};
use super::objects::{Holder, Key, Objects, Others, Said, Turn, Undo, Why};
use super::wire::{Message, decode};

pub(crate) struct Conditions(Vec<Condition>);

#[derive(Clone)]
struct Condition {
    hold: Hold<Wanted>,
    waiting: VecDeque<(Key, Holder)>,
    /// Holders that lost the connection for whose sake they waited.
    lost: BTreeSet<Holder>,
}

/// What one who waits for the lock wanted: the lock, or to wake up with it, notified or not.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Lock,
    Wake(bool),
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Acquire { at: usize, holder: u64, timeout_ms: Option<i64> },
    Release { at: usize, holder: u64 },
    Wait { at: usize, holder: u64, timeout_ms: Option<i64> },
    Notify { at: usize, holder: u64, count: Option<u64> },
    Status { at: usize },
}

fn given(wanted: Wanted, (token, died): (u64, bool)) -> Said {
    match wanted {
        Wanted::Lock => Said::Grant { token, died },
        Wanted::Wake(notified) => Said::Wake { notified, token, died },
    }
}

impl Condition {
    fn new() -> Self {
        Self { hold: Hold::new(), waiting: VecDeque::new(), lost: BTreeSet::new() }
    }

    fn wait(&mut self, key: Key, at: usize, holder: Holder, timeout_ms: Option<i64>, others: &mut Others) -> Turn {
        if !self.hold.is_held_by(holder) {
            if !self.lost.remove(&holder) {
                return Turn::Refused(Code::NotHeld);
            }
            self.hold.queue.push_back((key, holder, Wanted::Wake(true)));
            hand_over(&mut self.hold, at, given, others);
            return Turn::Wait(None);
        }
        self.lost.remove(&holder);
        if timeout_ms == Some(0) {
            return Turn::Now(Said::Wake { notified: false, token: self.hold.token, died: false }, None);
        }
        self.hold.take_away();
        self.waiting.push_back((key, holder));
        hand_over(&mut self.hold, at, given, others);
        Turn::Wait(timeout_ms)
    }
}

impl Objects for Conditions {
    type Op = Op;

    fn new() -> Self {
        Self(vec![Condition::new(); 2])
    }

    fn open() -> Vec<Message> {
        ["a", "b"].map(|name| Message::new(0, manager::Open { name: Some(name), kind: Kind::Condition })).to_vec()
    }

    fn operations() -> BoxedStrategy<Op> {
        let at = || prop_oneof![3 => Just(0_usize), 1 => Just(1)];
        let count = prop_oneof![Just(None), (0_u64..3).prop_map(Some)];
        let timed = || (at(), 0_u64..2, timeout());
        prop_oneof![
            5 => timed().prop_map(|(at, holder, timeout_ms)| Op::Acquire { at, holder, timeout_ms }),
            3 => (at(), 0_u64..2).prop_map(|(at, holder)| Op::Release { at, holder }),
            5 => timed().prop_map(|(at, holder, timeout_ms)| Op::Wait { at, holder, timeout_ms }),
            3 => (at(), 0_u64..2, count).prop_map(|(at, holder, count)| Op::Notify { at, holder, count }),
            1 => at().prop_map(|at| Op::Status { at }),
        ]
        .boxed()
    }

    fn message(operation: &Op) -> Message {
        match *operation {
            Op::Acquire { at, holder, timeout_ms } => {
                Message::new(at as u64 + 1, condition::Acquire { holder, timeout_ms })
            }
            Op::Release { at, holder } => Message::new(at as u64 + 1, condition::Release { holder }),
            Op::Wait { at, holder, timeout_ms } => Message::new(at as u64 + 1, condition::Wait { holder, timeout_ms }),
            Op::Notify { at, holder, count } => Message::new(at as u64 + 1, condition::Notify { holder, count }),
            Op::Status { at } => Message::new(at as u64 + 1, condition::Status {}),
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
            Op::Wait { .. } => {
                let Wake { notified, grant } = decode(result);
                Said::Wake { notified, token: grant.token, died: grant.owner_died }
            }
            Op::Notify { .. } => Said::Number(decode(result)),
            Op::Status { .. } => {
                let status: ConditionStatus = decode(result);
                Said::Status(vec![status.held.into(), status.acquiring, status.waiting])
            }
        }
    }

    fn ask(&mut self, key: Key, operation: &Op, others: &mut Others) -> Turn {
        match *operation {
            Op::Acquire { at, holder, timeout_ms } => {
                let holder = (key.0, holder);
                if self.0[at].hold.owner.is_none() {
                    self.0[at].lost.remove(&holder);
                    let grant = self.0[at].hold.give(holder);
                    return Turn::Now(given(Wanted::Lock, grant), Some(Undo::Lock { at, holder, token: grant.0 }));
                }
                if timeout_ms == Some(0) {
                    return Turn::Now(Said::Nil, None);
                }
                let all: Vec<_> = self.0.iter().map(|condition| (&condition.hold, true)).collect();
                if closes_a_circle(&all, holder, at) {
                    return Turn::Refused(Code::Deadlock);
                }
                self.0[at].lost.remove(&holder);
                self.0[at].hold.queue.push_back((key, holder, Wanted::Lock));
                Turn::Wait(timeout_ms)
            }
            Op::Wait { at, holder, timeout_ms } => self.0[at].wait(key, at, (key.0, holder), timeout_ms, others),
            Op::Release { at, holder } | Op::Notify { at, holder, .. }
                if !self.0[at].hold.is_held_by((key.0, holder)) =>
            {
                Turn::Refused(Code::NotHeld)
            }
            Op::Release { at, .. } => {
                self.0[at].hold.take_away();
                hand_over(&mut self.0[at].hold, at, given, others);
                Turn::Now(Said::Unit, None)
            }
            Op::Notify { at, count, .. } => {
                let condition = &mut self.0[at];
                let woken = condition.waiting.len().min(count.map_or(usize::MAX, |count| count as usize));
                for (key, holder) in condition.waiting.drain(..woken) {
                    others.untimed.push(key);
                    condition.hold.queue.push_back((key, holder, Wanted::Wake(true)));
                }
                Turn::Now(Said::Number(woken as u64), None)
            }
            Op::Status { at } => {
                let condition = &self.0[at];
                let (acquiring, waiting) = (condition.hold.queue.len() as u64, condition.waiting.len() as u64);
                Turn::Now(Said::Status(vec![condition.hold.owner.is_some().into(), acquiring, waiting]), None)
            }
        }
    }

    fn end_wait(&mut self, at: usize, key: Key, why: Why, others: &mut Others) {
        let condition = &mut self.0[at];
        let place = condition.waiting.iter().position(|(waiting, _)| *waiting == key);
        let (holder, wanted) = match place.and_then(|place| condition.waiting.remove(place)) {
            Some((_, holder)) => (holder, Wanted::Wake(false)),
            None => condition.hold.remove(key).unwrap(),
        };
        match (why, wanted) {
            (Why::TimedOut, Wanted::Lock) => others.answer(key, Ok(Said::Nil), None),
            (Why::TimedOut, Wanted::Wake(_)) => {
                condition.hold.queue.push_back((key, holder, wanted));
                hand_over(&mut condition.hold, at, given, others);
            }
            (Why::Cancelled, _) => others.answer(key, Err(Code::Cancelled), None),
            (Why::Lost, Wanted::Lock) => {}
            (Why::Lost, Wanted::Wake(_)) => drop(condition.lost.insert(holder)),
        }
    }

    fn end_session(&mut self, session: usize, undelivered: Vec<Undo>, others: &mut Others) {
        for (at, condition) in self.0.iter_mut().enumerate() {
            condition.waiting.retain(|(key, _)| key.0 != session);
            condition.lost.retain(|holder| holder.0 != session);
            condition.hold.end_session(at, session, &undelivered, true);
            hand_over(&mut condition.hold, at, given, others);
        }
    }

    fn undo(&mut self, undo: Undo, others: &mut Others) {
        if let Undo::Lock { at, holder, token } = undo {
            let hold = &mut self.0[at].hold;
            hold.take_back(holder, token);
            hand_over(hold, at, given, others);
        }
    }

    fn delete(&mut self, at: usize) {
        self.0[at] = Condition::new();
    }

    fn held(&self) -> usize {
        self.0.iter().map(|condition| usize::from(condition.hold.owner.is_some()) + condition.lost.len()).sum()
    }
}

#[test]
fn conditions_do_what_the_model_does() {
    compare::<Conditions>(10_000);
}
