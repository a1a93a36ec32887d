//! Tries again for a while: short waits that grow, each a little different from the others'.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use manager_protocol::{Operation, Row};

use crate::error::{Error, Reason, Result};
use crate::link::{DirectLink, Target};

/// The waits between tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: SHORTEST, longest: LONGEST }
    }

    /// For connections that are lost as soon as they are made: the waits grow longer.
    pub(crate) fn reconnecting() -> Self {
        Self { next: SHORTEST, longest: LONGEST_RECONNECTING }
    }

    /// The time to wait now: between a half and the whole of a time that doubles.
    pub(crate) fn wait(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.longest);
        let random = RandomState::new().hash_one(whole);
        let part = u32::try_from(random % 1024).expect("a remainder below 1024 fits");
        whole / 2 + whole / 2 * part / 1024
    }
}

/// Optimistic tries within the time that a call may take.
#[derive(Debug)]
pub(crate) struct Retry<'a, L> {
    link: &'a L,
    backoff: Backoff,
    tries: u32,
    started: Instant,
}

impl<'a, L: DirectLink> Retry<'a, L> {
    pub(crate) fn new(link: &'a L) -> Self {
        Self { link, backoff: Backoff::new(), tries: 0, started: Instant::now() }
    }

    /// Waits before the next try of an operation.
    pub(crate) async fn pause<O: Operation>(&mut self, target: &Target) -> Result<()> {
        self.pause_of(O::ROW, target).await
    }

    pub(crate) async fn pause_of(&mut self, row: Row, target: &Target) -> Result<()> {
        if self.started.elapsed() >= self.link.timeout() {
            return Err(Error::new(Reason::Timeout(self.link.timeout())).during(row, target));
        }
        self.tries += 1;
        if self.tries > EAGER_TRIES {
            self.link.pause(self.backoff.wait()).await;
        }
        Ok(())
    }
}

const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(20);
const LONGEST_RECONNECTING: Duration = Duration::from_millis(250);

/// Tries before the first wait: somebody else just succeeded, which is no sign of a crowd.
const EAGER_TRIES: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..20).map(|_| backoff.wait()).collect();
        assert!(waits[0] <= SHORTEST);
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        assert!(waits[19] >= LONGEST / 2);
    }
}
