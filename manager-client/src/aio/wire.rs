//! One connection of the async driver: bytes to be written, and messages that arrive.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use manager_protocol::{Cancel, Effect, FrameKind, Leave, ObjectId, Operation, Row, manager, write_control};
use manager_socket::Socket;

use super::lane::{Lane, Look};
use crate::endpoint::{Endpoint, write_hello};
use crate::error::{Error, Reason, Result, cannot_connect};
use crate::inbox::{Inbox, Incoming, protocol};
use crate::lane::{self, NAP, State};
use crate::request::{Limits, Parts, write_request};
use crate::retry::Backoff;
use crate::session::Session;

/// A connection that was welcomed.
pub(crate) struct Wire {
    socket: Socket,
    inbox: Inbox,
    outbox: Vec<u8>,
    /// How much of the outbox was written.
    written: usize,
    /// How much was written and is no longer in the outbox.
    flushed: u64,
    /// Requests that go out in parts, one after the other.
    large: VecDeque<Parts>,
    generation: u32,
    limits: Limits,
    lane: Lane,
    /// Why nothing more comes. What came by the lane before that is taken first.
    end: Option<Error>,
    /// The server has closed the stream, and reads no more of the lane either.
    is_closed: bool,
}

impl Wire {
    /// Connects and exchanges the hello. A session that was begun is not given up, unless there is no
    /// server any more.
    pub(crate) async fn open(endpoint: &Endpoint, session: &Session) -> Result<Self> {
        let timeout = endpoint.settings.timeout;
        let mut backoff = Backoff::reconnecting();
        loop {
            let attempt = tokio::time::timeout(timeout, Self::attempt(endpoint, session)).await;
            match attempt.unwrap_or_else(|_| Err(Error::new(Reason::Timeout(timeout)))) {
                // Another one takes its place.
                Err(error) if error.is_ended_session() => {}
                Err(error) if (error.is_lost_connection() || error.is_timeout()) && session.is_known() => {
                    tokio::time::sleep(backoff.wait()).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(endpoint: &Endpoint, session: &Session) -> Result<Self> {
        let mut backoff = Backoff::new();
        let mut entry = loop {
            if let Some(entry) = session.try_enter() {
                break entry;
            }
            tokio::time::sleep(backoff.wait()).await;
        };
        let stream = loop {
            if let Some(stream) = endpoint.open()? {
                break stream;
            }
            tokio::time::sleep(backoff.wait()).await;
        };
        let mut socket = Socket::new(stream).map_err(|error| cannot_connect(endpoint.path(), error))?;
        let mut hello = Vec::new();
        write_hello(&mut hello, entry.choice());
        // If the server has closed the stream already, it may have said why.
        let greeted = socket.write_all(&hello).await.map_err(broken);
        let mut inbox = Inbox::new(endpoint.settings.max_message);
        let limits = loop {
            if let Some(answer) = inbox.frame()? {
                break endpoint.admit(answer, &mut entry)?;
            }
            match poll_fn(|context| socket.poll_read(context, inbox.room())).await.map_err(broken)? {
                0 => return Err(greeted.err().unwrap_or_else(|| Error::new(Reason::Broken))),
                count => inbox.filled(count),
            }
        };
        inbox.allow(limits.frame);
        let mut lane = Lane::new(&endpoint.settings);
        lane.inbox.allow(limits.frame);
        let mut wire = Self {
            socket,
            inbox,
            outbox: Vec::new(),
            written: 0,
            flushed: 0,
            large: VecDeque::new(),
            generation: entry.generation(),
            limits,
            lane,
            end: None,
            is_closed: false,
        };
        if endpoint.settings.lane == lane::Lane::SharedMemory {
            wire.insist_on_lane().await?;
        }
        Ok(wire)
    }

    /// Asks for a lane and waits for it.
    async fn insist_on_lane(&mut self) -> Result<()> {
        self.lane.write_news(&mut self.outbox);
        self.flush().await?;
        while !self.take_offer() {
            poll_fn(|context| self.poll_read(context)).await?;
            if self.next()?.is_some() {
                return Err(protocol("an answer to a request that was not made"));
            }
        }
        if self.lane.state.is_open() { Ok(()) } else { Err(Error::new(Reason::NoSharedMemory)) }
    }

    /// So many answers were handed out.
    pub(crate) fn note_answers(&mut self, count: usize) {
        self.take_offer();
        self.lane.judge(count);
    }

    /// Takes the lane that the server has offered; whether it has answered.
    fn take_offer(&mut self) -> bool {
        let offer = self.inbox.take_offer();
        let is_offered = offer.is_some();
        if let Some(offer) = offer {
            self.lane.state.accept(offer);
        }
        is_offered
    }

    /// Which of the session's generations it is of.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether more requests can wait: there is much to be written, or those that follow go another way.
    pub(crate) fn is_full(&self) -> bool {
        self.outbox.len() >= ENOUGH || self.lane.fenced().is_some()
    }

    fn is_written(&self) -> bool {
        self.written == self.outbox.len()
    }

    /// Sees to it that requests go the better way.
    pub(crate) fn choose_way(&mut self, session: &Session) -> Result<()> {
        self.lane.rise();
        if self.is_written() && self.is_even() {
            self.lane.change(self.position());
            if self.lane.wants_change() {
                let id = session.begin(Effect::Read);
                let encode = |out: &mut Vec<u8>| manager::Ping {}.encode(out);
                write_request(&mut self.outbox, id, manager::Ping::ROW, 0, encode, self.limits)?;
                self.lane.fence(id, self.position());
            }
        }
        Ok(())
    }

    /// Whether requests go by the lane.
    pub(crate) fn is_by_lane(&self) -> bool {
        self.lane.is_used
    }

    /// The request whose answer is nobody's, and is awaited before others are sent.
    pub(crate) fn fenced(&self) -> Option<u64> {
        self.lane.fenced()
    }

    /// That request was answered.
    pub(crate) fn pass_fence(&mut self) {
        self.lane.answered();
    }

    /// Looks for what comes by the lane, for a while if answers are awaited; whether something has come. If not,
    /// whoever called is woken.
    pub(crate) fn look(&mut self, is_awaited: bool, context: &mut Context<'_>) -> bool {
        let is_written = self.is_written();
        matches!(self.lane.look(is_awaited || self.fenced().is_some(), is_written, context), Look::Found)
    }

    /// Whether nothing goes out in parts.
    pub(crate) fn is_even(&self) -> bool {
        self.large.is_empty()
    }

    /// The position in the stream of what is put next.
    pub(crate) fn position(&self) -> u64 {
        self.flushed + self.outbox.len() as u64
    }

    /// The position in the stream up to which it was written, but for what the server has certainly not read. To be
    /// asked at the end.
    pub(crate) fn sent(&mut self, end: &Error) -> u64 {
        let untaken = if self.is_closed || end.is_goodbye() { self.lane.untaken() } else { 0 };
        (self.flushed + self.written as u64).saturating_sub(untaken as u64)
    }

    /// Puts what the session has to tell in front of what follows; the changes that are cancelled by it.
    pub(crate) fn put_news(&mut self, session: &Session) -> Vec<u64> {
        self.lane.write_news(&mut self.outbox);
        let Some(news) = session.take_news(self.limits) else { return Vec::new() };
        news.write(&mut self.outbox);
        news.cancels
    }

    /// Puts the requests that give back what the session holds; their ids.
    pub(crate) fn put_releases(&mut self, session: &Session) -> Vec<u64> {
        session.write_releases(self.generation, &mut self.outbox, self.limits)
    }

    /// Puts a request; one that is larger than a frame is begun as soon as those before it are done.
    pub(crate) fn put(&mut self, id: u64, row: Row, object: ObjectId, arguments: &[u8]) -> Result<()> {
        let encode = |out: &mut Vec<u8>| out.extend_from_slice(arguments);
        self.large.extend(write_request(&mut self.outbox, id, row, object, encode, self.limits)?);
        Ok(())
    }

    pub(crate) fn put_cancel(&mut self, id: u64) {
        write_control(&mut self.outbox, FrameKind::Cancel, &Cancel { id });
    }

    /// Takes back a request in parts of which nothing was sent; whether there was one.
    pub(crate) fn withdraw(&mut self, id: u64) -> bool {
        let before = self.large.len();
        self.large.retain(|parts| parts.id() != id || !parts.is_untouched());
        self.large.len() < before
    }

    /// Ready if something was written; pending also if there is nothing to write.
    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.outbox.len() < ENOUGH
            && let Some(parts) = self.large.front_mut()
        {
            parts.write_next(&mut self.outbox, self.limits);
            if parts.is_done() {
                self.large.pop_front();
            }
        }
        if self.outbox.is_empty() {
            return Poll::Pending;
        }
        if self.lane.is_used {
            let count = self.lane.write(&self.outbox[self.written..], &mut self.socket)?;
            self.note_written(count);
            return if count > 0 { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        match self.socket.poll_write(context, &self.outbox[self.written..]) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Error::new(Reason::Broken))),
            Poll::Ready(Ok(count)) => {
                self.note_written(count);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.last_words(broken(error), context))),
            Poll::Pending => Poll::Pending,
        }
    }

    /// So much more was written. Once that is all, there is room at once: nothing else would tell that there is.
    fn note_written(&mut self, count: usize) {
        self.written += count;
        if self.is_written() {
            self.flushed += self.written as u64;
            self.written = 0;
            self.outbox.clear();
            self.outbox.shrink_to(KEPT);
        }
    }

    /// Ready if something was read: then [`next`](Self::next) may have messages.
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.lane.fill()? {
            return Poll::Ready(Ok(()));
        }
        if let Some(end) = self.end.take() {
            return Poll::Ready(Err(end));
        }
        let read = ready!(self.poll_socket(context));
        // What came by the lane is older than what the socket says of the end.
        let is_filled = self.lane.fill()?;
        match read {
            Ok(count @ 1..) => self.inbox.filled(count),
            Ok(0) => (self.end, self.is_closed) = (Some(Error::new(Reason::Broken)), true),
            Err(error) => {
                self.is_closed = error.kind() == ErrorKind::ConnectionReset;
                self.end = Some(broken(error));
            }
        }
        Poll::Ready(match self.end.take_if(|_| !is_filled) {
            Some(end) => Err(end),
            None => Ok(()),
        })
    }

