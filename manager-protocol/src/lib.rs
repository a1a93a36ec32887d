//! What a `manager-server` and its clients say to each other: frames, operations, replies and errors.
//!
//! This crate does no I/O and knows no runtime. The server and the client both depend on it, never
//! on each other's idea of the wire. `docs/PROTOCOL.md` describes the same protocol for people who
//! write a client in another language.

#![forbid(unsafe_code)]

mod bins;
mod encoded;
mod error;
mod frame;
mod message;
mod msgpack;
mod operation;
mod parts;
mod quick;
mod reference;
mod reply;

pub use bins::{Bins, PairBins, ValueBins};
pub use encoded::{Bin, Encoded, SharedBytes, append_value, decode_checked_value, decode_value, encode_value};
pub use error::{Code, Error, Result};
pub use frame::{Frame, FrameKind, HEADER_BYTES, finish_frame, split_frame, start_frame};
pub use message::{
    Acknowledge, Cancel, ErrorReply, Goodbye, Held, Hello, Lane, Leave, OpenLane, PROTOCOL_VERSION, Part, ReplyHeader,
    RequestHeader, SessionChoice, SessionToken, Wake, Welcome, decode_body, start_reply, write_control,
    write_error_reply, write_part, write_reply_header, write_request_header, write_value,
};
pub use msgpack::{Malformed, Reader, Token, check};
pub use operation::{
    Effect, Kind, ObjectId, Operation, PATH, Row, Served, Turn, WATCH, a_kind, array, barrier, condition, dict, event,
    kind_name, list, lock, manager, path, pipe, pool, queue, row, rows, semaphore, set, value, watch,
};
pub use parts::Assembly;
pub use reference::{REFERENCE_TYPE, Reference, may_have_references, references, references_in_arguments};
pub use reply::{Decode, Decoder, Encode, Many, Reply, Sink, write_item};

/// Deepest nesting of arrays and maps in one value.
///
/// Decoding is recursive in every MessagePack library; at this depth it cannot overflow a thread's
/// stack, in debug builds either.
pub const MAX_DEPTH: usize = 64;

/// Most elements (array items, and keys and values of maps) in one value, nested ones included.
pub const MAX_ELEMENTS: u32 = 1 << 20;

/// Longest name of an object, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 256;

/// Largest frame before the hello has been accepted, in bytes after the length.
pub const MAX_HELLO_BYTES: usize = 16 * 1024;

/// Default for the largest frame after the hello, in bytes after the length.
pub const DEFAULT_MAX_FRAME: usize = 16 * 1024 * 1024;

/// Default for the largest message put together from parts, in bytes.
pub const DEFAULT_MAX_MESSAGE: usize = 512 * 1024 * 1024;

/// The environment variable by which a program tells its children the socket of its server.
pub const SOCKET_VARIABLE: &str = "MANAGER_SOCKET";
