//! Has the core do what is to be done about garbage.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::core::Untidy;
use crate::stop::Stop;
use crate::worker::Shared;

/// Keeps the core tidy, until the server stops. Sleeps while nothing is to be done.
///
/// The work is done on a thread that may be kept busy. Looking for circles visits all that can be reached
/// from where a link was lost, so it is given a small part of the time at most.
pub(crate) async fn keep_tidy(shared: Arc<Shared>, stop: Stop) {
    let keeping = async {
        loop {
            let untidy = poll_fn(|context| shared.core.poll_untidy(context)).await;
            let core = Arc::clone(&shared);
            match untidy {
                Untidy::Dead => work(move || core.core.bury(core.now())).await,
                Untidy::Suspects => {
                    let started = Instant::now();
                    work(move || {
                        core.core.break_circles();
                    })
                    .await;
                    rest(&shared, started.elapsed()).await;
                }
            }
        }
    };
    tokio::select! {
        () = keeping => {}
        () = stop.requested() => {}
    }
}

/// Lets some time go by before circles are looked for again; what is dead is buried meanwhile.
async fn rest(shared: &Arc<Shared>, worked: Duration) {
    let mut rest = std::pin::pin!(sleep((worked * REST).max(SHORTEST_REST)));
    loop {
        let dead = poll_fn(|context| match shared.core.poll_untidy(context) {
            std::task::Poll::Ready(Untidy::Dead) => std::task::Poll::Ready(()),
            std::task::Poll::Ready(Untidy::Suspects) | std::task::Poll::Pending => std::task::Poll::Pending,
        });
        tokio::select! {
            () = &mut rest => return,
            () = dead => {
                let core = Arc::clone(shared);
                work(move || core.core.bury(core.now())).await;
            }
        }
    }
}

async fn work(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = spawn_blocking(work).await {
        tracing::error!(%error, "tidying up ended by a fault in the server");
    }
}

/// How many times as long as it has worked it rests.
const REST: u32 = 8;

/// Suspects come in crowds: those that come within this time are looked at together.
const SHORTEST_REST: Duration = Duration::from_millis(20);
