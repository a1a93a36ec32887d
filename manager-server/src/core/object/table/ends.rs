//! The entries of a table that do not live without end, in the order of their ends.
//!
//! Entries without end are not in here and cost nothing.

use std::collections::BTreeSet;

use super::Life;
use crate::core::session::SessionId;
use crate::core::timers::Time;

#[derive(Debug, Default)]
pub(super) struct Ends {
    times: BTreeSet<(Time, u64)>,
    sessions: BTreeSet<(SessionId, u64)>,
}

impl Ends {
    /// An entry has come that lives so long.
    pub(super) fn add(&mut self, seq: u64, life: Life) {
        let Life { expires, session } = life;
        if let Some(time) = expires {
            self.times.insert((time, seq));
        }
        if let Some(session) = session {
            self.sessions.insert((session, seq));
        }
    }

    /// An entry has gone, or lives no longer so.
    pub(super) fn remove(&mut self, seq: u64, life: Life) {
        let Life { expires, session } = life;
        if let Some(time) = expires {
            self.times.remove(&(time, seq));
        }
        if let Some(session) = session {
            self.sessions.remove(&(session, seq));
        }
    }

    /// The entry that ended first, by a time.
    pub(super) fn due(&self, now: Time) -> Option<u64> {
        self.times.first().filter(|(time, _)| *time <= now).map(|(_, seq)| *seq)
    }

    /// When the next entry ends.
    pub(super) fn next(&self) -> Option<Time> {
        self.times.first().map(|(time, _)| *time)
    }

    /// The entries that live as long as a session.
    pub(super) fn of(&self, session: SessionId) -> impl Iterator<Item = u64> {
        self.sessions.range((session, 0)..=(session, u64::MAX)).map(|(_, seq)| *seq)
    }

    /// How many entries live as long as some session.
    pub(super) fn owned(&self) -> usize {
        self.sessions.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn entries_end_in_the_order_of_their_times() {
        let mut ends = Ends::default();
        let at = |seconds| Life { expires: Some(Duration::from_secs(seconds)), session: None };
        for (seq, seconds) in [(1, 5), (2, 3), (3, 5), (4, 9)] {
            ends.add(seq, at(seconds));
        }
        ends.add(5, Life::default());
        assert_eq!(ends.next(), Some(Duration::from_secs(3)));
        let mut gone = Vec::new();
        while let Some(seq) = ends.due(Duration::from_secs(5)) {
            ends.remove(seq, at(if seq == 2 { 3 } else { 5 }));
            gone.push(seq);
        }
        assert_eq!((gone, ends.next()), (vec![2, 1, 3], Some(Duration::from_secs(9))));
    }

    #[test]
    fn entries_of_a_session_are_told_from_those_of_others() {
        let mut ends = Ends::default();
        let of = |session| Life { expires: None, session: Some(session) };
        for (seq, session) in [(0, 2), (1, 1), (u64::MAX, 2), (2, 3)] {
            ends.add(seq, of(session));
        }
        assert_eq!(ends.of(2).collect::<Vec<_>>(), [0, u64::MAX]);
        ends.remove(0, of(2));
        assert_eq!((ends.of(2).count(), ends.owned(), ends.next()), (1, 3, None));
    }
}
