//! Decodes the plain types that most arguments and replies are made of, straight from the bytes.
//!
//! Whatever is not that plain, or not as it should be, is left to the decoder that knows all of serde and
//! says what is wrong: it begins anew where this one began.

use std::fmt;

use serde::de::value::BorrowedBytesDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::msgpack::{Reader, Token};

/// Takes one value off a reader. After a failure the reader is anywhere in it.
pub(crate) struct Quick<'r, 'de> {
    pub(crate) reader: &'r mut Reader<'de>,
    /// Whether the values in bins are known to be well formed: their visitor is told by being given a newtype.
    pub(crate) known: bool,
}

/// It is for the other decoder.
#[derive(Debug)]
pub(crate) struct NotPlain;

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a plain value")
    }
}

impl std::error::Error for NotPlain {}

impl de::Error for NotPlain {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Reads an integer of any width.
macro_rules! integers {
    ($($method:ident)+) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
                if let Some(number) = self.reader.unsigned() {
                    return visitor.visit_u64(number);
                }
                match self.reader.token() {
                    Ok(Token::Integer(number)) => visitor.visit_i64(i64::try_from(number).map_err(|_| NotPlain)?),
                    Ok(_) | Err(_) => Err(NotPlain),
                }
            }
        )+
    };
}

impl<'de> Deserializer<'de> for Quick<'_, 'de> {
    type Error = NotPlain;

    /// As MessagePack is.
    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NotPlain> {
        Err(NotPlain)
    }

    integers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.reader.token() {
            Ok(Token::Bool(yes)) => visitor.visit_bool(yes),
            Ok(_) | Err(_) => Err(NotPlain),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.reader.token() {
            Ok(Token::Text(text)) => visitor.visit_borrowed_str(text),
            Ok(_) | Err(_) => Err(NotPlain),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.reader.token() {
            Ok(Token::Float64(number)) => visitor.visit_f64(number),
            Ok(_) | Err(_) => Err(NotPlain),
        }
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        let bytes = self.reader.bin().ok_or(NotPlain)?;
        if self.known {
            visitor.visit_newtype_struct(BorrowedBytesDeserializer::new(bytes))
        } else {
            visitor.visit_borrowed_bytes(bytes)
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        if self.reader.nil() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        if self.reader.nil() { visitor.visit_unit() } else { Err(NotPlain) }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, NotPlain> {
        if !u32::try_from(len).is_ok_and(|len| self.reader.array_of(len)) {
            return Err(NotPlain);
        }
        let mut elements = Elements { reader: self.reader, known: self.known, left: len };
        let value = visitor.visit_seq(&mut elements)?;
        if elements.left == 0 { Ok(value) } else { Err(NotPlain) }
    }

    forward_to_deserialize_any! {
        i128 u128 f32 char byte_buf unit_struct newtype_struct seq tuple_struct map struct enum
        identifier ignored_any
    }
}

/// The elements of a tuple.
struct Elements<'r, 'de> {
    reader: &'r mut Reader<'de>,
    known: bool,
    left: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = NotPlain;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, NotPlain> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(Quick { reader: self.reader, known: self.known }).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::{Encoded, Kind, check};

    fn quick<'r, 'de>(reader: &'r mut Reader<'de>) -> Quick<'r, 'de> {
        Quick { reader, known: false }
    }

    /// What the decoder that knows all of serde makes of the same bytes, if they are well formed.
    fn same<'a, T: Deserialize<'a> + PartialEq + fmt::Debug>(bytes: &'a [u8]) {
        let mut reader = Reader::new(bytes);
        let Ok(quick) = T::deserialize(quick(&mut reader)) else { return };
        let read = &bytes[..bytes.len() - reader.rest().len()];
        assert_eq!(check(read), Ok(()), "what is read quickly is one well-formed value");
        assert_eq!(rmp_serde::from_slice::<T>(read).unwrap(), quick);
    }

    fn same_as_any_type(bytes: &[u8]) {
        same::<u64>(bytes);
        same::<i64>(bytes);
        same::<i8>(bytes);
        same::<i32>(bytes);
        same::<f64>(bytes);
        same::<String>(bytes);
        same::<u32>(bytes);
        same::<bool>(bytes);
        same::<&str>(bytes);
        same::<()>(bytes);
        same::<Kind>(bytes);
        same::<Option<i64>>(bytes);
        same::<Encoded<'_>>(bytes);
        same::<Option<Encoded<'_>>>(bytes);
        same::<(Encoded<'_>, Option<u64>)>(bytes);
        same::<(bool, (i64, &str))>(bytes);
    }

    #[test]
    fn plain_values_are_read() {
        let read = |bytes: &[u8]| u64::deserialize(quick(&mut Reader::new(bytes))).ok();
        assert_eq!([read(&[5]), read(&[0xcd, 1, 0]), read(&[0xff]), read(&[0xa0])], [Some(5), Some(256), None, None]);
        assert_eq!(i64::deserialize(quick(&mut Reader::new(&[0xff]))).unwrap(), -1);
        assert!(<Option<u64>>::deserialize(quick(&mut Reader::new(&[0xc0]))).unwrap().is_none());
        let pair = [0x92, 0xc4, 1, 7, 0xa1, b'x'];
        let (value, text) = <(Encoded<'_>, &str)>::deserialize(quick(&mut Reader::new(&pair))).unwrap();
        assert_eq!((value.as_slice(), text), (&[7][..], "x"));
        assert!(Encoded::deserialize(quick(&mut Reader::new(&[0xc4, 1, 0xc1]))).is_err(), "the value is checked");
    }

    proptest! {
        #[test]
        fn both_decoders_agree(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            same_as_any_type(&bytes);
        }

        #[test]
        fn both_decoders_agree_on_what_is_nearly_right(
            value in (proptest::collection::vec(any::<u8>(), 0..40), proptest::option::of(any::<u64>())),
            at in 0_usize..60,
            byte in any::<u8>(),
        ) {
            let (value, number) = value;
            let mut bytes = Vec::new();
            rmp::encode::write_array_len(&mut bytes, 2).unwrap();
            rmp::encode::write_bin(&mut bytes, &value).unwrap();
            crate::write_item(&mut bytes, &number);
            same_as_any_type(&bytes);
            let len = bytes.len();
            bytes[at % len] = byte;
            same_as_any_type(&bytes);
        }
    }
}
