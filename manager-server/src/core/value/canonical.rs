//! When two values are the same value: when their canonical forms are the same bytes.
//!
//! This one function decides both which keys are the same key and which values are equal. The
//! canonical form of
//! - a number is its shortest integer encoding if it is whole (so 1, 1 as 64 bits and 1.0 are one),
//!   else its 64-bit float; every NaN is one NaN;
//! - a map has its pairs sorted by canonical key;
//! - text, bytes, arrays and the rest have the shortest header.
//!
//! A boolean is not a number here. (Python says `True == 1`; a client that wants that says so to
//! this function alone.)

use std::borrow::Cow;

use manager_protocol::{Code, Encoded, Error, REFERENCE_TYPE, Reader, Result, Token};

/// A dict's key: as it was written, and as it is compared.
#[derive(Debug)]
pub(in crate::core) struct Key<'a> {
    pub(in crate::core) original: &'a [u8],
    pub(in crate::core) canonical: Cow<'a, [u8]>,
}

impl<'a> Key<'a> {
    /// Refuses what equals nothing, itself included, and what would keep an object alive.
    pub(in crate::core) fn new(key: &'a Encoded<'_>) -> Result<Self> {
        let original = key.as_slice();
        if let Some(fault) = unfit(original) {
            return Err(Error::new(Code::InvalidKey, format!("{fault} cannot be a key, nor be inside of one")));
        }
        Ok(Self { original, canonical: canonical(original) })
    }

    /// Whether the key was written in its canonical form.
    pub(in crate::core) fn is_canonical(&self) -> bool {
        matches!(self.canonical, Cow::Borrowed(_))
    }

    /// Whether another is the same key.
    pub(in crate::core) fn equals(&self, other: &[u8]) -> bool {
        equals(&self.canonical, other)
    }
}

/// A value that others are compared with.
pub(in crate::core) struct Probe<'a> {
    canonical: Cow<'a, [u8]>,
}

impl<'a> Probe<'a> {
    pub(in crate::core) fn new(value: &'a [u8]) -> Self {
        Self { canonical: canonical(value) }
    }

    pub(in crate::core) fn equals(&self, other: &[u8]) -> bool {
        equals(&self.canonical, other)
    }
}

/// Whether a value has this canonical form.
fn equals(form: &[u8], value: &[u8]) -> bool {
    *form == *value || *form == *canonical(value)
}

/// The canonical form of a well-formed value; borrowed if the value has that form already.
pub(in crate::core) fn canonical(value: &[u8]) -> Cow<'_, [u8]> {
    if is_canonical_scalar(value) {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    write(&mut Reader::new(value), &mut out);
    if out == value { Cow::Borrowed(value) } else { Cow::Owned(out) }
}

/// The encodings that nearly all keys have, told by their first bytes.
fn is_canonical_scalar(value: &[u8]) -> bool {
    match value {
        // Small integers, short text, nil and booleans have one encoding or are in their shortest.
        [0x00..=0x7f | 0xe0..=0xff | 0xa0..=0xbf | 0xc0 | 0xc2 | 0xc3, ..] => true,
        // Longer text: only what the shorter header could not hold.
        [0xd9, len, ..] => *len > 31,
        [0xcc, byte] => *byte > 0x7f,
        [0xcd, high, _] => *high > 0,
        [0xce, high, next, ..] => *high > 0 || *next > 0,
        _ => false,
    }
}

/// What a key has in it that may not be there.
fn unfit(value: &[u8]) -> Option<&'static str> {
    if is_canonical_scalar(value) {
        return None;
    }
    let mut reader = Reader::new(value);
    while !reader.rest().is_empty() {
        match reader.token().expect(WELL_FORMED) {
            Token::Float32(number) if number.is_nan() => return Some("NaN"),
            Token::Float64(number) if number.is_nan() => return Some("NaN"),
            Token::Extension(REFERENCE_TYPE, _) => return Some("a reference"),
            Token::Nil
            | Token::Bool(_)
            | Token::Integer(_)
            | Token::Float32(_)
            | Token::Float64(_)
            | Token::Text(_)
            | Token::Bytes(_)
            | Token::Array(_)
            | Token::Map(_)
            | Token::Extension(..) => {}
        }
    }
    None
}

