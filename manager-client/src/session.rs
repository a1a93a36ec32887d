//! The session of this process: what makes a call happen once, however many connections it takes.
//!
//! Request ids are unique in it. The server remembers the answer to a change until it is
//! acknowledged, so a change whose answer was lost is sent again under its id on another connection.

mod changes;
mod entry;
mod releases;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use manager_protocol::Effect;

use self::changes::{Changes, News};
pub(crate) use self::entry::Entry;
use self::entry::Place;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::reference::{Holds, Outlet};
use crate::request::Limits;

/// The session of whichever process this is.
///
/// A fork at any moment leaves the child with a session whose locks the parent may hold: it is never
/// touched there, only replaced.
#[derive(Debug)]
pub(crate) struct Sessions {
    session: ArcSwap<Session>,
    /// Where the sessions give back what they hold.
    outlet: Weak<dyn Outlet>,
}

impl Sessions {
    pub(crate) fn new(outlet: Weak<dyn Outlet>) -> Self {
        let session = Session::new(process_id(), outlet.clone());
        Self { session: ArcSwap::from_pointee(session), outlet }
    }

    /// Those of a process that forked this one.
    #[cfg(test)]
    pub(crate) fn inherited(outlet: Weak<dyn Outlet>) -> Self {
        let session = Session::new(process_id() + 1, outlet.clone());
        Self { session: ArcSwap::from_pointee(session), outlet }
    }

    /// The session of this process; in the child of a fork a new one.
    pub(crate) fn current(&self) -> Guard<Arc<Session>> {
        let session = self.session.load();
        let pid = process_id();
        if session.pid == pid {
            return session;
        }
        // Never dropped: a thread of the parent may have been changing it when it was copied.
        std::mem::forget(Arc::clone(&session));
        self.session.compare_and_swap(&session, Arc::new(Session::new(pid, self.outlet.clone())));
        self.session.load()
    }

    /// The session of this process, if it has made one.
    pub(crate) fn own(&self) -> Option<Guard<Arc<Session>>> {
        Some(self.session.load()).filter(|session| session.pid == process_id())
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let session = self.session.load_full();
        if session.pid != process_id() {
            std::mem::forget(session);
        }
    }
}

/// A session with a server, begun by the first connection and joined by the others.
///
/// When the server has ended it, the next connection begins another in its place; ids go on.
#[derive(Debug)]
pub(crate) struct Session {
    pid: u32,
    /// How often another session of the server took this one's place.
    generation: AtomicU32,
    place: Mutex<Place>,
    place_changed: Condvar,
    next_id: AtomicU64,
    /// Whether there is something to tell in front of the next request.
    news: AtomicBool,
    batches: AtomicUsize,
    changes: Mutex<Changes>,
    holds: Arc<Holds>,
    /// Whether there are holds to give back with the next request.
    gives_back: AtomicBool,
}

impl Session {
    fn new(pid: u32, outlet: Weak<dyn Outlet>) -> Self {
        Self {
            pid,
            generation: AtomicU32::new(0),
            place: Mutex::new(Place::Vacant),
            place_changed: Condvar::new(),
            next_id: AtomicU64::new(1),
            news: AtomicBool::new(false),
            batches: AtomicUsize::new(0),
            changes: Mutex::default(),
            holds: Arc::new(Holds::new(pid, outlet)),
            gives_back: AtomicBool::new(false),
        }
    }

    /// The process that it belongs to.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// A number that is another one in each process, and after the server has ended the session.
    pub(crate) fn era(&self) -> u64 {
        u64::from(self.pid) << 32 | u64::from(self.generation())
    }

    /// What it holds of objects without names.
    pub(crate) fn holds(&self) -> &Arc<Holds> {
        &self.holds
    }

    /// Whether the server has ever been reached in it.
    pub(crate) fn is_known(&self) -> bool {
        self.generation() > 0 || matches!(*lock(&self.place), Place::Known(_))
    }

    /// Whether there is something that a [`Leave`](manager_protocol::Leave) would end.
    pub(crate) fn can_leave(&self) -> bool {
        matches!(*lock(&self.place), Place::Known(_))
    }

    /// How long the server keeps it without a connection.
    #[cfg(feature = "aio")]
    pub(crate) fn grace(&self) -> Duration {
        match *lock(&self.place) {
            Place::Known(identity) => identity.grace,
            Place::Vacant | Place::Asked => Duration::ZERO,
        }
    }

    /// What a new connection says in its hello. While another connection begins the session, this
    /// waits for it.
    pub(crate) fn enter(&self, deadline: &Deadline) -> Result<Entry<'_>> {
        let mut place = lock(&self.place);
        loop {
            if let Some(entry) = self.entry(&mut place) {
                return Ok(entry);
            }
            let left = deadline.left()?.unwrap_or(LONG);
            let waited = self.place_changed.wait_timeout(place, left);
            place = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What a new connection says in its hello; `None` while another connection begins the session.
    #[cfg(feature = "aio")]
    pub(crate) fn try_enter(&self) -> Option<Entry<'_>> {
        self.entry(&mut lock(&self.place))
    }

