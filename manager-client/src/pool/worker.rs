//! The worker: takes jobs, does them one after the other, and tells what came of them.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use manager_protocol::Encoded;
use serde::de::IgnoredAny;

use super::Duty;
use super::chunk;
use super::proxy::{Assigned, Done, PoolProxy};
use crate::error::{Error, Result};
use crate::manager::{Manager, share};
use crate::process::Report;
use crate::reference::{Kept, take_keepers};
use crate::task::{Call, Outcome, Refusal, TaskError, find};

/// Works for a pool until there is nothing more to do; the exit code.
pub(crate) fn work(duty: Duty<'_>, tell: &mut dyn FnMut(&Report<'_>) -> bool) -> i32 {
    let Duty { socket, pool, worker, initializer, max_tasks } = duty;
    let begun = Manager::connect(socket).and_then(|manager| {
        share(&manager);
        let proxy = PoolProxy::resolve(&manager, pool)?;
        proxy.attach(worker)?;
        Ok((manager, proxy))
    });
    let (manager, proxy) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            tell(&Report::Unable(format!("a worker cannot reach the pool: {error}")));
            return 1;
        }
    };
    if let Some(initializer) = initializer
        && let Err(why) = initialise(&initializer, &manager)
    {
        tell(&Report::Unable(why));
        return 1;
    }
    tell(&Report::Ready);
    match Worker::new(proxy, worker, max_tasks).run() {
        Ok(End::Retired) => {
            tell(&Report::Retired);
            0
        }
        Ok(End::Dismissed) => {
            tell(&Report::Dismissed);
            0
        }
        Err(_) => 1,
    }
}

/// Runs the initializer; if that fails, why.
fn initialise(initializer: &Call<'_>, manager: &Manager) -> Result<(), String> {
    let name = &initializer.task.name;
    let arguments = Kept::received(&initializer.arguments, manager).map_err(|error| error.to_string())?;
    match arguments.within(|_| initializer.run()) {
        Outcome::Returned(_) => Ok(()),
        Outcome::ReturnedError(result) => {
            let error = text_of(&result).map(|text| format!(": {text}")).unwrap_or_default();
            Err(format!("the initializer {name} returned an error{error}"))
        }
        Outcome::Panicked(failure) => {
            let place = failure.location().map(|location| format!(" at {location}")).unwrap_or_default();
            Err(format!("the initializer {name} panicked{place}: {failure}"))
        }
        Outcome::Refused(refusal) => Err(format!("the initializer {name} was not run: {refusal}")),
    }
}

/// What an error that was returned says, if it is a text or a [`TaskError`].
fn text_of(result: &Encoded<'_>) -> Option<String> {
    let text = result.decode::<std::result::Result<IgnoredAny, String>>().ok().and_then(|result| result.err());
    let failure = || result.decode::<std::result::Result<IgnoredAny, TaskError>>().ok()?.err();
    text.or_else(|| Some(failure()?.to_string()))
}

/// How a worker's work ends.
pub(super) enum End {
    /// It has done as much as it was to do.
    Retired,
    /// The pool has no more jobs, and never will.
    Dismissed,
}

/// What the two threads of a worker share.
pub(super) struct Worker {
    proxy: PoolProxy,
    number: u64,
    max_tasks: Option<u64>,
    hand: Mutex<Hand>,
    /// There is something to watch over, or it is over.
    watched: Condvar,
}

#[derive(Default)]
struct Hand {
    /// Jobs that were not begun.
    jobs: VecDeque<Assigned>,
    /// What was not told yet.
    done: Vec<Done>,
    /// When the present job was begun.
    since: Option<Instant>,
    /// Whether the watcher waits for something to do.
    is_idle: bool,
    is_over: bool,
}

impl Worker {
    pub(super) fn new(proxy: PoolProxy, number: u64, max_tasks: Option<u64>) -> Self {
        Self { proxy, number, max_tasks, hand: Mutex::default(), watched: Condvar::new() }
    }

    /// Does jobs until there are no more.
    pub(super) fn run(&self) -> Result<End> {
        thread::scope(|scope| {
            let watcher = thread::Builder::new().name("pool watcher".into());
            // Without it, jobs are taken one by one.
            let is_watched = watcher.spawn_scoped(scope, || self.watch()).is_ok();
            let _over = Over(self);
            self.serve(is_watched)
        })
    }

    fn serve(&self, is_watched: bool) -> Result<End> {
        let (mut limit, mut left) = (1, self.max_tasks.unwrap_or(u64::MAX));
        while left > 0 {
            let jobs = match self.proxy.take(self.number, limit.min(left), WAIT) {
                Ok(jobs) => jobs,
                Err(error) if error.is_empty() || error.is_timeout() => continue,
                Err(error) if error.is_shut_down() || error.is_no_such_object() => return Ok(End::Dismissed),
                Err(error) => return Err(error),
            };
            let taken = jobs.len();
            let begun = Instant::now();
            left -= self.do_all(jobs)?;
            if !is_watched {
                continue;
            }
            let time = begun.elapsed();
            // A full hand that was soon empty could have been fuller.
            if time < SOON && taken as u64 == limit {
                limit = (limit * 2).min(MOST_JOBS);
            } else if time > LATE {
                limit = (limit / 2).max(1);
            }
        }
        Ok(End::Retired)
    }

