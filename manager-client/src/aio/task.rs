//! The task that serves a session: it writes what was queued, hands out what arrives, and goes on over
//! another connection when one is lost.
//!
//! Each time it runs it takes all that is queued and writes it at once, and looks at all that has
//! arrived. A large request goes out in parts, with other requests in between, but for those that come
//! after it in its batch.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::sync::mpsc;

use super::by_id::ById;
use super::request::{Order, Request};
use super::wire::{LEAVING, Wire};
use crate::calls::Raw;
use crate::endpoint::Endpoint;
use crate::error::{Error, Reason, Result};
use crate::inbox::protocol;
use crate::link::Answer;
use crate::reference::Origin;
use crate::session::{Session, WINDOW, process_id};

/// Serves calls until the server, or the last who could make a call, is gone.
pub(crate) struct Task {
    endpoint: Arc<Endpoint>,
    session: Arc<Session>,
    calls: mpsc::Receiver<Request>,
    orders: mpsc::UnboundedReceiver<Order>,
    wire: Option<Wire>,
    /// Which generation of the session the requests were sent in.
    generation: u32,
    /// When the last connection was lost.
    lost: Option<Instant>,
    /// Why the task ends.
    error: Error,
    /// Nobody can make a call any more.
    gone: bool,
    /// Requests that were taken off the queue, in this go and altogether.
    taken: Vec<Request>,
    ready: VecDeque<Request>,
    /// Requests of batches that must not overtake a large one.
    held: VecDeque<Request>,
    /// Requests without an answer, and where in the stream each begins.
    waiting: HashMap<u64, (Request, u64), ById>,
    /// Cancelled changes, and the position in the stream by which the server was told.
    cancelling: Vec<(u64, u64)>,
    /// Cancelled requests by whose answers the session has something.
    unwanted: BTreeMap<u64, Request>,
    /// Requests that give back what the session holds, and have no answer.
    releasing: Vec<u64>,
    /// Changes that were sent, or are held, and do not wait.
    under_way: usize,
    /// Answers have arrived that are not handed out yet.
    is_behind: bool,
}

