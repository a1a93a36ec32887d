//! What works on many values of a set at once.

use std::borrow::Borrow;

use manager_protocol::set;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerSet;
use crate::argument::{Arguments, cannot_decode, slices};
use crate::link::{DirectLink, Link};

impl<T, L> ManagerSet<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// Removes every value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.insert(&1)?;
    /// numbers.clear()?;
    /// assert!(numbers.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn clear(&self) -> L::Wait<'_, ()> {
        self.handle.call(|| Ok(set::Clear {}), Ok)
    }

    /// Every value, in order, as of one moment. For a set that does not fit in memory twice, see `iter`.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([2, 1, 2])?;
    /// assert_eq!(numbers.values()?, [2, 1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("copy", "to_vec"))]
    pub fn values(&self) -> L::Wait<'_, Vec<T>> {
        self.handle.call(|| Ok(set::Values {}), |values| values.map(|value| value.decode()).collect())
    }

    /// Adds several values, in order; how many were new.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// assert_eq!(numbers.extend([2, 1, 2])?, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("update", "insert_many"))]
    pub fn extend<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, u64>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        self.handle.call(|| Ok(set::Extend { values: values.get()? }), Ok)
    }

    /// Removes several values; how many there were.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2, 3])?;
    /// assert_eq!(numbers.remove_many([1, 3, 5])?, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn remove_many<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, u64>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        self.handle.call(|| Ok(set::RemoveMany { values: values.get()? }), Ok)
    }
}

impl<T, L> ManagerSet<T, L>
where
    T: Serialize + DeserializeOwned,
    L: DirectLink,
{
    /// Removes the values that a closure does not want to keep.
    ///
    /// # Atomicity
    /// The set is gone through in pages, and values added meanwhile may not be seen. Each page that loses
    /// values is one change of the set's version.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2, 3, 4])?;
    /// numbers.retain(|number| number % 2 == 0)?;
    /// assert_eq!(numbers.values()?, [2, 4]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn retain<'a, F>(&'a self, mut keep: F) -> L::Wait<'a, ()>
    where
        F: FnMut(&T) -> bool + Send + 'a,
    {
        L::run(async move {
            let mut after = None;
            loop {
                let found = self.handle.raw(set::Page { after, limit: PAGE, backward: false }).await?;
                let page = found.reply::<set::Page>()?;
                let mut unwanted = Vec::new();
                for value in page.values {
                    if !keep(&value.decode().map_err(cannot_decode)?) {
                        unwanted.push(value);
                    }
                }
                if !unwanted.is_empty() {
                    self.handle.raw(set::RemoveMany { values: slices(&unwanted) }).await?;
                }
                match page.next {
                    Some(next) => after = Some(next),
                    None => return Ok(()),
                }
            }
        })
    }
}

/// Values asked for at a time.
const PAGE: u32 = 1000;
