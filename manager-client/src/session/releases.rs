//! What a session gives back of the objects that it holds: sent with whatever is sent next, and answered
//! whenever that is.
//!
//! Each of these requests is made once, however many connections it takes: twice would let go of what was
//! held again meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use manager_protocol::manager::Release;
use manager_protocol::{FrameKind, Many, ObjectId, Operation, write_control};

use super::Session;
use crate::request::{Limits, write_request};

/// An object, and how often it is held less.
type Given = (ObjectId, u64);

/// What is to be given back, and what is on its way.
#[derive(Debug, Default)]
pub(super) struct Releases {
    /// Not sent yet.
    pending: Vec<Given>,
    /// Requests without an answer, by their ids; whether they are on a connection that is not lost.
    sent: BTreeMap<u64, (Vec<Given>, bool)>,
}

impl Session {
    /// Has an object released with the next request, if the session is still of this generation. Whether
    /// there was nothing to give back before.
    pub(crate) fn give_back(&self, generation: u32, object: ObjectId, times: u64) -> bool {
        let mut changes = self.changes();
        if self.generation() == generation {
            changes.releases.pending.push((object, times));
            return !self.gives_back.swap(true, Ordering::Relaxed);
        }
        false
    }

    /// Whether something is to be given back.
    pub(crate) fn gives_back(&self) -> bool {
        self.gives_back.load(Ordering::Relaxed)
    }

    /// Appends the requests that give back what is to be given back, for a connection of this generation;
    /// their ids. Nobody waits for their answers: whoever reads one tells [`was_released`](Self::was_released).
    pub(crate) fn write_releases(&self, generation: u32, out: &mut Vec<u8>, limits: Limits) -> Vec<u64> {
        // Without the lock: all calls pass here.
        if !self.gives_back() {
            return Vec::new();
        }
        let mut changes = self.changes();
        if self.generation() != generation {
            return Vec::new();
        }
        self.gives_back.store(false, Ordering::Relaxed);
        let pending = std::mem::take(&mut changes.releases.pending);
        if changes.answered > 0 {
            // What the server remembers of a change keeps what its answer refers to.
            let next = self.next_id.load(Ordering::Relaxed);
            write_control(out, FrameKind::Acknowledge, &changes.acknowledge(next, limits));
        }
        let most = (limits.frame.saturating_sub(RELEASE_OVERHEAD) / BYTES_PER_OBJECT).clamp(1, AT_ONCE);
        for given in pending.chunks(most) {
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            changes.awaited.push_back(id);
            changes.releases.sent.insert(id, (given.to_vec(), false));
        }
        let unsent = changes.releases.sent.iter_mut().filter(|(_, (_, sent))| !sent);
        let mut ids = Vec::new();
        for (id, (given, sent)) in unsent {
            let encode = |out: &mut Vec<u8>| Release { objects: Many::new(given.iter().copied()) }.encode(out);
            // It is smaller than a frame.
            if write_request(out, *id, Release::ROW, 0, encode, limits).is_ok() {
                ids.push(*id);
            }
            *sent = true;
        }
        ids
    }

    /// Notes that such a request was answered.
    pub(crate) fn was_released(&self, id: u64) {
        self.changes().releases.sent.remove(&id);
        self.finish(id);
    }

    /// Notes that the connection of such requests was lost: they are sent again.
    pub(crate) fn release_again(&self, ids: impl IntoIterator<Item = u64>) {
        let mut changes = self.changes();
        for id in ids {
            if let Some((_, sent)) = changes.releases.sent.get_mut(&id) {
                *sent = false;
                self.gives_back.store(true, Ordering::Relaxed);
            }
        }
    }

    /// The session has ended, and with it what it held.
    pub(super) fn forget_releases(&self) {
        let sent = std::mem::take(&mut self.changes().releases).sent;
        if !sent.is_empty() {
            self.finish_all(sent.into_keys());
        }
    }

    /// Whether a change has no answer that was taken: it is sent again, or was given up.
    pub(crate) fn awaits(&self, id: u64) -> bool {
        self.changes().awaited.binary_search(&id).is_ok()
    }
}

/// Most objects in one request.
const AT_ONCE: usize = 1000;

/// Bytes of a request that are not of the list: kind 1, array 1, id 9, operation 3, object 1, array 1, list 5.
const RELEASE_OVERHEAD: usize = 21;
/// An array of two numbers.
const BYTES_PER_OBJECT: usize = 19;
