//! The task that serves one connection: it writes what was queued and hands out what arrives.
//!
//! Each time it runs it takes all that is queued and writes it at once, and looks at all that has
//! arrived. A large request goes out in parts, with other requests in between, but for those that come
//! after it in its batch.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use manager_protocol::{Cancel, Effect, FrameKind, ObjectId, Row, write_control};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::calls::Raw;
use crate::endpoint::{Endpoint, write_hello};
use crate::error::{Error, Reason, Result, cannot_connect};
use crate::inbox::{Inbox, protocol};
use crate::request::{Limits, Parts, write_request};
use crate::retry::Backoff;

/// A call on its way to the task.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) row: Row,
    pub(crate) object: ObjectId,
    pub(crate) arguments: Vec<u8>,
    /// Part of a batch: not to be sent before a request that was made before it.
    pub(crate) ordered: bool,
    pub(crate) reply: oneshot::Sender<Result<Raw, Failure>>,
}

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The arguments, if nothing of the call was sent.
    pub(crate) unsent: Option<Vec<u8>>,
}

impl Failure {
    pub(crate) fn unanswered(error: &Error, effect: Effect) -> Self {
        Self { error: error.clone().unanswered(effect), unsent: None }
    }
}

/// Connects and serves calls until the connection, or the last who could make a call, is gone.
pub(crate) async fn serve(
    endpoint: Arc<Endpoint>,
    mut requests: mpsc::Receiver<Request>,
    mut cancelled: mpsc::UnboundedReceiver<u64>,
) {
    let timeout = endpoint.settings.timeout;
    let connected = tokio::time::timeout(timeout, Connection::open(&endpoint)).await;
    let error = match connected {
        Ok(Ok(mut connection)) => {
            let error = poll_fn(|context| connection.poll(context, &mut requests, &mut cancelled)).await;
            connection.fail(&error);
            error
        }
        Ok(Err(error)) => error,
        Err(_) => Error::new(Reason::Timeout(timeout)),
    };
    requests.close();
    while let Some(request) = requests.recv().await {
        // Who does not wait any more is not told.
        let _ = request.reply.send(Err(Failure { error: error.clone(), unsent: Some(request.arguments) }));
    }
}

struct Connection {
    stream: UnixStream,
    inbox: Inbox,
    outbox: Vec<u8>,
    /// How much of the outbox was written.
    written: usize,
    /// Requests that go out in parts, one after the other.
    large: VecDeque<Parts>,
    /// Requests of batches that must not overtake a large one.
    held: VecDeque<Request>,
    waiting: HashMap<u64, Waiter>,
    /// No request with a higher id was made.
    highest_id: u64,
    /// Requests taken off the queue, on their way to the outbox.
    taken: Vec<Request>,
    limits: Limits,
}

struct Waiter {
    reply: oneshot::Sender<Result<Raw, Failure>>,
    effect: Effect,
}

impl Connection {
    async fn open(endpoint: &Endpoint) -> Result<Self> {
        let mut backoff = Backoff::new();
        let stream = loop {
            if let Some(stream) = endpoint.open()? {
                break stream;
            }
            tokio::time::sleep(backoff.wait()).await;
        };
        let mut stream = UnixStream::from_std(stream).map_err(|error| cannot_connect(endpoint.path(), error))?;
        let mut hello = Vec::new();
        write_hello(&mut hello);
        // If the server has closed the stream already, it may have said why.
        let greeted = stream.write_all(&hello).await.map_err(broken);
        let mut inbox = Inbox::new(endpoint.settings.max_message);
        let limits = loop {
            if let Some(answer) = inbox.frame()? {
                break endpoint.admit(answer)?;
            }
            match stream.read(inbox.room()).await.map_err(broken)? {
                0 => return Err(greeted.err().unwrap_or_else(|| Error::new(Reason::Broken))),
                count => inbox.filled(count),
            }
        };
        inbox.allow(limits.frame);
        Ok(Self {
            stream,
            inbox,
            outbox: Vec::new(),
            written: 0,
            large: VecDeque::new(),
            held: VecDeque::new(),
            waiting: HashMap::new(),
            highest_id: 0,
            taken: Vec::new(),
            limits,
        })
    }

