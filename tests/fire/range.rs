//! Where it happens: a server with a pool, whose leavings are looked for at the end.

use std::collections::HashSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, thread};

use manager_client::{Pool, PoolBuilder};
use manager_server::core::Census;
use manager_tests::{TestServer, server};
use rand::RngExt;
use rustix::process::{Pid, Signal, kill_process};

use crate::child::eventually;
use crate::program::is_there;

/// One at a time: each counts the descriptors and threads of this process.
static ALONE: Mutex<()> = Mutex::new(());

/// A server, and who has worked in it.
pub(crate) struct Range {
    pub(crate) server: TestServer,
    seen: Mutex<HashSet<u32>>,
    before: (usize, usize),
    _watchdog: Watchdog,
}

impl Range {
    pub(crate) fn new() -> Self {
        let watchdog = Watchdog::new();
        let server = server();
        // What is made at the first use stays.
        let pool = server.manager().pool(1).unwrap();
        drop(pool);
        eventually("the server is empty", || (server.census() == Census::default()).then_some(()));
        // What was here before goes as well.
        let before = eventually("threads come to their ends", || {
            let before = counts();
            thread::sleep(Duration::from_millis(20));
            (counts() == before).then_some(before)
        });
        Self { server, seen: Mutex::default(), before, _watchdog: watchdog }
    }

    /// A pool of this server.
    pub(crate) fn pool(&self, workers: usize) -> Pool {
        self.pool_like(Pool::builder().workers(workers))
    }

    pub(crate) fn pool_like(&self, builder: PoolBuilder) -> Pool {
        builder.manager(&self.server.manager()).start().unwrap()
    }

    /// The processes of a pool's workers, as far as they have come.
    pub(crate) fn pids(&self, pool: &Pool) -> Vec<u32> {
        let workers = pool.status().unwrap().workers;
        let pids: Vec<u32> = workers.into_iter().filter_map(|worker| worker.pid).collect();
        self.seen().extend(&pids);
        pids
    }

    /// The processes of all of a pool's workers, once they are there.
    pub(crate) fn all_pids(&self, pool: &Pool) -> Vec<u32> {
        eventually("all workers are there", || {
            let pids = self.pids(pool);
            (pids.len() == pool.workers() && pids.iter().all(|pid| is_there(*pid))).then_some(pids)
        })
    }

    /// Kills a worker every so often while something is done; who was killed.
    pub(crate) fn kill_during<T>(&self, pool: &Pool, work: impl FnOnce() -> T) -> (T, HashSet<u32>) {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let killer = scope.spawn(|| {
                let mut killed = HashSet::new();
                while !is_over.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(50));
                    let pids = self.pids(pool);
                    if !pids.is_empty() {
                        let pid = pids[rand::rng().random_range(0..pids.len())];
                        if is_worker(pid) && kill(pid, Signal::KILL) {
                            killed.insert(pid);
                        }
                    }
                }
                killed
            });
            let done = work();
            is_over.store(true, Ordering::Relaxed);
            (done, killer.join().unwrap())
        })
    }

    /// When the pools have been dropped: nothing of them is left, neither here nor in the server.
    #[track_caller]
    pub(crate) fn leaves_nothing(self) {
        for pid in self.seen().iter() {
            assert!(!is_there(*pid), "process {pid} is left behind");
        }
        eventually("the server holds nothing", || {
            let census = self.server.census();
            (census == Census::default()).then_some(())
        });
        let (descriptors, tasks) = self.before;
        let is_as_before = || counts().0 <= descriptors && counts().1 <= tasks;
        eventually(&format!("{:?} is as before, {:?}; {:?}", counts(), self.before, threads()), || {
            is_as_before().then_some(())
        });
    }

    fn seen(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.seen.lock().unwrap()
    }
}

/// Sends a signal; whether the process was there.
pub(crate) fn kill(pid: u32, signal: Signal) -> bool {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).is_ok()
}

/// Whether the process is a worker, and not another that has its number now.
fn is_worker(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("PoolWorker"))
}

/// The descriptors and the threads of this process.
fn counts() -> (usize, usize) {
    (fs::read_dir("/proc/self/fd").unwrap().count(), threads().len())
}

/// The names of the threads, but for those that the server keeps for a while.
fn threads() -> Vec<String> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("comm")).ok());
    names.filter(|name| !name.starts_with("tokio-rt-worker")).collect()
}

/// Aborts the program if what it watches over hangs. There is one at a time.
pub(crate) struct Watchdog {
    _over: Sender<()>,
    _alone: MutexGuard<'static, ()>,
}

impl Watchdog {
    pub(crate) fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (over, is_over) = channel();
        let test = thread::current().name().unwrap_or_default().to_owned();
        thread::spawn(move || {
            if is_over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                std::io::stderr().write_all(format!("{test} hangs\n").as_bytes()).unwrap();
                std::process::abort();
            }
        });
        Self { _over: over, _alone: alone }
    }
}

const LIMIT: Duration = Duration::from_secs(120);
