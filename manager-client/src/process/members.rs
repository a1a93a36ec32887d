//! What there is to know of a process, and how it is ended.

use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering;

use rustix::process::Signal;

use super::{CapturedOutput, Exit, Process};
use crate::error::{Error, Result};
use crate::task::Fault;

/// # What there is to know of it
impl<R> Process<R> {
    /// Whether the process was started and has not ended.
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
    /// # let process = Process::new(greet, ("ann",));
    /// process.start()?;
    /// process.join()?;
    /// assert!(!process.is_alive());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.child.get().is_some_and(|child| child.exit().is_none())
    }

    /// Asks the process to end, with SIGTERM. It does nothing to one that has ended.
    ///
    /// # Errors
    /// [`is_out_of_turn`](Error::is_out_of_turn) if the process was not started, or was closed.
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn wait() {
    /// #     std::thread::park();
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let process = Process::new(wait, ());
    /// process.start()?;
    /// process.terminate()?;
    /// let error = process.join().unwrap_err();
    /// assert_eq!(error.exit_code(), Some(-15));
    /// # Ok(())
    /// # }
    /// ```
    pub fn terminate(&self) -> Result<()> {
        self.started()?.signal(Signal::TERM);
        Ok(())
    }

    /// Ends the process at once, with SIGKILL. It does nothing to one that has ended.
    ///
    /// # Errors
    /// As [`terminate`](Self::terminate).
    ///
    /// ```
    /// # use manager_client::{Process, task};
    /// # #[task]
    /// # fn wait() {
    /// #     std::thread::park();
    /// # }
    /// # fn main() -> Result<(), manager_client::Error> {
    /// # manager_client::init();
    /// # let process = Process::new(wait, ());
    /// process.start()?;
    /// process.kill()?;
    /// let error = process.join().unwrap_err();
    /// assert_eq!(error.exit_code(), Some(-9));
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill(&self) -> Result<()> {
        self.started()?.signal(Signal::KILL);
        Ok(())
    }

    /// Says that nothing more is wanted of the process: every later call fails.
    ///
    /// # Errors
    /// [`is_out_of_turn`](Error::is_out_of_turn) if it is still running.
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
    /// # let process = Process::new(greet, ("ann",));
    /// # process.start()?;
    /// process.join()?;
    /// process.close()?;
    /// assert!(process.join().is_err_and(|error| error.is_out_of_turn()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) -> Result<()> {
        if self.is_alive() {
            return Err(Error::work(Fault::StillRunning(self.birth.name.clone())));
        }
        self.closed.store(true, Ordering::Release);
        Ok(())
    }

    /// How the process ended: its exit code, or the negative number of the signal that ended it; `None` if it has
    /// not.
    ///
    /// A task that returned leaves 0, one that returned an `Err` 1, one that panicked 101.
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
    /// # let process = Process::new(greet, ("ann",));
    /// assert_eq!(process.exit_code(), None);
    /// process.start()?;
    /// process.join()?;
    /// assert_eq!(process.exit_code(), Some(0));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "exitcode")]
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.child.get()?.exit().map(Exit::code)
    }

    /// The process's name.
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
    /// assert!(process.name().starts_with("Process-"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.birth.name
    }

    /// The number of the process, once it was started.
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
    /// # let process = Process::new(greet, ("ann",));
    /// process.start()?;
    /// assert_ne!(process.pid(), Some(std::process::id()));
    /// # process.join()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ident")]
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.get().map(|child| child.pid())
    }

    /// Whether it is ended when this process exits.
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
    /// # let process = Process::new(greet, ("ann",));
    /// assert!(!process.is_daemon());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "daemon")]
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.birth.daemon
    }

    /// A descriptor that becomes readable when the process ends, for `poll` and the like.
    ///
    /// # Errors
    /// As [`terminate`](Self::terminate).
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
    /// # let process = Process::new(greet, ("ann",));
    /// process.start()?;
    /// let ended = process.sentinel()?; // for `poll`, `epoll`, `AsyncFd`, …
    /// # let _ = ended;
    /// process.join()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn sentinel(&self) -> Result<BorrowedFd<'_>> {
        self.started().map(|child| child.sentinel())
    }

    /// What the process has written so far, if that [is captured](Self::with_captured_output); else nothing.
    ///
    /// # Errors
    /// As [`terminate`](Self::terminate).
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
    /// # let process = Process::new(greet, ("ann",)).with_captured_output();
    /// process.start()?;
    /// process.join()?;
    /// assert_eq!(process.output()?.stdout, b"greeting ann\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn output(&self) -> Result<CapturedOutput> {
        self.started().map(|child| child.output())
    }
}
