//! One MessagePack value in its encoded form: what the server stores and never looks into.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Code, Error, Result};
use crate::msgpack;
use crate::reply::{self, MALFORMED};

/// One well-formed MessagePack value, encoded; on the wire a MessagePack `bin` that holds it.
///
/// Deserialising checks the bytes once (well formed, depth, elements), so that whoever holds an
/// `Encoded` that came from a peer need not doubt it again.
#[derive(Clone)]
pub enum Encoded<'a> {
    /// Borrowed from a frame.
    Borrowed(&'a [u8]),
    /// Part of a stored entry, shared with it.
    Shared(SharedBytes),
}

/// A piece of an immutable shared allocation.
#[derive(Clone)]
pub struct SharedBytes {
    bytes: Arc<[u8]>,
    range: Range<usize>,
    /// What must live as long as the bytes are used.
    _kept: Option<Arc<dyn Any + Send + Sync>>,
}

impl SharedBytes {
    /// The bytes in `range`.
    ///
    /// # Panics
    /// If the range is not inside the allocation.
    #[must_use]
    #[inline]
    pub fn new(bytes: Arc<[u8]>, range: Range<usize>) -> Self {
        assert!(bytes.get(range.clone()).is_some(), "a piece lies inside its allocation");
        Self { bytes, range, _kept: None }
    }

    /// The same bytes; `kept` lives as long as they are used.
    #[must_use]
    pub fn keeping(self, kept: Arc<dyn Any + Send + Sync>) -> Self {
        Self { _kept: Some(kept), ..self }
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }

    /// The same bytes; nothing else lives as long as they are used.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { _kept: None, ..self }
    }

    /// The bytes in `part` of these, shared and kept alike.
    fn part(&self, part: Range<usize>) -> Self {
        let range = self.range.start + part.start..self.range.start + part.end;
        assert!(part.start <= part.end && range.end <= self.range.end, "a part lies inside of its whole");
        Self { range, ..self.clone() }
    }
}

impl<'a> Encoded<'a> {
    /// The value that is encoded in `part` of these bytes; what keeps the whole keeps it.
    ///
    /// # Panics
    /// If the part is not inside of the bytes.
    #[must_use]
    pub fn part(&self, part: Range<usize>) -> Self {
        match self {
            Self::Borrowed(bytes) => Self::Borrowed(&bytes[part]),
            Self::Shared(bytes) => Self::Shared(bytes.part(part)),
        }
    }
}

impl Encoded<'_> {
    /// The encoded bytes.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes.as_slice(),
        }
    }

    /// Decodes the value.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`] if the value is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        decode_checked_value(self.as_slice())
    }
}

impl<'a> From<&'a [u8]> for Encoded<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Encoded<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Borrowed(bytes)
    }
}

impl From<Arc<[u8]>> for Encoded<'static> {
    fn from(bytes: Arc<[u8]>) -> Self {
        let range = 0..bytes.len();
        Self::Shared(SharedBytes { bytes, range, _kept: None })
    }
}

impl PartialEq for Encoded<'_> {
    /// Equal when the bytes are: two encodings of one number differ here.
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Encoded<'_> {}

impl fmt::Debug for Encoded<'_> {
    /// Shows the length only: values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({} bytes)", self.as_slice().len())
    }
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_slice())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Encoded<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(EncodedVisitor).map(Self::Borrowed)
    }
}

/// Bytes that are checked by whoever decodes them: on the wire a MessagePack `bin`.
#[derive(Clone, PartialEq, Eq)]
pub struct Bin<'a>(pub Cow<'a, [u8]>);

impl fmt::Debug for Bin<'_> {
    /// Shows the length only: values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bin({} bytes)", self.0.len())
    }
}

impl Serialize for Bin<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bin<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(|bytes| Self(Cow::Borrowed(bytes)))
    }
}

struct EncodedVisitor;

