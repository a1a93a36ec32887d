//! One connection of the blocking driver: written to and read from in the thread of the caller.
//!
//! It never blocks in a read or a write: it waits in `poll`, for no longer than the call may take.
//! A server wakes a client that waits there more cheaply than one that waits in `recv`.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use manager_protocol::{Cancel, FrameKind, Leave, ObjectId, Row, write_control};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::endpoint::{Endpoint, write_hello};
use crate::error::{Error, Reason, Result};
use crate::inbox::{Inbox, protocol};
use crate::link::Answer;
use crate::reference::Origin;
use crate::request::{Limits, write_request};
use crate::retry::Backoff;
use crate::session::Session;

/// A stream to the server on which no request is under way.
pub(crate) struct Connection {
    stream: UnixStream,
    /// The process that opened it: a fork must not speak on the same stream.
    pid: u32,
    /// Which of the session's generations it is of.
    generation: u32,
    inbox: Inbox,
    /// Frames not sent yet.
    outbox: Vec<u8>,
    /// The given up changes whose cancelling is in the outbox.
    cancelling: Vec<u64>,
    /// The requests that give holds back and were not answered: nobody waits for them.
    releasing: Vec<u64>,
    /// Whether it was lost while nobody used it.
    is_lost: bool,
    /// That of answers by which the session holds nothing.
    origin: Origin,
    limits: Limits,
}

impl std::fmt::Debug for Connection {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// A connection that is of no more use.
pub(crate) struct Lost {
    pub(crate) error: Error,
    /// How many bytes of the frames were sent.
    pub(crate) written: usize,
    /// The frames that were to be sent, for another try.
    pub(crate) frames: Vec<u8>,
}

impl std::fmt::Debug for Lost {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lost").field("error", &self.error).field("written", &self.written).finish_non_exhaustive()
    }
}

/// What a caller says of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Nobody awaits it here.
    Foreign,
    /// More is awaited.
    More,
    /// Nothing more has to be waited for.
    Last,
}

/// When a call must be over. The time begins to run with the first look at what is left of it, which is when the
/// call first has to wait: what need not wait reads no clock.
#[derive(Debug)]
pub(crate) struct Deadline {
    timeout: Duration,
    at: Cell<Option<Instant>>,
}

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self { timeout, at: Cell::new(None) }
    }

    /// The time left; `None` for ever.
    pub(crate) fn left(&self) -> Result<Option<Duration>> {
        let now = Instant::now();
        let left = match self.at.get() {
            Some(at) => at.saturating_duration_since(now),
            // A time too far away to be told is none.
            None => match now.checked_add(self.timeout) {
                Some(at) => {
                    self.at.set(Some(at));
                    self.timeout
                }
                None => return Ok(None),
            },
        };
        if left.is_zero() { Err(Error::new(Reason::Timeout(self.timeout))) } else { Ok(Some(left)) }
    }

    /// Waits for so long, but not beyond the deadline.
    pub(crate) fn sleep(&self, time: Duration) -> Result<()> {
        std::thread::sleep(time.min(self.left()?.unwrap_or(Duration::MAX)));
        Ok(())
    }
}

impl Connection {
    /// Connects and exchanges the hello.
    pub(crate) fn open(endpoint: &Endpoint, session: &Session, deadline: &Deadline) -> Result<Box<Self>> {
        let mut entry = session.enter(deadline)?;
        let mut backoff = Backoff::new();
        let stream = loop {
            if let Some(stream) = endpoint.open()? {
                break stream;
            }
            deadline.sleep(backoff.wait())?;
        };
        let mut connection = Box::new(Self {
            stream,
            pid: session.pid(),
            generation: entry.generation(),
            inbox: Inbox::new(endpoint.settings.max_message),
            outbox: Vec::new(),
            cancelling: Vec::new(),
            releasing: Vec::new(),
            is_lost: false,
            origin: Origin::new(session.holds(), entry.generation(), &[]),
            limits: Limits { frame: 0, message: 0 },
        });
        write_hello(&mut connection.outbox, entry.choice());
        let limits = connection.run(deadline, |inbox| {
            Ok(match inbox.frame()? {
                Some(answer) => Some(endpoint.admit(answer, &mut entry)?),
                None => None,
            })
        });
        connection.limits = limits.map_err(|lost| lost.error)?;
        connection.inbox.allow(connection.limits.frame);
        Ok(connection)
    }

