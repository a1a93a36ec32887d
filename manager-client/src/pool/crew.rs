//! The crew: the worker processes that a member keeps, and the thread that replaces those that end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Duty;
use super::member::Member;
use crate::argument::Argument;
use crate::error::{Error, Result};
use crate::process::{Birth, Child, Exit, News, Report, Work, end_children};
use crate::task::{Call, Fault, Named};

/// What every worker of a crew is told.
pub(super) struct Orders {
    pub(super) size: usize,
    pub(super) socket: PathBuf,
    pub(super) tasks: Vec<u64>,
    pub(super) initializer: Option<(Named, Argument)>,
    pub(super) max_tasks: Option<u64>,
}

/// What the crew's thread is told.
pub(super) enum Message {
    Reported(u64, Sign),
    Ended(u64, Exit),
    /// The process of a worker is to end.
    Condemned(u64),
    /// The membership is over, or the server is gone.
    Stranded,
    /// Nobody needs the crew any more.
    Dissolve,
}

/// What a worker has reported of itself.
pub(super) enum Sign {
    Ready,
    Unable(String),
    Dismissed,
}

/// The workers that a member keeps.
pub(super) struct Crew {
    member: Arc<Member>,
    orders: Orders,
    messages: Sender<Message>,
    roster: Mutex<Roster>,
}

#[derive(Default)]
struct Roster {
    workers: BTreeMap<u64, Worker>,
    /// How many were hired, for their names.
    hired: u64,
    /// How many ended in a row before they were ready.
    failures: usize,
    /// Nobody is replaced any more.
    is_dissolved: bool,
}

struct Worker {
    name: String,
    /// None until it is started.
    child: Option<Arc<Child>>,
    is_ready: bool,
    /// The pool has no more for it.
    is_dismissed: bool,
    /// Why it cannot work.
    unable: Option<String>,
}

impl Crew {
    pub(super) fn new(member: Arc<Member>, orders: Orders, messages: Sender<Message>) -> Self {
        Self { member, orders, messages, roster: Mutex::default() }
    }

    /// Hires and starts all workers.
    pub(super) fn start(&self) -> Result<()> {
        for _ in 0..self.orders.size {
            let worker = self.hire()?;
            self.send(worker)?;
        }
        Ok(())
    }

    /// Announces a worker, which is not started yet.
    fn hire(&self) -> Result<u64> {
        let name = {
            let mut roster = self.roster();
            roster.hired += 1;
            format!("PoolWorker-{}", roster.hired)
        };
        let number = self.member.proxy.hire(self.member.number, &name, &self.orders.tasks)?;
        let worker = Worker { name, child: None, is_ready: false, is_dismissed: false, unable: None };
        let mut roster = self.roster();
        roster.workers.insert(number, worker);
        self.member.set_workers(roster.workers.len());
        Ok(number)
    }

