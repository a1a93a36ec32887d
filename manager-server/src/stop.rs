//! The request to stop, seen by every task of a worker. It is made once and never taken back.

use tokio::sync::watch;

/// The side that asks.
#[derive(Debug)]
pub(crate) struct StopSwitch(watch::Sender<bool>);

/// The side that is asked.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl StopSwitch {
    /// A switch that has not been thrown, and what it switches.
    pub(crate) fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    /// Asks everything to stop.
    pub(crate) fn throw(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether it is time to stop.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is time to stop.
    pub(crate) async fn requested(mut self) {
        // A switch that is gone will never be thrown: its server is gone as well.
        let _gone = self.0.wait_for(|requested| *requested).await.is_err();
    }
}
