//! A program that becomes a worker of a pool that another keeps.

use std::sync::Once;
use std::thread;
use std::time::Duration;

use manager_protocol::pool::Ending;
use rustix::process::{Signal, getpid, kill_process};

use super::proxy::PoolProxy;
use super::worker::{End, Worker};
use crate::error::{Error, Result};
use crate::manager::Manager;
use crate::process::{cannot_start, current_process};
use crate::task::{numbers, remember_panics};

/// # Workers
impl Manager {
    /// Makes this process a worker of the pool with this name, until the pool is closed and there is nothing more to
    /// do, or it is terminated. It does the tasks that this program has, one after the other, in this thread.
    ///
    /// **When a task is cancelled that it is doing, or takes longer than its limit, this process is killed**: nothing
    /// else stops a task. Better let it be a process made for this.
    ///
    /// ```no_run
    /// let manager = manager_client::Manager::connect_default()?;
    /// manager.serve_pool("thumbs")?;
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_wrong_kind`](Error::is_wrong_kind) if the name is another object's; [`is_same_name`](Error::is_same_name) if
    /// two tasks of this program have one name; [`is_shut_down`](Error::is_shut_down) if the pool was terminated
    /// before; if the server is gone.
    ///
    /// # Blocks
    /// Until the pool is done. If there is no pool of the name, it is made, and waits for who submits.
    pub fn serve_pool(&self, name: &str) -> Result<()> {
        static PANICS: Once = Once::new();
        PANICS.call_once(|| remember_panics(true));
        let tasks = numbers().map_err(Error::work)?;
        let proxy = PoolProxy::open(self, Some(name))?;
        let member = proxy.enter()?;
        let served = proxy.hire(member, &current_process().name, &tasks).and_then(|number| {
            proxy.attach(number)?;
            serve(&proxy, member, number)
        });
        // The membership may be over already, and so may the pool.
        let _left = proxy.leave(member);
        served
    }
}

fn serve(proxy: &PoolProxy, member: u64, number: u64) -> Result<()> {
    let worker = Worker::new(proxy.clone(), number, None);
    thread::scope(|scope| {
        let guard = thread::Builder::new().name("pool guard".into());
        guard.spawn_scoped(scope, || guard_worker(proxy, member, &worker)).map_err(cannot_start)?;
        let end = worker.run();
        // Ends the guard.
        let left = proxy.leave(member);
        match end? {
            End::Dismissed | End::Retired => left.or_else(|error| if error.is_lost() { Err(error) } else { Ok(()) }),
        }
    })
}

/// Kills this process when the task that it is doing is to be stopped.
fn guard_worker(proxy: &PoolProxy, member: u64, worker: &Worker) {
    loop {
        match proxy.collect(member, 1, WAIT) {
            Ok(events) => {
                let is_condemned = events.iter().any(|told| told.ending == Ending::Condemned);
                // A pool that was terminated lets it go by itself.
                let is_over = || proxy.status().is_ok_and(|status| status.terminated);
                if is_condemned && worker.is_busy() && !is_over() {
                    let _sent = kill_process(getpid(), Signal::KILL);
                }
            }
            Err(error) if error.is_empty() || error.is_timeout() => {}
            Err(_) => return,
        }
    }
}

/// How long to wait for something; then again.
const WAIT: Duration = Duration::from_secs(3600);
