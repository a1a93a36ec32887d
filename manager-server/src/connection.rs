//! The task of one connection: reads what has arrived, answers it, writes all answers at once.
//!
//! A request costs one read and one write, less when several arrive together. Requests are carried
//! out in the order sent. What a connection holds is bounded: while its peer does not take replies,
//! nothing more is read from it, and no other connection waits for it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use manager_protocol::{Code, Error, FrameKind, write_error_reply};
use manager_socket::Socket;
use tokio::net::unix::UCred;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::sleep;

use crate::accept::Arrival;
use crate::clock::Glance;
use crate::conversation::{Conversation, Job, Turn};
use crate::core::{Departure, Now, Stream};
use crate::handshake::{admit, greet};
use crate::lane::Watch;
use crate::stop::Stop;
use crate::wire::{Ending, Wire};
use crate::worker::{Guest, Shared};

/// Serves one connection from its acceptance to its end.
pub(crate) async fn run(arrival: Arrival, home: usize, shared: Arc<Shared>, stop: Stop) {
    let Arrival { stream, peer, hello, seat } = arrival;
    let socket = match Socket::new(stream) {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!(%error, "cannot serve a connection"),
    };
    let mut wire = Wire::new(socket, shared.config.write_timeout);
    let greeted = match admit(&shared.config, peer.uid(), peer.gid()) {
        Err(error) => Err(error.into()),
        Ok(()) if seat.is_none() => Err(too_many(&shared).into()),
        Ok(()) => tokio::select! {
            biased;
            greeted = greet(&mut wire, &shared, &peer) => greeted,
            () = stop.clone().requested() => Err(Ending::shutting_down()),
        },
    };
    if seat.is_some() {
        drop(hello); // A peer without a seat keeps it, so that there are not too many of those either.
    }
    match greeted {
        Ok(client) => {
            let conversation = Conversation::new(Arc::clone(&shared.core), client, shared.config.limits.max_message);
            serve(Box::new(Connection::new(wire, conversation, peer, seat, home, shared)), stop).await;
        }
        Err(ending) => end(wire, ending, &peer, &shared).await,
    }
}

/// Goes on with a connection on another worker than before.
pub(crate) async fn carry_on(mut connection: Box<Connection>, is_at_looker: bool, stop: Stop) {
    match connection.wire.move_here(is_at_looker) {
        Ok(()) => serve(connection, stop).await,
        Err(error) => {
            tracing::warn!(%error, "cannot go on with a connection");
            let Connection { conversation, shared, .. } = *connection;
            depart(conversation, Departure::Broke, &shared);
        }
    }
}

async fn serve(connection: Box<Connection>, stop: Stop) {
    let (connection, ending) = match converse(connection, stop).await {
        (connection, Ok(Moves)) => match send(connection) {
            Ok(()) => return,
            // That worker has stopped, and so will this one.
            Err(connection) => (connection, Ending::shutting_down()),
        },
        (connection, Err(ending)) => (connection, ending),
    };
    let Connection { mut wire, conversation, peer, shared, seat: _seat, .. } = *connection;
    let departure = match &ending {
        // What was left in the lane was not taken.
        Ending::Left if wire.is_taken() => Departure::Left,
        Ending::Left | Ending::Broken(_) | Ending::Stalled | Ending::Refused(_) => Departure::Broke,
    };
    depart(conversation, departure, &shared);
    end(wire, ending, &peer, &shared).await;
}

/// Goes on until there is a reason to end, or another worker is to go on.
async fn converse(mut connection: Box<Connection>, stop: Stop) -> (Box<Connection>, Result<Moves, Ending>) {
    let mut stopped = pin!(stop.clone().requested());
    loop {
        let next = connection.go_on(&stop).await;
        let read = match next {
            Ok(Next::Turn) => Ok(()),
            Ok(Next::Move) => return (connection, Ok(Moves)),
            Ok(Next::Wait) => match connection.watch() {
                Some(watch) => {
                    connection = wait_with(&watch, connection, stopped.as_mut()).await;
                    Ok(())
                }
                None => connection.read(stopped.as_mut()).await,
            },
            Err(ending) => Err(ending),
        };
        if let Err(ending) = read {
            return (connection, Err(ending));
        }
    }
}

/// Waits, while who looks into the lane has what arrives there answered.
async fn wait_with(
    watch: &Watch,
    connection: Box<Connection>,
    stopped: Pin<&mut impl Future<Output = ()>>,
) -> Box<Connection> {
    let lent = watch.lend(connection);
    tokio::select! {
        biased;
        () = poll_fn(|context| lent.poll(|connection| connection.poll_wait(context))) => {}
        () = stopped => {}
    }
    lent.take_back()
}