    /// Starts the process of a worker that was hired.
    fn send(&self, number: u64) -> Result<()> {
        let Orders { socket, initializer, max_tasks, .. } = &self.orders;
        let Some(name) = self.roster().workers.get(&number).map(|worker| worker.name.clone()) else { return Ok(()) };
        let initializer = match initializer {
            Some((task, arguments)) => Some(Call { task: task.clone(), arguments: arguments.get()? }),
            None => None,
        };
        let duty = Duty {
            socket: socket.clone(),
            pool: self.member.proxy.reference(),
            worker: number,
            initializer,
            max_tasks: *max_tasks,
        };
        let messages = self.messages.clone();
        let listener = move |news: News<'_>| {
            let message = match news {
                News::Report(report) => sign_of(report).map(|sign| Message::Reported(number, sign)),
                News::Ended(exit) => Some(Message::Ended(number, exit)),
            };
            // When the crew is dissolved nobody listens any more.
            message.map(|message| messages.send(message));
            false
        };
        let birth = Birth { name, daemon: true, socket: Some(socket.clone()), ..Birth::default() };
        let child = birth.start(Work::Pool(duty), Box::new(listener))?;
        let mut roster = self.roster();
        if roster.is_dissolved {
            // Whoever dissolved it has not seen this one.
            child.signal(Signal::KILL);
        }
        if let Some(worker) = roster.workers.get_mut(&number) {
            worker.child = Some(child);
        }
        Ok(())
    }

    /// Replaces workers that end, until the crew is dissolved.
    pub(super) fn keep(&self, messages: &Receiver<Message>) {
        // Those that are hired, and when they are to be started.
        let mut late: Vec<(Instant, u64)> = Vec::new();
        loop {
            let next = late.iter().map(|(when, _)| *when).min();
            let message = match next.map(|next| next.saturating_duration_since(Instant::now())) {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(left) => messages.recv_timeout(left),
            };
            match message {
                Ok(Message::Reported(worker, sign)) => self.note(worker, sign),
                Ok(Message::Condemned(worker)) => self.kill(worker),
                Ok(Message::Stranded) => {
                    // They may be in tasks that take for ever, of which nobody will hear.
                    self.dissolve();
                    self.end_late();
                }
                Ok(Message::Ended(worker, exit)) => late.extend(self.replace(worker, exit)),
                Err(RecvTimeoutError::Timeout) => {
                    let now = Instant::now();
                    let due: Vec<_> = late.extract_if(.., |(when, _)| *when <= now).collect();
                    for (_, worker) in due {
                        late.extend(self.start_late(worker));
                    }
                }
                Ok(Message::Dissolve) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn note(&self, number: u64, sign: Sign) {
        let mut roster = self.roster();
        let Some(worker) = roster.workers.get_mut(&number) else { return };
        match sign {
            Sign::Ready => {
                worker.is_ready = true;
                roster.failures = 0;
            }
            Sign::Unable(why) => worker.unable = Some(why),
            Sign::Dismissed => worker.is_dismissed = true,
        }
    }

    fn kill(&self, number: u64) {
        let child = self.roster().workers.get(&number).and_then(|worker| worker.child.clone());
        child.map(|child| child.signal(Signal::KILL));
    }

    /// Hires somebody in the place of a worker whose process has ended, and then tells of that end, so that
    /// there is always somebody who knows the tasks. One that is not to be started at once is returned.
    fn replace(&self, number: u64, exit: Exit) -> Option<(Instant, u64)> {
        self.member.note_exit(number, exit);
        let next = self.replacement(number, exit);
        // Refused, if the membership is over.
        let _buried = self.member.proxy.bury(number, exit.code());
        let mut roster = self.roster();
        roster.workers.remove(&number);
        self.member.set_workers(roster.workers.len());
        drop(roster);
        let (delay, next) = next?;
        if delay.is_zero() { self.start_late(next) } else { Some((Instant::now() + delay, next)) }
    }

    /// Who is hired in the place of a worker, and after what time it is to be started.
    fn replacement(&self, number: u64, exit: Exit) -> Option<(Duration, u64)> {
        let delay = {
            let mut roster = self.roster();
            let worker = roster.workers.get(&number)?;
            let is_early = !worker.is_ready;
            if roster.is_dissolved || worker.is_dismissed {
                return None;
            }
            let why = worker.unable.clone().unwrap_or_else(|| format!("a worker {exit} before it was ready"));
            if is_early {
                roster.failures += 1;
                if roster.failures >= self.most_failures() {
                    drop(roster);
                    self.break_pool(&why);
                    return None;
                }
                delay_after(roster.failures)
            } else {
                Duration::ZERO
            }
        };
        match self.hire() {
            Ok(next) => Some((delay, next)),
            Err(error) if error.is_shut_down() => {
                self.member.learn();
                None
            }
            Err(error) => {
                self.give_up(&error);
                None
            }
        }
    }

    /// Starts a worker that was hired; if that fails, it is to be tried again.
    fn start_late(&self, number: u64) -> Option<(Instant, u64)> {
        if self.roster().is_dissolved {
            return None;
        }
        let error = self.send(number).err()?;
        let failures = {
            let mut roster = self.roster();
            roster.failures += 1;
            roster.failures
        };
        if failures < self.most_failures() {
            return Some((Instant::now() + delay_after(failures), number));
        }
        self.break_pool(&error.to_string());
        let mut roster = self.roster();
        roster.workers.remove(&number);
        self.member.set_workers(roster.workers.len());
        None
    }

    fn most_failures(&self) -> usize {
        self.orders.size.max(3)
    }

    /// Tells everybody that the pool cannot work.
    fn break_pool(&self, reason: &str) {
        self.member.refuse(Error::work(Fault::Broken(reason.to_owned())), true);
        self.dissolve();
        if let Err(error) = self.member.proxy.terminate(Some(reason)) {
            self.member.fail(&error);
        }
        self.end_late();
    }

    /// The server is gone, or does not know this member any more.
    fn give_up(&self, error: &Error) {
        self.dissolve();
        self.member.fail(error);
        self.end_late();
    }

    /// From here on nobody is replaced.
    pub(super) fn dissolve(&self) {
        self.roster().is_dissolved = true;
    }

    /// Forgets those who were never started, and kills the others.
    fn end_late(&self) {
        let mut roster = self.roster();
        roster.workers.retain(|_, worker| worker.child.is_some());
        roster.workers.values().filter_map(|worker| worker.child.as_ref()).for_each(|child| {
            child.signal(Signal::KILL);
        });
        self.member.set_workers(roster.workers.len());
    }

    /// Ends all processes, whatever they are doing.
    ///
    /// # Blocks
    /// For about a second, if they do not end when they are asked to.
    pub(super) fn end(&self) {
        self.dissolve();
        let children: Vec<_> = {
            let mut roster = self.roster();
            roster.workers.retain(|_, worker| worker.child.is_some());
            self.member.set_workers(roster.workers.len());
            roster.workers.values().filter_map(|worker| worker.child.clone()).collect()
        };
        end_children(&children);
    }

    pub(super) fn size(&self) -> usize {
        self.orders.size
    }

    /// Each statement leaves the roster whole.
    fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sign_of(report: &[u8]) -> Option<Sign> {
    match rmp_serde::from_slice(report).ok()? {
        Report::Ready => Some(Sign::Ready),
        Report::Unable(why) => Some(Sign::Unable(why)),
        Report::Dismissed => Some(Sign::Dismissed),
        Report::Retired | Report::Done(_) => None,
    }
}

/// How long to wait before the next start, after so many failures in a row.
fn delay_after(failures: usize) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(7);
    (FIRST_DELAY * 2_u32.pow(doublings)).min(LONGEST_DELAY)
}

const FIRST_DELAY: Duration = Duration::from_millis(10);
const LONGEST_DELAY: Duration = Duration::from_secs(1);
