//! Whether it pays to look into lanes all the time, instead of waiting at sockets.
//!
//! A server that looks answers at once and without a system call, but keeps a core busy, which its clients may need
//! more. So nothing is assumed: where requests come often enough, looking is tried, and is kept up only while it
//! gets more done than waiting did.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When the server looks into lanes, and when it waits at its sockets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Looking {
    /// So many requests a second, of all clients that have lanes, must be answered while it looks: fewer are not worth a
    /// core. From an eighth of them on it is tried. 8,000.
    pub least_rate: f64,
    /// Requests are counted over so long, or a little longer if they are few. 5 ms: more than a turn of a thread, so that
    /// all who share a core have had one.
    pub window: Duration,
    /// While it looks, the server must answer so many times as many requests as while it waits. 1.15: it keeps a core
    /// busy for that.
    pub gain: f64,
    /// Without a request for so long the sockets are waited at until one comes. 200 µs: on some machines a client takes
    /// half of that to wake up, and the requests that are worth a core are no further apart. Where they seem to be, since
    /// they were while they were waited for, and while looking is tried: up to 1 ms.
    pub idle: Duration,
}

impl Default for Looking {
    fn default() -> Self {
        let (window, idle) = (Duration::from_millis(5), Duration::from_micros(200));
        Self { least_rate: 8_000.0, window, gain: 1.15, idle }
    }
}

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
    looking: Looking,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the window began, in which arrivals are counted.
    began: Instant,
    /// The count of requests at the last look at the clock, and when that was found to have grown.
    seen: u64,
    grew: Instant,
    /// The longest time in the window in which it did not grow.
    rest: Duration,
    phase: Phase,
    /// What the last window has shown, in requests a second.
    last: f64,
    /// The other way is not tried before this.
    retry: Instant,
    /// How long to wait after the next try that fails.
    pause: Duration,
    /// How long to look after it was compared, and was better.
    stretch: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Sockets are waited at.
    Waiting,
    /// Lanes are looked into for so many windows now; before that so many requests came in a second.
    Looking { windows: u32, before: f64, poor: u32 },
    /// Sockets are waited at for so many windows, to see whether it is still better to look, by which so many came, and
    /// before that so many.
    Comparing { windows: u32, looking: f64, before: f64 },
}

impl Tempo {
    /// Nothing has arrived yet.
    pub(crate) fn new(looking: &Looking, is_eager: bool) -> Self {
        let mut looking = looking.clone();
        looking.window = looking.window.max(SHORTEST_WINDOW);
        if is_eager {
            looking.idle = looking.idle.max(EAGER_IDLE);
        }
        let now = Instant::now();
        let state = State {
            began: now,
            seen: 0,
            grew: now,
            rest: Duration::ZERO,
            phase: Phase::Waiting,
            last: 0.0,
            retry: now,
            pause: SHORTEST_PAUSE,
            stretch: FIRST_STRETCH,
        };
        Self {
            wants_looking: AtomicBool::new(false),
            is_hot: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            looks: AtomicU32::new(0),
            is_eager,
            looking,
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
        let (requests, rest) = (self.requests.load(Ordering::Relaxed), now - state.grew);
        if requests != state.seen {
            (state.seen, state.grew, state.rest) = (requests, now, state.rest.max(rest));
        } else if rest > state.idle(&self.looking) {
            // Nobody wants anything: whoever comes next comes by the socket, and looking goes on then.
            self.is_hot.store(false, Ordering::Relaxed);
            return;
        }
        let elapsed = now - state.began;
        let is_broken = state.is_broken(elapsed);
        let is_short = elapsed < self.longest_window() / if is_broken { 2 } else { 1 };
        if !is_short || elapsed >= self.looking.window && requests >= FEWEST {
            // That next to nothing comes while it is waited for is what is to be found out there.
            let tells = is_short || matches!(state.phase, Phase::Comparing { .. }) && elapsed < LONG_REST;
            if tells {
                state.close(&self.looking, requests as f64 / elapsed.as_secs_f64(), is_broken, now);
            } else {
                state.pass_over(&self.looking, requests, elapsed, now);
            }
            self.requests.fetch_sub(requests, Ordering::Relaxed);
            (state.began, state.seen, state.grew, state.rest) = (now, 0, now, Duration::ZERO);
        }
        let wants_looking = self.is_eager || matches!(state.phase, Phase::Looking { .. });
        self.wants_looking.store(wants_looking, Ordering::Relaxed);
        self.is_hot.store(wants_looking, Ordering::Relaxed);
    }

    /// A window that takes so long has a pause in it, and one that is mostly a rest in half the time.
    fn longest_window(&self) -> Duration {
        let for_few = Duration::try_from_secs_f64(FEWEST as f64 / least_tried(&self.looking)).unwrap_or(Duration::MAX);
        for_few.max(self.looking.window).saturating_mul(2)
    }
}

/// From so many requests a second on, looking is tried.
fn least_tried(looking: &Looking) -> f64 {
    looking.least_rate / 8.0
}

impl State {
    /// How long to look for the next request.
    fn idle(&self, looking: &Looking) -> Duration {
        match self.phase {
            // Clients may yet have to wake up, and to find out that they are looked for.
            Phase::Looking { windows: ..=SETTLING, .. } => looking.idle.max(LONGEST_IDLE),
            Phase::Looking { before, .. } => {
                let apart = Duration::try_from_secs_f64(1.0 / before).unwrap_or(LONGEST_IDLE);
                looking.idle.max(apart.min(LONGEST_IDLE))
            }
            Phase::Waiting | Phase::Comparing { .. } => looking.idle,
        }
    }

