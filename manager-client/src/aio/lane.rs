//! The lane beside the socket of an async connection: which way requests go, and how long answers are looked for.
//!
//! There is seldom a moment in which no call is under way. So the way is changed behind a fence: a request that is
//! sent the old way, with none behind it until it is answered. Then all before it have arrived. Answers are taken from
//! both ways at any time: one that comes later than others comes the way that requests go then.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use manager_lane::{ClientEnd, Corrupt};
use manager_protocol::{FrameKind, Wake, write_control};
use manager_socket::Socket;
use tokio::time::{Sleep, sleep};

use crate::error::{Error, Reason, Result};
use crate::inbox::Inbox;
use crate::lane::{Looking, NAP, State};
use crate::options::Settings;

/// What there is of a lane, and what has come by it.
pub(super) struct Lane {
    pub(super) state: State,
    pub(super) inbox: Inbox,
    /// Requests go by it.
    pub(super) is_used: bool,
    /// So many answers in a row came while requests went the way that was not the better one.
    misled: usize,
    fence: Option<Fence>,
    looking: Looking,
    /// The server was told that nobody looks.
    dozes: bool,
    nap: Option<Pin<Box<Sleep>>>,
}

/// What is between requests that go different ways.
struct Fence {
    id: u64,
    /// The position in the stream behind it.
    end: u64,
    answered: bool,
}

/// What looking has come to.
pub(super) enum Look {
    /// Something has come.
    Found,
    /// Whoever looks is woken to look again.
    Waits,
}

impl Lane {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            state: State::new(settings.lane),
            inbox: Inbox::new(settings.max_message),
            is_used: false,
            misled: 0,
            fence: None,
            looking: Looking::new(settings.look, true),
            dozes: false,
            nap: None,
        }
    }

    /// The lane, if the server knows that it is here.
    fn open(&mut self) -> Option<&mut ClientEnd> {
        match &mut self.state {
            State::Open { lane, told: true, .. } => Some(lane),
            State::Open { told: false, .. } | State::Unasked(_) | State::Asked(_) | State::Without => None,
        }
    }

    /// Appends what the server is to be told of the lane, in front of a request.
    pub(super) fn write_news(&mut self, out: &mut Vec<u8>) {
        // In the lane the server would not find it.
        if !self.is_used {
            self.state.write_news(out);
        }
    }

    /// So many answers have come just now: then a server that looks at all is looking, even if requests come in bursts
    /// with rests in between.
    pub(super) fn judge(&mut self, answers: usize) {
        let is_used = self.is_used;
        let is_misled = self.open().is_some_and(|lane| lane.is_served() != is_used);
        self.misled = if is_misled { self.misled.saturating_add(answers) } else { 0 };
    }

    /// Whether requests should go the other way.
    pub(super) fn wants_change(&self) -> bool {
        self.misled >= MOST_MISLED && self.fence.is_none()
    }

    /// Changes the way as soon as the request with this id is answered, if it is the last until then.
    pub(super) fn fence(&mut self, id: u64, end: u64) {
        self.fence = Some(Fence { id, end, answered: false });
    }

    /// The request whose answer is awaited before others are sent.
    pub(super) fn fenced(&self) -> Option<u64> {
        self.fence.as_ref().map(|fence| fence.id)
    }

    /// That request was answered.
    pub(super) fn answered(&mut self) {
        if let Some(fence) = &mut self.fence {
            fence.answered = true;
        }
    }

    /// Changes the way, if it is time. Everything up to the position is written; if any of it came behind the fence, such
    /// as a cancel, nobody knows whether that has arrived, and it takes another fence.
    pub(super) fn change(&mut self, position: u64) {
        if let Some(Fence { end, .. }) = self.fence.take_if(|fence| fence.answered)
            && end == position
        {
            (self.misled, self.is_used) = (0, !self.is_used);
        }
    }

    /// Writes what there is room for; how much that was.
    pub(super) fn write(&mut self, bytes: &[u8], socket: &mut Socket) -> Result<usize> {
        let Some(lane) = self.open() else { return Err(Error::new(Reason::Broken)) };
        let count = lane.requests.write(bytes).map_err(spoiled)?;
        if count > 0 {
            if lane.must_wake_server() {
                let mut frame = Vec::new();
                write_control(&mut frame, FrameKind::WakeServer, &Wake());
                // If there is no room, there is enough to wake it already; if it has gone, who reads finds out.
                drop(socket.try_write(&frame));
            }
            self.looking.begin_again();
        }
        Ok(count)
    }

    /// How many bytes that were written last are known never to be read, once the server reads no more.
    pub(super) fn untaken(&mut self) -> usize {
        // What went by the lane before requests went by the socket has been read.
        self.open().map_or(0, |lane| lane.requests.untaken().unwrap_or(0))
    }

    /// Reads all that is there; whether that is anything.
    pub(super) fn fill(&mut self) -> Result<bool> {
        let State::Open { lane, .. } = &mut self.state else { return Ok(false) };
        let mut any = false;
        while lane.replies.has_more() {
            let count = lane.replies.read(self.inbox.room()).map_err(spoiled)?;
            self.inbox.filled(count);
            any = true;
        }
        if any {
            self.looking.begin_again();
        }
        Ok(any)
    }

    /// Looks for answers, which are awaited or not, and goes to sleep when none come. `is_written` says whether the
    /// server has room for all there is.
    pub(super) fn look(&mut self, is_awaited: bool, is_written: bool, context: &mut Context<'_>) -> Look {
        let is_used = self.is_used;
        let Self { state: State::Open { lane, told: true, .. }, looking, .. } = self else { return Look::Waits };
        if is_used && is_awaited {
            for _ in 0..LOOKS_A_TURN {
                if lane.replies.has_more() {
                    return Look::Found;
                }
                if !looking.goes_on(lane) {
                    return self.sleep(is_written, context);
                }
                std::hint::spin_loop();
            }
            // The other tasks of the runtime have their turn in between.
            context.waker().wake_by_ref();
            return Look::Waits;
        }
        self.sleep(is_written, context)
    }

    fn sleep(&mut self, is_written: bool, context: &mut Context<'_>) -> Look {
        if !is_written && self.is_used {
            // Nothing tells when there is room.
            let nap = self.nap.get_or_insert_with(|| Box::pin(sleep(NAP)));
            if nap.as_mut().poll(context).is_ready() {
                self.nap = None;
                return Look::Found;
            }
            return Look::Waits;
        }
        self.dozes = self.open().is_some_and(ClientEnd::doze);
        if self.dozes { Look::Waits } else { Look::Found }
    }

    /// Looks again, if it slept.
    pub(super) fn rise(&mut self) {
        if std::mem::take(&mut self.dozes)
            && let State::Open { lane, .. } = &self.state
        {
            lane.rise();
        }
    }
}

