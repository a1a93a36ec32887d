//! What a value is waited for to be.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use manager_protocol::Encoded;
use manager_protocol::path::Step;
use manager_protocol::watch::{Condition, Met, WaitFor};
use serde::Serialize;

use crate::argument::Argument;
use crate::error::Result;
use crate::handle::{Handle, late};
use crate::link::WaitingLink;

/// What a value of the type `V` is waited for to be. Taken by `wait_for` of dicts, values and paths.
///
/// Values are compared as values: numbers across integer and float, maps regardless of order.
///
/// ```
/// use manager_client::Until;
///
/// # let manager = manager_client::Manager::start()?;
/// let states = manager.dict::<String, String>("states")?;
/// std::thread::scope(|scope| {
///     let waiting = scope.spawn(|| states.wait_for("server", Until::equals("ready")));
///     states.set("server", "starting")?;
///     states.set("server", "ready")?;
///     waiting.join().expect("no panic")
/// })?;
/// # Ok::<(), manager_client::Error>(())
/// ```
#[must_use = "it does nothing unless it is waited for"]
pub struct Until<V> {
    condition: Condition,
    operand: Option<Argument>,
    values: PhantomData<fn() -> V>,
}

impl<V> Until<V> {
    fn new(condition: Condition, operand: Option<Argument>) -> Self {
        Self { condition, operand, values: PhantomData }
    }

    /// There is a value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// use manager_client::Until;
    ///
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.wait_for("ann", Until::exists())?, Some(31));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn exists() -> Self {
        Self::new(Condition::Exists, None)
    }

    /// There is no value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// use manager_client::Until;
    ///
    /// assert_eq!(ages.wait_for("ann", Until::absent())?, None);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn absent() -> Self {
        Self::new(Condition::Absent, None)
    }

    /// There is a value that equals this one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// use manager_client::Until;
    ///
    /// ages.set("ann", &31)?;
    /// ages.wait_for("ann", Until::equals(&31))?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn equals<W>(value: &W) -> Self
    where
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        Self::new(Condition::Equals, Some(Argument::new(value)))
    }

    /// There is a value that equals this one, or comes after it in order.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// use manager_client::Until;
    ///
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.wait_for("ann", Until::at_least(&18))?, Some(31));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn at_least<W>(value: &W) -> Self
    where
        V: Borrow<W>,
        W: Serialize + ?Sized,
    {
        Self::new(Condition::AtLeast, Some(Argument::new(value)))
    }

    /// The value may be another than at a version of the object.
    ///
    /// Versions come from `versioned` and `version` of the proxy; that of `versioned().wait_for` is the one to go
    /// on with. A value that is there no longer is another as well. What is not under a key of a dict counts as
    /// changed with each change of the object.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// use manager_client::Until;
    ///
    /// let seen = ages.versioned().get("ann")?;
    /// ages.set("ann", &31)?;
    /// assert_eq!(ages.wait_for("ann", Until::changed_since(seen.version))?, Some(31));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn changed_since(version: u64) -> Self {
        Self::new(Condition::ChangedSince, Some(Argument::new(&version)))
    }
}

impl<V> Clone for Until<V> {
    fn clone(&self) -> Self {
        Self::new(self.condition, self.operand.clone())
    }
}

impl<V> fmt::Debug for Until<V> {
    /// Without what the value is compared with.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Until").field(&self.condition).finish()
    }
}

impl<L: WaitingLink> Handle<L> {
    /// Waits until the value at a place is as wanted; `then` makes the outcome of what is there then.
    pub(crate) fn wait_until<'a, 'p, V, T>(
        &'a self,
        place: impl FnOnce() -> Result<(Encoded<'p>, Vec<Step<'p>>)>,
        until: &Until<V>,
        wait: Duration,
        then: impl for<'r> FnOnce(Option<Encoded<'r>>) -> Result<T> + Send + 'a,
    ) -> L::Wait<'a, T>
    where
        T: 'a,
    {
        let condition = until.condition;
        let operation = |timeout_ms| {
            let (at, path) = place()?;
            let operand = until.operand.as_ref().map(Argument::get).transpose()?;
            Ok(WaitFor { at, path, condition, operand, timeout_ms })
        };
        let met = move |met: Option<Met<'_>>| met.map(|met| met.value).ok_or_else(|| late(wait)).and_then(then);
        self.waiting::<WaitFor<'_>, _>(wait, operation, met)
    }
}

#[cfg(test)]
mod tests;
