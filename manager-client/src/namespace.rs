//! The namespace: a dict of names, each of whose values may be of another type.

use manager_protocol::dict;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::argument::Argument;
use crate::batch::{Batch, Queue};
use crate::blocking::Blocking;
use crate::common::common;
use crate::dict::ManagerDict;
use crate::handle::Handle;
use crate::link::{Link, Target};
use crate::object::{Object, Sealed};
use crate::reference::references;

/// Named values of any types in the server, shared by every process that opens its name.
///
/// It is a dict whose keys are strings, seen in another way: [`dict`](Self::dict) has all of a dict's methods
/// for the values of one type. Each method is one operation of the server, atomic towards all others.
///
/// # Errors
/// Every method can fail with [`is_timeout`](crate::Error::is_timeout),
/// [`is_disconnected`](crate::Error::is_disconnected), [`is_no_such_object`](crate::Error::is_no_such_object) once
/// the dict was deleted, and, where it returns a value, with [`is_wrong_type`](crate::Error::is_wrong_type) if
/// that is not of the type asked for.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let settings = manager.namespace("settings")?;
/// settings.set("title", "Harvest")?;
/// settings.set("columns", &3_u8)?;
/// assert_eq!(settings.get::<String>("title")?, Some("Harvest".to_owned()));
/// assert_eq!(settings.get::<u8>("columns")?, Some(3));
/// assert_eq!(settings.get::<u8>("rows")?, None);
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Clone)]
pub struct ManagerNamespace<L = Blocking> {
    handle: Handle<L>,
}

references!([] ManagerNamespace, Dict, "settings", "manager.namespace(\"settings\")?");
common!(ManagerNamespace, "settings", "settings", "manager.namespace(\"settings\")?");

impl<L: Link> ManagerNamespace<L> {
    pub(crate) fn new(handle: Handle<L>) -> Self {
        Self { handle }
    }

    /// The same values as a dict: those of one type, or all if `V` takes them all.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// settings.set("columns", &3_u8)?;
    /// assert_eq!(settings.dict::<u8>().add("columns", 1)?, 4);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn dict<V>(&self) -> ManagerDict<String, V, L> {
        ManagerDict::new(self.handle.clone())
    }

    /// The same namespace, whose calls are queued in a pipeline or a transaction.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// let transaction = manager.transaction();
    /// settings.on(&transaction).set("columns", &3_u8);
    /// settings.on(&transaction).set("rows", &4_u8);
    /// transaction.commit()?;
    /// assert_eq!(settings.len()?, 2);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn on(&self, queue: &impl Queue) -> ManagerNamespace<Batch> {
        self.over(queue.link())
    }

    /// The value of a name.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// settings.set("columns", &3_u8)?;
    /// assert_eq!(settings.get("columns")?, Some(3_u8));
    /// assert!(settings.get::<String>("columns").is_err_and(|error| error.is_wrong_type()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__getattr__", "getattr"))]
    pub fn get<V: DeserializeOwned>(&self, name: &str) -> L::Wait<'_, Option<V>> {
        let key = Argument::new(name);
        self.handle.call(|| Ok(dict::Get { key: key.get()? }), |value| value.map(|value| value.decode()).transpose())
    }

    /// Gives a name a value, of whatever type the one before was.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// settings.set("columns", &3_u8)?;
    /// settings.set("columns", "three")?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__setattr__", "setattr"))]
    pub fn set<V: Serialize + ?Sized>(&self, name: &str, value: &V) -> L::Wait<'_, ()> {
        let (key, value) = (Argument::new(name), Argument::new(value));
        self.handle.call(|| Ok(dict::Set { key: key.get()?, value: value.get()? }), Ok)
    }

    /// Removes a name and its value; whether there was one.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// settings.set("columns", &3_u8)?;
    /// assert!(settings.remove("columns")?);
    /// assert!(!settings.remove("columns")?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias("__delattr__", "delattr"))]
    pub fn remove(&self, name: &str) -> L::Wait<'_, bool> {
        let key = Argument::new(name);
        self.handle.call(|| Ok(dict::Remove { key: key.get()? }), |value| Ok(value.is_some()))
    }

    /// Removes a name and returns its value.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// settings.set("columns", &3_u8)?;
    /// assert_eq!(settings.take("columns")?, Some(3_u8));
    /// assert!(settings.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn take<V: DeserializeOwned>(&self, name: &str) -> L::Wait<'_, Option<V>> {
        let key = Argument::new(name);
        self.handle.call(|| Ok(dict::Remove { key: key.get()? }), |value| value.map(|value| value.decode()).transpose())
    }

    /// Whether there is such a name.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// assert!(!settings.contains("columns")?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "hasattr")]
    pub fn contains(&self, name: &str) -> L::Wait<'_, bool> {
        let key = Argument::new(name);
        self.handle.call(|| Ok(dict::Contains { key: key.get()? }), Ok)
    }

    /// Every name, in the order in which they came, as of one moment.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// settings.set("title", "Harvest")?;
    /// settings.set("columns", &3_u8)?;
    /// assert_eq!(settings.names()?, ["title", "columns"]);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "keys")]
    pub fn names(&self) -> L::Wait<'_, Vec<String>> {
        self.handle.call(|| Ok(dict::Keys {}), |names| names.map(|name| name.decode()).collect())
    }

    /// How many names there are.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// assert_eq!(settings.len()?, 0);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[allow(clippy::len_without_is_empty, reason = "there is one")]
    pub fn len(&self) -> L::Wait<'_, u64> {
        self.handle.call(|| Ok(dict::Len {}), Ok)
    }

    /// Whether there is no name.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let settings = manager.namespace("settings")?;
    /// assert!(settings.is_empty()?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn is_empty(&self) -> L::Wait<'_, bool> {
        self.handle.call(|| Ok(dict::Len {}), |len| Ok(len == 0))
    }
}

impl<L> Sealed for ManagerNamespace<L> {}

impl<L: Link> Object for ManagerNamespace<L> {
    type Over<M: Link> = ManagerNamespace<M>;

    fn target(&self) -> &Target {
        &self.handle.target
    }

    fn over<M: Link>(&self, link: M) -> ManagerNamespace<M> {
        ManagerNamespace::new(self.handle.over(link))
    }
}
