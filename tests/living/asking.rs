//! Links over which calls are made, and their outcomes taken, alike: at once, or when a batch was sent.

use manager_client::aio::Async;
use manager_client::{Batch, Blocking, Link, Pending, Result, Versioned, VersionedLink};
use manager_tests::block_on;
use manager_tests::history::Outcome;

/// What came of a call.
pub(crate) type Told = Result<Versioned<Outcome>>;

/// Takes the outcome of a call.
pub(crate) type Take = Box<dyn FnOnce() -> Told>;

pub(crate) trait Asking: Link {
    /// The outcome of a call, as `told` tells it.
    fn asked<T: Send + 'static>(wait: Self::Wait<'_, T>, told: fn(T) -> Outcome) -> Take;
}

impl Asking for VersionedLink<Blocking> {
    fn asked<T: Send + 'static>(wait: Result<Versioned<T>>, told: fn(T) -> Outcome) -> Take {
        Box::new(move || tell(wait, told))
    }
}

impl Asking for VersionedLink<Async> {
    fn asked<T: Send + 'static>(wait: Self::Wait<'_, T>, told: fn(T) -> Outcome) -> Take {
        let told = tell(block_on(wait), told);
        Box::new(move || told)
    }
}

impl Asking for VersionedLink<Batch> {
    fn asked<T: Send + 'static>(wait: Pending<Versioned<T>>, told: fn(T) -> Outcome) -> Take {
        Box::new(move || tell(wait.take(), told))
    }
}

fn tell<T>(outcome: Result<Versioned<T>>, told: fn(T) -> Outcome) -> Told {
    outcome.map(|outcome| Versioned { value: told(outcome.value), version: outcome.version })
}
