//! One connection of the blocking driver: what is told and asked on it, in the thread of the caller.

use manager_protocol::{Cancel, FrameKind, Leave, ObjectId, Row, write_control};

use crate::deadline::Deadline;
use crate::endpoint::{Endpoint, write_hello};
use crate::error::{Error, Reason, Result};
use crate::inbox::protocol;
use crate::lane::Lane;
use crate::link::Answer;
use crate::reference::Origin;
use crate::request::{Limits, write_request};
use crate::retry::Backoff;
use crate::session::Session;
use crate::wire::{Lost, Wire};

/// A stream to the server on which no request is under way.
pub(crate) struct Connection {
    wire: Wire,
    /// The process that opened it: a fork must not speak on the same stream.
    pid: u32,
    /// Which of the session's generations it is of.
    generation: u32,
    /// The given up changes whose cancelling is in the outbox.
    cancelling: Vec<u64>,
    /// The requests that give holds back and were not answered: nobody waits for them.
    releasing: Vec<u64>,
    /// Whether it was lost while nobody used it.
    is_lost: bool,
    /// That of answers by which the session holds nothing.
    origin: Origin,
    limits: Limits,
}

impl std::fmt::Debug for Connection {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// What a caller says of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Nobody awaits it here.
    Foreign,
    /// More is awaited.
    More,
    /// Nothing more has to be waited for.
    Last,
}

impl Connection {
    /// Connects, exchanges the hello, and waits for a lane if there must be one.
    pub(crate) fn open(endpoint: &Endpoint, session: &Session, deadline: &Deadline) -> Result<Box<Self>> {
        let mut connection = Self::greet(endpoint, session, deadline)?;
        if endpoint.settings.lane == Lane::SharedMemory {
            connection.insist_on_lane(deadline)?;
        }
        Ok(connection)
    }

    /// Connects and exchanges the hello: enough to tell the server something.
    pub(crate) fn greet(endpoint: &Endpoint, session: &Session, deadline: &Deadline) -> Result<Box<Self>> {
        let mut entry = session.enter(deadline)?;
        let mut backoff = Backoff::new();
        let stream = loop {
            if let Some(stream) = endpoint.open()? {
                break stream;
            }
            deadline.sleep(backoff.wait())?;
        };
        let mut connection = Box::new(Self {
            wire: Wire::new(stream, &endpoint.settings),
            pid: session.pid(),
            generation: entry.generation(),
            cancelling: Vec::new(),
            releasing: Vec::new(),
            is_lost: false,
            origin: Origin::new(session.holds(), entry.generation(), &[]),
            limits: Limits { frame: 0, message: 0 },
        });
        write_hello(&mut connection.wire.outbox, entry.choice());
        let limits = connection.wire.run(deadline, |inbox| {
            Ok(match inbox.frame()? {
                Some(answer) => Some(endpoint.admit(answer, &mut entry)?),
                None => None,
            })
        });
        connection.limits = limits.map_err(|lost| lost.error)?;
        connection.wire.inbox.allow(connection.limits.frame);
        Ok(connection)
    }

    /// Asks for a lane and waits for it.
    fn insist_on_lane(&mut self, deadline: &Deadline) -> Result<()> {
        self.wire.lane.write_news(&mut self.wire.outbox);
        let offer = self.wire.run(deadline, |inbox| {
            inbox.next()?;
            Ok(inbox.take_offer())
        });
        self.wire.lane.accept(offer.map_err(|lost| lost.error)?);
        if self.wire.lane.is_open() { Ok(()) } else { Err(Error::new(Reason::NoSharedMemory)) }
    }

