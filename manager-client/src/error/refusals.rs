//! Questions about what the server refused a request for.

use manager_protocol::Code;

use super::Error;

impl Error {
    /// Whether the object, or the name, is of another kind than the proxy.
    #[must_use]
    pub fn is_wrong_kind(&self) -> bool {
        self.code() == Some(Code::WrongKind)
    }

    /// Whether an index was outside of the list.
    #[must_use]
    pub fn is_out_of_range(&self) -> bool {
        self.code() == Some(Code::OutOfRange)
    }

    /// Whether a sum did not fit its type.
    #[must_use]
    pub fn is_overflow(&self) -> bool {
        self.code() == Some(Code::Overflow)
    }

    /// Whether arithmetic was tried on something that is not a number.
    #[must_use]
    pub fn is_not_a_number(&self) -> bool {
        self.code() == Some(Code::NotANumber)
    }

    /// Whether values could not be put in order.
    #[must_use]
    pub fn is_no_order(&self) -> bool {
        self.code() == Some(Code::NoOrder)
    }

    /// Whether a transaction found another version than it expected; nothing was done.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(Code::Conflict)
    }

    /// Whether the object was deleted, or went because nothing referred to it any more.
    #[must_use]
    pub fn is_no_such_object(&self) -> bool {
        self.code() == Some(Code::NoSuchObject)
    }

    /// Whether the server is shutting down.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.code() == Some(Code::ShuttingDown)
    }

    /// Whether a queue had no item in time.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.code() == Some(Code::Empty)
    }

    /// Whether a queue had no room in time.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.code() == Some(Code::Full)
    }

    /// Whether the queue was shut down.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.code() == Some(Code::ShutDown)
    }

    /// Whether something was to be let go, or used, by one who does not hold it.
    #[must_use]
    pub fn is_not_held(&self) -> bool {
        self.code() == Some(Code::NotHeld)
    }

    /// Whether more was given back than was taken.
    #[must_use]
    pub fn is_over_release(&self) -> bool {
        self.code() == Some(Code::OverRelease)
    }

    /// Whether the barrier is broken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.code() == Some(Code::Broken)
    }

    /// Whether waiting would have closed a circle of holders that wait for each other.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        self.code() == Some(Code::Deadlock)
    }

    /// Whether the lease of an item has ended, or never was this session's.
    #[must_use]
    pub fn is_lease_lost(&self) -> bool {
        self.code() == Some(Code::LeaseLost)
    }

    /// Whether the other end of the pipe is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.code() == Some(Code::Closed)
    }

    /// Whether no end of a pipe is on its way under the ticket.
    #[must_use]
    pub fn is_no_such_ticket(&self) -> bool {
        self.code() == Some(Code::NoSuchTicket)
    }

    /// Whether the object exists and is set up otherwise.
    #[must_use]
    pub fn is_wrong_setup(&self) -> bool {
        self.code() == Some(Code::WrongSetup)
    }

    /// Whether what was to be reset is in use.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.code() == Some(Code::InUse)
    }

    /// Whether a reference was to an object of another server, or of an earlier run of this one.
    #[must_use]
    pub fn is_foreign_reference(&self) -> bool {
        self.code() == Some(Code::ForeignReference)
    }

    /// Whether a path did not fit the value: a step, or the operation, is for something else than is there.
    #[must_use]
    pub fn is_path_mismatch(&self) -> bool {
        self.code() == Some(Code::PathMismatch)
    }

    /// Whether no watch of the session has the number: it has ended, perhaps with a session before.
    #[must_use]
    pub fn is_no_such_watch(&self) -> bool {
        self.code() == Some(Code::NoSuchWatch)
    }

    /// Whether the call was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        #[cfg(feature = "process")]
        if self.is_cancelled_task() {
            return true;
        }
        self.code() == Some(Code::Cancelled)
    }
}
