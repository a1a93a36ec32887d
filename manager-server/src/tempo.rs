//! Whether it pays to look into lanes all the time, instead of waiting at sockets.
//!
//! A server that looks answers at once and without a system call, but keeps a core busy, which its clients may need
//! more. So nothing is assumed: where requests come often enough, looking is tried, and is kept up only while it
//! gets more done than waiting did.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is known of the requests of those that have lanes. All workers tell it; the one that looks asks it.
#[derive(Debug)]
pub(crate) struct Tempo {
    /// Whether lanes are to be served by the worker that looks into them.
    wants_looking: AtomicBool,
    /// Whether that worker looks now: it rests when nothing comes.
    is_hot: AtomicBool,
    /// How many requests have arrived since the window began.
    requests: AtomicU64,
    looks: AtomicU32,
    /// Lanes are looked into after every arrival, whether it pays or not.
    is_eager: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the window began, in which arrivals are counted.
    began: Instant,
    /// The count of requests at the last look at the clock, and when that was found to have grown.
    seen: u64,
    grew: Instant,
    phase: Phase,
    /// No try before this.
    retry: Instant,
    /// How long to wait after the next try that fails.
    pause: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Sockets are waited at.
    Waiting,
    /// Lanes are looked into for so many windows now; before that so many requests came in a second.
    Looking { windows: u32, before: f64, poor: u32 },
}

impl Tempo {
    /// Nothing has arrived yet.
    pub(crate) fn new(is_eager: bool) -> Self {
        let now = Instant::now();
        let state = State { began: now, seen: 0, grew: now, phase: Phase::Waiting, retry: now, pause: SHORTEST_PAUSE };
        Self {
            wants_looking: AtomicBool::new(false),
            is_hot: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            looks: AtomicU32::new(0),
            is_eager,
            state: Mutex::new(state),
        }
    }

    /// So many requests have arrived, by whichever way. Whether lanes are to be looked into that were not before.
    pub(crate) fn arrived(&self, count: u64) -> bool {
        let before = self.requests.fetch_add(count, Ordering::Relaxed);
        // While nobody looks, this is when the clock is read; to end a rest, at once.
        let is_due = if self.wants_looking() {
            !self.is_hot.load(Ordering::Relaxed)
        } else {
            before.div_ceil(REQUESTS_A_CLOCK) != (before + count).div_ceil(REQUESTS_A_CLOCK)
        };
        if is_due {
            self.judge(Instant::now());
        }
        is_due && self.is_hot.load(Ordering::Relaxed)
    }

    /// Whether connections with lanes belong to the worker that looks into lanes.
    pub(crate) fn wants_looking(&self) -> bool {
        self.wants_looking.load(Ordering::Relaxed)
    }

    /// Whether to look into all lanes once more, rather than to wait.
    pub(crate) fn is_hot(&self) -> bool {
        if !self.is_hot.load(Ordering::Relaxed) {
            return false;
        }
        let looks = self.looks.load(Ordering::Relaxed).wrapping_add(1);
        self.looks.store(looks, Ordering::Relaxed); // By one thread only.
        if looks.is_multiple_of(LOOKS_A_CLOCK) {
            self.judge(Instant::now());
        }
        self.is_hot.load(Ordering::Relaxed)
    }

    fn judge(&self, now: Instant) {
        // Whoever is at it sees as much.
        let Ok(mut state) = self.state.try_lock() else { return };
        let requests = self.requests.load(Ordering::Relaxed);
        if requests != state.seen {
            (state.seen, state.grew) = (requests, now);
        } else if now - state.grew > if self.is_eager { EAGER_IDLE } else { IDLE } {
            // Nobody wants anything: whoever comes next comes by the socket, and looking goes on then.
            self.is_hot.store(false, Ordering::Relaxed);
            return;
        }
        let elapsed = now - state.began;
        if elapsed >= WINDOW {
            if elapsed < WINDOW * 4 {
                state.close(requests as f64 / elapsed.as_secs_f64(), now);
            } else {
                // There was a pause in it, which says nothing of either way.
                state.phase = Phase::Waiting;
            }
            self.requests.fetch_sub(requests, Ordering::Relaxed);
            (state.began, state.seen, state.grew) = (now, 0, now);
        }
        let wants_looking = self.is_eager || state.phase != Phase::Waiting;
        self.wants_looking.store(wants_looking, Ordering::Relaxed);
        self.is_hot.store(wants_looking, Ordering::Relaxed);
    }
}

