//! What both ends of the socket of a `manager-server` share: where it may be, who is at the other end, and how to
//! wait for it.
//!
//! Whoever may write to the socket's directory can put a socket of their own in its place, so the
//! server and its clients hold the directory to the same rules. This crate neither binds nor connects.

#![forbid(unsafe_code)]

mod directory;
mod error;
mod path;
mod peer;
#[cfg(feature = "tokio")]
mod socket;

pub use directory::{check_directory, prepare_directory, prepare_shared_directory};
pub use error::SocketError;
pub use path::{MAX_PATH_BYTES, check_path, default_socket};
pub use peer::{own_uid, peer_uid};
#[cfg(feature = "tokio")]
pub use socket::{Socket, register};
