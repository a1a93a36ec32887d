//! Lanes: rings in shared memory beside the sockets of clients that ask for them.
//!
//! A lane is looked into by one worker that does nothing else, by turns. A second one would keep a second core from
//! the clients. While looking does not pay, its connections are with the other workers, like those without lanes.

use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use manager_lane::{Corrupt, Looker, ServerEnd, current_cpu};
use manager_protocol::{Code, Error};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::config::Config;
use crate::connection::Connection;
use crate::tempo::Tempo;
use crate::wire::Ending;
use crate::worker::Guest;

/// What is shared by all that may have a lane.
#[derive(Debug)]
pub(crate) struct Lanes {
    places: Arc<Semaphore>,
    tempo: Tempo,
    worker: UnboundedSender<Guest>,
    /// The lanes that are looked into, while they are.
    watched: Mutex<Vec<Arc<Watch>>>,
    /// There is something to look for again.
    awakes: Notify,
}

impl Lanes {
    /// Room for lanes, and the worker that is to look into them.
    pub(crate) fn new(config: &Config, worker: UnboundedSender<Guest>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(config.max_lanes.min(Semaphore::MAX_PERMITS))),
            tempo: Tempo::new(&config.looking, config.eager_lanes),
            worker,
            watched: Mutex::default(),
            awakes: Notify::new(),
        }
    }

    /// The worker that looks into lanes.
    pub(crate) fn worker(&self) -> &UnboundedSender<Guest> {
        &self.worker
    }

    /// A new lane, and the descriptor by which the client gets it; `None` if there can be no more.
    pub(crate) fn open(self: &Arc<Self>) -> Option<(Lane, OwnedFd)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        match ServerEnd::create(REQUEST_SLOTS, REPLY_SLOTS) {
            Ok((end, descriptor)) => {
                let watch = Arc::new(Watch::new(end.looker()));
                let lanes = Arc::clone(self);
                Some((Lane { end, watch, lanes, is_mapped: false, is_watched: false, _place: place }, descriptor))
            }
            Err(error) => {
                tracing::debug!(%error, "cannot make a lane");
                None
            }
        }
    }

    /// Looks into each lane once: how many those are, and whether a connection's task was woken.
    fn sweep(&self) -> (usize, bool) {
        let watched = lock(&self.watched);
        let woken = watched.iter().filter(|watch| watch.look()).count();
        (watched.len(), woken > 0)
    }

    /// Looks into the lanes for as long as it pays, and waits for the next time. Never ends.
    pub(crate) async fn look(&self) {
        loop {
            let (mut sweeps, mut looks) = (0_u32, 0);
            while self.tempo.is_hot() {
                sweeps = sweeps.wrapping_add(1);
                if sweeps.is_multiple_of(SWEEPS_A_CPU) {
                    let cpu = Some(current_cpu());
                    lock(&self.watched).iter().for_each(|watch| watch.looker.tell_cpu(cpu));
                }
                let (lanes, woke) = self.sweep();
                looks += lanes.max(1);
                if woke || looks >= LOOKS_A_STEP {
                    looks = 0;
                    step_aside().await;
                } else {
                    std::hint::spin_loop();
                }
            }
            let awakes = self.awakes.notified();
            lock(&self.watched).iter().for_each(|watch| watch.doze());
            if !self.tempo.is_hot() {
                awakes.await;
            }
            let cpu = Some(current_cpu());
            lock(&self.watched).iter().for_each(|watch| watch.looker.rise(cpu));
        }
    }
}

/// A lane as it is looked into.
#[derive(Debug)]
pub(crate) struct Watch {
    looker: Looker,
    /// Who reads what is found.
    waker: Mutex<Option<Waker>>,
    /// Its connection, while that waits: then it is answered where it is found, without a turn of the runtime.
    lent: Mutex<Option<Box<Connection>>>,
}

/// A connection that waits. What arrives by its lane is answered meanwhile.
#[derive(Debug)]
pub(crate) struct Lent<'a>(&'a Watch);

impl Watch {
    fn new(looker: Looker) -> Self {
        Self { looker, waker: Mutex::default(), lent: Mutex::default() }
    }

    /// Lends a connection to who looks into its lane, on the same thread.
    pub(crate) fn lend(&self, connection: Box<Connection>) -> Lent<'_> {
        *lock(&self.lent) = Some(connection);
        Lent(self)
    }

    /// Looks for a request, and has it answered; whether its task must go on, now that it was woken.
    fn look(&self) -> bool {
        self.looker.has_request() && !self.attend() && {
            self.wake();
            true
        }
    }

    /// Has what is found answered; whether nothing is left to do for the connection's task.
    fn attend(&self) -> bool {
        let mut lent = lock(&self.lent);
        let Some(connection) = &mut *lent else { return false };
        // A fault ends this connection, and not who looks into all lanes.
        catch_unwind(AssertUnwindSafe(|| connection.attend())).unwrap_or_else(|_| {
            connection.fail();
            false
        })
    }

    /// Looks no more.
    fn doze(&self) {
        if self.looker.doze() {
            self.wake();
        }
    }

    fn wake(&self) {
        let waker = lock(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Lent<'_> {
    /// Asks the connection.
    pub(crate) fn poll(&self, ask: impl FnOnce(&mut Connection) -> Poll<()>) -> Poll<()> {
        lock(&self.0.lent).as_mut().map_or(Poll::Ready(()), |connection| ask(connection))
    }

    /// The connection, to go on with.
    pub(crate) fn take_back(self) -> Box<Connection> {
        lock(&self.0.lent).take().expect("only who has lent it takes it")
    }
}

impl Drop for Lent<'_> {
    /// If its task has ended, so does the connection.
    fn drop(&mut self) {
        let lent = lock(&self.0.lent).take();
        drop(lent);
    }
}

