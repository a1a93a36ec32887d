//! What the server knows about encoded values: when two are the same, which comes first, their sums,
//! and what is inside of them.
//!
//! The common operations never come here; those that look inside a value decode just what they need.

mod canonical;
mod datum;
mod number;
mod order;
mod path;

pub(super) use canonical::{Key, Probe, canonical};
pub(super) use datum::Datum;
pub(super) use number::add;
pub(super) use order::{at_least, sort};
pub(super) use path::{Limit, Path};
