//! What is to be done when its time comes.
//!
//! The core has no clock: it is told the time, or asks for it, and tells when it wants to be told again.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Weak;
use std::task::{Context, Waker};
use std::time::Duration;

use super::object::Object;
use super::session::SessionId;
use super::sync::{Mutex, lock};
use super::waiting::WaitKey;

/// The time since a moment that the caller of the core has chosen.
pub type Time = Duration;

/// Tells the time to who asks for it: the same to all who ask in one go.
pub trait Clock: Debug {
    /// The time.
    fn time(&self) -> Time;
}

/// The time of a request.
#[derive(Debug, Clone, Copy)]
pub enum Now<'a> {
    /// This.
    Told(Time),
    /// What is told when it is asked for, which few requests do.
    Asked(&'a dyn Clock),
}

impl Now<'_> {
    /// The time.
    #[must_use]
    pub fn time(self) -> Time {
        match self {
            Self::Told(time) => time,
            Self::Asked(clock) => clock.time(),
        }
    }
}

impl From<Time> for Now<'_> {
    fn from(time: Time) -> Self {
        Self::Told(time)
    }
}

/// What names one timer: its time and its number.
pub(super) type TimerKey = (Time, u64);

/// What is due.
#[derive(Debug)]
pub(super) enum Due {
    /// A request has waited long enough.
    Wait { object: Weak<Object>, wait: WaitKey },
    /// A lease of a queue's item has ended.
    Lease { object: Weak<Object>, lease: u64 },
    /// Items of some data have ended.
    Items { object: Weak<Object> },
    /// A session has ended that has much to let go of in an object, or somebody held the object for long.
    Leaving { object: Weak<Object>, session: SessionId },
    /// A session has been without a connection for too long.
    Grace(SessionId),
}

impl Due {
    fn is_of_items(&self) -> bool {
        matches!(self, Self::Items { .. })
    }
}

/// All timers that are set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Held for one look or one change, never while anything else is locked after it.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<TimerKey, Due>,
    next: u64,
    /// How many of them are set for the ends of items, which nobody asks for and nobody waits for.
    items: usize,
    /// Woken when the earliest time becomes earlier.
    waker: Option<Waker>,
}

impl Timers {
    pub(super) fn set(&self, at: Time, due: Due) -> TimerKey {
        let mut state = lock(&self.state);
        let key = (at, state.next);
        state.next += 1;
        let earliest = state.due.first_key_value().is_none_or(|(first, _)| key < *first);
        state.items += usize::from(due.is_of_items());
        state.due.insert(key, due);
        let waker = if earliest { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        key
    }

    pub(super) fn cancel(&self, key: TimerKey) {
        let mut state = lock(&self.state);
        let cancelled = state.due.remove(&key);
        state.items -= usize::from(cancelled.is_some_and(|due| due.is_of_items()));
    }

    /// Takes out what is due by now.
    pub(super) fn take(&self, now: Time) -> Vec<Due> {
        let mut state = lock(&self.state);
        let later = state.due.split_off(&(now, u64::MAX));
        let due: Vec<Due> = std::mem::replace(&mut state.due, later).into_values().collect();
        state.items -= due.iter().filter(|due| due.is_of_items()).count();
        due
    }

    /// When the next one is due. Whoever asks is woken when that becomes earlier.
    pub(super) fn next(&self, context: &mut Context<'_>) -> Option<Time> {
        let mut state = lock(&self.state);
        state.waker = Some(context.waker().clone());
        state.due.first_key_value().map(|(key, _)| key.0)
    }

    /// How many are set for the sake of requests and sessions.
    pub(super) fn len(&self) -> usize {
        let state = lock(&self.state);
        state.due.len() - state.items
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_due_comes_out_in_its_order_and_once() {
        let (timers, second) = (Timers::default(), Duration::from_secs(1));
        for session in [3, 1, 2] {
            timers.set(second * session, Due::Grace(session.into()));
        }
        let key = timers.set(second * 2, Due::Grace(9));
        timers.cancel(key);
        let sessions = |due: Vec<Due>| -> Vec<u64> {
            due.into_iter().map(|due| if let Due::Grace(session) = due { session } else { 0 }).collect()
        };
        assert_eq!(sessions(timers.take(second * 2)), [1, 2]);
        assert_eq!(sessions(timers.take(second * 2)), [0_u64; 0]);
        assert_eq!(sessions(timers.take(second * 9)), [3]);
    }

    #[test]
    fn an_earlier_time_wakes_and_a_later_one_does_not() {
        let (timers, count) = (Timers::default(), Arc::new(Count::default()));
        let waker = Waker::from(count.clone());
        let mut context = Context::from_waker(&waker);
        assert_eq!(timers.next(&mut context), None);
        timers.set(Duration::from_secs(5), Due::Grace(1));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(timers.next(&mut context), Some(Duration::from_secs(5)));
        timers.set(Duration::from_secs(6), Due::Grace(1));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        timers.set(Duration::from_secs(4), Due::Grace(1));
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }
}
