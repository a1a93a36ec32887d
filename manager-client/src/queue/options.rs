//! What a queue is to be like.

use manager_protocol::queue::{Order, QueueSetup};

/// What a queue is to be like. See [`Manager::queue_with`](crate::Manager::queue_with).
///
/// ```
/// use manager_client::QueueOptions;
///
/// # let manager = manager_client::Manager::start()?;
/// let options = QueueOptions::new().capacity(100).max_deliveries(3).dead_letters("jobs.dead");
/// let jobs = manager.queue_with::<String>("jobs", options)?;
/// assert_eq!(jobs.status()?.capacity, Some(100));
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until a queue is opened with them"]
pub struct QueueOptions {
    pub(crate) setup: QueueSetup,
}

impl QueueOptions {
    /// The usual queue: first in, first out, without a capacity of its own.
    pub fn new() -> Self {
        let setup = QueueSetup { order: Order::Fifo, capacity: None, max_deliveries: None, dead_letters: None };
        Self { setup }
    }

    /// The item put last is taken first.
    #[doc(alias = "LifoQueue")]
    pub fn lifo(mut self) -> Self {
        self.setup.order = Order::Lifo;
        self
    }

    /// The item of the lowest priority number is taken first, and of those the one put first.
    #[doc(alias = "PriorityQueue")]
    pub fn priority(mut self) -> Self {
        self.setup.order = Order::Priority;
        self
    }

    /// So many items at most wait to be taken. Not 0.
    #[doc(alias = "maxsize")]
    pub fn capacity(mut self, items: u64) -> Self {
        self.setup.capacity = Some(items);
        self
    }

    /// An item that was reserved so often and never acknowledged is a dead letter: it is dropped, or
    /// put into the queue of [dead letters](Self::dead_letters). Not 0.
    pub fn max_deliveries(mut self, deliveries: u32) -> Self {
        self.setup.max_deliveries = Some(deliveries);
        self
    }

    /// The name of the queue that dead letters are put into.
    pub fn dead_letters(mut self, queue: impl Into<String>) -> Self {
        self.setup.dead_letters = Some(queue.into());
        self
    }
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self::new()
    }
}
