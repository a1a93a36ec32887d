//! Why the server refused a request: a stable code and a sentence.

use std::fmt;

/// The result of what can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $code:ident = $number:literal,)+) => {
        /// The stable number of an error. Numbers are never given a second meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum Code {
            $($(#[doc = $doc])+ $code = $number,)+
        }

        impl Code {
            /// Every code that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            /// The code that has this number, if this version knows it.
            #[must_use]
            pub fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$code),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The request does not decode: wrong arguments, a value that is not MessagePack, too deep.
    MalformedRequest = 1,
    /// The operation's number is not known to this server.
    UnknownOperation = 2,
    /// No object has this id: it was deleted, or never was.
    NoSuchObject = 3,
    /// The object, or the name, is of another kind than the operation is for.
    WrongKind = 4,
    /// An index outside of a list.
    OutOfRange = 5,
    /// A sum that does not fit its type.
    Overflow = 6,
    /// Arithmetic on something that is not a number.
    NotANumber = 7,
    /// Values that cannot be put in order.
    NoOrder = 8,
    /// Something that may not be a dict's key.
    InvalidKey = 9,
    /// A name that is empty or too long.
    InvalidName = 10,
    /// An argument that decodes but makes no sense: a step of zero, a slice of another size.
    InvalidArgument = 11,
    /// More than a configured limit allows.
    LimitExceeded = 12,
    /// A transaction found another version than it expects; nothing was done.
    Conflict = 13,
    /// The client cancelled the request.
    Cancelled = 14,
    /// The server is shutting down.
    ShuttingDown = 15,
    /// A fault in the server; the request was not carried out, or not wholly.
    Internal = 16,
    /// The protocol version is not spoken here.
    UnsupportedVersion = 17,
    /// The peer may not use this server.
    NotAuthorised = 18,
    /// The connection sent something that is no frame, or a frame out of turn; it is closed.
    MalformedFrame = 19,
    /// A frame or message larger than the limit; the connection is closed.
    FrameTooLarge = 20,
    /// The peer took too long over the hello, a frame or its replies; the connection is closed.
    TooSlow = 21,
    /// The server has as many connections as it takes.
    TooManyConnections = 22,
    /// A queue had no item in time.
    Empty = 23,
    /// A queue had no room in time.
    Full = 24,
    /// A queue was shut down.
    ShutDown = 25,
    /// Something was to be let go, or used, by one who does not hold it.
    NotHeld = 26,
    /// More was given back than was taken.
    OverRelease = 27,
    /// A barrier is broken.
    Broken = 28,
    /// Waiting would close a circle of holders that wait for each other.
    Deadlock = 29,
    /// A lease has ended, or was never this session's.
    LeaseLost = 30,
    /// The other end of a pipe is closed.
    Closed = 31,
    /// No end of a pipe is on its way under this ticket.
    NoSuchTicket = 32,
    /// The object exists and is set up otherwise.
    WrongSetup = 33,
    /// What is to be reset is in use.
    InUse = 34,
    /// The session has ended: it was away too long, or its process ended.
    SessionExpired = 35,
    /// A request was sent again whose answer is no longer remembered; it is not carried out again.
    StaleRequest = 36,
    /// A request was sent again under the id of another one.
    RequestMismatch = 37,
    /// A reference to an object of another server, or of an earlier run of this one.
    ForeignReference = 38,
    /// A path that does not fit the value: a step, or the operation, is for something else than is there.
    PathMismatch = 39,
    /// No watch of this session has this number.
    NoSuchWatch = 40,
    /// No worker of a pool knows the task.
    UnknownTask = 41,
}

impl Code {
    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }
}

/// A refusal as it crosses the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of refusal, for programs.
    pub code: Code,
    /// What was wrong, for people. Never holds a key or a value.
    pub message: String,
}

impl Error {
    /// A refusal with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The same refusal, its sentence begun by what was attempted.
    #[must_use]
    pub fn during(self, attempted: impl fmt::Display) -> Self {
        Self { code: self.code, message: format!("{attempted}: {}", self.message) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_one_to_one() {
        for &code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(code));
        }
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_number(u16::MAX), None);
    }
}
