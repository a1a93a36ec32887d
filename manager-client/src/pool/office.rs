//! What all handles of a pool share: its member, its crew, its threads, and how they end.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::crew::{Crew, Message, Orders};
use super::member::Member;
use super::{collector, sender};
use crate::error::{Error, Result};
use crate::manager::Manager;
use crate::process::cannot_start;
use crate::task::Fault;

/// What all handles of a pool share. When it is dropped, everything ends.
pub(super) struct Office {
    pub(super) member: Arc<Member>,
    manager: Manager,
    crew: Option<(Arc<Crew>, Sender<Message>)>,
    /// The name that goes with the pool, if it was made here and has one.
    name: Option<String>,
    /// Whether the pool is terminated with its last handle.
    is_owner: bool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// The process that the threads are of. A fork has a copy of this, but none of them.
    pid: u32,
}

/// What a handle is to the pool.
pub(super) enum Role {
    /// It submits only.
    Guest,
    /// It keeps workers.
    Keeper {
        orders: Orders,
        /// The name of the pool.
        name: Option<String>,
        /// Whether the pool was made for this.
        is_owner: bool,
    },
}

impl Office {
    /// Begins to work for a member.
    pub(super) fn open(manager: Manager, member: Arc<Member>, role: Role) -> Result<Arc<Self>> {
        let (messages, inbox) = channel();
        let (orders, name, is_owner) = match role {
            Role::Guest => (None, None, false),
            Role::Keeper { orders, name, is_owner } => (Some(orders), name.filter(|_| is_owner), is_owner),
        };
        let crew = orders.map(|orders| Arc::new(Crew::new(Arc::clone(&member), orders, messages.clone())));
        let office = Self {
            member: Arc::clone(&member),
            manager,
            crew: crew.clone().map(|crew| (crew, messages.clone())),
            name,
            is_owner,
            threads: Mutex::default(),
            pid: std::process::id(),
        };
        // Dropped half built, it ends what was begun.
        office.spawn("pool sender", {
            let member = Arc::clone(&member);
            move || sender::run(&member)
        })?;
        office.spawn("pool collector", move || {
            // Nobody listens if there is no crew.
            collector::run(&member, |worker| drop(messages.send(Message::Condemned(worker))));
            drop(messages.send(Message::Stranded));
        })?;
        if let Some(crew) = crew {
            let kept = Arc::clone(&crew);
            office.spawn("pool keeper", move || kept.keep(&inbox))?;
            crew.start()?;
        }
        Ok(Arc::new(office))
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = thread::Builder::new().name(name.into()).spawn(work).map_err(cannot_start)?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// How many workers are kept here.
    pub(super) fn workers(&self) -> usize {
        self.crew.as_ref().map_or(0, |(crew, _)| crew.size())
    }

    /// Ends every job that is not over, and the workers.
    pub(super) fn terminate(&self) -> Result<()> {
        self.end(Error::work(Fault::Terminated), true)
    }

    fn end(&self, refusal: Error, terminates: bool) -> Result<()> {
        let Self { member, .. } = self;
        member.refuse(refusal, true);
        if let Some((crew, _)) = &self.crew {
            crew.dissolve();
        }
        let told = if terminates { member.proxy.with_timeout(PATIENCE).terminate(None) } else { Ok(()) };
        if let Err(error) = &told {
            member.fail(error);
        }
        if let Some((crew, _)) = &self.crew {
            crew.end();
        }
        // A pool that is gone needs no ending.
        told.or_else(|error| if error.is_no_such_object() || error.is_disconnected() { Ok(()) } else { Err(error) })
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if self.pid != std::process::id() {
            std::mem::forget(threads);
            return;
        }
        let fault = if self.is_owner { Fault::Terminated } else { Fault::Cancelled };
        let is_reached = self.end(Error::work(fault), self.is_owner).is_ok();
        let proxy = self.member.proxy.with_timeout(PATIENCE);
        // The collector hears of it. If the server does not answer, nobody waits for the collector.
        let is_left = is_reached && proxy.leave(self.member.number).err().is_none_or(|error| !error.is_timeout());
        if let Some((_, messages)) = &self.crew {
            // It has ended, if nobody listens.
            drop(messages.send(Message::Dissolve));
        }
        self.member.fail(&Error::work(Fault::Terminated));
        if !is_left {
            return;
        }
        for thread in threads {
            // What a result's callback drops must not wait for the thread that runs it.
            if thread.thread().id() != thread::current().id() {
                // A panic of it was told.
                let _panicked = thread.join();
            }
        }
        if let Some(name) = &self.name {
            // Whoever drops something cannot be told.
            let _deleted = self.manager.delete(name);
        }
    }
}

/// How long the server may take to hear of an end.
const PATIENCE: Duration = Duration::from_secs(5);
