//! What all async calls of a manager share: the way to the task that serves the session.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use arc_swap::{ArcSwapOption, Guard};
use manager_protocol::{Effect, ObjectId, Operation, Row, manager};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::request::{Order, Request};
use super::task::Task;
use super::wire::LEAVING;
use crate::calls::{Calls, Outcomes, Raw};
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::error::{Error, Reason, Result};
use crate::reference::Outlet;
use crate::session::{Session, Sessions, process_id};

/// Starts calls, and a task to serve them whenever there is none.
///
/// There is no lock that a fork could leave locked.
#[derive(Debug)]
pub(crate) struct Driver {
    sessions: Sessions,
    /// The way to the task that serves now.
    lane: ArcSwapOption<Lane>,
    endpoint: Arc<Endpoint>,
}

/// The way to a task. The task ends with the last of these.
#[derive(Debug)]
struct Lane {
    calls: mpsc::Sender<Request>,
    /// One for each call that was dropped and each guard that was let go, so no more than there are of those.
    orders: mpsc::UnboundedSender<Order>,
    /// Of the process that the task is in: a fork has none of the runtime's threads.
    session: Arc<Session>,
}

/// Where the outcome of a request comes.
type Outcome = oneshot::Receiver<Result<Raw>>;

/// A call. It is queued when it is first polled; dropping it cancels it.
///
/// It is written as a state and not as an `async fn`, whose futures would be several times as large: one of them is
/// moved to the heap for each call.
pub(crate) struct Calling<'d> {
    driver: &'d Driver,
    row: Row,
    object: ObjectId,
    stage: Stage<'d>,
}

enum Stage<'d> {
    /// It was not begun; its arguments.
    New(Vec<u8>),
    /// It waits for a place in the queue.
    Queueing(Pin<Box<dyn Future<Output = Started> + Send + 'd>>),
    Queued(Started),
}

/// A call for which there was no room in the queue.
struct Full {
    started: Started,
    request: Request,
}

/// A call that was queued. Dropping it cancels the call.
struct Started {
    id: u64,
    row: Row,
    object: ObjectId,
    outcome: Outcome,
    lane: Arc<Lane>,
    done: bool,
}

