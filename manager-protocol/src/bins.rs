//! Many values in the form in which a request has them, encoded in one pass: each a bin, one behind the other.

use std::fmt;

use serde::Serialize;

use crate::encoded::{Encoded, append_value};
use crate::error::{Code, Error, Result};
use crate::reply::Many;

/// Values, to be a sequence of them.
pub type ValueBins = Bins<false>;

/// Pairs of values, to be a sequence of such.
pub type PairBins = Bins<true>;

/// Values, or pairs of them.
#[derive(Clone, Default)]
pub struct Bins<const PAIRS: bool> {
    bytes: Vec<u8>,
    len: usize,
}

impl ValueBins {
    /// Adds a value.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`] if the type cannot be serialised, or breaks a limit of the protocol; then
    /// nothing was added.
    #[inline]
    pub fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.add(|bytes| append_bin(bytes, value))
    }

    /// The values.
    #[must_use]
    pub fn many(&self) -> Many<'_, Encoded<'_>> {
        Many::known(&self.bytes, self.len)
    }
}

impl PairBins {
    /// Adds a pair.
    ///
    /// # Errors
    /// As [`ValueBins::push`].
    #[inline]
    pub fn push<K: Serialize + ?Sized, V: Serialize + ?Sized>(&mut self, key: &K, value: &V) -> Result<()> {
        self.add(|bytes| {
            bytes.push(PAIR);
            append_bin(bytes, key)?;
            append_bin(bytes, value)
        })
    }

    /// The pairs.
    #[must_use]
    pub fn many(&self) -> Many<'_, (Encoded<'_>, Encoded<'_>)> {
        Many::known(&self.bytes, self.len)
    }
}

impl<const PAIRS: bool> Bins<PAIRS> {
    /// Takes room for so many more that are as long as the first, once that is here, and no other.
    pub fn expect(&mut self, more: usize) {
        if self.len == 1 {
            self.bytes.reserve(self.bytes.len().saturating_mul(more).min(MOST_EXPECTED));
        }
    }

    #[inline]
    fn add(&mut self, append: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let end = self.bytes.len();
        let added = append(&mut self.bytes);
        match added {
            Ok(()) => self.len += 1,
            Err(_) => self.bytes.truncate(end),
        }
        added
    }
}

impl<const PAIRS: bool> fmt::Debug for Bins<PAIRS> {
    /// Without what is in it: keys and values never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bins({})", self.len)
    }
}

/// Appends the bin that holds a value. On an error what was appended is to be taken off.
#[inline]
fn append_bin<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&[BIN_8, 0]);
    append_value(out, value)?;
    let length = out.len() - start - SHORT_HEAD;
    match u8::try_from(length) {
        Ok(length) => {
            out[start + 1] = length;
            Ok(())
        }
        Err(_) => widen(out, start, length),
    }
}

/// Puts the head of a longer bin in the place of the shortest.
fn widen(out: &mut Vec<u8>, start: usize, length: usize) -> Result<()> {
    let Ok(length) = u32::try_from(length) else {
        return Err(Error::new(Code::MalformedRequest, "cannot encode a value of 4 GiB or more"));
    };
    let [a, b, c, d] = length.to_be_bytes();
    let (short, long) = ([BIN_16, c, d], [BIN_32, a, b, c, d]);
    let head: &[u8] = if length <= u16::MAX.into() { &short } else { &long };
    out.splice(start..start + SHORT_HEAD, head.iter().copied());
    Ok(())
}

/// The head of an array of two.
const PAIR: u8 = 0x92;

const BIN_8: u8 = 0xc4;
const BIN_16: u8 = 0xc5;
const BIN_32: u8 = 0xc6;

/// Bytes of the head of a bin with a length of one byte.
const SHORT_HEAD: usize = 2;

/// Most bytes of memory that are taken before there is something to be put there.
const MOST_EXPECTED: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoded::encode_value;
    use crate::reply::{Decode, Decoder, Encode};

    fn encoded<T>(many: Many<'_, T>) -> Vec<u8>
    where
        for<'a> Many<'a, T>: Encode,
    {
        let mut out = Vec::new();
        many.encode(&mut out);
        out
    }

    /// Lengths of text at which the head of a bin, or of the text in it, becomes longer.
    const LENGTHS: [usize; 12] = [0, 1, 31, 32, 253, 254, 255, 256, 65_531, 65_532, 65_533, 70_000];

    #[test]
    fn values_are_encoded_as_if_one_by_one() {
        let texts = LENGTHS.map(|length| "x".repeat(length));
        let values = texts.each_ref().map(|text| encode_value(text).unwrap());
        let mut bins = ValueBins::default();
        for text in &texts {
            bins.push(text).unwrap();
            bins.expect(3);
        }
        let one_by_one = encoded(Many::new(values.iter().map(Encoded::from)));
        assert_eq!(encoded(bins.many()), one_by_one);
        assert!(bins.many().eq(values.iter().map(Encoded::from)));
        let decoded = Many::<Encoded<'_>>::decode(&mut Decoder::new(&one_by_one)).unwrap();
        assert!(decoded.eq(values.iter().map(Encoded::from)));
    }

    #[test]
    fn pairs_are_encoded_as_if_one_by_one() {
        let texts = LENGTHS.map(|length| "x".repeat(length));
        let values = texts.each_ref().map(|text| encode_value(text).unwrap());
        let mut bins = PairBins::default();
        texts.iter().enumerate().for_each(|(key, text)| bins.push(&key, text).unwrap());
        let keys: Vec<_> = (0..texts.len()).map(|key| encode_value(&key).unwrap()).collect();
        let pairs = || keys.iter().map(Encoded::from).zip(values.iter().map(Encoded::from));
        assert_eq!(encoded(bins.many()), encoded(Many::new(pairs().collect::<Vec<_>>().into_iter())));
        assert!(bins.many().eq(pairs()));
    }

    /// So many arrays, one in the other.
    struct Deep(usize);

    impl Serialize for Deep {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            match self.0.checked_sub(1) {
                Some(inside) => [Self(inside)].serialize(serializer),
                None => serializer.serialize_unit(),
            }
        }
    }

    #[test]
    fn what_is_refused_is_not_added() {
        let deep = Deep(crate::MAX_DEPTH + 1);
        let (mut values, mut pairs) = (ValueBins::default(), PairBins::default());
        values.push(&1).unwrap();
        pairs.push(&1, &2).unwrap();
        let before = (encoded(values.many()), encoded(pairs.many()));
        assert!(values.push(&deep).is_err());
        assert!(pairs.push(&1, &deep).is_err());
        assert_eq!((encoded(values.many()), encoded(pairs.many())), before);
    }
}
