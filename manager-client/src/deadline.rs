//! The time that a call may take.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::error::{Error, Reason, Result};

/// When a call must be over. The time begins to run with the first look at what is left of it, which is when the
/// call first has to wait: what need not wait reads no clock.
#[derive(Debug)]
pub(crate) struct Deadline {
    timeout: Duration,
    at: Cell<Option<Instant>>,
}

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self { timeout, at: Cell::new(None) }
    }

    /// The time left; `None` for ever.
    pub(crate) fn left(&self) -> Result<Option<Duration>> {
        let now = Instant::now();
        let left = match self.at.get() {
            Some(at) => at.saturating_duration_since(now),
            // A time too far away to be told is none.
            None => match now.checked_add(self.timeout) {
                Some(at) => {
                    self.at.set(Some(at));
                    self.timeout
                }
                None => return Ok(None),
            },
        };
        if left.is_zero() { Err(Error::new(Reason::Timeout(self.timeout))) } else { Ok(Some(left)) }
    }

    /// Waits for so long, but not beyond the deadline.
    pub(crate) fn sleep(&self, time: Duration) -> Result<()> {
        std::thread::sleep(time.min(self.left()?.unwrap_or(Duration::MAX)));
        Ok(())
    }
}