impl Driver {
    pub(crate) fn new(endpoint: Endpoint) -> Arc<Self> {
        Arc::new_cyclic(|driver: &Weak<Self>| Self {
            sessions: Sessions::new(driver.clone()),
            lane: ArcSwapOption::empty(),
            endpoint: Arc::new(endpoint),
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn era(&self) -> u64 {
        self.sessions.current().era()
    }

    /// Connects, if there is no connection yet.
    pub(crate) async fn reach(&self) -> Result<()> {
        let mut arguments = Vec::new();
        manager::Ping {}.encode(&mut arguments);
        self.call(manager::Ping::ROW, 0, arguments).await.map(drop)
    }

    /// One request and its answer.
    pub(crate) fn call(&self, row: Row, object: ObjectId, arguments: Vec<u8>) -> Calling<'_> {
        Calling { driver: self, row, object, stage: Stage::New(arguments) }
    }

    /// Several requests, queued one behind the other, and their answers.
    pub(crate) async fn batch(&self, calls: &Calls, outcomes: &mut Outcomes) {
        let mut settle = |index, outcome: Result<Raw>| match outcome {
            Ok(raw) => outcomes.answer(index, raw.answer()),
            Err(error) => outcomes.refuse(index, error),
        };
        let mut started = VecDeque::new();
        for (index, call) in calls.iter().enumerate() {
            let next = match self.start(call.row, call.target.object(), call.arguments.to_vec(), true) {
                Ok(next) => next,
                Err(full) => self.queue(full).await,
            };
            started.push_back((index, next));
            // What was taken can be acknowledged while others are still to be sent.
            while let Some((index, first)) = started.front_mut()
                && let Some(outcome) = first.take()
            {
                settle(*index, outcome);
                started.pop_front();
            }
        }
        while let Some((index, next)) = started.pop_front() {
            settle(index, next.finish().await);
        }
    }

    /// A change that is made from now on, also if the future is dropped.
    pub(crate) fn insist(
        &self,
        row: Row,
        object: ObjectId,
        arguments: Vec<u8>,
    ) -> impl Future<Output = Result<Raw>> + Send + use<> {
        let outcome = self.detach(row, object, arguments);
        async move {
            let Some(outcome) = outcome else { return Err(Error::new(Reason::Broken)) };
            outcome.await.unwrap_or_else(|_| Err(Error::new(Reason::Broken).unanswered(row.effect)))
        }
    }

    /// Hands a change to the task, which makes it whether or not somebody waits for the outcome. `None` if
    /// there is no task, and no runtime to start one on.
    pub(crate) fn detach(&self, row: Row, object: ObjectId, mut arguments: Vec<u8>) -> Option<Outcome> {
        let runtime = Handle::try_current().ok();
        loop {
            let lane = self.lane(|| runtime.clone())?;
            let id = lane.session.begin(row.effect);
            let (reply, outcome) = oneshot::channel();
            let detached = Some(lane.session.generation());
            let request = Request { id, row, object, arguments, ordered: false, detached, sent: false, reply };
            match lane.orders.send(Order::Detached(request)) {
                // The task has just come to its end.
                Err(mpsc::error::SendError(Order::Detached(request))) => {
                    lane.session.finish(id);
                    arguments = request.arguments;
                }
                Ok(()) | Err(mpsc::error::SendError(Order::Cancel { .. } | Order::GiveBack)) => return Some(outcome),
            }
        }
    }

    /// Queues a request, if there is room for it now. `ordered`: not to be sent before what was started before it.
    fn start(&self, row: Row, object: ObjectId, mut arguments: Vec<u8>, ordered: bool) -> Result<Started, Box<Full>> {
        loop {
            let lane = self.lane(|| Some(Handle::current())).expect("with a runtime there is a task");
            let id = lane.session.begin(row.effect);
            let (reply, outcome) = oneshot::channel();
            // Dropped from now on, the call is over.
            let mut started = Started { id, row, object, outcome, lane, done: false };
            let request = Request { id, row, object, arguments, ordered, detached: None, sent: false, reply };
            match started.lane.calls.try_send(request) {
                Ok(()) => return Ok(started),
                Err(TrySendError::Full(request)) => return Err(Box::new(Full { started, request })),
                // The task has just come to its end.
                Err(TrySendError::Closed(request)) => {
                    started.settle(None);
                    arguments = request.arguments;
                }
            }
        }
    }

    /// Queues a request as soon as there is room for it.
    async fn queue(&self, mut full: Box<Full>) -> Started {
        loop {
            let Full { mut started, request } = *full;
            let Err(mpsc::error::SendError(request)) = started.lane.calls.send(request).await else { return started };
            // The task has just come to its end.
            started.settle(None);
            match self.start(request.row, request.object, request.arguments, request.ordered) {
                Ok(started) => return started,
                Err(again) => full = again,
            }
        }
    }

    /// The way to the task. If there is none, or it has come to its end, one is started on the runtime.
    fn lane(&self, runtime: impl Fn() -> Option<Handle>) -> Option<Arc<Lane>> {
        loop {
            let session = self.sessions.current();
            let current = self.lane.load();
            if let Some(lane) = &*current
                && Arc::ptr_eq(&lane.session, &session)
                && !lane.calls.is_closed()
            {
                return Some(lane.clone());
            }
            let (runtime, session) = (runtime()?, Guard::into_inner(session));
            let (calls, queue) = mpsc::channel(QUEUE);
            let (orders, ordered) = mpsc::unbounded_channel();
            let lane = Arc::new(Lane { calls, orders, session: session.clone() });
            let before = self.lane.compare_and_swap(&current, Some(lane));
            let replaced = before.as_ref().map(Arc::as_ptr) == current.as_ref().map(Arc::as_ptr);
            if replaced {
                abandon(current.as_ref(), &session);
                runtime.spawn(Task::new(self.endpoint.clone(), session, queue, ordered).serve());
            }
        }
    }
}

impl Outlet for Driver {
    fn release(&self, generation: u32, object: ObjectId, times: u64) {
        // Without a task, the next one sends it.
        if let Some(session) = self.sessions.own()
            && session.give_back(generation, object, times)
            && let Some(lane) = self.lane(|| None)
        {
            drop(lane.orders.send(Order::GiveBack));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let lane = self.lane.load();
        let Some(session) = self.sessions.own() else { return std::mem::forget(lane.clone()) };
        abandon(lane.as_ref(), &session);
        let is_served = lane.as_ref().is_some_and(|lane| !lane.calls.is_closed());
        if !is_served && session.can_leave() {
            // The runtime of the task has ended before.
            let deadline = Deadline::after(LEAVING);
            let _ = Connection::greet(&self.endpoint, &session, &deadline).map(|connection| connection.leave(&session));
        }
    }
}

/// Leaves a lane of the parent of a fork as it is: to drop it would wake a task that is not there, by
/// locks that may be locked.
fn abandon(lane: Option<&Arc<Lane>>, session: &Arc<Session>) {
    if let Some(lane) = lane
        && lane.session.pid() != session.pid()
    {
        std::mem::forget(lane.clone());
    }
}

impl Future for Calling<'_> {
    type Output = Result<Raw>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Raw>> {
        let (driver, row, object) = (self.driver, self.row, self.object);
        loop {
            self.stage = match &mut self.stage {
                Stage::New(arguments) => match driver.start(row, object, std::mem::take(arguments), false) {
                    Ok(started) => Stage::Queued(started),
                    Err(full) => Stage::Queueing(Box::pin(driver.queue(full))),
                },
                Stage::Queueing(queueing) => Stage::Queued(ready!(queueing.as_mut().poll(context))),
                Stage::Queued(started) => return started.poll(context),
            };
        }
    }
}

impl Started {
    async fn finish(mut self) -> Result<Raw> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Raw>> {
        let outcome = ready!(Pin::new(&mut self.outcome).poll(context)).unwrap_or_else(|_| self.orphaned());
        self.settle(outcome.as_ref().err());
        Poll::Ready(outcome)
    }

    /// The outcome, if it is there.
    fn take(&mut self) -> Option<Result<Raw>> {
        let outcome = match self.outcome.try_recv() {
            Ok(outcome) => outcome,
            Err(TryRecvError::Closed) => self.orphaned(),
            Err(TryRecvError::Empty) => return None,
        };
        self.settle(outcome.as_ref().err());
        Some(outcome)
    }

    /// The task was ended, with the runtime that it ran on.
    fn orphaned(&self) -> Result<Raw> {
        Err(Error::new(Reason::Broken).unanswered(self.row.effect))
    }

    /// Ends what the answer says has begun.
    fn take_back(&self, answer: &Raw) {
        let Lane { orders, session, .. } = &*self.lane;
        if let Some(end) = Request::ending(session, self.row, self.object, answer.answer()) {
            let id = end.id;
            if orders.send(Order::Detached(end)).is_err() {
                session.finish(id);
            }
        }
    }

    /// The caller has what there is to have.
    fn settle(&mut self, error: Option<&Error>) {
        self.done = true;
        if self.row.effect == Effect::Read {
            return;
        }
        if error.is_some_and(|error| error.is_outcome_unknown()) {
            self.lane.session.give_up([self.id]);
        } else {
            self.lane.session.finish(self.id);
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // The child of a fork has nothing to do with a call of its parent.
        if self.done || self.lane.session.pid() != process_id() {
            return;
        }
        self.outcome.close();
        let change = self.row.effect != Effect::Read;
        // An answer that arrived and was not taken is as if it had not: what it granted is given back.
        let untaken = self.outcome.try_recv();
        if let Ok(Ok(raw)) = &untaken {
            self.take_back(raw);
        }
        match untaken {
            Ok(Err(error)) => self.settle(Some(&error)),
            Ok(Ok(_)) if !change => {}
            Ok(Ok(_)) | Err(_) => {
                let order = Order::Cancel { id: self.id, change };
                if self.lane.orders.send(order).is_err() && change {
                    self.lane.session.give_up([self.id]);
                }
            }
        }
    }
}

/// Calls that wait for the task to take them; more wait for a place in the queue.
const QUEUE: usize = 1024;
