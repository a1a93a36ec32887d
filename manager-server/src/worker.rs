//! A worker: one thread with one runtime that serves its share of the connections.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Sender;
use std::time::Instant;
use std::{io, thread};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::accept::{Acceptor, Arrival};
use crate::clock::keep_time;
use crate::config::Config;
use crate::connection::{self, Connection};
use crate::core::{Core, Time};
use crate::cores::Cores;
use crate::lane::Lanes;
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
    /// The lanes that clients may have, if they may.
    pub(crate) lanes: Option<Arc<Lanes>>,
    /// The workers that connections are dealt to.
    pub(crate) workers: Vec<UnboundedSender<Guest>>,
}

/// A connection that a worker is to serve.
#[derive(Debug)]
pub(crate) enum Guest {
    /// It was accepted just now.
    Arrived(Arrival),
    /// Another worker has served it until now.
    Moved(Box<Connection>),
}

impl Shared {
    /// The worker that looks into lanes.
    pub(crate) fn looker(&self) -> Option<&UnboundedSender<Guest>> {
        self.lanes.as_ref().map(|lanes| lanes.worker())
    }

    /// The time, as the core counts it.
    pub(crate) fn now(&self) -> Time {
        self.started.elapsed()
    }
}

/// One worker, before it runs.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Its place among the workers; the one that looks into lanes has none.
    pub(crate) index: Option<usize>,
    /// Its connections, as they come.
    pub(crate) guests: UnboundedReceiver<Guest>,
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
        let name = self.index.map_or_else(|| "manager-looker".to_owned(), |index| format!("manager-{index}"));
        thread::Builder::new().name(name).spawn(move || {
            let mut builder = Builder::new_current_thread();
            if let (Some(cores), Some(index)) = (self.cores.clone(), self.index) {
                cores.keep_to(index);
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
            if self.index.is_none()
                && let Some(lanes) = self.shared.lanes.clone()
            {
                let stop = self.stop.clone();
                connections.spawn(async move {
                    tokio::select! {
                        biased;
                        () = lanes.look() => {}
                        () = stop.requested() => {}
                    }
                });
            }
            report(started, Ok(()));
            serve(self.index, self.guests, connections, &self.shared, self.stop).await;
        });
        // Waits for nobody: whatever still runs on a thread of its own outlived the drain.
        runtime.shutdown_background();
    }
}

async fn serve(
    index: Option<usize>,
    mut guests: UnboundedReceiver<Guest>,
    mut connections: JoinSet<()>,
    shared: &Arc<Shared>,
    stop: Stop,
) {
    let mut stopped = std::pin::pin!(stop.clone().requested());
    loop {
        tokio::select! {
            Some(guest) = guests.recv() => {
                let stop = stop.clone();
                match guest {
                    Guest::Arrived(arrival) => {
                        let home = index.unwrap_or_default();
                        connections.spawn(connection::run(arrival, home, Arc::clone(shared), stop))
                    }
                    Guest::Moved(connection) => {
                        connections.spawn(connection::carry_on(connection, index.is_none(), stop))
                    }
                };
            }
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection ended by a fault in the server");
                }
            }
            () = &mut stopped => break,
        }
    }
    // Who is on the way here is told like the others.
    guests.close();
    while let Ok(guest) = guests.try_recv() {
        if let Guest::Moved(connection) = guest {
            connections.spawn(connection::carry_on(connection, index.is_none(), stop.clone()));
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