impl State {
    /// A window has ended, in which so many requests came in a second.
    fn close(&mut self, rate: f64, now: Instant) {
        self.phase = match self.phase {
            Phase::Waiting if rate >= LEAST_RATE && now >= self.retry => {
                Phase::Looking { windows: 0, before: rate, poor: 0 }
            }
            Phase::Waiting => Phase::Waiting,
            // The change itself takes some time.
            Phase::Looking { windows, before, .. } if windows < SETTLING => {
                Phase::Looking { windows: windows + 1, before, poor: 0 }
            }
            Phase::Looking { windows, before, poor } => {
                let trial = windows == SETTLING;
                let wanted = if trial { before * BETTER } else { before };
                let poor = if rate < wanted { poor + 1 } else { 0 };
                if poor < MOST_POOR {
                    if poor == 0 {
                        self.pause = SHORTEST_PAUSE;
                    }
                    let windows = if poor == 0 { windows + 1 } else { windows };
                    Phase::Looking { windows, before, poor }
                } else {
                    self.retry = now + self.pause;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                    Phase::Waiting
                }
            }
        };
    }
}

/// Arrivals are counted over so long: more than a turn of a thread, so that all who share a core have had one.
const WINDOW: Duration = Duration::from_millis(5);

/// With fewer requests in a second there is little to be gained.
const LEAST_RATE: f64 = 8_000.0;

/// Looking must get so much more done than waiting did.
const BETTER: f64 = 1.15;

/// So many windows of a try are not judged, and so many in a row must be poor to end it.
const SETTLING: u32 = 1;
const MOST_POOR: u32 = 2;

/// Nothing for so long, and the sockets are waited at until something comes.
const IDLE: Duration = Duration::from_micros(60);

/// The same for the eager, who try whether all is well and not what it costs: clients that are slow find them looking.
const EAGER_IDLE: Duration = Duration::from_millis(2);

/// Looks for each look at the clock, and requests while nobody looks.
const LOOKS_A_CLOCK: u32 = 32;
const REQUESTS_A_CLOCK: u64 = 8;

/// The time between tries: doubled with each that fails.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that the test moves, and what arrives meanwhile.
    struct Run {
        tempo: Tempo,
        now: Instant,
    }

    impl Run {
        fn new() -> Self {
            Self::of(false)
        }

        fn of(is_eager: bool) -> Self {
            let tempo = Tempo::new(is_eager);
            let now = tempo.state.lock().unwrap().began;
            Self { tempo, now }
        }

        /// So many windows at a rate; whether lanes are looked into at the end.
        fn windows(&mut self, count: usize, rate: f64) -> bool {
            for _ in 0..(count as f64 * WINDOW.as_secs_f64() * rate) as usize + 1 {
                self.now += Duration::from_secs_f64(1.0 / rate);
                self.tempo.requests.fetch_add(1, Ordering::Relaxed);
                self.tempo.judge(self.now);
            }
            self.tempo.is_hot.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn few_requests_are_waited_for() {
        assert!(!Run::new().windows(20, LEAST_RATE * 0.9));
    }

    #[test]
    fn many_requests_are_looked_for_while_more_of_them_are_answered() {
        let mut run = Run::new();
        assert!(run.windows(2, LEAST_RATE * 2.0));
        assert!(run.windows(50, LEAST_RATE * 20.0));
        assert!(!run.windows(4, LEAST_RATE * 1.5), "it was better before");
    }

    #[test]
    fn a_try_that_gains_nothing_ends_and_is_repeated_ever_more_seldom() {
        let mut run = Run::new();
        let rate = LEAST_RATE * 4.0;
        let mut hot = 0;
        let seconds = 20;
        let windows = seconds * 1000 / 5;
        for _ in 0..windows {
            hot += usize::from(run.windows(1, rate));
        }
        assert!(hot > 0 && hot < windows / 50, "{hot} of {windows} windows");
    }

    #[test]
    fn the_eager_look_after_each_request_and_not_for_ever() {
        let mut run = Run::of(true);
        run.tempo.arrived(1);
        assert!(run.tempo.is_hot());
        run.now = Instant::now() + EAGER_IDLE;
        run.tempo.judge(run.now + EAGER_IDLE);
        assert!(!run.tempo.is_hot());
    }

    #[test]
    fn when_nothing_comes_nobody_looks() {
        let mut run = Run::new();
        assert!(run.windows(2, LEAST_RATE * 4.0));
        run.tempo.judge(run.now + IDLE + Duration::from_nanos(1));
        assert!(!run.tempo.is_hot());
        assert!(run.windows(1, LEAST_RATE * 8.0), "and goes on when something comes");
    }
}
