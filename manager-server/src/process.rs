//! Notices the end of a client's process, so that nobody waits for what it held.
//!
//! A connection may break while its process lives, and the session then waits for it to come back.
//! Nobody comes back from a process that has ended.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use manager_socket::register;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::UCred;
use tokio::time::sleep;

use crate::core::SessionWatch;
use crate::worker::Shared;

/// Ends the session when the process at the other end of its first connection has ended.
///
/// Where the system cannot tell (an old kernel, a process of another namespace), the session ends
/// when it has been without a connection for too long.
pub(crate) fn end_with_process(session: SessionWatch, peer: &UCred, shared: &Arc<Shared>) {
    let process = match open(peer) {
        Ok(Some(process)) => Some(process),
        Ok(None) => return,
        // It was faster than its hello.
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => None,
        Err(error) => return tracing::debug!(pid = peer.pid(), %error, "cannot watch a client's process"),
    };
    let (shared, pid) = (Arc::clone(shared), peer.pid());
    tokio::spawn(async move {
        let ended = async {
            match &process {
                Some(process) => process.readable().await.is_ok(),
                None => true,
            }
        };
        tokio::select! {
            has_ended = ended => {
                if has_ended {
                    until_disconnected(&session).await;
                    tracing::info!(session = session.session(), pid, "a client's process ended; what it held passes on");
                    shared.core.abandon(&session, shared.now());
                }
            }
            () = poll_fn(|context| session.poll_ended(context)) => {}
        }
    });
}

/// Gives the connections of a process that has ended the time to come to their ends, which tell what it
/// had read. A child of it may have them still, and keep them for long.
async fn until_disconnected(session: &SessionWatch) {
    for _ in 0..LOOKS {
        if !session.is_connected() {
            return;
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Something that is readable once the process has ended; `None` if there is nothing to watch.
fn open(peer: &UCred) -> io::Result<Option<AsyncFd<OwnedFd>>> {
    let Some(pid) = peer.pid().and_then(Pid::from_raw) else { return Ok(None) };
    if pid == rustix::process::getpid() {
        return Ok(None); // The server ends with it.
    }
    let process = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    register(process, Interest::READABLE).map(Some)
}

const LOOKS: usize = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
