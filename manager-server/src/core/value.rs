//! What the server knows about encoded values: when two are the same, which comes first, their sums.
//!
//! The common operations never come here; those that look inside a value decode just what they need.

mod canonical;
mod number;
mod order;

pub(super) use canonical::{Key, Probe, canonical};
pub(super) use number::add;
pub(super) use order::sort;