/// Has the other worker go on with a connection; gives it back if that has stopped.
fn send(connection: Box<Connection>) -> Result<(), Box<Connection>> {
    let shared = Arc::clone(&connection.shared);
    let is_at_looker = connection.wire.is_at_looker();
    let worker = if is_at_looker { shared.workers.get(connection.home) } else { shared.looker() };
    let Some(worker) = worker else { return Err(connection) };
    worker.send(Guest::Moved(connection)).map_err(|refused| match refused.0 {
        Guest::Moved(connection) => connection,
        Guest::Arrived(_) => unreachable!("what was refused is what was sent"),
    })
}

fn depart(conversation: Conversation, departure: Departure, shared: &Shared) {
    shared.core.disconnect(conversation.client(), departure, shared.now());
    free(conversation.into_streams());
}

/// The connection is to be served by another worker.
struct Moves;

async fn end(wire: Wire, ending: Ending, peer: &UCred, shared: &Shared) {
    let (uid, pid) = (peer.uid(), peer.pid());
    match ending {
        Ending::Left => tracing::debug!(uid, pid, "a client left"),
        Ending::Broken(error) => tracing::debug!(uid, pid, %error, "a connection broke"),
        Ending::Stalled => {
            let total = shared.stalled.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(uid, pid, total, code = ?Code::TooSlow, "a client takes no replies and was disconnected");
        }
        // Its client has left, or its process has ended.
        Ending::Refused(error) if error.code == Code::SessionExpired => {
            tracing::debug!(uid, pid, reason = %error, "closing a connection");
            wire.farewell(&error, LINGER).await;
        }
        Ending::Refused(error) if error.code == Code::ShuttingDown => wire.farewell(&error, Duration::ZERO).await,
        Ending::Refused(error) => {
            tracing::info!(uid, pid, code = ?error.code, reason = %error, "closing a connection");
            wire.farewell(&error, LINGER).await;
        }
    }
}

/// A connection after its hello.
#[derive(Debug)]
pub(crate) struct Connection {
    wire: Wire,
    conversation: Conversation,
    shared: Arc<Shared>,
    peer: UCred,
    /// Its place among all connections.
    seat: Option<OwnedSemaphorePermit>,
    /// The worker that it was dealt to.
    home: usize,
    /// How much longer to wait for the frame that has begun to arrive.
    patience: Duration,
    /// The peer sends nothing any more, but may still take replies.
    left: bool,
    /// Something has arrived since replies were sent. A wake does not tell that they arrived: it may have been sent
    /// before.
    has_news: bool,
    /// Where its task is to go on.
    halted: Option<Result<Halt, Ending>>,
}

/// Why the answering of what has arrived halts.
#[derive(Debug)]
enum Halt {
    /// Nothing whole is left.
    Starved,
    /// There are replies to be sent first.
    Full,
    /// A request may take long.
    Job(Job),
    /// The client asks for a lane.
    Lane,
}

/// What a connection does next.
enum Next {
    /// There is more to be done at once.
    Turn,
    /// Nothing, until something arrives.
    Wait,
    /// It goes to another worker.
    Move,
}

impl Connection {
    fn new(
        wire: Wire,
        conversation: Conversation,
        peer: UCred,
        seat: Option<OwnedSemaphorePermit>,
        home: usize,
        shared: Arc<Shared>,
    ) -> Self {
        let patience = shared.config.frame_timeout;
        let (left, has_news, halted) = (false, false, None);
        Self { wire, conversation, shared, peer, seat, home, patience, left, has_news, halted }
    }

    /// Answers what has arrived, and sends the answers.
    async fn go_on(&mut self, stop: &Stop) -> Result<Next, Ending> {
        let starved = self.answer_all().await?;
        let collected = self.conversation.collect(&mut self.wire.out);
        self.conversation.stream(&mut self.wire.out);
        self.wire.flush().await?;
        collected?;
        free(self.conversation.take_ended());

        let stopping = stop.is_requested();
        if self.conversation.is_streaming() || !starved {
            if starved && !self.left && !stopping {
                self.read_arrived().await?;
            }
            yield_now().await; // Others have waited for it.
            Ok(Next::Turn)
        } else if stopping {
            self.shared.core.turn_away(self.conversation.client(), self.shared.now());
            let _ending = self.conversation.collect(&mut self.wire.out);
            self.wire.flush().await?;
            Err(Ending::shutting_down())
        } else if self.left {
            Err(Ending::Left)
        } else if self.wire.is_misplaced() {
            Ok(Next::Move)
        } else {
            Ok(Next::Wait)
        }
    }

