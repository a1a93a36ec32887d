//! Pools.

mod ends;
mod fit;
mod plain;

use manager_protocol::pool::{self, Assignment, Event, PoolStatus};
use manager_protocol::{Encoded, Kind, Many, encode_value, manager};
use proptest::prelude::*;

use super::generate::{compare, timeout};
use super::objects::{Alarm, Key, Objects, Others, Said, Turn, Undo, Why};
use super::wire::{Message, decode};
use plain::Pool;

/// Why a pool breaks, if it does.
const REASON: &str = "it does not start";

/// Two pools, for one may be deleted.
pub(crate) struct Pools([Pool; 2]);

/// What is asked of which of them.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    at: usize,
    /// The numbers stay as they are, whatever there is.
    wild: bool,
    ask: Ask,
}

#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Enter,
    Leave { member: u64 },
    Hire { member: u64, tasks: Vec<u64> },
    Attach { worker: u64, pid: u32 },
    Submit { member: u64, jobs: Vec<Submitted> },
    Take { worker: u64, limit: u64, timeout_ms: Option<i64> },
    Finish { worker: u64, jobs: Vec<u64>, failed: u32 },
    GiveBack { worker: u64, jobs: Vec<u64> },
    Collect { member: u64, limit: u64, timeout_ms: Option<i64> },
    Cancel { member: u64, jobs: Vec<u64> },
    Bury { worker: u64, exit: Option<i32> },
    Close,
    Terminate { breaks: bool },
    Status,
}

#[derive(Debug, Clone)]
pub(crate) struct Submitted {
    own: u64,
    task: u64,
    calls: u32,
    attempts: u32,
    limit: Option<i64>,
}

impl Submitted {
    fn job(self) -> pool::Job<'static> {
        pool::Job {
            job: self.own,
            task: self.task,
            calls: self.calls,
            attempts: self.attempts,
            time_limit_ms: self.limit,
            arguments: encoded(self.own),
        }
    }
}

fn encoded(number: u64) -> Encoded<'static> {
    Encoded::from(std::sync::Arc::<[u8]>::from(encode_value(&number).unwrap()))
}

fn numbers(numbers: &[u64]) -> Many<'_, u64> {
    Many::new(numbers.iter().copied())
}