/// The lane of one connection.
#[derive(Debug)]
pub(crate) struct Lane {
    end: ServerEnd,
    watch: Arc<Watch>,
    lanes: Arc<Lanes>,
    /// The client has said that it has it.
    is_mapped: bool,
    /// It is among those that are looked into.
    is_watched: bool,
    _place: OwnedSemaphorePermit,
}

impl Lane {
    /// The client has the lane, or has written into it.
    pub(crate) fn was_told(&mut self) {
        self.is_mapped = true;
    }

    /// So many requests have arrived, by the lane or by the socket.
    pub(crate) fn arrived(&self, count: u64) {
        if self.lanes.tempo.arrived(count) {
            self.lanes.awakes.notify_one();
        }
    }

    /// Whether it should be looked into, and the connection be with the worker that does.
    pub(crate) fn wants_watch(&self) -> bool {
        self.is_mapped && self.lanes.tempo.wants_looking()
    }

    /// Whether it is looked into, which it is while the connection is with the worker that does.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// Who looks into it, if somebody does.
    pub(crate) fn watched(&self) -> Option<Arc<Watch>> {
        self.is_watched.then(|| Arc::clone(&self.watch))
    }

    /// Has it looked into from now on, or not any more.
    pub(crate) fn watch(&mut self, is_wanted: bool) {
        if is_wanted && !self.is_watched {
            lock(&self.lanes.watched).push(Arc::clone(&self.watch));
            let cpu = Some(current_cpu());
            if self.lanes.tempo.is_hot() { self.watch.looker.rise(cpu) } else { self.watch.looker.tell_cpu(cpu) }
        } else if !is_wanted && self.is_watched {
            self.unwatch();
        }
        self.is_watched = is_wanted;
    }

    fn unwatch(&self) {
        lock(&self.lanes.watched).retain(|watch| !Arc::ptr_eq(watch, &self.watch));
        self.watch.looker.tell_cpu(None);
        // What is there is found before the socket is waited at.
        self.watch.looker.doze();
    }

    /// Ready when there is something to be read. Who looks wakes for it, if somebody looks.
    pub(crate) fn poll_filled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.end.requests.has_more() {
            return Poll::Ready(());
        }
        if self.is_watched {
            let mut waker = lock(&self.watch.waker);
            match &mut *waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
            drop(waker);
            // It may have gone to sleep over what came in between.
            if self.watch.looker.has_request() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Reads what has arrived, as far as there is room; how much that was.
    pub(crate) fn read(&mut self, room: &mut Vec<u8>) -> Result<usize, Ending> {
        self.end.requests.append(room).map_err(corrupt)
    }

    /// Whether something has arrived.
    pub(crate) fn has_request(&mut self) -> bool {
        self.end.requests.has_more()
    }

    /// Writes what there is room for; how much, and whether the client must be woken.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(usize, bool), Ending> {
        let written = self.end.replies.write(bytes).map_err(corrupt)?;
        Ok((written, self.end.must_wake_client()))
    }

    /// Whether the client has taken all that was written.
    pub(crate) fn is_taken(&mut self) -> bool {
        self.end.replies.is_taken().unwrap_or(false)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_watched {
            self.unwatch();
        }
    }
}

/// Lets the other tasks of this thread run once, without asking the system for anything meanwhile.
pub(crate) async fn step_aside() {
    let mut stepped = false;
    poll_fn(|context| {
        if std::mem::replace(&mut stepped, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sizes of a lane, as a client is told.
pub(crate) fn sizes() -> manager_protocol::Lane {
    manager_protocol::Lane { request_slots: REQUEST_SLOTS as u32, reply_slots: REPLY_SLOTS as u32 }
}

/// What a client is told that gets no lane.
pub(crate) const NO_LANE: manager_protocol::Lane = manager_protocol::Lane { request_slots: 0, reply_slots: 0 };

/// Whether lanes are of use: on one core, who looks keeps those from running that it looks for.
pub(crate) fn are_useful() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
}

fn corrupt(corrupt: Corrupt) -> Ending {
    Error::new(Code::MalformedFrame, corrupt.to_string()).into()
}

/// Looks into a lane after which the other tasks of the thread have a turn, if no connection's task was woken: some
/// microseconds. A turn takes as long as a dozen looks, and what arrives meanwhile is found after it.
const LOOKS_A_STEP: usize = 256;

/// Looks at all lanes after which clients are told where that is done.
const SWEEPS_A_CPU: u32 = 512;

/// A request is mostly one slot.
const REQUEST_SLOTS: usize = 256;

/// A reply is mostly two slots.
const REPLY_SLOTS: usize = 1024;
