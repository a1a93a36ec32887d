//! How two sets relate: the other one is given, or is in the server.

use std::borrow::Borrow;

use manager_protocol::set::{self, SetRelation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ManagerSet;
use crate::argument::Arguments;
use crate::link::Link;

impl<T, L> ManagerSet<T, L>
where
    T: Serialize + DeserializeOwned,
    L: Link,
{
    /// Whether every value of this set is among those given.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert!(numbers.is_subset([1, 2, 3])?);
    /// assert!(!numbers.is_subset([1, 3])?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("issubset", "__le__"))]
    pub fn is_subset<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, bool>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        self.handle.call(|| Ok(set::Compare { relation: SetRelation::Subset, values: values.get()? }), Ok)
    }

    /// Whether another set of the same server has every value of this one.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([1, 2, 3])?;
    /// assert!(numbers.is_subset_of(&others)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("issubset", "__le__"))]
    pub fn is_subset_of<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, bool> {
        self.compare(SetRelation::Subset, other)
    }

    /// Whether this set has every value given.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert!(numbers.is_superset([2])?);
    /// assert!(!numbers.is_superset([2, 3])?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("issuperset", "__ge__"))]
    pub fn is_superset<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, bool>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        self.handle.call(|| Ok(set::Compare { relation: SetRelation::Superset, values: values.get()? }), Ok)
    }

    /// Whether this set has every value of another one of the same server.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2])?;
    /// assert!(numbers.is_superset_of(&others)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("issuperset", "__ge__"))]
    pub fn is_superset_of<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, bool> {
        self.compare(SetRelation::Superset, other)
    }

    /// Whether this set has none of the values given.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert!(numbers.is_disjoint([3, 4])?);
    /// assert!(!numbers.is_disjoint([2, 3])?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "isdisjoint")]
    pub fn is_disjoint<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, bool>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        self.handle.call(|| Ok(set::Compare { relation: SetRelation::Disjoint, values: values.get()? }), Ok)
    }

    /// Whether this set and another one of the same server have no value in common.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([3, 4])?;
    /// assert!(numbers.is_disjoint_from(&others)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "isdisjoint")]
    pub fn is_disjoint_from<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, bool> {
        self.compare(SetRelation::Disjoint, other)
    }

    /// Whether this set has the values given and no others, in whatever order.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert!(numbers.is_equal([2, 1, 1])?);
    /// assert!(!numbers.is_equal([1])?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__eq__")]
    pub fn is_equal<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, bool>
    where
        A: Borrow<T>,
    {
        let values = Arguments::new::<T, A>(values);
        self.handle.call(|| Ok(set::Compare { relation: SetRelation::Equal, values: values.get()? }), Ok)
    }

    /// Whether this set and another one of the same server have the same values, in whatever order.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2, 1, 1])?;
    /// assert!(numbers.is_equal_to(&others)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__eq__")]
    pub fn is_equal_to<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, bool> {
        self.compare(SetRelation::Equal, other)
    }

    fn compare<M: Link>(&self, relation: SetRelation, other: &ManagerSet<T, M>) -> L::Wait<'_, bool> {
        let source = || self.handle.source(&other.handle.target);
        self.handle.call(|| Ok(set::CompareFrom { relation, source: source()? }), Ok)
    }
}
