//! A private server inside this process.

use std::path::Path;

use manager_server::{Config, Server};

use crate::error::{Error, Reason, Result};

/// A server that ends with the last manager and proxy that use it.
pub(crate) struct Embedded {
    server: Option<Server>,
    /// The process that the server runs in. A fork has a copy of the handle, but not of the server.
    pid: u32,
}

impl Embedded {
    pub(crate) fn start() -> Result<Self> {
        let config = Config::private().map_err(|error| Error::with_source(Reason::Start, error))?;
        let server = Server::start(config).map_err(|error| Error::with_source(Reason::Start, error))?;
        Ok(Self { server: Some(server), pid: std::process::id() })
    }

    pub(crate) fn socket(&self) -> &Path {
        self.server.as_ref().expect("there is a server until the drop").socket()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let server = self.server.take();
        if self.pid != std::process::id() {
            std::mem::forget(server);
        }
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("pid", &self.pid).finish_non_exhaustive()
    }
}