/// The server has written over the memory of the lane.
fn spoiled(corrupt: Corrupt) -> Error {
    Error::with_source(Reason::Broken, corrupt)
}

/// So many may be misled before all others wait for the change.
const MOST_MISLED: usize = 64;

/// Looks before the other tasks have their turn.
const LOOKS_A_TURN: u32 = 8;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::task::{Poll, Waker};
    use std::time::Instant;

    use manager_lane::ServerEnd;

    use super::*;

    /// A lane that the server knows of, its end of it, and both ends of the socket.
    fn open() -> (Lane, ServerEnd, Socket, UnixStream) {
        let (server, memory) = ServerEnd::create(16, 16).unwrap();
        let client = ClientEnd::open(&memory, 16, 16).unwrap();
        let mut lane = Lane::new(&Settings::default());
        lane.state = State::Open { lane: Box::new(client), told: true, calls: 0 };
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (lane, server, Socket::new(ours).unwrap(), theirs)
    }

    #[tokio::test]
    async fn requests_change_their_way_behind_a_fence() {
        let (mut lane, server, _ours, _theirs) = open();
        lane.judge(MOST_MISLED);
        assert!(!lane.wants_change(), "nobody looks into the lane");
        server.looker().rise(None);
        lane.judge(1);
        assert!(!lane.wants_change(), "the server may have looked for a moment only");
        lane.judge(MOST_MISLED);
        assert!(lane.wants_change());
        lane.fence(7, 100);
        assert!(!lane.wants_change() && lane.fenced() == Some(7));
        lane.change(100);
        assert!(!lane.is_used, "what was sent before may still be on its way");
        lane.answered();
        lane.change(120);
        assert!(!lane.is_used && lane.wants_change(), "what was sent behind it may still be on its way");
        lane.fence(8, 140);
        lane.answered();
        lane.change(140);
        assert!(lane.is_used && lane.fenced().is_none());

        lane.judge(MOST_MISLED);
        assert!(!lane.wants_change());
        assert!(!server.looker().doze());
        lane.judge(MOST_MISLED);
        assert!(lane.wants_change(), "nobody looks any more");
    }

    #[tokio::test]
    async fn a_server_that_does_not_look_is_woken_by_the_socket() {
        let (mut lane, mut server, mut ours, theirs) = open();
        lane.is_used = true;
        let mut wake = Vec::new();
        write_control(&mut wake, FrameKind::WakeServer, &Wake());
        assert_eq!(lane.write(b"one", &mut ours).unwrap(), 3);
        let mut read = [0; 16];
        assert_eq!(std::io::Read::read(&mut &theirs, &mut read).unwrap(), wake.len());
        assert_eq!(read[..wake.len()], wake);
        server.looker().rise(None);
        assert_eq!(lane.write(b"two", &mut ours).unwrap(), 3);
        assert!(std::io::Read::read(&mut &theirs, &mut read).is_err(), "it looks");
        assert_eq!(server.requests.read(&mut read).unwrap(), 6);
    }

    #[tokio::test]
    async fn who_awaits_an_answer_looks_for_a_while_and_then_sleeps() {
        let (mut lane, mut server, _ours, _theirs) = open();
        lane.is_used = true;
        let mut context = Context::from_waker(Waker::noop());
        let begin = Instant::now();
        while !lane.dozes {
            assert!(matches!(lane.look(true, true, &mut context), Look::Waits));
            assert!(begin.elapsed().as_secs() < 30, "it looks for ever");
        }
        server.replies.write(b"reply").unwrap();
        assert!(server.must_wake_client());
        lane.rise();
        assert!(matches!(lane.look(true, true, &mut context), Look::Found));
        assert!(lane.fill().unwrap() && !lane.fill().unwrap());
        assert!(matches!(lane.look(false, true, &mut context), Look::Waits));
        assert!(lane.dozes, "nothing is awaited");
    }

    #[tokio::test]
    async fn who_waits_for_room_naps() {
        let (mut lane, mut server, mut ours, _theirs) = open();
        lane.is_used = true;
        server.looker().rise(None);
        while lane.write(&[0; 64], &mut ours).unwrap() > 0 {}
        let found = std::future::poll_fn(|context| match lane.look(false, false, context) {
            Look::Found => Poll::Ready(()),
            Look::Waits => Poll::Pending,
        });
        found.await;
        assert!(server.requests.read(&mut [0; 4096]).unwrap() > 0);
        assert!(lane.write(&[0; 64], &mut ours).unwrap() > 0);
    }
}