    /// Does all that can be done now; ready when nothing can be done any more.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        requests: &mut mpsc::Receiver<Request>,
        cancelled: &mut mpsc::UnboundedReceiver<u64>,
    ) -> Poll<Error> {
        loop {
            let mut idle = true;
            // First: a call that was dropped while it was in the queue is then not sent at all.
            while let Poll::Ready(Some(id)) = cancelled.poll_recv(context) {
                self.cancel(id);
            }
            while self.outbox.len() < ENOUGH {
                match requests.poll_recv_many(context, &mut self.taken, AT_ONCE) {
                    Poll::Ready(0) => return Poll::Ready(Error::new(Reason::Broken)),
                    Poll::Ready(_) => self.accept(),
                    Poll::Pending => break,
                }
            }
            match self.poll_write(context) {
                Poll::Ready(Ok(())) => idle = false,
                Poll::Ready(Err(error)) => return Poll::Ready(self.last_words(error, context)),
                Poll::Pending => {}
            }
            match self.poll_read(context) {
                Poll::Ready(Ok(())) => idle = false,
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => {}
            }
            if idle {
                return Poll::Pending;
            }
        }
    }

    /// Puts the requests that were taken off the queue into the outbox.
    fn accept(&mut self) {
        let mut taken = std::mem::take(&mut self.taken);
        for request in taken.drain(..) {
            self.highest_id = self.highest_id.max(request.id);
            if request.ordered && !(self.large.is_empty() && self.held.is_empty()) {
                self.held.push_back(request);
            } else {
                self.put(request);
            }
        }
        self.taken = taken;
    }

    /// Puts the requests into the outbox that waited for a large one, up to the next large one.
    fn release(&mut self) {
        while self.large.is_empty()
            && let Some(request) = self.held.pop_front()
        {
            self.put(request);
        }
    }

    fn put(&mut self, request: Request) {
        let Request { id, row, object, arguments, reply, .. } = request;
        if reply.is_closed() {
            return;
        }
        let encode = |out: &mut Vec<u8>| out.extend_from_slice(&arguments);
        match write_request(&mut self.outbox, id, row, object, encode, self.limits) {
            Ok(parts) => {
                self.large.extend(parts);
                self.waiting.insert(id, Waiter { reply, effect: row.effect });
            }
            Err(error) => {
                let _ = reply.send(Err(Failure { error, unsent: None }));
            }
        }
    }

    /// The caller dropped the call's future.
    fn cancel(&mut self, id: u64) {
        if self.waiting.remove(&id).is_none() {
            return;
        }
        let before = self.large.len();
        self.large.retain(|parts| parts.id() != id || !parts.is_untouched());
        if self.large.len() == before {
            write_control(&mut self.outbox, FrameKind::Cancel, &Cancel { id });
        }
        self.release();
    }

    /// Ready if something was written; pending also if there is nothing to write.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.written == self.outbox.len() {
            self.outbox.clear();
            self.outbox.shrink_to(KEPT);
            self.written = 0;
        }
        if self.outbox.len() < ENOUGH
            && let Some(parts) = self.large.front_mut()
        {
            parts.write_next(&mut self.outbox, self.limits);
            if parts.is_done() {
                self.large.pop_front();
                self.release();
            }
        }
        if self.outbox.is_empty() {
            return Poll::Pending;
        }
        match Pin::new(&mut self.stream).poll_write(context, &self.outbox[self.written..]) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Error::new(Reason::Broken))),
            Poll::Ready(Ok(count)) => {
                self.written += count;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(error))),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Ready if something was read, and handed out.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let mut room = ReadBuf::new(self.inbox.room());
        match Pin::new(&mut self.stream).poll_read(context, &mut room) {
            Poll::Ready(Ok(())) if room.filled().is_empty() => Poll::Ready(Err(Error::new(Reason::Broken))),
            Poll::Ready(Ok(())) => {
                let count = room.filled().len();
                self.inbox.filled(count);
                Poll::Ready(self.hand_out())
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(error))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn hand_out(&mut self) -> Result<()> {
        while let Some(message) = self.inbox.next()? {
            match self.waiting.remove(&message.id) {
                Some(waiter) => {
                    let outcome = message.outcome.map(Raw::from);
                    let _ = waiter.reply.send(outcome.map_err(|error| Failure { error, unsent: None }));
                }
                // The late answer to a call that was cancelled.
                None if message.id <= self.highest_id => {}
                None => return Err(protocol("an answer to a request that was not made")),
            }
        }
        Ok(())
    }

    /// The server closed the stream: it may have said why before.
    fn last_words(&mut self, error: Error, context: &mut Context<'_>) -> Error {
        loop {
            match self.poll_read(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(goodbye)) if goodbye.code().is_some() => return goodbye,
                Poll::Ready(Err(_)) | Poll::Pending => return error,
            }
        }
    }

    /// Tells all who wait that there will be no answer.
    fn fail(&mut self, error: &Error) {
        for (_, waiter) in self.waiting.drain() {
            let _ = waiter.reply.send(Err(Failure::unanswered(error, waiter.effect)));
        }
        for request in self.held.drain(..) {
            let _ = request.reply.send(Err(Failure { error: error.clone(), unsent: Some(request.arguments) }));
        }
    }
}

fn broken(error: std::io::Error) -> Error {
    Error::with_source(Reason::Broken, error)
}

/// Requests taken off the queue in one go.
const AT_ONCE: usize = 64;

/// With so much in the outbox, requests stay in the queue.
const ENOUGH: usize = 256 * 1024;

/// An empty outbox keeps so much memory at most.
const KEPT: usize = 1024 * 1024;
