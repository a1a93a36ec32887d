//! Objects without names: each call makes a new one.
//!
//! Such an object lives as long as a process has a proxy of it, or a stored value refers to it.

use manager_protocol::lock::LockMode;
use manager_protocol::manager::{Open, OpenArray, OpenBarrier, OpenLock, OpenQueue, OpenSemaphore, OpenValue};
use manager_protocol::{Kind, ObjectId, Operation};
use serde::Serialize;

use crate::argument::{Argument, Arguments};
use crate::array::ManagerArray;
use crate::barrier::ManagerBarrier;
use crate::condition::ManagerCondition;
use crate::dict::ManagerDict;
use crate::error::Result;
use crate::event::ManagerEvent;
use crate::handle::Handle;
use crate::link::{Answer, Link, Target};
use crate::list::ManagerList;
use crate::lock::{ManagerLock, OwnerlessLock};
use crate::manager::{MANAGER, Manager};
use crate::namespace::ManagerNamespace;
use crate::queue::{ManagerQueue, QueueOptions};
use crate::rlock::ManagerRLock;
use crate::semaphore::{ManagerSemaphore, SemaphoreOptions};
use crate::set::ManagerSet;
use crate::value::ManagerValue;

/// # Objects without names
///
/// Each of these makes a new object, which nobody else can open. It is shared by storing its proxy in
/// another object, or by its [`reference`](crate::Reference). It goes when no process has a proxy of it any
/// more and no value that is stored refers to it.
impl<L: Link> Manager<L> {
    /// A new dict without a name: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let ages = manager.new_dict::<String, u64>()?;
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.name(), None);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_dict<K, V>(&self) -> L::Wait<'_, ManagerDict<K, V, L>> {
        self.open_new(Kind::Dict, |handle| ManagerDict::new(handle))
    }

    /// A new list without a name. It goes when no process has a proxy of it, and no stored value refers to it.
    ///
    /// A proxy can be stored in other objects, also deep inside a value; who reads that has a proxy of the
    /// same list.
    ///
    /// ```
    /// use manager_client::ManagerList;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let orders = manager.dict::<String, ManagerList<u64>>("orders")?;
    /// orders.set("ann", &manager.new_list()?)?;
    ///
    /// let of_ann = orders.get("ann")?.expect("it was set");
    /// of_ann.push(&2)?;
    /// assert_eq!(orders.get("ann")?.expect("it was set").values()?, [2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_list<T>(&self) -> L::Wait<'_, ManagerList<T, L>> {
        self.open_new(Kind::List, |handle| ManagerList::new(handle))
    }

    /// A new set without a name: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let tags = manager.new_set::<String>()?;
    /// assert!(tags.insert("red")?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_set<T>(&self) -> L::Wait<'_, ManagerSet<T, L>> {
        self.open_new(Kind::Set, |handle| ManagerSet::new(handle))
    }

    /// A new value without a name, which holds what is given here: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let progress = manager.new_value(&0_u64)?;
    /// progress.set(&5)?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_value<T: Serialize>(&self, initial: &T) -> L::Wait<'_, ManagerValue<T, L>> {
        let initial = Argument::new(initial);
        let operation = || Ok(OpenValue { name: None, initial: initial.get()? });
        self.make_new(Kind::Value, operation, |handle| ManagerValue::new(handle))
    }

    /// A new array without a name, which holds the values given here: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let grid = manager.new_array([0.0; 100])?;
    /// assert_eq!(grid.len()?, 100);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_array<T: Serialize>(&self, values: impl IntoIterator<Item = T>) -> L::Wait<'_, ManagerArray<T, L>> {
        let values = Arguments::new::<T, T>(values);
        let operation = || Ok(OpenArray { name: None, values: values.get()? });
        self.make_new(Kind::Array, operation, |handle| ManagerArray::new(handle))
    }

    /// A new namespace without a name: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let settings = manager.new_namespace()?;
    /// settings.set("columns", &3_u8)?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_namespace(&self) -> L::Wait<'_, ManagerNamespace<L>> {
        self.open_new(Kind::Dict, ManagerNamespace::new)
    }

    /// A new queue without a name, first in, first out: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// use manager_client::ManagerQueue;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// // Who asks has the answer put where only he looks.
    /// let questions = manager.queue::<(u64, ManagerQueue<u64>)>("questions")?;
    /// let answers = manager.new_queue::<u64>()?;
    /// questions.put(&(6, answers.clone()))?;
    ///
    /// let (question, back) = questions.get()?;
    /// back.put(&(question * 7))?;
    /// assert_eq!(answers.get()?, 42);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_queue<T>(&self) -> L::Wait<'_, ManagerQueue<T, L>> {
        self.open_new(Kind::Queue, |handle| ManagerQueue::new(handle))
    }

    /// A new queue without a name, made with these options: see [`new_list`](Self::new_list).
    ///
    /// # Errors
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) for a capacity of 0, or 0 deliveries.
    ///
    /// ```
    /// use manager_client::QueueOptions;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let jobs = manager.new_queue_with::<String>(QueueOptions::new().capacity(10).lifo())?;
    /// jobs.put("wash")?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_queue_with<T>(&self, options: QueueOptions) -> L::Wait<'_, ManagerQueue<T, L>> {
        let operation = || Ok(OpenQueue { name: None, setup: options.setup });
        self.make_new(Kind::Queue, operation, |handle| ManagerQueue::new(handle))
    }

    /// A new lock without a name, which belongs to whoever acquires it: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let lock = manager.new_lock()?;
    /// let _guard = lock.acquire()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_lock(&self) -> L::Wait<'_, ManagerLock<L>> {
        self.make_lock(LockMode::Owned, ManagerLock::new)
    }

    /// A new lock without a name, which belongs to nobody: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let turn = manager.new_ownerless_lock()?;
    /// turn.acquire()?;
    /// turn.release()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_ownerless_lock(&self) -> L::Wait<'_, OwnerlessLock<L>> {
        self.make_lock(LockMode::Ownerless, OwnerlessLock::new)
    }

    /// A new lock without a name, which its owner may acquire again: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let rlock = manager.new_rlock()?;
    /// let _outer = rlock.acquire()?;
    /// let _inner = rlock.acquire()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_rlock(&self) -> L::Wait<'_, ManagerRLock<L>> {
        self.make_lock(LockMode::Reentrant, ManagerRLock::new)
    }

    /// A new semaphore without a name, with so many permits: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let downloads = manager.new_semaphore(2)?;
    /// let _permit = downloads.acquire()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_semaphore(&self, permits: u64) -> L::Wait<'_, ManagerSemaphore<L>> {
        self.new_semaphore_with(SemaphoreOptions::new(permits))
    }

    /// As [`new_semaphore`](Self::new_semaphore); giving back more permits than were taken is an error.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let seats = manager.new_bounded_semaphore(2)?;
    /// assert!(seats.release().is_err_and(|error| error.is_over_release()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_bounded_semaphore(&self, permits: u64) -> L::Wait<'_, ManagerSemaphore<L>> {
        self.new_semaphore_with(SemaphoreOptions::new(permits).bounded())
    }

    /// As [`new_semaphore`](Self::new_semaphore), made with these options.
    ///
    /// ```
    /// use manager_client::SemaphoreOptions;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let seats = manager.new_semaphore_with(SemaphoreOptions::new(4).ownerless())?;
    /// assert_eq!(seats.status()?.available, 4);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_semaphore_with(&self, options: SemaphoreOptions) -> L::Wait<'_, ManagerSemaphore<L>> {
        let operation = || Ok(OpenSemaphore { name: None, setup: options.setup });
        self.make_new(Kind::Semaphore, operation, ManagerSemaphore::new)
    }

    /// A new event without a name, not set: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let ready = manager.new_event()?;
    /// assert!(!ready.is_set()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_event(&self) -> L::Wait<'_, ManagerEvent<L>> {
        self.open_new(Kind::Event, ManagerEvent::new)
    }

    /// A new condition without a name: see [`new_list`](Self::new_list).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let changed = manager.new_condition()?;
    /// changed.acquire()?.notify_all()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_condition(&self) -> L::Wait<'_, ManagerCondition<L>> {
        self.open_new(Kind::Condition, ManagerCondition::new)
    }

    /// A new barrier without a name, for so many parties: see [`new_list`](Self::new_list).
    ///
    /// # Errors
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) for none.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let start = manager.new_barrier(2)?;
    /// assert_eq!(start.status()?.parties, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_barrier(&self, parties: u64) -> L::Wait<'_, ManagerBarrier<L>> {
        self.make_new(Kind::Barrier, || Ok(OpenBarrier { name: None, parties }), ManagerBarrier::new)
    }

    fn make_lock<'a, P: 'a>(
        &'a self,
        mode: LockMode,
        proxy: impl FnOnce(Handle<L>) -> P + Send + 'static,
    ) -> L::Wait<'a, P> {
        self.make_new(Kind::Lock, || Ok(OpenLock { name: None, mode }), proxy)
    }

    /// Makes an object of a kind in the usual way.
    fn open_new<'a, P: 'a>(
        &'a self,
        kind: Kind,
        proxy: impl FnOnce(Handle<L>) -> P + Send + 'static,
    ) -> L::Wait<'a, P> {
        self.make_new(kind, || Ok(Open { name: None, kind }), proxy)
    }

    /// Makes an object without a name, which the session then holds once.
    pub(crate) fn make_new<'a, O, P>(
        &'a self,
        kind: Kind,
        operation: impl FnOnce() -> Result<O>,
        proxy: impl FnOnce(Handle<L>) -> P + Send + 'static,
    ) -> L::Wait<'a, P>
    where
        O: for<'r> Operation<Reply<'r> = ObjectId>,
        P: 'a,
    {
        let epoch = self.link().epoch();
        let manager = Target::new(MANAGER, None, epoch);
        let target = move |answer: Answer<'_>, object| Target::unnamed(object, kind, epoch).held(answer.adopt(object));
        self.make(&manager, operation, target, proxy)
    }
}
