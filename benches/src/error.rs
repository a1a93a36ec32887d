//! What can go wrong with a measurement, as opposed to with what is measured.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) enum BenchError {
    /// A row was asked for that there is not.
    UnknownRow { asked: String, rows: Vec<String> },
    /// A program could not be started.
    Start { program: String, cause: io::Error },
    /// A child ended that should not have, or does not listen.
    Died { child: String, printed: String },
    /// A client was refused, or got a wrong answer.
    Work { child: String, reason: String },
    /// A child said what makes no sense.
    Garbled { child: String, line: String, cause: serde_json::Error },
    /// Something with files, pipes or the system.
    System { attempt: &'static str, cause: io::Error },
    /// A chart could not be drawn.
    Plot { path: PathBuf, reason: String },
    /// Ctrl-C.
    Interrupted,
}

impl BenchError {
    /// An error of the system: what was attempted.
    pub(crate) fn system<E: Into<io::Error>>(attempt: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::System { attempt, cause: cause.into() }
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRow { asked, rows } => {
                write!(f, "there is no row that begins with {asked:?}; there are: {}", rows.join(", "))
            }
            Self::Start { program, .. } => write!(f, "cannot start {program}"),
            Self::Died { child, printed } if printed.is_empty() => write!(f, "{child} has ended without a word"),
            Self::Died { child, printed } => write!(f, "{child} has ended; it printed:\n{printed}"),
            Self::Work { child, reason } => write!(f, "{child} could not do its work: {reason}"),
            Self::Garbled { child, line, .. } => write!(f, "{child} answered what makes no sense: {line:?}"),
            Self::System { attempt, .. } => write!(f, "cannot {attempt}"),
            Self::Plot { path, reason } => write!(f, "cannot draw {}: {reason}", path.display()),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl Error for BenchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Start { cause, .. } | Self::System { cause, .. } => Some(cause),
            Self::Garbled { cause, .. } => Some(cause),
            Self::UnknownRow { .. } | Self::Died { .. } | Self::Work { .. } | Self::Plot { .. } | Self::Interrupted => {
                None
            }
        }
    }
}