    /// Whether it was opened by this session, and the server has the session still as far as is known.
    pub(crate) fn is_of(&self, session: &Session) -> bool {
        self.pid == session.pid() && self.generation == session.generation()
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether nothing is left over from the last call.
    pub(crate) fn is_clean(&self) -> bool {
        self.inbox.is_empty() && self.outbox.is_empty() && !self.is_lost
    }

    /// Queues what the session has to tell, to be sent in front of requests.
    pub(crate) fn queue_news(&mut self, session: &Session) {
        if let Some(news) = session.take_news(self.limits) {
            news.write(&mut self.outbox);
            self.cancelling.extend(news.cancels);
        }
        self.releasing.extend(session.write_releases(self.generation, &mut self.outbox, self.limits));
    }

    /// Sends what the session has to tell, as far as that can be done without waiting.
    pub(crate) fn tell_news(&mut self, session: &Session) {
        self.is_lost = self.take_released(session).is_err();
        if self.is_lost || !self.outbox.is_empty() || self.releasing.len() >= MOST_RELEASING {
            return;
        }
        self.queue_news(session);
        let mut written = 0;
        if self.write(&mut written).is_ok() && written == self.outbox.len() {
            self.outbox.clear();
        }
    }

    /// Takes the answers that have arrived while nobody used the connection.
    fn take_released(&mut self, session: &Session) -> Result<()> {
        if self.releasing.is_empty() {
            return Ok(());
        }
        self.read()?;
        while let Some(message) = self.inbox.next()? {
            self.releasing.retain(|id| *id != message.id);
            session.was_released(message.id);
        }
        Ok(())
    }

    /// The connection is of no more use: what it has not told is to be told by another.
    pub(crate) fn abandon(mut self: Box<Self>, session: &Session) {
        session.was_cut();
        session.give_up(self.cancelling.drain(..));
        session.release_again(self.releasing.drain(..));
    }

    /// Queues a request; where its frames begin.
    ///
    /// # Errors
    /// If the server would not take it; nothing was queued.
    pub(crate) fn queue(
        &mut self,
        id: u64,
        row: Row,
        object: ObjectId,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize> {
        let start = self.outbox.len();
        if let Some(mut parts) = write_request(&mut self.outbox, id, row, object, encode, self.limits)? {
            while !parts.is_done() {
                parts.write_next(&mut self.outbox, self.limits);
            }
        }
        Ok(start)
    }

    /// Queues frames that another connection could not send, or whose answer it lost; where they begin.
    pub(crate) fn queue_again(&mut self, frames: &[u8]) -> usize {
        let start = self.outbox.len();
        self.outbox.extend_from_slice(frames);
        start
    }

    /// Takes back what was queued, when there is no request behind it after all.
    pub(crate) fn unqueue(&mut self, session: &Session) {
        if !self.outbox.is_empty() {
            self.outbox.clear();
            session.was_cut();
            session.give_up(self.cancelling.drain(..));
            session.release_again(self.releasing.drain(..));
        }
    }

    /// Sends what is queued and takes outcomes, until `deliver` says that it was the last.
    ///
    /// # Errors
    /// If an outcome did not come in time, or cannot come any more. The connection is of no more use
    /// then, but for [`cancel`](Self::cancel).
    pub(crate) fn exchange(
        &mut self,
        session: &Session,
        deadline: &Deadline,
        deliver: &mut dyn FnMut(u64, Result<Answer<'_>>) -> Delivery,
    ) -> Result<(), Lost> {
        let (generation, mut releasing) = (self.generation, std::mem::take(&mut self.releasing));
        let plain = std::mem::take(&mut self.origin);
        let exchanged = self.run(deadline, |inbox| {
            while let Some(message) = inbox.next()? {
                // What nobody takes of it is given back at the end of the turn.
                let holding = match &message.held[..] {
                    [] => None,
                    held => Some(Origin::new(session.holds(), generation, held)),
                };
                let origin = holding.as_ref().unwrap_or(&plain);
                let outcome = message.outcome.map(|answer| Answer { origin: Some(origin), ..answer });
                match deliver(message.id, outcome) {
                    Delivery::Last => return Ok(Some(())),
                    Delivery::More => {}
                    Delivery::Foreign if releasing.contains(&message.id) => {
                        releasing.retain(|id| *id != message.id);
                        session.was_released(message.id);
                    }
                    // Late: the answer to a request that was given up.
                    Delivery::Foreign if session.was_begun(message.id) => {}
                    Delivery::Foreign => return Err(protocol("an answer to a request that was not made")),
                }
            }
            Ok(None)
        });
        self.origin = plain;
        self.releasing = releasing;
        let cancelling = std::mem::take(&mut self.cancelling);
        match &exchanged {
            // What came before an answered request has arrived.
            Ok(()) if cancelling.is_empty() => {}
            Ok(()) => session.finish_all(cancelling),
            Err(lost) => {
                session.give_up(cancelling);
                session.release_again(self.releasing.drain(..));
                self.give_back_lost(session);
                if lost.error.is_session_goodbye() {
                    session.expire(self.generation);
                }
            }
        }
        exchanged
    }

    /// Gives back what the session holds by answers that were lost on the way: to reads, which have others when
    /// they are sent again. The answer to a change comes again, and holds no more.
    fn give_back_lost(&mut self, session: &Session) {
        for (id, held) in self.inbox.take_held() {
            if !session.awaits(id) {
                drop(session.holds().take(self.generation, &held));
            }
        }
    }

    /// Tells the server, if that can be done without waiting, that nobody waits for these any more.
    pub(crate) fn cancel(&mut self, ids: impl IntoIterator<Item = u64>) {
        for id in ids {
            write_control(&mut self.outbox, FrameKind::Cancel, &Cancel { id });
        }
        // If it cannot, the next connection tells it.
        let _ = self.write(&mut 0);
    }

    /// Tells the server that the session ends, and before that which answers were taken; whether that was
    /// sent.
    pub(crate) fn leave(mut self: Box<Self>, session: &Session) -> bool {
        let news = session.take_last_news(self.limits);
        news.write(&mut self.outbox);
        write_control(&mut self.outbox, FrameKind::Leave, &Leave());
        let mut written = 0;
        let is_told = self.write(&mut written).is_ok() && written == self.outbox.len();
        if !is_told {
            session.give_up(news.cancels);
        }
        is_told
    }

    /// Writes what is queued, and reads until `look` has found what it wants.
    fn run<T>(&mut self, deadline: &Deadline, look: impl FnMut(&mut Inbox) -> Result<Option<T>>) -> Result<T, Lost> {
        let mut written = 0;
        let outcome = self.converse(&mut written, deadline, look);
        let frames = std::mem::take(&mut self.outbox);
        match outcome {
            Ok(value) => {
                if frames.capacity() <= KEPT {
                    self.outbox = frames;
                    self.outbox.clear();
                }
                Ok(value)
            }
            Err(error) => Err(Lost { error, written, frames }),
        }
    }

    /// Reads also while it cannot write: a server may wait for its replies to be taken.
    fn converse<T>(
        &mut self,
        written: &mut usize,
        deadline: &Deadline,
        mut look: impl FnMut(&mut Inbox) -> Result<Option<T>>,
    ) -> Result<T> {
        // What came with the answers to the last calls.
        let mut found = if self.inbox.is_empty() { None } else { look(&mut self.inbox)? };
        loop {
            self.write(written)?;
            let all_written = *written == self.outbox.len();
            if all_written && let Some(found) = found {
                return Ok(found);
            }
            let ready = self.wait(!all_written, deadline)?;
            if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                self.read()?;
                if found.is_none() {
                    found = look(&mut self.inbox)?;
                }
            }
        }
    }

    fn write(&mut self, written: &mut usize) -> Result<()> {
        while *written < self.outbox.len() {
            match self.stream.write(&self.outbox[*written..]) {
                Ok(0) => return Err(Error::new(Reason::Broken)),
                Ok(count) => *written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.last_words(error),
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        match self.stream.read(self.inbox.room()) {
            Ok(0) => Err(Error::new(Reason::Broken)),
            Ok(count) => {
                self.inbox.filled(count);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(error) => Err(Error::with_source(Reason::Broken, error)),
        }
    }

    /// The server closed the stream: it may have said why before.
    fn last_words(&mut self, error: std::io::Error) -> Result<()> {
        let broken = Error::with_source(Reason::Broken, error);
        if self.read().is_err() {
            return Err(broken);
        }
        self.inbox.skip()?;
        Err(broken)
    }

    fn wait(&self, writing: bool, deadline: &Deadline) -> Result<PollFlags> {
        let wanted = if writing { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut polled = [PollFd::new(&self.stream, wanted)];
        loop {
            // Times longer than a `timespec` can tell are for ever.
            let left = deadline.left()?.and_then(|left| Timespec::try_from(left).ok());
            match rustix::event::poll(&mut polled, left.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(polled[0].revents()),
                Err(error) => return Err(Error::with_source(Reason::Broken, std::io::Error::from(error))),
            }
        }
    }
}

/// With so many releases unanswered, more wait for the next request.
const MOST_RELEASING: usize = 64;

/// An empty outbox keeps so much memory at most.
const KEPT: usize = 1024 * 1024;
