//! Makes a set what it and another make together: the other one is given, or is in the server.
//!
//! What comes of this set keeps its order and stands first; what comes of the other follows in its own.

use std::borrow::Borrow;

use manager_protocol::set::{self, SetOperator};
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
    /// Adds the values given; how many values there are then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.union_in_place([2, 3])?, 3);
    /// assert_eq!(numbers.values()?, [1, 2, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__ior__", "update"))]
    pub fn union_in_place<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, u64>
    where
        A: Borrow<T>,
    {
        self.combine(SetOperator::Union, Arguments::new::<T, A>(values))
    }

    /// Adds the values of another set of the same server; how many values there are then.
    ///
    /// The values do not cross the socket.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// # Atomicity
    /// One operation on both sets.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2, 3])?;
    /// assert_eq!(numbers.union_in_place_with(&others)?, 3);
    /// assert_eq!(numbers.values()?, [1, 2, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__ior__", "update"))]
    pub fn union_in_place_with<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, u64> {
        self.combine_from(SetOperator::Union, other)
    }

    /// Keeps only the values that are among those given; how many values there are then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.intersection_in_place([2, 3])?, 1);
    /// assert_eq!(numbers.values()?, [2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__iand__", "intersection_update"))]
    pub fn intersection_in_place<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, u64>
    where
        A: Borrow<T>,
    {
        self.combine(SetOperator::Intersection, Arguments::new::<T, A>(values))
    }

    /// Keeps only the values that another set of the same server has too; how many values there are then.
    ///
    /// The values do not cross the socket.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// # Atomicity
    /// One operation on both sets.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2, 3])?;
    /// assert_eq!(numbers.intersection_in_place_with(&others)?, 1);
    /// assert_eq!(numbers.values()?, [2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__iand__", "intersection_update"))]
    pub fn intersection_in_place_with<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, u64> {
        self.combine_from(SetOperator::Intersection, other)
    }

    /// Removes the values given; how many values there are then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.difference_in_place([2, 3])?, 1);
    /// assert_eq!(numbers.values()?, [1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__isub__", "difference_update"))]
    pub fn difference_in_place<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, u64>
    where
        A: Borrow<T>,
    {
        self.combine(SetOperator::Difference, Arguments::new::<T, A>(values))
    }

    /// Removes the values that another set of the same server has; how many values there are then.
    ///
    /// The values do not cross the socket.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// # Atomicity
    /// One operation on both sets.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2, 3])?;
    /// assert_eq!(numbers.difference_in_place_with(&others)?, 1);
    /// assert_eq!(numbers.values()?, [1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__isub__", "difference_update"))]
    pub fn difference_in_place_with<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, u64> {
        self.combine_from(SetOperator::Difference, other)
    }

    /// Removes the values given that are there, and adds the others; how many values there are then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.symmetric_difference_in_place([2, 3])?, 2);
    /// assert_eq!(numbers.values()?, [1, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__ixor__", "symmetric_difference_update"))]
    pub fn symmetric_difference_in_place<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, u64>
    where
        A: Borrow<T>,
    {
        self.combine(SetOperator::SymmetricDifference, Arguments::new::<T, A>(values))
    }

    /// Removes the values that another set of the same server has too, and adds the others of it; how many values there are then.
    ///
    /// The values do not cross the socket.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// # Atomicity
    /// One operation on both sets.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2, 3])?;
    /// assert_eq!(numbers.symmetric_difference_in_place_with(&others)?, 2);
    /// assert_eq!(numbers.values()?, [1, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__ixor__", "symmetric_difference_update"))]
    pub fn symmetric_difference_in_place_with<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, u64> {
        self.combine_from(SetOperator::SymmetricDifference, other)
    }

    fn combine(&self, operator: SetOperator, values: Arguments) -> L::Wait<'_, u64> {
        self.handle.call(|| Ok(set::CombineInPlace { operator, values: values.get()? }), Ok)
    }

    fn combine_from<M: Link>(&self, operator: SetOperator, other: &ManagerSet<T, M>) -> L::Wait<'_, u64> {
        let source = || self.handle.source(&other.handle.target);
        self.handle.call(|| Ok(set::CombineInPlaceFrom { operator, source: source()? }), Ok)
    }
}
