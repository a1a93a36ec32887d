//! Goes through an object in pages, blocking as an iterator, async as a stream.

use std::vec;

use crate::blocking::Blocking;
use crate::error::Result;
use crate::link::Link;

/// An object that can be read in pages.
pub trait Paged: Sized {
    /// What it holds.
    type Item;
    /// Where a page begins.
    type Cursor: Copy + Send;
    /// How its calls travel.
    type Link: Link;

    /// Fetches at most so many items.
    fn page(&self, cursor: Self::Cursor, limit: u32) -> <Self::Link as Link>::Wait<'_, Page<Self>>;
}

/// Where the next page begins of an object whose items keep their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The number of the item fetched last; `None` at first.
    pub(crate) after: Option<u64>,
    pub(crate) backward: bool,
}

impl Place {
    /// Before the first item, on towards the last.
    pub(crate) const START: Self = Self { after: None, backward: false };
    /// Behind the last item, towards the first.
    pub(crate) const END: Self = Self { after: None, backward: true };

    /// The place behind an item, in the same direction.
    pub(crate) fn behind(self, item: u64) -> Self {
        Self { after: Some(item), ..self }
    }
}

/// Some items of an object.
#[derive(Debug)]
pub struct Page<P: Paged> {
    pub(crate) items: Vec<P::Item>,
    pub(crate) next: Option<P::Cursor>,
}

/// The items of an object, fetched in pages.
#[must_use = "an iterator does nothing unless it is gone through"]
pub struct Iter<'a, P: Paged> {
    object: &'a P,
    items: vec::IntoIter<P::Item>,
    next: Option<P::Cursor>,
}

impl<'a, P: Paged> Iter<'a, P> {
    pub(crate) fn new(object: &'a P, start: P::Cursor) -> Self {
        Self { object, items: Vec::new().into_iter(), next: Some(start) }
    }
}

impl<P: Paged<Link = Blocking>> Iterator for Iter<'_, P> {
    type Item = Result<P::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(Ok(item));
            }
            match self.object.page(self.next.take()?, PAGE) {
                Ok(page) => {
                    self.items = page.items.into_iter();
                    self.next = page.next;
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<P: Paged> std::fmt::Debug for Iter<'_, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Iter").field("fetched", &self.items.len()).finish_non_exhaustive()
    }
}

#[cfg(feature = "aio")]
pub(crate) use stream::Stream;

#[cfg(feature = "aio")]
mod stream {
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};
    use std::vec;

    use super::{PAGE, Page, Paged};
    use crate::aio::{Async, BoxFuture};
    use crate::error::Result;

    /// The items of an object, fetched in pages.
    #[must_use = "a stream does nothing unless it is polled"]
    pub struct Stream<'a, P: Paged> {
        object: &'a P,
        items: vec::IntoIter<P::Item>,
        next: Option<P::Cursor>,
        fetching: Option<BoxFuture<'a, Page<P>>>,
    }

    impl<'a, P: Paged> Stream<'a, P> {
        pub(crate) fn new(object: &'a P, start: P::Cursor) -> Self {
            Self { object, items: Vec::new().into_iter(), next: Some(start), fetching: None }
        }
    }

    // Nothing in it is pinned in place: the future is behind a pointer.
    impl<P: Paged> Unpin for Stream<'_, P> {}

    impl<P: Paged<Link = Async>> Stream<'_, P> {
        /// Waits for the next item; `None` after the last.
        pub async fn next(&mut self) -> Option<Result<P::Item>> {
            std::future::poll_fn(|context| self.poll_item(context)).await
        }

        fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<P::Item>>> {
            loop {
                if let Some(item) = self.items.next() {
                    return Poll::Ready(Some(Ok(item)));
                }
                let fetching = match (&mut self.fetching, self.next.take()) {
                    (Some(fetching), _) => fetching,
                    (none, Some(next)) => none.insert(self.object.page(next, PAGE)),
                    (None, None) => return Poll::Ready(None),
                };
                let fetched = ready!(fetching.as_mut().poll(context));
                self.fetching = None;
                match fetched {
                    Ok(page) => {
                        self.items = page.items.into_iter();
                        self.next = page.next;
                    }
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
        }
    }

    impl<P: Paged<Link = Async>> futures_core::Stream for Stream<'_, P> {
        type Item = Result<P::Item>;

        fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.get_mut().poll_item(context)
        }
    }

    impl<P: Paged> std::fmt::Debug for Stream<'_, P> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Stream").field("fetched", &self.items.len()).finish_non_exhaustive()
        }
    }
}

/// Items asked for at a time.
const PAGE: u32 = 1000;
