//! The pipe: two ends, each of which receives what is sent at the other.
//!
//! Here is an end of it; what attaches ends is in `pipe::open`, what carries one to another process in
//! `pipe::ticket`.

mod messages;
mod open;
mod ticket;

use std::borrow::Borrow;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use manager_protocol::Encoded;
use manager_protocol::pipe::{Close, HandOver, Poll, Receive, Send, Side};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::messages::Messages;
#[cfg(feature = "aio")]
pub use self::messages::Stream;
use self::ticket::Pipe;
pub use self::ticket::PipeTicket;
use crate::argument::{Argument, cannot_decode};
use crate::blocking::Blocking;
use crate::error::Result;
use crate::handle::{Handle, late};
use crate::held::Held;
use crate::link::DirectLink;

/// An end of a pipe in the server: it sends messages of one type and receives those of another.
///
/// Dropping it closes it. An end is open while some process has it, or a [ticket](Self::hand_over) for it is
/// out; several may have the same end, and each message goes to one of them. Once the other end was open
/// and is closed, sending fails, and so does receiving when all messages are taken. The ends that a
/// process has are closed when it ends. A forked child has none of its parent's.
///
/// # Errors
/// Every method can fail with [`is_timeout`](crate::Error::is_timeout),
/// [`is_disconnected`](crate::Error::is_disconnected), [`is_no_such_object`](crate::Error::is_no_such_object) once
/// the pipe was deleted, with [`is_closed`](crate::Error::is_closed) as told above, and with
/// [`is_not_held`](crate::Error::is_not_held) if the server took this process for gone.
///
/// # Blocks
/// Dropping it does, for one call; over an async link it never does.
///
/// # Examples
/// ```
/// # let manager = manager_client::Manager::start()?;
/// let (boss, worker) = manager.pipe::<String, u64>("letters")?;
/// boss.send("wash")?;
/// let letter: String = worker.recv()?;
/// worker.send(&u64::try_from(letter.len()).expect("short"))?;
/// assert_eq!(boss.recv()?, 4);
/// # Ok::<(), manager_client::Error>(())
/// ```
#[must_use = "an end is closed when it is dropped"]
pub struct PipeEnd<S, R, L: DirectLink = Blocking> {
    held: Held<L, Close>,
    side: Side,
    messages: PhantomData<fn(S) -> R>,
}

/// Both ends of a pipe, the left one first.
pub type PipeEnds<A, B, L = Blocking> = (PipeEnd<A, B, L>, PipeEnd<B, A, L>);

/// The end of a one-way pipe that receives: there is nothing that it could send.
pub type PipeReceiver<T, L = Blocking> = PipeEnd<Infallible, T, L>;

/// The end of a one-way pipe that sends: there is nothing that it could receive.
pub type PipeSender<T, L = Blocking> = PipeEnd<T, Infallible, L>;

impl<S, R, L: DirectLink> PipeEnd<S, R, L> {
    /// An end that the session has open from now on.
    fn new(handle: &Handle<L>, side: Side) -> Self {
        let back = match side {
            Side::Left => |_| Close { side: Side::Left },
            Side::Right => |_| Close { side: Side::Right },
        };
        Self { held: Held::new(handle, u8::from(side).into(), back), side, messages: PhantomData }
    }

    /// The name that the pipe was opened by; `None` if it was made without one, or came as a reference.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// assert_eq!(boss.name(), Some("letters"));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.held.handle().name()
    }

    /// Closes the end.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// boss.send("the last one")?;
    /// boss.close()?;
    /// assert_eq!(worker.recv()?, "the last one");
    /// assert!(worker.recv().is_err_and(|error| error.is_closed()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn close<'a>(self) -> L::Wait<'a, ()> {
        self.held.give_back()
    }

    /// Gives the end away: whoever [attaches with the ticket](crate::Manager::pipe_end) has it then.
    ///
    /// Meanwhile it stays open. The ticket is good for one, and as long as this process is there. A ticket for
    /// a pipe without a name keeps the pipe while it is here or in a stored value, but not as text.
    ///
    /// ```
    /// use manager_client::PipeTicket;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// let ticket = worker.hand_over()?;
    /// // Such as an argument of a child process has it.
    /// let argument = ticket.to_string();
    ///
    /// let ticket: PipeTicket = argument.parse()?;
    /// let worker = manager.pipe_end::<u64, String>(&ticket)?;
    /// boss.send("wash")?;
    /// assert_eq!(worker.recv()?, "wash");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn hand_over<'a>(self) -> L::Wait<'a, PipeTicket> {
        let Self { held, side, .. } = self;
        let target = held.handle().target.clone();
        held.end_with(HandOver { side }, move |number| Ok(PipeTicket::new(Pipe::of(&target), side, number)))
    }
}

