//! The manager: a program's way to a server, and to the objects in it.

use std::ffi::OsStr;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::process::Command;
#[cfg(feature = "process")]
use std::sync::OnceLock;

use manager_protocol::{Kind, Operation, SOCKET_VARIABLE, manager};

use crate::blocking::{Blocking, finish};
#[cfg(feature = "embedded")]
use crate::embedded::Embedded;
use crate::endpoint::Endpoint;
use crate::error::{Error, Reason, Result};
use crate::link::{DirectLink, Link, Target};
use crate::options::Options;
use crate::pipeline::Pipeline;
use crate::transaction::{Attempt, Transaction, transact};

/// A program's way to a server and the objects in it.
///
/// Clones share their connections. It can be used from many threads, and survives a fork: a connection
/// is never shared between processes.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let hits = manager.dict::<String, u64>("hits")?;
/// hits.add("home", 1)?;
/// assert_eq!(hits.get("home")?, Some(1));
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Manager<L = Blocking> {
    link: L,
}

/// A named object of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The name that it was opened by.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

impl Manager {
    /// Joins the server whose socket is at a path.
    ///
    /// ```no_run
    /// let manager = manager_client::Manager::connect("/run/app/manager.sock")?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_disconnected`](Error::is_disconnected) if no server listens there. A socket in a directory that
    /// others can write to, or of a server that another user runs, is refused.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().connect(path)
    }

    /// Joins the server at the default place: see [`manager_socket::default_socket`].
    ///
    /// ```no_run
    /// let manager = manager_client::Manager::connect_default()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and if there is no default place.
    pub fn connect_default() -> Result<Self> {
        Self::connect(default_socket()?)
    }

    /// Joins the server that the environment tells: what a parent gave with [`command`](Self::command).
    ///
    /// ```no_run
    /// let manager = manager_client::Manager::from_env()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and if the variable `MANAGER_SOCKET` is not set.
    pub fn from_env() -> Result<Self> {
        let socket = socket_from_env()?;
        #[cfg(feature = "process")]
        if let Some(shared) = SHARED.get().filter(|shared| shared.socket() == socket) {
            return Ok(shared.clone());
        }
        Self::connect(socket)
    }

    /// Starts a private server inside this process, for it and its children.
    ///
    /// The server ends with the last clone of this manager and the last of its proxies.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// manager.ping()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the server cannot be started.
    #[cfg(feature = "embedded")]
    pub fn start() -> Result<Self> {
        Self::options().start()
    }

    /// What can be set before connecting.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// let manager = manager_client::Manager::options().timeout(Duration::from_secs(5)).connect("/run/app/manager.sock")?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn options() -> Options {
        Options::new()
    }

    /// The path of the server's socket.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let other = manager_client::Manager::connect(manager.socket())?;
    /// other.ping()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.link.socket()
    }

    /// A command whose process finds this server with [`from_env`](Self::from_env).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let status = manager.command("true").status().expect("there is a program called true");
    /// assert!(status.success());
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        command(program, self.socket())
    }

    /// Runs a closure that reads and changes objects, as one transaction.
    ///
    /// What the closure reads through [`Attempt::read`] is read at once; what it changes through
    /// [`Attempt::write`] is changed at the end, all or nothing, and only if nothing that was read has
    /// changed meanwhile. If it has, the closure runs again.
    ///
    /// # Errors
    /// What the closure returns; what a change was refused with; [`is_timeout`](Error::is_timeout) if others
    /// were faster each time.
    ///
    /// # Atomicity
    /// Of all objects read and written. A version is of a whole object, so any change to an object
    /// that was read makes the closure run again. What is read of two objects may be of two moments;
    /// a closure that saw such never commits, but it should not panic over it.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// ages.set("ann", &31)?;
    /// let age = manager.transact(|attempt| {
    ///     let age = attempt.read(&ages).get("ann")?.unwrap_or(0);
    ///     attempt.write(&ages).set("bob", &(age + 1));
    ///     Ok(age)
    /// })?;
    /// assert_eq!(ages.get("bob")?, Some(age + 1));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn transact<T>(&self, mut attempt: impl FnMut(Attempt) -> Result<T>) -> Result<T> {
        finish(transact(&self.link, |tried| ready(attempt(tried))))
    }
}

impl<L: Link> Manager<L> {
    /// A manager over any link: of another transport, or of none.
    pub fn over(link: L) -> Self {
        Self { link }
    }

    /// The link that the manager's calls take.
    pub fn link(&self) -> &L {
        &self.link
    }

