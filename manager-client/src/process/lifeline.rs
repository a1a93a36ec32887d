//! The lifeline: the socket pair between a process and its parent.
//!
//! The parent sends what is to be run, and the child what came of it. When the child reads its end, the parent
//! is no more. A message is its length (4 bytes, the highest first) and MessagePack.

use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use rustix::fs::{FileType, Stat, fstat};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use crate::pool::Duty;
use crate::task::{Call, Outcome};

/// A lifeline: the parent's end, and that of the child, which `command` is told to know by its number.
pub(super) fn pair(command: &mut Command) -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    command.env(VARIABLE, fstat(&theirs)?.st_ino.to_string());
    Ok((ours, theirs.into()))
}

/// Whether a descriptor is the child's end of a lifeline, and not a socket that somebody else has given to a program
/// that merely looks like a child.
pub(super) fn is_the_end_of_a_child(descriptor: BorrowedFd<'_>) -> bool {
    let told: Option<u64> = std::env::var(VARIABLE).ok().and_then(|number| number.parse().ok());
    told.is_some_and(|told| fstat(descriptor).is_ok_and(|stat| is_socket(&stat) && stat.st_ino == told))
}

fn is_socket(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Socket
}

/// From now on the kernel ends this process when its keeper is gone: even if it is stopped, and so cannot see the
/// end of its lifeline.
pub(super) fn die_with_the_parent() {
    // One that it refuses still has its lifeline; so has one whose parent is gone already.
    let _set = set_parent_process_death_signal(Some(Signal::KILL));
}

/// What a child is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Opening<'a> {
    /// What people call the process.
    pub(super) name: String,
    pub(super) daemon: bool,
    /// Whether it outlives its parent.
    pub(super) detached: bool,
    /// The server of the objects among the arguments.
    pub(super) socket: Option<PathBuf>,
    #[serde(borrow)]
    pub(super) work: Work<'a>,
}

/// What a child is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Work<'a> {
    /// Run a task, and end.
    #[serde(borrow)]
    Task(Call<'a>),
    /// Work for a pool.
    Pool(Duty<'a>),
}

/// What a child tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report<'a> {
    /// What came of the task. If there are references in it, the child waits for [`FAREWELL`].
    #[serde(borrow)]
    Done(Outcome<'a>),
    /// A worker is ready for jobs.
    Ready,
    /// A worker cannot work: why.
    Unable(String),
    /// A worker has done as much as it was to do.
    Retired,
    /// The pool has no more for a worker, and never will.
    Dismissed,
}

/// The variable with the number of the socket that is the child's end. Programs that the child runs inherit it,
/// and have no such socket.
const VARIABLE: &str = "MANAGER_LIFELINE";

/// What the parent sends when it holds what the outcome refers to.
pub(super) const FAREWELL: u8 = 0xfa;

/// What a child sends, outside of any message, when its memory faults. MessagePack has no such byte.
pub(super) const FAULT: [u8; 8] = *b"\xc1\xc1fault\xc1";

/// A message in its encoded form.
pub(super) fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    rmp_serde::encode::write(&mut bytes, message).expect("these messages serialise into memory");
    let len = u32::try_from(bytes.len() - 4).expect("arguments and results are far smaller: encoding bounds them");
    bytes[..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

/// Writes a message to the parent.
pub(super) fn tell<T: Serialize>(mut out: impl Write, message: &T) -> io::Result<()> {
    out.write_all(&encode(message))
}

/// Reads the bytes of one message.
pub(super) fn hear(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut len = [0; 4];
    from.read_exact(&mut len)?;
    let len = u32::from_be_bytes(len);
    let mut bytes = Vec::new();
    // The buffer grows with what comes, not with what was announced.
    let read = from.take(len.into()).read_to_end(&mut bytes)?;
    if read == len as usize { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Takes the first whole message off what was read so far.
pub(super) fn take_message(read: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (len, rest) = read.split_first_chunk::<4>()?;
    let len = u32::from_be_bytes(*len) as usize;
    let message = rest.get(..len)?.to_vec();
    read.drain(..4 + len);
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_of_pieces_of_any_size() {
        let bytes = [encode(&Report::Ready), encode(&Report::Unable("why".into()))].concat();
        for size in 1..bytes.len() {
            let (mut read, mut messages) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(size) {
                read.extend_from_slice(piece);
                while let Some(message) = take_message(&mut read) {
                    messages.push(message);
                }
            }
            assert!(read.is_empty());
            assert!(matches!(rmp_serde::from_slice(&messages[0]).unwrap(), Report::Ready));
            assert!(matches!(rmp_serde::from_slice(&messages[1]).unwrap(), Report::Unable(why) if why == "why"));
        }
        let mut stream = &bytes[..];
        assert!(matches!(rmp_serde::from_slice(&hear(&mut stream).unwrap()).unwrap(), Report::Ready));
        assert!(hear(&bytes[..3]).is_err() && hear(&bytes[..bytes.len() - 1]).is_ok());
        assert!(hear(&[0, 0, 0, 9, 1][..]).is_err());
    }
}
