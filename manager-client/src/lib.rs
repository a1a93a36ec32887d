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
//! # Objects in objects
//!
//! A proxy can be stored in another object, also deep inside a value: what is read there is a live proxy of the
//! same object. Objects for that need no name: [`new_list`](Manager::new_list), [`new_dict`](Manager::new_dict) and
//! so on make them. They live as long as a process has a proxy, or a stored value refers to them.
//!
//! ```
//! use manager_client::{Manager, ManagerList};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Order {
//!     customer: String,
//!     items: ManagerList<String>,
//! }
//!
//! let manager = Manager::start()?;
//! let orders = manager.dict::<u64, Order>("orders")?;
//! orders.set(&1, &Order { customer: "ann".to_owned(), items: manager.new_list()? })?;
//!
//! // In whichever process.
//! let order = orders.get(&1)?.expect("it was set");
//! order.items.push("apples")?;
//! assert_eq!(orders.get(&1)?.expect("it was set").items.len()?, 1);
//! # Ok::<(), manager_client::Error>(())
//! ```
//!
//! Outside of the server an object is named by its [`Reference`], which is plain text and keeps nothing alive;
//! [`resolve`](Manager::resolve) makes a proxy of it. A forked child can use the proxies of its parent, but only
//! the parent keeps their objects.
//!
//! # Inside values
//!
//! A value may be as deep as one likes, and a part of it can be read and changed where it is: `at` of dicts,
//! lists, arrays and values begins a [path](ValuePath) into it. Several processes may change different parts at
//! once, and none undoes what another did.
//!
//! ```
//! # let manager = manager_client::Manager::start()?;
//! use std::collections::BTreeMap;
//!
//! let carts = manager.dict::<String, BTreeMap<String, u64>>("carts")?;
//! carts.at("ann").field("apples").create().add(2_u64)?;
//! carts.at("ann").field("apples").add(1_u64)?;
//! assert_eq!(carts.at("ann").field("apples").get()?, Some(3));
//! # Ok::<(), manager_client::Error>(())
//! ```
//!
//! # Entries that end
//!
//! An entry of a dict can be given [a time to live](ManagerDict::insert_with_ttl), or
//! [live as long as the session](ManagerDict::insert_for_session) of the process that puts it there: so a dict is a
//! registry of those who are there.
//!
//! # Changes
//!
//! Who wants to know when something changes need not ask again and again. [`wait_for`](ManagerDict::wait_for)
//! waits [until](Until) a value is as wanted; dicts and lists can be [watched](ManagerDict::watch), and so can
//! [one key](ManagerDict::watch_key). A watch tells all that is there, and then each change once and in order;
//! if some were missed it says so, and tells all anew.
//!
//! ```
//! # let manager = manager_client::Manager::start()?;
//! use std::collections::HashMap;
//!
//! let stock = manager.dict::<String, u64>("stock")?;
//! stock.set("apples", &3)?;
//! let mut mine = HashMap::new();
//! for update in stock.watch() {
//!     update?.apply_to(&mut mine);
//!     if mine["apples"] >= 5 {
//!         break;
//!     }
//!     stock.add("apples", 1)?;
//! }
//! # Ok::<(), manager_client::Error>(())
//! ```
//!
//! # Processes and pools
//!
//! A function with the attribute `#[task]` runs in another process: by itself as a [`Process`], or by the workers
//! of a [`Pool`]. A child is this program, run again, so `main` begins with [`init`].
//!
//! ```
//! use manager_client::{Pool, task};
//!
//! #[task]
//! fn square(x: i64) -> i64 {
//!     x * x
//! }
//!
//! fn main() -> Result<(), manager_client::Error> {
//!     manager_client::init();
//!     let pool = Pool::new(2)?;
//!     assert_eq!(pool.map(square, 0..4)?, [0, 1, 4, 9]);
//!     pool.close()?;
//!     pool.join()
//! }
//! ```
//!
//! # Features
//! - `aio` (default): the async proxies, on tokio.
//! - `embedded` (default): [`Manager::start`].
//! - `process` (default): tasks, [`Process`] and [`Pool`].

#![deny(unsafe_code)]

// The code that `#[task]` makes names this crate.
#[cfg(feature = "process")]
extern crate self as manager_client;

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
mod deadline;
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
mod lane;
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
mod path;
mod pipe;
mod pipeline;
#[cfg(feature = "process")]
mod pool;
#[cfg(feature = "process")]
mod process;
mod queue;
mod reference;
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
#[cfg(feature = "process")]
pub mod task;
mod transaction;
mod until;
mod update;
mod value;
mod versioned;
#[cfg(test)]
mod waiting;
mod watch;
mod wire;

pub use array::{Iter as ArrayIter, ManagerArray};
pub use barrier::{BarrierPass, ManagerBarrier};
pub use batch::{Batch, Pending, Queue};
pub use blocking::Blocking;
pub use calls::{Call, Calls, Outcomes};
pub use condition::{ConditionGuard, ManagerCondition};
pub use dict::{Iter as DictIter, ManagerDict, Ttl};
pub use error::{Error, Result};
pub use event::ManagerEvent;
pub use holder::Holder;
pub use lane::Lane;
pub use link::{Answer, DirectLink, Link, Target, WaitingLink};
pub use list::{Iter as ListIter, ManagerList};
pub use lock::{LockGuard, ManagerLock, OwnerlessLock};
pub use manager::{Manager, ObjectInfo};
#[cfg(feature = "process")]
pub use manager_macros::task;
pub use manager_protocol::barrier::BarrierStatus;
pub use manager_protocol::condition::ConditionStatus;
pub use manager_protocol::lock::LockStatus;
#[cfg(feature = "process")]
pub use manager_protocol::pool::{PoolStatus, WorkerStatus};
pub use manager_protocol::queue::QueueStatus;
pub use manager_protocol::semaphore::SemaphoreStatus;
pub use manager_protocol::{Code, Effect, Kind, Row};
pub use namespace::ManagerNamespace;
pub use number::Number;
pub use object::Object;
pub use options::Options;
pub use path::ValuePath;
pub use pipe::{Messages as PipeMessages, PipeEnd, PipeEnds, PipeReceiver, PipeSender, PipeTicket};
pub use pipeline::Pipeline;
#[cfg(feature = "process")]
pub use pool::{AsyncResult, Imap, MapResult, Pool, PoolBuilder, Progress};
#[cfg(feature = "process")]
pub use process::{CapturedOutput, Current, Joined, Process, current_process, init, init_keeping_signals};
pub use queue::{Iter as QueueIter, Lease, ManagerQueue, QueueOptions};
pub use reference::{Proxy, Reference};
pub use rlock::ManagerRLock;
pub use semaphore::{ManagerSemaphore, Permit, SemaphoreOptions};
pub use set::{Iter as SetIter, ManagerSet};
pub use slice::Slice;
pub use swap::Swap;
#[cfg(feature = "process")]
pub use task::{Run, Task, TaskError};
pub use transaction::{Attempt, ReadLink, Transaction};
pub use until::Until;
pub use value::ManagerValue;
pub use versioned::{Versioned, VersionedLink};
pub use watch::{
    DictChange, DictUpdate, DictWatch, KeyUpdate, KeyWatch, ListChange, ListUpdate, ListWatch, UpdateTarget, Watch,
};

/// The programs in the README compile, and those that need no daemon run.
#[cfg(all(doctest, feature = "aio", feature = "embedded", feature = "process"))]
#[doc = include_str!("../../README.md")]
struct Readme;