    /// Deletes the object with this name; whether there was one.
    ///
    /// Its proxies then fail with [`is_no_such_object`](Error::is_no_such_object).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// assert!(manager.delete("ages")?);
    /// assert!(ages.len().is_err_and(|error| error.is_no_such_object()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn delete(&self, name: &str) -> L::Wait<'_, bool> {
        let target = Target::new(MANAGER, Some(name.into()), self.link.epoch());
        let encode = |out: &mut Vec<u8>| manager::Delete { name }.encode(out);
        self.link.call(&target, manager::Delete::ROW, encode, |answer| answer.reply::<manager::Delete<'_>>())
    }

    /// All named objects, in no order.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let objects = manager.objects()?;
    /// assert_eq!(objects[0].name, "ages");
    /// assert_eq!(objects[0].kind, manager_client::Kind::Dict);
    /// # let _ = ages;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn objects(&self) -> L::Wait<'_, Vec<ObjectInfo>> {
        let encode = |out: &mut Vec<u8>| manager::Objects {}.encode(out);
        self.link.call(&self.itself(), manager::Objects::ROW, encode, |answer| {
            let entries = answer.reply::<manager::Objects>()?;
            Ok(entries.map(|entry| ObjectInfo { name: entry.name, kind: entry.kind }).collect())
        })
    }

    /// Asks the server for a sign of life.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// manager.ping()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn ping(&self) -> L::Wait<'_, ()> {
        let encode = |out: &mut Vec<u8>| manager::Ping {}.encode(out);
        self.link.call(&self.itself(), manager::Ping::ROW, encode, |answer| answer.reply::<manager::Ping>())
    }

    fn itself(&self) -> Target {
        Target::new(MANAGER, None, self.link.epoch())
    }
}

impl<L: DirectLink> Manager<L> {
    /// A queue of calls that are sent together.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let pipeline = manager.pipeline();
    /// ages.on(&pipeline).set("ann", &31);
    /// pipeline.send()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn pipeline(&self) -> Pipeline<L> {
        Pipeline::new(self.link.clone())
    }

    /// A queue of calls that are carried out as one, or not at all.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let ages = manager.dict::<String, u64>("ages")?;
    /// let transaction = manager.transaction();
    /// ages.on(&transaction).set("ann", &31);
    /// transaction.commit()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn transaction(&self) -> Transaction<L> {
        Transaction::new(self.link.clone())
    }
}

impl Options {
    /// Starts a private server: see [`Manager::start`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let manager = manager_client::Manager::options().timeout(Duration::from_secs(5)).start()?;
    /// # manager.ping()?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Manager::start`].
    #[cfg(feature = "embedded")]
    pub fn start(self) -> Result<Manager> {
        Ok(Manager { link: Blocking::connect(Endpoint::of_embedded(Embedded::start()?, self.settings))? })
    }

    /// Joins the server whose socket is at a path.
    ///
    /// # Errors
    /// As [`Manager::connect`].
    pub fn connect(self, path: impl AsRef<Path>) -> Result<Manager> {
        Ok(Manager { link: Blocking::connect(Endpoint::new(path.as_ref().to_owned(), self.settings))? })
    }
}

pub(crate) fn default_socket() -> Result<PathBuf> {
    manager_socket::default_socket().map_err(|error| Error::with_source(Reason::NoDefaultSocket, error))
}

pub(crate) fn socket_from_env() -> Result<PathBuf> {
    match std::env::var_os(SOCKET_VARIABLE) {
        Some(path) if !path.is_empty() => Ok(path.into()),
        Some(_) | None => Err(Error::new(Reason::NoVariable)),
    }
}

pub(crate) fn command(program: impl AsRef<OsStr>, socket: &Path) -> Command {
    let mut command = Command::new(program);
    // A child may run in another directory.
    let socket = std::path::absolute(socket).unwrap_or_else(|_| socket.to_owned());
    command.env(SOCKET_VARIABLE, socket);
    command
}

/// What all of this process uses that finds its server in the environment.
#[cfg(feature = "process")]
static SHARED: OnceLock<Manager> = OnceLock::new();

/// From now on [`Manager::from_env`] gives this one, if it is of the same server: what a task makes, and returns a
/// proxy of, is then held until it was told.
#[cfg(feature = "process")]
pub(crate) fn share(manager: &Manager) {
    SHARED.get_or_init(|| manager.clone());
}

/// The number of the manager itself.
pub(crate) const MANAGER: u64 = 0;