    /// Whether it was opened by this session, and the server has the session still as far as is known.
    pub(crate) fn is_of(&self, session: &Session) -> bool {
        self.pid == session.pid() && self.generation == session.generation()
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether nothing is left over from the last call.
    pub(crate) fn is_clean(&self) -> bool {
        self.wire.is_clean() && !self.is_lost
    }

    /// Queues what the session has to tell, to be sent in front of requests. `is_awaited` says whether earlier requests
    /// are not answered yet.
    pub(crate) fn queue_news(&mut self, session: &Session, is_awaited: bool) {
        self.wire.is_at_rest = self.releasing.is_empty() && !is_awaited;
        self.queue_session_news(session);
        self.wire.lane.write_news(&mut self.wire.outbox);
    }

    fn queue_session_news(&mut self, session: &Session) {
        if let Some(news) = session.take_news(self.limits) {
            news.write(&mut self.wire.outbox);
            self.cancelling.extend(news.cancels);
        }
        self.releasing.extend(session.write_releases(self.generation, &mut self.wire.outbox, self.limits));
    }

    /// Sends what the session has to tell, as far as that can be done without waiting.
    pub(crate) fn tell_news(&mut self, session: &Session) {
        self.is_lost = self.take_released(session).is_err();
        if self.is_lost || !self.wire.outbox.is_empty() || self.releasing.len() >= MOST_RELEASING {
            return;
        }
        self.queue_session_news(session);
        if self.wire.try_send() {
            self.wire.outbox.clear();
        }
    }

    /// Takes the answers that have arrived while nobody used the connection.
    fn take_released(&mut self, session: &Session) -> Result<()> {
        if self.releasing.is_empty() {
            return Ok(());
        }
        self.wire.read()?;
        while let Some(message) = self.wire.inbox.next()? {
            self.releasing.retain(|id| *id != message.id);
            session.was_released(message.id);
        }
        Ok(())
    }

    /// The connection is of no more use: what it has not told is to be told by another.
    pub(crate) fn abandon(mut self: Box<Self>, session: &Session) {
        session.was_cut();
        session.give_up(self.cancelling.drain(..));
        session.release_again(self.releasing.drain(..));
    }

    /// Queues a request; where its frames begin.
    ///
    /// # Errors
    /// If the server would not take it; nothing was queued.
    pub(crate) fn queue(
        &mut self,
        id: u64,
        row: Row,
        object: ObjectId,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize> {
        let start = self.wire.outbox.len();
        if let Some(mut parts) = write_request(&mut self.wire.outbox, id, row, object, encode, self.limits)? {
            while !parts.is_done() {
                parts.write_next(&mut self.wire.outbox, self.limits);
            }
        }
        self.wire.requests += 1;
        Ok(start)
    }

    /// Queues frames that another connection could not send, or whose answer it lost; where they begin.
    pub(crate) fn queue_again(&mut self, frames: &[u8]) -> usize {
        let start = self.wire.outbox.len();
        self.wire.outbox.extend_from_slice(frames);
        self.wire.requests += 1;
        start
    }

    /// Takes back what was queued, when there is no request behind it after all.
    pub(crate) fn unqueue(&mut self, session: &Session) {
        if !self.wire.outbox.is_empty() {
            self.wire.outbox.clear();
            self.wire.requests = 0;
            self.wire.lane.unwrite_news();
            session.was_cut();
            session.give_up(self.cancelling.drain(..));
            session.release_again(self.releasing.drain(..));
        }
    }

    /// Sends what is queued and takes outcomes, until `deliver` says that it was the last.
    ///
    /// # Errors
    /// If an outcome did not come in time, or cannot come any more. The connection is of no more use
    /// then, but for [`cancel`](Self::cancel).
    pub(crate) fn exchange(
        &mut self,
        session: &Session,
        deadline: &Deadline,
        deliver: &mut dyn FnMut(u64, Result<Answer<'_>>) -> Delivery,
    ) -> Result<(), Lost> {
        let (generation, mut releasing) = (self.generation, std::mem::take(&mut self.releasing));
        let plain = std::mem::take(&mut self.origin);
        let exchanged = self.wire.run(deadline, |inbox| {
            while let Some(message) = inbox.next()? {
                // What nobody takes of it is given back at the end of the turn.
                let holding = match &message.held[..] {
                    [] => None,
                    held => Some(Origin::new(session.holds(), generation, held)),
                };
                let origin = holding.as_ref().unwrap_or(&plain);
                let outcome = message.outcome.map(|answer| Answer { origin: Some(origin), ..answer });
                match deliver(message.id, outcome) {
                    Delivery::Last => return Ok(Some(())),
                    Delivery::More => {}
                    Delivery::Foreign if releasing.contains(&message.id) => {
                        releasing.retain(|id| *id != message.id);
                        session.was_released(message.id);
                    }
                    // Late: the answer to a request that was given up.
                    Delivery::Foreign if session.was_begun(message.id) => {}
                    Delivery::Foreign => return Err(protocol("an answer to a request that was not made")),
                }
            }
            Ok(None)
        });
        self.origin = plain;
        self.releasing = releasing;
        let cancelling = std::mem::take(&mut self.cancelling);
        match &exchanged {
            // What came before an answered request has arrived.
            Ok(()) if cancelling.is_empty() => self.wire.take_offer(),
            Ok(()) => session.finish_all(cancelling),
            Err(lost) => {
                session.give_up(cancelling);
                session.release_again(self.releasing.drain(..));
                self.give_back_lost(session);
                if lost.error.is_session_goodbye() {
                    session.expire(self.generation);
                }
            }
        }
        exchanged
    }

    /// Gives back what the session holds by answers that were lost on the way: to reads, which have others when
    /// they are sent again. The answer to a change comes again, and holds no more.
    fn give_back_lost(&mut self, session: &Session) {
        for (id, held) in self.wire.inbox.take_held() {
            if !session.awaits(id) {
                drop(session.holds().take(self.generation, &held));
            }
        }
    }

    /// Tells the server, if that can be done without waiting, that nobody waits for these any more.
    pub(crate) fn cancel(&mut self, ids: impl IntoIterator<Item = u64>) {
        for id in ids {
            write_control(&mut self.wire.outbox, FrameKind::Cancel, &Cancel { id });
        }
        // If it cannot, the next connection tells it.
        let _told = self.wire.try_send();
    }

    /// Tells the server that the session ends, and before that which answers were taken; whether that was
    /// sent.
    pub(crate) fn leave(mut self: Box<Self>, session: &Session) -> bool {
        let news = session.take_last_news(self.limits);
        news.write(&mut self.wire.outbox);
        write_control(&mut self.wire.outbox, FrameKind::Leave, &Leave());
        let is_told = self.wire.try_send();
        if !is_told {
            session.give_up(news.cancels);
        }
        is_told
    }
}

/// With so many releases unanswered, more wait for the next request.
const MOST_RELEASING: usize = 64;
