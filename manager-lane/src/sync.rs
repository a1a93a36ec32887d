//! The primitives that the rings are built on.
//!
//! With the feature `shuttle` they are those of a scheduler that tries many orders of execution, with `loom` those of a
//! model of memory that tries what each load may see. The memory is then that of one process.

#[cfg(not(any(feature = "shuttle", feature = "loom")))]
pub(crate) use std::sync::atomic::{AtomicU64, fence};

#[cfg(all(feature = "loom", not(feature = "shuttle")))]
pub(crate) use loom::sync::atomic::{AtomicU64, fence};
#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::atomic::{AtomicU64, fence};