impl Task {
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        session: Arc<Session>,
        calls: mpsc::Receiver<Request>,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        Self {
            generation: session.generation(),
            endpoint,
            session,
            calls,
            orders,
            wire: None,
            lost: None,
            // Unless another is set, it ends with the runtime.
            error: Error::new(Reason::Broken),
            gone: false,
            taken: Vec::new(),
            ready: VecDeque::new(),
            held: VecDeque::new(),
            waiting: HashMap::default(),
            cancelling: Vec::new(),
            unwanted: BTreeMap::new(),
            releasing: Vec::new(),
            under_way: 0,
            is_behind: false,
        }
    }

    /// What is left at the end is dealt with by the drop: it also comes with the end of the runtime.
    pub(crate) async fn serve(mut self) {
        match self.run().await {
            Ok(()) => self.leave().await,
            Err(error) => self.error = error,
        }
    }

    async fn run(&mut self) -> Result<()> {
        while !self.gone {
            match self.connect().await? {
                Some(wire) => self.adopt(wire),
                None => {
                    self.until_wanted().await;
                    continue;
                }
            }
            if let Some(error) = poll_fn(|context| self.poll(context)).await {
                self.lose(&error);
                if !error.is_lost_connection() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// A connection; `None` if nobody waits for one any more.
    ///
    /// What the session holds is kept for a while, so for that time it is tried in any case.
    async fn connect(&mut self) -> Result<Option<Wire>> {
        let (endpoint, session) = (self.endpoint.clone(), self.session.clone());
        let mut opening = pin!(Wire::open(&endpoint, &session));
        poll_fn(|context| {
            self.listen(context);
            let in_vain = self.lost.is_none_or(|lost| lost.elapsed() > session.grace());
            if in_vain && (self.gone || !self.is_wanted()) {
                return Poll::Ready(Ok(None));
            }
            opening.as_mut().poll(context).map_ok(Some)
        })
        .await
    }

    /// Waits for a call, or for the end of all who could make one.
    async fn until_wanted(&mut self) {
        poll_fn(|context| {
            self.listen(context);
            if self.gone || self.is_wanted() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn is_wanted(&self) -> bool {
        let waiting = self.waiting.values().map(|(request, _)| request);
        waiting.chain(&self.ready).chain(&self.held).any(Request::is_wanted)
    }

    /// Does all that can be done now; ready when nothing can be done any more. `None`: nobody is left.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Error>> {
        loop {
            if let Some(Err(error)) = self.wire.as_mut().map(|wire| wire.choose_way(&self.session)) {
                return Poll::Ready(Some(error));
            }
            self.listen(context);
            self.release();
            // What could not be given back when it was told.
            self.give_back();
            let Some(wire) = &mut self.wire else { return Poll::Ready(Some(Error::new(Reason::Broken))) };
            if self.gone && self.ready.is_empty() && self.held.is_empty() && wire.is_even() {
                return Poll::Ready(None);
            }
            let mut idle = true;
            match wire.poll_write(context) {
                Poll::Ready(Ok(())) => idle = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Some(error)),
                Poll::Pending => {}
            }
            let read = if self.is_behind { Poll::Ready(Ok(())) } else { wire.poll_read(context) };
            match read {
                Poll::Ready(read) => {
                    if let Err(error) = read.and_then(|()| self.hand_out()) {
                        return Poll::Ready(Some(error));
                    }
                    idle = false;
                }
                Poll::Pending => {}
            }
            if self.is_behind {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let is_awaited = !self.waiting.is_empty();
            if idle && !self.wire.as_mut().is_some_and(|wire| wire.look(is_awaited, context)) {
                return Poll::Pending;
            }
        }
    }

    /// Takes orders, and as many calls as there is room for.
    fn listen(&mut self, context: &mut Context<'_>) {
        // First: a call that was dropped while it was in the queue is then not sent at all.
        self.take_orders(context);
        while self.has_room() {
            if self.wire.is_some()
                && let Some(request) = self.ready.pop_front()
            {
                self.accept(request);
                continue;
            }
            if !self.ready.is_empty() {
                return;
            }
            match self.calls.poll_recv_many(context, &mut self.taken, AT_ONCE) {
                Poll::Ready(taken) => {
                    // What was dropped before these calls were made goes in front of them.
                    self.take_orders(context);
                    self.ready.extend(self.taken.drain(..));
                    if taken == 0 && self.ready.is_empty() {
                        self.gone = true;
                        return;
                    }
                }
                Poll::Pending => return,
            }
        }
    }

    fn take_orders(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(order)) = self.orders.poll_recv(context) {
            self.obey(order);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Cancel { id, change } => self.cancel(id, change),
            Order::Detached(request) => self.ready.push_back(request),
            // At once: in front of the calls that were made behind it.
            Order::GiveBack => self.give_back(),
        }
    }

    fn has_room(&self) -> bool {
        self.under_way < WINDOW && self.wire.as_ref().is_none_or(|wire| !wire.is_full())
    }

    /// Gives back what the session holds and nobody needs, in as few requests as can be.
    fn give_back(&mut self) {
        if self.session.gives_back()
            && self.releasing.len() < MOST_RELEASING
            && let Some(wire) = &mut self.wire
        {
            self.releasing.extend(wire.put_releases(&self.session));
        }
    }

    /// Sends a request for the first time, or holds it.
    fn accept(&mut self, request: Request) {
        self.under_way += usize::from(request.is_counted());
        self.place(request);
    }

    fn place(&mut self, request: Request) {
        let Some(wire) = &self.wire else { return self.held.push_back(request) };
        if request.ordered && !(wire.is_even() && self.held.is_empty()) {
            self.held.push_back(request);
        } else {
            self.put(request);
        }
    }

    /// Sends the requests that waited for a large one, up to the next large one.
    fn release(&mut self) {
        while self.wire.as_ref().is_some_and(Wire::is_even)
            && let Some(request) = self.held.pop_front()
        {
            self.put(request);
        }
    }

    fn put(&mut self, request: Request) {
        let Some(wire) = &mut self.wire else { return };
        if !request.is_wanted() && !request.sent {
            self.under_way -= usize::from(request.is_counted());
            if request.is_change() {
                self.session.finish(request.id);
            }
            return;
        }
        if request.detached.is_some_and(|generation| generation != wire.generation()) {
            // The session that it gives something back to has ended, and with it what it had.
            self.under_way -= usize::from(request.is_counted());
            return request.fail(&self.session, &Error::new(Reason::SessionExpired));
        }
        let cancelled = wire.put_news(&self.session);
        let start = wire.position();
        self.cancelling.extend(cancelled.into_iter().map(|id| (id, start)));
        match wire.put(request.id, request.row, request.object, &request.arguments) {
            Ok(()) => drop(self.waiting.insert(request.id, (request, start))),
            Err(error) => {
                self.under_way -= usize::from(request.is_counted());
                drop(request.settle(&self.session, Err(error)));
            }
        }
    }

    /// The caller dropped the call's future.
    fn cancel(&mut self, id: u64, change: bool) {
        if let Some((request, _)) = self.waiting.remove(&id) {
            self.under_way -= usize::from(request.is_counted());
            // Without a connection, only what was sent before is told of to the next.
            let withdrawn = self.wire.as_mut().is_none_or(|wire| wire.withdraw(id));
            if withdrawn && !request.sent {
                if change {
                    self.session.finish(id);
                }
                return self.release();
            }
            if request.leaves_something() {
                self.unwanted.insert(id, request);
            }
        } else if let Some(place) = self.held.iter().position(|request| request.id == id && !request.sent) {
            if let Some(request) = self.held.remove(place) {
                self.under_way -= usize::from(request.is_counted());
            }
            if change {
                self.session.finish(id);
            }
            return;
        } else if !change {
            return;
        }
        // Also for a change that was answered, and for one that is still in the queue: the server does
        // not mind.
        let told = self.wire.as_mut().map(|wire| {
            wire.put_cancel(id);
            wire.position()
        });
        if change {
            self.cancelling.push((id, told.unwrap_or(u64::MAX)));
        }
    }

    /// Hands out the answers that have arrived. By a lane not all at once, where that costs nothing: while the server
    /// has to do for those who got theirs first, the others get theirs.
    fn hand_out(&mut self) -> Result<()> {
        let Some(wire) = &mut self.wire else { return Ok(()) };
        let generation = wire.generation();
        let plain = Origin::new(self.session.holds(), generation, &[]);
        let (fence, mut is_passed) = (wire.fenced(), false);
        let (mut count, most) = (0, if wire.is_by_lane() { MOST_BY_LANE } else { usize::MAX });
        self.is_behind = false;
        while let Some(message) = wire.next()? {
            let waiting = self.waiting.remove(&message.id);
            let unwanted = if self.unwanted.is_empty() { None } else { self.unwanted.remove(&message.id) };
            let request = waiting.as_ref().map(|(request, _)| request).or(unwanted.as_ref());
            let gained = match (request, &message.outcome) {
                (Some(request), Ok(answer)) if request.gains() => request.gained(answer.result),
                (_, Ok(_) | Err(_)) => None,
            };
            let mut held = message.held;
            held.extend(gained);
            // What nobody takes of it is given back at the end of the turn.
            let holding = (!held.is_empty()).then(|| Origin::new(self.session.holds(), generation, &held));
            let origin = holding.as_ref().unwrap_or(&plain);
            let outcome = message.outcome.map(|answer| Answer { origin: Some(origin), ..answer });
            match waiting {
                Some((request, start)) => {
                    self.under_way -= usize::from(request.is_counted());
                    if !self.cancelling.is_empty() {
                        // What came before an answered request has arrived.
                        let told = self.cancelling.extract_if(.., |(_, position)| *position <= start);
                        self.session.finish_all(told.map(|(id, _)| id));
                    }
                    self.ready.extend(request.settle(&self.session, outcome.map(Raw::from)));
                }
                None if fence == Some(message.id) => is_passed = true,
                None if self.releasing.contains(&message.id) => {
                    self.releasing.retain(|id| *id != message.id);
                    self.session.was_released(message.id);
                }
                // The late answer to a call that was cancelled.
                None if self.session.was_begun(message.id) => {
                    if let (Some(request), Ok(answer)) = (unwanted, outcome) {
                        self.ready.extend(Request::ending(&self.session, request.row, request.object, answer));
                    }
                }
                None => return Err(protocol("an answer to a request that was not made")),
            }
            count += 1;
            if count == most {
                self.is_behind = true;
                break;
            }
        }
        wire.note_answers(count);
        if is_passed {
            wire.pass_fence();
        }
        Ok(())
    }

    /// Notes what was sent on the connection that is no more.
    fn lose(&mut self, error: &Error) {
        let Some(mut wire) = self.wire.take() else { return };
        self.is_behind = false;
        // An answer to a read has others when that is sent again. That to a change comes again, and holds no more.
        for (id, held) in wire.take_held() {
            if !self.session.awaits(id) {
                drop(self.session.holds().take(wire.generation(), &held));
            }
        }
        if error.is_session_goodbye() {
            self.session.expire(wire.generation());
        }
        let sent = wire.sent(error);
        for (request, start) in self.waiting.values_mut() {
            request.sent |= *start < sent;
        }
        self.session.release_again(self.releasing.drain(..));
        self.session.was_cut();
        self.lost = Some(Instant::now());
    }

    /// Goes on over a new connection: cancels again what may not have been told, and sends again what
    /// was not answered, in the order of ids.
    fn adopt(&mut self, mut wire: Wire) {
        let waiting = std::mem::take(&mut self.waiting).into_values().map(|(request, _)| request);
        let mut again: Vec<Request> = waiting.chain(self.held.drain(..)).collect();
        again.sort_unstable_by_key(|request| request.id);
        if wire.generation() != self.generation {
            self.generation = wire.generation();
            let expired = Error::new(Reason::SessionExpired);
            for request in again.extract_if(.., |request| request.sent && request.is_change()) {
                self.under_way -= usize::from(request.is_counted());
                request.fail(&self.session, &expired);
            }
            // What they would have left has ended with the session.
            self.unwanted.clear();
        }
        for (id, position) in &mut self.cancelling {
            wire.put_cancel(*id);
            *position = wire.position();
        }
        // Their answers may have been lost, and say what is to be given back.
        self.unwanted.retain(|id, request| {
            self.session.awaits(*id) && wire.put(*id, request.row, request.object, &request.arguments).is_ok()
        });
        self.wire = Some(wire);
        for request in again {
            self.place(request);
        }
    }

    /// Tells the server that the session ends.
    async fn leave(&mut self) {
        if self.wire.is_none() && self.session.can_leave() {
            let opened = tokio::time::timeout(LEAVING, Wire::open(&self.endpoint, &self.session)).await;
            self.wire = opened.ok().and_then(Result::ok);
            if let Some(wire) = &mut self.wire {
                self.cancelling.iter().for_each(|(id, _)| wire.put_cancel(*id));
            }
        }
        if let Some(wire) = self.wire.take() {
            wire.leave(&self.session).await;
        }
    }
}

impl Drop for Task {
    /// Sends what can be sent at once, if the runtime has ended, and tells all who wait that there will
    /// be no answer.
    fn drop(&mut self) {
        if self.session.pid() != process_id() {
            return;
        }
        let nobody_left = self.calls.is_closed();
        self.calls.close();
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            self.obey(order);
        }
        while self.wire.is_some()
            && let Some(request) = self.ready.pop_front()
        {
            self.accept(request);
        }
        if let Some(wire) = &mut self.wire {
            if nobody_left {
                wire.put_leave(&self.session);
            }
            wire.try_flush();
        }
        let error = self.error.clone();
        self.lose(&error);
        self.ready.extend(std::iter::from_fn(|| self.calls.try_recv().ok()));
        let waiting = std::mem::take(&mut self.waiting).into_values().map(|(request, _)| request);
        for request in waiting.chain(self.held.drain(..)).chain(self.ready.drain(..)) {
            request.fail(&self.session, &error);
        }
        self.session.give_up(self.cancelling.drain(..).map(|(id, _)| id));
    }
}

/// With so many requests that give back unanswered, more wait.
const MOST_RELEASING: usize = 64;

/// Answers by a lane that are handed out in one go.
const MOST_BY_LANE: usize = 16;

/// Requests taken off the queue in one go.
const AT_ONCE: usize = 64;
