//! One accepted socket with what came in and what is to go out. It knows frames, not their meaning.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use manager_protocol::{Code, Error, FrameKind, Goodbye, Wake, write_control};
use manager_socket::Socket;
use tokio::time::{sleep, timeout};

use crate::inbox::Inbox;
use crate::lane::{self, Lane, step_aside};

/// A socket and its two buffers, and perhaps a lane beside it.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: Socket,
    lane: Option<Lane>,
    /// What is in the inbox came by the lane.
    pub(crate) is_from_lane: bool,
    /// Answers go by the lane: that is how what they answer came. A client changes the way only when it awaits none.
    pub(crate) by_lane: bool,
    /// What has arrived.
    pub(crate) inbox: Inbox,
    /// What [`Wire::flush`] is to send.
    pub(crate) out: Vec<u8>,
    write_timeout: Duration,
}

/// Why a connection ends.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The peer closed its side.
    Left,
    /// The system reported an error of the socket.
    Broken(io::Error),
    /// The peer takes nothing of what is sent to it, so it cannot be told why either.
    Stalled,
    /// The server ends it, and says why.
    Refused(Error),
}

impl From<Error> for Ending {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl Ending {
    /// The end of every connection when the server stops.
    pub(crate) fn shutting_down() -> Self {
        Self::Refused(Error::new(Code::ShuttingDown, "the server is shutting down"))
    }
}

impl Wire {
    /// A wire over `socket` that gives a peer so long to take something.
    pub(crate) fn new(socket: Socket, write_timeout: Duration) -> Self {
        Self {
            socket,
            lane: None,
            is_from_lane: false,
            by_lane: false,
            inbox: Inbox::default(),
            out: Vec::new(),
            write_timeout,
        }
    }

    /// Offers the client a lane beside the socket. Everything before that is to be sent already.
    pub(crate) async fn offer(&mut self, offered: Option<(Lane, OwnedFd)>) -> Result<(), Ending> {
        let mut frame = Vec::new();
        let Some((lane, descriptor)) = offered else {
            write_control(&mut self.out, FrameKind::Lane, &lane::NO_LANE);
            return self.flush().await;
        };
        write_control(&mut frame, FrameKind::Lane, &lane::sizes());
        let Self { socket, write_timeout, .. } = self;
        let sending =
            poll_fn(|context| socket.poll_send(context, |to| manager_lane::send(to, &frame, descriptor.as_fd())));
        let sent = timeout(*write_timeout, sending).await.map_err(|_| Ending::Stalled)??;
        self.lane = Some(lane);
        self.out.extend_from_slice(&frame[sent..]);
        self.flush().await
    }

    /// Whether there is a lane.
    pub(crate) fn lane(&mut self) -> Option<&mut Lane> {
        self.lane.as_mut()
    }

    /// Goes on in the runtime that this is called in, at the worker that looks into lanes or at another.
    ///
    /// # Errors
    /// If the system refuses it.
    pub(crate) fn move_here(&mut self, is_at_looker: bool) -> io::Result<()> {
        self.socket.move_here()?;
        if let Some(lane) = &mut self.lane {
            lane.watch(is_at_looker);
        }
        Ok(())
    }

    /// Whether it is served by the worker that looks into lanes, and not another one, or the other way round.
    pub(crate) fn is_misplaced(&self) -> bool {
        self.lane.as_ref().is_some_and(|lane| lane.wants_watch() != lane.is_watched())
    }

    /// Whether it is served by the worker that looks into lanes.
    pub(crate) fn is_at_looker(&self) -> bool {
        self.lane.as_ref().is_some_and(Lane::is_watched)
    }

    /// Reads what has arrived by the lane, if it is the turn of that; whether something has.
    pub(crate) fn fill_by_lane(&mut self, floor: usize, max: usize) -> Result<bool, Ending> {
        let Self { inbox, lane: Some(lane), is_from_lane, .. } = self else { return Ok(false) };
        // A frame is ended the way that it began.
        let may_be_lane = !inbox.is_inside_frame() || *is_from_lane;
        if may_be_lane && lane.has_request() && lane.read(inbox.room(floor, max))? > 0 {
            *is_from_lane = true;
            return Ok(true);
        }
        Ok(false)
    }

    /// Reads once, waiting for bytes, into a buffer of at least `floor` bytes that stays within one
    /// frame of `max`. May be dropped at any time without losing anything.
    pub(crate) async fn fill(&mut self, floor: usize, max: usize) -> Result<(), Ending> {
        loop {
            if self.fill_by_lane(floor, max)? {
                return Ok(());
            }
            let Self { socket, inbox, lane: Some(lane), is_from_lane, .. } = self else {
                return match self.socket.read(self.inbox.room(floor, max)).await? {
                    0 => Err(Ending::Left),
                    _ => Ok(()),
                };
            };
            let is_inside = inbox.is_inside_frame();
            let (may_be_lane, is_inside_lane) = (!is_inside || *is_from_lane, is_inside && *is_from_lane);
            let mut wakes = if is_inside_lane { Vec::with_capacity(MOST_WAKES) } else { Vec::new() };
            let room = if is_inside_lane { &mut wakes } else { inbox.room(floor, max) };
            let read = tokio::select! {
                biased;
                () = poll_fn(|context| lane.poll_filled(context)), if may_be_lane => continue,
                read = socket.read(room) => read?,
            };
            match read {
                // What was written before it was closed is read first.
                0 if may_be_lane && lane.has_request() => {}
                0 => return Err(Ending::Left),
                _ if is_inside_lane => check_wakes(&wakes)?,
                _ => {
                    *is_from_lane = false;
                    return Ok(());
                }
            }
        }
    }

