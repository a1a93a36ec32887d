//! What makes proxies: a manager opens objects by their names.
//!
//! An object is made if there is none of the name. One that is there is taken as it is, if it is of the
//! kind asked for and set up as asked. Pipes are opened in `pipe::open`, and objects without names made in
//! `open::unnamed`.

mod unnamed;

use std::sync::Arc;

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
use crate::reference::{collect, note_all};
use crate::rlock::ManagerRLock;
use crate::semaphore::{ManagerSemaphore, SemaphoreOptions};
use crate::set::ManagerSet;
use crate::value::ManagerValue;

impl<L: Link> Manager<L> {
    /// The dict with this name, made if there is none.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let ages = manager.dict::<String, u64>("ages")?;
    /// assert!(ages.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn dict<K, V>(&self, name: &str) -> L::Wait<'_, ManagerDict<K, V, L>> {
        self.open(name, || Ok(Open { name: Some(name), kind: Kind::Dict }), |handle| ManagerDict::new(handle))
    }

    /// The list with this name, made if there is none.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let todo = manager.list::<String>("todo")?;
    /// assert!(manager.dict::<String, u64>("todo").is_err_and(|error| error.is_wrong_kind()));
    /// # let _ = todo;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn list<T>(&self, name: &str) -> L::Wait<'_, ManagerList<T, L>> {
        self.open(name, || Ok(Open { name: Some(name), kind: Kind::List }), |handle| ManagerList::new(handle))
    }

    /// The set with this name, made if there is none.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is that of another kind.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let tags = manager.set::<String>("tags")?;
    /// assert!(tags.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn set<T>(&self, name: &str) -> L::Wait<'_, ManagerSet<T, L>> {
        self.open(name, || Ok(Open { name: Some(name), kind: Kind::Set }), |handle| ManagerSet::new(handle))
    }

    /// The value with this name, made if there is none: it then holds what is given here.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is that of another kind.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let progress = manager.value("progress", &0_u64)?;
    /// progress.set(&5)?;
    /// assert_eq!(manager.value("progress", &0_u64)?.get()?, 5);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn value<T: Serialize>(&self, name: &str, initial: &T) -> L::Wait<'_, ManagerValue<T, L>> {
        let initial = Argument::new(initial);
        let operation = || Ok(OpenValue { name: Some(name), initial: initial.get()? });
        self.open(name, operation, |handle| ManagerValue::new(handle))
    }

    /// The array with this name, made if there is none: it then holds the values given here, and never
    /// more or fewer. One that is there keeps its own.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is that of another kind. If it is that of an
    /// array of another length, the error [`is_wrong_setup`](crate::Error::is_wrong_setup).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let grid = manager.array("grid", [0.0; 100])?;
    /// assert_eq!(grid.len()?, 100);
    /// let other = manager.array("grid", [0.0; 99]);
    /// assert!(other.is_err_and(|error| error.is_wrong_setup()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn array<T: Serialize>(
        &self,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) -> L::Wait<'_, ManagerArray<T, L>> {
        let values = Arguments::new::<T, T>(values);
        let operation = || Ok(OpenArray { name: Some(name), values: values.get()? });
        self.open(name, operation, |handle| ManagerArray::new(handle))
    }

    /// The namespace with this name, made if there is none: a dict for values of several types.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is that of something else than a dict.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let settings = manager.namespace("settings")?;
    /// settings.set("columns", &3_u8)?;
    /// assert_eq!(manager.dict::<String, u8>("settings")?.get("columns")?, Some(3));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "Namespace")]
    pub fn namespace(&self, name: &str) -> L::Wait<'_, ManagerNamespace<L>> {
        self.open(name, || Ok(Open { name: Some(name), kind: Kind::Dict }), ManagerNamespace::new)
    }

    /// The queue with this name, however it is set up; if there is none, first in, first out.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let jobs = manager.queue::<String>("jobs")?;
    /// jobs.put("wash")?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("Queue", "JoinableQueue", "SimpleQueue"))]
    pub fn queue<T>(&self, name: &str) -> L::Wait<'_, ManagerQueue<T, L>> {
        self.open(name, || Ok(Open { name: Some(name), kind: Kind::Queue }), |handle| ManagerQueue::new(handle))
    }

    /// The queue with this name, made with these options if there is none.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's,
    /// [`is_wrong_setup`](crate::Error::is_wrong_setup) if the queue is there and set up otherwise,
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) for a capacity of 0, or 0 deliveries.
    ///
    /// ```
    /// use manager_client::QueueOptions;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let jobs = manager.queue_with::<String>("jobs", QueueOptions::new().capacity(10).lifo())?;
    /// jobs.put_many(["wash".to_owned(), "iron".to_owned()])?;
    /// assert_eq!(jobs.get()?, "iron");
    ///
    /// let other = manager.queue_with::<String>("jobs", QueueOptions::new());
    /// assert!(other.is_err_and(|error| error.is_wrong_setup()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("LifoQueue", "PriorityQueue"))]
    pub fn queue_with<T>(&self, name: &str, options: QueueOptions) -> L::Wait<'_, ManagerQueue<T, L>> {
        self.open(name, || Ok(OpenQueue { name: Some(name), setup: options.setup }), |handle| ManagerQueue::new(handle))
    }

    /// The lock with this name, made if there is none: it belongs to whoever acquires it.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's,
    /// [`is_wrong_setup`](crate::Error::is_wrong_setup) if it is another sort of lock.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let lock = manager.lock("report")?;
    /// let _guard = lock.acquire()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("Lock", "Mutex"))]
    pub fn lock(&self, name: &str) -> L::Wait<'_, ManagerLock<L>> {
        self.open(name, || Ok(OpenLock { name: Some(name), mode: LockMode::Owned }), ManagerLock::new)
    }

    /// The lock with this name, made if there is none: it belongs to nobody, and anybody may let it go.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let turn = manager.ownerless_lock("turn")?;
    /// turn.acquire()?;
    /// turn.release()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn ownerless_lock(&self, name: &str) -> L::Wait<'_, OwnerlessLock<L>> {
        self.open(name, || Ok(OpenLock { name: Some(name), mode: LockMode::Ownerless }), OwnerlessLock::new)
    }

    /// The lock with this name, made if there is none: its owner may acquire it again.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let rlock = manager.rlock("settings")?;
    /// let _outer = rlock.acquire()?;
    /// let _inner = rlock.acquire()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "RLock")]
    pub fn rlock(&self, name: &str) -> L::Wait<'_, ManagerRLock<L>> {
        self.open(name, || Ok(OpenLock { name: Some(name), mode: LockMode::Reentrant }), ManagerRLock::new)
    }

    /// The semaphore with this name, made with so many permits if there is none.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's,
    /// [`is_wrong_setup`](crate::Error::is_wrong_setup) if the semaphore is there and was made otherwise.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let downloads = manager.semaphore("downloads", 2)?;
    /// let _permit = downloads.acquire()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "Semaphore")]
    pub fn semaphore(&self, name: &str, permits: u64) -> L::Wait<'_, ManagerSemaphore<L>> {
        self.semaphore_with(name, SemaphoreOptions::new(permits))
    }

    /// As [`semaphore`](Self::semaphore); giving back more permits than were taken is an error.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let seats = manager.bounded_semaphore("seats", 2)?;
    /// assert!(seats.release().is_err_and(|error| error.is_over_release()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "BoundedSemaphore")]
    pub fn bounded_semaphore(&self, name: &str, permits: u64) -> L::Wait<'_, ManagerSemaphore<L>> {
        self.semaphore_with(name, SemaphoreOptions::new(permits).bounded())
    }

    /// As [`semaphore`](Self::semaphore), made with these options.
    ///
    /// ```
    /// use manager_client::SemaphoreOptions;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let seats = manager.semaphore_with("seats", SemaphoreOptions::new(4).ownerless())?;
    /// assert_eq!(seats.status()?.available, 4);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn semaphore_with(&self, name: &str, options: SemaphoreOptions) -> L::Wait<'_, ManagerSemaphore<L>> {
        self.open(name, || Ok(OpenSemaphore { name: Some(name), setup: options.setup }), ManagerSemaphore::new)
    }

    /// The event with this name, made if there is none: not set.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let ready = manager.event("ready")?;
    /// assert!(!ready.is_set()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "Event")]
    pub fn event(&self, name: &str) -> L::Wait<'_, ManagerEvent<L>> {
        self.open(name, || Ok(Open { name: Some(name), kind: Kind::Event }), ManagerEvent::new)
    }

    /// The condition with this name, made if there is none. It has a lock of its own.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let changed = manager.condition("changed")?;
    /// changed.acquire()?.notify_all()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("Condition", "Condvar"))]
    pub fn condition(&self, name: &str) -> L::Wait<'_, ManagerCondition<L>> {
        self.open(name, || Ok(Open { name: Some(name), kind: Kind::Condition }), ManagerCondition::new)
    }

    /// The barrier with this name, made for so many parties if there is none.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's,
    /// [`is_wrong_setup`](crate::Error::is_wrong_setup) if the barrier is there for another number of parties,
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) for none.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let start = manager.barrier("start", 2)?;
    /// assert_eq!(start.status()?.parties, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "Barrier")]
    pub fn barrier(&self, name: &str, parties: u64) -> L::Wait<'_, ManagerBarrier<L>> {
        self.open(name, || Ok(OpenBarrier { name: Some(name), parties }), ManagerBarrier::new)
    }

    /// Opens an object by the operation that makes it if need be.
    pub(crate) fn open<'a, O, P>(
        &'a self,
        name: &str,
        operation: impl FnOnce() -> Result<O>,
        proxy: impl FnOnce(Handle<L>) -> P + Send + 'static,
    ) -> L::Wait<'a, P>
    where
        O: for<'r> Operation<Reply<'r> = ObjectId>,
        P: 'a,
    {
        let (epoch, name) = (self.link().epoch(), Arc::<str>::from(name));
        let manager = Target::new(MANAGER, Some(name.clone()), epoch);
        self.make(&manager, operation, move |_, object| Target::new(object, Some(name), epoch), proxy)
    }

    /// Carries out the operation that makes an object, unless an argument of it is in error.
    fn make<'a, O, P>(
        &'a self,
        manager: &Target,
        operation: impl FnOnce() -> Result<O>,
        target: impl FnOnce(Answer<'_>, ObjectId) -> Target + Send + 'static,
        proxy: impl FnOnce(Handle<L>) -> P + Send + 'static,
    ) -> L::Wait<'a, P>
    where
        O: for<'r> Operation<Reply<'r> = ObjectId>,
        P: 'a,
    {
        let (operation, needed) = match collect(operation) {
            (Ok(operation), needed) => (operation, needed),
            (Err(error), _) => return self.link().fail(error.during(O::ROW, manager)),
        };
        let link = self.link().clone();
        let encode = |out: &mut Vec<u8>| {
            note_all(&needed);
            operation.encode(out);
        };
        self.link().call(manager, O::ROW, encode, move |answer| {
            let object = answer.reply::<O>()?;
            Ok(proxy(Handle { link, target: target(answer, object) }))
        })
    }
}
