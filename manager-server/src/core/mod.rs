//! The state machine: objects, and what operations do to them.
//!
//! Synchronous by design. There is no socket here, no runtime, no clock and no thread: whoever
//! calls [`Core::dispatch`] lends it all of those. So it is driven by connections, and by tests
//! without any.

mod dispatch;
mod object;
mod registry;
mod sink;
mod stream;
mod transaction;
mod value;

use std::panic::{AssertUnwindSafe, catch_unwind};

use manager_protocol::{
    Code, DEFAULT_MAX_FRAME, DEFAULT_MAX_MESSAGE, Error, RequestHeader, write_error_reply,
};

use dispatch::Stop;
use registry::Registry;
use sink::FrameSink;
pub use stream::Stream;

/// An object with more items is large: what visits all of them is not done inline.
const LARGE: usize = 4096;

/// What the core may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most objects at a time.
    pub max_objects: usize,
    /// Most entries of a dict, or values of a list.
    pub max_items: usize,
    /// Largest frame, in bytes after the length; a longer reply is sent in parts.
    pub max_frame: usize,
    /// Largest message put together from parts, in bytes.
    pub max_message: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_objects: 1_000_000,
            max_items: 1 << 27,
            max_frame: DEFAULT_MAX_FRAME,
            max_message: DEFAULT_MAX_MESSAGE,
        }
    }
}

/// How much time a request may take from the calling thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Little: many connections wait for the thread. What may take long is postponed.
    Inline,
    /// As much as it needs, waiting for locks included.
    Patient,
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// The reply, or the refusal, was appended.
    Replied,
    /// The reply is longer than a frame: its parts are to be made one at a time.
    Streaming(Stream),
    /// Not begun, and nothing appended: to be dispatched again at [`Pace::Patient`], on a thread
    /// that may be kept busy.
    Postponed,
}

/// All state of a server.
#[derive(Debug)]
pub struct Core {
    registry: Registry,
    limits: Limits,
    epoch: u64,
}

impl Core {
    /// A core without objects.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        use std::hash::{BuildHasher, RandomState};
        // The standard library's only source of random bits; the seed is the system's.
        let epoch = RandomState::new().hash_one(std::process::id());
        Self { registry: Registry::new(limits.clone()), limits, epoch }
    }

    /// A number that tells this core from any other, so that object ids are not mistaken.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Runs one request and appends its whole reply, or its refusal, to `out`; or says why not.
    ///
    /// A panic in an operation is answered as [`Code::Internal`] and harms no other request.
    pub fn dispatch(&self, request: RequestHeader<'_>, pace: Pace, out: &mut Vec<u8>) -> Outcome {
        let start = out.len();
        let mut sink = FrameSink::new(request.id, self.limits.max_frame, out);
        let served = catch_unwind(AssertUnwindSafe(|| {
            if request.object == 0 {
                dispatch::run_manager(&self.registry, request, pace, &mut sink)
            } else {
                dispatch::run(&self.registry, request, pace, &mut sink)
            }
        }));
        let error = match served {
            Ok(Ok(())) => return sink.stream.take().map_or(Outcome::Replied, Outcome::Streaming),
            Ok(Err(Stop::Refused(error))) => error,
            Ok(Err(Stop::Postponed)) => {
                sink.rewind();
                return Outcome::Postponed;
            }
            Err(_) => Error::new(
                Code::Internal,
                format!("operation {:#06x} failed inside the server; this is a bug", request.operation),
            ),
        };
        out.truncate(start);
        write_error_reply(out, request.id, &error);
        Outcome::Replied
    }
}
