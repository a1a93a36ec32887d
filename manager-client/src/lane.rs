//! A connection's lane: rings in shared memory that carry calls without a system call, while the server looks.
//!
//! The way of a call is chosen when nothing else of its connection is under way. If the server looks into its lanes
//! at that moment, the call goes by the lane, and its answer comes by it; else both go by the socket. Who waits for an
//! answer looks for a moment, and then sleeps at the socket, by which the server wakes it.

use std::env;
use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use manager_lane::{ClientEnd, current_cpu, leave_cpu};
use manager_protocol::{FrameKind, OpenLane, Wake, write_control};

/// How calls travel to a server on the same machine.
///
/// ```
/// use manager_client::Lane;
///
/// let manager = manager_client::Manager::options().lane(Lane::Socket).start()?;
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lane {
    /// Through shared memory where the server gives it and it gets more done, and else through the socket: the
    /// default. A connection asks for it once it was used some times.
    #[default]
    Auto,
    /// Through the socket.
    Socket,
    /// As [`Auto`](Self::Auto), but to connect fails if the server gives no shared memory.
    SharedMemory,
}

/// What there is of a connection's lane.
#[derive(Debug)]
pub(crate) enum State {
    /// It was not asked for, and is not before the connection was used so many times more.
    Unasked(u32),
    /// It was asked for; its memory may have arrived.
    Asked(Option<OwnedFd>),
    /// It is here, and the server may know.
    Open { lane: Box<ClientEnd>, told: bool, calls: usize },
    /// There is none, and there will be none.
    Without,
}

impl State {
    pub(crate) fn new(lane: Lane) -> Self {
        match lane {
            Lane::Auto => Self::Unasked(ask_after()),
            Lane::SharedMemory => Self::Unasked(0),
            Lane::Socket => Self::Without,
        }
    }

    /// Appends what the server is to be told of it, in front of a request.
    #[inline]
    pub(crate) fn write_news(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Unasked(calls @ 1..) => *calls -= 1,
            Self::Unasked(0) => {
                write_control(out, FrameKind::OpenLane, &OpenLane());
                *self = Self::Asked(None);
            }
            Self::Open { told: told @ false, .. } => {
                write_control(out, FrameKind::WakeServer, &Wake());
                *told = true;
            }
            Self::Open { .. } | Self::Asked(_) | Self::Without => {}
        }
    }

    /// What was appended was not sent.
    pub(crate) fn unwrite_news(&mut self) {
        match self {
            Self::Asked(None) => *self = Self::Unasked(1),
            Self::Open { told, .. } => *told = false,
            Self::Asked(Some(_)) | Self::Unasked(_) | Self::Without => {}
        }
    }

    /// Takes the lane that the server has offered.
    pub(crate) fn accept(&mut self, offer: manager_protocol::Lane) {
        let opened = match std::mem::replace(self, Self::Without) {
            Self::Asked(Some(memory)) => {
                ClientEnd::open(&memory, offer.request_slots as usize, offer.reply_slots as usize)
            }
            // There was none to be had, or it was not asked for.
            Self::Asked(None) | Self::Unasked(_) | Self::Open { .. } | Self::Without => return,
        };
        // Without it the socket does as well, only slower.
        if let Ok(lane) = opened {
            *self = Self::Open { lane: Box::new(lane), told: false, calls: 0 };
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Whether a request of so many bytes should go by the lane.
    #[inline]
    pub(crate) fn suits(&self, bytes: usize) -> bool {
        matches!(self, Self::Open { lane, told: true, .. } if bytes <= MOST_BYTES && lane.is_served())
    }

    /// To be asked by a thread that has slept, with its way to tell whether it may be moved: moves it off the CPU that the
    /// server looks from. There, the server would have looked in vain while this thread waited for its turn.
    pub(crate) fn make_way(&self, keeps_cpu: &mut bool) {
        if let Self::Open { lane, .. } = self
            && !*keeps_cpu
            && lane.server_cpu() == Some(current_cpu())
        {
            *keeps_cpu = !leave_cpu(current_cpu());
        }
    }

    /// Before so many more calls, lets others run on this CPU now and then: a thread that looks for its answers and never
    /// sleeps keeps it for as long as the system lets it, and each of the others waits for that.
    #[inline]
    pub(crate) fn take_turns(&mut self, more: usize) {
        if let Self::Open { calls, .. } = self {
            *calls += more;
            if *calls >= CALLS_A_TURN {
                *calls = 0;
                yield_now();
            }
        }
    }
}

/// How long an answer is looked for.
#[derive(Debug)]
pub(crate) struct Looking {
    looks: u32,
    until: Option<Instant>,
    time: Duration,
    may_move: bool,
}

impl Looking {
    /// For so long; `keeps_cpu` says that the thread must stay on the CPU that it is on.
    pub(crate) fn new(time: Duration, keeps_cpu: bool) -> Self {
        Self { looks: 0, until: None, time, may_move: !keeps_cpu }
    }

    /// Something has arrived: what is next is looked for anew.
    #[inline]
    pub(crate) fn begin_again(&mut self) {
        (self.looks, self.until) = (0, None);
    }

    /// Whether to look once more, rather than to sleep.
    #[inline]
    pub(crate) fn goes_on(&mut self, lane: &ClientEnd) -> bool {
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS_A_CLOCK) { self.has_time(lane) } else { true }
    }

    fn has_time(&mut self, lane: &ClientEnd) -> bool {
        let now = Instant::now();
        if let Some(until) = self.until
            && !self.moves(lane)
        {
            return now < until;
        }
        self.until = now.checked_add(self.time);
        true
    }

    /// Whether this thread was on the server's CPU, and is not any more: there neither gets on while the other looks.
    fn moves(&mut self, lane: &ClientEnd) -> bool {
        let cpu = current_cpu();
        if !self.may_move || lane.server_cpu() != Some(cpu) {
            return false;
        }
        self.may_move = false;
        leave_cpu(cpu)
    }
}

/// How often a connection is used before it asks for a lane: that of one which is used a few times is not worth it.
/// The environment variable `MANAGER_LANE_AFTER` sets another number.
fn ask_after() -> u32 {
    static ASK_AFTER: LazyLock<u32> = LazyLock::new(|| {
        let told = env::var("MANAGER_LANE_AFTER").ok();
        told.and_then(|told| told.parse().ok()).unwrap_or(64)
    });
    *ASK_AFTER
}

/// More than this goes by the socket: it copies at once what the lane would take in several turns.
const MOST_BYTES: usize = 8 * 1024;

/// Calls after which others have their turn: less than a millisecond, where the system would give three or more to each.
/// Much less, and those that share a CPU spend their time changing places.
const CALLS_A_TURN: usize = 384;

/// Looks for each look at the clock.
const LOOKS_A_CLOCK: u32 = 16;

/// How long a server may take to make room before it is asked again.
pub(crate) const NAP: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests;
