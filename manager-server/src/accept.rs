//! Accepts connections and deals them out to the workers, one after the other.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::UCred;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::stop::Stop;
use crate::worker::Guest;

/// Accepts connections, within the limits on their number.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: UnixListener,
    workers: Vec<UnboundedSender<Guest>>,
    hellos: Arc<Semaphore>,
    seats: Arc<Semaphore>,
}

/// A connection that was accepted, and its places within the limits.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The socket, non-blocking.
    pub(crate) stream: UnixStream,
    /// The process at the other end.
    pub(crate) peer: UCred,
    /// A place among those that have not said hello.
    pub(crate) hello: OwnedSemaphorePermit,
    /// A place among all connections, if there was one.
    pub(crate) seat: Option<OwnedSemaphorePermit>,
}

impl Acceptor {
    /// An acceptor of what comes to a non-blocking `listener`, for these workers.
    pub(crate) fn new(listener: UnixListener, workers: Vec<UnboundedSender<Guest>>, config: &Config) -> Self {
        let places = |limit: usize| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self { listener, workers, hellos: places(config.max_unauthenticated), seats: places(config.max_connections) }
    }

    /// Registers with this thread's runtime; what is returned accepts until it is time to stop.
    pub(crate) fn listen(self, stop: Stop) -> io::Result<impl Future<Output = ()> + Send + 'static> {
        let listener = tokio::net::UnixListener::from_std(self.listener)?;
        let accepting = async move {
            let mut trouble = Trouble::default();
            for worker in self.workers.iter().cycle() {
                // Whoever comes while too many are silent waits in the listener's backlog.
                let Ok(hello) = Arc::clone(&self.hellos).acquire_owned().await else { return };
                let (peer, stream) = loop {
                    // Back to a plain socket: it is to be registered with another thread's runtime.
                    let accepted = listener.accept().await;
                    match accepted.and_then(|(stream, _)| Ok((stream.peer_cred()?, stream.into_std()?))) {
                        Ok(accepted) => break accepted,
                        Err(error) => trouble.wait(&error).await,
                    }
                };
                trouble.over();
                let seat = Arc::clone(&self.seats).try_acquire_owned().ok();
                if worker.send(Guest::Arrived(Arrival { stream, peer, hello, seat })).is_err() {
                    return; // The worker has stopped, and so will this.
                }
            }
        };
        Ok(async move {
            tokio::select! {
                () = accepting => {}
                () = stop.requested() => {}
            }
        })
    }
}

/// What is done when accepting fails: mostly, no file descriptor is free.
#[derive(Debug, Default)]
struct Trouble {
    pause: Duration,
    logged: Option<Instant>,
}

impl Trouble {
    /// Waits, longer each time, so that a full server does not spin; logs now and then.
    async fn wait(&mut self, error: &io::Error) {
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) {
            return; // Nothing is short; the next client may be there.
        }
        if self.logged.is_none_or(|logged| logged.elapsed() > LOG_INTERVAL) {
            tracing::error!(%error, "cannot accept connections, trying again");
            self.logged = Some(Instant::now());
        }
        self.pause = (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        sleep(self.pause).await;
    }

    fn over(&mut self) {
        self.pause = Duration::ZERO;
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const LOG_INTERVAL: Duration = Duration::from_secs(10);
