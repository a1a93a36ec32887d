//! Why a call failed: one error type, with questions for what callers decide on.
//!
//! A message names the operation and the object; it never holds a key or a value.

mod refusals;
#[cfg(feature = "process")]
mod work;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use manager_protocol::{Code, Effect, Row};

use crate::link::{Label, Target};
#[cfg(feature = "process")]
use crate::task::Fault;

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    reason: Reason,
    attempted: Option<Attempted>,
    outcome_unknown: bool,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

#[derive(Clone)]
struct Attempted {
    operation: &'static str,
    object: Option<Label>,
}

#[derive(Clone)]
pub(crate) enum Reason {
    /// The server refused one request. A code that this version does not know is `None`.
    Refused { code: Option<Code>, message: String },
    /// The server ended the connection and said why.
    Goodbye { code: Option<Code>, message: String },
    /// Nothing listens at this path.
    NoServer(PathBuf),
    /// The socket at this path cannot be used.
    Connect(PathBuf),
    /// The server runs as another user than it must.
    ForeignServer { path: PathBuf, found: u32, expected: u32 },
    /// Another server listens there than the one the proxies came from.
    Restarted(PathBuf),
    /// The connection ended in the middle.
    Broken,
    /// The session ended on the server, and with it what it remembered.
    SessionExpired,
    /// What the server sends is not this protocol.
    Protocol,
    /// No reply within this time.
    Timeout(Duration),
    /// The server answered that what was waited for did not come within this time.
    NotInTime(Duration),
    /// An argument cannot be encoded.
    Encode,
    /// A reply is not of the type that the proxy has.
    Decode,
    /// A request over the limit on messages; nothing was sent.
    TooLarge { bytes: usize, limit: usize },
    /// A reply over this client's limit on messages; the rest of it cannot be waited for.
    ReplyTooLarge { limit: usize },
    /// A proxy of another server was mixed in.
    OtherServer,
    /// A batch's result was asked for before the batch was sent.
    NotSent,
    /// A batch was used after it was sent.
    AlreadySent,
    /// The result of a call whose transaction was not carried out.
    NotCommitted,
    /// A change through the reading side of a transaction.
    ChangeInRead,
    /// The environment does not tell the socket.
    NoVariable,
    /// There is no default place for a socket.
    NoDefaultSocket,
    /// The server gives no memory to share.
    NoSharedMemory,
    /// The private server did not start.
    #[cfg(feature = "embedded")]
    Start,
    /// A task, a process or a pool failed.
    #[cfg(feature = "process")]
    Work(Fault),
}

impl Error {
    pub(crate) fn new(reason: Reason) -> Self {
        Self(Box::new(Inner { reason, attempted: None, outcome_unknown: false, source: None }))
    }

    pub(crate) fn with_source(reason: Reason, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = Some(Arc::from(source.into()));
        Self(Box::new(Inner { reason, attempted: None, outcome_unknown: false, source }))
    }

    /// The refusal of a request with a code as the wire has it.
    pub(crate) fn refused(code: u16, message: String) -> Self {
        let code = Code::from_number(code);
        let mut error = Self::new(Reason::Refused { code, message });
        // Refused was its repetition; what became of the request itself is forgotten.
        error.0.outcome_unknown = code == Some(Code::StaleRequest);
        error
    }

    /// The same error, with what led to it.
    pub(crate) fn because(mut self, cause: Self) -> Self {
        self.0.source = Some(Arc::new(cause));
        self
    }

    /// The same error, naming what was attempted, unless it names something already.
    ///
    /// For implementers of [`Link`](crate::Link).
    #[must_use]
    pub fn during(mut self, row: Row, target: &Target) -> Self {
        self.0.attempted.get_or_insert_with(|| Attempted { operation: row.name, object: target.label().cloned() });
        self
    }

    /// The same error, for a request that was sent, at least in part, and not answered.
    pub(crate) fn unanswered(mut self, effect: Effect) -> Self {
        self.0.outcome_unknown = effect != Effect::Read;
        self
    }

