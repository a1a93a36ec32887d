//! Reads MessagePack one token at a time from a slice, and checks that a value is well formed.
//!
//! Nothing here allocates by what a length header claims, and nothing recurses past
//! [`MAX_DEPTH`]. The format is described at <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use std::fmt;

use rmp::Marker;

use crate::reference::{self, REFERENCE_TYPE};
use crate::{MAX_DEPTH, MAX_ELEMENTS};

/// One token: a whole scalar, or the head of an array or map whose elements follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// The nil value.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer of any width, from -2^63 to 2^64 - 1.
    Integer(i128),
    /// A 32-bit float.
    Float32(f32),
    /// A 64-bit float.
    Float64(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// The head of an array of so many elements.
    Array(u32),
    /// The head of a map of so many pairs.
    Map(u32),
    /// An extension value: its type and its bytes.
    Extension(i8, &'a [u8]),
}

/// Why bytes are not one well-formed MessagePack value within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes end inside a value, or a length header claims more than there is.
    Truncated,
    /// The byte 0xc1, which MessagePack never uses.
    Reserved,
    /// Text that is not UTF-8.
    Utf8,
    /// Nested deeper than [`MAX_DEPTH`].
    Depth,
    /// More than [`MAX_ELEMENTS`] elements.
    Elements,
    /// A map that has the same key twice.
    DuplicateKey,
    /// An extension of the type of references that is none.
    Reference,
    /// Bytes follow the value.
    Trailing,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("a length runs past the end of the data"),
            Self::Reserved => f.write_str("the reserved byte 0xc1"),
            Self::Utf8 => f.write_str("text that is not UTF-8"),
            Self::Depth => write!(f, "nested deeper than {MAX_DEPTH} levels"),
            Self::Elements => write!(f, "more than {MAX_ELEMENTS} elements in one value"),
            Self::DuplicateKey => f.write_str("a map with the same key twice"),
            Self::Reference => f.write_str("a reference that is malformed"),
            Self::Trailing => f.write_str("bytes after the end of the value"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Checks that `bytes` are exactly one well-formed value within the limits.
///
/// # Errors
/// The first thing found wrong.
pub fn check(bytes: &[u8]) -> Result<(), Malformed> {
    if is_plain(bytes) {
        return Ok(());
    }
    let mut reader = Reader::new(bytes);
    reader.value()?;
    if reader.rest().is_empty() { Ok(()) } else { Err(Malformed::Trailing) }
}

/// Checks what a serializer has written, as [`check`] does: a single scalar is always as it should be, so only
/// what has others in it, or is an extension, is read.
#[inline]
pub(crate) fn check_written(bytes: &[u8]) -> Result<(), Malformed> {
    // A longer one does not fit the length in its head.
    let is_short = u32::try_from(bytes.len()).is_ok();
    if is_short && bytes.first().is_some_and(|head| is_scalar(*head)) { Ok(()) } else { check(bytes) }
}

/// Whether a value that begins with this byte has no other in it, and is no extension.
#[inline]
pub(crate) fn is_scalar(head: u8) -> bool {
    !matches!(head, 0x80..=0x9f | 0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 | 0xdc..=0xdf)
}

/// Whether the bytes are exactly one of the values that are seen at a glance, as most are. Others may be
/// well formed as well.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let is_text = |len: usize, text: &[u8]| text.len() == len && (text.is_ascii() || std::str::from_utf8(text).is_ok());
    match *bytes {
        [0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3] => true,
        [head @ 0xa0..=0xbf, ref text @ ..] => is_text(usize::from(head & 0x1f), text),
        [0xd9, len, ref text @ ..] => is_text(len.into(), text),
        [0xda, high, low, ref text @ ..] => is_text(u16::from_be_bytes([high, low]).into(), text),
        [0xc4, len, ref bytes @ ..] => bytes.len() == usize::from(len),
        [0xcc | 0xd0, _] | [0xcd | 0xd1, _, _] | [0xca | 0xce | 0xd2, _, _, _, _] => true,
        [0xcb | 0xcf | 0xd3, ref bytes @ ..] => bytes.len() == 8,
        _ => false,
    }
}

/// A position in a slice of MessagePack.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `bytes`.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not read yet.
    #[must_use]
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads an integer that is not negative; else nothing is read.
    #[inline]
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let (number, rest) = match *self.rest {
            [number @ 0x00..=0x7f, ref rest @ ..] => (number.into(), rest),
            [0xcc, number, ref rest @ ..] => (number.into(), rest),
            [0xcd, a, b, ref rest @ ..] => (u16::from_be_bytes([a, b]).into(), rest),
            [0xce, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]).into(), rest),
            [0xcf, ref rest @ ..] => {
                let (number, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*number), rest)
            }
            // A signed one may be of any width, too.
            [0xd0..=0xd3, ..] => return self.positive(),
            _ => return None,
        };
        self.rest = rest;
        Some(number)
    }

    #[cold]
    fn positive(&mut self) -> Option<u64> {
        let mut reader = self.clone();
        let Ok(Token::Integer(number)) = reader.token() else { return None };
        let number = u64::try_from(number).ok()?;
        self.rest = reader.rest;
        Some(number)
    }

    /// Reads bytes; else nothing is read.
    #[inline]
    pub(crate) fn bin(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = match *self.rest {
            [0xc4, len, ref rest @ ..] => (usize::from(len), rest),
            [0xc5, high, low, ref rest @ ..] => (usize::from(u16::from_be_bytes([high, low])), rest),
            [0xc6, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]) as usize, rest),
            _ => return None,
        };
        let (bytes, rest) = rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Reads the nil value; else nothing is read.
    #[inline]
    pub(crate) fn nil(&mut self) -> bool {
        let Some(rest) = self.rest.strip_prefix(&[0xc0]) else { return false };
        self.rest = rest;
        true
    }

    /// Reads the head of an array of so many elements; else nothing is read.
    #[inline]
    pub(crate) fn array_of(&mut self, len: u32) -> bool {
        if let Some((&head, rest)) = self.rest.split_first()
            && u32::from(head) == 0x90 + len
            && len < 16
        {
            self.rest = rest;
            return true;
        }
        self.any_array_of(len)
    }

    #[cold]
    fn any_array_of(&mut self, len: u32) -> bool {
        let mut reader = self.clone();
        let is_it = reader.token() == Ok(Token::Array(len));
        if is_it {
            self.rest = reader.rest;
        }
        is_it
    }

    /// Reads one token.
    ///
    /// # Errors
    /// [`Malformed`] where the bytes are no token.
    pub fn token(&mut self) -> Result<Token<'a>, Malformed> {
        let [first] = self.array()?;
        Ok(match Marker::from_u8(first) {
            Marker::Null => Token::Nil,
            Marker::True => Token::Bool(true),
            Marker::False => Token::Bool(false),
            Marker::FixPos(n) => Token::Integer(n.into()),
            Marker::FixNeg(n) => Token::Integer(n.into()),
            Marker::U8 => Token::Integer(u8::from_be_bytes(self.array()?).into()),
            Marker::U16 => Token::Integer(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Token::Integer(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => Token::Integer(u64::from_be_bytes(self.array()?).into()),
            Marker::I8 => Token::Integer(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Token::Integer(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Token::Integer(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Token::Integer(i64::from_be_bytes(self.array()?).into()),
            Marker::F32 => Token::Float32(f32::from_be_bytes(self.array()?)),
            Marker::F64 => Token::Float64(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(len) => self.text(len.into())?,
            Marker::Str8 => self.length8().and_then(|len| self.text(len))?,
            Marker::Str16 => self.length16().and_then(|len| self.text(len))?,
            Marker::Str32 => self.length32().and_then(|len| self.text(len))?,
            Marker::Bin8 => self.length8().and_then(|len| self.bytes(len)).map(Token::Bytes)?,
            Marker::Bin16 => self.length16().and_then(|len| self.bytes(len)).map(Token::Bytes)?,
            Marker::Bin32 => self.length32().and_then(|len| self.bytes(len)).map(Token::Bytes)?,
            Marker::FixArray(len) => Token::Array(len.into()),
            Marker::Array16 => Token::Array(u16::from_be_bytes(self.array()?).into()),
            Marker::Array32 => Token::Array(u32::from_be_bytes(self.array()?)),
            Marker::FixMap(len) => Token::Map(len.into()),
            Marker::Map16 => Token::Map(u16::from_be_bytes(self.array()?).into()),
            Marker::Map32 => Token::Map(u32::from_be_bytes(self.array()?)),
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => self.length8().and_then(|len| self.extension(len))?,
            Marker::Ext16 => self.length16().and_then(|len| self.extension(len))?,
            Marker::Ext32 => self.length32().and_then(|len| self.extension(len))?,
            Marker::Reserved => return Err(Malformed::Reserved),
        })
    }

    /// Reads one whole value, checks it, and returns its bytes.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes do not begin with a well-formed value within the limits.
    pub fn value(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.rest;
        self.check(MAX_DEPTH, &mut { MAX_ELEMENTS })?;
        Ok(&start[..start.len() - self.rest.len()])
    }

    /// Recursion is bounded by `depth`, the levels that may still open.
    fn check(&mut self, depth: usize, elements: &mut u32) -> Result<(), Malformed> {
        let start = self.rest;
        match self.token()? {
            Token::Array(len) => {
                let depth = Self::open(depth, len, elements)?;
                for _ in 0..len {
                    self.check(depth, elements)?;
                }
                Ok(())
            }
            Token::Map(len) => {
                let depth = Self::open(depth, len.checked_mul(2).ok_or(Malformed::Elements)?, elements)?;
                self.check_pairs(len, depth, elements)
            }
            Token::Extension(REFERENCE_TYPE, bytes) => reference::check(start, bytes),
            Token::Nil
            | Token::Bool(_)
            | Token::Integer(_)
            | Token::Float32(_)
            | Token::Float64(_)
            | Token::Text(_)
            | Token::Bytes(_)
            | Token::Extension(..) => Ok(()),
        }
    }

    fn open(depth: usize, inside: u32, elements: &mut u32) -> Result<usize, Malformed> {
        *elements = elements.checked_sub(inside).ok_or(Malformed::Elements)?;
        depth.checked_sub(1).ok_or(Malformed::Depth)
    }

    fn check_pairs(&mut self, len: u32, depth: usize, elements: &mut u32) -> Result<(), Malformed> {
        // Grows with the keys that are really there, never by what the header claims.
        let mut keys: Vec<&[u8]> = Vec::new();
        for _ in 0..len {
            let start = self.rest;
            self.check(depth, elements)?;
            keys.push(&start[..start.len() - self.rest.len()]);
            self.check(depth, elements)?;
        }
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Malformed::DuplicateKey);
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn text(&mut self, len: usize) -> Result<Token<'a>, Malformed> {
        let bytes = self.bytes(len)?;
        std::str::from_utf8(bytes).map(Token::Text).map_err(|_| Malformed::Utf8)
    }

    fn extension(&mut self, len: usize) -> Result<Token<'a>, Malformed> {
        let kind = i8::from_be_bytes(self.array()?);
        Ok(Token::Extension(kind, self.bytes(len)?))
    }

    fn length8(&mut self) -> Result<usize, Malformed> {
        Ok(u8::from_be_bytes(self.array()?).into())
    }

    fn length16(&mut self) -> Result<usize, Malformed> {
        Ok(u16::from_be_bytes(self.array()?).into())
    }

    fn length32(&mut self) -> Result<usize, Malformed> {
        let len = u32::from_be_bytes(self.array()?);
        usize::try_from(len).map_err(|_| Malformed::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = vec![0x91; depth];
        bytes.push(0xc0);
        bytes
    }

    #[test]
    fn depth_is_bounded_and_the_bound_itself_is_allowed() {
        assert_eq!(check(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(check(&nested(MAX_DEPTH + 1)), Err(Malformed::Depth));
        assert_eq!(check(&nested(100_000)), Err(Malformed::Depth));
        let maps: Vec<u8> = [0x81, 0x01].repeat(100_000);
        assert_eq!(check(&maps), Err(Malformed::Depth));
    }

    #[test]
    fn a_length_header_that_lies_is_truncated_whatever_its_type() {
        for head in [0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd9, 0xda, 0xdb, 0xdc, 0xde] {
            assert_eq!(check(&[head, 0xff, 0xff, 0xff, 0xff]), Err(Malformed::Truncated), "{head:#x}");
        }
        for head in [0xdd, 0xdf] {
            assert_eq!(check(&[head, 0xff, 0xff, 0xff, 0xff]), Err(Malformed::Elements), "{head:#x}");
            assert_eq!(check(&[head, 0x00, 0x07, 0xff, 0xff]), Err(Malformed::Truncated), "{head:#x}");
        }
    }

    #[test]
    fn elements_are_counted_across_levels() {
        let mut bytes = vec![0xdd];
        bytes.extend((MAX_ELEMENTS - 1).to_be_bytes());
        bytes.resize(bytes.len() + MAX_ELEMENTS as usize - 2, 0xc0);
        let mut fits = bytes.clone();
        fits.extend([0x91, 0xc0]);
        assert_eq!(check(&fits), Ok(()));
        bytes.extend([0x92, 0xc0, 0xc0]);
        assert_eq!(check(&bytes), Err(Malformed::Elements));
    }

    #[test]
    fn every_other_fault_is_named() {
        assert_eq!(check(&[]), Err(Malformed::Truncated));
        assert_eq!(check(&[0xc1]), Err(Malformed::Reserved));
        assert_eq!(check(&[0xa1, 0xff]), Err(Malformed::Utf8));
        assert_eq!(check(&[0xc0, 0xc0]), Err(Malformed::Trailing));
        assert_eq!(check(&[0x82, 0x01, 0xc0, 0x01, 0xc0]), Err(Malformed::DuplicateKey));
        assert_eq!(check(&[0x82, 0x01, 0xc0, 0x02, 0xc0]), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_either_a_value_or_a_fault(bytes: Vec<u8>) {
            let _ = check(&bytes);
        }
    }
}
