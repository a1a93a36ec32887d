//! Changes what is at the end of a path.

use manager_protocol::path::{Add, Extend, Insert, Remove, Set};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ValuePath;
use crate::argument::{Argument, Arguments};
use crate::link::Link;
use crate::number::{Number, sum};

impl<L: Link> ValuePath<L> {
    /// Puts a value here: in the place of another, or under a key that its map did not have.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7, 8].as_slice())?;
    /// rows.at(0).index(1).set(&9)?;
    /// assert_eq!(rows.get(0)?, [7, 9]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__setitem__")]
    pub fn set<W: Serialize + ?Sized>(&self, value: &W) -> L::Wait<'_, ()> {
        let (value, create) = (Argument::new(value), self.creates);
        let operation = || {
            let (at, path) = self.place()?;
            Ok(Set { at, path, value: value.get()?, create })
        };
        self.handle.call(operation, Ok)
    }

    /// Removes what is here and returns it. Of an array, the elements behind it move up.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7, 8].as_slice())?;
    /// assert_eq!(rows.at(0).index(0).remove()?, Some(7));
    /// assert_eq!(rows.get(0)?, [8]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("pop", "__delitem__"))]
    pub fn remove<T: DeserializeOwned>(&self) -> L::Wait<'_, Option<T>> {
        let operation = || self.place().map(|(at, path)| Remove { at, path });
        self.handle.call(operation, |value| value.map(|value| value.decode()).transpose())
    }

    /// Adds to the number that is here and returns the sum, which must fit the type of what is added.
    ///
    /// A path knows nothing of the struct around it: say of which type the field is, as in `add(1_u64)`. What is
    /// added without a type is an `i32`, and so is the sum.
    ///
    /// # Errors
    /// [`is_overflow`](crate::Error::is_overflow) if the sum does not fit an `N`,
    /// [`is_not_a_number`](crate::Error::is_not_a_number) if there is something else; nothing is changed then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7, 8].as_slice())?;
    /// assert_eq!(rows.at(0).index(1).add(2_i64)?, 10);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("incr", "fetch_add"))]
    pub fn add<N: Number>(&self, delta: N) -> L::Wait<'_, N> {
        let (delta, bounds, create) = (Argument::new(&delta), sum::<N>(), self.creates);
        let operation = || {
            let (at, path) = self.place()?;
            Ok(Add { at, path, delta: delta.get()?, bounds: bounds.get()?, create })
        };
        self.handle.call(operation, |sum| sum.decode())
    }

    /// Adds an element at the end of the array that is here; how many it has then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7].as_slice())?;
    /// assert_eq!(rows.at(0).push(&8)?, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("append", "push_back"))]
    pub fn push<W: Serialize + ?Sized>(&self, value: &W) -> L::Wait<'_, u64> {
        self.extend([value])
    }

    /// Adds several elements at the end of the array that is here; how many it has then.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7].as_slice())?;
    /// assert_eq!(rows.at(0).extend([8, 9])?, 3);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__iadd__")]
    pub fn extend<W: Serialize>(&self, values: impl IntoIterator<Item = W>) -> L::Wait<'_, u64> {
        let (values, create) = (Arguments::new::<W, W>(values), self.creates);
        let operation = || {
            let (at, path) = self.place()?;
            Ok(Extend { at, path, values: values.get()?, create })
        };
        self.handle.call(operation, Ok)
    }

    /// Inserts an element before an index of the array that is here; an index past either end means that end.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([8].as_slice())?;
    /// rows.at(0).insert(0, &7)?;
    /// assert_eq!(rows.get(0)?, [7, 8]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn insert<W: Serialize + ?Sized>(&self, index: i64, value: &W) -> L::Wait<'_, ()> {
        let (value, create) = (Argument::new(value), self.creates);
        let operation = || {
            let (at, path) = self.place()?;
            Ok(Insert { at, path, index, value: value.get()?, create })
        };
        self.handle.call(operation, Ok)
    }
}
