//! The process at the other end of a socket, as the kernel names it.

use std::io;
use std::os::fd::AsFd;

/// The user of the process at the other end, as of when it connected or began to listen.
///
/// # Errors
/// If `stream` is not a connected Unix socket.
pub fn peer_uid(stream: &impl AsFd) -> io::Result<u32> {
    let credentials = rustix::net::sockopt::socket_peercred(stream)?;
    Ok(credentials.uid.as_raw())
}

/// The user that this process acts as: whose files it makes, and what a peer sees.
#[must_use]
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_peer_of_a_pair_is_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(peer_uid(&one).unwrap(), own_uid());
    }

    #[test]
    fn what_is_no_socket_has_no_peer() {
        peer_uid(&std::fs::File::open("/dev/null").unwrap()).unwrap_err();
    }
}
