//! Opens pipes and attaches to their ends.

use std::convert::Infallible;

use manager_protocol::Kind;
use manager_protocol::manager::{Open, OpenPipe};
use manager_protocol::pipe::{Attach, Side};

use super::{Pipe, PipeEnd, PipeEnds, PipeTicket};
use crate::error::Result;
use crate::handle::Handle;
use crate::link::DirectLink;
use crate::manager::Manager;

impl<L: DirectLink> Manager<L> {
    /// Both ends of the pipe with this name, made if there is none.
    ///
    /// The left one sends `A` and receives `B`, the right one the other way round. For two processes,
    /// one [hands over](PipeEnd::hand_over) an end to the other, or each attaches to its own by name:
    /// [`pipe_left`](Self::pipe_left), [`pipe_right`](Self::pipe_right).
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's,
    /// [`is_wrong_setup`](crate::Error::is_wrong_setup) if it is a one-way pipe's.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// boss.send("wash")?;
    /// worker.send(&1)?;
    /// assert_eq!((worker.recv()?, boss.recv()?), ("wash".to_owned(), 1));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[doc(alias = "Pipe")]
    pub fn pipe<A, B>(&self, name: &str) -> L::Wait<'_, PipeEnds<A, B, L>> {
        self.both(name, true)
    }

    /// Both ends of the one-way pipe with this name, made if there is none: a
    /// [`PipeReceiver`](crate::PipeReceiver), then a [`PipeSender`](crate::PipeSender).
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's,
    /// [`is_wrong_setup`](crate::Error::is_wrong_setup) if it is a pipe's that goes both ways.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let (receiver, sender) = manager.one_way_pipe::<String>("news")?;
    /// sender.send("all is well")?;
    /// assert_eq!(receiver.recv()?, "all is well");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn one_way_pipe<T>(&self, name: &str) -> L::Wait<'_, PipeEnds<Infallible, T, L>> {
        self.both(name, false)
    }

    /// The left end of the pipe with this name, made if there is none.
    ///
    /// A pipe that is made by this goes both ways. In a one-way pipe the left end receives.
    ///
    /// # Errors
    /// [`is_wrong_kind`](crate::Error::is_wrong_kind) if the name is another object's.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let boss = manager.pipe_left::<String, u64>("letters")?;
    /// // Perhaps in another process, and perhaps before.
    /// let worker = manager.pipe_right::<u64, String>("letters")?;
    /// boss.send("wash")?;
    /// assert_eq!(worker.recv()?, "wash");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn pipe_left<S, R>(&self, name: &str) -> L::Wait<'_, PipeEnd<S, R, L>> {
        self.end(name, Side::Left, None)
    }

    /// The right end of the pipe with this name, made if there is none; else as
    /// [`pipe_left`](Self::pipe_left).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let worker = manager.pipe_right::<u64, String>("letters")?;
    /// worker.send(&1)?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn pipe_right<S, R>(&self, name: &str) -> L::Wait<'_, PipeEnd<S, R, L>> {
        self.end(name, Side::Right, None)
    }

    /// The end of a pipe that another has given away.
    ///
    /// # Errors
    /// [`is_no_such_ticket`](crate::Error::is_no_such_ticket) if somebody has it already, or the process that gave
    /// it away has ended.
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let (boss, worker) = manager.pipe::<String, u64>("letters")?;
    /// let ticket = worker.hand_over()?;
    /// let worker = manager.pipe_end::<u64, String>(&ticket)?;
    /// assert!(manager.pipe_end::<u64, String>(&ticket).is_err_and(|error| error.is_no_such_ticket()));
    /// # drop((boss, worker));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn pipe_end<S, R>(&self, ticket: &PipeTicket) -> L::Wait<'_, PipeEnd<S, R, L>> {
        let (side, number) = (ticket.side(), Some(ticket.number()));
        match ticket.pipe() {
            Pipe::Named(name) => self.end(name, side, number),
            Pipe::Unnamed(reference, _) => {
                let held = L::future(self.hold(*reference, Kind::Pipe, |link, target| Handle { link, target }));
                L::run(async move { attach(&held.await?, side, number).await })
            }
        }
    }

    /// Both ends of a new pipe without a name, which goes when no process has an end of it.
    ///
    /// One end is for another process: its [ticket](PipeEnd::hand_over) can be put into a queue or a dict.
    ///
    /// ```
    /// use manager_client::PipeTicket;
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let callers = manager.queue::<PipeTicket>("callers")?;
    /// let (caller, callee) = manager.new_pipe::<String, u64>()?;
    /// callers.put(&callee.hand_over()?)?;
    ///
    /// // Perhaps in another process.
    /// let callee = manager.pipe_end::<u64, String>(&callers.get()?)?;
    /// caller.send("wash")?;
    /// assert_eq!(callee.recv()?, "wash");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_pipe<A, B>(&self) -> L::Wait<'_, PipeEnds<A, B, L>> {
        self.new_both(true)
    }

    /// Both ends of a new one-way pipe without a name, as of [`one_way_pipe`](Self::one_way_pipe): see
    /// [`new_pipe`](Self::new_pipe).
    ///
    /// ```
    /// # let manager = manager_client::Manager::start()?;
    /// let (receiver, sender) = manager.new_one_way_pipe::<String>()?;
    /// sender.send("all is well")?;
    /// assert_eq!(receiver.recv()?, "all is well");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn new_one_way_pipe<T>(&self) -> L::Wait<'_, PipeEnds<Infallible, T, L>> {
        self.new_both(false)
    }

    fn both<A, B>(&self, name: &str, duplex: bool) -> L::Wait<'_, PipeEnds<A, B, L>> {
        let opened = L::future(self.open(name, || Ok(OpenPipe { name: Some(name), duplex }), |handle| handle));
        L::run(async move { attach_both(&opened.await?).await })
    }

    fn new_both<A, B>(&self, duplex: bool) -> L::Wait<'_, PipeEnds<A, B, L>> {
        let made = self.make_new(Kind::Pipe, || Ok(OpenPipe { name: None, duplex }), |handle| handle);
        let made = L::future(made);
        L::run(async move { attach_both(&made.await?).await })
    }

    fn end<S, R>(&self, name: &str, side: Side, ticket: Option<u64>) -> L::Wait<'_, PipeEnd<S, R, L>> {
        let opened = L::future(self.open(name, || Ok(Open { name: Some(name), kind: Kind::Pipe }), |handle| handle));
        L::run(async move { attach(&opened.await?, side, ticket).await })
    }
}

async fn attach_both<A, B, L: DirectLink>(handle: &Handle<L>) -> Result<PipeEnds<A, B, L>> {
    let left = attach(handle, Side::Left, None).await?;
    let right = attach(handle, Side::Right, None).await?;
    Ok((left, right))
}

async fn attach<S, R, L: DirectLink>(handle: &Handle<L>, side: Side, ticket: Option<u64>) -> Result<PipeEnd<S, R, L>> {
    handle.raw(Attach { side, ticket }).await?;
    Ok(PipeEnd::new(handle, side))
}
