//! Where a connection finds the replies that are ready later than their requests.

use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use manager_protocol::Error;

use super::stream::Stream;
use super::sync::{AtomicBool, Mutex, lock};

/// The late replies of one connection.
#[derive(Debug)]
pub struct Mailbox {
    /// Connections are counted: a later one has a higher number.
    number: u64,
    /// Whether there is something to collect. Changed with the state locked, so that most looks at a mailbox
    /// need not lock it.
    filled: AtomicBool,
    /// Whether there are replies of which it is not known that they arrived. The same holds for it.
    unconfirmed: AtomicBool,
    /// Held to put in or to take out, never while anything else is locked after it.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    replies: Vec<u8>,
    streams: Vec<Stream>,
    /// Requests whose replies wait to be collected and can be taken back.
    revocable: Vec<u64>,
    /// Such requests whose replies were collected, and of which it is not known that they arrived.
    unconfirmed: Vec<u64>,
    /// Why the connection must end, if it must.
    ending: Option<Error>,
    /// Nobody will collect any more.
    closed: bool,
    waker: Option<Waker>,
}

/// What was in a mailbox.
#[derive(Debug, Default)]
pub struct Mail {
    /// Replies of which the parts are to be made.
    pub streams: Vec<Stream>,
    /// Why the connection must end, if it must.
    pub ending: Option<Error>,
}

/// A reply that is ready.
#[derive(Debug)]
pub(super) enum Letter<'a> {
    Frame(&'a [u8]),
    Stream(Stream),
}

impl Mailbox {
    pub(super) fn new(number: u64) -> Self {
        let (filled, unconfirmed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { number, filled, unconfirmed, state: Mutex::default() }
    }

    /// Whether its connection came after the other's.
    pub(super) fn is_newer(&self, other: &Self) -> bool {
        self.number > other.number
    }

    /// Puts in a reply; false if nobody will collect it. `revocable` is its request, if what was done
    /// can be taken back.
    pub(super) fn deliver(&self, letter: Letter<'_>, revocable: Option<u64>) -> bool {
        self.put(|state| {
            match letter {
                Letter::Frame(frame) => state.replies.extend_from_slice(frame),
                Letter::Stream(stream) => state.streams.push(stream),
            }
            state.revocable.extend(revocable);
        })
    }

    /// Notes that the connection has the reply to a request that can be taken back.
    pub(super) fn sent(&self, request: u64) {
        let mut state = lock(&self.state);
        state.unconfirmed.push(request);
        self.unconfirmed.store(true, Ordering::SeqCst);
    }

    /// The requests whose replies the client has, now that it was heard of again.
    pub(super) fn take_unconfirmed(&self) -> Vec<u64> {
        if !self.unconfirmed.load(Ordering::SeqCst) {
            return Vec::new();
        }
        let mut state = lock(&self.state);
        self.unconfirmed.store(false, Ordering::SeqCst);
        std::mem::take(&mut state.unconfirmed)
    }

    /// Has the connection ended, for a reason.
    pub(super) fn end(&self, error: Error) {
        self.put(|state| state.ending = Some(error));
    }

    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
    }

    /// Appends what is there to `out`, and gives what cannot be appended at once.
    pub fn collect(&self, out: &mut Vec<u8>) -> Mail {
        if !self.filled.load(Ordering::SeqCst) {
            return Mail::default();
        }
        let mut state = lock(&self.state);
        self.filled.store(false, Ordering::SeqCst);
        out.extend_from_slice(&state.replies);
        state.replies.clear();
        state.replies.shrink_to(KEPT_CAPACITY);
        let state = &mut *state;
        if !state.revocable.is_empty() {
            state.unconfirmed.append(&mut state.revocable);
            self.unconfirmed.store(true, Ordering::SeqCst);
        }
        Mail { streams: std::mem::take(&mut state.streams), ending: state.ending.take() }
    }

    /// Ready when there is something to collect.
    pub fn poll_filled(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if !state.replies.is_empty() || !state.streams.is_empty() || state.ending.is_some() {
            return Poll::Ready(());
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => state.waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    fn put(&self, put: impl FnOnce(&mut State)) -> bool {
        let mut state = lock(&self.state);
        if state.closed {
            return false;
        }
        put(&mut state);
        self.filled.store(true, Ordering::SeqCst);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

/// An empty buffer of replies above this is given back.
const KEPT_CAPACITY: usize = 1024;
