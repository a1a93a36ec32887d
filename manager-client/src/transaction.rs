//! The transaction: several calls as one, all or nothing, on condition that nobody was faster.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use manager_protocol::manager::{Check, Step};
use manager_protocol::{Bin, Code, Effect, Many, ObjectId, Operation, Row, manager};

use crate::batch::{Batch, Queue, Sealed, Shared};
use crate::blocking::Blocking;
use crate::calls::{Calls, Outcomes};
use crate::error::{Error, Reason, Result};
use crate::link::{Answer, DirectLink, Link, Target};
use crate::object::Object;
use crate::retry::Retry;

/// Calls that are carried out as one, or not at all. Made by
/// [`Manager::transaction`](crate::Manager::transaction).
///
/// No other client sees, or disturbs, the middle of it. If one call is refused, or an object has not
/// the version that it was checked for, none is carried out. Dropped without a commit, it does nothing.
///
/// ```
/// # let manager = manager_client::Manager::start()?;
/// # let ages = manager.dict::<String, u64>("ages")?;
/// # let todo = manager.list::<String>("todo")?;
/// let seen = ages.versioned().len()?;
/// let transaction = manager.transaction();
/// transaction.check(&ages, seen.version);
/// ages.on(&transaction).set("ann", &31);
/// todo.on(&transaction).push("greet ann");
/// transaction.commit()?;
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is carried out before `commit`"]
pub struct Transaction<L = Blocking> {
    link: L,
    shared: Shared,
    checks: Arc<Mutex<Checks>>,
}

/// The versions that objects must have.
#[derive(Debug, Default)]
struct Checks {
    versions: BTreeMap<ObjectId, u64>,
    /// Two versions of one object, or an object of another server.
    fault: Option<Error>,
}

impl Checks {
    /// Adds a version of an object.
    fn add(&mut self, target: &Target, version: u64, epoch: u64) -> Result<()> {
        let known = *self.versions.entry(target.object()).or_insert(version);
        let error = match (target.epoch() == epoch, known == version) {
            (false, _) => Error::new(Reason::OtherServer),
            (true, false) => conflict(),
            (true, true) => return Ok(()),
        };
        self.fault.get_or_insert_with(|| error.clone());
        Err(error)
    }
}

impl<L: DirectLink> Transaction<L> {
    pub(crate) fn new(link: L) -> Self {
        Self { link, shared: Shared::default(), checks: Arc::default() }
    }

    /// Makes the commit depend on an object's still having a version.
    pub fn check(&self, object: &impl Object, version: u64) {
        // A fault is told by the commit.
        let _ = lock(&self.checks).add(object.target(), version, self.link.epoch());
    }

    /// Carries out all queued calls as one.
    ///
    /// # Errors
    /// [`is_conflict`](Error::is_conflict) if an object has another version than it was checked for;
    /// else what a call was refused with. In either case nothing was done.
    ///
    /// # Atomicity
    /// All or nothing, also if this process ends meanwhile.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let version = ages.version()?;
    /// ages.set("ann", &31)?;
    /// let transaction = manager.transaction();
    /// transaction.check(&ages, version);
    /// ages.on(&transaction).clear();
    /// assert!(transaction.commit().is_err_and(|error| error.is_conflict()));
    /// assert_eq!(ages.len()?, 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn commit(&self) -> L::Wait<'_, ()> {
        L::run(self.carry_out())
    }

    async fn carry_out(&self) -> Result<()> {
        let target = Target::new(0, None, self.link.epoch());
        let row = manager::Transaction::ROW;
        let outcomes = match self.prepare() {
            Ok((checks, calls)) => self.submit(&target, checks, &calls).await,
            Err(error) => Err(error.during(row, &target)),
        };
        let failed = outcomes.as_ref().err().cloned();
        self.shared.settle(outcomes.map_err(|error| {
            let unknown = error.is_outcome_unknown();
            let not_done = Error::with_source(Reason::NotCommitted, error);
            if unknown { not_done.unanswered(Effect::Change) } else { not_done }
        }));
        failed.map_or(Ok(()), Err)
    }

    fn prepare(&self) -> Result<(Vec<Check>, Calls)> {
        let (calls, unqueued) = self.shared.take()?;
        let mut checks = lock(&self.checks);
        if let Some(error) = unqueued.or_else(|| checks.fault.take()) {
            return Err(error);
        }
        let checks = checks.versions.iter().map(|(&object, &version)| Check { object, version }).collect();
        Ok((checks, calls))
    }

    fn submit(
        &self,
        target: &Target,
        checks: Vec<Check>,
        calls: &Calls,
    ) -> impl Future<Output = Result<Outcomes>> + Send + use<'_, L> {
        let len = calls.len();
        let steps = calls.iter().map(|call| Step {
            object: call.target.object(),
            operation: call.row.number,
            arguments: Bin(Cow::Borrowed(call.arguments)),
        });
        let operation = manager::Transaction { checks: Many::new(checks.into_iter()), operations: Many::new(steps) };
        let encode = |out: &mut Vec<u8>| operation.encode(out);
        let decode = move |answer: Answer<'_>| {
            let mut outcomes = Outcomes::new(len);
            for (index, step) in answer.reply::<manager::Transaction<'_>>()?.enumerate() {
                outcomes.answer(index, Answer { version: step.version, result: &step.result.0, ..answer });
            }
            Ok(outcomes)
        };
        L::future(self.link.call(target, manager::Transaction::ROW, encode, decode))
    }
}