    /// The code of the server's refusal, if the server refused.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match &self.0.reason {
            Reason::Refused { code, .. } | Reason::Goodbye { code, .. } => *code,
            Reason::NoServer(_)
            | Reason::Connect(_)
            | Reason::ForeignServer { .. }
            | Reason::Restarted(_)
            | Reason::Broken
            | Reason::SessionExpired
            | Reason::Protocol
            | Reason::Timeout(_)
            | Reason::NotInTime(_)
            | Reason::Encode
            | Reason::Decode
            | Reason::TooLarge { .. }
            | Reason::ReplyTooLarge { .. }
            | Reason::OtherServer
            | Reason::NotSent
            | Reason::AlreadySent
            | Reason::NotCommitted
            | Reason::ChangeInRead
            | Reason::NoVariable
            | Reason::NoDefaultSocket
            | Reason::NoSharedMemory => None,
            #[cfg(feature = "embedded")]
            Reason::Start => None,
            #[cfg(feature = "process")]
            Reason::Work(_) => None,
        }
    }

    /// Whether no reply, or not what was waited for, came within the time allowed. A queue that had no item or no room
    /// in time is told by [`is_empty`](Self::is_empty) and [`is_full`](Self::is_full) instead.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        #[cfg(feature = "process")]
        if self.is_task_timeout() {
            return true;
        }
        matches!(self.0.reason, Reason::Timeout(_) | Reason::NotInTime(_))
    }

    /// Whether there is no working connection: no server, another server, or a connection that ended.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(
            self.0.reason,
            Reason::NoServer(_)
                | Reason::Restarted(_)
                | Reason::Broken
                | Reason::SessionExpired
                | Reason::Protocol
                | Reason::ReplyTooLarge { .. }
                | Reason::Goodbye { .. }
        )
    }

    /// Whether the call may or may not have been carried out: a change was sent and not answered.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }

    /// Whether a limit, of this client or of the server, was in the way.
    #[must_use]
    pub fn is_limit_exceeded(&self) -> bool {
        matches!(self.0.reason, Reason::TooLarge { .. } | Reason::ReplyTooLarge { .. })
            || matches!(self.code(), Some(Code::LimitExceeded | Code::FrameTooLarge | Code::TooManyConnections))
    }

    /// Whether another server runs at the path than the one that the proxies came from: what that one
    /// held is gone, so connect anew.
    #[must_use]
    pub fn is_restarted(&self) -> bool {
        matches!(self.0.reason, Reason::Restarted(_))
    }

    /// Whether the session ended on the server: what it held was let go, and what it remembered is forgotten.
    ///
    /// Later calls go on in a new session.
    #[must_use]
    pub fn is_session_expired(&self) -> bool {
        self.is_ended_session() || self.code() == Some(Code::SessionExpired)
    }

    /// Whether an argument was refused: it cannot be encoded, or makes no sense to the operation.
    #[must_use]
    pub fn is_invalid_argument(&self) -> bool {
        matches!(self.0.reason, Reason::Encode)
            || matches!(
                self.code(),
                Some(Code::InvalidArgument | Code::InvalidKey | Code::InvalidName | Code::MalformedRequest)
            )
    }

    /// Whether a value that the server holds is not of the type that the proxy has. An object of another kind, as a dict
    /// that is opened as a list, is told by [`is_wrong_kind`](Self::is_wrong_kind).
    #[must_use]
    pub fn is_wrong_type(&self) -> bool {
        matches!(self.0.reason, Reason::Decode)
    }

    /// Whether proxies of two servers were mixed in one call.
    #[must_use]
    pub fn is_other_server(&self) -> bool {
        matches!(self.0.reason, Reason::OtherServer)
    }

    /// Whether calls were to go through shared memory, and the server gives none.
    #[must_use]
    pub fn is_no_shared_memory(&self) -> bool {
        matches!(self.0.reason, Reason::NoSharedMemory)
    }

    /// Whether a batch's result was asked for before the batch was sent.
    #[must_use]
    pub fn is_not_sent(&self) -> bool {
        matches!(self.0.reason, Reason::NotSent)
    }

    /// Whether the call failed for want of an answer, not because of the answer.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_disconnected() || self.is_timeout() || self.is_outcome_unknown()
    }

    /// The cause, where the reason says little without it: it is part of the message then.
    fn told_source(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        let told = matches!(self.0.reason, Reason::Connect(_) | Reason::Encode | Reason::Decode);
        #[cfg(feature = "process")]
        let told = told || matches!(self.0.reason, Reason::Work(Fault::Spawn));
        self.0.source.as_deref().filter(|_| told)
    }

    /// The server's reason for closing the connection, with a code as the wire has it.
    pub(crate) fn goodbye(code: u16, message: String) -> Self {
        Self::new(Reason::Goodbye { code: Code::from_number(code), message })
    }

    /// Whether only the connection was lost: the session may go on over another one.
    pub(crate) fn is_lost_connection(&self) -> bool {
        matches!(
            self.0.reason,
            Reason::Broken
                | Reason::Goodbye { code: Some(Code::TooSlow | Code::TooManyConnections | Code::SessionExpired), .. }
        )
    }

    /// Whether the server said why it closes the connection.
    pub(crate) fn is_goodbye(&self) -> bool {
        matches!(self.0.reason, Reason::Goodbye { .. })
    }

    /// Whether the server said goodbye because the session has ended, or is not this client's (any more).
    pub(crate) fn is_session_goodbye(&self) -> bool {
        matches!(self.0.reason, Reason::Goodbye { code: Some(Code::SessionExpired | Code::NotAuthorised), .. })
    }

    /// Whether a connection could not join the session: it has ended.
    pub(crate) fn is_ended_session(&self) -> bool {
        matches!(self.0.reason, Reason::SessionExpired)
    }
}

