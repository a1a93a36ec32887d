//! A worker: one thread with one runtime that serves its share of the connections.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Sender;
use std::time::Instant;
use std::{io, thread};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::accept::{Acceptor, Arrival};
use crate::clock::keep_time;
use crate::config::Config;
use crate::connection;
use crate::core::{Core, Time};
use crate::cores::Cores;
use crate::stop::Stop;
use crate::tidy::keep_tidy;

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What the server holds.
    pub(crate) core: Arc<Core>,
    /// How it is to be served.
    pub(crate) config: Config,
    /// When the server started: the core's time is counted from here.
    pub(crate) started: Instant,
    /// How many clients were disconnected because they took no replies.
    pub(crate) stalled: AtomicU64,
}

impl Shared {
    /// The time, as the core counts it.
    pub(crate) fn now(&self) -> Time {
        self.started.elapsed()
    }
}

/// One worker, before it runs.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Its place among the workers.
    pub(crate) index: usize,
    /// Its connections, as they come.
    pub(crate) arrivals: UnboundedReceiver<Arrival>,
    /// What it shares with the others.
    pub(crate) shared: Arc<Shared>,
    /// When it is to end.
    pub(crate) stop: Stop,
    /// The first worker also accepts, for all of them.
    pub(crate) acceptor: Option<Acceptor>,
    /// Where it runs, if each worker has a core.
    pub(crate) cores: Option<Cores>,
}

impl Worker {
    /// Starts the worker's thread, which says on `started` whether it could set itself up.
    pub(crate) fn spawn(self, started: Sender<io::Result<()>>) -> io::Result<thread::JoinHandle<()>> {
        thread::Builder::new().name(format!("manager-{}", self.index)).spawn(move || {
            let mut builder = Builder::new_current_thread();
            if let Some(cores) = self.cores.clone() {
                cores.keep_to(self.index);
                // For threads that run what takes long: they are started from here.
                builder.on_thread_start(move || cores.roam());
            }
            let runtime = match builder.enable_all().max_blocking_threads(PATIENT_THREADS).build() {
                Ok(runtime) => runtime,
                Err(error) => return report(&started, Err(error)),
            };
            self.run(runtime, &started);
        })
    }

    fn run(self, runtime: Runtime, started: &Sender<io::Result<()>>) {
        runtime.block_on(async {
            let mut connections = JoinSet::new();
            let acceptor = self.acceptor.map(|acceptor| acceptor.listen(self.stop.clone())).transpose();
            match acceptor {
                Ok(None) => {}
                Ok(Some(accepting)) => {
                    connections.spawn(accepting);
                    connections.spawn(keep_time(Arc::clone(&self.shared), self.stop.clone()));
                    connections.spawn(keep_tidy(Arc::clone(&self.shared), self.stop.clone()));
                }
                Err(error) => return report(started, Err(error)),
            }
            report(started, Ok(()));
            serve(self.arrivals, connections, &self.shared, self.stop).await;
        });
        // Waits for nobody: whatever still runs on a thread of its own outlived the drain.
        runtime.shutdown_background();
    }
}

async fn serve(
    mut arrivals: UnboundedReceiver<Arrival>,
    mut connections: JoinSet<()>,
    shared: &Arc<Shared>,
    stop: Stop,
) {
    let mut stopped = std::pin::pin!(stop.clone().requested());
    loop {
        tokio::select! {
            Some(arrival) = arrivals.recv() => {
                connections.spawn(connection::run(arrival, Arc::clone(shared), stop.clone()));
            }
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection ended by a fault in the server");
                }
            }
            () = &mut stopped => break,
        }
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(shared.config.drain, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "closing connections that did not end in time");
    }
}

fn report(started: &Sender<io::Result<()>>, result: io::Result<()>) {
    // Nobody waits any more once another worker has failed to start.
    let _unheard = started.send(result).is_err();
}

/// Most requests of one worker that are being run apart from it at one time. Most of them wait: for
/// the lock of an object that is busy, while requests for other objects must find a thread free.
const PATIENT_THREADS: usize = 256;
