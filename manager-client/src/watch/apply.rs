//! Keeps a collection of one's own like the one that is watched.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use super::update::{DictChange, DictUpdate, ListUpdate};

/// A map that can be kept like a dict, by [`DictUpdate::apply_to`].
///
/// ```
/// use manager_client::{DictChange, DictUpdate, UpdateTarget};
///
/// /// Counts what happens, and keeps nothing.
/// #[derive(Default)]
/// struct Counter(usize);
///
/// impl<K, V> UpdateTarget<K, V> for Counter {
///     fn put(&mut self, _: K, _: V) {
///         self.0 += 1;
///     }
///
///     fn take(&mut self, _: &K) {
///         self.0 += 1;
///     }
///
///     fn clear(&mut self) {}
/// }
///
/// let mut counter = Counter::default();
/// DictUpdate::Changes(vec![DictChange::Set { version: 7, key: "ann", value: 31 }]).apply_to(&mut counter);
/// assert_eq!(counter.0, 1);
/// ```
pub trait UpdateTarget<K, V> {
    /// Puts a value under a key.
    fn put(&mut self, key: K, value: V);

    /// Removes a key, if it is there.
    fn take(&mut self, key: &K);

    /// Removes all keys.
    fn clear(&mut self);
}

impl<K: Eq + Hash, V, S: BuildHasher> UpdateTarget<K, V> for HashMap<K, V, S> {
    fn put(&mut self, key: K, value: V) {
        self.insert(key, value);
    }

    fn take(&mut self, key: &K) {
        self.remove(key);
    }

    fn clear(&mut self) {
        Self::clear(self);
    }
}

impl<K: Ord, V> UpdateTarget<K, V> for BTreeMap<K, V> {
    fn put(&mut self, key: K, value: V) {
        self.insert(key, value);
    }

    fn take(&mut self, key: &K) {
        self.remove(key);
    }

    fn clear(&mut self) {
        Self::clear(self);
    }
}

impl<K, V> DictUpdate<K, V> {
    /// Does to a map what was done to the dict.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// let mut watch = ages.watch();
    /// let mut mine = HashMap::new();
    /// watch.next().expect("never the end")?.apply_to(&mut mine);
    /// ages.remove("ann")?;
    /// assert_eq!(mine["ann"], 31);
    /// watch.next().expect("never the end")?.apply_to(&mut mine);
    /// assert!(mine.is_empty());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn apply_to(self, map: &mut impl UpdateTarget<K, V>) {
        match self {
            Self::Snapshot { entries, .. } => {
                map.clear();
                entries.into_iter().for_each(|(key, value)| map.put(key, value));
            }
            Self::Changes(changes) => {
                for change in changes {
                    match change {
                        DictChange::Set { key, value, .. } => map.put(key, value),
                        DictChange::Removed { key, .. } => map.take(&key),
                        DictChange::Cleared { .. } => map.clear(),
                    }
                }
            }
        }
    }
}

impl<T> ListUpdate<T> {
    /// Does to a vector what was done to the list.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let todo = manager.list::<String>("todo")?;
    /// todo.push("eat")?;
    /// let mut watch = todo.watch();
    /// let mut mine = Vec::new();
    /// watch.next().expect("never the end")?.apply_to(&mut mine);
    /// todo.push("sleep")?;
    /// watch.next().expect("never the end")?.apply_to(&mut mine);
    /// assert_eq!(mine, ["eat", "sleep"]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn apply_to(self, vector: &mut Vec<T>) {
        match self {
            Self::Snapshot { values, .. } => *vector = values,
            Self::Changes(changes) => {
                for change in changes {
                    // A vector that was not kept from the snapshot on may be shorter.
                    let start = index(change.start, vector.len());
                    let removed = index(change.removed, vector.len() - start);
                    vector.splice(start..start + removed, change.values);
                }
            }
        }
    }
}

fn index(index: u64, most: usize) -> usize {
    usize::try_from(index).map_or(most, |index| index.min(most))
}

#[cfg(test)]
mod tests {
    use super::super::update::ListChange;
    use super::*;

    #[test]
    fn a_vector_is_kept_like_the_list() {
        let mut vector = vec![9];
        ListUpdate::Snapshot { version: 3, values: vec![1, 2, 3], resync: false }.apply_to(&mut vector);
        assert_eq!(vector, [1, 2, 3]);
        let change =
            |start, removed, values: &[i32]| ListChange { version: 4, start, removed, values: values.to_vec() };
        ListUpdate::Changes(vec![change(1, 1, &[7, 8]), change(4, 0, &[4]), change(0, 1, &[])]).apply_to(&mut vector);
        assert_eq!(vector, [7, 8, 3, 4]);
        ListUpdate::Changes(vec![change(9, 9, &[5]), change(0, u64::MAX, &[])]).apply_to(&mut vector);
        assert!(vector.is_empty());
    }

    #[test]
    fn a_map_is_kept_like_the_dict() {
        let mut map = BTreeMap::from([("old", 1)]);
        DictUpdate::Snapshot { version: 3, entries: vec![("ann", 31)], resync: true }.apply_to(&mut map);
        assert_eq!(map, BTreeMap::from([("ann", 31)]));
        let set = |key, value| DictChange::Set { version: 4, key, value };
        let removed = DictChange::Removed { version: 5, key: "ann" };
        DictUpdate::Changes(vec![set("ann", 32), set("bob", 40), removed]).apply_to(&mut map);
        assert_eq!(map, BTreeMap::from([("bob", 40)]));
        DictUpdate::Changes(vec![DictChange::Cleared { version: 6 }, set("cid", 1)]).apply_to(&mut map);
        assert_eq!(map, BTreeMap::from([("cid", 1)]));
    }
}