impl<'de> Visitor<'de> for EncodedVisitor {
    type Value = &'de [u8];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bin that holds one MessagePack value")
    }

    #[inline]
    fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<&'de [u8], E> {
        msgpack::check(bytes).map_err(|fault| E::custom(format_args!("{MALFORMED}: {fault}")))?;
        Ok(bytes)
    }

    /// Given only by the decoder of what was checked before.
    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, known: D) -> Result<&'de [u8], D::Error> {
        <&[u8]>::deserialize(known)
    }
}

/// Encodes a value as the clients do: structs as maps from field names, so that a program in
/// another language, or one built from newer sources, can read them.
///
/// # Errors
/// [`Code::MalformedRequest`] if the type cannot be serialised, or breaks a limit of the protocol.
pub fn encode_value<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(USUAL_BYTES);
    append_value(&mut out, value)?;
    Ok(out)
}

/// Encodes a value as [`encode_value`] does, at the end of `out`: many values, one allocation.
///
/// # Errors
/// As [`encode_value`]; `out` is then as it was.
pub fn append_value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<()> {
    let refused = |reason: &dyn fmt::Display| {
        Error::new(
            Code::MalformedRequest,
            format!("cannot encode a value of the type {}: {reason}", std::any::type_name::<T>()),
        )
    };
    let start = out.len();
    let encoded = rmp_serde::encode::write_named(out, value)
        .map_err(|error| refused(&error))
        .and_then(|()| msgpack::check_written(&out[start..]).map_err(|fault| refused(&fault)));
    if encoded.is_err() {
        out.truncate(start);
    }
    encoded
}

/// Decodes one whole value.
///
/// # Errors
/// [`Code::MalformedRequest`] if the bytes are not one well-formed value, or not a `T`.
pub fn decode_value<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    let refused = |reason: String| Error::new(Code::MalformedRequest, reason);
    msgpack::check(bytes).map_err(|fault| refused(format!("{MALFORMED}: {fault}")))?;
    decode_checked_value(bytes)
}

/// Decodes a value as [`decode_value`] does, that was found to be one whole, well-formed value before.
///
/// # Errors
/// [`Code::MalformedRequest`] if it is not a `T`.
pub fn decode_checked_value<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    match reply::scalar(bytes) {
        Some(value) => Ok(value),
        None => {
            rmp_serde::from_slice(bytes).map_err(|error| Error::new(Code::MalformedRequest, reply::fault::<T>(&error)))
        }
    }
}

/// Most values are no longer than this: the buffer of one need not grow.
const USUAL_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_messagepack_does_not_deserialise() {
        let bad = rmp_serde::to_vec(&Encoded::Borrowed(&[0xc1])).unwrap();
        let error = rmp_serde::from_slice::<Encoded<'_>>(&bad).unwrap_err().to_string();
        assert!(error.contains("0xc1"), "{error}");
    }

    #[test]
    fn a_part_of_a_value_is_borrowed_or_shared_as_the_whole_is() {
        let bytes = encode_value(&("a", 1_u8)).unwrap();
        let whole = Encoded::Shared(SharedBytes::new([&[0xc0][..], &bytes].concat().into(), 1..bytes.len() + 1));
        for part in [Encoded::from(&bytes).part(1..3), whole.part(1..3)] {
            assert_eq!(part.decode::<String>().unwrap(), "a");
        }
    }

    #[test]
    #[should_panic(expected = "a part lies inside of its whole")]
    fn a_part_does_not_reach_out_of_its_whole() {
        let _ = Encoded::Shared(SharedBytes::new([0xc0; 4].into(), 1..3)).part(0..3);
    }

    #[test]
    fn values_round_trip_and_trailing_bytes_do_not() {
        let mut bytes = encode_value(&("a", 1_u8, 2.5_f64)).unwrap();
        assert_eq!(decode_value::<(String, u8, f64)>(&bytes).unwrap(), ("a".to_owned(), 1, 2.5));
        let error = decode_value::<(u8, u8, f64)>(&encode_value(&("secret", 1_u8, 2.5_f64)).unwrap()).unwrap_err();
        assert_eq!(error.message, "not a (u8, u8, f64)");
        bytes.push(0xc0);
        assert_eq!(decode_value::<(String, u8, f64)>(&bytes).unwrap_err().code, Code::MalformedRequest);
    }
}
