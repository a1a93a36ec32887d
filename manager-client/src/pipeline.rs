//! The pipeline: many calls in one write, each with an outcome of its own.

use crate::batch::{Batch, Queue, Sealed, Shared};
use crate::blocking::Blocking;
use crate::calls::Outcomes;
use crate::link::{DirectLink, Link};

/// Calls that are sent together. Made by [`Manager::pipeline`](crate::Manager::pipeline).
///
/// The server carries them out in order, but other clients' calls may come in between, and one that
/// is refused does not stop the next. For all or nothing there is [`Transaction`](crate::Transaction).
/// Dropped without a send, it does nothing.
///
/// ```
/// # let manager = manager_client::Manager::start()?;
/// # let ages = manager.dict::<String, u64>("ages")?;
/// let pipeline = manager.pipeline();
/// let sums: Vec<_> = ["ann", "bob"].into_iter().map(|name| ages.on(&pipeline).add(name, 1)).collect();
/// pipeline.send()?;
/// for sum in sums {
///     assert_eq!(sum.take()?, 1);
/// }
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct Pipeline<L = Blocking> {
    link: L,
    shared: Shared,
}

impl<L: DirectLink> Pipeline<L> {
    pub(crate) fn new(link: L) -> Self {
        Self { link, shared: Shared::default() }
    }

    /// Sends all queued calls, and waits for all outcomes.
    ///
    /// # Errors
    /// If an outcome did not arrive. What arrived can be taken all the same, and a call that was
    /// refused is an error of that call alone.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// let pipeline = manager.pipeline();
    /// todo.on(&pipeline).push("eat");
    /// let missing = todo.on(&pipeline).get(7);
    /// pipeline.send()?;
    /// assert!(missing.take().is_err_and(|error| error.is_out_of_range()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn send(&self) -> L::Wait<'_, ()> {
        L::run(async move {
            let (calls, _) = self.shared.take()?;
            let outcomes = if calls.is_empty() { Outcomes::default() } else { self.link.batch(calls).await };
            let lost = outcomes.lost().cloned();
            self.shared.settle(Ok(outcomes));
            lost.map_or(Ok(()), Err)
        })
    }
}

impl<L> Sealed for Pipeline<L> {}

impl<L: Link> Queue for Pipeline<L> {
    fn link(&self) -> Batch {
        self.shared.link(self.link.epoch())
    }
}
