//! Events.

use manager_protocol::{Code, Kind, event, manager};
use proptest::prelude::*;

use super::generate::{compare, timeout};
use super::objects::{Key, Objects, Others, Said, Turn, Undo, Why};
use super::wire::{Message, decode};

#[derive(Default)]
pub(crate) struct Events([Event; 2]);

#[derive(Default)]
struct Event {
    is_set: bool,
    waiting: Vec<Key>,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Set { at: usize },
    Clear { at: usize },
    IsSet { at: usize },
    Wait { at: usize, timeout_ms: Option<i64> },
}

impl Objects for Events {
    type Op = Op;

    fn new() -> Self {
        Self::default()
    }

    fn open() -> Vec<Message> {
        ["a", "b"].map(|name| Message::new(0, manager::Open { name: Some(name), kind: Kind::Event })).to_vec()
    }

    fn operations() -> BoxedStrategy<Op> {
        let at = || 0_usize..2;
        prop_oneof![
            2 => at().prop_map(|at| Op::Set { at }),
            2 => at().prop_map(|at| Op::Clear { at }),
            1 => at().prop_map(|at| Op::IsSet { at }),
            5 => (at(), timeout()).prop_map(|(at, timeout_ms)| Op::Wait { at, timeout_ms }),
        ]
        .boxed()
    }

    fn message(operation: &Op) -> Message {
        match *operation {
            Op::Set { at } => Message::new(at as u64 + 1, event::Set {}),
            Op::Clear { at } => Message::new(at as u64 + 1, event::Clear {}),
            Op::IsSet { at } => Message::new(at as u64 + 1, event::IsSet {}),
            Op::Wait { at, timeout_ms } => Message::new(at as u64 + 1, event::Wait { timeout_ms }),
        }
    }

    fn decode(_: &Op, result: &[u8]) -> Said {
        Said::Bool(decode(result))
    }

    fn ask(&mut self, key: Key, operation: &Op, others: &mut Others) -> Turn {
        let (Op::Set { at } | Op::Clear { at } | Op::IsSet { at } | Op::Wait { at, .. }) = *operation;
        let event = &mut self.0[at];
        let was_set = event.is_set;
        let said = match *operation {
            Op::Set { .. } => {
                event.is_set = true;
                for key in event.waiting.drain(..) {
                    others.answer(key, Ok(Said::Bool(true)), None);
                }
                !was_set
            }
            Op::Clear { .. } => {
                event.is_set = false;
                was_set
            }
            Op::IsSet { .. } | Op::Wait { timeout_ms: Some(0), .. } => was_set,
            Op::Wait { .. } if was_set => true,
            Op::Wait { timeout_ms, .. } => {
                event.waiting.push(key);
                return Turn::Wait(timeout_ms);
            }
        };
        Turn::Now(Said::Bool(said), None)
    }

    fn end_wait(&mut self, at: usize, key: Key, why: Why, others: &mut Others) {
        self.0[at].waiting.retain(|waiting| *waiting != key);
        match why {
            Why::TimedOut => others.answer(key, Ok(Said::Bool(false)), None),
            Why::Cancelled => others.answer(key, Err(Code::Cancelled), None),
            Why::Lost => {}
        }
    }

    fn end_session(&mut self, session: usize, _: Vec<Undo>, _: &mut Others) {
        for event in &mut self.0 {
            event.waiting.retain(|waiting| waiting.0 != session);
        }
    }

    fn undo(&mut self, _: Undo, _: &mut Others) {}

    fn delete(&mut self, at: usize) {
        self.0[at] = Event::default();
    }

    fn held(&self) -> usize {
        0
    }
}

#[test]
fn events_do_what_the_model_does() {
    compare::<Events>(10_000);
}
