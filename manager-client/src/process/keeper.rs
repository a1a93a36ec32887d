//! Keeping a child: one thread for each, which writes to it, reads what it reports, and sees it end.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{self, Command};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::exit::{Exit, killed_for_memory};
use super::lifeline::{FAREWELL, FAULT, take_message};

/// A process that this one has started.
#[derive(Debug)]
pub(crate) struct Child {
    pid: u32,
    pidfd: OwnedFd,
    state: Mutex<State>,
    /// The process has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    exit: Option<Exit>,
    output: CapturedOutput,
    wakers: Vec<Waker>,
}

/// What a process wrote to its stdout and stderr.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapturedOutput {
    /// What it wrote to its stdout; of more than 64 MiB, the first.
    pub stdout: Vec<u8>,
    /// What it wrote to its stderr; of more than 64 MiB, the first.
    pub stderr: Vec<u8>,
    /// Whether there was more.
    pub is_cut: bool,
}

/// What a [`Listener`] is told.
pub(crate) enum News<'a> {
    /// A message of the child. If the listener returns true, the child may go.
    Report(&'a [u8]),
    /// The child has ended.
    Ended(Exit),
}

/// Who is told what a child does, in the order in which it does it.
pub(crate) type Listener = Box<dyn FnMut(News<'_>) -> bool + Send>;

impl Child {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal; whether the process was still there.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        pidfd_send_signal(&self.pidfd, signal).is_ok()
    }

    /// How the process ended, if it has.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.state().exit
    }

    /// How the process ended, once it has, if that is before the deadline.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<Exit> {
        let mut state = self.state();
        while state.exit.is_none() {
            state = match deadline {
                None => self.ended.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.exit
    }

    /// How the process ended, if it has; else the waker is woken then.
    pub(crate) fn poll_exit(&self, waker: &Waker) -> Option<Exit> {
        let mut state = self.state();
        if state.exit.is_none() && !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        state.exit
    }

    /// What it has written so far, if that is captured.
    pub(crate) fn output(&self) -> CapturedOutput {
        self.state().output.clone()
    }

    /// Becomes readable when the process has ended.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Each statement leaves the state whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a process and keeps it: `opening` is sent to it.
///
/// Its keeper starts it, because the kernel takes the thread that started a process for its parent: see
/// [`die_with_the_parent`](super::lifeline::die_with_the_parent). This one lives until the process has ended.
pub(super) fn keep(
    name: &str,
    command: Command,
    lifeline: UnixStream,
    opening: Vec<u8>,
    listener: Listener,
) -> io::Result<Arc<Child>> {
    let (tell, told) = channel();
    thread::Builder::new().name(format!("keeper of {name}")).spawn(move || {
        match Keeper::begin(command, lifeline, opening, listener) {
            Ok((keeper, process)) => {
                let _told = tell.send(Ok(Arc::clone(&keeper.child)));
                keeper.run(process);
            }
            Err(error) => drop(tell.send(Err(error))),
        }
    })?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that was to start it panicked")))
}

/// A pipe that is read while the process runs.
struct Capture {
    pipe: OwnedFd,
}

impl Capture {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self { pipe })
    }

    /// Reads what there is; whether there may be more later.
    fn read(&self, into: &mut Vec<u8>, is_cut: &mut bool) -> bool {
        let mut piece = [0; 16 * 1024];
        loop {
            match rustix::io::read(&self.pipe, &mut piece) {
                Ok(0) => return false,
                Ok(read) => {
                    let kept = read.min(MOST_OUTPUT.saturating_sub(into.len()));
                    into.extend_from_slice(&piece[..kept]);
                    *is_cut |= kept < read;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
    }
}

/// The thread that keeps one child.
struct Keeper {
    child: Arc<Child>,
    lifeline: Option<UnixStream>,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    stdout: Option<Capture>,
    stderr: Option<Capture>,
    /// How many processes the kernel had killed for want of memory when this one began.
    kills: u64,
    listener: Listener,
}

impl Keeper {
    /// Starts the process.
    fn begin(
        mut command: Command,
        lifeline: UnixStream,
        opening: Vec<u8>,
        listener: Listener,
    ) -> io::Result<(Self, process::Child)> {
        let mut process = command.spawn()?;
        // It has a copy of the child's end, which would keep the child from being seen to go.
        drop(command);
        // Most openings fit: the child has its own then, whatever becomes of this process.
        let mut outgoing = opening;
        write(&mut &lifeline, &mut outgoing);
        let mut prepare = || {
            // It has not been waited for, so the number is still its own.
            let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty())?;
            let child = Child { pid: process.id(), pidfd, state: Mutex::default(), ended: Condvar::new() };
            let stdout = process.stdout.take().map(OwnedFd::from).map(Capture::new).transpose()?;
            let stderr = process.stderr.take().map(OwnedFd::from).map(Capture::new).transpose()?;
            Ok::<_, io::Error>((Arc::new(child), stdout, stderr))
        };
        match prepare() {
            Ok((child, stdout, stderr)) => {
                let lifeline = Some(lifeline);
                let kills = killed_for_memory();
                let incoming = Vec::new();
                Ok((Self { child, lifeline, outgoing, incoming, stdout, stderr, kills, listener }, process))
            }
            Err(error) => {
                let _ended = process.kill().and_then(|()| process.wait());
                Err(error)
            }
        }
    }

    fn run(mut self, mut process: process::Child) {
        while !self.wait() {
            self.exchange();
            self.capture();
        }
        // What it left behind. Others may still have its pipes: nobody waits for those.
        self.exchange();
        self.capture();
        let status = process.wait().expect("a child that nobody else waits for can be waited for");
        let mut exit = Exit::of_status(status).for_want_of_memory(killed_for_memory() > self.kills);
        if self.incoming.ends_with(&FAULT) {
            exit = exit.after_fault();
        }
        // Who waits for the end finds what was reported before.
        (self.listener)(News::Ended(exit));
        let wakers = {
            let mut state = self.child.state();
            state.exit = Some(exit);
            std::mem::take(&mut state.wakers)
        };
        self.child.ended.notify_all();
        wakers.into_iter().for_each(Waker::wake);
        super::family::remove(&self.child);
    }

    /// Waits for something to do; whether the process has ended.
    fn wait(&self) -> bool {
        let mut polled = vec![PollFd::new(&self.child.pidfd, PollFlags::IN)];
        if let Some(lifeline) = &self.lifeline {
            let wanted = if self.outgoing.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
            polled.push(PollFd::new(lifeline, wanted));
        }
        let captures = [&self.stdout, &self.stderr].into_iter().flatten();
        polled.extend(captures.map(|capture| PollFd::new(&capture.pipe, PollFlags::IN)));
        match poll(&mut polled, None) {
            Ok(_) => !polled[0].revents().is_empty(),
            Err(rustix::io::Errno::INTR) => false,
            // Only for want of memory in the kernel.
            Err(_) => {
                thread::sleep(Duration::from_millis(10));
                false
            }
        }
    }

    /// Writes and reads as much as can be at once.
    fn exchange(&mut self) {
        let Some(mut lifeline) = self.lifeline.as_ref() else { return };
        let is_open = write(&mut lifeline, &mut self.outgoing) && read(&mut lifeline, &mut self.incoming);
        while let Some(message) = take_message(&mut self.incoming) {
            if (self.listener)(News::Report(&message)) {
                self.outgoing.push(FAREWELL);
            }
        }
        if !is_open || !write(&mut lifeline, &mut self.outgoing) {
            self.lifeline = None;
        }
    }

    fn capture(&mut self) {
        let mut state = self.child.state();
        let CapturedOutput { stdout, stderr, is_cut } = &mut state.output;
        self.stdout.take_if(|capture| !capture.read(stdout, is_cut));
        self.stderr.take_if(|capture| !capture.read(stderr, is_cut));
    }
}

/// Writes what can be written at once; whether there may be more later.
fn write(lifeline: &mut &UnixStream, outgoing: &mut Vec<u8>) -> bool {
    let mut written = 0;
    let is_open = loop {
        if written == outgoing.len() {
            break true;
        }
        match lifeline.write(&outgoing[written..]) {
            Ok(0) => break false,
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break true,
            // It may have said something before it closed its end.
            Err(_) => {
                written = outgoing.len();
                break true;
            }
        }
    };
    outgoing.drain(..written);
    is_open
}

/// Reads what there is; whether there may be more later.
fn read(lifeline: &mut &UnixStream, incoming: &mut Vec<u8>) -> bool {
    let mut piece = [0; 64 * 1024];
    loop {
        match lifeline.read(&mut piece) {
            Ok(0) => return false,
            Ok(more) => incoming.extend_from_slice(&piece[..more]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        }
    }
}

/// Most that is kept of what a process writes to stdout, and to stderr.
const MOST_OUTPUT: usize = 64 * 1024 * 1024;
