//! Items that do not live without end, seen from outside of the data that has them.
//!
//! What is over is removed before an operation looks, so none ever sees it; and by a timer, so that
//! memory is given back where nobody looks. Neither takes long at a time: see [`SLICE`].

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use super::Pace;
use super::data::Data;
use super::moment::Moment;
use super::object::{Guard, Object, Shared};
use super::session::SessionId;
use super::timers::{Due, Time, TimerKey, Timers};
use super::waiting::Effects;
use super::watch;

/// So many items are removed before others get the lock.
const SLICE: usize = 1_000;

/// The timer of one piece of data does not go off again before this time has passed: what ends
/// meanwhile is removed together.
const REST: Duration = Duration::from_millis(50);

/// What data has to do with the ends of its items. Most have items without end only.
pub(super) trait Lifetimes {
    /// Tells what time it is.
    fn tell_time(&mut self, now: Time) {
        let _ = now;
    }

    /// Removes items whose time was over when it was told last, at most so many, as a change of its own.
    /// Whether none of them is left.
    fn expire(&mut self, most: usize) -> bool {
        let _ = most;
        true
    }

    /// When the next item ends.
    fn next_end(&self) -> Option<Time> {
        None
    }

    /// The timer for that, if it has one at all.
    fn alarm(&mut self) -> Option<&mut Alarm> {
        None
    }

    /// Removes the items that live as long as a session, as one change.
    fn end_session(&mut self, session: SessionId) {
        let _ = session;
    }

    /// Whether there are more of these than so many.
    fn has_more_of(&self, session: SessionId, many: usize) -> bool {
        let _ = (session, many);
        false
    }

    /// How many items live as long as a session.
    fn owned(&self) -> usize {
        0
    }
}

/// The timer that goes off when an item ends.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    set: Option<TimerKey>,
    /// It has gone off, and whoever heard it is not done.
    rings: bool,
    not_before: Time,
}

impl Alarm {
    /// Sets it for an end, unless it goes off before that anyway.
    fn wind(&mut self, end: Time, object: &Arc<Object>, timers: &Timers) {
        let at = end.max(self.not_before);
        if self.rings || self.set.is_some_and(|set| set.0 <= at) {
            return;
        }
        self.stop(timers);
        self.set = Some(timers.set(at, Due::Items { object: Arc::downgrade(object) }));
    }

    pub(super) fn stop(&mut self, timers: &Timers) {
        if let Some(set) = self.set.take() {
            timers.cancel(set);
        }
    }

    fn ring(&mut self, now: Time, timers: &Timers) {
        self.stop(timers);
        self.rings = true;
        self.not_before = now + REST;
    }
}

/// Data locked for operations of one moment, without what was over by then.
///
/// Letting go of it answers those who wait for what has changed, and sets the timer for what ends next.
pub(super) struct Attended<'a, D: Data> {
    data: Guard<'a, D>,
    object: &'a Arc<Object>,
    effects: &'a Effects<'a>,
}

impl<'a, D: Data> Attended<'a, D> {
    /// `None` if the lock is not to be had at this pace, or so much is over that it is to be removed
    /// at leisure.
    #[inline]
    pub(super) fn new(
        shared: &'a Shared<D>,
        object: &'a Arc<Object>,
        effects: &'a Effects<'a>,
        pace: Pace,
        moment: &Moment,
    ) -> Option<Self> {
        loop {
            let mut attended = Self { data: shared.lock(pace)?, object, effects };
            attended.data.attend(moment);
            if attended.data.next_end().is_some() {
                attended.data.tell_time(effects.now());
            }
            if attended.data.expire(SLICE) {
                return Some(attended);
            }
            if pace == Pace::Inline {
                return None;
            }
            drop(attended);
            shared.give_way();
        }
    }

    /// The same, but never lets go of the lock in between: for who holds others already, and has seen
    /// to it that there is little to remove. It may be for several operations, which are told the time.
    pub(super) fn beside_others(
        shared: &'a Shared<D>,
        object: &'a Arc<Object>,
        effects: &'a Effects<'a>,
        pace: Pace,
        moment: &Moment,
    ) -> Option<Self> {
        let mut attended = Self { data: shared.lock(pace)?, object, effects };
        attended.data.attend(moment);
        attended.data.tell_time(effects.now());
        while !attended.data.expire(SLICE) {
            if pace == Pace::Inline {
                return None;
            }
        }
        Some(attended)
    }
}

impl<D: Data> Deref for Attended<'_, D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.data
    }
}

impl<D: Data> DerefMut for Attended<'_, D> {
    fn deref_mut(&mut self) -> &mut D {
        &mut self.data
    }
}

impl<D: Data> Drop for Attended<'_, D> {
    #[inline]
    fn drop(&mut self) {
        if self.data.slot().get().is_some() && !std::thread::panicking() {
            watch::rouse(&mut *self.data, self.effects);
        }
        if let Some(end) = self.data.next_end()
            && self.object.check_alive().is_ok()
            && let Some(alarm) = self.data.alarm()
        {
            alarm.wind(end, self.object, &self.effects.core.timers);
        }
    }
}

/// Removes one slice of what is over; whether that was all. At the pace [`Pace::Inline`] it removes
/// nothing if somebody holds the lock for long.
///
/// The alarm, which brought this about, is not set again before all is removed.
pub(super) fn sweep<D: Data>(shared: &Shared<D>, object: &Arc<Object>, effects: &Effects<'_>, pace: Pace) -> bool {
    let Some(data) = shared.lock(pace) else { return false };
    let (now, timers) = (effects.now(), &effects.core.timers);
    let mut attended = Attended { data, object, effects };
    if let Some(alarm) = attended.data.alarm() {
        alarm.ring(now, timers);
    }
    attended.data.attend(&Moment::default());
    attended.data.tell_time(now);
    let done = attended.data.expire(SLICE);
    if done && let Some(alarm) = attended.data.alarm() {
        alarm.rings = false;
    }
    done
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