    /// Whether the peer has taken all that was written into its lane, if it has one.
    pub(crate) fn is_taken(&mut self) -> bool {
        self.lane.as_mut().is_none_or(Lane::is_taken)
    }

    /// Writes all of `out`: one system call, if the peer keeps up; none, if it looks into its lane.
    pub(crate) async fn flush(&mut self) -> Result<(), Ending> {
        if self.by_lane {
            return self.flush_by_lane().await;
        }
        let Self { socket, out, .. } = self;
        let mut sent = 0;
        while sent < out.len() {
            match socket.try_write(&out[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Only a peer that does not keep up costs a timer.
                    let writing = poll_fn(|context| socket.poll_write(context, &out[sent..]));
                    sent += timeout(self.write_timeout, writing).await.map_err(|_| Ending::Stalled)??;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.out.shrink_to(KEPT_CAPACITY);
        Ok(())
    }

    /// Writes what its peer's lane has room for, if that is how it is to go; whether nothing is left.
    pub(crate) fn try_flush_by_lane(&mut self) -> Result<bool, Ending> {
        if self.by_lane {
            let sent = self.write_lane(0)?;
            self.out.drain(..sent);
        }
        Ok(self.out.is_empty())
    }

    /// Writes what there is room for of what follows the first `sent` bytes; how much that was.
    fn write_lane(&mut self, sent: usize) -> Result<usize, Ending> {
        let Self { socket, lane: Some(lane), out, .. } = self else { return Ok(0) };
        let (count, wakes) = lane.write(&out[sent..])?;
        if wakes {
            wake(socket)?;
        }
        Ok(count)
    }

    /// Sends what is left by the way that it was meant for, as far as there is room, and gives up the lane.
    fn leave_lane(&mut self) {
        if let Some(mut lane) = self.lane.take().filter(|_| self.by_lane) {
            // The socket wakes the peer with what comes next. Where there is no room, nobody takes it anyway.
            let _told = lane.write(&self.out).is_ok();
            self.out.clear();
        }
        self.by_lane = false;
    }

    async fn flush_by_lane(&mut self) -> Result<(), Ending> {
        let (mut sent, mut turns, mut waited) = (0, 0, Duration::ZERO);
        while sent < self.out.len() {
            let count = self.write_lane(sent)?;
            sent += count;
            if count > 0 {
                (turns, waited) = (0, Duration::ZERO);
            } else if turns < MOST_TURNS {
                turns += 1;
                step_aside().await;
            } else if waited < self.write_timeout {
                // The peer does something else. Nothing tells when it takes more, which is seldom enough to ask.
                self.socket.try_write(&[])?; // If it has gone, this fails.
                sleep(NAP).await;
                waited += NAP;
            } else {
                return Err(Ending::Stalled);
            }
        }
        self.out.clear();
        self.out.shrink_to(KEPT_CAPACITY);
        Ok(())
    }

    /// Says why the connection ends, and closes it.
    ///
    /// A peer that is still sending would be told of a broken connection rather than why, so what
    /// it sends is read and dropped until it closes, for `linger` at most.
    pub(crate) async fn farewell(mut self, error: &Error, linger: Duration) {
        self.leave_lane();
        let goodbye = Goodbye { code: error.code.number(), message: error.message.clone() };
        write_control(&mut self.out, FrameKind::Goodbye, &goodbye);
        if self.flush().await.is_err() || self.socket.shutdown().is_err() {
            return; // The peer has gone already.
        }
        self.inbox.clear();
        let discard = async {
            while self.fill(DISCARD_BYTES, DISCARD_BYTES).await.is_ok() {
                self.inbox.clear();
            }
        };
        let _late = timeout(linger, discard).await.is_err();
    }
}

/// Tells the peer that there is something in its lane. If there is no room, there is enough to wake it already.
fn wake(socket: &mut Socket) -> io::Result<()> {
    let mut frame = Vec::new();
    write_control(&mut frame, FrameKind::WakeClient, &Wake());
    loop {
        return match socket.try_write(&frame) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(_) | Err(_) => Ok(()),
        };
    }
}

/// In the middle of a frame in the lane, the socket brings nothing but wakes.
fn check_wakes(bytes: &[u8]) -> Result<(), Error> {
    let mut wake = Vec::new();
    write_control(&mut wake, FrameKind::WakeServer, &Wake());
    if bytes.chunks(wake.len()).all(|frame| frame == wake) {
        return Ok(());
    }
    Err(Error::new(Code::MalformedFrame, "a frame by the socket inside of one by the lane"))
}

/// The bytes of so many wakes are read at once, where nothing else may come: a multiple of those of one.
const MOST_WAKES: usize = 60;

/// Turns in which a peer may make room in its lane before it is left to itself for a while.
const MOST_TURNS: usize = 200;

/// How long it is left to itself.
const NAP: Duration = Duration::from_millis(1);

/// A buffer of replies above this is given back once it was sent.
const KEPT_CAPACITY: usize = 256 * 1024;

/// How much is read at once of what nobody wants.
const DISCARD_BYTES: usize = 4 * 1024;
