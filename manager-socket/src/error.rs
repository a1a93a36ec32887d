//! Why a path is no place for a socket: a sentence that names the path and says what to do.

use std::path::PathBuf;
use std::{error, fmt, io};

use crate::path::MAX_PATH_BYTES;

/// Why a path is no place for a manager's socket.
#[derive(Debug)]
#[non_exhaustive]
pub enum SocketError {
    /// No socket was named and this user has no directory for one.
    NoDefault,
    /// The path is longer than the address of a socket can be.
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// The path does not end in the name of a file.
    NoFileName {
        /// The path.
        path: PathBuf,
    },
    /// What should be the socket's directory is a symbolic link, a file or something else.
    NotADirectory {
        /// The socket's directory.
        directory: PathBuf,
    },
    /// The directory belongs to somebody else.
    WrongOwner {
        /// The socket's directory.
        directory: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it must be.
        expected: u32,
    },
    /// Others may enter, list or write to a directory that must be private.
    OpenToOthers {
        /// The socket's directory.
        directory: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others may write to a directory that they may only enter.
    WritableByOthers {
        /// The socket's directory.
        directory: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The directory could not be examined.
    Examine {
        /// The socket's directory.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The directory could not be made.
    Create {
        /// The socket's directory.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDefault => f.write_str(
                "no default place for a socket: XDG_RUNTIME_DIR is not set and there is no /run/user directory of \
                 this user; name one with --socket PATH, in a directory that only you can enter",
            ),
            Self::TooLong { path, length } => write!(
                f,
                "the socket path {} has {length} bytes; the system allows at most {MAX_PATH_BYTES}, choose a shorter one",
                path.display()
            ),
            Self::NoFileName { path } => {
                write!(f, "the socket path {:?} does not end in the name of a file", path.display().to_string())
            }
            Self::NotADirectory { directory } => write!(
                f,
                "the socket's directory {} is not a directory (symbolic links are not followed); \
                 choose a directory of your own",
                directory.display()
            ),
            Self::WrongOwner { directory, owner, expected } => write!(
                f,
                "the socket's directory {} belongs to uid {owner}, not to uid {expected}; \
                 choose a directory of your own",
                directory.display()
            ),
            Self::OpenToOthers { directory, mode } => write!(
                f,
                "the socket's directory {directory} is open to others (mode {mode:04o}); \
                 choose one that only you can enter, such as `mkdir -m 700 {directory}/manager` makes",
                directory = directory.display()
            ),
            Self::WritableByOthers { directory, mode } => write!(
                f,
                "the socket's directory {directory} can be written to by others (mode {mode:04o}); \
                 choose one that only you can write to, such as `mkdir -m 711 {directory}/manager` makes",
                directory = directory.display()
            ),
            Self::Examine { directory, .. } => {
                write!(f, "cannot examine the socket's directory {}", directory.display())
            }
            Self::Create { directory, .. } => write!(f, "cannot make the socket's directory {}", directory.display()),
        }
    }
}

impl error::Error for SocketError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Examine { source, .. } | Self::Create { source, .. } => Some(source),
            Self::NoDefault
            | Self::TooLong { .. }
            | Self::NoFileName { .. }
            | Self::NotADirectory { .. }
            | Self::WrongOwner { .. }
            | Self::OpenToOthers { .. }
            | Self::WritableByOthers { .. } => None,
        }
    }
}