    /// Whether a window of so long was mostly a rest.
    fn is_broken(&self, elapsed: Duration) -> bool {
        self.rest > elapsed / 2
    }

    /// A window has ended in which next to nothing came, or which was mostly a rest: that says nothing of either way.
    ///
    /// What comes after a rest is taken for the same work as before, until more is known: who works by fits and starts
    /// is served by lanes from the first request on. But it is a try again, and what comes between two rests is judged.
    fn pass_over(&mut self, looking: &Looking, requests: u64, elapsed: Duration, now: Instant) {
        match self.phase {
            Phase::Looking { windows, before, poor }
                if self.is_broken(elapsed) && (windows > 0 || requests >= FEWEST) =>
            {
                // Of what went on for some windows, those were judged, and not the end.
                if windows <= SETTLING {
                    let worked = (elapsed - self.rest).max(SHORTEST_WINDOW);
                    let rate = if requests >= FEWEST { requests as f64 / worked.as_secs_f64() } else { self.last };
                    self.phase = Phase::Looking { windows: SETTLING, before, poor };
                    self.close(looking, rate, false, now);
                }
                if let Phase::Looking { windows, .. } = &mut self.phase {
                    *windows = 0;
                }
            }
            Phase::Looking { .. } => self.give_up(now),
            Phase::Waiting => {
                // What was tried before a long rest may have been quite another work.
                if elapsed >= LONG_REST.max(self.pause / 8) {
                    self.retry = now;
                }
            }
            // Nothing has shown that it was not better to look.
            Phase::Comparing { before, .. } => self.phase = Phase::Looking { windows: 0, before, poor: 0 },
        }
        self.last = 0.0;
    }

    /// A window has ended, in which so many requests came in a second. If most of it was a rest, that tells little.
    fn close(&mut self, looking: &Looking, rate: f64, is_broken: bool, now: Instant) {
        let Looking { least_rate, gain, .. } = *looking;
        let may_try = now >= self.retry;
        // While clients begin, each window shows more than the one before, whatever is done.
        let is_settled = rate < self.last * GROWING;
        self.last = rate;
        match &mut self.phase {
            Phase::Waiting => {
                if rate >= least_tried(looking) && is_settled && may_try {
                    self.stretch = FIRST_STRETCH;
                    self.phase = Phase::Looking { windows: 0, before: rate, poor: 0 };
                }
            }
            // The change itself takes some time, and so do clients that begin again.
            Phase::Looking { windows, .. } if *windows < SETTLING => *windows += 1,
            Phase::Looking { windows, before, poor } => {
                let is_trial = *windows == SETTLING;
                if rate < least_rate.max(if is_trial { *before * gain } else { *before }) {
                    *poor += if is_broken { 1 } else { WHOLE };
                    if *poor >= MOST_POOR {
                        self.give_up(now);
                    }
                    return;
                }
                *poor = 0;
                if is_trial {
                    *windows += 1;
                    self.pause = SHORTEST_PAUSE;
                    if may_try {
                        self.retry = now + FIRST_STRETCH;
                    }
                } else if may_try {
                    self.phase = Phase::Comparing { windows: 0, looking: rate, before: *before };
                }
            }
            Phase::Comparing { windows, .. } if *windows < SETTLING => *windows += 1,
            Phase::Comparing { looking, .. } if *looking < rate * gain => self.give_up(now),
            Phase::Comparing { .. } => {
                self.stretch = (self.stretch * 2).min(LONGEST_PAUSE);
                self.retry = now + self.stretch;
                self.phase = Phase::Looking { windows: SETTLING + 1, before: rate, poor: 0 };
            }
        }
    }

