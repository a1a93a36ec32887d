//! Watches: what becomes of a dict, a list or an entry, told as it happens.
//!
//! Here is what is the same for all of them, whatever is watched and however one waits: [`Watching`]. What is
//! watched is in `watch::subject`, what is told in `watch::update`; the methods that begin are in `watch::open`.

mod apply;
mod iter;
mod open;
#[cfg(feature = "aio")]
mod stream;
mod subject;
mod update;

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use manager_protocol::watch::{Begin, Changes, End};
use manager_protocol::{Code, Operation, Row};

pub use self::apply::UpdateTarget;
pub use self::iter::Watch;
pub use self::open::{DictWatch, KeyWatch, ListWatch};
#[cfg(feature = "aio")]
pub use self::open::{DictWatchStream, KeyWatchStream, ListWatchStream};
use self::subject::Subject;
pub use self::update::{DictChange, DictUpdate, KeyUpdate, ListChange, ListUpdate};
use crate::argument::Argument;
use crate::calls::Raw;
use crate::error::{Error, Result};
use crate::handle::{Handle, MARGIN, milliseconds};
use crate::link::{Answer, DirectLink};
use crate::reference::within;

/// How far somebody has come who watches.
pub(crate) struct Watching<S, L: DirectLink> {
    handle: Handle<L>,
    /// The key whose entry is watched, if it is not the whole object.
    key: Option<Argument>,
    /// None as long as the server has not begun the watch, and after it has lost it.
    place: Option<Place>,
    /// Whether the object was read: when it is read once more, changes were missed.
    was_read: bool,
    /// It could not be read the last time: what it had was of another type. It is read again when it has changed.
    is_unread: bool,
    subject: PhantomData<fn() -> S>,
}

/// A watch that the server has begun.
#[derive(Clone, Copy)]
struct Place {
    number: u64,
    /// The version up to which all changes are known. None if the object is to be read first.
    version: Option<u64>,
    /// The session that the watch belongs to.
    era: u64,
}

impl<S: Subject, L: DirectLink> Watching<S, L> {
    pub(crate) fn new(handle: &Handle<L>, key: Option<Argument>) -> Self {
        Self { handle: handle.clone(), key, place: None, was_read: false, is_unread: false, subject: PhantomData }
    }

    /// What there is to tell next; nothing if nothing has changed within a time. [`Duration::MAX`] waits for ever.
    ///
    /// After an error it can be asked again. Dropped on its way, it has missed nothing.
    pub(crate) async fn advance(&mut self, wait: Duration) -> Result<Vec<S::Update>> {
        let started = Instant::now();
        let left = move || if wait == Duration::MAX { wait } else { wait.saturating_sub(started.elapsed()) };
        loop {
            let place = self.begun().await?;
            let Some(version) = place.version else { return self.read().await.map(|update| vec![update]) };
            let updates = self.poll(place, version, left().min(LONGEST_POLL)).await?;
            if self.is_unread && !updates.is_empty() {
                self.know(None);
                continue;
            }
            let is_to_be_read = self.place.is_none_or(|place| place.version.is_none());
            if !updates.is_empty() || (!is_to_be_read && left().is_zero()) {
                return Ok(updates);
            }
        }
    }

    /// The watch. One that another session began is not this one's.
    async fn begun(&mut self) -> Result<Place> {
        let era = self.handle.link.era();
        if let Some(place) = self.place.filter(|place| place.era == era) {
            return Ok(place);
        }
        let number = match self.begin().await {
            // If it did begin, that has ended with the session.
            Err(error) if error.is_session_expired() => self.begin().await?,
            number => number?,
        };
        // The session may have become another meanwhile. If it did just now, the server does not know the number.
        let place = Place { number, version: None, era: self.handle.link.era() };
        self.place = Some(place);
        Ok(place)
    }

    async fn begin(&self) -> Result<u64> {
        let key = self.key.as_ref().map(Argument::get).transpose();
        let key = key.map_err(|error| self.attempted(Begin::ROW, error))?;
        let begun = self.handle.raw(Begin { key }).await?;
        begun.reply::<Begin<'_>>().map_err(|error| self.attempted(Begin::ROW, error))
    }

    /// Reads the object as it is now. The changes behind that are told from then on.
    async fn read(&mut self) -> Result<S::Update> {
        let (row, arguments) = S::reading(self.key.as_ref().map(Argument::get).transpose()?);
        let Handle { link, target } = &self.handle;
        let encode = |out: &mut Vec<u8>| out.extend_from_slice(&arguments);
        let found = L::future(link.call(target, row, encode, |answer| Ok(Raw::from(answer)))).await?;
        let resync = std::mem::replace(&mut self.was_read, true);
        // If it is not of the type, it will not be the next time, unless it has changed.
        self.know(Some(found.version));
        let read = within(found.answer(), |read| S::snapshot(read, resync));
        self.is_unread = read.is_err();
        read.map_err(|error| self.attempted(row, error))
    }

    /// Waits for changes. Without any, there were none in time, or the object is to be read.
    async fn poll(&mut self, place: Place, after: u64, wait: Duration) -> Result<Vec<S::Update>> {
        let changes = Changes { watch: place.number, after, timeout_ms: milliseconds(wait) };
        let patient = self.handle.with_timeout(wait.saturating_add(MARGIN));
        let found = match patient.raw(changes).await {
            Err(error) if is_lost(&error) => {
                self.place = None;
                return Ok(Vec::new());
            }
            found => found?,
        };
        // Proxies in the changes have the time of this link, not that of the wait.
        let link = self.handle.link.clone();
        let updates = found.answer().over(&link, |found| within(found, |found| self.take(found, after)));
        if updates.is_err() {
            // What was told is lost with it.
            self.know(None);
        }
        updates.map_err(|error| self.attempted(Changes::ROW, error))
    }

    fn take(&mut self, found: Answer<'_>, after: u64) -> Result<Vec<S::Update>> {
        let changes = found.reply::<Changes>()?;
        if changes.lost {
            self.know(None);
            return Ok(Vec::new());
        }
        self.know(Some(changes.through.max(after)));
        S::updates(changes, after)
    }

    fn know(&mut self, version: Option<u64>) {
        if let Some(place) = &mut self.place {
            place.version = version;
        }
    }

    fn attempted(&self, row: Row, error: Error) -> Error {
        error.during(row, &self.handle.target)
    }
}

/// Whether the server does not know the watch, which ended with its session.
fn is_lost(error: &Error) -> bool {
    error.code() == Some(Code::NoSuchWatch) || error.is_session_expired()
}

/// Whether somebody who watches can go on after an error: what was told is not of the types, what comes may be.
fn is_passing(error: &Error) -> bool {
    error.is_wrong_type()
}

impl<S, L: DirectLink> Drop for Watching<S, L> {
    fn drop(&mut self) {
        let Handle { link, target } = &self.handle;
        if let Some(place) = self.place.filter(|place| place.era == link.era()) {
            let end = End { watch: place.number };
            link.detach(target, End::ROW, |out| end.encode(out));
        }
    }
}

impl<S, L: DirectLink> fmt::Debug for Watching<S, L> {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching")
            .field("object", &self.handle.target.name())
            .field("version", &self.place.and_then(|place| place.version))
            .finish_non_exhaustive()
    }
}

/// How long one call waits for changes.
const LONGEST_POLL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