/// Recursion is bounded: the value was checked for depth when it arrived.
fn write(reader: &mut Reader<'_>, out: &mut Vec<u8>) {
    match reader.token().expect(WELL_FORMED) {
        Token::Nil => rmp::encode::write_nil(out).expect(MEMORY),
        Token::Bool(yes) => rmp::encode::write_bool(out, yes).expect(MEMORY),
        Token::Integer(number) => write_integer(out, number),
        Token::Float32(number) => write_float(out, number.into()),
        Token::Float64(number) => write_float(out, number),
        Token::Text(text) => rmp::encode::write_str(out, text).expect(MEMORY),
        Token::Bytes(bytes) => rmp::encode::write_bin(out, bytes).expect(MEMORY),
        Token::Extension(kind, bytes) => {
            let len = u32::try_from(bytes.len()).expect("a length on the wire has 32 bits");
            rmp::encode::write_ext_meta(out, len, kind).expect(MEMORY);
            out.extend_from_slice(bytes);
        }
        Token::Array(len) => {
            rmp::encode::write_array_len(out, len).expect(MEMORY);
            for _ in 0..len {
                write(reader, out);
            }
        }
        Token::Map(len) => {
            rmp::encode::write_map_len(out, len).expect(MEMORY);
            write_pairs(reader, len, out);
        }
    }
}

fn write_pairs(reader: &mut Reader<'_>, len: u32, out: &mut Vec<u8>) {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for _ in 0..len {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        write(reader, &mut key);
        write(reader, &mut value);
        pairs.push((key, value));
    }
    pairs.sort_unstable();
    for (key, value) in pairs {
        out.extend(key);
        out.extend(value);
    }
}

pub(super) fn write_integer(out: &mut Vec<u8>, number: i128) {
    if let Ok(number) = u64::try_from(number) {
        rmp::encode::write_uint(out, number).expect(MEMORY);
    } else {
        let number = i64::try_from(number).expect("an integer on the wire has 64 bits");
        rmp::encode::write_sint(out, number).expect(MEMORY);
    }
}

fn write_float(out: &mut Vec<u8>, number: f64) {
    // Both bounds are exact as floats; the upper one is 2^64, just past the greatest integer.
    let whole = number.fract() == 0.0 && (-9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&number);
    if whole {
        write_integer(out, number as i128);
    } else {
        let number = if number.is_nan() { f64::NAN } else { number };
        rmp::encode::write_f64(out, number).expect(MEMORY);
    }
}

const MEMORY: &str = "writing to memory does not fail";
const WELL_FORMED: &str = "values are checked when they arrive";

#[cfg(test)]
mod tests {
    use super::*;

    fn same(left: &[u8], right: &[u8]) -> bool {
        assert_eq!(Probe::new(left).equals(right), Probe::new(right).equals(left), "equality is symmetric");
        Probe::new(left).equals(right)
    }

    fn float(number: f64) -> Vec<u8> {
        rmp_serde::to_vec(&number).unwrap()
    }

    #[test]
    fn every_encoding_of_a_number_is_one_value() {
        let ones: [&[u8]; 9] = [
            &[0x01],
            &[0xcc, 1],
            &[0xcd, 0, 1],
            &[0xce, 0, 0, 0, 1],
            &[0xcf, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0xd0, 1],
            &[0xd3, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0xca, 0x3f, 0x80, 0, 0],
            &float(1.0),
        ];
        for one in ones {
            assert_eq!(*canonical(one), [0x01], "{one:02x?}");
        }
        assert!(!same(&[0x01], &[0xc3]), "true is not 1");
        assert!(same(&float(-0.0), &[0x00]));
        assert!(same(&float(0.5), &[0xca, 0x3f, 0, 0, 0]));
        assert!(!same(&float(18_446_744_073_709_551_616.0), &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255]));
        assert!(same(&float(-9_223_372_036_854_775_808.0), &[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]));
        assert!(same(&float(f64::NAN), &float(-f64::NAN)));
    }

    #[test]
    fn headers_and_the_order_of_a_map_do_not_matter() {
        assert!(same(&[0xa1, b'x'], &[0xd9, 1, b'x']));
        assert!(same(&[0xa1, b'x'], &[0xdb, 0, 0, 0, 1, b'x']));
        assert!(!same(&[0xa1, b'x'], &[0xc4, 1, b'x']), "text is not bytes");
        assert!(same(&[0x92, 1, 2], &[0xdc, 0, 2, 0xcc, 1, 2]));
        assert!(!same(&[0x92, 1, 2], &[0x92, 2, 1]));
        assert!(same(&[0x82, 1, 2, 3, 4], &[0xde, 0, 2, 3, 4, 1, 2]));
        assert!(!same(&[0x82, 1, 2, 3, 4], &[0x82, 1, 4, 3, 2]));
        assert!(same(&[0xd4, 5, 9], &[0xc7, 1, 5, 9]));
    }

    #[test]
    fn nan_is_no_key_at_any_depth() {
        let nan = float(f64::NAN);
        let nested = [&[0x92, 0x01][..], &nan].concat();
        for key in [nan.as_slice(), nested.as_slice(), &[0xca, 0x7f, 0xc0, 0, 0]] {
            assert_eq!(Key::new(&Encoded::Borrowed(key)).unwrap_err().code, Code::InvalidKey);
        }
        assert!(Key::new(&Encoded::Borrowed(&float(f64::INFINITY))).is_ok());
    }
}
