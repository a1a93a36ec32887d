//! What two sets make together: the other one is given, or is in the server.
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
    /// The values of this set and those given; changes nothing.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.union([2, 3])?, [1, 2, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__or__")]
    pub fn union<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, Vec<T>>
    where
        A: Borrow<T>,
    {
        self.combined(SetOperator::Union, Arguments::new::<T, A>(values))
    }

    /// The values of this set and of another one of the same server; changes nothing.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2, 3])?;
    /// assert_eq!(numbers.union_with(&others)?, [1, 2, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__or__")]
    pub fn union_with<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, Vec<T>> {
        self.combined_from(SetOperator::Union, other)
    }

    /// The values of this set that are among those given; changes nothing.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.intersection([2, 3])?, [2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__and__")]
    pub fn intersection<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, Vec<T>>
    where
        A: Borrow<T>,
    {
        self.combined(SetOperator::Intersection, Arguments::new::<T, A>(values))
    }

    /// The values of this set that another one of the same server has too; changes nothing.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2, 3])?;
    /// assert_eq!(numbers.intersection_with(&others)?, [2]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__and__")]
    pub fn intersection_with<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, Vec<T>> {
        self.combined_from(SetOperator::Intersection, other)
    }

    /// The values of this set that are not among those given; changes nothing.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.difference([2, 3])?, [1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__sub__")]
    pub fn difference<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, Vec<T>>
    where
        A: Borrow<T>,
    {
        self.combined(SetOperator::Difference, Arguments::new::<T, A>(values))
    }

    /// The values of this set that another one of the same server has not; changes nothing.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2, 3])?;
    /// assert_eq!(numbers.difference_with(&others)?, [1]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__sub__")]
    pub fn difference_with<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, Vec<T>> {
        self.combined_from(SetOperator::Difference, other)
    }

    /// The values that are either in this set or among those given, and not both; changes nothing.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// assert_eq!(numbers.symmetric_difference([2, 3])?, [1, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__xor__")]
    pub fn symmetric_difference<A>(&self, values: impl IntoIterator<Item = A>) -> L::Wait<'_, Vec<T>>
    where
        A: Borrow<T>,
    {
        self.combined(SetOperator::SymmetricDifference, Arguments::new::<T, A>(values))
    }

    /// The values that either this set or another one of the same server has, and not both; changes nothing.
    ///
    /// # Errors
    /// [`is_other_server`](crate::Error::is_other_server) if the other set is in another server.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let numbers = manager.set::<i64>("numbers")?;
    /// numbers.extend([1, 2])?;
    /// let others = manager.set::<i64>("others")?;
    /// others.extend([2, 3])?;
    /// assert_eq!(numbers.symmetric_difference_with(&others)?, [1, 3]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__xor__")]
    pub fn symmetric_difference_with<M: Link>(&self, other: &ManagerSet<T, M>) -> L::Wait<'_, Vec<T>> {
        self.combined_from(SetOperator::SymmetricDifference, other)
    }

    fn combined(&self, operator: SetOperator, values: Arguments) -> L::Wait<'_, Vec<T>> {
        self.handle.call(
            || Ok(set::Combine { operator, values: values.get()? }),
            |values| values.map(|value| value.decode()).collect(),
        )
    }

    fn combined_from<M: Link>(&self, operator: SetOperator, other: &ManagerSet<T, M>) -> L::Wait<'_, Vec<T>> {
        self.handle.call(
            || Ok(set::CombineFrom { operator, source: self.handle.source(&other.handle.target)? }),
            |values| values.map(|value| value.decode()).collect(),
        )
    }
}
