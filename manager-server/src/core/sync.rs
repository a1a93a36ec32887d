//! The primitives of synchronisation that the core is built on.
//!
//! With the feature `shuttle` they are those of a scheduler that tries many orders of execution; the
//! tests of schedules are run with it, nothing else is.

#[cfg(not(feature = "shuttle"))]
pub(super) use std::hint::spin_loop;
#[cfg(not(feature = "shuttle"))]
pub(super) use std::sync::atomic::{AtomicBool, AtomicUsize};
#[cfg(not(feature = "shuttle"))]
pub(super) use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
#[cfg(not(feature = "shuttle"))]
pub(super) use std::thread::yield_now;

#[cfg(feature = "shuttle")]
pub(super) use shuttle::hint::spin_loop;
#[cfg(feature = "shuttle")]
pub(super) use shuttle::sync::atomic::{AtomicBool, AtomicUsize};
#[cfg(feature = "shuttle")]
pub(super) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(feature = "shuttle")]
pub(super) use shuttle::thread::yield_now;
#[cfg(feature = "shuttle")]
pub(super) use std::sync::{PoisonError, TryLockError};

/// Locks what is whole after each statement that changes it, so that a panic elsewhere spoils nothing.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
