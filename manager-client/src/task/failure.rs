//! A failure as data: what is told of a panic, or of an error, in another process.

use std::error::Error;
use std::fmt;
use std::panic::Location;

use serde::{Deserialize, Serialize};

/// A failure that can cross process borders: its message, its causes, where it happened, and the backtrace of a
/// panic, all as text.
///
/// It is what is known of a task that panicked: see [`Error::task_error`](crate::Error::task_error). It is also a
/// convenient error for tasks to return: `?` makes it of any error.
///
/// ```
/// use manager_client::{TaskError, task};
///
/// #[task]
/// fn length_of(path: String) -> Result<u64, TaskError> {
///     Ok(std::fs::metadata(path)?.len())
/// }
///
/// let error = length_of("/no/such/file".into()).unwrap_err();
/// assert!(error.message().contains("No such file"));
/// assert!(error.location().is_some());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    message: String,
    causes: Vec<String>,
    location: Option<String>,
    backtrace: Option<String>,
}

impl TaskError {
    /// A failure with a message.
    ///
    /// ```
    /// let error = manager_client::TaskError::new("the picture has no pixels");
    /// assert_eq!(error.to_string(), "the picture has no pixels");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        let location = Some(Location::caller().to_string());
        Self { message: message.into(), causes: Vec::new(), location, backtrace: None }
    }

    /// A panic.
    pub(crate) fn panic(message: String, location: Option<String>, backtrace: Option<String>) -> Self {
        Self { message, causes: Vec::new(), location, backtrace }
    }

    /// What went wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What led to it, the nearest first.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().map(String::as_str)
    }

    /// The file, line and column where it happened.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// The backtrace of a panic.
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }
}

impl fmt::Display for TaskError {
    /// The message and its causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl<E: Error> From<E> for TaskError {
    #[track_caller]
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self { message: error.to_string(), causes, location: Some(Location::caller().to_string()), backtrace: None }
    }
}

impl From<TaskError> for Box<dyn Error + Send + Sync> {
    fn from(error: TaskError) -> Self {
        Box::new(AsError(error))
    }
}

impl From<TaskError> for Box<dyn Error> {
    fn from(error: TaskError) -> Self {
        Box::new(AsError(error))
    }
}

/// `TaskError` itself is not an `Error`, so that it can be made of every one.
struct AsError(TaskError);

impl fmt::Debug for AsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for AsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Error for AsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_its_causes_and_where_it_was_made() {
        let cause = crate::Error::new(crate::error::Reason::Broken);
        let error = crate::Error::new(crate::error::Reason::SessionExpired).because(cause);
        let (failure, line) = (TaskError::from(error), line!());
        assert_eq!(failure.causes().count(), 1);
        assert!(failure.location().is_some_and(|at| at.contains(&format!("failure.rs:{line}"))), "{failure:?}");
        let boxed: Box<dyn Error> = failure.clone().into();
        assert_eq!(boxed.to_string(), failure.to_string());
    }
}
