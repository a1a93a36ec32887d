//! Objects whose values can refer to others: dicts, lists, values, arrays, queues, pipes and pools.

use super::array::Array;
use super::dict::Dict;
use super::list::List;
use super::pipe::Pipe;
use super::pool::Pool;
use super::queue::Queue;
use super::value::Value;
use super::{Discards, Guard, Object, State};
use crate::core::Pace;
use crate::core::reference::Links;
use crate::core::watch::{Watched, Watchers};

/// A state whose values can refer to other objects.
pub(in crate::core) trait Referring {
    /// The links of each value that has any.
    fn references(&self) -> Vec<Links>;

    /// Takes everything out, to be freed once nothing is locked.
    fn take_contents(&mut self) -> Box<dyn Send>;
}

impl<T: Referring + Discards> Referring for Guard<'_, T> {
    fn references(&self) -> Vec<Links> {
        (**self).references()
    }

    fn take_contents(&mut self) -> Box<dyn Send> {
        (**self).take_contents()
    }
}

impl Object {
    /// The links of each value that has any; `None` if somebody holds the object for long.
    ///
    /// Of what may have many values a copy is taken, and looked through with nothing locked.
    pub(in crate::core) fn references(&self) -> Option<Vec<Links>> {
        match &self.state {
            State::Dict(dict) => {
                let (snapshot, kept) = {
                    let dict = dict.lock(Pace::Inline)?;
                    (dict.snapshot(), kept(&*dict))
                };
                Some(snapshot.links().cloned().chain(kept).collect())
            }
            State::List(list) => {
                let (values, kept) = {
                    let list = list.lock(Pace::Inline)?;
                    (list.snapshot(), kept(&*list))
                };
                Some(values.links().cloned().chain(kept).collect())
            }
            State::Array(_) | State::Value(_) | State::Queue(_) | State::Pipe(_) | State::Pool(_) => {
                Some(self.lock_referring(Pace::Inline)?.references())
            }
            State::Set(_)
            | State::Lock(_)
            | State::Semaphore(_)
            | State::Event(_)
            | State::Condition(_)
            | State::Barrier(_) => Some(Vec::new()),
        }
    }

    /// Takes everything out that refers to others, to be freed with nothing locked.
    pub(in crate::core) fn take_contents(&self) -> Option<Box<dyn Send>> {
        self.lock_referring(Pace::Patient).map(|mut referring| referring.take_contents())
    }

    /// Locks it, if its values can refer to others and it is to be locked at this pace.
    pub(in crate::core) fn lock_referring(&self, pace: Pace) -> Option<Box<dyn Referring + '_>> {
        fn boxed<'a, T: Referring + Discards>(guard: Guard<'a, T>) -> Box<dyn Referring + 'a> {
            Box::new(guard)
        }
        match &self.state {
            State::Dict(dict) => dict.lock(pace).map(boxed),
            State::List(list) => list.lock(pace).map(boxed),
            State::Array(array) => array.lock(pace).map(boxed),
            State::Value(value) => value.lock(pace).map(boxed),
            State::Queue(queue) => queue.lock(pace).map(boxed),
            State::Pipe(pipe) => pipe.lock(pace).map(boxed),
            State::Pool(pool) => pool.lock(pace).map(boxed),
            State::Set(_)
            | State::Lock(_)
            | State::Semaphore(_)
            | State::Event(_)
            | State::Condition(_)
            | State::Barrier(_) => None,
        }
    }
}

/// The links of what is kept for watches.
fn kept(data: &impl Watched) -> Vec<Links> {
    data.slot().get().into_iter().flat_map(Watchers::links).cloned().collect()
}

/// Takes out what is kept for watches.
fn take_kept(data: &mut impl Watched) -> Box<dyn Send> {
    Box::new(data.slot_mut().get_mut().map(Watchers::lose_all))
}

impl Referring for Dict {
    fn references(&self) -> Vec<Links> {
        self.snapshot().links().cloned().chain(kept(self)).collect()
    }

    fn take_contents(&mut self) -> Box<dyn Send> {
        // The guard frees what was discarded, after the lock.
        self.discard_all();
        take_kept(self)
    }
}

impl Referring for List {
    fn references(&self) -> Vec<Links> {
        self.snapshot().links().cloned().chain(kept(self)).collect()
    }

    fn take_contents(&mut self) -> Box<dyn Send> {
        Box::new((self.take_all(), take_kept(self)))
    }
}

impl Referring for Array {
    fn references(&self) -> Vec<Links> {
        self.list().references()
    }

    fn take_contents(&mut self) -> Box<dyn Send> {
        self.list_mut().take_contents()
    }
}

impl Referring for Value {
    fn references(&self) -> Vec<Links> {
        vec![self.links().clone()]
    }

    fn take_contents(&mut self) -> Box<dyn Send> {
        Box::new(self.take())
    }
}

impl Referring for Queue {
    fn references(&self) -> Vec<Links> {
        self.items().map(|item| item.value.links()).filter(|links| !links.is_empty()).cloned().collect()
    }

    fn take_contents(&mut self) -> Box<dyn Send> {
        Box::new(self.take_items())
    }
}

impl Referring for Pipe {
    fn references(&self) -> Vec<Links> {
        self.messages().map(|message| message.value.links()).filter(|links| !links.is_empty()).cloned().collect()
    }

    fn take_contents(&mut self) -> Box<dyn Send> {
        Box::new(self.take_messages())
    }
}

impl Referring for Pool {
    fn references(&self) -> Vec<Links> {
        self.links().cloned().collect()
    }

    fn take_contents(&mut self) -> Box<dyn Send> {
        Self::take_contents(self)
    }
}
