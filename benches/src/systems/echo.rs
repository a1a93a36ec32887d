//! The floor: a socket whose other end sends everything back. What any server over such a socket can reach at most.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

use crate::client::{self, Outcome, not_done};
use crate::order::Report;
use crate::stopwatch::Stopwatch;
use crate::work::{Stock, VALUE, Work};

/// Answers each connection on a thread of its own.
pub(crate) fn serve(socket: &Path) -> io::Result<()> {
    for stream in UnixListener::bind(socket)?.incoming() {
        let stream = stream?;
        // Whoever closes a connection has had enough of it.
        thread::spawn(move || answer(stream));
    }
    Ok(())
}

fn answer(mut stream: UnixStream) -> io::Result<()> {
    let mut message = [0; VALUE];
    loop {
        wait(&stream)?;
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
}

/// Waits until something can be read. Who blocks in a read itself is woken by the other side's read as well.
fn wait(stream: &UnixStream) -> io::Result<()> {
    loop {
        match poll(&mut [PollFd::new(stream, PollFlags::IN)], None) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

pub(crate) struct Client {
    stream: UnixStream,
}

impl Client {
    pub(crate) fn connect(socket: &Path) -> io::Result<Self> {
        Ok(Self { stream: UnixStream::connect(socket)? })
    }
}

impl client::Client for Client {
    fn prepare(&mut self, _stock: Stock, _part: usize, _parts: usize) -> Outcome {
        Ok(())
    }

    fn run(&mut self, work: Work, mut watch: Stopwatch) -> Outcome<Report> {
        if !matches!(work, Work::Get { size: VALUE } | Work::Insert { size: VALUE }) {
            return not_done(work);
        }
        let mut message = [7; VALUE];
        watch.start();
        while watch.goes_on() {
            self.stream.write_all(&message)?;
            wait(&self.stream)?;
            self.stream.read_exact(&mut message)?;
            watch.lap(1);
        }
        Ok(watch.report())
    }
}
