//! References: the plain names of objects, and what makes proxies of those in replies.
//!
//! A proxy inside a value is stored as a reference. While a reply is decoded, [`scope`] makes proxies of
//! the references in it; [`hold`] is what keeps an object without a name for them. It never sends anything
//! by itself: a link does.

mod hold;
mod outgoing;
mod proxies;
mod resolve;
mod scope;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use self::tests::nowhere;

use std::fmt;
use std::str::FromStr;

use manager_protocol::{Code, Kind, kind_name};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

pub(crate) use self::hold::{Hold, Holds, Outlet};
#[cfg(feature = "process")]
pub(crate) use self::outgoing::{Keepers, keep, keeping, take_keepers};
pub(crate) use self::outgoing::{collect, note, note_all};
pub use self::proxies::Proxy;
pub(crate) use self::proxies::{Made, references};
pub(crate) use self::scope::{Kept, Origin, hold, within};
use crate::error::Error;

/// The plain name of an object in a server: for an argument of a program, the environment, a file.
///
/// As text it has the kind, which run of a server the object is of, and its number there:
/// `list:00f1d2c3b4a59687:17`. [`Manager::resolve`](crate::Manager::resolve) makes a proxy of it again.
///
/// **It keeps nothing alive.** An object without a name goes when no process has a proxy of it and no stored
/// value refers to it, however many references are written down elsewhere. In a value of a dict, a list and
/// so on, a reference is the same as a proxy: what is stored there keeps the object.
///
/// ```
/// use manager_client::{ManagerList, Reference};
///
/// # let manager = manager_client::Manager::start()?;
/// let todo = manager.new_list::<String>()?;
/// let argument = todo.reference().to_string();
///
/// // Perhaps in another process, while this one has the list.
/// let reference: Reference = argument.parse()?;
/// let same = manager.resolve::<ManagerList<String>>(&reference)?;
/// same.push("eat")?;
/// assert_eq!(todo.len()?, 1);
/// # Ok::<(), manager_client::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference(manager_protocol::Reference);

impl Reference {
    pub(crate) fn new(kind: Kind, epoch: u64, object: u64) -> Self {
        Self(manager_protocol::Reference { kind, epoch, object })
    }

    /// What the object is.
    ///
    /// ```
    /// use manager_client::{Kind, Reference};
    ///
    /// let reference: Reference = "list:00f1d2c3b4a59687:17".parse()?;
    /// assert_eq!(reference.kind(), Kind::List);
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch
    }

    pub(crate) fn object(&self) -> u64 {
        self.0.object
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}:{}", kind_name(self.kind()), self.epoch(), self.object())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read(text).ok_or_else(|| manager_protocol::Error::new(Code::InvalidArgument, NOT_ONE).into())
    }
}

/// The one text of a reference: no other spelling of the numbers is taken.
fn read(text: &str) -> Option<Reference> {
    let (name, rest) = text.split_once(':')?;
    let (epoch, object) = rest.split_once(':')?;
    let kind = (1..=u8::MAX).filter_map(|number| Kind::try_from(number).ok()).find(|kind| kind_name(*kind) == name)?;
    let reference = Reference::new(kind, u64::from_str_radix(epoch, 16).ok()?, object.parse().ok()?);
    (reference.to_string() == text).then_some(reference)
}

const NOT_ONE: &str = "not a reference to an object";

impl Serialize for Reference {
    /// As text where people read it, such as JSON; else as the server knows references.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What serde has buffered calls itself readable, whatever it was read from.
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(EitherVisitor)
        } else {
            manager_protocol::Reference::deserialize(deserializer).map(Self)
        }
    }
}

/// What a reference in a reply makes a proxy of.
pub(crate) fn proxy<'de, P: Proxy, D: Deserializer<'de>>(deserializer: D) -> Result<P, D::Error> {
    let reference = Reference::deserialize(deserializer)?;
    scope::proxy(reference).map_err(de::Error::custom)
}

/// Takes a text, or what the server knows.
struct EitherVisitor;

impl<'de> Visitor<'de> for EitherVisitor {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference to an object")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Reference, E> {
        read(text).ok_or_else(|| E::custom(NOT_ONE))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Reference, D::Error> {
        manager_protocol::Reference::deserialize(deserializer).map(Reference)
    }
}
