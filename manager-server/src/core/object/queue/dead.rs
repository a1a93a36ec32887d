//! Dead letters: items that were delivered too often without being acknowledged.

use std::sync::Arc;

use manager_protocol::{Kind, Result};

use super::{Item, Phase, Queue};
use crate::core::Pace;
use crate::core::object::{Object, State};
use crate::core::setup::Setup;
use crate::core::value::Datum;
use crate::core::waiting::Effects;

/// Moves an item to the queue of dead letters. What that does not take returns to its place, for it
/// must not be lost. No object may be locked.
pub(super) fn bury(item: Item, name: &str, from: &Arc<Object>, effects: &mut Effects<'_>) {
    let buried = open(name, effects).is_ok_and(|to| {
        let value = item.value.anew();
        visit(&to, |queue| queue.put_dead(value, item.key.0, &to, effects)).unwrap_or(false)
    });
    visit(from, |queue| {
        queue.dying -= 1;
        if buried {
            queue.note_done(1);
        } else {
            queue.give_back(item);
        }
        queue.count.other();
        queue.serve(from, effects);
    });
}

/// The queue with this name, made if there is none.
fn open(name: &str, effects: &Effects<'_>) -> Result<Arc<Object>> {
    effects.core.registry.open(name, &Setup::Usual(Kind::Queue))
}

fn visit<T>(object: &Object, act: impl FnOnce(&mut Queue) -> T) -> Option<T> {
    let State::Queue(queue) = &object.state else { return None };
    queue.lock(Pace::Patient).map(|mut queue| act(&mut queue))
}

impl Queue {
    /// Takes a dead letter of another queue, whatever the capacity; whether that could be done.
    fn put_dead(&mut self, value: Datum, priority: i64, object: &Arc<Object>, effects: &mut Effects<'_>) -> bool {
        let is_full = self.items.len() + self.loans.len() >= self.max_items;
        if self.phase != Phase::Open || is_full || object.check_alive().is_err() {
            return false;
        }
        self.add(value, priority);
        self.count.other();
        self.serve(object, effects);
        true
    }
}
