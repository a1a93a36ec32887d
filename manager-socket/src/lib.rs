//! Where the socket of a `manager-server` may be, and who is at its other end.
//!
//! Whoever may write to the socket's directory can put a socket of their own in its place, so the
//! server and its clients hold the directory to the same rules. This crate only looks (and, for the
//! server, makes directories); it neither binds nor connects.

#![forbid(unsafe_code)]

mod directory;
mod error;
mod path;
mod peer;

pub use directory::{check_directory, prepare_directory, prepare_shared_directory};
pub use error::SocketError;
pub use path::{MAX_PATH_BYTES, check_path, default_socket};
pub use peer::{own_uid, peer_uid};