    fn poll_socket(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let room = self.inbox.room();
        let State::Asked(memory) = &mut self.lane.state else { return self.socket.poll_read(context, room) };
        // The memory of the lane comes with what is read.
        let (count, arrived) = ready!(self.socket.poll_receive(context, |from| manager_lane::receive(from, room)))?;
        *memory = arrived.or_else(|| memory.take());
        Poll::Ready(Ok(count))
    }

    /// The next message that has arrived.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming<'_>>> {
        if let Some(message) = self.lane.inbox.next()? {
            return Ok(Some(message));
        }
        self.inbox.next()
    }

    /// Takes what the session holds by answers that did not arrive whole.
    pub(crate) fn take_held(&mut self) -> HashMap<u64, Vec<ObjectId>> {
        let mut held = self.inbox.take_held();
        held.extend(self.lane.inbox.take_held());
        held
    }

    /// The server closed the stream: it may have said why before.
    fn last_words(&mut self, error: Error, context: &mut Context<'_>) -> Error {
        loop {
            let read = self.poll_read(context);
            match self.lane.inbox.skip().and_then(|()| self.inbox.skip()) {
                Ok(()) => {}
                Err(goodbye) if goodbye.code().is_some() => return goodbye,
                Err(_) => return error,
            }
            if !matches!(read, Poll::Ready(Ok(()))) {
                return error;
            }
        }
    }

    /// Puts that the session ends, and before that which answers were taken.
    pub(crate) fn put_leave(&mut self, session: &Session) {
        session.take_last_news(self.limits).write(&mut self.outbox);
        write_control(&mut self.outbox, FrameKind::Leave, &Leave());
    }

    /// Tells the server that the session ends, after all that was put, and waits for it to close the
    /// stream: it would not read on if it could not write.
    pub(crate) async fn leave(mut self, session: &Session) {
        self.put_leave(session);
        let parting = async {
            self.flush().await?;
            self.socket.shutdown().map_err(broken)?;
            // What comes by the lane is not read: nobody waits for it.
            while poll_fn(|context| self.socket.poll_read(context, self.inbox.room())).await.map_err(broken)? > 0 {}
            Ok::<(), Error>(())
        };
        // If it cannot be told, the session ends by itself after a while.
        let _ = tokio::time::timeout(LEAVING, parting).await;
    }

    /// Writes all that was put.
    async fn flush(&mut self) -> Result<()> {
        while !self.is_written() {
            // Nothing tells when there is room in a lane.
            if let Ok(written) = tokio::time::timeout(NAP, poll_fn(|context| self.poll_write(context))).await {
                written?;
            }
        }
        Ok(())
    }

    /// Writes what can be written at once.
    pub(crate) fn try_flush(&mut self) {
        let bytes = &self.outbox[self.written..];
        let written = if self.lane.is_used {
            self.lane.write(bytes, &mut self.socket).ok()
        } else {
            self.socket.try_write(bytes).ok()
        };
        // If the end cannot be told, the session ends by itself after a while.
        self.note_written(written.unwrap_or(0));
    }
}

fn broken(error: std::io::Error) -> Error {
    Error::with_source(Reason::Broken, error)
}

/// With so much in the outbox, requests stay in the queue.
const ENOUGH: usize = 256 * 1024;

/// An empty outbox keeps so much memory at most.
const KEPT: usize = 1024 * 1024;

/// How long it may take to tell the server that the session ends.
pub(crate) const LEAVING: Duration = Duration::from_secs(1);
