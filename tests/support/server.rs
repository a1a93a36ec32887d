//! A real server on a private socket, inside the test's process.

use std::path::Path;

use std::thread;
use std::time::{Duration, Instant};

use manager_client::{Manager, aio};
use manager_server::core::Census;
use manager_server::{Config, Server};

/// A server that listens until it is dropped.
///
/// When a test has dropped its clients, nothing may be left that they held: the drop sees to it.
#[derive(Debug)]
pub struct TestServer {
    server: Option<Server>,
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
    TestServer { server: Some(Server::start(config).unwrap()) }
}

impl TestServer {
    /// The path of its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.running().socket()
    }

    /// What it holds at the moment.
    #[must_use]
    pub fn census(&self) -> Census {
        self.running().census()
    }

    fn running(&self) -> &Server {
        self.server.as_ref().expect("it runs until it is dropped")
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
    pub fn stop(mut self) {
        self.server.take().expect("it runs until it is dropped").shutdown();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        if thread::panicking() {
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let census = server.census();
            if census == (Census { objects: census.objects, ..Census::default() }) {
                return;
            }
            assert!(Instant::now() < deadline, "without clients, the server still holds {census:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Far more than the server needs to see that a client has gone.
const PATIENCE: Duration = Duration::from_secs(30);
