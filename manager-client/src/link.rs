//! How calls travel: every proxy method goes through a [`Link`], and a link decides how one waits.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use manager_protocol::{Decode, Decoder, Kind, ObjectId, Operation, Row, kind_name, may_have_references};

use crate::calls::{Calls, Outcomes, Raw};
use crate::error::{Error, Reason, Result};
use crate::reference::{Hold, Origin, Reference, within};

/// A way for calls to reach objects.
///
/// Proxies are written once over it. The library has a blocking and an async link to a server, and
/// links that queue; a test can write one over anything else.
pub trait Link: Clone + Send + Sync + 'static {
    /// What a call gives back: `Result<T>` if it blocks, a boxed future of it, or a promise.
    type Wait<'a, T: 'a>;

    /// Sends one operation to an object.
    ///
    /// `encode` appends the array of its arguments, and is run before this returns. `decode` makes
    /// the value from the answer. An error is given [`Error::during`] this row and target.
    fn call<'a, T: 'a>(
        &'a self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'static,
    ) -> Self::Wait<'a, T>;

    /// What a call gives back that failed before it was sent.
    fn fail<'a, T: 'a>(&'a self, error: Error) -> Self::Wait<'a, T>;

    /// The number that the server drew when it started: objects of another epoch are not its own.
    fn epoch(&self) -> u64;
}

