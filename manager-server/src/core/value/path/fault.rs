//! What is wrong with a path: where it does not fit, and what is there instead. Never a key or a value.

use manager_protocol::{Code, Error, Kind, REFERENCE_TYPE, Token, a_kind};

use super::{Gap, Step};

/// A step that is for something else than is there.
pub(super) fn takes_no(nth: usize, step: &Step<'_>, found: Token<'_>) -> Error {
    let step = match step {
        Step::Key(_) => "a key",
        Step::Index(_) => "an index",
    };
    mismatch(format!("step {} of the path is {step}, and there is {}", nth + 1, what(found)))
}

/// The end of the path, where the operation is for something else.
pub(super) fn ends_at(found: Token<'_>, wanted: &str) -> Error {
    mismatch(format!("the path leads to {}, not to {wanted}", what(found)))
}

pub(super) fn out_of_range(nth: usize, index: i64, len: u32) -> Error {
    let fault = format!("step {} of the path: index {index} is out of range for length {len}", nth + 1);
    Error::new(Code::OutOfRange, fault)
}

pub(super) fn missing(gap: &Gap) -> Error {
    mismatch(match gap.holder {
        Some(_) => format!("step {} of the path: the map has no such key", gap.steps),
        None => "the dict has no such key".to_owned(),
    })
}

pub(super) fn mismatch(fault: String) -> Error {
    Error::new(Code::PathMismatch, fault)
}

fn what(found: Token<'_>) -> String {
    let name = match found {
        Token::Array(len) => return format!("an array of {len} elements"),
        Token::Map(len) => return format!("a map of {len} keys"),
        Token::Extension(REFERENCE_TYPE, [kind, ..]) => {
            return Kind::try_from(*kind).map_or_else(|fault| fault, |kind| format!("a reference to {}", a_kind(kind)));
        }
        Token::Extension(..) => "an extension",
        Token::Nil => "nil",
        Token::Bool(_) => "a bool",
        Token::Integer(_) => "an integer",
        Token::Float32(_) | Token::Float64(_) => "a float",
        Token::Text(_) => "text",
        Token::Bytes(_) => "bytes",
    };
    name.to_owned()
}
