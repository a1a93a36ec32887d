//! What every proxy holds: a link and the object at its end.

use std::future::Future;
use std::sync::Arc;

use manager_protocol::{ObjectId, Operation};

use crate::argument::cannot_decode;
use crate::calls::Raw;
use crate::error::{Error, Reason, Result};
use crate::link::{DirectLink, Link, Target};

/// An object as seen through a link.
#[derive(Debug, Clone)]
pub(crate) struct Handle<L> {
    pub(crate) link: L,
    pub(crate) target: Target,
}

impl<L: Link> Handle<L> {
    /// Sends one operation, unless an argument of it is in error.
    pub(crate) fn call<'a, O, T>(
        &'a self,
        operation: impl FnOnce() -> Result<O>,
        decode: impl for<'r> FnOnce(O::Reply<'r>) -> manager_protocol::Result<T> + Send + 'static,
    ) -> L::Wait<'a, T>
    where
        O: Operation,
        T: 'a,
    {
        match operation() {
            Ok(operation) => self.link.call(
                &self.target,
                O::ROW,
                |out| operation.encode(out),
                move |answer| decode(answer.reply::<O>()?).map_err(cannot_decode),
            ),
            Err(error) => self.link.fail(error.during(O::ROW, &self.target)),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        self.target.name().expect("proxies are made for objects with names")
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
    pub(crate) fn with_timeout(&self, timeout: std::time::Duration) -> Self {
        self.over(self.link.with_timeout(timeout))
    }
}
