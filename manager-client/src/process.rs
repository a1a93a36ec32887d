//! Processes: tasks that run in processes of their own, as children of this one.
//!
//! A child is this program, run again (`birth`); it begins in `init` (`entry`, `child`) and is kept by a thread
//! of its parent (`keeper`). They talk over a socket pair (`lifeline`), never through the server.

mod birth;
mod child;
mod entry;
mod exit;
mod family;
mod keeper;
mod lifeline;
mod members;
mod of_manager;
mod settings;
mod signals;
mod system;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use manager_protocol::may_have_references;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::birth::{Birth, cannot_start};
pub use self::child::{Current, current_process};
#[doc(hidden)]
pub use self::entry::TestEntry;
pub use self::entry::{init, init_keeping_signals};
pub(crate) use self::exit::Exit;
pub(crate) use self::family::end as end_children;
#[cfg(feature = "embedded")]
pub(crate) use self::family::prepare;
pub use self::keeper::CapturedOutput;
pub(crate) use self::keeper::{Child, News};
pub(crate) use self::lifeline::{Report, Work};
pub(crate) use self::system::process_id;
use crate::argument::Argument;
use crate::error::{Error, Result};
use crate::manager::Manager;
use crate::reference::Kept;
use crate::task::{Call, Fault, Lost, Named, Outcome, Run, Task, name_of_function, name_of_value};

/// A task that runs in a process of its own.
///
/// It is made, then [started](Self::start), then [joined](Self::join), which gives what the task returned. A panic
/// of the task is an error that tells its message, place and backtrace; so is a process that is killed.
///
/// A child ends when this process ends, however that does: at an ordinary exit this process waits for its
/// children, and [daemons](Self::as_daemon) are ended; if it is killed, they end at once. Only a
/// [detached](Self::detached) one goes on. Dropping this value does nothing to the process.
///
/// The program's `main` must begin with [`init`].
///
/// ```
/// use manager_client::{Process, task};
///
/// #[task]
/// fn greet(name: &str) -> String {
///     format!("hello, {name}")
/// }
///
/// fn main() -> Result<(), manager_client::Error> {
///     manager_client::init();
///     let process = Process::new(greet, ("ann",));
///     process.start()?;
///     assert_eq!(process.join()?, "hello, ann");
///     assert_eq!(process.exit_code(), Some(0));
///     Ok(())
/// }
/// ```
#[doc(alias = "multiprocessing.Process")]
pub struct Process<R> {
    birth: Birth,
    task: Result<Named, Fault>,
    /// What it refers to is held for as long as this is there.
    arguments: Argument,
    /// The server of the objects among the arguments.
    manager: Option<Manager>,
    starting: AtomicBool,
    closed: AtomicBool,
    child: OnceLock<Arc<Child>>,
    outcome: Arc<Mutex<Option<Told>>>,
    returned: PhantomData<fn() -> R>,
}

/// What the child told of its task.
enum Told {
    /// An outcome without references, and the encoded report that it is in.
    Plain(Vec<u8>),
    /// What the task returned, with what keeps the objects that it refers to.
    Kept(Result<Kept>),
}

impl<R> Process<R> {
    /// A process that is to run a function with arguments: a tuple, such as `(1, "a")`, `("a",)` or `()`.
    ///
    /// It is not started, and nothing is checked yet. If there are proxies among the arguments, use
    /// [`Manager::process`].
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     name.into()
    /// # }
    /// let process = Process::new(greet, ("ann",));
    /// assert_eq!(process.exit_code(), None);
    /// ```
    pub fn new<Arguments, F>(_task: F, arguments: Arguments) -> Self
    where
        F: Task<Arguments, Output = R>,
        Arguments: Serialize,
    {
        Self::of(name_of_function::<F>(), &arguments, None)
    }

