//! The right to an end of a pipe, on its way from one process to another.

use std::fmt;
use std::str::FromStr;

use manager_protocol::Code;
use manager_protocol::pipe::Side;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The right to attach to an end of a pipe, which another gave away with
/// [`hand_over`](super::PipeEnd::hand_over).
///
/// It travels as a value of a dict or queue, or as text: an argument, an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PipeTicket {
    name: String,
    side: Side,
    number: u64,
}

impl PipeTicket {
    pub(super) fn new(name: String, side: Side, number: u64) -> Self {
        Self { name, side, number }
    }

    /// The name of the pipe.
    ///
    /// ```
    /// let ticket: manager_client::PipeTicket = "left:7:letters".parse()?;
    /// assert_eq!(ticket.name(), "letters");
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Display for PipeTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Left => LEFT,
            Side::Right => RIGHT,
        };
        write!(f, "{side}:{}:{}", self.number, self.name)
    }
}

impl FromStr for PipeTicket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read(text).ok_or_else(|| manager_protocol::Error::new(Code::InvalidArgument, "not a ticket of a pipe").into())
    }
}

/// The side, the number, and the name, which may be anything.
fn read(text: &str) -> Option<PipeTicket> {
    let (side, rest) = text.split_once(':')?;
    let (number, name) = rest.split_once(':')?;
    let side = match side {
        LEFT => Side::Left,
        RIGHT => Side::Right,
        _ => return None,
    };
    Some(PipeTicket::new(name.to_owned(), side, number.parse().ok()?))
}

impl From<PipeTicket> for String {
    fn from(ticket: PipeTicket) -> Self {
        ticket.to_string()
    }
}

impl TryFrom<String> for PipeTicket {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

const LEFT: &str = "left";
const RIGHT: &str = "right";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_travels_as_text_whatever_the_pipe_is_called() {
        for name in ["letters", "a:b:c", "", "ü \n"] {
            let ticket = PipeTicket::new(name.to_owned(), Side::Right, u64::MAX);
            assert_eq!(ticket.to_string().parse::<PipeTicket>().unwrap(), ticket);
            let encoded = manager_protocol::encode_value(&ticket).unwrap();
            assert_eq!(manager_protocol::decode_value::<PipeTicket>(&encoded).unwrap(), ticket);
        }
        for text in ["", "left", "left:7", "middle:7:letters", "left:x:letters", "left:-1:letters"] {
            assert!(text.parse::<PipeTicket>().is_err_and(|error| error.is_invalid_argument()), "{text}");
        }
    }
}
