//! A private server inside this process.

use std::path::{Path, PathBuf};
#[cfg(feature = "process")]
use std::sync::Weak;
use std::sync::{Arc, Mutex, PoisonError};

use manager_server::{Config, Server};

use crate::error::{Error, Reason, Result};

/// A server, until it is stopped.
#[derive(Debug)]
struct Slot {
    server: Mutex<Option<Server>>,
    /// The process that the server runs in. A fork has a copy of this, but not of the server.
    pid: u32,
}

impl Slot {
    /// Returns when the server has stopped, whoever has stopped it: what it made in the file system is gone.
    fn stop(&self) {
        let mut slot = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let server = slot.take();
        if self.pid == std::process::id() {
            drop(server);
        } else {
            std::mem::forget(server);
        }
    }
}

/// A server that ends with the last manager and proxy that use it.
pub(crate) struct Embedded {
    server: Arc<Slot>,
    socket: PathBuf,
}

impl Embedded {
    pub(crate) fn start() -> Result<Self> {
        let config = Config::private().map_err(|error| Error::with_source(Reason::Start, error))?;
        let server = Server::start(config).map_err(|error| Error::with_source(Reason::Start, error))?;
        let socket = server.socket().to_owned();
        let server = Arc::new(Slot { server: Mutex::new(Some(server)), pid: std::process::id() });
        #[cfg(feature = "process")]
        note(&server);
        Ok(Self { server, socket })
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.server.stop();
    }
}

/// The private servers of this program.
#[cfg(feature = "process")]
static SERVERS: Mutex<Vec<Weak<Slot>>> = Mutex::new(Vec::new());

#[cfg(feature = "process")]
fn note(server: &Arc<Slot>) {
    crate::process::prepare();
    let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    servers.retain(|server| server.strong_count() > 0);
    servers.push(Arc::downgrade(server));
}

/// Stops the private servers: the program is about to end.
#[cfg(feature = "process")]
pub(crate) fn stop_all() {
    // Locked all the while: a thread that comes second goes on to end the program.
    let servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    servers.iter().filter_map(Weak::upgrade).for_each(|server| server.stop());
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("pid", &self.server.pid).finish_non_exhaustive()
    }
}
