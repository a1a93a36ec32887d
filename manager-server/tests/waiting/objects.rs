//! What a model of objects is, and what it says.

use std::collections::VecDeque;
use std::fmt::Debug;

use manager_protocol::Code;
use proptest::strategy::BoxedStrategy;

use super::wire::Message;

/// A request: the place of its session, and its id.
pub(crate) type Key = (usize, u64);

/// An object, and a number of its own.
pub(crate) type Alarm = (usize, u64);

/// A session's place, and the number that it gave.
pub(crate) type Holder = (usize, u64);

/// What is answered, of whatever type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Unit,
    Nil,
    Bool(bool),
    Number(u64),
    Grant { token: u64, died: bool },
    Wake { notified: bool, token: u64, died: bool },
    Status(Vec<u64>),
    Rows(Vec<Vec<u64>>),
}

pub(crate) type Reply = Result<Said, Code>;

/// What an operation comes to.
pub(crate) enum Turn {
    Now(Said, Option<Undo>),
    Refused(Code),
    /// It waits, for so many milliseconds at most.
    Wait(Option<i64>),
}

/// How an answer that was never had is taken back.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Undo {
    Lock {
        at: usize,
        holder: Holder,
        token: u64,
    },
    Permit {
        at: usize,
        session: usize,
    },
    /// Whatever this taking gave.
    Taking {
        at: usize,
        number: u64,
    },
}

/// Why a wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    TimedOut,
    Cancelled,
    Lost,
}

/// What an operation does to requests that wait.
#[derive(Default)]
pub(crate) struct Others {
    pub(crate) answered: VecDeque<(Key, Reply, Option<Undo>)>,
    /// They wait on, and for as long as it takes.
    pub(crate) untimed: Vec<Key>,
    /// Alarms of the object's own, by their numbers: they go off after so many milliseconds, or not at all.
    pub(crate) alarms: Vec<(Alarm, Option<u64>)>,
}

impl Others {
    pub(crate) fn answer(&mut self, key: Key, reply: Reply, undo: Option<Undo>) {
        self.answered.push_back((key, reply, undo));
    }
}

/// The objects of one kind, as a model.
pub(crate) trait Objects {
    type Op: Clone + Debug;

    fn new() -> Self;

    /// What opens each of them, in the order of their ids from 1.
    fn open() -> Vec<Message>;

    /// What the first connections ask for before anything else.
    fn beginning() -> Vec<(usize, Self::Op)> {
        Vec::new()
    }

    /// The operation as this session would ask for it: numbers in it become those of what there is.
    fn fit(&self, session: usize, operation: &Self::Op) -> Self::Op {
        let _ = session;
        operation.clone()
    }

    /// What is looked at after each action: operations that read and that nobody is refused.
    fn looks() -> Vec<Self::Op> {
        Vec::new()
    }

    fn operations() -> BoxedStrategy<Self::Op>;

    fn message(operation: &Self::Op) -> Message;

    fn decode(operation: &Self::Op, result: &[u8]) -> Said;

    fn ask(&mut self, key: Key, operation: &Self::Op, others: &mut Others) -> Turn;

    fn end_wait(&mut self, at: usize, key: Key, why: Why, others: &mut Others);

    /// A session ends; `undelivered` is what it never knew that it got.
    fn end_session(&mut self, session: usize, undelivered: Vec<Undo>, others: &mut Others);

    fn undo(&mut self, undo: Undo, others: &mut Others);

    /// An alarm goes off.
    fn ring(&mut self, alarm: Alarm, others: &mut Others) {
        let _ = (alarm, others);
    }

    /// Empties an object; who waits in it is gone.
    fn delete(&mut self, at: usize);

    /// How many things sessions hold.
    fn held(&self) -> usize;
}
