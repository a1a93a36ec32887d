//! References: how a value names an object.
//!
//! A reference is a MessagePack extension inside a value, at any depth. The server finds those in the
//! values it stores and keeps what they name; a client makes proxies of them.

use std::fmt;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::msgpack::{Malformed, Reader, Token};
use crate::operation::{Kind, ObjectId};

/// The extension type of a reference.
pub const REFERENCE_TYPE: i8 = 109;

/// What a reference has: the kind (1 byte), the epoch and the object's number (8 bytes each, the
/// highest first).
const REFERENCE_BYTES: usize = 17;

/// How every reference begins: an extension with a length of one byte, the length, the type. No other
/// header is allowed, so that references can be looked for without reading what they are in.
const HEADER: [u8; 3] = [0xc7, REFERENCE_BYTES as u8, REFERENCE_TYPE as u8];

/// An object of one run of a server, named inside a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What it is.
    pub kind: Kind,
    /// Which run of a server it belongs to.
    pub epoch: u64,
    /// Its number there.
    pub object: ObjectId,
}

impl Reference {
    fn to_bytes(self) -> [u8; REFERENCE_BYTES] {
        let mut bytes = [self.kind as u8; REFERENCE_BYTES];
        bytes[1..9].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[9..].copy_from_slice(&self.object.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; REFERENCE_BYTES] = bytes.try_into().ok()?;
        let (kind, rest) = bytes.split_first()?;
        let (epoch, object) = rest.split_first_chunk::<8>()?;
        Some(Self {
            kind: Kind::try_from(*kind).ok()?,
            epoch: u64::from_be_bytes(*epoch),
            object: u64::from_be_bytes(object.try_into().ok()?),
        })
    }
}

/// Judges an extension of the type of references that was read from the beginning of `encoded`.
pub(crate) fn check(encoded: &[u8], bytes: &[u8]) -> Result<(), Malformed> {
    let well_formed = encoded.starts_with(&HEADER) && Reference::from_bytes(bytes).is_some();
    if well_formed { Ok(()) } else { Err(Malformed::Reference) }
}

/// Whether there may be references in these bytes. If not, there are none; else only
/// [`references`] can tell.
#[must_use]
#[inline]
pub fn may_have_references(bytes: &[u8]) -> bool {
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&HEADER));
    if bytes.len() <= REFERENCE_BYTES {
        return false;
    }
    // Its first byte is in few values: in no text of most scripts.
    match memchr::memchr(HEADER[0], bytes) {
        Some(at) => FINDER.find(&bytes[at..]).is_some(),
        None => false,
    }
}

/// The references in a well-formed value, in order; one that is there twice comes twice.
#[must_use]
pub fn references(value: &[u8]) -> Vec<Reference> {
    if !may_have_references(value) {
        return Vec::new();
    }
    let mut found = Vec::new();
    each_token(value, |token| {
        if let Token::Extension(REFERENCE_TYPE, bytes) = token {
            found.extend(Reference::from_bytes(bytes));
        }
    });
    found
}

/// The references in the values that a well-formed array of arguments has in its bins.
#[must_use]
pub fn references_in_arguments(arguments: &[u8]) -> Vec<Reference> {
    if !may_have_references(arguments) {
        return Vec::new();
    }
    let mut found = Vec::new();
    each_token(arguments, |token| {
        if let Token::Bytes(value) = token {
            found.extend(references(value));
        }
    });
    found
}

fn each_token(bytes: &[u8], mut act: impl FnMut(Token<'_>)) {
    let mut reader = Reader::new(bytes);
    while !reader.rest().is_empty()
        && let Ok(token) = reader.token()
    {
        act(token);
    }
}

/// The name by which MessagePack libraries for serde know an extension.
const EXTENSION: &str = "_ExtStruct";

/// Writes bytes as a MessagePack `bin`.
struct Bytes([u8; REFERENCE_BYTES]);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(EXTENSION, &(REFERENCE_TYPE, Bytes(self.to_bytes())))
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(EXTENSION, ReferenceVisitor)
    }
}

struct ReferenceVisitor;

impl<'de> Visitor<'de> for ReferenceVisitor {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference to an object")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Reference, D::Error> {
        deserializer.deserialize_tuple(2, self)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<Reference, A::Error> {
        let kind: Option<i8> = parts.next_element()?;
        let bytes: Option<Owned> = parts.next_element()?;
        let found = kind.filter(|kind| *kind == REFERENCE_TYPE).and(bytes);
        let fault = || de::Error::invalid_type(de::Unexpected::Other("another extension"), &self);
        found.and_then(|bytes| Reference::from_bytes(&bytes.0)).ok_or_else(fault)
    }
}

/// The bytes of an extension, however a library hands them out.
struct Owned(Vec<u8>);

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(OwnedVisitor).map(Self)
    }
}

struct OwnedVisitor;

impl<'de> Visitor<'de> for OwnedVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut bytes: A) -> Result<Vec<u8>, A::Error> {
        let mut all = Vec::new();
        while let Some(byte) = bytes.next_element()? {
            all.push(byte);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoded::{decode_value, encode_value};
    use crate::msgpack;

    const REFERENCE: Reference = Reference { kind: Kind::List, epoch: u64::MAX - 1, object: 7 };

    #[test]
    fn a_reference_round_trips_at_any_depth_and_is_found_there() {
        let value = ("text", vec![Some(REFERENCE), None], [("key", REFERENCE)]);
        let encoded = encode_value(&value).unwrap();
        assert_eq!(references(&encoded), [REFERENCE, REFERENCE]);
        type Value = (String, Vec<Option<Reference>>, [(String, Reference); 1]);
        let decoded: Value = decode_value(&encoded).unwrap();
        assert_eq!(decoded.1, value.1);
        assert_eq!(decoded.2[0].1, REFERENCE);
    }

    #[test]
    fn what_only_looks_like_a_reference_is_none() {
        let encoded = encode_value(&REFERENCE).unwrap();
        assert_eq!(encoded[..3], HEADER);
        let hidden = encode_value(&Bytes(encoded[..17].try_into().unwrap())).unwrap();
        assert!(may_have_references(&[&hidden[..], &[0; 2]].concat()));
        assert_eq!(references(&hidden), []);
        assert_eq!(references_in_arguments(&encoded), [], "it is in no bin");
        assert!(decode_value::<Reference>(&encode_value(&5).unwrap()).is_err());
    }

    #[test]
    fn a_reference_has_one_encoding() {
        let good = encode_value(&REFERENCE).unwrap();
        assert_eq!(msgpack::check(&good), Ok(()));
        let longer = [&[0xc8, 0, 17, 109][..], &good[3..]].concat();
        let mut of_no_kind = good.clone();
        of_no_kind[3] = 0;
        for bad in [&longer[..], &of_no_kind, &[0xd4, 109, 1]] {
            assert_eq!(msgpack::check(bad), Err(Malformed::Reference), "{bad:02x?}");
        }
        assert_eq!(msgpack::check(&[0xd4, 108, 1]), Ok(()), "other extensions are the users' own");
    }
}
