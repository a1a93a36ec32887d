//! Descriptors that are passed over a socket along with bytes.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// Sends bytes with a descriptor; how many were sent. If any was, so was the descriptor.
///
/// # Errors
/// As `sendmsg(2)`.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptor: BorrowedFd<'_>) -> io::Result<usize> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fits = ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    debug_assert!(fits, "there is room for one descriptor");
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?)
}

/// Receives bytes, and the descriptor that came with them if one did; no bytes if the peer closed its side.
///
/// # Errors
/// As `recvmsg(2)`; `InvalidData` if more than one descriptor came, all of which are closed.
pub fn receive(socket: impl AsFd, room: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(room)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors: Vec<OwnedFd> = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) || descriptors.len() > 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "more descriptors than were asked for"));
    }
    Ok((received.bytes, descriptors.pop()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use rustix::fs::fstat;

    use super::*;

    #[test]
    fn a_descriptor_comes_with_its_bytes() {
        let (one, other) = UnixStream::pair().unwrap();
        (&one).write_all(b"without").unwrap();
        let mut room = [0; 64];
        let (count, none) = receive(&other, &mut room).unwrap();
        assert_eq!((&room[..count], none.is_some()), (&b"without"[..], false));
        assert_eq!(send(&one, b"with", one.as_fd()).unwrap(), 4);
        let (count, passed) = receive(&other, &mut room).unwrap();
        assert_eq!(&room[..count], b"with");
        assert_eq!(fstat(passed.unwrap()).unwrap().st_ino, fstat(&one).unwrap().st_ino);
        drop(one);
        assert_eq!(receive(&other, &mut room).unwrap().0, 0);
    }

    #[test]
    fn more_descriptors_than_one_are_refused_and_closed() {
        let (one, other) = UnixStream::pair().unwrap();
        let (passed, watched) = UnixStream::pair().unwrap();
        let descriptors = [passed.as_fd(), passed.as_fd(), passed.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
        sendmsg(&one, &[IoSlice::new(b"x")], &mut ancillary, SendFlags::NOSIGNAL).unwrap();
        assert_eq!(receive(&other, &mut [0; 8]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(passed);
        // Only when every copy was closed does the other end see it.
        assert_eq!(receive(&watched, &mut [0; 8]).unwrap().0, 0);
    }
}
