//! One accepted socket with what came in and what is to go out. It knows frames, not their meaning.

use std::io;
use std::time::Duration;

use manager_protocol::{Code, Error, FrameKind, Goodbye, write_control};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::inbox::Inbox;

/// A socket and its two buffers.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: UnixStream,
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
    pub(crate) fn new(socket: UnixStream, write_timeout: Duration) -> Self {
        Self { socket, inbox: Inbox::default(), out: Vec::new(), write_timeout }
    }

    /// Reads once, waiting for bytes, into a buffer of at least `floor` bytes that stays within one
    /// frame of `max`. May be dropped at any time without losing anything.
    pub(crate) async fn fill(&mut self, floor: usize, max: usize) -> Result<(), Ending> {
        loop {
            match self.socket.read_buf(self.inbox.room(floor, max)).await {
                Ok(0) => return Err(Ending::Left),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes all of `out`: one system call, if the peer keeps up.
    pub(crate) async fn flush(&mut self) -> Result<(), Ending> {
        let mut sent = 0;
        while sent < self.out.len() {
            match self.socket.try_write(&self.out[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Only a peer that does not keep up costs a timer.
                    timeout(self.write_timeout, self.socket.writable()).await.map_err(|_| Ending::Stalled)??;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
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
        let goodbye = Goodbye { code: error.code.number(), message: error.message.clone() };
        write_control(&mut self.out, FrameKind::Goodbye, &goodbye);
        if self.flush().await.is_err() || self.socket.shutdown().await.is_err() {
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

/// A buffer of replies above this is given back once it was sent.
const KEPT_CAPACITY: usize = 256 * 1024;

/// How much is read at once of what nobody wants.
const DISCARD_BYTES: usize = 4 * 1024;
