//! What depends on what an array holds: sums, compare-and-set, and closures applied without losing an
//! update.

use std::borrow::Borrow;

use manager_protocol::array;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerArray;
use crate::argument::Argument;
use crate::link::{DirectLink, Link};
use crate::number::{Number, sum};
use crate::swap::{Swap, current};
use crate::update::update;

impl<T, L> ManagerArray<T, L>
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
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// assert_eq!(grid.add(0, 40)?, 40);
    /// assert_eq!(grid.add(0, 2)?, 42);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn add(&self, index: i64, delta: T) -> L::Wait<'_, T>
    where
        T: Number,
    {
        let (delta, bounds) = (Argument::new(&delta), sum::<T>());
        let operation = || Ok(array::Add { index, delta: delta.get()?, bounds: bounds.get()? });
        self.handle.call(operation, |value| value.decode())
    }

    /// Sets the value at an index if it equals what is expected.
    ///
    /// # Errors
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is no value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// use manager_client::Swap;
    ///
    /// assert_eq!(grid.compare_and_set(0, &0, &1)?, Swap::Swapped);
    /// assert_eq!(grid.compare_and_set(0, &0, &2)?, Swap::Current(1));
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
        let operation = || Ok(array::CompareAndSet { index, expected: expected.get()?, new: new.get()? });
        self.handle.call(operation, |swap| {
            if swap.swapped { Ok(Swap::Swapped) } else { current(swap.current).map(Swap::Current) }
        })
    }
}

impl<T, L> ManagerArray<T, L>
where
    T: Serialize + DeserializeOwned,
    L: DirectLink,
{
    /// Replaces the value at an index by what a closure makes of it, and returns the new value.
    ///
    /// The closure may run several times: whenever another client changed the value in between, it runs
    /// again with what is there then.
    ///
    /// # Errors
    /// [`is_out_of_range`](crate::Error::is_out_of_range) if there is no value,
    /// [`is_timeout`](crate::Error::is_timeout) if others were faster each time.
    ///
    /// # Atomicity
    /// No update is lost, of this client or of any other.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let grid = manager.array("grid", [0_i64; 4])?;
    /// grid.set(0, &20)?;
    /// assert_eq!(grid.update_with(0, |value| value * 2)?, 40);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn update_with<'a, F>(&'a self, index: i64, change: F) -> L::Wait<'a, T>
    where
        F: FnMut(T) -> T + Send + 'a,
    {
        let swap = move |expected, new| array::CompareAndSet { index, expected, new };
        L::run(update(&self.handle, array::Get { index }, swap, change))
    }
}
