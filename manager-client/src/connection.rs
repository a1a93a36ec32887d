//! One connection of the blocking driver: written to and read from in the thread of the caller.
//!
//! It never blocks in a read or a write: it waits in `poll`, for no longer than the call may take.
//! A server wakes a client that waits there more cheaply than one that waits in `recv`.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use manager_lane::Corrupt;
use manager_protocol::{Cancel, FrameKind, Leave, ObjectId, Row, Wake, write_control};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::deadline::Deadline;
use crate::endpoint::{Endpoint, write_hello};
use crate::error::{Error, Reason, Result};
use crate::inbox::{Inbox, protocol};
use crate::lane::{self, Lane, Looking, NAP};
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
    /// Whether no answer is awaited, not even by nobody, to anything but what is queued.
    is_at_rest: bool,
    /// Whether the last request went by the lane: until all is answered, others go the same way.
    is_by_lane: bool,
    /// Whether it was lost while nobody used it.
    is_lost: bool,
    /// That of answers by which the session holds nothing.
    origin: Origin,
    limits: Limits,
    lane: lane::State,
    /// Threads stay on the CPU that they are on.
    keeps_cpu: bool,
    /// What the socket brings while answers come by the lane.
    aside: Inbox,
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
            is_at_rest: false,
            is_by_lane: false,
            is_lost: false,
            origin: Origin::new(session.holds(), entry.generation(), &[]),
            limits: Limits { frame: 0, message: 0 },
            lane: lane::State::new(endpoint.settings.lane),
            keeps_cpu: endpoint.settings.keeps_cpu,
            aside: Inbox::new(0),
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
        if endpoint.settings.lane == Lane::SharedMemory {
            connection.insist_on_lane(deadline)?;
        }
        Ok(connection)
    }

    /// Asks for a lane and waits for it.
    fn insist_on_lane(&mut self, deadline: &Deadline) -> Result<()> {
        self.lane.write_news(&mut self.outbox);
        let offer = self.run(deadline, |inbox| {
            inbox.next()?;
            Ok(inbox.take_offer())
        });
        self.lane.accept(offer.map_err(|lost| lost.error)?);
        if self.lane.is_open() { Ok(()) } else { Err(Error::new(Reason::NoSharedMemory)) }
    }

    /// Takes the lane that the server has offered, if it has.
    fn take_offer(&mut self) {
        if let Some(offer) = self.inbox.take_offer() {
            self.lane.accept(offer);
        }
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
        self.inbox.is_empty() && self.aside.is_empty() && self.outbox.is_empty() && !self.is_lost
    }

    /// Queues what the session has to tell, to be sent in front of requests. `is_awaited` says whether earlier requests
    /// are not answered yet.
    pub(crate) fn queue_news(&mut self, session: &Session, is_awaited: bool) {
        self.is_at_rest = self.releasing.is_empty() && !is_awaited;
        self.queue_session_news(session);
        self.lane.write_news(&mut self.outbox);
    }

    fn queue_session_news(&mut self, session: &Session) {
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
        self.queue_session_news(session);
        self.is_by_lane = false;
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
            self.lane.unwrite_news();
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
            Ok(()) if cancelling.is_empty() => self.take_offer(),
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
        if self.is_at_rest {
            self.is_by_lane = self.lane.suits(self.outbox.len()) && self.inbox.is_empty();
        }
        let outcome = if self.is_by_lane {
            self.converse_by_lane(&mut written, deadline, look)
        } else {
            self.converse(&mut written, deadline, look)
        };
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

    /// The same, by the lane. Besides what wakes this thread, the socket brings nothing then but the connection's end.
    fn converse_by_lane<T>(
        &mut self,
        written: &mut usize,
        deadline: &Deadline,
        mut look: impl FnMut(&mut Inbox) -> Result<Option<T>>,
    ) -> Result<T> {
        let (mut found, mut looking) = (None, Looking::new(self.keeps_cpu));
        // Why nothing more comes. What came by the lane before that is taken first.
        let mut end = None;
        loop {
            let lane::State::Open { lane, .. } = &mut self.lane else { return Err(Error::new(Reason::Broken)) };
            if *written < self.outbox.len() {
                let count = lane.requests.write(&self.outbox[*written..]).map_err(spoiled)?;
                *written += count;
                if count > 0 && lane.must_wake_server() {
                    self.wake_server()?;
                    continue;
                }
            }
            let all_written = *written == self.outbox.len();
            if all_written && let Some(found) = found {
                return Ok(found);
            }
            if lane.replies.has_more() {
                let count = lane.replies.read(self.inbox.room()).map_err(spoiled)?;
                self.inbox.filled(count);
                if found.is_none() {
                    found = look(&mut self.inbox)?;
                }
                looking.begin_again();
            } else if let Some(end) = end {
                return Err(end);
            } else if looking.goes_on(lane) {
                std::hint::spin_loop();
            } else if !all_written {
                if self.wait_for(PollFlags::IN, Some(NAP), deadline)?.is_some() {
                    end = self.read_aside().err();
                }
            } else if lane.doze() {
                let ready = self.wait_for(PollFlags::IN, None, deadline);
                if let lane::State::Open { lane, .. } = &self.lane {
                    lane.rise();
                }
                if ready?.is_some() {
                    end = self.read_aside().err();
                }
            }
        }
    }

    /// Reads from the socket while answers come by the lane.
    fn read_aside(&mut self) -> Result<()> {
        std::mem::swap(&mut self.inbox, &mut self.aside);
        let read = self.read().and_then(|()| self.inbox.next().map(|message| message.is_some()));
        std::mem::swap(&mut self.inbox, &mut self.aside);
        if read? { Err(protocol("an answer by the socket to a request by the lane")) } else { Ok(()) }
    }

    /// Tells the server that there is something in the lane. If there is no room, there is enough to wake it already.
    fn wake_server(&mut self) -> Result<()> {
        let mut frame = Vec::new();
        write_control(&mut frame, FrameKind::WakeServer, &Wake());
        loop {
            return match self.stream.write(&frame) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() != ErrorKind::WouldBlock => self.last_words(error),
                Ok(_) | Err(_) => Ok(()),
            };
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
        let read = match &mut self.lane {
            // The memory of the lane comes with what is read.
            lane::State::Asked(memory) => {
                manager_lane::receive(&self.stream, self.inbox.room()).map(|(count, arrived)| {
                    *memory = arrived.or_else(|| memory.take());
                    count
                })
            }
            lane::State::Unasked(_) | lane::State::Open { .. } | lane::State::Without => {
                self.stream.read(self.inbox.room())
            }
        };
        match read {
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
        loop {
            if let Some(ready) = self.wait_for(wanted, None, deadline)? {
                return Ok(ready);
            }
        }
    }

    /// Waits at the socket once, for so long at most if that is told; `None` if it was for nothing.
    fn wait_for(&self, wanted: PollFlags, most: Option<Duration>, deadline: &Deadline) -> Result<Option<PollFlags>> {
        let mut polled = [PollFd::new(&self.stream, wanted)];
        let left = deadline.left()?;
        let time = left.into_iter().chain(most).min();
        // Times longer than a `timespec` can tell are for ever.
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        match rustix::event::poll(&mut polled, time.as_ref()) {
            Ok(0) | Err(Errno::INTR) => Ok(None),
            Ok(_) => Ok(Some(polled[0].revents())),
            Err(error) => Err(Error::with_source(Reason::Broken, std::io::Error::from(error))),
        }
    }
}

/// The server has written over the memory of the lane.
fn spoiled(corrupt: Corrupt) -> Error {
    Error::with_source(Reason::Broken, corrupt)
}

/// With so many releases unanswered, more wait for the next request.
const MOST_RELEASING: usize = 64;

/// An empty outbox keeps so much memory at most.
const KEPT: usize = 1024 * 1024;
