//! What a pool is to be like.

use serde::Serialize;

use super::Pool;
use super::crew::Orders;
use super::member::Member;
use super::office::{Office, Role};
use super::proxy::PoolProxy;
use crate::argument::Argument;
use crate::error::{Error, Result};
use crate::manager::Manager;
use crate::task::{Fault, Named, Task, name_of_function, numbers};

/// What a pool is to be like. Made by [`Pool::builder`].
///
/// ```
/// use manager_client::{Pool, task};
///
/// #[task]
/// fn prepare(directory: String) {
///     std::env::set_current_dir(directory).expect("there is such a directory");
/// }
///
/// #[task]
/// fn size_of(file: String) -> u64 {
///     std::fs::metadata(file).map_or(0, |file| file.len())
/// }
///
/// fn main() -> Result<(), manager_client::Error> {
///     manager_client::init();
///     let pool = Pool::builder().workers(2).initializer(prepare, ("/etc".to_owned(),)).start()?;
///     assert!(pool.apply(size_of, ("passwd".to_owned(),))? > 0);
///     Ok(())
/// }
/// ```
#[must_use = "a pool begins when it is started"]
#[derive(Default)]
pub struct PoolBuilder {
    workers: Option<usize>,
    manager: Option<Manager>,
    name: Option<String>,
    initializer: Option<(Result<Named, Fault>, Argument)>,
    max_tasks: Option<u64>,
}

impl PoolBuilder {
    /// How many worker processes there are to be; else as many as the machine runs threads at once.
    #[doc(alias = "processes")]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The server that the pool is to be in; else a private one is started. Proxies of it can be among the
    /// arguments and the results.
    pub fn manager(mut self, manager: &Manager) -> Self {
        self.manager = Some(manager.clone());
        self
    }

    /// The name by which other programs find the pool: see [`Manager::open_pool`] and [`Manager::serve_pool`].
    ///
    /// If there is a pool of the name already, which others use, this one brings its workers into that, and takes
    /// them with it when it ends.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What each worker is to run before its first task: a function with the attribute
    /// [`#[task]`](macro@crate::task), and its arguments.
    ///
    /// If it panics, or returns an `Err`, the worker is replaced; if that happens again and again, the pool is
    /// [broken](Error::is_pool_broken) and tells why to everybody who waits for a result.
    #[doc(alias = "initargs")]
    pub fn initializer<Arguments, F>(mut self, _task: F, arguments: Arguments) -> Self
    where
        F: Task<Arguments>,
        Arguments: Serialize,
    {
        self.initializer = Some((name_of_function::<F>(), Argument::new(&arguments)));
        self
    }

    /// After so many tasks a worker ends and another takes its place. The calls that
    /// [`map`](Pool::map) puts together count as one.
    #[doc(alias = "maxtasksperchild")]
    pub fn max_tasks_per_child(mut self, tasks: u64) -> Self {
        self.max_tasks = Some(tasks.max(1));
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// [`is_invalid_argument`](Error::is_invalid_argument) for 0 workers;
    /// [`is_not_initialised`](Error::is_not_initialised) if [`init`](crate::init) was not called;
    /// [`is_unknown_task`](Error::is_unknown_task) if the initializer has no `#[task]`;
    /// [`is_same_name`](Error::is_same_name) if two tasks of the program have one name; if the system cannot start
    /// a process, or the server cannot be reached.
    pub fn start(self) -> Result<Pool> {
        let Self { workers, manager, name, initializer, max_tasks } = self;
        let size = workers.unwrap_or_else(machine);
        if size == 0 {
            return Err(Error::work(Fault::NoWorkers));
        }
        let tasks = numbers().map_err(Error::work)?;
        let initializer = match initializer {
            Some((task, arguments)) => {
                arguments.get()?;
                Some((task.map_err(Error::work)?, arguments))
            }
            None => None,
        };
        let manager = match manager {
            Some(manager) => manager,
            None => private()?,
        };
        let (proxy, is_owner) = open(&manager, name.as_deref())?;
        let member = Member::enter(proxy)?;
        let orders = Orders { size, socket: manager.socket().to_owned(), tasks, initializer, max_tasks };
        Office::open(manager, member, Role::Keeper { orders, name, is_owner }).map(Pool::new_of)
    }
}

/// The pool of a name, or one without; and whether nobody else uses it.
fn open(manager: &Manager, name: Option<&str>) -> Result<(PoolProxy, bool)> {
    let proxy = PoolProxy::open(manager, name)?;
    let Some(name) = name else { return Ok((proxy, true)) };
    let status = proxy.status()?;
    let is_used = status.members > 0 || !status.workers.is_empty();
    if status.closed && !is_used {
        // Left behind by somebody who was killed.
        manager.delete(name)?;
        return Ok((PoolProxy::open(manager, Some(name))?, true));
    }
    Ok((proxy, !is_used))
}

/// As many workers as the machine runs threads at once.
pub(super) fn machine() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(feature = "embedded")]
fn private() -> Result<Manager> {
    Manager::start()
}

#[cfg(not(feature = "embedded"))]
fn private() -> Result<Manager> {
    Manager::from_env()
}

impl std::fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { workers, name, .. } = self;
        f.debug_struct("PoolBuilder").field("workers", workers).field("name", name).finish_non_exhaustive()
    }
}

/// # Pools
impl Manager {
    /// A pool of so many worker processes, which is an object of this server: see [`Pool`].
    ///
    /// ```
    /// use manager_client::{Manager, ManagerDict, task};
    ///
    /// #[task]
    /// fn count(hits: ManagerDict<String, u64>, page: String) {
    ///     hits.add(&page, 1).expect("the server answers");
    /// }
    ///
    /// fn main() -> Result<(), manager_client::Error> {
    ///     manager_client::init();
    ///     let manager = Manager::start()?;
    ///     let hits = manager.new_dict::<String, u64>()?;
    ///     let pool = manager.pool(2)?;
    ///     pool.starmap(count, ["a", "b", "a"].map(|page| (hits.clone(), page.to_owned())))?;
    ///     assert_eq!(hits.get("a")?, Some(2));
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`PoolBuilder::start`].
    #[doc(alias = "Pool")]
    pub fn pool(&self, workers: usize) -> Result<Pool> {
        Pool::builder().workers(workers).manager(self).start()
    }

    /// A handle of the pool with this name, which other programs keep: what is submitted is done by their workers.
    ///
    /// [`close`](Pool::close) and [`terminate`](Pool::terminate) are of the whole pool. When the last clone of the
    /// handle is dropped, what it has submitted is cancelled, unless a worker has it; the pool goes on.
    ///
    /// ```no_run
    /// # #[manager_client::task] fn square(x: i64) -> i64 { x * x }
    /// let manager = manager_client::Manager::connect_default()?;
    /// let pool = manager.open_pool("thumbs")?;
    /// assert_eq!(pool.apply(square, (3,))?, 9);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_wrong_kind`](Error::is_wrong_kind) if the name is another object's. If there is no pool of the name it
    /// is made, and has no workers: what is submitted is [`is_unknown_task`](Error::is_unknown_task).
    pub fn open_pool(&self, name: &str) -> Result<Pool> {
        let member = Member::enter(PoolProxy::open(self, Some(name))?)?;
        Office::open(self.clone(), member, Role::Guest).map(Pool::new_of)
    }
}