impl<S: Serialize, R, L: DirectLink> PipeEnd<S, R, L> {
    /// Sends a message to the other end. It does not wait for anybody to receive it.
    ///
    /// # Errors
    /// [`is_closed`](crate::Error::is_closed) if the other end was open and is closed,
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) at the receiving end of a one-way pipe.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// boss.send("wash")?;
    /// worker.close()?;
    /// assert!(boss.send("iron").is_err_and(|error| error.is_closed()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn send<W>(&self, message: &W) -> L::Wait<'_, ()>
    where
        S: Borrow<W>,
        W: Serialize + ?Sized,
    {
        let (side, value) = (self.side, Argument::new(message));
        self.held.handle().call(|| Ok(Send { side, value: value.get()? }), Ok)
    }
}

impl<S, R: DeserializeOwned, L: DirectLink> PipeEnd<S, R, L> {
    /// Takes the next message, once there is one.
    ///
    /// # Errors
    /// [`is_timeout`](crate::Error::is_timeout) if there is none within the time that a call may take,
    /// [`is_closed`](crate::Error::is_closed) once all are taken and the other end is closed,
    /// [`is_invalid_argument`](crate::Error::is_invalid_argument) at the sending end of a one-way pipe.
    ///
    /// # Blocks
    /// Until there is a message.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// boss.send("wash")?;
    /// assert_eq!(worker.recv()?, "wash");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "receive")]
    pub fn recv(&self) -> L::Wait<'_, R> {
        let wait = self.held.handle().link.timeout();
        self.receive(wait, move |message| message.ok_or_else(|| late(wait)))
    }

    /// Takes the next message, if there is one within a time; [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// assert_eq!(worker.recv_timeout(Duration::from_millis(10))?, None);
    /// # drop(boss);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn recv_timeout(&self, wait: Duration) -> L::Wait<'_, Option<R>> {
        self.receive(wait, Ok)
    }

    /// Takes the next message, if there is one now.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// boss.send("wash")?;
    /// assert_eq!(worker.try_recv()?, Some("wash".to_owned()));
    /// assert_eq!(worker.try_recv()?, None);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn try_recv(&self) -> L::Wait<'_, Option<R>> {
        self.receive(Duration::ZERO, Ok)
    }

    /// Waits until there is a message, or the end of them; whether there is in time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// # let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// assert!(!worker.poll(Duration::ZERO)?);
    /// boss.send("wash")?;
    /// assert!(worker.poll(Duration::from_secs(1))?);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn poll(&self, wait: Duration) -> L::Wait<'_, bool> {
        let side = self.side;
        self.held.handle().waiting(wait, |timeout_ms| Ok(Poll { side, timeout_ms }), Ok)
    }

    fn receive<'a, T: 'a>(
        &'a self,
        wait: Duration,
        then: impl FnOnce(Option<R>) -> Result<T> + std::marker::Send + 'a,
    ) -> L::Wait<'a, T> {
        let side = self.side;
        let decode = |message: Encoded<'_>| message.decode().map_err(cannot_decode);
        self.held.handle().waiting(
            wait,
            |timeout_ms| Ok(Receive { side, timeout_ms }),
            move |message| then(message.map(decode).transpose()?),
        )
    }
}

impl<S, R, L: DirectLink> fmt::Debug for PipeEnd<S, R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.held.handle().target.label();
        f.debug_struct("PipeEnd").field("pipe", &name).field("side", &self.side).finish()
    }
}