    /// Does jobs; how many were begun.
    fn do_all(&self, jobs: Vec<Assigned>) -> Result<u64> {
        let (mut count, mut unsent_since) = (0, None::<Instant>);
        {
            let mut hand = self.hand();
            hand.jobs.extend(jobs);
            if hand.is_idle && hand.jobs.len() > 1 {
                hand.is_idle = false;
                self.watched.notify_all();
            }
        }
        while let ControlFlow::Continue(job) = self.next() {
            count += 1;
            let done = perform(&job);
            let now = Instant::now();
            let is_late = {
                let mut hand = self.hand();
                hand.since = None;
                hand.done.push(done);
                let since = *unsent_since.get_or_insert(now);
                hand.jobs.is_empty() || now.duration_since(since) >= UNSENT
            };
            if is_late {
                unsent_since = None;
                self.send_done()?;
            }
        }
        Ok(count)
    }

    /// Begins the next job.
    fn next(&self) -> ControlFlow<(), Assigned> {
        let mut hand = self.hand();
        match hand.jobs.pop_front() {
            Some(job) => {
                hand.since = Some(Instant::now());
                ControlFlow::Continue(job)
            }
            None => ControlFlow::Break(()),
        }
    }

    /// Tells what came of the jobs that are done.
    fn send_done(&self) -> Result<()> {
        let done = std::mem::take(&mut self.hand().done);
        if done.is_empty() { Ok(()) } else { self.finish(done) }
    }

    fn finish(&self, mut done: Vec<Done>) -> Result<()> {
        let Err(error) = self.proxy.finish(self.number, &done) else { return Ok(()) };
        if error.is_lost() {
            return Err(error);
        }
        if error.is_not_held() {
            // Who is no worker any more finds that out when it takes.
            return Ok(());
        }
        if done.len() > 1 {
            return done.into_iter().try_for_each(|done| self.finish(vec![done]));
        }
        let Some(only) = done.first_mut() else { return Ok(()) };
        refuse(only, &error);
        match self.proxy.finish(self.number, &done) {
            Err(error) if error.is_lost() => Err(error),
            // The pool is gone, then.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Sees to it that a long job does not hold up those before and behind it.
    fn watch(&self) {
        let mut hand = self.hand();
        while !hand.is_over {
            hand = if hand.done.is_empty() && hand.jobs.is_empty() {
                hand.is_idle = true;
                self.watched.wait(hand).unwrap_or_else(PoisonError::into_inner)
            } else {
                hand.is_idle = false;
                self.watched.wait_timeout(hand, LOOK).unwrap_or_else(PoisonError::into_inner).0
            };
            if hand.since.is_none_or(|since| since.elapsed() < LOOK) {
                continue;
            }
            let jobs: Vec<u64> = std::mem::take(&mut hand.jobs).into_iter().map(|job| job.job).collect();
            let done = std::mem::take(&mut hand.done);
            drop(hand);
            // If the server is gone the other thread finds that out.
            if !done.is_empty() {
                let _told = self.finish(done);
            }
            if !jobs.is_empty() {
                let _returned = self.proxy.give_back(self.number, &jobs);
            }
            hand = self.hand();
        }
    }

    /// Whether a job is being done.
    pub(super) fn is_busy(&self) -> bool {
        self.hand().since.is_some()
    }

    /// Each statement leaves it whole.
    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the watcher, however the other thread ends.
struct Over<'a>(&'a Worker);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.hand().is_over = true;
        self.0.watched.notify_all();
    }
}

/// Does a job.
fn perform(job: &Assigned) -> Done {
    // What the outcome refers to is held until it was told.
    let ran = job.arguments.within(|arguments| chunk::run(job.task, arguments));
    Done { job: job.job, task: job.task, ran, keepers: take_keepers() }
}

/// Puts the reason why an outcome cannot be told in its place.
fn refuse(done: &mut Done, error: &Error) {
    let name = find(done.task).map_or_else(String::new, |task| task.name().to_owned());
    done.ran = chunk::refuse(done.ran.calls, &Refusal::Unencodable { name, fault: error.to_string() });
    done.keepers.clear();
}

/// How long to wait for a job; then again.
const WAIT: Duration = Duration::from_secs(3600);

/// More jobs are taken at a time if those before took less than this, and fewer if they took more than that.
const SOON: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_millis(4);

/// Most jobs that are taken at a time. All that a worker has may be lost with it, and more at a time are no faster:
/// 100,000 squares took 0.40 s, with 1,024 at a time too.
const MOST_JOBS: u64 = 64;

/// What is done is told at the latest so long after, before the next job is begun.
const UNSENT: Duration = Duration::from_millis(1);

/// When a job takes longer than this, those that are done are told, and those that wait go to others.
const LOOK: Duration = Duration::from_millis(5);
