//! A connected socket in a tokio runtime that is woken for what it waits for alone.
//!
//! A peer that reads makes room in the socket, and the system tells that to whoever is registered for writing. An
//! end that is always registered for both is woken for nothing once in each exchange, and where that wakes a core
//! it costs more than the exchange. So this one is registered for reading, and for writing only while it must wait
//! for room.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A connected socket.
///
/// One task reads and writes: whoever was polled last is woken.
#[derive(Debug)]
pub struct Socket {
    /// Gone if the runtime could not take it back.
    stream: Option<AsyncFd<UnixStream>>,
    interest: Interest,
    /// There was no room for what was to be written.
    is_full: bool,
}

impl Socket {
    /// Registers a non-blocking stream with the runtime that this is called in.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        Ok(Self { stream: Some(register(stream, READING)?), interest: READING, is_full: false })
    }

    /// Reads once into what is free of `room`, waiting for bytes; 0 if the peer closed its side, or nothing is free.
    /// May be dropped at any time without losing anything.
    ///
    /// # Errors
    /// As `recv(2)`.
    pub async fn read(&mut self, room: &mut Vec<u8>) -> io::Result<usize> {
        let free = room.capacity() - room.len();
        poll_fn(|context| {
            self.poll_recv(context, free, |stream| {
                recv(stream, spare_capacity(room), RecvFlags::empty()).map(|read| read.1)
            })
        })
        .await
    }

    /// Reads once into `room`; 0 if the peer closed its side.
    ///
    /// # Errors
    /// As `recv(2)`.
    pub fn poll_read(&mut self, context: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let free = room.len();
        self.poll_recv(context, free, |stream| recv(stream, &mut *room, RecvFlags::empty()).map(|read| read.1))
    }

    /// Receives once in some way, waiting for bytes. It may leave some that are there.
    ///
    /// # Errors
    /// What `receive` fails with, other than that there is nothing.
    pub fn poll_receive<T>(
        &mut self,
        context: &mut Context<'_>,
        mut receive: impl FnMut(&UnixStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        self.poll_reading(context, |stream| Ok((receive(stream)?, false)))
    }

    /// Writes what there is room for, waiting for some.
    ///
    /// # Errors
    /// As `send(2)`.
    pub fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(context, |stream| Ok(send(stream, bytes, SendFlags::NOSIGNAL)?))
    }

    /// Sends in some way what there is room for, waiting for some.
    ///
    /// # Errors
    /// What `send` fails with, other than that there is no room.
    pub fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        mut send: impl FnMut(&UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_send(&mut send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => return Poll::Ready(outcome),
            }
            if self.interest == READING {
                self.register(READING | Interest::WRITABLE)?;
                // What waits to read has waited where it is not registered any more.
                context.waker().wake_by_ref();
            }
            let stream = self.stream.as_ref().ok_or_else(gone)?;
            ready!(stream.poll_write_ready(context))?.clear_ready();
        }
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    /// As `send(2)`; `WouldBlock` if there is no room.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_send(|stream| Ok(send(stream, bytes, SendFlags::NOSIGNAL)?))
    }

    fn try_send(&mut self, send: impl FnOnce(&UnixStream) -> io::Result<usize>) -> io::Result<usize> {
        let sent = send(self.stream.as_ref().ok_or_else(gone)?.get_ref());
        self.is_full = sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        sent
    }

    /// Registers with the runtime that this is called in, instead of the one before.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn move_here(&mut self) -> io::Result<()> {
        self.register(READING)
    }

    /// Writes all bytes, waiting for room.
    ///
    /// # Errors
    /// As `send(2)`.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = poll_fn(|context| self.poll_write(context, bytes)).await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Tells the peer that nothing more comes.
    ///
    /// # Errors
    /// As `shutdown(2)`.
    pub fn shutdown(&self) -> io::Result<()> {
        self.stream.as_ref().ok_or_else(gone)?.get_ref().shutdown(Shutdown::Write)
    }

    fn poll_recv(
        &mut self,
        context: &mut Context<'_>,
        free: usize,
        mut recv: impl FnMut(&UnixStream) -> Result<usize, Errno>,
    ) -> Poll<io::Result<usize>> {
        self.poll_reading(context, |stream| {
            let count = recv(stream)?;
            Ok((count, count < free))
        })
    }

    /// Reads once; `read` also says whether nothing is left, which then need not be asked for.
    fn poll_reading<T>(
        &mut self,
        context: &mut Context<'_>,
        mut read: impl FnMut(&UnixStream) -> io::Result<(T, bool)>,
    ) -> Poll<io::Result<T>> {
        if self.interest != READING && !self.is_full {
            self.register(READING)?;
        }
        let stream = self.stream.as_ref().ok_or_else(gone)?;
        loop {
            let mut readable = ready!(stream.poll_read_ready(context))?;
            match read(stream.get_ref()) {
                Ok((read, is_empty)) => {
                    if is_empty {
                        readable.clear_ready();
                    }
                    return Poll::Ready(Ok(read));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => readable.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// What it is ready for already is told again.
    fn register(&mut self, interest: Interest) -> io::Result<()> {
        let stream = self.stream.take().ok_or_else(gone)?.into_inner();
        self.stream = Some(register(stream, interest)?);
        self.interest = interest;
        Ok(())
    }
}

/// Registers a descriptor with the runtime that this is called in.
///
/// # Errors
/// If the system refuses it.
pub fn register<T: AsFd + AsRawFd + Into<OwnedFd>>(owner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    #[expect(
        deprecated,
        reason = "its replacement is unsafe, for types that change their descriptor; those that own one keep it"
    )]
    AsyncFd::with_interest(owner, interest)
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

const READING: Interest = Interest::READABLE;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn pair() -> (Socket, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Socket::new(ours).unwrap(), theirs)
    }

    /// Writes until there is no room; how much that was.
    fn stuff(socket: &mut Socket) -> usize {
        let mut sent = 0;
        loop {
            match socket.try_write(&[7; 4096]) {
                Ok(count) => sent += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return sent;
                }
            }
        }
    }

    #[tokio::test]
    async fn what_arrives_is_read_and_then_the_end() {
        let (mut stream, mut peer) = pair();
        let mut room = Vec::with_capacity(4);
        peer.write_all(b"abcdef").unwrap();
        assert_eq!(stream.read(&mut room).await.unwrap(), 4);
        room.clear();
        assert_eq!(stream.read(&mut room).await.unwrap(), 2);
        drop(peer);
        assert_eq!(stream.read(&mut room).await.unwrap(), 0);
        assert_eq!(room, b"ef");
    }

    #[tokio::test]
    async fn a_full_socket_is_waited_for_and_then_read_as_before() {
        let (mut stream, mut peer) = pair();
        let sent = stuff(&mut stream);
        peer.write_all(b"now").unwrap();
        let taking = std::thread::spawn(move || {
            peer.read_exact(&mut vec![0; sent]).unwrap();
            peer
        });
        stream.write_all(&[8; 4096]).await.unwrap();
        let mut room = [0; 8];
        assert_eq!(poll_fn(|context| stream.poll_read(context, &mut room)).await.unwrap(), 3);
        assert_eq!((stream.interest, &room[..3]), (READING, &b"now"[..]));
        let mut peer = taking.join().unwrap();
        peer.write_all(b"then").unwrap();
        assert_eq!(poll_fn(|context| stream.poll_read(context, &mut room)).await.unwrap(), 4);
    }

    /// A reader that waits when a writer of the same task finds no room.
    #[tokio::test]
    async fn a_reader_is_woken_although_a_writer_waits() {
        let (mut stream, mut peer) = pair();
        stuff(&mut stream);
        let mut sending = Some(std::thread::spawn(move || {
            peer.write_all(b"news").unwrap();
            peer
        }));
        let mut room = [0; 8];
        let read = poll_fn(|context| {
            let read = stream.poll_read(context, &mut room);
            if read.is_pending() {
                assert!(stream.poll_write(context, b"more").is_pending());
            }
            read
        });
        assert_eq!(read.await.unwrap(), 4);
        drop(sending.take().map(|sending| sending.join().unwrap()));
    }
}