    /// A process that is to run a value: the counterpart of a subclass.
    ///
    /// It is not started, and nothing is checked yet. If there are proxies in the value, use
    /// [`Manager::process_of`].
    ///
    /// ```
    /// # use manager_client::{Process, Run, task};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize)]
    /// struct Greeting(String);
    ///
    /// #[task]
    /// impl Run for Greeting {
    ///     type Output = ();
    ///
    ///     fn run(self) {
    ///         println!("hello, {}", self.0);
    ///     }
    /// }
    ///
    /// let process = Process::of_value(Greeting("ann".into()));
    /// assert!(!process.is_alive());
    /// ```
    pub fn of_value<T: Run<Output = R>>(value: T) -> Self {
        Self::of(name_of_value::<T>(), &value, None)
    }

    fn of<T: Serialize>(task: Result<Named, Fault>, arguments: &T, manager: Option<Manager>) -> Self {
        static CHILDREN: AtomicU64 = AtomicU64::new(0);
        let number = CHILDREN.fetch_add(1, Ordering::Relaxed) + 1;
        let birth = Birth {
            name: child::name_of_child(number),
            socket: manager.as_ref().map(|manager| manager.socket().to_owned()),
            ..Birth::default()
        };
        Self {
            birth,
            task,
            arguments: Argument::new(arguments),
            manager,
            starting: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            child: OnceLock::new(),
            outcome: Arc::default(),
            returned: PhantomData,
        }
    }

    /// Starts the process.
    ///
    /// # Errors
    /// [`is_out_of_turn`](Error::is_out_of_turn) if it was started before;
    /// [`is_not_initialised`](Error::is_not_initialised) if [`init`] was not called;
    /// [`is_unknown_task`](Error::is_unknown_task) if the function has no `#[task]`;
    /// [`is_same_name`](Error::is_same_name) if another task has its name; if an argument cannot be encoded; if the
    /// system cannot start a process.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let process = Process::new(greet, ("ann",));
    /// process.start()?;
    /// assert!(process.start().is_err_and(|error| error.is_out_of_turn()));
    /// # process.join()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn start(&self) -> Result<()> {
        self.check_open()?;
        if self.starting.swap(true, Ordering::AcqRel) {
            return Err(Error::work(Fault::AlreadyStarted(self.birth.name.clone())));
        }
        let child = self.begin().inspect_err(|_| self.starting.store(false, Ordering::Release))?;
        let first = self.child.set(child).is_ok();
        debug_assert!(first, "only one thread comes here");
        Ok(())
    }

    fn begin(&self) -> Result<Arc<Child>> {
        let task = self.task.clone().map_err(Error::work)?;
        let arguments = self.arguments.get()?;
        if self.manager.is_none() && may_have_references(arguments.as_slice()) {
            return Err(Error::work(Fault::NoManager));
        }
        let (outcome, manager) = (Arc::clone(&self.outcome), self.manager.clone());
        let listener = move |news: News<'_>| match news {
            News::Report(report) => {
                let told = Told::of(report, manager.as_ref());
                let has_references = matches!(told, Some(Told::Kept(_)));
                *outcome.lock().unwrap_or_else(PoisonError::into_inner) = told;
                has_references
            }
            News::Ended(_) => false,
        };
        self.birth.start(Work::Task(Call { task, arguments }), Box::new(listener))
    }

    /// Waits until the process has ended, and gives what its task returned; also again and again.
    ///
    /// # Blocks
    /// For as long as the process runs.
    ///
    /// # Errors
    /// [`is_panic`](Error::is_panic) if the task panicked; [`is_process_lost`](Error::is_process_lost) if the process
    /// ended before the task returned, with its [`exit_code`](Error::exit_code); [`is_out_of_turn`](Error::is_out_of_turn)
    /// if it was not started, or was closed; if the child's program has another task of this name.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// let process = Process::new(greet, ("ann",));
    /// process.start()?;
    /// assert_eq!(process.join()?, "hello, ann");
    /// # Ok(())
    /// # }
    /// ```
    pub fn join(&self) -> Result<R>
    where
        R: DeserializeOwned,
    {
        let child = self.started()?;
        let exit = child.wait(None).expect("a wait without a deadline ends with the process");
        self.read(child, exit)
    }

    /// As [`join`](Self::join), for so long at most: `None` if the process is still running then.
    ///
    /// # Blocks
    /// For the time given at most.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn greet(name: &str) -> String {
    /// #     println!("greeting {name}");
    /// #     format!("hello, {name}")
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// use std::time::Duration;
    ///
    /// # let process = Process::new(greet, ("ann",));
    /// # process.start()?;
    /// if let Some(returned) = process.join_timeout(Duration::from_secs(10))? {
    ///     assert_eq!(returned, "hello, ann");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn join_timeout(&self, timeout: Duration) -> Result<Option<R>>
    where
        R: DeserializeOwned,
    {
        let child = self.started()?;
        match child.wait(Instant::now().checked_add(timeout)) {
            Some(exit) => self.read(child, exit).map(Some),
            None => Ok(None),
        }
    }

    /// As [`join`](Self::join), for async code of any runtime.
    ///
    /// ```no_run
    /// # async fn example(process: manager_client::Process<u64>) -> Result<(), manager_client::Error> {
    /// let returned = process.joined().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn joined(&self) -> Joined<'_, R> {
        Joined { process: self }
    }

    fn read(&self, child: &Child, exit: Exit) -> Result<R>
    where
        R: DeserializeOwned,
    {
        match &*self.outcome.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Told::Plain(report)) => outcome_of(report)
                .expect("it was judged when it came")
                .read(|value| value.decode().map_err(crate::argument::cannot_decode)),
            Some(Told::Kept(kept)) => kept.as_ref().map_err(Clone::clone)?.decode(),
            None => Err(Error::work(Fault::Lost(Lost { pid: Some(child.pid()), exit: Some(exit), attempts: 1 }))),
        }
    }

    fn started(&self) -> Result<&Arc<Child>> {
        self.check_open()?;
        self.child.get().ok_or_else(|| Error::work(Fault::NotStarted(self.birth.name.clone())))
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::work(Fault::ClosedProcess(self.birth.name.clone())));
        }
        Ok(())
    }
}