/// A link whose calls are carried out at once, so that a method can be made of several.
pub trait DirectLink: Link {
    /// The call as a future; a blocking link has carried it out already.
    fn future<'a, T: Send + 'a>(wait: Self::Wait<'a, T>) -> impl Future<Output = Result<T>> + Send + 'a;

    /// Runs several calls as one; for a blocking link every await is ready.
    fn run<'a, T: 'a>(work: impl Future<Output = Result<T>> + Send + 'a) -> Self::Wait<'a, T>;

    /// Waits a moment before another try.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// How long a call may take.
    fn timeout(&self) -> Duration;

    /// The same link with another time that a call may take.
    #[must_use]
    fn with_timeout(&self, timeout: Duration) -> Self;

    /// Who holds what is held by threads: a number that is this thread's alone in this process. An async
    /// link gives another one to each call.
    fn holder(&self) -> u64;

    /// Who holds what its holder may take again: this thread, or the task if there is one.
    fn reentrant_holder(&self) -> u64;

    /// Makes a change whose result is of no interest: for what is given back.
    ///
    /// Once the future was polled the change is made, also if the future is dropped or the time is over.
    /// `encode` is run before this returns. An error is given [`Error::during`] this row and target.
    fn insist(
        &self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> impl Future<Output = Result<()>> + Send;

    /// Sends a change without waiting for its answer, if the link can: for what is let go by a drop.
    ///
    /// Nobody is told if it fails.
    fn detach(&self, target: &Target, row: Row, encode: impl FnOnce(&mut Vec<u8>));

    /// A number that tells sessions apart: it is another one in the child of a fork, and after the
    /// server has ended the session. What was taken in one era is no longer held in the next.
    fn era(&self) -> u64;

    /// Carries out queued calls, each for itself. A link to a server sends them together.
    fn batch(&self, calls: Calls) -> impl Future<Output = Outcomes> + Send {
        async move {
            let mut outcomes = Outcomes::new(calls.len());
            for (index, call) in calls.iter().enumerate() {
                let encode = |out: &mut Vec<u8>| out.extend_from_slice(call.arguments);
                match Self::future(self.call(call.target, call.row, encode, |answer| Ok(Raw::from(answer)))).await {
                    Ok(raw) => outcomes.answer(index, raw.answer()),
                    Err(error) => outcomes.refuse(index, error),
                };
            }
            outcomes
        }
    }
}

/// A link over which a call may wait in the server, longer than other calls take.
///
/// Every [`DirectLink`] is one, and so is what [`versioned`](crate::ManagerQueue::versioned) makes of it.
pub trait WaitingLink: Link {
    /// How long a call waits that is not told how long.
    fn patience(&self) -> Duration;

    /// Sends one operation to an object, and gives it so long.
    fn call_within<'a, T: 'a>(
        &'a self,
        limit: Duration,
        target: &'a Target,
        row: Row,
        arguments: Vec<u8>,
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'a,
    ) -> Self::Wait<'a, T>;
}

impl<L: DirectLink> WaitingLink for L {
    fn patience(&self) -> Duration {
        self.timeout()
    }

    fn call_within<'a, T: 'a>(
        &'a self,
        limit: Duration,
        target: &'a Target,
        row: Row,
        arguments: Vec<u8>,
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T> {
        let link = self.with_timeout(limit);
        L::run(async move {
            let encode = |out: &mut Vec<u8>| out.extend_from_slice(&arguments);
            let raw = L::future(link.call(target, row, encode, |answer| Ok(Raw::from(answer)))).await?;
            // Proxies in the answer have the time of this link, not that of the wait.
            raw.answer().over(self, decode).map_err(|error| error.during(row, target))
        })
    }
}

/// The number of the current thread in this process, from 1.
pub(crate) fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

/// The object that a call is for.
#[derive(Debug, Clone)]
pub struct Target {
    object: ObjectId,
    label: Option<Label>,
    epoch: u64,
    /// What keeps an object without a name while it is used.
    hold: Option<Arc<Hold>>,
}

/// What an object is called in messages.
#[derive(Clone)]
pub(crate) enum Label {
    Name(Arc<str>),
    /// It was made without a name, or came as a reference.
    Number(Kind, ObjectId),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Number(kind, object) => write!(f, "{} {object}", kind_name(*kind)),
        }
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Target {
    /// An object of the server with this epoch; object 0 is the manager itself.
    #[must_use]
    pub fn new(object: ObjectId, name: Option<Arc<str>>, epoch: u64) -> Self {
        Self { object, label: name.map(Label::Name), epoch, hold: None }
    }

    /// An object whose name is not known, or that has none.
    #[must_use]
    pub fn unnamed(object: ObjectId, kind: Kind, epoch: u64) -> Self {
        Self { object, label: Some(Label::Number(kind, object)), epoch, hold: None }
    }

    /// The same object, held for as long as this is there, and each of its clones.
    pub(crate) fn held(self, hold: Option<Arc<Hold>>) -> Self {
        Self { hold, ..self }
    }

    pub(crate) fn hold(&self) -> Option<&Arc<Hold>> {
        self.hold.as_ref()
    }

    /// Whether the other is the same, held alike and called alike.
    #[inline]
    pub(crate) fn is(&self, other: &Self) -> bool {
        let same_label = match (&self.label, &other.label) {
            (Some(Label::Name(name)), Some(Label::Name(others))) => Arc::ptr_eq(name, others),
            (Some(Label::Number(kind, _)), Some(Label::Number(others, _))) => kind == others,
            (None, None) => true,
            (Some(_) | None, _) => false,
        };
        let same_hold = match (&self.hold, &other.hold) {
            (Some(hold), Some(others)) => Arc::ptr_eq(hold, others),
            (None, None) => true,
            (Some(_) | None, _) => false,
        };
        (self.object, self.epoch) == (other.object, other.epoch) && same_label && same_hold
    }

    pub(crate) fn reference(&self, kind: Kind) -> Reference {
        Reference::new(kind, self.epoch, self.object)
    }

    /// The object's number.
    #[must_use]
    pub fn object(&self) -> ObjectId {
        self.object
    }

    /// The name that the object was opened by, if it was.
    #[must_use]
    pub fn name(&self) -> Option<&Arc<str>> {
        match &self.label {
            Some(Label::Name(name)) => Some(name),
            Some(Label::Number(..)) | None => None,
        }
    }

    /// What the object is called in messages; the manager itself is not.
    pub(crate) fn label(&self) -> Option<&Label> {
        self.label.as_ref()
    }

    /// Which run of a server the object belongs to.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// A reply as it arrived.
#[derive(Clone, Copy)]
pub struct Answer<'r> {
    /// The object's version right after the operation.
    pub version: u64,
    /// The result, encoded.
    pub result: &'r [u8],
    /// What proxies in the result are made of; `None` if the link cannot tell.
    pub(crate) origin: Option<&'r Origin>,
}

impl fmt::Debug for Answer<'_> {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("version", &self.version).finish_non_exhaustive()
    }
}

impl<'r> Answer<'r> {
    /// A reply. No proxies can be made of it, unless it is handed on [over](Self::over) a link.
    ///
    /// For implementers of [`Link`].
    #[must_use]
    pub fn new(version: u64, result: &'r [u8]) -> Self {
        Self { version, result, origin: None }
    }

    /// Hands on the answer to a call of a link, of which the proxies in it are to be.
    ///
    /// For implementers of [`Link`], which keep what the server tells that is held.
    pub fn over<L: DirectLink, T>(self, link: &L, decode: impl FnOnce(Answer<'_>) -> T) -> T {
        if !may_have_references(self.result) {
            return decode(self);
        }
        let origin = self.origin.cloned().unwrap_or_default().over(Arc::new(link.clone()));
        decode(Answer { origin: Some(&origin), ..self })
    }

    /// Decodes the reply of an operation and the values in it, proxies among them.
    pub(crate) fn read<O: Operation, T>(self, decode: impl FnOnce(O::Reply<'_>) -> Result<T>) -> Result<T> {
        within(self, |answer| decode(answer.reply::<O>()?))
    }

    /// The hold on an object that the answer tells was made, or that was asked for.
    pub(crate) fn adopt(self, object: ObjectId) -> Option<Arc<Hold>> {
        self.origin?.adopt(object)
    }

    /// Decodes the reply of an operation.
    pub(crate) fn reply<O: Operation>(self) -> Result<O::Reply<'r>> {
        let mut decoder = Decoder::new(self.result);
        let reply = O::Reply::decode(&mut decoder).and_then(|reply| decoder.finish().map(|()| reply));
        reply.map_err(|error| Error::with_source(Reason::Protocol, error))
    }
}