    fn entry(&self, place: &mut Place) -> Option<Entry<'_>> {
        let identity = match *place {
            Place::Asked => return None,
            Place::Known(identity) => Some(identity),
            Place::Vacant => {
                *place = Place::Asked;
                None
            }
        };
        Some(Entry { session: self, generation: self.generation(), identity, welcome: false })
    }

    /// Notes that the server has ended the session that was of this generation.
    pub(crate) fn expire(&self, generation: u32) {
        let mut place = lock(&self.place);
        if matches!(*place, Place::Known(_)) && self.generation() == generation {
            *place = Place::Vacant;
            let next = generation.wrapping_add(1);
            self.generation.store(next, Ordering::Release);
            self.holds.expire(next);
            self.forget_releases();
        }
    }

    /// A new request's id. A change is awaited until it is [finished](Self::finish).
    pub(crate) fn begin(&self, effect: Effect) -> u64 {
        match effect {
            Effect::Read => self.next_id.fetch_add(1, Ordering::Relaxed),
            Effect::Idempotent | Effect::Change => {
                // Under the lock, so that no acknowledgement counts this id and does not list it.
                let mut changes = self.changes();
                let id = self.next_id.fetch_add(1, Ordering::Relaxed);
                changes.awaited.push_back(id);
                id
            }
        }
    }

    /// Whether there can have been a request with this id.
    pub(crate) fn was_begun(&self, id: u64) -> bool {
        id < self.next_id.load(Ordering::Relaxed)
    }

    /// Notes that a change was answered and its answer taken, or that it was never sent.
    pub(crate) fn finish(&self, id: u64) {
        self.finish_all([id]);
    }

    pub(crate) fn finish_all(&self, ids: impl IntoIterator<Item = u64>) {
        let mut changes = self.changes();
        for id in ids {
            changes.settle(id);
        }
        if changes.is_due() {
            self.news.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that changes were sent whose answers nobody will take: they are to be cancelled.
    pub(crate) fn give_up(&self, ids: impl IntoIterator<Item = u64>) {
        self.changes().cancels.extend(ids);
        self.news.store(true, Ordering::Relaxed);
    }

    /// Notes that a connection was lost, and with it perhaps an acknowledgement.
    pub(crate) fn was_cut(&self) {
        self.changes().unsure = true;
        self.news.store(true, Ordering::Relaxed);
    }

    /// Takes what is to be told in front of the next request. Whoever takes it tells it: the cancels
    /// are to be [finished](Self::finish_all) once the server has them, or else [given up](Self::give_up) again.
    pub(crate) fn take_news(&self, limits: Limits) -> Option<News> {
        // Without the lock: reads pass here too.
        if !self.news.load(Ordering::Relaxed) {
            return None;
        }
        let mut changes = self.changes();
        self.news.store(false, Ordering::Relaxed);
        Some(changes.tell(self.next_id.load(Ordering::Relaxed), limits))
    }

    /// Takes all that is to be told in front of a [`Leave`](manager_protocol::Leave): what the server takes
    /// for not delivered otherwise, it takes back.
    pub(crate) fn take_last_news(&self, limits: Limits) -> News {
        let mut changes = self.changes();
        self.news.store(false, Ordering::Relaxed);
        changes.unsure = true;
        changes.tell(self.next_id.load(Ordering::Relaxed), limits)
    }

    /// A batch's share of the calls that may be under way at a time.
    pub(crate) fn share(&self) -> Share<'_> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        Share(self)
    }

    /// What is known of the changes is whole after each statement, so a panic elsewhere spoils nothing.
    fn changes(&self) -> MutexGuard<'_, Changes> {
        lock(&self.changes)
    }
}

/// A batch's share of the calls that may be under way at a time.
#[derive(Debug)]
pub(crate) struct Share<'s>(&'s Session);

impl Share<'_> {
    pub(crate) fn calls(&self) -> usize {
        (WINDOW / self.0.batches.load(Ordering::Relaxed).max(1)).max(LEAST_SHARE)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.0.batches.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request under way. One that is dropped without an answer is given up.
#[derive(Debug)]
pub(crate) struct Begun<'s> {
    session: &'s Session,
    id: u64,
    change: bool,
}

impl<'s> Begun<'s> {
    pub(crate) fn new(session: &'s Session, effect: Effect) -> Self {
        Self { session, id: session.begin(effect), change: effect != Effect::Read }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// It was answered, or never sent.
    pub(crate) fn finish(mut self) {
        if std::mem::take(&mut self.change) {
            self.session.finish(self.id);
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if self.change {
            self.session.give_up([self.id]);
        }
    }
}

/// The number of this process. It is asked for in every call, as a fork may have come since the last one.
pub(crate) fn process_id() -> u32 {
    #[cfg(feature = "process")]
    return crate::process::process_id();
    #[cfg(not(feature = "process"))]
    std::process::id()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many calls of a session are under way at a time, apart from those that wait: together with the
/// answers that are not acknowledged yet, no more than the server remembers.
pub(crate) const WINDOW: usize = 256;

/// A batch may always have so many calls under way.
const LEAST_SHARE: usize = 16;

/// A wait without an end is done in pieces.
const LONG: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;

#[cfg(test)]
mod cuts;

#[cfg(test)]
mod ends;
