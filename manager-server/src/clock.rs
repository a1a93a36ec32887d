//! Tells the core the time, when something is due and when it asks.

use std::cell::OnceCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::core::{Chores, Clock, Core, Time};
use crate::stop::Stop;
use crate::worker::Shared;

/// The time of requests that are answered together: the clock is read when the first of them asks.
#[derive(Debug)]
pub(crate) struct Glance<'a> {
    shared: &'a Shared,
    time: OnceCell<Time>,
}

impl<'a> Glance<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self { shared, time: OnceCell::new() }
    }
}

impl Clock for Glance<'_> {
    fn time(&self) -> Time {
        *self.time.get_or_init(|| self.shared.now())
    }
}

/// Has the core do what is due, until the server stops. Sleeps while nothing is.
pub(crate) async fn keep_time(shared: Arc<Shared>, stop: Stop) {
    let mut alarm = pin!(sleep(Time::ZERO));
    let keeping = poll_fn(|context| {
        loop {
            if let Some(chores) = shared.core.expire_inline(shared.now()) {
                let core = Arc::clone(&shared.core);
                // This thread has connections to serve.
                drop(spawn_blocking(move || carry_out(chores, &core)));
            }
            let Some(due) = shared.core.next_due(context) else { return Poll::<()>::Pending };
            alarm.as_mut().reset(Instant::from_std(shared.started + due));
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    });
    tokio::select! {
        () = keeping => {}
        () = stop.requested() => {}
    }
}

fn carry_out(mut chores: Chores, core: &Core) {
    while chores.go_on(core) {
        // Whoever lets a lock go and takes it again at once is faster than those who wait for it.
        thread::sleep(BREATH);
    }
}

/// Between two pieces of what takes long.
const BREATH: Duration = Duration::from_micros(100);
