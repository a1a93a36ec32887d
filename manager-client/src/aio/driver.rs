//! What all async calls of a manager share: the way to the task that serves the connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use manager_protocol::{Effect, ObjectId, Operation, Row, manager};
use tokio::sync::{mpsc, oneshot};

use super::task::{self, Failure, Request};
use crate::calls::{Calls, Outcomes, Raw};
use crate::endpoint::Endpoint;
use crate::error::{Error, Reason, Result};

/// Starts calls, and a task to serve them whenever there is none.
#[derive(Debug)]
pub(crate) struct Driver {
    /// The task that serves now. The lock is held to look at it and to replace it, never for longer.
    current: Mutex<Option<Lane>>,
    next_id: AtomicU64,
    endpoint: Arc<Endpoint>,
}

/// The way to a task. The task ends with the last of these.
#[derive(Debug, Clone)]
struct Lane {
    requests: mpsc::Sender<Request>,
    /// One for each call dropped after it was queued, so no more than there are calls.
    cancels: mpsc::UnboundedSender<u64>,
    /// The process that the task is in: a fork has none of the runtime's threads.
    pid: u32,
}

/// A call that was queued. Dropping it cancels the call.
struct Started {
    id: u64,
    outcome: oneshot::Receiver<Result<Raw, Failure>>,
    lane: Lane,
    done: bool,
}

impl Driver {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { current: Mutex::new(None), next_id: AtomicU64::new(1), endpoint: Arc::new(endpoint) }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Connects, if there is no connection yet.
    pub(crate) async fn reach(&self) -> Result<()> {
        let mut arguments = Vec::new();
        manager::Ping {}.encode(&mut arguments);
        self.call(manager::Ping::ROW, 0, arguments).await.map(drop)
    }

    /// One request and its answer; on a fresh connection if the first one was lost and that is harmless.
    pub(crate) async fn call(&self, row: Row, object: ObjectId, arguments: Vec<u8>) -> Result<Raw> {
        let kept = (row.effect == Effect::Read).then(|| arguments.clone());
        let failure = match self.attempt(row, object, arguments).await {
            Ok(raw) => return Ok(raw),
            Err(failure) => failure,
        };
        match failure.unsent.or(kept) {
            Some(arguments) if failure.error.is_lost_connection() => {
                self.attempt(row, object, arguments).await.map_err(|failure| failure.error)
            }
            Some(_) | None => Err(failure.error),
        }
    }

    /// Several requests, queued one behind the other, and their answers.
    pub(crate) async fn batch(&self, calls: &Calls, outcomes: &mut Outcomes) {
        let mut started = Vec::with_capacity(calls.len());
        for call in calls.iter() {
            started.push(self.start(call.row, call.target.object(), call.arguments.to_vec(), true).await);
        }
        for ((index, call), started) in calls.iter().enumerate().zip(started) {
            let outcome = match started {
                Ok(started) => started.finish(call.row.effect).await,
                Err(failure) => Err(failure),
            };
            match outcome {
                Ok(raw) => outcomes.answer(index, raw.answer()),
                Err(failure) => outcomes.refuse(index, failure.error),
            };
        }
    }

    async fn attempt(&self, row: Row, object: ObjectId, arguments: Vec<u8>) -> Result<Raw, Failure> {
        self.start(row, object, arguments, false).await?.finish(row.effect).await
    }

    /// `ordered`: not to be sent before what was started before it.
    async fn start(&self, row: Row, object: ObjectId, arguments: Vec<u8>, ordered: bool) -> Result<Started, Failure> {
        let lane = self.lane();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (reply, outcome) = oneshot::channel();
        let request = Request { id, row, object, arguments, ordered, reply };
        match lane.requests.send(request).await {
            Ok(()) => Ok(Started { id, outcome, lane, done: false }),
            Err(mpsc::error::SendError(request)) => {
                Err(Failure { error: Error::new(Reason::Broken), unsent: Some(request.arguments) })
            }
        }
    }

    /// The way to the task; a new task if there is none, or it has come to its end.
    fn lane(&self) -> Lane {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = std::process::id();
        if let Some(lane) = &*current
            && lane.pid == pid
            && !lane.requests.is_closed()
        {
            return lane.clone();
        }
        let (requests, queue) = mpsc::channel(QUEUE);
        let (cancels, cancelled) = mpsc::unbounded_channel();
        tokio::spawn(task::serve(self.endpoint.clone(), queue, cancelled));
        current.insert(Lane { requests, cancels, pid }).clone()
    }
}

impl Started {
    async fn finish(mut self, effect: Effect) -> Result<Raw, Failure> {
        let outcome = (&mut self.outcome).await;
        self.done = true;
        // Without an outcome: the task was ended, with the runtime that it ran on.
        outcome.unwrap_or_else(|_| Err(Failure::unanswered(&Error::new(Reason::Broken), effect)))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.done {
            // If the task has ended there is nothing to cancel.
            let _ = self.lane.cancels.send(self.id);
        }
    }
}

/// Calls that wait for the task to take them; more wait for a place in the queue.
const QUEUE: usize = 1024;
