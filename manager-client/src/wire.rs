//! The bytes of one connection of the blocking driver, by its socket or by its lane.
//!
//! It never blocks in a read or a write: it waits in `poll`, for no longer than the call may take.
//! A server wakes a client that waits there more cheaply than one that waits in `recv`.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::yield_now;
use std::time::Duration;

use manager_lane::Corrupt;
use manager_protocol::{FrameKind, Wake, write_control};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::deadline::Deadline;
use crate::error::{Error, Reason, Result};
use crate::inbox::{Inbox, protocol};
use crate::lane::{Looking, NAP, State};
use crate::options::Settings;

/// A stream to the server, and what is on its way there and back.
pub(crate) struct Wire {
    stream: UnixStream,
    pub(crate) inbox: Inbox,
    /// Frames not sent yet.
    pub(crate) outbox: Vec<u8>,
    /// How many requests are among them.
    pub(crate) requests: usize,
    pub(crate) lane: State,
    /// Whether no answer is awaited, not even by nobody, to anything but what is in the outbox.
    pub(crate) is_at_rest: bool,
    /// Whether the last request went by the lane: until all is answered, others go the same way.
    is_by_lane: bool,
    /// Threads stay on the CPU that they are on.
    keeps_cpu: bool,
    /// How long answers by the lane are looked for.
    look: Duration,
    /// What the socket brings while answers come by the lane.
    aside: Inbox,
    /// The server has closed the stream, or has said so, and reads no more of the lane either.
    is_closed: bool,
}

/// A connection that is of no more use.
pub(crate) struct Lost {
    pub(crate) error: Error,
    /// How many bytes of the frames were sent, but for those that the server has certainly not read.
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

impl Wire {
    pub(crate) fn new(stream: UnixStream, settings: &Settings) -> Self {
        Self {
            stream,
            inbox: Inbox::new(settings.max_message),
            outbox: Vec::new(),
            requests: 0,
            lane: State::new(settings.lane),
            is_at_rest: false,
            is_by_lane: false,
            keeps_cpu: settings.keeps_cpu,
            look: settings.look,
            aside: Inbox::new(0),
            is_closed: false,
        }
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_clean(&self) -> bool {
        self.inbox.is_empty() && self.aside.is_empty() && self.outbox.is_empty()
    }

    /// Takes the lane that the server has offered, if it has.
    pub(crate) fn take_offer(&mut self) {
        if let Some(offer) = self.inbox.take_offer() {
            self.lane.accept(offer);
        }
    }

    /// Writes what is queued, and reads until `look` has found what it wants.
    pub(crate) fn run<T>(
        &mut self,
        deadline: &Deadline,
        look: impl FnMut(&mut Inbox) -> Result<Option<T>>,
    ) -> Result<T, Lost> {
        let (mut written, requests) = (0, std::mem::take(&mut self.requests));
        if self.is_at_rest {
            self.is_by_lane = self.lane.suits(self.outbox.len()) && self.inbox.is_empty();
        }
        let outcome = if self.is_by_lane {
            self.converse_by_lane(requests, &mut written, deadline, look)
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
            Err(error) => {
                self.is_closed |= error.is_goodbye();
                Err(Lost { error, written: written.saturating_sub(self.untaken()), frames })
            }
        }
    }

    /// How many bytes of those that were written are known never to be read.
    fn untaken(&mut self) -> usize {
        match &mut self.lane {
            State::Open { lane, .. } if self.is_by_lane && self.is_closed => lane.requests.untaken().unwrap_or(0),
            State::Open { .. } | State::Unasked(_) | State::Asked(_) | State::Without => 0,
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
                self.lane.make_way(&mut self.keeps_cpu);
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
        requests: usize,
        written: &mut usize,
        deadline: &Deadline,
        mut look: impl FnMut(&mut Inbox) -> Result<Option<T>>,
    ) -> Result<T> {
        self.lane.take_turns(requests);
        let mut gives_way = requests >= MANY;
        let (mut found, mut looking) = (None, Looking::new(self.look, self.keeps_cpu));
        // Why nothing more comes. What came by the lane before that is taken first.
        let mut end = None;
        loop {
            let State::Open { lane, .. } = &mut self.lane else { return Err(Error::new(Reason::Broken)) };
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
            } else if gives_way && all_written {
                // Whoever shares this CPU makes requests of its own while these are answered.
                gives_way = false;
                yield_now();
            } else if looking.goes_on(lane) {
                std::hint::spin_loop();
            } else if !all_written {
                if self.wait_for(PollFlags::IN, Some(NAP), deadline)?.is_some() {
                    end = self.read_aside().err();
                }
            } else if lane.doze() {
                let ready = self.wait_for(PollFlags::IN, None, deadline);
                if let State::Open { lane, .. } = &self.lane {
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

    /// Writes by the socket what can be written without waiting; whether that was all.
    pub(crate) fn try_send(&mut self) -> bool {
        self.is_by_lane = false;
        let mut written = 0;
        self.write(&mut written).is_ok() && written == self.outbox.len()
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

    pub(crate) fn read(&mut self) -> Result<()> {
        let read = match &mut self.lane {
            // The memory of the lane comes with what is read.
            State::Asked(memory) => manager_lane::receive(&self.stream, self.inbox.room()).map(|(count, arrived)| {
                *memory = arrived.or_else(|| memory.take());
                count
            }),
            State::Unasked(_) | State::Open { .. } | State::Without => self.stream.read(self.inbox.room()),
        };
        match read {
            Ok(0) => {
                self.is_closed = true;
                Err(Error::new(Reason::Broken))
            }
            Ok(count) => {
                self.inbox.filled(count);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(error) => {
                self.is_closed = error.kind() == ErrorKind::ConnectionReset;
                Err(Error::with_source(Reason::Broken, error))
            }
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

/// So many requests take longer than another thread's turn to make as many.
const MANY: usize = 12;

/// An empty outbox keeps so much memory at most.
const KEPT: usize = 1024 * 1024;
