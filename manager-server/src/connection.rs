//! The task of one connection: reads what has arrived, answers it, writes all answers at once.
//!
//! A request costs one read and one write, less when several arrive together. Requests are carried
//! out in the order sent. What a connection holds is bounded: while its peer does not take replies,
//! nothing more is read from it, and no other connection waits for it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use manager_protocol::{Code, Error, FrameKind, write_error_reply};
use manager_socket::Socket;
use tokio::net::unix::UCred;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::sleep;

use crate::accept::Arrival;
use crate::conversation::{Conversation, Job, Turn};
use crate::core::{Departure, Stream};
use crate::handshake::{admit, greet};
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
            serve(Moving { wire, conversation, peer, seat, home }, &shared, stop).await;
        }
        Err(ending) => end(wire, ending, &peer, &shared).await,
    }
}

/// A connection after its hello, between two workers.
#[derive(Debug)]
pub(crate) struct Moving {
    wire: Wire,
    conversation: Conversation,
    peer: UCred,
    /// Its place among all connections.
    seat: Option<OwnedSemaphorePermit>,
    /// The worker that it was dealt to.
    home: usize,
}

/// Goes on with a connection on another worker than before.
pub(crate) async fn carry_on(moving: Box<Moving>, is_at_looker: bool, shared: Arc<Shared>, stop: Stop) {
    let Moving { wire, conversation, peer, seat, home } = *moving;
    match wire.moved(is_at_looker) {
        Ok(wire) => serve(Moving { wire, conversation, peer, seat, home }, &shared, stop).await,
        Err(error) => {
            tracing::warn!(%error, "cannot go on with a connection");
            depart(conversation, Departure::Broke, &shared);
        }
    }
}

async fn serve(served: Moving, shared: &Shared, stop: Stop) {
    let Moving { mut wire, conversation, peer, seat, home } = served;
    let patience = shared.config.frame_timeout;
    let mut connection = Connection { wire: &mut wire, shared, conversation, patience, left: false, has_news: false };
    let ending = match connection.converse(stop.clone()).await {
        Ok(Moves) => {
            let conversation = connection.conversation;
            let next = if wire.is_at_looker() { shared.workers.get(home) } else { shared.looker() };
            let moving = Box::new(Moving { wire, conversation, peer, seat, home });
            let Err(moving) = send(next, moving) else { return };
            // That worker has stopped, and so will this one.
            let Moving { wire, conversation, peer, .. } = *moving;
            depart(conversation, Departure::Broke, shared);
            return end(wire, Ending::shutting_down(), &peer, shared).await;
        }
        Err(ending) => ending,
    };
    let conversation = connection.conversation;
    let departure = match &ending {
        // What was left in the lane was not taken.
        Ending::Left if wire.is_taken() => Departure::Left,
        Ending::Left | Ending::Broken(_) | Ending::Stalled | Ending::Refused(_) => Departure::Broke,
    };
    depart(conversation, departure, shared);
    end(wire, ending, &peer, shared).await;
}

/// Has another worker go on with a connection; gives it back if that has stopped.
fn send(worker: Option<&UnboundedSender<Guest>>, moving: Box<Moving>) -> Result<(), Box<Moving>> {
    let Some(worker) = worker else { return Err(moving) };
    worker.send(Guest::Moved(moving)).map_err(|refused| match refused.0 {
        Guest::Moved(moving) => moving,
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
struct Connection<'a> {
    wire: &'a mut Wire,
    shared: &'a Shared,
    conversation: Conversation,
    /// How much longer to wait for the frame that has begun to arrive.
    patience: Duration,
    /// The peer sends nothing any more, but may still take replies.
    left: bool,
    /// Something has arrived since replies were sent. A wake does not tell that they arrived: it may have been sent
    /// before.
    has_news: bool,
}

impl Connection<'_> {
    /// Goes on until there is a reason to end.
    async fn converse(&mut self, stop: Stop) -> Result<Moves, Ending> {
        let mut stopped = pin!(stop.clone().requested());
        loop {
            let starved = self.answer().await?;
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
                yield_now().await; // There is more to do at once, and others have waited for it.
            } else if stopping {
                self.shared.core.turn_away(self.conversation.client(), self.shared.now());
                let _ending = self.conversation.collect(&mut self.wire.out);
                self.wire.flush().await?;
                return Err(Ending::shutting_down());
            } else if self.left {
                return Err(Ending::Left);
            } else if self.wire.is_misplaced() {
                return Ok(Moves);
            } else {
                self.read(stopped.as_mut()).await?;
            }
        }
    }

    /// Answers what has arrived, in order. Whether nothing whole is left; otherwise there are
    /// replies to be sent first.
    async fn answer(&mut self) -> Result<bool, Ending> {
        let now = self.shared.now();
        while self.wire.out.len() < HIGH_WATER && !self.conversation.is_full() {
            let Wire { inbox, out, is_from_lane, by_lane, .. } = &mut *self.wire;
            let Some(frame) = inbox.frame(self.shared.config.limits.max_frame)? else {
                return Ok(true);
            };
            self.patience = self.shared.config.frame_timeout;
            let length = frame.body.len();
            if frame.kind != FrameKind::WakeServer {
                *by_lane = *is_from_lane;
                if std::mem::take(&mut self.has_news) {
                    self.conversation.client().heard();
                }
            }
            match self.conversation.hear(frame, now, out)? {
                Turn::Done => inbox.advance(length),
                Turn::Patient(id) => {
                    let body = inbox.take_body(length);
                    self.run(Job { id, body }).await?;
                }
                Turn::Assembled(job) => {
                    inbox.advance(length);
                    self.run(job).await?;
                }
                Turn::Lane => {
                    inbox.advance(length);
                    self.open_lane().await?;
                }
                Turn::Woken => {
                    inbox.advance(length);
                    let lane = self.wire.lane();
                    lane.ok_or_else(|| Error::new(Code::MalformedFrame, "a wake without a lane"))?.was_told();
                }
            }
        }
        Ok(false)
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
        let inside = self.wire.inbox.is_inside_frame() || self.conversation.is_inside_message();
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

/// The read buffer of a connection, unless a frame is larger.
const READ_BUFFER: usize = 64 * 1024;

/// How long a refused peer may take to read why.
const LINGER: Duration = Duration::from_millis(500);
