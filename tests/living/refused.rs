//! What is refused, and how that is to be said.

use manager_client::{Error, Result};

/// Stands in keys and values, and must stand in no message.
pub(crate) const MARKER: &str = "Jabberwock";

/// Checks what is refused: by a predicate, and by words. The first says what was attempted.
#[track_caller]
pub(crate) fn refused<T>(outcome: Result<T>, is_so: fn(&Error) -> bool, words: &[&str]) {
    let Err(error) = outcome else { panic!("done, where a refusal was due: {words:?}") };
    assert!(is_so(&error), "{error:?}");
    let message = error.to_string();
    assert!(words.first().is_some_and(|word| message.starts_with(word)), "{words:?} of {message}");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    for told in [message.clone(), format!("{error:?}")] {
        assert!(!told.contains(MARKER), "a key or a value is in: {told}");
    }
    assert!(message.len() < 300 && !message.ends_with('.'), "{message}");
    assert!(!error.is_disconnected() && !error.is_outcome_unknown(), "{message}");
}
