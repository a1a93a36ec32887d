//! The async manager.

use std::ffi::OsStr;
use std::future::Future;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;

use super::{Async, Attempt, Options};
#[cfg(feature = "embedded")]
use crate::embedded::Embedded;
use crate::endpoint::Endpoint;
use crate::error::Result;
#[cfg(feature = "embedded")]
use crate::error::{Error, Reason};
use crate::manager::{command, default_socket, socket_from_env};
use crate::transaction::transact;

/// A program's way to a server and the objects in it, whose calls give futures.
///
/// It has all the methods of [`crate::Manager`] over the [`Async`] link. It must be used within a tokio
/// runtime whose timers and I/O are enabled, and can be used from several: the connection belongs to
/// the runtime that made the call which needed it.
#[derive(Debug, Clone)]
pub struct Manager(crate::Manager<Async>);

impl Manager {
    /// Joins the server whose socket is at a path.
    ///
    /// # Errors
    /// As [`crate::Manager::connect`].
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().connect(path).await
    }

    /// Joins the server at the default place: see [`manager_socket::default_socket`].
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and if there is no default place.
    pub async fn connect_default() -> Result<Self> {
        Self::connect(default_socket()?).await
    }

    /// Joins the server that the environment tells: what a parent gave with [`command`](Self::command).
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and if the variable `MANAGER_SOCKET` is not set.
    pub async fn from_env() -> Result<Self> {
        Self::connect(socket_from_env()?).await
    }

    /// Starts a private server inside this process, for it and its children.
    ///
    /// The server ends with the last clone of this manager and the last of its proxies.
    ///
    /// # Errors
    /// If the server cannot be started.
    #[cfg(feature = "embedded")]
    pub async fn start() -> Result<Self> {
        Self::options().start().await
    }

    /// What can be set before connecting.
    pub fn options() -> Options {
        Options::new()
    }

    async fn of(endpoint: Endpoint) -> Result<Self> {
        Ok(Self(crate::Manager::over(Async::connect(endpoint).await?)))
    }

    /// The path of the server's socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.link().socket()
    }

    /// A command whose process finds this server with [`from_env`](Self::from_env).
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        command(program, self.socket())
    }

    /// Runs a closure that reads and changes objects, as one transaction.
    ///
    /// What the closure reads through `read` is read at once; what it changes through `write` is
    /// changed at the end, all or nothing, and only if nothing that was read has changed meanwhile.
    /// If it has, the closure runs again. What is read of two objects may be of two moments; a closure
    /// that saw such never commits, but it should not panic over it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), manager_client::Error> {
    /// # let manager = manager_client::aio::Manager::start().await?;
    /// # let ages = manager.dict::<String, u64>("ages").await?;
    /// let age = manager
    ///     .transact(|attempt| {
    ///         let ages = ages.clone();
    ///         async move {
    ///             let age = attempt.read(&ages).get("ann").await?.unwrap_or(30);
    ///             attempt.write(&ages).set("ann", &(age + 1));
    ///             Ok(age)
    ///         }
    ///     })
    ///     .await?;
    /// assert_eq!(ages.get("ann").await?, Some(age + 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`crate::Manager::transact`].
    pub async fn transact<T, F, W>(&self, attempt: F) -> Result<T>
    where
        F: FnMut(Attempt) -> W,
        W: Future<Output = Result<T>>,
    {
        transact(self.link(), attempt).await
    }
}

impl Deref for Manager {
    type Target = crate::Manager<Async>;

    fn deref(&self) -> &crate::Manager<Async> {
        &self.0
    }
}

impl From<Manager> for crate::Manager<Async> {
    fn from(manager: Manager) -> Self {
        manager.0
    }
}

impl Options {
    /// Starts a private server: see [`Manager::start`].
    ///
    /// # Errors
    /// As [`Manager::start`].
    #[cfg(feature = "embedded")]
    pub async fn start(self) -> Result<Manager> {
        let started = tokio::task::spawn_blocking(Embedded::start).await;
        let embedded = started.map_err(|error| Error::with_source(Reason::Start, error))??;
        Manager::of(Endpoint::of_embedded(embedded, self.settings)).await
    }

    /// Joins the server whose socket is at a path.
    ///
    /// # Errors
    /// As [`crate::Manager::connect`].
    pub async fn connect(self, path: impl AsRef<Path>) -> Result<Manager> {
        Manager::of(Endpoint::new(path.as_ref().to_owned(), self.settings)).await
    }
}
