//! The changes of a session that were begun, and what the server is to be told of them.

use std::collections::VecDeque;

use manager_protocol::{Acknowledge, Cancel, FrameKind, write_control};

use super::WINDOW;
use super::releases::Releases;
use crate::request::Limits;

/// What is known of the changes that were begun.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Those without an answer, or whose cancelling was not told yet: rising.
    pub(super) awaited: VecDeque<u64>,
    /// How many were answered since the last acknowledgement.
    pub(super) answered: usize,
    /// An acknowledgement may have been lost.
    pub(super) unsure: bool,
    /// Those that were given up and are to be cancelled.
    pub(super) cancels: Vec<u64>,
    /// What is to be given back of what the session holds.
    pub(super) releases: Releases,
}

impl Changes {
    pub(super) fn settle(&mut self, id: u64) {
        if let Ok(place) = self.awaited.binary_search(&id) {
            self.awaited.remove(place);
            self.answered += 1;
        }
    }

    /// Often enough for the server's memory, and not so often that a long list is sent all the time.
    pub(super) fn is_due(&self) -> bool {
        self.unsure || self.answered >= self.awaited.len().clamp(LEAST_ANSWERED, MOST_ANSWERED)
    }

    /// Takes what is to be told. No change was begun with the id `next` or a higher one.
    pub(super) fn tell(&mut self, next: u64, limits: Limits) -> News {
        let cancels = std::mem::take(&mut self.cancels);
        let acknowledge = self.is_due().then(|| self.acknowledge(next, limits));
        News { acknowledge, cancels }
    }

    /// Says which answers there are. No change was begun with the id `next` or a higher one.
    pub(super) fn acknowledge(&mut self, next: u64, limits: Limits) -> Acknowledge {
        (self.answered, self.unsure) = (0, false);
        let (mut next, mut awaited) = (next, self.awaited.clone());
        // What does not fit a frame is not spoken of.
        let most = limits.frame.saturating_sub(ACKNOWLEDGE_OVERHEAD) / BYTES_PER_ID;
        if let Some(&first_unlisted) = awaited.get(most) {
            next = first_unlisted;
            awaited.truncate(most);
        }
        Acknowledge { next, awaited: awaited.into() }
    }
}

/// What a connection is to tell in front of its next request, or of its end.
#[derive(Debug)]
pub(crate) struct News {
    pub(super) acknowledge: Option<Acknowledge>,
    /// The changes that are to be cancelled.
    pub(crate) cancels: Vec<u64>,
}

impl News {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for &id in &self.cancels {
            write_control(out, FrameKind::Cancel, &Cancel { id });
        }
        if let Some(acknowledge) = &self.acknowledge {
            write_control(out, FrameKind::Acknowledge, acknowledge);
        }
    }
}

/// Changes are acknowledged when so many were answered, or as many as are awaited,
const LEAST_ANSWERED: usize = 64;
/// but no later than this.
pub(super) const MOST_ANSWERED: usize = WINDOW;

/// Bytes of an acknowledgement that are not of the list: kind 1, array 1, next 9, list 5.
const ACKNOWLEDGE_OVERHEAD: usize = 16;
const BYTES_PER_ID: usize = 9;