    /// Answers what has arrived, in order. Whether nothing whole is left; otherwise there are
    /// replies to be sent first.
    async fn answer_all(&mut self) -> Result<bool, Ending> {
        loop {
            let halted = self.halted.take();
            match halted.unwrap_or_else(|| self.answer(u64::MAX))? {
                Halt::Starved => return Ok(true),
                Halt::Full => return Ok(false),
                Halt::Job(job) => self.run(job).await?,
                Halt::Lane => self.open_lane().await?,
            }
        }
    }

    /// Answers what has arrived, in order, as far as it need not wait for anything, and so many requests at most.
    fn answer(&mut self, most: u64) -> Result<Halt, Ending> {
        let mut requests = 0;
        let halt = self.answer_counted(&mut requests, most);
        if requests > 0
            && let Some(lane) = self.wire.lane()
        {
            lane.arrived(requests);
        }
        halt
    }

    fn answer_counted(&mut self, requests: &mut u64, most: u64) -> Result<Halt, Ending> {
        let glance = Glance::new(&self.shared);
        while self.wire.out.len() < HIGH_WATER && !self.conversation.is_full() && *requests < most {
            let Wire { inbox, out, is_from_lane, by_lane, .. } = &mut self.wire;
            let Some(frame) = inbox.frame(self.shared.config.limits.max_frame)? else {
                return Ok(Halt::Starved);
            };
            self.patience = self.shared.config.frame_timeout;
            let length = frame.body.len();
            *requests += u64::from(frame.kind == FrameKind::Request);
            if frame.kind != FrameKind::WakeServer {
                if !self.conversation.is_streaming() {
                    *by_lane = *is_from_lane;
                }
                if std::mem::take(&mut self.has_news) {
                    self.conversation.client().heard();
                }
            }
            match self.conversation.hear(frame, Now::Asked(&glance), out)? {
                Turn::Done => inbox.advance(length),
                Turn::Patient(id) => return Ok(Halt::Job(Job { id, body: inbox.take_body(length) })),
                Turn::Assembled(job) => {
                    inbox.advance(length);
                    return Ok(Halt::Job(job));
                }
                Turn::Lane => {
                    inbox.advance(length);
                    return Ok(Halt::Lane);
                }
                Turn::Woken => {
                    inbox.advance(length);
                    let lane = self.wire.lane();
                    lane.ok_or_else(|| Error::new(Code::MalformedFrame, "a wake without a lane"))?.was_told();
                }
            }
        }
        Ok(Halt::Full)
    }

    /// Reads what has arrived by the lane, answers it and sends the answers, as far as it need not wait for anything;
    /// whether that was all. Otherwise its task goes on.
    pub(crate) fn attend(&mut self) -> bool {
        if self.halted.is_none() {
            self.halted = self.try_attend().transpose();
        }
        self.halted.is_none()
    }

    fn try_attend(&mut self) -> Result<Option<Halt>, Ending> {
        if !self.wire.fill_by_lane(READ_BUFFER, self.shared.config.limits.max_frame)? {
            return Ok(Some(Halt::Starved));
        }
        self.has_news = true;
        loop {
            let halt = self.answer(MOST_AT_ONCE)?;
            if self.conversation.is_streaming() || !self.wire.try_flush_by_lane()? {
                return Ok(Some(halt));
            }
            match halt {
                Halt::Full => {}
                Halt::Starved if !self.is_inside() => return Ok(None),
                Halt::Starved | Halt::Job(_) | Halt::Lane => return Ok(Some(halt)),
            }
        }
    }

    /// It cannot go on.
    pub(crate) fn fail(&mut self) {
        self.halted = Some(Err(Error::new(Code::Internal, "a fault in the server").into()));
    }

    /// Who looks into its lane, and can have it answer meanwhile, if somebody does.
    fn watch(&mut self) -> Option<Arc<Watch>> {
        if self.is_inside() { None } else { self.wire.lane().and_then(|lane| lane.watched()) }
    }

