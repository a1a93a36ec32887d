//! What was taken from an object, and goes back when it is dropped: the inside of guards and leases.

use std::fmt;

use manager_protocol::Operation;

use crate::calls::Raw;
use crate::error::{Error, Reason, Result};
use crate::handle::Handle;
use crate::link::DirectLink;

/// The right to something, which an operation gives back.
///
/// The object knows it by a number: the holder of a lock, the number of a lease.
pub(crate) struct Held<L: DirectLink, O: Operation + 'static> {
    handle: Handle<L>,
    number: u64,
    /// The operation by which it goes back.
    back: fn(u64) -> O,
    is_held: bool,
    /// The session that has the right. A fork copies what is in memory, but not the right.
    era: u64,
}

impl<L: DirectLink, O: Operation + 'static> Held<L, O> {
    pub(crate) fn new(handle: &Handle<L>, number: u64, back: fn(u64) -> O) -> Self {
        Self { handle: handle.clone(), number, back, is_held: true, era: handle.link.era() }
    }

    pub(crate) fn handle(&self) -> &Handle<L> {
        &self.handle
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Does not give it back.
    pub(crate) fn forget(mut self) {
        self.is_held = false;
    }

    /// Gives it back, and tells what came of that. Once begun that goes on without who began it: sent twice,
    /// the operation might give back something else.
    pub(crate) fn give_back<'a>(self) -> L::Wait<'a, ()> {
        let mut arguments = Vec::new();
        (self.back)(self.number).encode(&mut arguments);
        L::run(async move {
            // All of it: a block would capture a copy of the one field, and drop the rest elsewhere.
            let mut held = self;
            held.check_era::<O>()?;
            held.is_held = false;
            let Handle { link, target } = &held.handle;
            link.insist(target, O::ROW, |out| out.extend_from_slice(&arguments)).await
        })
    }

    /// Ends the right by another operation. If that is dropped on its way, sent or not, the right goes back.
    pub(crate) fn end_with<'a, P, T>(
        self,
        operation: P,
        decode: impl for<'r> FnOnce(P::Reply<'r>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T>
    where
        P: Operation,
        T: 'a,
    {
        let mut arguments = Vec::new();
        operation.encode(&mut arguments);
        L::run(async move {
            // All of it, as above.
            let mut held = self;
            held.check_era::<P>()?;
            let Handle { link, target } = &held.handle;
            let encode = |out: &mut Vec<u8>| out.extend_from_slice(&arguments);
            let answered = L::future(link.call(target, P::ROW, encode, |answer| Ok(Raw::from(answer)))).await;
            let outcome = answered.and_then(|raw| raw.read::<P, T>(decode));
            let outcome = outcome.map_err(|error| error.during(P::ROW, target));
            held.is_held = false;
            outcome
        })
    }

    /// Fails if the session that has the right is no more.
    fn check_era<P: Operation>(&self) -> Result<()> {
        let Handle { link, target } = &self.handle;
        if self.era == link.era() { Ok(()) } else { Err(Error::new(Reason::SessionExpired).during(P::ROW, target)) }
    }
}

impl<L: DirectLink, O: Operation + 'static> Drop for Held<L, O> {
    fn drop(&mut self) {
        let Handle { link, target } = &self.handle;
        if self.is_held && self.era == link.era() {
            let operation = (self.back)(self.number);
            link.detach(target, O::ROW, |out| operation.encode(out));
        }
    }
}

impl<L: DirectLink, O: Operation + 'static> fmt::Debug for Held<L, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.handle.target.label()).field(&self.number).finish()
    }
}
