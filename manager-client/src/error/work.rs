//! Questions about errors of tasks, processes and pools.

use super::{Error, Reason};
use crate::process::Exit;
use crate::task::{Fault, Lost, Refusal, TaskError};

impl Error {
    pub(crate) fn work(fault: Fault) -> Self {
        Self::new(Reason::Work(fault))
    }

    fn fault(&self) -> Option<&Fault> {
        if let Reason::Work(fault) = &self.0.reason { Some(fault) } else { None }
    }

    /// Whether a task panicked: [`task_error`](Self::task_error) tells more.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.task_error().is_some()
    }

    /// What is known of the panic of a task in another process: its message, its place, its backtrace.
    #[must_use]
    pub fn task_error(&self) -> Option<&TaskError> {
        if let Fault::Panicked(failure) = self.fault()? { Some(failure) } else { None }
    }

    fn lost(&self) -> Option<&Lost> {
        if let Fault::Lost(lost) = self.fault()? { Some(lost) } else { None }
    }

    /// Whether a function, or a type, is not one of the program's tasks: in this program, in the one that was to
    /// run it, or in every worker of a pool.
    #[must_use]
    pub fn is_unknown_task(&self) -> bool {
        let refused = matches!(self.fault(), Some(Fault::Refused(refusal)) if matches!(refusal, Refusal::Unknown { .. } | Refusal::OtherSignature { .. }));
        refused
            || matches!(self.fault(), Some(Fault::NotATask(_) | Fault::Unserved))
            || self.code() == Some(manager_protocol::Code::UnknownTask)
    }

    /// Whether two tasks of this program have one name.
    #[must_use]
    pub fn is_same_name(&self) -> bool {
        matches!(self.fault(), Some(Fault::SameName(_)))
    }

    /// Whether [`init`](crate::init) was not called.
    #[must_use]
    pub fn is_not_initialised(&self) -> bool {
        matches!(self.fault(), Some(Fault::NotInitialised))
    }

    /// Whether the process that ran a task ended before the task returned: [`pid`](Self::pid),
    /// [`exit_code`](Self::exit_code) and [`attempts`](Self::attempts) tell more.
    #[must_use]
    pub fn is_process_lost(&self) -> bool {
        self.lost().is_some()
    }

    /// The process that ended before its task returned.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.lost().and_then(|lost| lost.pid)
    }

    /// How that process ended: its exit code, or the negative number of the signal that ended it.
    ///
    /// It is not known of a worker that another program keeps, if that program has ended too.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.lost().and_then(|lost| lost.exit).map(Exit::code)
    }

    /// How often the task was begun that was lost with its process.
    #[must_use]
    pub fn attempts(&self) -> Option<u32> {
        self.lost().map(|lost| lost.attempts)
    }

    /// Whether the pool takes no more tasks: it was closed or terminated, or it is broken.
    #[must_use]
    pub fn is_pool_closed(&self) -> bool {
        matches!(self.fault(), Some(Fault::Closed | Fault::Terminated | Fault::Broken(_)))
    }

    /// Whether the pool was terminated before the task was done.
    #[must_use]
    pub fn is_pool_terminated(&self) -> bool {
        matches!(self.fault(), Some(Fault::Terminated))
    }

    /// Whether the pool cannot work, because its workers cannot be started or their initialiser fails.
    #[must_use]
    pub fn is_pool_broken(&self) -> bool {
        matches!(self.fault(), Some(Fault::Broken(_)))
    }

    /// Whether a result was asked for whether it was a success, and is not there yet.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        matches!(self.fault(), Some(Fault::NotReady))
    }

    pub(super) fn is_cancelled_task(&self) -> bool {
        matches!(self.fault(), Some(Fault::Cancelled))
    }

    pub(super) fn is_task_timeout(&self) -> bool {
        matches!(self.fault(), Some(Fault::TimedOut(_)))
    }

    /// Whether something was asked for out of turn: a process that was started twice, or is used before it is
    /// started or after it was closed; a pool that is joined before it is closed.
    #[must_use]
    pub fn is_out_of_turn(&self) -> bool {
        matches!(
            self.fault(),
            Some(
                Fault::AlreadyStarted(_)
                    | Fault::NotStarted(_)
                    | Fault::StillRunning(_)
                    | Fault::ClosedProcess(_)
                    | Fault::NotClosed
            )
        )
    }
}
