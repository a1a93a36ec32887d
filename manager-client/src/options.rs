//! How to connect: the options of a manager and their defaults.

use std::marker::PhantomData;
use std::time::Duration;

use manager_protocol::DEFAULT_MAX_MESSAGE;

use crate::blocking::Blocking;
use crate::lane::Lane;

/// What can be set before a manager connects. Made by `Manager::options`.
///
/// ```no_run
/// use std::time::Duration;
///
/// let manager = manager_client::Manager::options().timeout(Duration::from_secs(5)).connect("/run/app/manager.sock")?;
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "options do nothing until they connect"]
pub struct Options<L = Blocking> {
    pub(crate) settings: Settings,
    link: PhantomData<fn() -> L>,
}

/// The values of the options.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) timeout: Duration,
    pub(crate) server_uid: Option<u32>,
    pub(crate) max_message: usize,
    pub(crate) lane: Lane,
    pub(crate) keeps_cpu: bool,
    pub(crate) look: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: DEFAULT_TIMEOUT,
            server_uid: None,
            max_message: DEFAULT_MAX_MESSAGE,
            lane: Lane::Auto,
            keeps_cpu: false,
            look: DEFAULT_LOOK,
        }
    }
}

impl<L> Options<L> {
    pub(crate) fn new() -> Self {
        Self { settings: Settings::default(), link: PhantomData }
    }

    /// How long a call may take, connecting included. 30 seconds unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The user that the server runs as, if not the user of this process.
    pub fn server_uid(mut self, uid: u32) -> Self {
        self.settings.server_uid = Some(uid);
        self
    }

    /// How calls travel: through shared memory where that is better, unless set.
    ///
    /// # Errors
    /// With [`Lane::SharedMemory`], to connect fails with
    /// [`is_no_shared_memory`](crate::Error::is_no_shared_memory) if the server gives none.
    pub fn lane(mut self, lane: Lane) -> Self {
        self.settings.lane = lane;
        self
    }

    /// How long an answer is looked for in shared memory before its thread, or the task of an async manager, sleeps.
    /// 20 µs unless set: a few times what most answers take, and less than a wake costs.
    pub fn look(mut self, time: Duration) -> Self {
        self.settings.look = time;
        self
    }

    /// Leaves the CPU affinity of calling threads alone.
    ///
    /// Unless this is set, a thread that waits for an answer through shared memory, and finds itself on the CPU from
    /// which the server looks, moves itself off it: it takes that CPU out of its affinity and puts it back at once. A
    /// change of its affinity by another thread in the same moment would be lost.
    pub fn keep_cpu(mut self) -> Self {
        self.settings.keeps_cpu = true;
        self
    }

    /// The largest reply that is taken, in bytes. 512 MiB unless set.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.settings.max_message = bytes;
        self
    }
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

const DEFAULT_LOOK: Duration = Duration::from_micros(20);
