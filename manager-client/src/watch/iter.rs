//! Watches, blocking.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::{Subject, Watching, is_passing};
use crate::blocking::{Blocking, finish};
use crate::error::Result;

/// What becomes of an object. Made by `watch` of dicts and lists, and [`watch_key`](crate::ManagerDict::watch_key).
///
/// Its first item is the object as it is when that is asked for; then come the changes behind that, each once.
/// Changes are kept for a watch up to a limit, and as long as the session lasts. Whoever comes too late is told
/// the object anew, with `resync` set.
///
/// As an iterator it waits for the next item however long that takes. Something that is not of the proxy's types
/// is an item that is an [error](crate::Error::is_wrong_type), after which the object is told anew; any other
/// error is the last item. [`next_timeout`](Self::next_timeout) can go on even then.
///
/// # Blocks
/// Dropping it does, for one call.
#[must_use = "a watch does nothing unless its items are taken"]
pub struct Watch<S: Subject> {
    watching: Watching<S, Blocking>,
    /// What is known and was not told yet.
    updates: VecDeque<S::Update>,
    is_over: bool,
}

impl<S: Subject> Watch<S> {
    pub(super) fn new(watching: Watching<S, Blocking>) -> Self {
        Self { watching, updates: VecDeque::new(), is_over: false }
    }

    /// Waits for the next item, so long at most. [`Duration::MAX`] waits for ever.
    ///
    /// # Errors
    /// Those of any call. It may be tried again: if changes were missed, the next item says so.
    ///
    /// # Blocks
    /// Until there is a change.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let mut watch = ages.watch_key("ann");
    /// assert_eq!(watch.next_timeout(Duration::ZERO)?.map(|update| update.value), Some(None));
    /// assert_eq!(watch.next_timeout(Duration::from_millis(10))?, None);
    /// ages.set("ann", &31)?;
    /// assert_eq!(watch.next_timeout(Duration::MAX)?.map(|update| update.value), Some(Some(31)));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn next_timeout(&mut self, wait: Duration) -> Result<Option<S::Update>> {
        if self.updates.is_empty() {
            self.updates = finish(self.watching.advance(wait))?.into();
        }
        Ok(self.updates.pop_front())
    }
}

impl<S: Subject> Iterator for Watch<S> {
    type Item = Result<S::Update>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.next_timeout(Duration::MAX);
        self.is_over = next.as_ref().is_err_and(|error| !is_passing(error));
        next.transpose()
    }
}

impl<S: Subject> std::iter::FusedIterator for Watch<S> {}

impl<S: Subject> fmt::Debug for Watch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { watching, updates, is_over } = self;
        f.debug_struct("Watch")
            .field("watching", watching)
            .field("known", &updates.len())
            .field("is_over", is_over)
            .finish()
    }
}
