//! Takes one item after the other until there are no more, blocking as an iterator, async as a stream.

use crate::blocking::Blocking;
use crate::error::{Error, Result};
use crate::link::Link;

/// An object that items are taken from, with waiting for the next one.
pub trait Source: Sized {
    /// What is taken.
    type Item;
    /// How its calls travel.
    type Link: Link;

    /// Takes the next item, however long it takes to come.
    fn take_next(&self) -> <Self::Link as Link>::Wait<'_, Self::Item>;

    /// Whether an error says that there will be no more.
    fn is_end(error: &Error) -> bool;
}

/// What a taken item, or the failure to take one, is to who goes through them.
fn item<S: Source>(taken: Result<S::Item>) -> Option<Result<S::Item>> {
    match taken {
        Err(error) if S::is_end(&error) => None,
        taken => Some(taken),
    }
}

/// The items of an object, each taken from it. After an error it is over.
#[must_use = "an iterator does nothing unless it is gone through"]
pub struct Iter<'a, S> {
    source: Option<&'a S>,
}

impl<'a, S> Iter<'a, S> {
    pub(crate) fn new(source: &'a S) -> Self {
        Self { source: Some(source) }
    }
}

impl<S: Source<Link = Blocking>> Iterator for Iter<'_, S> {
    type Item = Result<S::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.source?.take_next();
        if taken.is_err() {
            self.source = None;
        }
        item::<S>(taken)
    }
}

impl<S: Source<Link = Blocking>> std::iter::FusedIterator for Iter<'_, S> {}

impl<S> std::fmt::Debug for Iter<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Iter").field("is_over", &self.source.is_none()).finish()
    }
}

#[cfg(feature = "aio")]
pub(crate) use stream::Stream;

#[cfg(feature = "aio")]
mod stream {
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use super::{Source, item};
    use crate::aio::{Async, BoxFuture};
    use crate::error::Result;

    /// The items of an object, each taken from it. After an error it is over.
    #[must_use = "a stream does nothing unless it is polled"]
    pub struct Stream<'a, S: Source> {
        source: Option<&'a S>,
        taking: Option<BoxFuture<'a, S::Item>>,
    }

    impl<'a, S: Source> Stream<'a, S> {
        pub(crate) fn new(source: &'a S) -> Self {
            Self { source: Some(source), taking: None }
        }
    }

    // Nothing in it is pinned in place: the future is behind a pointer.
    impl<S: Source> Unpin for Stream<'_, S> {}

    impl<S: Source<Link = Async>> Stream<'_, S> {
        /// Waits for the next item; `None` after the last.
        pub async fn next(&mut self) -> Option<Result<S::Item>> {
            std::future::poll_fn(|context| self.poll_item(context)).await
        }

        fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<S::Item>>> {
            let Some(source) = self.source else { return Poll::Ready(None) };
            let taking = self.taking.get_or_insert_with(|| source.take_next());
            let taken = ready!(taking.as_mut().poll(context));
            self.taking = None;
            if taken.is_err() {
                self.source = None;
            }
            Poll::Ready(item::<S>(taken))
        }
    }

    impl<S: Source<Link = Async>> futures_core::Stream for Stream<'_, S> {
        type Item = Result<S::Item>;

        fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.get_mut().poll_item(context)
        }
    }

    impl<S: Source> std::fmt::Debug for Stream<'_, S> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Stream").field("is_over", &self.source.is_none()).finish()
        }
    }
}
