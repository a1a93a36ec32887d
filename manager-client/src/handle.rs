//! What every proxy holds: a link and the object at its end.

use std::future::Future;
use std::time::Duration;

use manager_protocol::{ObjectId, Operation};

use crate::argument::cannot_decode;
use crate::calls::Raw;
use crate::error::{Error, Reason, Result};
use crate::link::{Answer, DirectLink, Link, Target, WaitingLink};
#[cfg(feature = "process")]
use crate::reference::keep;
use crate::reference::{collect, note, note_all};

/// An object as seen through a link.
#[derive(Debug, Clone)]
pub(crate) struct Handle<L> {
    pub(crate) link: L,
    pub(crate) target: Target,
}

impl<L: Link> Handle<L> {
    /// Sends one operation, unless an argument of it is in error.
    ///
    /// What it refers to is held until it has been carried out.
    pub(crate) fn call<'a, O, T>(
        &'a self,
        operation: impl FnOnce() -> Result<O>,
        decode: impl for<'r> FnOnce(O::Reply<'r>) -> manager_protocol::Result<T> + Send + 'static,
    ) -> L::Wait<'a, T>
    where
        O: Operation,
        T: 'a,
    {
        match collect(operation) {
            (Ok(operation), needed) => self.link.call(
                &self.target,
                O::ROW,
                |out| {
                    note_all(&needed);
                    operation.encode(out);
                },
                |answer| answer.read::<O, T>(|reply| decode(reply).map_err(cannot_decode)),
            ),
            (Err(error), _) => self.link.fail(error.during(O::ROW, &self.target)),
        }
    }

    /// Notes that what is being encoded needs the object, if it has to be held.
    pub(crate) fn note(&self) {
        if let Some(hold) = self.target.hold() {
            note(hold);
            #[cfg(feature = "process")]
            keep(hold, &self.link);
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.target.name().map(|name| &**name)
    }

    /// The number of another object, which must belong to the same server.
    pub(crate) fn source(&self, other: &Target) -> Result<ObjectId> {
        if other.epoch() == self.target.epoch() { Ok(other.object()) } else { Err(Error::new(Reason::OtherServer)) }
    }

    pub(crate) fn over<M>(&self, link: M) -> Handle<M> {
        Handle { link, target: self.target.clone() }
    }
}

impl<L: DirectLink> Handle<L> {
    /// Sends one operation and keeps its reply undecoded, for methods made of several calls.
    pub(crate) fn raw<'a, O: Operation>(
        &'a self,
        operation: O,
    ) -> impl Future<Output = Result<Raw>> + Send + use<'a, O, L> {
        let encode = |out: &mut Vec<u8>| operation.encode(out);
        L::future(self.link.call(&self.target, O::ROW, encode, |answer| Ok(Raw::from(answer))))
    }

    /// The same object with another time that a call may take.
    pub(crate) fn with_timeout(&self, timeout: Duration) -> Self {
        self.over(self.link.with_timeout(timeout))
    }
}

impl<L: WaitingLink> Handle<L> {
    /// Sends one operation that may wait so long, unless an argument of it is in error.
    ///
    /// `operation` is told the limit as the wire has it.
    pub(crate) fn waiting<'a, O, T>(
        &'a self,
        wait: Duration,
        operation: impl FnOnce(Option<i64>) -> Result<O>,
        decode: impl for<'r> FnOnce(O::Reply<'r>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T>
    where
        O: Operation,
        T: 'a,
    {
        self.waiting_and(wait, MARGIN, operation, decode)
    }

    /// As [`waiting`](Self::waiting), for an operation that takes so much longer than it waits.
    pub(crate) fn waiting_and<'a, O, T>(
        &'a self,
        wait: Duration,
        longer: Duration,
        operation: impl FnOnce(Option<i64>) -> Result<O>,
        decode: impl for<'r> FnOnce(O::Reply<'r>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T>
    where
        O: Operation,
        T: 'a,
    {
        let mut arguments = Vec::new();
        let needed = match collect(|| operation(milliseconds(wait))) {
            (Ok(operation), needed) => {
                operation.encode(&mut arguments);
                needed
            }
            (Err(error), _) => return self.link.fail(error.during(O::ROW, &self.target)),
        };
        // The server is to say that the time is over: it knows what became of the wait.
        let decode = |answer: Answer<'_>| {
            // Until here what it refers to was held.
            drop(needed);
            answer.read::<O, T>(decode)
        };
        self.link.call_within(wait.saturating_add(longer), &self.target, O::ROW, arguments, decode)
    }
}

/// A limit on waiting as the wire has it, rounded up; [`Duration::MAX`] is none.
pub(crate) fn milliseconds(wait: Duration) -> Option<i64> {
    let whole = || i64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
    (wait != Duration::MAX).then(whole)
}

/// What a wait ends with that was not over in time, where that is an error.
pub(crate) fn late(wait: Duration) -> Error {
    Error::new(Reason::NotInTime(wait))
}

/// How much longer than it waits a call may take.
pub(crate) const MARGIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_milliseconds() {
        assert_eq!(milliseconds(Duration::ZERO), Some(0));
        assert_eq!(milliseconds(Duration::from_nanos(1)), Some(1));
        assert_eq!(milliseconds(Duration::from_millis(1500)), Some(1500));
        assert_eq!(milliseconds(Duration::MAX), None);
        assert_eq!(milliseconds(Duration::MAX - Duration::from_nanos(1)), Some(i64::MAX));
    }
}