impl Told {
    /// What a report is, if it is one of a task.
    fn of(report: &[u8], manager: Option<&Manager>) -> Option<Self> {
        let outcome = outcome_of(report)?;
        let value = match &outcome {
            Outcome::Returned(value) | Outcome::ReturnedError(value) => Some(value),
            Outcome::Panicked(_) | Outcome::Refused(_) => None,
        };
        match (value.filter(|value| may_have_references(value.as_slice())), manager) {
            (Some(value), Some(manager)) => Some(Self::Kept(Kept::received(value, manager))),
            (Some(_), None) | (None, _) => Some(Self::Plain(report.to_vec())),
        }
    }
}

fn outcome_of(report: &[u8]) -> Option<Outcome<'_>> {
    match rmp_serde::from_slice(report).ok()? {
        Report::Done(outcome) => Some(outcome),
        Report::Ready | Report::Unable(_) | Report::Retired | Report::Dismissed => None,
    }
}

impl<R> fmt::Debug for Process<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Process");
        shown.field("name", &self.name()).field("pid", &self.pid()).field("exit_code", &self.exit_code());
        shown.finish_non_exhaustive()
    }
}

/// What [`Process::joined`] waits for.
#[derive(Debug)]
pub struct Joined<'a, R> {
    process: &'a Process<R>,
}

impl<R: DeserializeOwned> Future for Joined<'_, R> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        let child = match self.process.started() {
            Ok(child) => child,
            Err(error) => return Poll::Ready(Err(error)),
        };
        match child.poll_exit(context.waker()) {
            Some(exit) => Poll::Ready(self.process.read(child, exit)),
            None => Poll::Pending,
        }
    }
}
