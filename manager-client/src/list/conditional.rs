//! What depends on what a list holds: sums, compare-and-set, and closures applied without losing an update.

use std::borrow::Borrow;

use manager_protocol::{Encoded, list};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerList;
use crate::argument::{Argument, Arguments, cannot_decode, slices};
use crate::error::Result;
use crate::link::{DirectLink, Link};
use crate::number::{Number, sum};
use crate::reference::within;
use crate::retry::Retry;
use crate::swap::{Swap, current};
use crate::update::update;

impl<T, L> ManagerList<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// Adds to the number at an index and returns the sum.
    ///
    /// # Errors
    /// [`is_overflow`](crate::Error::is_overflow) if the sum does not fit a `T`,
    /// [`is_not_a_number`](crate::Error::is_not_a_number) if there is something else,
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is nothing; nothing is changed then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.push(&40)?;
    /// assert_eq!(numbers.add(0, 2)?, 42);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn add(&self, index: i64, delta: T) -> L::Wait<'_, T>
    where
        T: Number,
    {
        let (delta, bounds) = (Argument::new(&delta), sum::<T>());
        let operation = || Ok(list::Add { index, delta: delta.get()?, bounds: bounds.get()? });
        self.handle.call(operation, |value| value.decode())
    }

    /// Sets the value at an index if it equals what is expected.
    ///
    /// # Errors
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is no value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// use manager_client::Swap;
    ///
    /// numbers.push(&1)?;
    /// assert_eq!(numbers.compare_and_set(0, &1, &2)?, Swap::Swapped);
    /// assert_eq!(numbers.compare_and_set(0, &1, &3)?, Swap::Current(2));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("compare_exchange", "cas"))]
    pub fn compare_and_set<E, W>(&self, index: i64, expected: &E, new: &W) -> L::Wait<'_, Swap<T>>
    where
        T: Borrow<E> + Borrow<W>,
        E: Serialize + ?Sized,
        W: Serialize + ?Sized,
    {
        let (expected, new) = (Argument::new(expected), Argument::new(new));
        let operation = || Ok(list::CompareAndSet { index, expected: expected.get()?, new: new.get()? });
        self.handle.call(operation, |swap| {
            if swap.swapped { Ok(Swap::Swapped) } else { current(swap.current).map(Swap::Current) }
        })
    }

    /// Replaces all values if nobody changed the list since a version of it; whether it did.
    ///
    /// Versions come from [`versioned`](Self::versioned) and [`version`](Self::version).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// let version = numbers.version()?;
    /// assert!(numbers.replace_if_version([1, 2], version)?);
    /// assert!(!numbers.replace_if_version([3], version)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn replace_if_version<A>(&self, values: impl IntoIterator<Item = A>, version: u64) -> L::Wait<'_, bool>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        self.handle.call(|| Ok(list::ReplaceIfVersion { values: values.get()?, version }), Ok)
    }
}

impl<T, L> ManagerList<T, L>
where
    T: Serialize + DeserializeOwned,
    L: DirectLink,
{
    /// Replaces the value at an index by what a closure makes of it, and returns the new value.
    ///
    /// The closure may run several times: whenever another client changed the value in between, it
    /// runs again with what is there then.
    ///
    /// # Atomicity
    /// No update is lost, of this client or of any other.
    ///
    /// # Errors
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is no value,
    /// [`is_timeout`](crate::Error::is_timeout) if others were faster each time.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.push(&20)?;
    /// assert_eq!(numbers.update_with(0, |value| value * 2)?, 40);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn update_with<'a, F>(&'a self, index: i64, change: F) -> L::Wait<'a, T>
    where
        F: FnMut(T) -> T + Send + 'a,
    {
        let swap = move |expected, new| list::CompareAndSet { index, expected, new };
        L::run(update(&self.handle, list::Get { index }, swap, change))
    }

    /// Sorts by a key of each value, keeping the order of values with equal keys.
    ///
    /// # Atomicity
    /// All at once: if another client changes the list meanwhile, it is read and sorted again.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if others changed the list each time.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.extend(["sleep".to_owned(), "eat".to_owned()])?;
    /// todo.sort_by_key(String::len)?;
    /// assert_eq!(todo.values()?, ["eat", "sleep"]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn sort_by_key<'a, O, F>(&'a self, mut key: F) -> L::Wait<'a, ()>
    where
        O: Ord,
        F: FnMut(&T) -> O + Send + 'a,
    {
        self.rewrite(move |values| {
            let mut keyed = Vec::with_capacity(values.len());
            for value in values.drain(..) {
                keyed.push((key(&value.decode().map_err(cannot_decode)?), value));
            }
            keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
            values.extend(keyed.into_iter().map(|(_, value)| value));
            Ok(true)
        })
    }

    /// Removes the values that a closure does not want to keep.
    ///
    /// # Atomicity
    /// All at once: if another client changes the list meanwhile, it is read and judged again.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if others changed the list each time.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.list::<i64>("numbers")?;
    /// numbers.extend([1, 2, 3, 4])?;
    /// numbers.retain(|number| number % 2 == 0)?;
    /// assert_eq!(numbers.values()?, [2, 4]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn retain<'a, F>(&'a self, mut keep: F) -> L::Wait<'a, ()>
    where
        F: FnMut(&T) -> bool + Send + 'a,
    {
        self.rewrite(move |values| {
            let before = values.len();
            let mut kept = Vec::with_capacity(before);
            for value in values.drain(..) {
                if keep(&value.decode().map_err(cannot_decode)?) {
                    kept.push(value);
                }
            }
            *values = kept;
            Ok(values.len() != before)
        })
    }

    /// Reads all values, changes them, and puts them back if the list still has the version read.
    /// The closure says whether there is anything to put back.
    fn rewrite<'a, F>(&'a self, mut change: F) -> L::Wait<'a, ()>
    where
        F: for<'r> FnMut(&mut Vec<Encoded<'r>>) -> Result<bool> + Send + 'a,
    {
        L::run(async move {
            let mut retry = Retry::new(&self.handle.link);
            loop {
                let found = self.handle.raw(list::Values {}).await?;
                let mut values: Vec<Encoded<'_>> = found.reply::<list::Values>()?.collect();
                if !within(found.answer(), |_| change(&mut values))? {
                    return Ok(());
                }
                let operation = list::ReplaceIfVersion { values: slices(&values), version: found.version };
                let replaced = self.handle.raw(operation).await?;
                if replaced.reply::<list::ReplaceIfVersion<'_>>()? {
                    return Ok(());
                }
                retry.pause::<list::ReplaceIfVersion<'_>>(&self.handle.target).await?;
            }
        })
    }
}