fn submitted() -> impl Strategy<Value = Submitted> {
    let task = prop_oneof![5 => Just(1_u64), 3 => Just(2), 1 => Just(3)];
    let limit = prop_oneof![3 => Just(None), 1 => (1_i64..40).prop_map(Some)];
    let count = || prop_oneof![60 => 1_u32..3, 1 => Just(0)];
    (0_u64..200, task, count(), count(), limit).prop_map(|(own, task, calls, attempts, limit)| Submitted {
        own,
        task,
        calls,
        attempts,
        limit,
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    let member = || prop_oneof![4 => Just(1_u64), 3 => Just(2), 1 => 3_u64..6];
    let worker = || prop_oneof![3 => Just(1_u64), 3 => Just(2), 3 => Just(3), 2 => 4_u64..7];
    let tasks = prop_oneof![3 => Just(vec![1]), 1 => Just(vec![2, 2]), 2 => Just(vec![2, 1]), 1 => Just(vec![])];
    let some = || prop::collection::vec(0_u64..20, 1..4);
    let exit = prop_oneof![Just(None), (-9_i32..3).prop_map(Some)];
    prop_oneof![
        1 => Just(Ask::Enter),
        1 => member().prop_map(|member| Ask::Leave { member }),
        2 => (member(), tasks).prop_map(|(member, tasks)| Ask::Hire { member, tasks }),
        2 => (worker(), 1_u32..9).prop_map(|(worker, pid)| Ask::Attach { worker, pid }),
        8 => (member(), prop::collection::vec(submitted(), 1..5))
            .prop_map(|(member, jobs)| Ask::Submit { member, jobs }),
        10 => (worker(), 0_u64..4, timeout())
            .prop_map(|(worker, limit, timeout_ms)| Ask::Take { worker, limit, timeout_ms }),
        4 => (worker(), some(), 0_u32..3)
            .prop_map(|(worker, jobs, failed)| Ask::Finish { worker, jobs, failed }),
        2 => (worker(), some()).prop_map(|(worker, jobs)| Ask::GiveBack { worker, jobs }),
        5 => (member(), 0_u64..4, timeout())
            .prop_map(|(member, limit, timeout_ms)| Ask::Collect { member, limit, timeout_ms }),
        2 => (member(), some()).prop_map(|(member, jobs)| Ask::Cancel { member, jobs }),
        2 => (worker(), exit).prop_map(|(worker, exit)| Ask::Bury { worker, exit }),
        1 => any::<u8>().prop_map(|dice| match dice {
            0..40 => Ask::Close,
            40..60 => Ask::Terminate { breaks: false },
            60..80 => Ask::Terminate { breaks: true },
            80.. => Ask::Status,
        }),
        2 => Just(Ask::Status),
    ]
}

/// A number that may not be there.
fn maybe(number: Option<impl Into<i64>>) -> u64 {
    number.map_or(0, |number| (number.into() + 1_000) as u64)
}

fn status_rows(status: PoolStatus) -> Vec<Vec<u64>> {
    let flags = [status.closed, status.terminated, status.reason.as_deref() == Some(REASON)].map(u64::from);
    let counts = [status.queued, status.running, status.done, status.failed, status.lost, status.members];
    let mut rows = vec![[&counts[..], &flags].concat()];
    rows.extend(status.workers.iter().map(|worker| {
        let pid = maybe(worker.pid);
        assert_eq!(worker.name, "worker");
        vec![worker.worker, pid, worker.running, worker.done, worker.failed]
    }));
    rows
}

impl Objects for Pools {
    type Op = Op;

    fn new() -> Self {
        Self([0, 1].map(Pool::new))
    }

    fn open() -> Vec<Message> {
        ["a", "b"].map(|name| Message::new(0, manager::Open { name: Some(name), kind: Kind::Pool })).to_vec()
    }

    fn beginning() -> Vec<(usize, Op)> {
        let asks = [
            (0, Ask::Enter),
            (1, Ask::Enter),
            (0, Ask::Hire { member: 1, tasks: vec![1] }),
            (0, Ask::Hire { member: 1, tasks: vec![1, 2] }),
            (1, Ask::Hire { member: 2, tasks: vec![1, 2] }),
            (1, Ask::Attach { worker: 1, pid: 7 }),
            (2, Ask::Attach { worker: 2, pid: 8 }),
            (0, Ask::Attach { worker: 3, pid: 9 }),
        ];
        asks.into_iter().map(|(connection, ask)| (connection, Op { at: 0, wild: true, ask })).collect()
    }

    fn fit(&self, session: usize, operation: &Op) -> Op {
        let mut fitted = operation.clone();
        if !operation.wild {
            self.0[operation.at].fit(session, &mut fitted.ask);
        }
        fitted
    }

    fn looks() -> Vec<Op> {
        [0, 1].map(|at| Op { at, wild: true, ask: Ask::Status }).to_vec()
    }

    fn operations() -> BoxedStrategy<Op> {
        let wild = prop_oneof![9 => Just(false), 1 => Just(true)];
        (prop_oneof![9 => Just(0_usize), 1 => Just(1)], wild, ask())
            .prop_map(|(at, wild, ask)| Op { at, wild, ask })
            .boxed()
    }

    fn message(operation: &Op) -> Message {
        let object = operation.at as u64 + 1;
        match operation.ask.clone() {
            Ask::Enter => Message::new(object, pool::Enter {}),
            Ask::Leave { member } => Message::new(object, pool::Leave { member }),
            Ask::Hire { member, tasks } => {
                Message::new(object, pool::Hire { member, name: "worker", tasks: numbers(&tasks) })
            }
            Ask::Attach { worker, pid } => Message::new(object, pool::Attach { worker, pid }),
            Ask::Submit { member, jobs } => {
                Message::new(object, pool::Submit { member, jobs: Many::new(jobs.into_iter().map(Submitted::job)) })
            }
            Ask::Take { worker, limit, timeout_ms } => Message::new(object, pool::Take { worker, limit, timeout_ms }),
            Ask::Finish { worker, jobs, failed } => {
                let outcome = move |job| pool::Outcome { job, failed, value: encoded(job) };
                Message::new(object, pool::Finish { worker, outcomes: Many::new(jobs.into_iter().map(outcome)) })
            }
            Ask::GiveBack { worker, jobs } => Message::new(object, pool::GiveBack { worker, jobs: numbers(&jobs) }),
            Ask::Collect { member, limit, timeout_ms } => {
                Message::new(object, pool::Collect { member, limit, timeout_ms })
            }
            Ask::Cancel { member, jobs } => Message::new(object, pool::Cancel { member, jobs: numbers(&jobs) }),
            Ask::Bury { worker, exit } => Message::new(object, pool::Bury { worker, exit }),
            Ask::Close => Message::new(object, pool::Close {}),
            Ask::Terminate { breaks } => Message::new(object, pool::Terminate { reason: breaks.then_some(REASON) }),
            Ask::Status => Message::new(object, pool::Status {}),
        }
    }

    fn decode(operation: &Op, result: &[u8]) -> Said {
        match operation.ask {
            Ask::Enter | Ask::Hire { .. } | Ask::Cancel { .. } => Said::Number(decode(result)),
            Ask::Leave { .. }
            | Ask::Attach { .. }
            | Ask::Submit { .. }
            | Ask::Finish { .. }
            | Ask::GiveBack { .. }
            | Ask::Bury { .. }
            | Ask::Close
            | Ask::Terminate { .. } => {
                decode::<()>(result);
                Said::Unit
            }
            Ask::Take { .. } => {
                let jobs: Vec<Assignment<'_>> = decode(result);
                let row = |job: &Assignment<'_>| {
                    let arguments = job.arguments.decode().unwrap();
                    vec![job.job, job.task, job.attempt.into(), maybe(job.time_limit_ms), arguments]
                };
                Said::Rows(jobs.iter().map(row).collect())
            }
            Ask::Collect { .. } => {
                let events: Vec<Event<'_>> = decode(result);
                let row = |event: &Event<'_>| {
                    let worker = maybe(event.worker.map(|worker| worker as i64));
                    let value = maybe(event.value.as_ref().map(|value| value.decode::<u32>().unwrap()));
                    let reason = (event.reason.as_deref() == Some(REASON)).into();
                    let (attempts, ending) = (event.attempts.into(), u8::from(event.ending).into());
                    vec![event.job, ending, attempts, worker, maybe(event.pid), maybe(event.exit), reason, value]
                };
                Said::Rows(events.iter().map(row).collect())
            }
            Ask::Status => Said::Rows(status_rows(decode(result))),
        }
    }

    fn ask(&mut self, key: Key, operation: &Op, others: &mut Others) -> Turn {
        let turn = self.0[operation.at].ask(key, &operation.ask, others);
        self.0[operation.at].serve(others);
        turn
    }

    fn end_wait(&mut self, at: usize, key: Key, why: Why, others: &mut Others) {
        self.0[at].end_wait(key, why, others);
    }

    fn end_session(&mut self, session: usize, undelivered: Vec<Undo>, others: &mut Others) {
        for pool in &mut self.0 {
            pool.end_waits(session);
        }
        for undo in undelivered {
            self.undo(undo, others);
        }
        for pool in &mut self.0 {
            pool.end_session(session, others);
            pool.serve(others);
        }
    }

    fn undo(&mut self, undo: Undo, others: &mut Others) {
        if let Undo::Taking { at, number } = undo {
            self.0[at].undo(number, others);
            self.0[at].serve(others);
        }
    }

    fn ring(&mut self, (at, job): Alarm, others: &mut Others) {
        self.0[at].end_time(job, others);
        self.0[at].serve(others);
    }

    fn delete(&mut self, at: usize) {
        self.0[at] = Pool::new(at);
    }

    fn held(&self) -> usize {
        self.0.iter().map(Pool::held).sum()
    }
}

#[test]
fn pools_do_what_the_model_does() {
    compare::<Pools>(1_000);
}
