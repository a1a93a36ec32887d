//! Goes through a list in pages: the whole is never in memory at once.

use manager_protocol::list::PageReply;
use manager_protocol::{Result, list};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerList;
use crate::blocking::Blocking;
use crate::link::Link;
use crate::pages::{Page, Paged};

impl<T: Serialize + DeserializeOwned> ManagerList<T> {
    /// Goes through all values in order, a page at a time.
    ///
    /// # Blocks
    /// Each time a page has to be fetched.
    ///
    /// # Atomicity
    /// Pages are read by index: if others insert or remove meanwhile, a value may be skipped or seen
    /// twice. [`values`](Self::values) is of one moment. After an error the iteration is over.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.iter().collect::<Result<Vec<_>, _>>()?, [1, 2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__iter__")]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self, ListCursor::Forward { start: 0 })
    }

    /// Goes through all values from the last to the first; else as [`iter`](Self::iter).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.iter_rev().collect::<Result<Vec<_>, _>>()?, [2, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__reversed__")]
    pub fn iter_rev(&self) -> Iter<'_, T> {
        Iter::new(self, ListCursor::End)
    }
}

#[cfg(feature = "aio")]
impl<T: Serialize + DeserializeOwned> ManagerList<T, crate::aio::Async> {
    /// Goes through all values in order, a page at a time.
    ///
    /// # Atomicity
    /// Pages are read by index: if others insert or remove meanwhile, a value may be skipped or seen
    /// twice. [`values`](Self::values) is of one moment. After an error the stream is over.
    pub fn iter(&self) -> Stream<'_, T> {
        Stream::new(self, ListCursor::Forward { start: 0 })
    }

    /// Goes through all values from the last to the first; else as [`iter`](Self::iter).
    pub fn iter_rev(&self) -> Stream<'_, T> {
        Stream::new(self, ListCursor::End)
    }
}

/// The values of a list, fetched in pages. Made by [`ManagerList::iter`].
pub type Iter<'a, T> = crate::pages::Iter<'a, ManagerList<T, Blocking>>;

/// The values of a list, fetched in pages. Made by `iter` of the async list.
#[cfg(feature = "aio")]
pub type Stream<'a, T> = crate::pages::Stream<'a, ManagerList<T, crate::aio::Async>>;

/// Where the next page of a list begins.
#[derive(Debug, Clone, Copy)]
pub enum ListCursor {
    /// At this index, on towards the end.
    Forward {
        /// The first index.
        start: u64,
    },
    /// At the end, wherever that is.
    End,
    /// Before this index, towards the beginning, so many at most.
    Backward {
        /// The index behind the page.
        end: u64,
        /// What the server was willing to send at once.
        limit: u32,
    },
}

impl<T, L> Paged for ManagerList<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    type Item = T;
    type Cursor = ListCursor;
    type Link = L;

    fn page(&self, cursor: ListCursor, limit: u32) -> L::Wait<'_, Page<Self>> {
        let (start, asked) = cursor.ask(limit);
        let operation = || Ok(list::Page { start, limit: asked });
        self.handle.call(operation, move |found| cursor.take(found, (start, asked), limit))
    }
}

impl ListCursor {
    /// The first index of the page to ask for, and how many values of it, if pages have so many.
    pub(crate) fn ask(self, limit: u32) -> (u64, u32) {
        match self {
            Self::Forward { start } => (start, limit),
            Self::End => (0, 1),
            Self::Backward { end, limit } => {
                let start = end.saturating_sub(limit.into());
                (start, u32::try_from(end - start).unwrap_or(limit))
            }
        }
    }

    /// Makes a page of what came when `start` and so many values were asked for.
    pub(crate) fn take<P>(self, found: PageReply<'_>, (start, asked): (u64, u32), limit: u32) -> Result<Page<P>>
    where
        P: Paged<Cursor = Self>,
        P::Item: DeserializeOwned,
    {
        let count = u32::try_from(found.values.len()).unwrap_or(u32::MAX);
        let (wanted, next) = self.follow(start, asked, count, found.len, limit);
        let values = if wanted { found.values } else { Vec::new() };
        let mut items = values.into_iter().map(|value| value.decode()).collect::<Result<Vec<P::Item>>>()?;
        if matches!(self, Self::Backward { .. }) {
            items.reverse();
        }
        Ok(Page { items, next })
    }

    /// Whether the values found are the ones wanted, and where to go on.
    ///
    /// The server may send fewer values than asked for. Backwards these are the wrong ones, those
    /// furthest from `end`: then fewer are asked for.
    fn follow(self, start: u64, asked: u32, found: u32, len: u64, limit: u32) -> (bool, Option<Self>) {
        match self {
            Self::Forward { .. } => {
                let start = start.saturating_add(found.into());
                (true, (found > 0 && start < len).then_some(Self::Forward { start }))
            }
            Self::End => (false, (len > 0).then_some(Self::Backward { end: len, limit })),
            Self::Backward { end, .. } if len < end => {
                (false, (len > 0).then_some(Self::Backward { end: len, limit: asked }))
            }
            Self::Backward { end, .. } if found < asked => {
                (false, (found > 0).then_some(Self::Backward { end, limit: found }))
            }
            Self::Backward { limit, .. } => (true, (start > 0).then_some(Self::Backward { end: start, limit })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through a list of `len`, whose server sends at most `most` values at once.
    fn visit(len: u64, most: u32, page: u32, backward: bool) -> Vec<u64> {
        let mut seen = Vec::new();
        let mut next = Some(if backward { ListCursor::End } else { ListCursor::Forward { start: 0 } });
        while let Some(cursor) = next {
            let (start, asked) = cursor.ask(page);
            let mut values: Vec<u64> = (start..len).take(asked.min(most) as usize).collect();
            let (wanted, following) = cursor.follow(start, asked, u32::try_from(values.len()).unwrap(), len, page);
            if backward {
                values.reverse();
            }
            if wanted {
                seen.extend(values);
            }
            next = following;
        }
        seen
    }

    #[test]
    fn every_value_is_seen_once_however_few_the_server_sends() {
        for len in [0, 1, 2, 9, 10, 11, 25] {
            for most in [1, 3, 10, 100] {
                let forward: Vec<u64> = (0..len).collect();
                assert_eq!(visit(len, most, 10, false), forward, "{len} by {most}");
                assert_eq!(
                    visit(len, most, 10, true),
                    forward.into_iter().rev().collect::<Vec<_>>(),
                    "{len} by {most}"
                );
            }
        }
    }
}
