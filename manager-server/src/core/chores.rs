//! What is due and takes long: done piece by piece on a thread that may be kept busy.

use std::sync::Arc;

use super::object::Object;
use super::session::SessionId;
use super::timers::Time;
use super::waiting::{Effects, Ended, WaitKey};
use super::{Core, Pace};

/// Objects that somebody holds for long, or with much to be removed from.
#[derive(Debug)]
pub struct Chores {
    now: Time,
    /// Some of their items have ended.
    ended: Vec<Arc<Object>>,
    /// The time of a request that waits in them is over.
    over: Vec<(Arc<Object>, WaitKey)>,
    /// A session has left them.
    left: Vec<(Arc<Object>, SessionId)>,
}

impl Chores {
    pub(super) fn new(now: Time) -> Self {
        Self { now, ended: Vec::new(), over: Vec::new(), left: Vec::new() }
    }

    /// Removes items of an object that have ended, if they are few; else notes it here.
    pub(super) fn sweep(&mut self, core: &Core, object: Arc<Object>) {
        if !sweep(core, &object, Pace::Inline, self.now) {
            self.ended.push(object);
        }
    }

    /// Notes that a request in an object waits no more, which somebody holds for long.
    pub(super) fn note_over(&mut self, object: Arc<Object>, wait: WaitKey) {
        self.over.push((object, wait));
    }

    pub(super) fn note_left(&mut self, object: Arc<Object>, session: SessionId) {
        self.left.push((object, session));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.over.is_empty() && self.left.is_empty()
    }

    /// Does one piece; whether more is to be done. Whoever gives others a moment in between keeps
    /// nobody waiting for long.
    pub fn go_on(&mut self, core: &Core) -> bool {
        if let Some((object, wait)) = self.over.pop() {
            let mut effects = Effects::new(core, self.now);
            object.visit(&mut effects, |state, effects| state.end_wait(wait, Ended::TimedOut, &object, effects));
            effects.carry_out();
        } else if let Some((object, session)) = self.left.pop() {
            let mut effects = Effects::new(core, self.now);
            object.visit(&mut effects, |state, effects| state.end_session(session, &object, effects));
            effects.carry_out();
        } else if let Some(object) = self.ended.pop()
            && !sweep(core, &object, Pace::Patient, self.now)
        {
            self.ended.push(object);
        }
        !self.is_empty()
    }
}

fn sweep(core: &Core, object: &Arc<Object>, pace: Pace, now: Time) -> bool {
    let effects = Effects::new(core, now);
    let done = object.state.data().is_none_or(|data| data.sweep(object, &effects, pace));
    effects.carry_out();
    done
}
