//! Dicts and lists that live in a `manager-server`, and are changed by many processes.
//!
//! A [`Manager`] joins a server, or starts a private one. A [`ManagerDict`] or [`ManagerList`] is a
//! proxy: each of its methods is one call to the server, atomic towards the calls of all others. The
//! proxies here block; those in [`aio`] give futures.
//!
//! ```
//! use manager_client::Manager;
//!
//! let manager = Manager::start()?;
//! let hits = manager.dict::<String, u64>("hits")?;
//! std::thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| hits.add("home", 1));
//!     }
//! });
//! assert_eq!(hits.get("home")?, Some(4));
//! # Ok::<(), manager_client::Error>(())
//! ```
//!
//! # Features
//! - `aio` (default): the async proxies, on tokio.
//! - `embedded` (default): [`Manager::start`].

#![forbid(unsafe_code)]

#[cfg(feature = "aio")]
pub mod aio;
mod argument;
mod batch;
mod blocking;
mod calls;
mod connection;
mod dict;
#[cfg(feature = "embedded")]
mod embedded;
mod endpoint;
mod error;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod faults;
mod handle;
mod inbox;
mod link;
mod list;
mod manager;
mod number;
mod object;
mod options;
mod pages;
mod pipeline;
mod request;
mod retry;
mod slice;
mod swap;
mod transaction;
mod versioned;

pub use batch::{Batch, Pending, Queue};
pub use blocking::Blocking;
pub use calls::{Call, Calls, Outcomes};
pub use dict::{Iter as DictIter, ManagerDict};
pub use error::{Error, Result};
pub use link::{Answer, DirectLink, Link, Target};
pub use list::{Iter as ListIter, ManagerList};
pub use manager::{Manager, ObjectInfo};
pub use manager_protocol::{Code, Effect, Kind, Row};
pub use number::Number;
pub use object::Object;
pub use options::Options;
pub use pipeline::Pipeline;
pub use slice::Slice;
pub use swap::Swap;
pub use transaction::{Attempt, ReadLink, Transaction};
pub use versioned::{Versioned, VersionedLink};

/// The programs in the README compile, and those that need no daemon run.
#[cfg(all(doctest, feature = "aio", feature = "embedded"))]
#[doc = include_str!("../../README.md")]
struct Readme;
