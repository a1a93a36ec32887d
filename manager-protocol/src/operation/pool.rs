//! Operations on a pool: jobs that members submit, and workers that take and finish them.
//!
//! A *task* is a function that programs know by a number of their own making; a *job* is one call of it, or
//! of several at once, with arguments and an outcome that the server never looks into. A *member* is one who
//! submits jobs, collects what becomes of them, and keeps workers: it watches their processes, and replaces
//! the ones that die. Members and workers are numbers; each belongs to a session, and goes with it.
//!
//! A `timeout_ms` of nil waits for as long as it takes; 0 does not wait. Jobs are taken in the order in which
//! they were submitted.

#![allow(elided_lifetimes_in_paths, reason = "the table names operations with and without a lifetime alike")]

use serde::{Deserialize, Serialize};

use super::{Effect, Operation, Row, numbered, operations, serve_method, serve_reply, traits, unknown};
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::reply::{Decoder, Encode, Many, Reply, Sink};

operations! {
    /// A decoded request to a pool.
    pool<'a>;

    /// Makes the session a member; its number.
    0x0f01 [change] enter: Enter {} -> u64;

    /// Ends a membership: the member's jobs are dropped, and the workers that it hired and that nobody
    /// attached to are gone.
    ///
    /// Refused with `NotHeld` if this session has no such member.
    0x0f02 [change] leave: Leave {
        /// The member.
        member: u64,
    } -> ();

    /// Announces a worker, before its process is there; its number.
    ///
    /// The member keeps it: it is told to end the worker's process (`Condemned`), and tells when that has
    /// ended (`bury`). Refused as `leave`, with `ShutDown` once the pool was terminated, with `InvalidArgument`
    /// for a name or a number of tasks that is too long, and with `LimitExceeded`.
    0x0f03 [change] hire: Hire<'a> {
        /// The member that keeps it.
        member: u64,
        /// What people call it.
        name: &'a str,
        /// The tasks that it knows.
        tasks: Many<'a, u64>,
    } -> u64;

    /// The session is the one of a worker that was hired: it takes jobs, and when the session ends, those
    /// that it has not finished are taken by others, or lost.
    ///
    /// Refused with `NotHeld` if there is no such worker, or another session is it already.
    0x0f04 [change] attach: Attach {
        /// The worker.
        worker: u64,
        /// The number of its process, for messages.
        pid: u32,
    } -> ();

    /// Puts jobs behind all others; all or none.
    ///
    /// Refused as `leave`, with `ShutDown` if the pool was closed or terminated, with `UnknownTask` if no
    /// worker knows a task, with `InvalidArgument` for 0 attempts, 0 calls, a time limit of 0 or less, or a
    /// number that a job of this member has already, and with `LimitExceeded`.
    0x0f05 [change] submit: Submit<'a> {
        /// The member.
        member: u64,
        /// What is to be done.
        jobs: Many<'a, Job<'a>>,
    } -> ();

    /// Takes the next jobs whose task the worker knows, once there is one.
    ///
    /// A job with a time limit is taken alone, and its time begins now. Refused with `NotHeld` if the session
    /// is not this worker (any more), with `Empty` if there is none in time, with `ShutDown` once the pool was
    /// terminated, or was closed and has no job any more, and with `InvalidArgument` for a limit of 0. A worker
    /// that was condemned gets no more jobs: it is refused with `NotHeld`.
    0x0f06 [change wait] take: Take {
        /// The worker.
        worker: u64,
        /// Most jobs to take. The server may take fewer than that, for the size of the reply.
        limit: u64,
        /// How long to wait for the first one.
        timeout_ms: Option<i64>,
    } -> Many<'r, Assignment<'r>>;

    /// Tells what came of jobs. Those that the worker does not have (any more) are passed over.
    ///
    /// Refused with `NotHeld` if the session is not this worker (any more).
    0x0f07 [change] finish: Finish<'a> {
        /// The worker.
        worker: u64,
        /// What came of each.
        outcomes: Many<'a, Outcome<'a>>,
    } -> ();

    /// Returns jobs that the worker has not begun to their places, in front of all that were submitted later:
    /// they were not attempted.
    ///
    /// Those that it does not have (any more) are passed over. Refused as `finish`.
    0x0f08 [change] give_back: GiveBack<'a> {
        /// The worker.
        worker: u64,
        /// The jobs.
        jobs: Many<'a, u64>,
    } -> ();

    /// Takes what a member is to be told, in the order in which it happened, once there is something.
    ///
    /// Refused as `leave`, with `Empty` if there is nothing in time, and with `InvalidArgument` for a limit
    /// of 0.
    0x0f09 [change wait] collect: Collect {
        /// The member.
        member: u64,
        /// Most to take. The server may take fewer than that, for the size of the reply.
        limit: u64,
        /// How long to wait for the first.
        timeout_ms: Option<i64>,
    } -> Many<'r, Event<'r>>;

    /// Ends jobs of a member as `Cancelled`: those that wait are not done; one that a worker has alone
    /// condemns the worker; what comes of one that a worker has along with others is dropped. How many of
    /// them were not over yet.
    ///
    /// Refused as `leave`.
    0x0f0a [change] cancel: Cancel<'a> {
        /// The member.
        member: u64,
        /// The numbers that the member gave them.
        jobs: Many<'a, u64>,
    } -> u64;

    /// Tells that the process of a worker has ended, and how. The worker is gone, and what it had is taken
    /// by others or lost.
    ///
    /// Refused with `NotHeld` if no member of this session keeps such a worker.
    0x0f0b [change] bury: Bury {
        /// The worker.
        worker: u64,
        /// Its exit code, or the negative number of the signal that ended it.
        exit: Option<i32>,
    } -> ();

    /// From now on nothing can be submitted. What was submitted is done.
    0x0f0c [change] close: Close {} -> ();

    /// Ends every job that is not over as `Terminated`, or as `Broken` if there is a reason, and condemns
    /// every worker.
    0x0f0d [change] terminate: Terminate<'a> {
        /// Why the pool cannot be used.
        reason: Option<&'a str>,
    } -> ();

    /// What there is to know of the pool.
    0x0f0e [read] status: Status {} -> PoolStatus;
}

