//! Dicts, lists, queues, pipes and locks that live in a `manager-server`, and are used by many processes.
//!
//! A [`Manager`] joins a server, or starts a private one, and opens objects by their names. What it
//! gives is a proxy: each of its methods is one call to the server, atomic towards the calls of all
//! others. The proxies here block; those in [`aio`] give futures.
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
//! # Objects
//!
//! | opened by | proxy | what it is |
//! |---|---|---|
//! | [`dict`](Manager::dict) | [`ManagerDict`] | a map that keeps its insertion order |
//! | [`namespace`](Manager::namespace) | [`ManagerNamespace`] | a dict of names, for values of several types |
//! | [`list`](Manager::list) | [`ManagerList`] | a sequence |
//! | [`set`](Manager::set) | [`ManagerSet`] | values, each once |
//! | [`value`](Manager::value) | [`ManagerValue`] | one cell |
//! | [`array`](Manager::array) | [`ManagerArray`] | a sequence of a fixed length |
//! | [`queue`](Manager::queue) | [`ManagerQueue`] | items that some put and others take, or reserve |
//! | [`pipe`](Manager::pipe) | [`PipeEnd`] | two ends, each of which receives what is sent at the other |
//! | [`lock`](Manager::lock) | [`ManagerLock`] | the right to be the only one |
//! | [`rlock`](Manager::rlock) | [`ManagerRLock`] | a lock that its owner may acquire again |
//! | [`ownerless_lock`](Manager::ownerless_lock) | [`OwnerlessLock`] | a lock that anybody may let go |
//! | [`semaphore`](Manager::semaphore) | [`ManagerSemaphore`] | a number of permits |
//! | [`event`](Manager::event) | [`ManagerEvent`] | a flag that can be waited for |
//! | [`condition`](Manager::condition) | [`ManagerCondition`] | a lock, and a place to wait to be notified |
//! | [`barrier`](Manager::barrier) | [`ManagerBarrier`] | a place where several wait for each other |
//!
//! # Waiting
//!
//! A method that waits for others comes in up to three forms: `get` waits as long as a call of the proxy
//! may take ([`Options::timeout`], `with_timeout`), `get_timeout` as long as it is told, where
//! [`Duration::MAX`](std::time::Duration::MAX) is for ever, and `try_get` not at all. It is the server that ends the
//! wait; if it does not answer, the call fails ten seconds later. Over an async link, dropping the future
//! of a wait cancels it, and gives back what it may have got.
//!
//! # Features
//! - `aio` (default): the async proxies, on tokio.
//! - `embedded` (default): [`Manager::start`].

#![forbid(unsafe_code)]

#[cfg(feature = "aio")]
pub mod aio;
mod argument;
mod array;
mod barrier;
mod batch;
mod blocking;
mod calls;
mod common;
mod condition;
mod connection;
mod dict;
#[cfg(feature = "embedded")]
mod embedded;
mod endpoint;
mod error;
mod event;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod faults;
mod handle;
mod held;
mod holder;
mod inbox;
mod link;
mod list;
mod lock;
mod manager;
mod namespace;
mod number;
mod object;
mod open;
mod options;
mod owned;
mod pages;
mod pipe;
mod pipeline;
mod queue;
mod request;
mod retry;
mod rlock;
#[cfg(test)]
mod scripted;
mod semaphore;
mod session;
mod set;
mod slice;
mod swap;
mod taken;
mod transaction;
mod update;
mod value;
mod versioned;
#[cfg(test)]
mod waiting;

pub use array::{Iter as ArrayIter, ManagerArray};
pub use barrier::{BarrierPass, ManagerBarrier};
pub use batch::{Batch, Pending, Queue};
pub use blocking::Blocking;
pub use calls::{Call, Calls, Outcomes};
pub use condition::{ConditionGuard, ManagerCondition};
pub use dict::{Iter as DictIter, ManagerDict};
pub use error::{Error, Result};
pub use event::ManagerEvent;
pub use holder::Holder;
pub use link::{Answer, DirectLink, Link, Target, WaitingLink};
pub use list::{Iter as ListIter, ManagerList};
pub use lock::{LockGuard, ManagerLock, OwnerlessLock};
pub use manager::{Manager, ObjectInfo};
pub use manager_protocol::barrier::BarrierStatus;
pub use manager_protocol::condition::ConditionStatus;
pub use manager_protocol::lock::LockStatus;
pub use manager_protocol::queue::QueueStatus;
pub use manager_protocol::semaphore::SemaphoreStatus;
pub use manager_protocol::{Code, Effect, Kind, Row};
pub use namespace::ManagerNamespace;
pub use number::Number;
pub use object::Object;
pub use options::Options;
pub use pipe::{Messages as PipeMessages, PipeEnd, PipeEnds, PipeReceiver, PipeSender, PipeTicket};
pub use pipeline::Pipeline;
pub use queue::{Iter as QueueIter, Lease, ManagerQueue, QueueOptions};
pub use rlock::ManagerRLock;
pub use semaphore::{ManagerSemaphore, Permit, SemaphoreOptions};
pub use set::{Iter as SetIter, ManagerSet};
pub use slice::Slice;
pub use swap::Swap;
pub use transaction::{Attempt, ReadLink, Transaction};
pub use value::ManagerValue;
pub use versioned::{Versioned, VersionedLink};

/// The programs in the README compile, and those that need no daemon run.
#[cfg(all(doctest, feature = "aio", feature = "embedded"))]
#[doc = include_str!("../../README.md")]
struct Readme;
