//! A real server on a private socket, inside the test's process.

use std::path::Path;

use manager_client::{Manager, aio};
use manager_server::{Config, Server};

/// A server that listens until it is dropped.
#[derive(Debug)]
pub struct TestServer {
    server: Server,
}

/// Starts a server with the default configuration.
#[must_use]
pub fn server() -> TestServer {
    server_with(|_| {})
}

/// Starts a server whose configuration was changed by a closure.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn server_with(change: impl FnOnce(&mut Config)) -> TestServer {
    let mut config = Config::private().unwrap();
    change(&mut config);
    TestServer { server: Server::start(config).unwrap() }
}

impl TestServer {
    /// The path of its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.server.socket()
    }

    /// A new blocking client.
    ///
    /// # Panics
    /// If it cannot connect.
    #[must_use]
    pub fn manager(&self) -> Manager {
        Manager::connect(self.socket()).unwrap()
    }

    /// A new async client.
    ///
    /// # Panics
    /// If it cannot connect.
    pub async fn aio(&self) -> aio::Manager {
        aio::Manager::connect(self.socket()).await.unwrap()
    }

    /// Stops the server now rather than on drop.
    pub fn stop(self) {
        self.server.shutdown();
    }
}
