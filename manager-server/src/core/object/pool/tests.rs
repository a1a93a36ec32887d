//! Pools that are driven as clients drive them, with a clock that goes when it is told to.

mod cases;

use manager_protocol::pool::{self, Assignment, Ending, Event, Job, Outcome, PoolStatus};
use manager_protocol::{Kind, Many, Operation, decode_value, manager};

use crate::core::Limits;
use crate::core::object::queue::tests::world::{Answer, Request, World, encoded, reply};

/// The task that the workers of these tests know.
const TASK: u64 = 7;

/// Some clients at one pool.
struct Run {
    world: World,
    pool: u64,
}

/// A job of one call that may be attempted once.
fn job(job: u64) -> Job<'static> {
    Job { job, task: TASK, calls: 1, attempts: 1, time_limit_ms: None, arguments: encoded(job) }
}

fn outcome(job: u64) -> Outcome<'static> {
    Outcome { job, failed: 0, value: encoded(job) }
}

/// An assignment as a worker keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    job: u64,
    attempt: u32,
    /// What it was submitted with: the member's number, in these tests.
    own: u64,
}

/// An event as a member keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    job: u64,
    ending: Ending,
    attempts: u32,
    worker: Option<u64>,
    pid: Option<u32>,
    exit: Option<i32>,
    reason: Option<String>,
    value: Option<u64>,
}

impl Heard {
    /// A job ended so, after one attempt of a worker at this seat.
    fn of(job: u64, ending: Ending, worker: u64, seat: u32) -> Self {
        let (worker, pid) = (Some(worker), Some(100 + seat));
        Self { job, ending, attempts: 1, worker, pid, exit: None, reason: None, value: None }
    }

    /// A job ended so that no worker ever had.
    fn untouched(job: u64, ending: Ending) -> Self {
        Self { job, ending, attempts: 0, worker: None, pid: None, exit: None, reason: None, value: None }
    }
}

fn many<T: Clone + Send + Sync>(items: &[T]) -> Many<'_, T> {
    Many::new(items.iter().cloned())
}

impl Run {
    fn new(seats: usize) -> Self {
        Self::with(Limits::default(), seats)
    }

    fn with(limits: Limits, seats: usize) -> Self {
        let mut world = World::new(limits, seats);
        for seat in 0..seats {
            world.connect(seat);
        }
        let pool = world.open(0, manager::Open { name: Some("pool"), kind: Kind::Pool });
        Self { world, pool }
    }

    fn call<O: Operation>(&mut self, seat: usize, operation: O) -> Answer {
        self.world.call(seat, self.pool, operation)
    }

    #[track_caller]
    fn done<O: Operation>(&mut self, seat: usize, operation: O) {
        assert_eq!(self.call(seat, operation), reply(()));
    }

    fn number<O: Operation>(&mut self, seat: usize, operation: O) -> u64 {
        let Answer::Reply(result) = self.call(seat, operation) else { panic!("{} was refused", O::ROW.name) };
        decode_value(&result).unwrap()
    }

    fn enter(&mut self, seat: usize) -> u64 {
        self.number(seat, pool::Enter {})
    }

    fn hire(&mut self, seat: usize, member: u64, tasks: &[u64]) -> u64 {
        self.number(seat, pool::Hire { member, name: "worker", tasks: many(tasks) })
    }

    /// Hires a worker and attaches another seat as it.
    fn employ(&mut self, seat: usize, member: u64, at: usize) -> u64 {
        let worker = self.hire(seat, member, &[TASK]);
        self.done(at, pool::Attach { worker, pid: 100 + at as u32 });
        worker
    }

    fn submit(&mut self, seat: usize, member: u64, jobs: &[Job<'static>]) {
        self.done(seat, pool::Submit { member, jobs: many(jobs) });
    }

    fn take(&mut self, seat: usize, worker: u64, limit: u64) -> Vec<Taken> {
        taken(&self.call(seat, pool::Take { worker, limit, timeout_ms: Some(0) }))
    }

    /// Takes, or waits for, jobs.
    fn await_jobs(&mut self, seat: usize, worker: u64) -> Request {
        let (request, answer) = self.world.send(seat, self.pool, pool::Take { worker, limit: 1, timeout_ms: None });
        assert_eq!(answer, None, "it waits");
        request
    }

    fn finish(&mut self, seat: usize, worker: u64, jobs: &[Taken]) {
        let outcomes: Vec<_> =
            jobs.iter().map(|taken| Outcome { value: encoded(taken.own), ..outcome(taken.job) }).collect();
        self.done(seat, pool::Finish { worker, outcomes: many(&outcomes) });
    }

    fn collect(&mut self, seat: usize, member: u64) -> Vec<Heard> {
        heard(&self.call(seat, pool::Collect { member, limit: 1000, timeout_ms: Some(0) }))
    }

    fn status(&mut self) -> PoolStatus {
        let Answer::Reply(status) = self.call(0, pool::Status {}) else { panic!("status was refused") };
        decode_value(&status).unwrap()
    }
}

#[track_caller]
fn taken(answer: &Answer) -> Vec<Taken> {
    let Answer::Reply(bytes) = answer else { panic!("not taken: {answer:?}") };
    let all: Vec<Assignment<'_>> = decode_value(bytes).unwrap();
    all.iter()
        .map(|given| Taken { job: given.job, attempt: given.attempt, own: given.arguments.decode().unwrap() })
        .collect()
}

#[track_caller]
fn heard(answer: &Answer) -> Vec<Heard> {
    let Answer::Reply(bytes) = answer else { panic!("not collected: {answer:?}") };
    let all: Vec<Event<'_>> = decode_value(bytes).unwrap();
    all.into_iter()
        .map(|event| Heard {
            job: event.job,
            ending: event.ending,
            attempts: event.attempts,
            worker: event.worker,
            pid: event.pid,
            exit: event.exit,
            reason: event.reason,
            value: event.value.map(|value| value.decode().unwrap()),
        })
        .collect()
}
