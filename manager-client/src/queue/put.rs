//! Puts items into a queue, once there is room.

use std::borrow::Borrow;
use std::time::Duration;

use manager_protocol::queue::{Put, PutMany};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerQueue;
use crate::argument::{Argument, Arguments};
use crate::link::WaitingLink;

impl<T, L> ManagerQueue<T, L>
where
    T: Serialize + DeserializeOwned,
    L: WaitingLink,
{
    /// Puts an item, once there is room.
    ///
    /// # Errors
    /// [`is_full`](crate::Error::is_full) if there is none within the time that a call may take,
    /// [`is_shut_down`](crate::Error::is_shut_down) if the queue takes no more.
    ///
    /// # Blocks
    /// Until there is room.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// assert_eq!(jobs.len()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("push", "send"))]
    pub fn put<W>(&self, value: &W) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        self.put_as(&Argument::new(value), None, self.handle.link.patience())
    }

    /// Puts an item, if there is room within a time; [`Duration::MAX`] waits for ever.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put_timeout("wash", Duration::from_millis(100))?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn put_timeout<W>(&self, value: &W, wait: Duration) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        self.put_as(&Argument::new(value), None, wait)
    }

    /// Puts an item with a priority, once there is room: the lowest number is taken first.
    ///
    /// Without a priority, an item of such a queue has priority 0.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`is_invalid_argument`](crate::Error::is_invalid_argument) if the queue is not
    /// one that has [priorities](crate::QueueOptions::priority).
    ///
    /// # Blocks
    /// Until there is room.
    ///
    /// ```
    /// use manager_client::QueueOptions;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let jobs = manager.queue_with::<String>("jobs", QueueOptions::new().priority())?;
    /// jobs.put("wash")?;
    /// jobs.put_with_priority("put out the fire", -10)?;
    /// assert_eq!(jobs.get()?, "put out the fire");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn put_with_priority<W>(&self, value: &W, priority: i64) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        self.put_as(&Argument::new(value), Some(priority), self.handle.link.patience())
    }

    /// As [`put_with_priority`](Self::put_with_priority), if there is room within a time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use manager_client::QueueOptions;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let jobs = manager.queue_with::<String>("jobs", QueueOptions::new().priority().capacity(1))?;
    /// jobs.put("wash")?;
    /// let late = jobs.put_with_priority_timeout("iron", 3, Duration::from_millis(10));
    /// assert!(late.is_err_and(|error| error.is_full()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn put_with_priority_timeout<W>(&self, value: &W, priority: i64, wait: Duration) -> L::Wait<'_, ()>
    where
        T: Borrow<W>,
        W: Serialize + ?Sized,
    {
        self.put_as(&Argument::new(value), Some(priority), wait)
    }

    /// Puts several items in their order, once there is room for all of them.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`is_invalid_argument`](crate::Error::is_invalid_argument) if there are more than
    /// the queue can ever hold.
    ///
    /// # Blocks
    /// Until there is room.
    ///
    /// # Atomicity
    /// All at once: nobody else's items come between them.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put_many(["wash".to_owned(), "iron".to_owned()])?;
    /// assert_eq!(jobs.len()?, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "extend")]
    pub fn put_many<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, ()>
    where
        A: Borrow<T>,
    {
        self.put_many_timeout(values, self.handle.link.patience())
    }

    /// As [`put_many`](Self::put_many), if there is room for all within a time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put_many_timeout(["wash".to_owned(), "iron".to_owned()], Duration::from_millis(100))?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn put_many_timeout<A>(&self, values: impl IntoIterator<Item = A>, wait: Duration) -> L::Wait<'_, ()>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        let put = |timeout_ms| Ok(PutMany { values: values.get()?, priority: None, timeout_ms });
        self.handle.waiting(wait, put, Ok)
    }

    fn put_as(&self, value: &Argument, priority: Option<i64>, wait: Duration) -> L::Wait<'_, ()> {
        self.handle.waiting(wait, |timeout_ms| Ok(Put { value: value.get()?, priority, timeout_ms }), Ok)
    }
}