    /// Ready when its task is to go on.
    fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.halted.is_some() {
            return Poll::Ready(());
        }
        let max = self.shared.config.limits.max_frame;
        let read = pin!(self.wire.fill(READ_BUFFER, max)).poll(context);
        if let Poll::Ready(read) = read {
            self.halted = self.note(read).err().map(Err);
            return Poll::Ready(());
        }
        self.conversation.client().mailbox().poll_filled(context)
    }

    /// Whether a frame or a message in parts has arrived in part.
    fn is_inside(&self) -> bool {
        self.wire.inbox.is_inside_frame() || self.conversation.is_inside_message()
    }

    /// Gives the client the lane that it asks for, if there can be one.
    async fn open_lane(&mut self) -> Result<(), Ending> {
        if self.wire.lane().is_some() {
            return Err(Error::new(Code::MalformedFrame, "a second lane").into());
        }
        self.wire.flush().await?;
        self.wire.offer(self.shared.lanes.as_ref().and_then(|lanes| lanes.open())).await
    }

    /// Runs a request where it may take long. This connection waits for it, others do not.
    async fn run(&mut self, job: Job) -> Result<(), Ending> {
        // Whatever becomes of the connection, the request is carried out: others may have asked for it too.
        let flushed = self.wire.flush().await;
        let id = job.id;
        let core = Arc::clone(&self.shared.core);
        let (client, now) = (self.conversation.client().clone(), self.shared.now());
        let mut out = std::mem::take(&mut self.wire.out);
        let ran = spawn_blocking(move || {
            let outcome = job.run(&core, &client, now, &mut out);
            (outcome, out)
        });
        match ran.await {
            Ok((outcome, out)) => {
                self.wire.out = out;
                self.conversation.resume(id, outcome, &mut self.wire.out);
            }
            Err(error) => {
                tracing::error!(%error, "a request was not run to its end");
                let error = Error::new(Code::Internal, "a fault in the server: the request may be half done");
                write_error_reply(&mut self.wire.out, id, &error);
            }
        }
        flushed
    }

    /// Reads once, waiting for as long as the peer may be silent.
    async fn read(&mut self, stopped: Pin<&mut impl Future<Output = ()>>) -> Result<(), Ending> {
        let inside = self.is_inside();
        // Only the time spent waiting counts, not what the server itself takes between reads.
        let begun = inside.then(Instant::now);
        let client = self.conversation.client().clone();
        let mailbox = client.mailbox();
        tokio::select! {
            biased;
            read = self.wire.fill(READ_BUFFER, self.shared.config.limits.max_frame) => self.note(read)?,
            () = poll_fn(|context| mailbox.poll_filled(context)) => {}
            // The requests that wait are answered first.
            () = stopped => {}
            () = expire(inside.then_some(self.patience)) => {
                let limit = self.shared.config.frame_timeout;
                return Err(Error::new(Code::TooSlow, format!("the rest of a frame or message took over {limit:?}")).into());
            }
        }
        if let Some(begun) = begun {
            self.patience = self.patience.saturating_sub(begun.elapsed());
        }
        Ok(())
    }

    /// Reads what has arrived, without waiting.
    async fn read_arrived(&mut self) -> Result<(), Ending> {
        tokio::select! {
            biased;
            read = self.wire.fill(READ_BUFFER, self.shared.config.limits.max_frame) => self.note(read),
            () = std::future::ready(()) => Ok(()),
        }
    }

    /// A peer that closed its side is still owed what it asked for.
    fn note(&mut self, read: Result<(), Ending>) -> Result<(), Ending> {
        match read {
            Ok(()) => self.has_news = true,
            Err(Ending::Left) => self.left = true,
            Err(ending) => return Err(ending),
        }
        Ok(())
    }
}

async fn expire(after: Option<Duration>) {
    match after {
        Some(after) => sleep(after).await,
        None => std::future::pending().await,
    }
}

/// Drops streams where it harms nobody: each may hold the last of a million values.
fn free(streams: Vec<Stream>) {
    if !streams.is_empty() {
        drop(spawn_blocking(move || drop(streams)));
    }
}

fn too_many(shared: &Shared) -> Error {
    let limit = shared.config.max_connections;
    Error::new(Code::TooManyConnections, format!("the server has its {limit} connections already"))
}

/// Replies that may wait to be sent before no more requests are answered, in bytes.
const HIGH_WATER: usize = 1 << 20;

/// Requests by a lane that are answered before the answers are sent: while their caller takes these, the next are
/// answered.
const MOST_AT_ONCE: u64 = 16;

/// The read buffer of a connection, unless a frame is larger.
const READ_BUFFER: usize = 64 * 1024;

/// How long a refused peer may take to read why.
const LINGER: Duration = Duration::from_millis(500);