numbered! {
    /// How a job ended, or that a worker is to.
    Ending, "ending of a job";
    /// A worker has finished it: `value` is the outcome.
    Finished = 1,
    /// Its worker ended in the middle, and it is not to be attempted again.
    Lost = 2,
    /// It took longer than its time limit; its worker was condemned.
    TimedOut = 3,
    /// It was cancelled.
    Cancelled = 4,
    /// The pool was terminated.
    Terminated = 5,
    /// The pool cannot be used: `reason` says why.
    Broken = 6,
    /// No worker knows its task any more.
    Unserved = 7,
    /// It is about no job: the member is to end the process of this worker.
    Condemned = 8,
}

/// One call of a task, or several at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job<'a> {
    /// A number that tells it from the member's other jobs.
    pub job: u64,
    /// What to run.
    pub task: u64,
    /// How many calls it stands for, for statistics.
    pub calls: u32,
    /// How often it may be begun, if its workers end in the middle.
    pub attempts: u32,
    /// How long it may take; nil for as long as it takes.
    pub time_limit_ms: Option<i64>,
    /// What the worker is given.
    #[serde(borrow)]
    pub arguments: Encoded<'a>,
}

/// A job as a worker is given it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment<'a> {
    /// A number that tells it from all other jobs of the pool.
    pub job: u64,
    /// What to run.
    pub task: u64,
    /// The how-manieth attempt it is, from 1.
    pub attempt: u32,
    /// How long it may take.
    pub time_limit_ms: Option<i64>,
    /// What it was submitted with.
    #[serde(borrow)]
    pub arguments: Encoded<'a>,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome<'a> {
    /// The number of its assignment.
    pub job: u64,
    /// How many of its calls failed, for statistics.
    pub failed: u32,
    /// What its member is given.
    #[serde(borrow)]
    pub value: Encoded<'a>,
}

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// The number that the member gave the job; 0 if it is about a worker.
    pub job: u64,
    /// What happened.
    pub ending: Ending,
    /// How often the job was begun.
    pub attempts: u32,
    /// The worker that had it last, or that it is about.
    pub worker: Option<u64>,
    /// The number of that worker's process.
    pub pid: Option<u32>,
    /// How that process ended, if it did and somebody told: an exit code, or a negative signal.
    pub exit: Option<i32>,
    /// Why the pool cannot be used.
    pub reason: Option<String>,
    /// The outcome of a job that was finished.
    #[serde(borrow)]
    pub value: Option<Encoded<'a>>,
}

/// What there is to know of a pool. It counts calls, not jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStatus {
    /// Calls that wait for a worker.
    pub queued: u64,
    /// Calls that workers have.
    pub running: u64,
    /// Calls that returned.
    pub done: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that ended in another way: lost, timed out, cancelled, terminated, and the like.
    pub lost: u64,
    /// Members.
    pub members: u64,
    /// Whether it was closed or terminated.
    pub closed: bool,
    /// Whether it was terminated.
    pub terminated: bool,
    /// Why it cannot be used, if it broke.
    pub reason: Option<String>,
    /// The workers, in the order of their numbers.
    pub workers: Vec<WorkerStatus>,
}

/// What there is to know of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its number.
    pub worker: u64,
    /// What people call it.
    pub name: String,
    /// Its process, once that is attached.
    pub pid: Option<u32>,
    /// Calls that it has.
    pub running: u64,
    /// Calls that it finished and that returned.
    pub done: u64,
    /// Calls that it finished and that failed.
    pub failed: u64,
}
