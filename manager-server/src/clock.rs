//! Tells the core the time when something is due.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::{Instant, sleep};

use crate::core::Time;
use crate::stop::Stop;
use crate::worker::Shared;

/// Has the core do what is due, until the server stops. Sleeps while nothing is.
pub(crate) async fn keep_time(shared: Arc<Shared>, stop: Stop) {
    let mut alarm = pin!(sleep(Time::ZERO));
    let keeping = poll_fn(|context| {
        loop {
            shared.core.expire(shared.now());
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
