//! The life of the socket's file: who may make it, how it appears, and when it goes.
//!
//! A lock on `<socket>.lock`, held for the life of the process, decides which server a path belongs
//! to; the kernel lets go of it however the process ends. The file of the lock is never removed:
//! two processes could then each lock a file of that name. Whoever holds the lock may replace the
//! socket, and the socket appears under its name only when it is ready, by a rename.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use manager_socket::{check_path, prepare_directory, prepare_shared_directory};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::config::Config;
use crate::server::StartError;

/// The socket's file, and the right to it.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    name: OsString,
    directory: OwnedFd,
    /// Device and inode of the socket that was made.
    identity: Option<(u64, u64)>,
    /// Open for as long as the lock is to be held.
    lock: OwnedFd,
}

/// Makes the socket and listens on it. The listener is non-blocking.
pub(crate) fn open(config: &Config) -> Result<(SocketFile, UnixListener), StartError> {
    let path = &config.socket;
    check_path(path)?;
    if config.is_shared() {
        prepare_shared_directory(path)?;
    } else {
        prepare_directory(path)?;
    }
    let mut file = SocketFile::claim(path)?;
    let mode = if config.is_shared() { 0o666 } else { 0o600 };
    let listener = file.listen(Mode::from_raw_mode(mode))?;
    Ok((file, listener))
}

impl SocketFile {
    /// Removes the socket, if it still is the one that was made here.
    pub(crate) fn remove(&mut self) {
        if let Some(identity) = self.identity.take()
            && self.find(&self.name).is_ok_and(|found| found.is_some_and(|stat| (stat.st_dev, stat.st_ino) == identity))
            && let Err(error) = rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty())
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the socket");
        }
    }

    /// Takes the lock and makes sure that nothing but an abandoned socket is in the way.
    fn claim(path: &Path) -> Result<Self, StartError> {
        let failed = |attempt: &'static str| move |source: Errno| failure(attempt, path, source);
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(parent, flags, Mode::empty()).map_err(failed("open the directory of"))?;
        let name = path.file_name().unwrap_or_default().to_owned();
        let lock_name = [&name, OsStr::new(".lock")].into_iter().collect::<OsString>();

        // In this order: a server makes its lock before its socket.
        let socket = find(&directory, &name).map_err(failed("examine"))?;
        let lock = find(&directory, &lock_name).map_err(failed("examine the lock of"))?;
        if let Some(stat) = socket {
            if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
                return Err(StartError::NotASocket { path: path.to_owned() });
            }
            if lock.is_none() {
                return Err(StartError::Foreign { path: path.to_owned() });
            }
        }

        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(&directory, &lock_name, flags, Mode::from_raw_mode(0o600))
            .map_err(failed("open the lock of"))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(StartError::AlreadyRunning { path: path.to_owned() }),
            Err(error) => return Err(failed("lock")(error)),
        }
        Ok(Self { path: path.to_owned(), name, directory, identity: None, lock })
    }

    fn listen(&mut self, mode: Mode) -> Result<UnixListener, StartError> {
        let path = self.path.clone();
        let failed = |attempt: &'static str| move |source: Errno| failure(attempt, &path, source);
        let temporary = self.temporary_name().map_err(failed.clone()("examine the lock of"))?;
        self.bind(&temporary, mode).map_err(failed.clone()("listen on")).and_then(|(listener, identity)| {
            rustix::fs::renameat(&self.directory, &temporary, &self.directory, &self.name)
                .map_err(failed("put into place"))?;
            self.identity = Some(identity);
            Ok(listener)
        })
    }

    /// Binds to a name beside the socket's: nobody can connect before everything is as it should be.
    fn bind(&self, temporary: &str, mode: Mode) -> rustix::io::Result<(UnixListener, (u64, u64))> {
        match rustix::fs::unlinkat(&self.directory, temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // Short whatever the path: the whole of it may have as many bytes as an address can.
        let address = format!("/proc/self/fd/{}/{temporary}", self.directory.as_fd().as_raw_fd());
        rustix::net::bind(&socket, &SocketAddrUnix::new(address)?)?;
        rustix::fs::chmodat(&self.directory, temporary, mode, AtFlags::empty())?;
        rustix::net::listen(&socket, BACKLOG)?;
        let stat = rustix::fs::statat(&self.directory, temporary, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok((UnixListener::from(socket), (stat.st_dev, stat.st_ino)))
    }

    /// A name that only the holder of this lock uses, so that one left behind by a crash is found.
    fn temporary_name(&self) -> rustix::io::Result<String> {
        Ok(format!(".manager-{:x}", rustix::fs::fstat(&self.lock)?.st_ino))
    }

    fn find(&self, name: &OsStr) -> rustix::io::Result<Option<Stat>> {
        find(&self.directory, name)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

fn find(directory: &OwnedFd, name: &OsStr) -> rustix::io::Result<Option<Stat>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn failure(attempt: impl fmt::Display, path: &Path, source: Errno) -> StartError {
    StartError::System { attempt: format!("{attempt} {}", path.display()), source: io::Error::from(source) }
}

/// Connections that may wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 4096;
