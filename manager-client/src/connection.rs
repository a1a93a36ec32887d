//! One connection of the blocking driver: written to and read from in the thread of the caller.
//!
//! It never blocks in a read or a write: it waits in `poll`, for no longer than the call may take.
//! A server wakes a client that waits there more cheaply than one that waits in `recv`.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use manager_protocol::{ObjectId, Row};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::endpoint::{Endpoint, write_hello};
use crate::error::{Error, Reason, Result};
use crate::inbox::{Inbox, protocol};
use crate::link::Answer;
use crate::request::{Limits, write_request};
use crate::retry::Backoff;

/// A stream to the server on which no request is under way.
pub(crate) struct Connection {
    stream: UnixStream,
    /// The process that opened it: a fork must not speak on the same stream.
    pid: u32,
    inbox: Inbox,
    /// Requests not sent yet.
    outbox: Vec<u8>,
    next_id: u64,
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
    /// Whether anything was sent.
    pub(crate) sent: bool,
    /// What was to be sent, for another try.
    pub(crate) requests: Vec<u8>,
}

impl std::fmt::Debug for Lost {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lost").field("error", &self.error).field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// When a call must be over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    timeout: Duration,
}

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        // A time too far away to be told is none.
        Self { at: Instant::now().checked_add(timeout), timeout }
    }

    /// The time left; `None` for ever.
    fn left(self) -> Result<Option<Duration>> {
        let Some(at) = self.at else { return Ok(None) };
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Error::new(Reason::Timeout(self.timeout))) } else { Ok(Some(left)) }
    }
}

impl Connection {
    /// Connects and exchanges the hello.
    pub(crate) fn open(endpoint: &Endpoint, deadline: Deadline) -> Result<Self> {
        let mut backoff = Backoff::new();
        let stream = loop {
            if let Some(stream) = endpoint.open()? {
                break stream;
            }
            let left = deadline.left()?.unwrap_or(Duration::MAX);
            std::thread::sleep(backoff.wait().min(left));
        };
        let mut connection = Self {
            stream,
            pid: std::process::id(),
            inbox: Inbox::new(endpoint.settings.max_message),
            outbox: Vec::new(),
            next_id: 1,
            limits: Limits { frame: 0, message: 0 },
        };
        write_hello(&mut connection.outbox);
        let limits = connection.run(deadline, |inbox| {
            Ok(match inbox.frame()? {
                Some(answer) => Some(endpoint.admit(answer)?),
                None => None,
            })
        });
        connection.limits = limits.map_err(|lost| lost.error)?;
        connection.inbox.allow(connection.limits.frame);
        Ok(connection)
    }

    /// Whether this process opened it.
    pub(crate) fn is_own(&self) -> bool {
        self.pid == std::process::id()
    }

    /// Whether nothing is left over from the last call.
    pub(crate) fn is_clean(&self) -> bool {
        self.inbox.is_empty() && self.outbox.is_empty()
    }

    /// Queues a request and returns its id. Ids of one connection follow each other.
    ///
    /// # Errors
    /// If the server would not take it; nothing was queued.
    pub(crate) fn request(&mut self, row: Row, object: ObjectId, encode: impl FnOnce(&mut Vec<u8>)) -> Result<u64> {
        let id = self.next_id;
        if let Some(mut parts) = write_request(&mut self.outbox, id, row, object, encode, self.limits)? {
            while !parts.is_done() {
                parts.write_next(&mut self.outbox, self.limits);
            }
        }
        self.next_id += 1;
        Ok(id)
    }

    /// Takes over requests that another connection could not send, ids included.
    pub(crate) fn adopt(&mut self, requests: Vec<u8>, next_id: u64) {
        self.outbox = requests;
        self.next_id = next_id;
    }

    /// The id that the next request will have.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Sends what is queued and takes so many outcomes. `deliver` says whether it awaits that id.
    ///
    /// # Errors
    /// If an outcome did not come in time, or cannot come any more. The connection must be dropped.
    pub(crate) fn exchange(
        &mut self,
        mut awaited: usize,
        deadline: Deadline,
        deliver: &mut dyn FnMut(u64, Result<Answer<'_>>) -> bool,
    ) -> Result<(), Lost> {
        if awaited == 0 {
            return Ok(());
        }
        self.run(deadline, |inbox| {
            while let Some(message) = inbox.next()? {
                if !deliver(message.id, message.outcome) {
                    return Err(protocol("an answer to a request that was not made"));
                }
                awaited -= 1;
                if awaited == 0 {
                    return Ok(Some(()));
                }
            }
            Ok(None)
        })
    }

    /// Writes what is queued, and reads until `look` has found what it wants.
    fn run<T>(&mut self, deadline: Deadline, look: impl FnMut(&mut Inbox) -> Result<Option<T>>) -> Result<T, Lost> {
        let mut written = 0;
        let outcome = self.converse(&mut written, deadline, look);
        let requests = std::mem::take(&mut self.outbox);
        match outcome {
            Ok(value) => {
                if requests.capacity() <= KEPT {
                    self.outbox = requests;
                    self.outbox.clear();
                }
                Ok(value)
            }
            Err(error) => Err(Lost { error, sent: written > 0, requests }),
        }
    }

    /// Reads also while it cannot write: a server may wait for its replies to be taken.
    fn converse<T>(
        &mut self,
        written: &mut usize,
        deadline: Deadline,
        mut look: impl FnMut(&mut Inbox) -> Result<Option<T>>,
    ) -> Result<T> {
        let mut found = None;
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
        while let Some(message) = self.inbox.next()? {
            drop(message);
        }
        Err(broken)
    }

    fn wait(&self, writing: bool, deadline: Deadline) -> Result<PollFlags> {
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

/// An empty outbox keeps so much memory at most.
const KEPT: usize = 1024 * 1024;
