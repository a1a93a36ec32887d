//! The right to an end of a pipe, on its way from one process to another.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use manager_protocol::pipe::Side;
use manager_protocol::{Code, Kind};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::Error;
use crate::link::Target;
use crate::reference::{Hold, Reference, hold, note};

/// The right to attach to an end of a pipe, which another gave away with
/// [`hand_over`](super::PipeEnd::hand_over).
///
/// It travels as a value of a dict or queue, or as text: an argument, an environment variable. As text it does
/// not keep a pipe without a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PipeTicket {
    pipe: Pipe,
    side: Side,
    number: u64,
}

/// Which pipe a ticket is for.
#[derive(Debug, Clone)]
pub(super) enum Pipe {
    Named(String),
    /// One without a name, and what keeps it.
    Unnamed(Reference, Option<Arc<Hold>>),
}

impl Pipe {
    pub(super) fn of(target: &Target) -> Self {
        match target.name() {
            Some(name) => Self::Named(name.to_string()),
            None => Self::Unnamed(target.reference(Kind::Pipe), target.hold().cloned()),
        }
    }

    /// What tells pipes apart.
    fn key(&self) -> Result<&str, Reference> {
        match self {
            Self::Named(name) => Ok(name),
            Self::Unnamed(reference, _) => Err(*reference),
        }
    }
}

impl PartialEq for Pipe {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Pipe {}

impl Hash for Pipe {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PipeTicket {
    pub(super) fn new(pipe: Pipe, side: Side, number: u64) -> Self {
        Self { pipe, side, number }
    }

    /// The name of the pipe; `None` if it has none.
    ///
    /// ```
    /// let ticket: manager_client::PipeTicket = "left:7:letters".parse()?;
    /// assert_eq!(ticket.name(), Some("letters"));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.pipe.key().ok()
    }

    pub(super) fn pipe(&self) -> &Pipe {
        &self.pipe
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
        match &self.pipe {
            Pipe::Named(name) => write!(f, "{side}:{}:{name}", self.number),
            Pipe::Unnamed(reference, _) => write!(f, "{side}:{}@{reference}", self.number),
        }
    }
}

impl FromStr for PipeTicket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read(text).ok_or_else(|| manager_protocol::Error::new(Code::InvalidArgument, NOT_ONE).into())
    }
}

/// The side, the number, and the name, which may be anything, or the reference.
fn read(text: &str) -> Option<PipeTicket> {
    let (side, rest) = text.split_once(':')?;
    let side = match side {
        LEFT => Side::Left,
        RIGHT => Side::Right,
        _ => return None,
    };
    let end = rest.find([':', '@'])?;
    let (number, pipe) = (rest[..end].parse().ok()?, &rest[end + 1..]);
    let pipe = if rest[end..].starts_with(':') {
        Pipe::Named(pipe.to_owned())
    } else {
        let reference = pipe.parse().ok().filter(|reference: &Reference| reference.kind() == Kind::Pipe)?;
        Pipe::Unnamed(reference, None)
    };
    Some(PipeTicket::new(pipe, side, number))
}

impl Serialize for PipeTicket {
    /// As text; but where people do not read it, a pipe without a name as a reference, which keeps it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.pipe {
            Pipe::Unnamed(reference, held) if !serializer.is_human_readable() => {
                held.iter().for_each(note);
                (u8::from(self.side), self.number, reference).serialize(serializer)
            }
            Pipe::Named(_) | Pipe::Unnamed(..) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for PipeTicket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TicketVisitor)
    }
}

struct TicketVisitor;

impl<'de> Visitor<'de> for TicketVisitor {
    type Value = PipeTicket;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a ticket of a pipe")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PipeTicket, E> {
        read(text).ok_or_else(|| E::custom(NOT_ONE))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<PipeTicket, A::Error> {
        let side = parts.next_element::<u8>()?.and_then(|side| Side::try_from(side).ok());
        let (number, reference) = (parts.next_element()?, parts.next_element::<Reference>()?);
        let reference = reference.filter(|reference| reference.kind() == Kind::Pipe);
        let (Some(side), Some(number), Some(reference)) = (side, number, reference) else {
            return Err(de::Error::custom(NOT_ONE));
        };
        Ok(PipeTicket::new(Pipe::Unnamed(reference, hold(reference.object())), side, number))
    }
}

const NOT_ONE: &str = "not a ticket of a pipe";
const LEFT: &str = "left";
const RIGHT: &str = "right";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_travels_as_text_whatever_the_pipe_is_called() {
        for name in ["letters", "a:b:c", "", "ü \n"] {
            let ticket = PipeTicket::new(Pipe::Named(name.to_owned()), Side::Right, u64::MAX);
            assert_eq!(ticket.to_string().parse::<PipeTicket>().unwrap(), ticket);
            let encoded = manager_protocol::encode_value(&ticket).unwrap();
            assert_eq!(manager_protocol::decode_value::<PipeTicket>(&encoded).unwrap(), ticket);
        }
        let unnamed = Pipe::Unnamed(Reference::new(Kind::Pipe, 7, 9), None);
        let ticket = PipeTicket::new(unnamed, Side::Left, 3);
        assert_eq!(ticket.to_string(), "left:3@pipe:0000000000000007:9");
        assert_eq!(ticket.to_string().parse::<PipeTicket>().unwrap(), ticket);
        let encoded = manager_protocol::encode_value(&ticket).unwrap();
        assert_eq!(manager_protocol::references(&encoded).len(), 1, "it keeps the pipe");
        assert_eq!(manager_protocol::decode_value::<PipeTicket>(&encoded).unwrap(), ticket);
        for text in [
            "",
            "left",
            "left:3@list:0000000000000007:9",
            "left:7",
            "middle:7:letters",
            "left:x:letters",
            "left:-1:letters",
        ] {
            assert!(text.parse::<PipeTicket>().is_err_and(|error| error.is_invalid_argument()), "{text}");
        }
    }
}
