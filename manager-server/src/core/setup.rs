//! What an object is to be when it is opened: it is made so, or must be so already.

use std::fmt;

use manager_protocol::lock::LockMode;
use manager_protocol::queue::{Order, QueueSetup};
use manager_protocol::semaphore::SemaphoreSetup;
use manager_protocol::{Code, Error, Kind, Result, a_kind, kind_name};

use super::Limits;
use super::object::barrier::Barrier;
use super::object::condition::Condition;
use super::object::dict::Dict;
use super::object::event::Event;
use super::object::list::List;
use super::object::lock::Lock;
use super::object::pipe::Pipe;
use super::object::pool::Pool;
use super::object::queue::Queue;
use super::object::semaphore::Semaphore;
use super::object::set::Set;
use super::object::{Object, Shared, State};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setup {
    /// One of a kind, as it is; made in the usual way if there is none.
    Usual(Kind),
    Queue(QueueSetup),
    Lock(LockMode),
    Semaphore(SemaphoreSetup),
    Barrier {
        parties: u64,
    },
    Pipe {
        duplex: bool,
    },
}

impl Setup {
    fn kind(&self) -> Kind {
        match self {
            Self::Usual(kind) => *kind,
            Self::Queue(_) => Kind::Queue,
            Self::Lock(_) => Kind::Lock,
            Self::Semaphore(_) => Kind::Semaphore,
            Self::Barrier { .. } => Kind::Barrier,
            Self::Pipe { .. } => Kind::Pipe,
        }
    }

    /// Judges whether an object is what is asked for.
    pub(super) fn judge(&self, object: &Object) -> Result<()> {
        let name = &object.name;
        if object.setup.kind() != self.kind() {
            let (found, wanted) = (a_kind(object.setup.kind()), a_kind(self.kind()));
            return Err(Error::new(Code::WrongKind, format!("{name:?} is {found}, not {wanted}")));
        }
        if matches!(self, Self::Usual(_)) || *self == object.setup {
            return Ok(());
        }
        Err(Error::new(Code::WrongSetup, format!("{name:?} exists as {}, not as {self}", object.setup)))
    }

    /// The same, spelled out.
    pub(super) fn spelled_out(&self) -> Self {
        match self {
            Self::Usual(Kind::Queue) => {
                Self::Queue(QueueSetup { order: Order::Fifo, capacity: None, max_deliveries: None, dead_letters: None })
            }
            Self::Usual(Kind::Pipe) => Self::Pipe { duplex: true },
            Self::Usual(Kind::Lock) => Self::Lock(LockMode::Owned),
            Self::Usual(_)
            | Self::Queue(_)
            | Self::Lock(_)
            | Self::Semaphore(_)
            | Self::Barrier { .. }
            | Self::Pipe { .. } => self.clone(),
        }
    }

    /// Checks that such an object can be.
    pub(super) fn check(&self) -> Result<()> {
        let fault = match self {
            Self::Queue(QueueSetup { capacity: Some(0), .. }) => "a capacity of 0",
            Self::Queue(QueueSetup { max_deliveries: Some(0), .. }) => "0 deliveries at most",
            Self::Barrier { parties: 0 } => "a barrier for 0 parties",
            Self::Usual(_)
            | Self::Queue(_)
            | Self::Lock(_)
            | Self::Semaphore(_)
            | Self::Barrier { .. }
            | Self::Pipe { .. } => return Ok(()),
        };
        Err(Error::new(Code::InvalidArgument, fault))
    }

    /// The state of a new object of a setup that is spelled out.
    pub(super) fn make(&self, limits: &Limits) -> Result<State> {
        self.check()?;
        Ok(match self {
            Self::Usual(Kind::Dict) => State::Dict(Shared::new(Dict::new(limits))),
            Self::Usual(Kind::List) => State::List(Shared::new(List::new(limits))),
            Self::Usual(Kind::Event) => State::Event(Shared::new(Event::default())),
            Self::Usual(Kind::Condition) => State::Condition(Box::new(Shared::new(Condition::new()))),
            Self::Usual(Kind::Pool) => State::Pool(Box::new(Shared::new(Pool::new(limits)))),
            Self::Usual(Kind::Set) => State::Set(Shared::new(Set::new(limits))),
            Self::Usual(
                kind @ (Kind::Value
                | Kind::Array
                | Kind::Semaphore
                | Kind::Barrier
                | Kind::Queue
                | Kind::Pipe
                | Kind::Lock),
            ) => {
                let fault = format!("there is no such {}, and it cannot be made of nothing", kind_name(*kind));
                return Err(Error::new(Code::InvalidArgument, fault));
            }
            Self::Queue(setup) => State::Queue(Box::new(Shared::new(Queue::new(setup.clone(), limits)))),
            Self::Lock(mode) => State::Lock(Shared::new(Lock::new(*mode))),
            Self::Semaphore(setup) => State::Semaphore(Shared::new(Semaphore::new(*setup))),
            Self::Barrier { parties } => State::Barrier(Shared::new(Barrier::new(*parties))),
            Self::Pipe { duplex } => State::Pipe(Box::new(Shared::new(Pipe::new(*duplex, limits)))),
        })
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual(kind) => f.write_str(a_kind(*kind)),
            Self::Queue(QueueSetup { order, capacity, max_deliveries, dead_letters }) => {
                f.write_str(match order {
                    Order::Fifo => "a queue, first in first out",
                    Order::Lifo => "a queue, last in first out",
                    Order::Priority => "a queue with priorities",
                })?;
                capacity.map_or(Ok(()), |capacity| write!(f, ", of capacity {capacity}"))?;
                max_deliveries.map_or(Ok(()), |most| write!(f, ", of at most {most} deliveries"))?;
                dead_letters.as_ref().map_or(Ok(()), |name| write!(f, ", with dead letters in {name:?}"))
            }
            Self::Lock(LockMode::Owned) => f.write_str("an owned lock"),
            Self::Lock(LockMode::Ownerless) => f.write_str("an ownerless lock"),
            Self::Lock(LockMode::Reentrant) => f.write_str("a reentrant lock"),
            Self::Semaphore(SemaphoreSetup { permits, bounded, ownerless }) => {
                let owner = if *ownerless { "n ownerless" } else { "n owned" };
                let bounds = if *bounded { " bounded" } else { "" };
                write!(f, "a{owner}{bounds} semaphore of {permits} permits")
            }
            Self::Barrier { parties } => write!(f, "a barrier for {parties}"),
            Self::Pipe { duplex: true } => f.write_str("a duplex pipe"),
            Self::Pipe { duplex: false } => f.write_str("a one-way pipe"),
        }
    }
}