    /// Waits, and tries nothing else for a while, and each time for longer.
    fn give_up(&mut self, now: Instant) {
        self.retry = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.phase = Phase::Waiting;
    }
}

/// A window that shows so much more than the one before says that there will be more still.
const GROWING: f64 = 1.25;

/// So many windows of a try are not judged.
const SETTLING: u32 = 1;

/// To end a try, so much must be poor in a row: two windows. One that was mostly a rest counts for a quarter: whoever
/// works by fits and starts has such ones between two of them.
const MOST_POOR: u32 = 2 * WHOLE;
const WHOLE: u32 = 4;

/// In less there is nothing to be counted.
const SHORTEST_WINDOW: Duration = Duration::from_micros(100);

/// So few requests tell nothing of a rate.
const FEWEST: u64 = 32;

/// The next request is looked for no longer than this, however far apart they were before.
const LONGEST_IDLE: Duration = Duration::from_millis(1);

/// How long the eager look for the next request at least: they try whether all is well and not what it costs, and
/// clients that are slow find them looking.
const EAGER_IDLE: Duration = Duration::from_millis(2);

/// Looks for each look at the clock, and requests while nobody looks.
const LOOKS_A_CLOCK: u32 = 32;
const REQUESTS_A_CLOCK: u64 = 8;

/// The time between tries: doubled with each that fails.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// After a rest of so long, or of an eighth of the time until the next try, nothing is known of what was tried before it.
const LONG_REST: Duration = Duration::from_millis(250);

/// The time until waiting is compared with looking for the first time, which is better then; doubled with each time that
/// it still is, whatever rests there are.
const FIRST_STRETCH: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST_RATE: f64 = 8_000.0;

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
            let tempo = Tempo::new(&Looking::default(), is_eager);
            let now = tempo.state.lock().unwrap().began;
            Self { tempo, now }
        }

        /// Lanes are looked into, by which ten times as much is done.
        fn looking() -> Self {
            let mut run = Self::new();
            run.windows(3, LEAST_RATE * 2.0);
            assert!(run.windows(20, LEAST_RATE * 20.0));
            run
        }

        /// So many windows at a rate; whether lanes are looked into at the end.
        fn windows(&mut self, count: usize, rate: f64) -> bool {
            for _ in 0..(count as f64 * self.tempo.looking.window.as_secs_f64() * rate) as usize + 1 {
                self.now += Duration::from_secs_f64(1.0 / rate);
                self.tempo.requests.fetch_add(1, Ordering::Relaxed);
                self.tempo.judge(self.now);
            }
            self.tempo.is_hot.load(Ordering::Relaxed)
        }

        /// So many requests, so far apart, or so many times as far while they are waited for, and a pause; how long they
        /// were looked for meanwhile.
        fn burst(&mut self, count: u32, apart: Duration, slower: u32, pause: Duration) -> Duration {
            let mut looked = Duration::ZERO;
            for nth in 1..=count {
                self.tempo.requests.fetch_add(1, Ordering::Relaxed);
                self.tempo.judge(self.now);
                let is_hot = self.tempo.is_hot.load(Ordering::Relaxed);
                let gap = if nth == count { pause } else { apart * if is_hot { 1 } else { slower } };
                if is_hot {
                    let idle = self.tempo.state.lock().unwrap().idle(&self.tempo.looking);
                    looked += gap.min(idle);
                    self.tempo.judge(self.now + gap.min(idle + Duration::from_micros(1)));
                }
                self.now += gap;
            }
            looked
        }

        /// Nothing for so long, and then a request.
        fn rest(&mut self, time: Duration) {
            self.tempo.judge(self.now + self.tempo.looking.idle.max(LONGEST_IDLE) + Duration::from_micros(1));
            assert!(!self.tempo.is_hot.load(Ordering::Relaxed));
            self.now += time;
            self.tempo.requests.fetch_add(1, Ordering::Relaxed);
            self.tempo.judge(self.now);
        }
    }

    #[test]
    fn few_requests_are_waited_for() {
        assert!(!Run::new().windows(80, LEAST_RATE / 8.0 * 0.9));
    }

    #[test]
    fn where_wakes_take_long_few_requests_become_many() {
        let mut run = Run::new();
        let waits = LEAST_RATE / 3.0;
        assert!((0..20).any(|_| run.windows(1, waits)));
        assert!(run.windows(20, LEAST_RATE * 20.0));
        // The next request is looked for as long as it would take to come if it were waited for.
        run.tempo.judge(run.now + Duration::from_secs_f64(0.9 / waits));
        assert!(run.tempo.is_hot());
        run.tempo.judge(run.now + Duration::from_secs_f64(1.1 / waits));
        assert!(!run.tempo.is_hot());
        let (mut waited, mut looks) = (0, true);
        for _ in 0..2000 {
            looks = run.windows(1, if looks { LEAST_RATE * 20.0 } else { waits / 3.0 });
            waited += usize::from(!looks);
        }
        assert!((6..=60).contains(&waited), "{waited} windows of 2000");
    }

    #[test]
    fn few_requests_that_do_not_become_many_are_not_worth_a_core() {
        let mut run = Run::new();
        let mut hot = 0;
        for _ in 0..2000 {
            let rate = if run.tempo.is_hot() { LEAST_RATE * 0.9 } else { LEAST_RATE / 3.0 };
            hot += usize::from(run.windows(1, rate));
        }
        assert!(hot > 0 && hot < 100, "{hot} windows of 2000");
    }

    #[test]
    fn many_requests_are_looked_for_while_more_of_them_are_answered() {
        let mut run = Run::new();
        assert!(run.windows(3, LEAST_RATE * 2.0));
        assert!(run.windows(40, LEAST_RATE * 20.0));
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
    fn after_a_long_rest_it_is_tried_again_at_once() {
        let mut run = Run::new();
        let rate = LEAST_RATE * 4.0;
        run.windows(1000, rate);
        assert!(!run.windows(3, rate));
        run.now += LONG_REST.max(LONGEST_PAUSE / 8);
        assert!((0..4).any(|_| run.windows(1, rate)));
    }

    #[test]
    fn what_was_looked_for_before_a_rest_is_looked_for_after_it() {
        for rest in [40, 100, 300, 3000].map(Duration::from_millis) {
            let mut run = Run::looking();
            for _ in 0..3 {
                run.rest(rest);
                assert!(run.windows(1, LEAST_RATE * 20.0), "after {rest:?}");
            }
            run.rest(rest);
            assert!(!run.windows(4, LEAST_RATE * 2.0), "it is another work, for which looking gains nothing");
        }
    }

    /// So many times: work of so many windows, by lanes ten times as much as otherwise, which begins and ends with less,
    /// and a rest. How many windows of it were waited for.
    fn waited(times: usize, windows: usize, rest: Duration) -> usize {
        let mut run = Run::new();
        let mut looks = run.windows(3, LEAST_RATE * 2.0);
        let mut waited = 0;
        for _ in 0..times {
            for nth in 0..windows {
                let rate = LEAST_RATE * if nth == 0 || nth + 1 == windows { 1.0 } else { 20.0 };
                looks = run.windows(1, if looks { rate } else { rate / 10.0 });
                waited += usize::from(!looks);
            }
            if looks {
                run.rest(rest);
            } else {
                run.now += rest;
            }
        }
        waited
    }

    #[test]
    fn clients_that_end_and_begin_again_one_by_one_are_looked_for() {
        let waited = waited(100, 20, Duration::from_millis(100));
        assert!((6..=40).contains(&waited), "{waited} windows of 2000");
    }

    #[test]
    fn windows_that_are_mostly_rests_tell_little() {
        let mut run = Run::looking();
        // All come to an end, and prepare what they do next.
        for _ in 0..3 {
            run.rest(Duration::from_millis(8));
            assert!(run.windows(0, LEAST_RATE));
            run.rest(run.tempo.longest_window() * 3 / 8);
            run.tempo.requests.fetch_add(FEWEST, Ordering::Relaxed);
            run.now += Duration::from_micros(100);
            run.tempo.judge(run.now);
        }
        assert!((0..3).all(|_| run.windows(1, LEAST_RATE * 20.0)));
        while run.tempo.wants_looking() {
            run.rest(run.tempo.longest_window() * 3 / 8);
            run.tempo.requests.fetch_add(FEWEST, Ordering::Relaxed);
            run.tempo.judge(run.now);
        }
    }

    #[test]
    fn rests_do_not_have_it_compared_more_often() {
        let waited = waited(50, 80, Duration::from_millis(300));
        assert!((6..=25).contains(&waited), "{waited} windows of 4000");
    }

    #[test]
    fn looking_ends_where_few_requests_come() {
        for apart in [5, 40, 100, 300, 3000].map(Duration::from_millis) {
            let mut run = Run::looking();
            for _ in 0..FEWEST {
                run.rest(apart);
            }
            assert!(!run.tempo.wants_looking(), "requests every {apart:?}");
            assert!((0..40).any(|_| run.windows(1, LEAST_RATE * 4.0)), "it is tried again when many come");
        }
    }

    #[test]
    fn bursts_of_few_requests_are_not_worth_a_core() {
        for (count, apart, pause) in [
            (40, 330, 34_000),
            (60, 330, 34_000),
            (60, 250, 34_000),
            (100, 400, 20_000),
            (130, 330, 45_000),
            (150, 400, 255_000),
            (500, 200, 300_000),
        ] {
            let mut run = Run::looking();
            let (begun, mut looked) = (run.now, Duration::ZERO);
            while run.now - begun < Duration::from_secs(60) {
                looked += run.burst(count, Duration::from_micros(apart), 1, Duration::from_micros(pause));
            }
            let share = looked.as_secs_f64() / (run.now - begun).as_secs_f64();
            assert!(share < 0.03, "{count} requests each {apart} us, a pause of {pause} us: {share:.3}");
        }
    }

    #[test]
    fn bursts_of_many_requests_are_looked_for() {
        for (count, pause) in [(1000, 35), (1000, 300), (10_000, 40), (10_000, 1000)] {
            let mut run = Run::looking();
            let (apart, pause) = (Duration::from_micros(4), Duration::from_millis(pause));
            let looked = (0..50).filter(|_| run.burst(count, apart, 4, pause) >= apart * (count - 1)).count();
            assert!(looked >= 45, "{looked} of 50 bursts of {count} requests, and then {pause:?}");
        }
    }

    #[test]
    fn while_ever_more_comes_nothing_is_tried() {
        let mut run = Run::new();
        assert!(!run.windows(1, LEAST_RATE * 2.0));
        assert!(!run.windows(1, LEAST_RATE * 3.0));
        assert!(!run.windows(1, LEAST_RATE * 4.0));
        assert!(run.windows(1, LEAST_RATE * 4.0));
    }

    #[test]
    fn looking_is_given_up_when_waiting_has_become_better() {
        let mut run = Run::new();
        assert!(run.windows(3, LEAST_RATE * 2.0));
        let (mut waited, mut looked) = (0, 0);
        for _ in 0..200 {
            // Whichever way, as much is done.
            if run.windows(1, LEAST_RATE * 8.0) { looked += 1 } else { waited += 1 }
        }
        assert!((45..=60).contains(&looked), "{looked} windows, {waited} waiting");
    }

    #[test]
    fn looking_goes_on_while_it_is_better_and_is_compared_ever_more_seldom() {
        let mut run = Run::new();
        assert!(run.windows(3, LEAST_RATE * 2.0));
        let (mut waited, mut looks) = (0, true);
        for _ in 0..2000 {
            looks = run.windows(1, LEAST_RATE * if looks { 20.0 } else { 2.0 });
            waited += usize::from(!looks);
        }
        assert!((6..=20).contains(&waited), "{waited} windows of 2000");
    }

    #[test]
    fn when_nothing_comes_nobody_looks() {
        let mut run = Run::new();
        assert!(run.windows(3, LEAST_RATE * 2.0));
        run.tempo.judge(run.now + LONGEST_IDLE);
        assert!(run.tempo.is_hot(), "while it is tried, clients have more time to come");
        run.tempo.judge(run.now + LONGEST_IDLE + Duration::from_nanos(1));
        assert!(!run.tempo.is_hot());
        assert!(run.windows(10, LEAST_RATE * 8.0), "and goes on when something comes");
        run.tempo.judge(run.now + run.tempo.looking.idle + Duration::from_nanos(1));
        assert!(!run.tempo.is_hot());
    }
}
