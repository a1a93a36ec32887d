//! One accepted socket with what came in and what is to go out. It knows frames, not their meaning.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use manager_protocol::{Code, Error, FrameKind, Goodbye, write_control};
use manager_socket::Socket;
use tokio::time::timeout;

use crate::inbox::Inbox;

/// A socket and its two buffers.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: Socket,
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
        Self { socket, inbox: Inbox::default(), out: Vec::new(), write_timeout }
    }

    /// Reads once, waiting for bytes, into a buffer of at least `floor` bytes that stays within one
    /// frame of `max`. May be dropped at any time without losing anything.
    pub(crate) async fn fill(&mut self, floor: usize, max: usize) -> Result<(), Ending> {
        match self.socket.read(self.inbox.room(floor, max)).await? {
            0 => Err(Ending::Left),
            _ => Ok(()),
        }
    }

    /// Writes all of `out`: one system call, if the peer keeps up.
    pub(crate) async fn flush(&mut self) -> Result<(), Ending> {
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

    /// Says why the connection ends, and closes it.
    ///
    /// A peer that is still sending would be told of a broken connection rather than why, so what
    /// it sends is read and dropped until it closes, for `linger` at most.
    pub(crate) async fn farewell(mut self, error: &Error, linger: Duration) {
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

/// A buffer of replies above this is given back once it was sent.
const KEPT_CAPACITY: usize = 256 * 1024;

/// How much is read at once of what nobody wants.
const DISCARD_BYTES: usize = 4 * 1024;
