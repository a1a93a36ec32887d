//! Paths: the way to what is inside a stored value.
//!
//! Here are the way and what reads at its end; what changes something there is in `path::change`.

mod change;
mod wait_for;

use std::fmt;

use manager_protocol::Encoded;
use manager_protocol::path::{Contains, Get, Len, Step};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::argument::Argument;
use crate::blocking::Blocking;
use crate::error::Result;
use crate::handle::Handle;
use crate::link::Link;

/// A place inside a value that the server holds.
///
/// It begins at a value: the one under a key of a dict ([`ManagerDict::at`](crate::ManagerDict::at)), at an
/// index of a list or an array, or in a value. From there it leads through maps and arrays. A struct
/// is a map from the names of its fields. Each method is one operation of the server on this place, atomic
/// towards all others, and only what is there crosses the socket.
///
/// A key that is missing is nothing wrong where something is read or removed: there is nothing then, as there is
/// where a new one is set. Further back on the way, what changes something is refused, unless the path
/// is one that [creates](Self::create) what is missing. The path does not lead into objects that a value
/// refers to: get the proxy first, and call that.
///
/// **A path has no types.** What it puts is not compared with the struct that was stored: a field of another type, or
/// a sum that does not fit the field, makes the whole value unreadable for those who expect the struct.
/// A misspelt field is a new one, and an `Option` field is got as `get::<Option<T>>`.
///
/// # Errors
/// Every method can fail as those of the proxy do, with [`is_out_of_range`](crate::Error::is_out_of_range) if there
/// is nothing at an index, and with [`is_path_mismatch`](crate::Error::is_path_mismatch) if the path, or the
/// method, does not fit what is there. A key or a value that cannot be encoded is told by the method that
/// would have sent it.
///
/// # Examples
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Job {
///     state: String,
///     steps: Vec<String>,
/// }
///
/// # let manager = manager_client::Manager::start()?;
/// let jobs = manager.dict::<String, Job>("jobs")?;
/// jobs.set("shirt", &Job { state: "waits".to_owned(), steps: Vec::new() })?;
///
/// let job = jobs.at("shirt");
/// job.field("state").set("runs")?;
/// assert_eq!(job.field("steps").push("wash")?, 1);
/// assert_eq!(job.field("steps").index(-1).get::<String>()?.as_deref(), Some("wash"));
/// # Ok::<(), manager_client::Error>(())
/// ```
#[must_use = "a path does nothing until one of its operations is called"]
pub struct ValuePath<L = Blocking> {
    pub(crate) handle: Handle<L>,
    at: Argument,
    steps: Vec<OwnedStep>,
    creates: bool,
}

#[derive(Clone)]
enum OwnedStep {
    Key(Argument),
    Index(i64),
}

impl OwnedStep {
    fn get(&self) -> Result<Step<'_>> {
        match self {
            Self::Key(key) => key.get().map(Step::Key),
            Self::Index(index) => Ok(Step::Index(*index)),
        }
    }
}

impl<L: Clone> ValuePath<L> {
    /// A path to the value that `at` tells of an object: a key, an index or nil.
    pub(crate) fn new<A: Serialize + ?Sized>(handle: &Handle<L>, at: &A) -> Self {
        Self { handle: handle.clone(), at: Argument::new(at), steps: Vec::new(), creates: false }
    }

    fn step(&self, step: OwnedStep) -> Self {
        let mut longer = self.clone();
        longer.steps.push(step);
        longer
    }

    /// The path to a field of the struct that is here: to the value under this key of the map.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let point = manager.value("point", &std::collections::BTreeMap::from([("x".to_owned(), 1)]))?;
    /// assert_eq!(point.at().field("x").get()?, Some(1));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn field(&self, name: &str) -> Self {
        self.key(name)
    }

    /// The path to the value under a key of the map that is here.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let seats = manager.value("seats", &std::collections::BTreeMap::from([(12, "ann".to_owned())]))?;
    /// assert_eq!(seats.at().key(&12).get()?, Some("ann".to_owned()));
    /// assert_eq!(seats.at().key(&13).get::<String>()?, None);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn key<Q: Serialize + ?Sized>(&self, key: &Q) -> Self {
        self.step(OwnedStep::Key(Argument::new(key)))
    }

    /// The path to an element of the array that is here; a negative index counts from the end.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7, 8, 9].as_slice())?;
    /// assert_eq!(rows.at(0).index(-1).get()?, Some(9));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn index(&self, index: i64) -> Self {
        self.step(OwnedStep::Index(index))
    }

    /// The same path, whose changes make what is missing on the way.
    ///
    /// Made is a map where the next step is a key, an array where it is an index or where something is added
    /// to one, 0 where a number is added; and the entry of a dict, if that is missing. The index behind the
    /// last one of an array is a new element.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let visits = manager.dict::<String, std::collections::BTreeMap<String, u64>>("visits")?;
    /// let monday = visits.at("home").field("monday");
    /// assert!(monday.add(1_u64).is_err());
    /// assert_eq!(monday.create().add(1_u64)?, 1);
    /// assert_eq!(visits.get("home")?.expect("made")["monday"], 1);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn create(&self) -> Self {
        Self { creates: true, ..self.clone() }
    }
}

impl<L> ValuePath<L> {
    /// What says on the wire where this is.
    pub(crate) fn place(&self) -> Result<(Encoded<'_>, Vec<Step<'_>>)> {
        Ok((self.at.get()?, self.steps.iter().map(OwnedStep::get).collect::<Result<_>>()?))
    }
}

impl<L: Link> ValuePath<L> {
    /// What is here, if anything is.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7, 8].as_slice())?;
    /// assert_eq!(rows.at(0).index(1).get()?, Some(8));
    /// assert_eq!(rows.at(0).get::<Vec<i64>>()?, Some(vec![7, 8]));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__getitem__")]
    pub fn get<T: DeserializeOwned>(&self) -> L::Wait<'_, Option<T>> {
        let operation = || self.place().map(|(at, path)| Get { at, path });
        self.handle.call(operation, |value| value.map(|value| value.decode()).transpose())
    }

    /// How many elements the array, or entries the map, has that is here.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7, 8].as_slice())?;
    /// assert_eq!(rows.at(0).len()?, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__len__")]
    #[allow(clippy::len_without_is_empty, reason = "what is here need not be a collection")]
    pub fn len(&self) -> L::Wait<'_, u64> {
        self.handle.call(|| self.place().map(|(at, path)| Len { at, path }), Ok)
    }

    /// Whether the array that is here has an element equal to this one, or the map such a key.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let rows = manager.list::<Vec<i64>>("rows")?;
    /// rows.push([7, 8].as_slice())?;
    /// assert!(rows.at(0).contains(&8)?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "__contains__")]
    pub fn contains<W: Serialize + ?Sized>(&self, value: &W) -> L::Wait<'_, bool> {
        let value = Argument::new(value);
        let operation = || {
            let (at, path) = self.place()?;
            Ok(Contains { at, path, value: value.get()? })
        };
        self.handle.call(operation, Ok)
    }
}

impl<L: Clone> Clone for ValuePath<L> {
    fn clone(&self) -> Self {
        let Self { handle, at, steps, creates } = self;
        Self { handle: handle.clone(), at: at.clone(), steps: steps.clone(), creates: *creates }
    }
}

impl<L> fmt::Debug for ValuePath<L> {
    /// Without the keys on the way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValuePath")
            .field("object", &self.handle.target.label())
            .field("steps", &self.steps.len())
            .field("creates", &self.creates)
            .finish()
    }
}

#[cfg(test)]
mod tests;
