//! Results one after the other, of items that are asked for as results are taken.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Pool;
use super::board::{Board, Ended};
use super::chunk::Packer;
use crate::error::{Error, Result};

/// Adds the next item to a job; `None` if there are no more.
type Feed<'a> = Box<dyn FnMut(&mut Packer) -> Option<Result<()>> + Send + 'a>;

/// The results of [`Pool::imap`] and [`Pool::imap_unordered`], one after the other.
///
/// A call that fails does not end it. Dropping it cancels the calls that are not over. For async code it is a
/// `Stream`.
pub struct Imap<'a, R> {
    pool: Pool,
    board: Arc<Board>,
    task: u64,
    feed: Option<Feed<'a>>,
    chunk: usize,
    window: usize,
    in_order: bool,
    /// How many calls were begun, and how many results were taken off the board.
    begun: usize,
    taken: usize,
    /// Results that are to be given next.
    ready: VecDeque<Result<R>>,
}

impl<'a, R: DeserializeOwned> Imap<'a, R> {
    pub(super) fn new<A: Serialize>(
        pool: &Pool,
        task: Result<u64>,
        mut items: impl Iterator<Item = A> + Send + 'a,
        in_order: bool,
    ) -> Self {
        let chunk = pool.chunk_of(Some(1)).unwrap_or(1);
        let usual = pool.size().saturating_mul(4).saturating_mul(chunk).max(LEAST_WINDOW);
        let feed = move |packer: &mut Packer| items.next().map(|item| packer.push(&(item,)));
        let mut results = Self {
            pool: pool.clone(),
            board: Board::new(0),
            task: *task.as_ref().unwrap_or(&0),
            feed: Some(Box::new(feed)),
            chunk,
            window: pool.window.unwrap_or(usual),
            in_order,
            begun: 0,
            taken: 0,
            ready: VecDeque::new(),
        };
        if let Err(error) = task {
            results.fail(error, 1);
            results.feed = None;
        }
        results.fill();
        results
    }

    /// Begins as many calls as may be under way.
    fn fill(&mut self) {
        while self.begun < self.taken + self.window {
            let most = self.chunk.min(self.taken + self.window - self.begun);
            let Some(feed) = &mut self.feed else { return };
            let mut packer = Packer::new();
            let mut fault = None;
            while !packer.is_full(most) && fault.is_none() {
                match feed(&mut packer) {
                    Some(Ok(())) => {}
                    Some(Err(error)) => fault = Some(error),
                    None => {
                        self.feed = None;
                        break;
                    }
                }
            }
            self.submit(packer);
            if let Some(error) = fault {
                self.fail(error, 1);
            }
        }
    }

    fn submit(&mut self, packer: Packer) {
        let calls = packer.calls();
        if calls == 0 {
            return;
        }
        self.board.expect(calls);
        let (member, parcel) = (&self.pool.office.member, packer.finish(self.task));
        match member.submit(&self.board, self.begun, vec![parcel], self.pool.manner) {
            Ok(_) => self.begun += calls,
            Err(error) => {
                // There is no use in more.
                self.feed = None;
                self.board.put(self.begun, Ended::Failed(error, calls));
                self.begun += calls;
            }
        }
    }

    /// Calls that come to nothing before they are begun.
    fn fail(&mut self, error: Error, calls: usize) {
        self.board.expect(calls);
        self.board.put(self.begun, Ended::Failed(error, calls));
        self.begun += calls;
    }

    /// The next result, if it is there.
    fn next_ready(&mut self) -> Option<Result<R>> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return Some(next);
            }
            let ended = self.board.take_next(self.in_order)?;
            let ready = &mut self.ready;
            ended.read(|outcome| ready.push_back(outcome));
            self.taken += self.ready.len();
            self.fill();
        }
    }

    fn is_over(&self) -> bool {
        self.feed.is_none() && self.begun == self.taken
    }
}

impl<R: DeserializeOwned> Iterator for Imap<'_, R> {
    type Item = Result<R>;

    /// # Blocks
    /// Until the next result is there.
    fn next(&mut self) -> Option<Result<R>> {
        loop {
            if let Some(next) = self.next_ready() {
                return Some(next);
            }
            if self.is_over() {
                return None;
            }
            self.board.wait_for_next(self.in_order);
        }
    }
}

impl<R: DeserializeOwned> Stream for Imap<'_, R> {
    type Item = Result<R>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<R>>> {
        loop {
            if let Some(next) = self.next_ready() {
                return Poll::Ready(Some(next));
            }
            if self.is_over() {
                return Poll::Ready(None);
            }
            if !self.board.poll_next(self.in_order, context.waker()) {
                return Poll::Pending;
            }
        }
    }
}

impl<R> Unpin for Imap<'_, R> {}

impl<R> Drop for Imap<'_, R> {
    fn drop(&mut self) {
        if self.begun > self.taken {
            // Who drops something cannot be told.
            let _cancelled = self.pool.office.member.cancel(&self.board, None);
        }
    }
}

impl<R> fmt::Debug for Imap<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { begun, taken, .. } = self;
        f.debug_struct("Imap").field("begun", begun).field("taken", taken).finish_non_exhaustive()
    }
}

/// So many calls may always be under way: enough for small ones to travel together.
const LEAST_WINDOW: usize = 64;