impl<L> Sealed for Transaction<L> {}

impl<L: Link> Queue for Transaction<L> {
    fn link(&self) -> Batch {
        self.shared.link(self.link.epoch())
    }
}

/// One try of a transaction in closure form. See `transact` of the manager.
#[derive(Debug)]
pub struct Attempt<L = Blocking>(Arc<Transaction<L>>);

impl<L> Clone for Attempt<L> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<L: DirectLink> Attempt<L> {
    /// The proxy to read an object with. What is read must still be true at the commit.
    #[must_use]
    pub fn read<P: Object>(&self, object: &P) -> P::Over<ReadLink<L>> {
        object.over(ReadLink { link: self.0.link.clone(), checks: self.0.checks.clone() })
    }

    /// The proxy to change an object with. The calls are carried out at the commit.
    #[must_use]
    pub fn write<P: Object>(&self, object: &P) -> P::Over<Batch> {
        object.over(self.0.link())
    }
}

/// Runs a closure, and commits what it queued, until nobody was faster.
pub(crate) async fn transact<L, T, F, W>(link: &L, mut attempt: F) -> Result<T>
where
    L: DirectLink,
    F: FnMut(Attempt<L>) -> W,
    W: Future<Output = Result<T>>,
{
    let mut retry = Retry::new(link);
    let target = Target::new(0, None, link.epoch());
    loop {
        let transaction = Arc::new(Transaction::new(link.clone()));
        let outcome = attempt(Attempt(transaction.clone())).await;
        let torn = lock(&transaction.checks).fault.as_ref().is_some_and(Error::is_conflict);
        let outcome = match outcome {
            Ok(value) => transaction.carry_out().await.map(|()| value),
            Err(error) => Err(error),
        };
        match outcome {
            Err(error) if torn || error.is_conflict() => {
                retry.pause_of(manager::Transaction::ROW, &target).await?;
            }
            Ok(_) | Err(_) => return outcome,
        }
    }
}

/// The link of a transaction's reads: calls run at once, and the versions seen are remembered.
#[derive(Debug, Clone)]
pub struct ReadLink<L> {
    link: L,
    checks: Arc<Mutex<Checks>>,
}

impl<L: Link> Link for ReadLink<L> {
    type Wait<'a, T: 'a> = L::Wait<'a, T>;

    fn call<'a, T: 'a>(
        &'a self,
        target: &Target,
        row: Row,
        encode: impl FnOnce(&mut Vec<u8>),
        decode: impl FnOnce(Answer<'_>) -> Result<T> + Send + 'static,
    ) -> L::Wait<'a, T> {
        if row.effect != Effect::Read {
            return self.link.fail(Error::new(Reason::ChangeInRead).during(row, target));
        }
        let (checks, seen, epoch) = (self.checks.clone(), target.clone(), self.link.epoch());
        let decode = move |answer: Answer<'_>| {
            lock(&checks).add(&seen, answer.version, epoch)?;
            decode(answer)
        };
        self.link.call(target, row, encode, decode)
    }

    fn fail<'a, T: 'a>(&'a self, error: Error) -> L::Wait<'a, T> {
        self.link.fail(error)
    }

    fn epoch(&self) -> u64 {
        self.link.epoch()
    }
}

fn conflict() -> Error {
    let message = "an object was changed between two reads of the transaction";
    manager_protocol::Error::new(Code::Conflict, message).into()
}

/// The checks are whole after each statement that changes them, so a panic elsewhere spoils nothing.
fn lock(checks: &Mutex<Checks>) -> MutexGuard<'_, Checks> {
    checks.lock().unwrap_or_else(PoisonError::into_inner)
}