impl From<manager_protocol::Error> for Error {
    /// A refusal by a server.
    fn from(error: manager_protocol::Error) -> Self {
        Self::new(Reason::Refused { code: Some(error.code), message: error.message })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempted = self.0.attempted.as_ref().map(Attempted::to_string).unwrap_or_default();
        if !attempted.is_empty() {
            write!(f, "{attempted}: ")?;
        }
        write_reason(f, &self.0.reason, &attempted)?;
        if let Some(source) = self.told_source() {
            write!(f, ": {source}")?;
        }
        if self.0.outcome_unknown {
            f.write_str("; whether the change was made is unknown")?;
        }
        Ok(())
    }
}

impl fmt::Display for Attempted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        self.object.as_ref().map_or(Ok(()), |object| write!(f, " on {object}"))
    }
}

fn write_reason(f: &mut fmt::Formatter<'_>, reason: &Reason, attempted: &str) -> fmt::Result {
    match reason {
        Reason::Refused { message, .. } => f.write_str(without_attempt(message, attempted)),
        Reason::Goodbye { message, .. } => write!(f, "the server closed the connection: {message}"),
        Reason::NoServer(path) => {
            let path = path.display();
            write!(f, "no server is listening at {path}; start one with `manager-server --socket {path}`")
        }
        Reason::Connect(path) => write!(f, "cannot connect to {}", path.display()),
        Reason::ForeignServer { path, found, expected } => {
            write!(f, "the server at {} runs as user {found}, not as user {expected}", path.display())
        }
        Reason::Restarted(path) => {
            write!(f, "the server at {} was restarted and its objects are gone; connect anew", path.display())
        }
        Reason::Broken => f.write_str("the connection to the server broke"),
        Reason::SessionExpired => {
            f.write_str("the session ended on the server: it was without a connection for too long, or was closed")
        }
        Reason::Protocol => f.write_str("the server sent something that is not of this protocol"),
        Reason::Timeout(time) => write!(f, "no reply within {time:?}"),
        Reason::NotInTime(time) => write!(f, "what was waited for did not come within {time:?}"),
        Reason::Encode => f.write_str("an argument cannot be encoded"),
        Reason::Decode => f.write_str("what the server holds is not of the proxy's type"),
        Reason::TooLarge { bytes, limit } => {
            write!(f, "a request of {bytes} bytes is over the limit of {limit}; nothing was sent")
        }
        Reason::ReplyTooLarge { limit } => write!(f, "a reply is over this client's limit of {limit} bytes"),
        Reason::OtherServer => f.write_str("the objects belong to different servers"),
        Reason::NotSent => f.write_str("the batch that the call is part of has not been sent yet"),
        Reason::AlreadySent => f.write_str("the batch was sent already"),
        Reason::NotCommitted => f.write_str("the transaction that the call is part of was not carried out"),
        Reason::ChangeInRead => f.write_str("a transaction reads through `read` and changes through `write`"),
        Reason::NoVariable => write!(
            f,
            "the environment variable {} is not set; a parent sets it with `Manager::command`, or set it to the \
             path of a server's socket",
            manager_protocol::SOCKET_VARIABLE
        ),
        Reason::NoDefaultSocket => f.write_str("there is no default place for a socket; name one"),
        Reason::NoSharedMemory => f.write_str("the server gives no shared memory, and no other way was allowed"),
        #[cfg(feature = "embedded")]
        Reason::Start => f.write_str("cannot start a private server"),
        #[cfg(feature = "process")]
        Reason::Work(fault) => write!(f, "{fault}"),
    }
}

/// The server's sentence begins with what was attempted, which the client's has said already.
fn without_attempt<'a>(message: &'a str, attempted: &str) -> &'a str {
    let operation = attempted.split_once(" on ").map_or(attempted, |(operation, _)| operation);
    let without = |said: &str| message.strip_prefix(said)?.strip_prefix(": ");
    without(attempted).or_else(|| without(operation)).unwrap_or(message)
}

impl fmt::Debug for Error {
    /// The message and its causes: what a program that returns the error from `main` shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.told_source() {
            Some(told) => told.source(),
            None => self.0.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static)),
        }
    }
}

/// Errors about the socket at a path.
pub(crate) fn cannot_connect(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(Reason::Connect(path.to_owned()), source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use manager_protocol::{Operation, list};

    #[test]
    fn a_refusal_names_the_operation_and_the_object_once() {
        let target = Target::new(7, Some("todo".into()), 1);
        let refused = |said: &str| {
            let refusal = manager_protocol::Error::new(Code::OutOfRange, format!("{said}: index 9 is outside"));
            Error::from(refusal).during(list::Get::ROW, &target)
        };
        let error = refused("list.get on \"todo\"");
        assert_eq!(error.to_string(), "list.get on \"todo\": index 9 is outside");
        assert_eq!(refused("list.get").to_string(), error.to_string());
        assert!(error.is_out_of_range() && !error.is_disconnected() && !error.is_outcome_unknown());
    }

    #[test]
    fn the_outcome_of_a_read_is_never_unknown() {
        assert!(!Error::new(Reason::Broken).unanswered(Effect::Read).is_outcome_unknown());
        let error = Error::new(Reason::Broken).unanswered(Effect::Idempotent);
        assert!(error.is_outcome_unknown());
        assert!(error.to_string().ends_with("whether the change was made is unknown"));
    }
}
