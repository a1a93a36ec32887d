//! How arguments and replies are encoded and decoded: any serde type, or a sequence of any length.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoded::Encoded;
use crate::error::{Code, Error, Result};
use crate::message::write_array;
use crate::msgpack::{Reader, Token, is_scalar};
use crate::quick::Quick;

/// A sequence that is encoded, or decoded, one item at a time: nothing holds all of it twice.
pub struct Many<'a, T>(Items<'a, T>);

/// Where the items of a sequence are.
enum Items<'a, T> {
    /// With whoever makes them.
    Made(Box<dyn ExactSizeIterator<Item = T> + Send + 'a>),
    /// One behind the other in their encoded form, which was judged before.
    Encoded { decoder: Decoder<'a>, left: usize, take: fn(&mut Decoder<'a>) -> Option<T> },
}

impl<'a, T> Many<'a, T> {
    /// The items of an iterator that knows how many it has.
    pub fn new(items: impl ExactSizeIterator<Item = T> + Send + 'a) -> Self {
        Self(Items::Made(Box::new(items)))
    }

    /// The items of an iterator that has exactly `len`.
    pub fn counted(items: impl Iterator<Item = T> + Send + 'a, len: usize) -> Self
    where
        T: 'a,
    {
        Self(Items::Made(Box::new(Counted { items, left: len })))
    }
}

impl<'a, T: Deserialize<'a>> Many<'a, T> {
    /// So many items, encoded one behind the other, which are known to be well formed.
    pub(crate) fn known(items: &'a [u8], left: usize) -> Self {
        let decoder = Decoder { reader: Reader::new(items), known: true };
        Self(Items::Encoded { decoder, left, take: |decoder| T::decode(decoder).ok() })
    }
}

impl<'a, T: Clone + Send + 'a> Many<'a, T> {
    /// The same items two times over: what is encoded is read again, and other items are kept.
    #[must_use]
    pub fn twice(self) -> (Self, Self) {
        match self.0 {
            Items::Encoded { decoder, left, take } => {
                let again = Decoder { reader: decoder.reader.clone(), ..decoder };
                (Self(Items::Encoded { decoder: again, left, take }), Self(Items::Encoded { decoder, left, take }))
            }
            Items::Made(items) => {
                let items: Vec<T> = items.collect();
                (Self::new(items.clone().into_iter()), Self::new(items.into_iter()))
            }
        }
    }
}

impl Many<'_, (Encoded<'_>, Encoded<'_>)> {
    /// Has `act` look at each pair, until it fails. Those that are encoded are not taken out one by one.
    ///
    /// # Errors
    /// That of `act`.
    pub fn try_each<E>(self, mut act: impl FnMut(Encoded<'_>, Encoded<'_>) -> Result<(), E>) -> Result<(), E> {
        let Items::Encoded { mut decoder, left, take } = self.0 else {
            return { self }.try_for_each(|(key, value)| act(key, value));
        };
        for _ in 0..left {
            let mut pair = decoder.reader.clone();
            if pair.array_of(2)
                && let (Some(key), Some(value)) = (pair.bin(), pair.bin())
            {
                decoder.reader = pair;
                act(Encoded::Borrowed(key), Encoded::Borrowed(value))?;
            } else {
                let (key, value) = take(&mut decoder).expect(JUDGED);
                act(key, value)?;
            }
        }
        Ok(())
    }
}

impl<T> Iterator for Many<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Items::Made(items) => items.next(),
            Items::Encoded { decoder, left, take } => {
                *left = left.checked_sub(1)?;
                Some(take(decoder).expect(JUDGED))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Items::Made(items) => items.size_hint(),
            Items::Encoded { left, .. } => (*left, Some(*left)),
        }
    }
}

impl<T> ExactSizeIterator for Many<'_, T> {}

impl<T> fmt::Debug for Many<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Many({} items)", self.len())
    }
}

/// An iterator that is known to have `left` items.
struct Counted<I> {
    items: I,
    left: usize,
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.left = self.left.checked_sub(1)?;
        let item = self.items.next();
        debug_assert!(item.is_some(), "the count is exact");
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}

const JUDGED: &str = "each item was judged before";

/// Takes arguments, or a result, off a slice one after the other.
pub struct Decoder<'a> {
    reader: Reader<'a>,
    /// Whether the values in bins are known to be well formed.
    known: bool,
}

impl<'a> Decoder<'a> {
    /// Starts at the beginning of `bytes`.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes), known: false }
    }

    /// Starts inside an array that must have exactly `len` elements.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`] if it has not.
    #[inline]
    pub fn array(bytes: &'a [u8], len: u32) -> Result<Self> {
        let mut decoder = Self::new(bytes);
        if decoder.reader.array_of(len) { Ok(decoder) } else { Err(Self::no_array(bytes, len)) }
    }

    #[cold]
    fn no_array(bytes: &[u8], len: u32) -> Error {
        match Reader::new(bytes).token() {
            Ok(Token::Array(found)) => malformed(format!("expected {len} arguments, found {found}")),
            Ok(_) | Err(_) => malformed(format!("expected an array of {len} arguments")),
        }
    }

    /// Takes the argument called `name`.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`], naming the argument.
    #[inline]
    pub fn argument<T: Decode<'a>>(&mut self, name: &str) -> Result<T> {
        T::decode(self).map_err(|error| error.during(format_args!("argument `{name}`")))
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`] if bytes are left.
    #[inline]
    pub fn finish(self) -> Result<()> {
        if self.reader.rest().is_empty() { Ok(()) } else { Err(malformed("bytes after the last argument")) }
    }
}

/// What can be taken off a [`Decoder`]: every serde type, and [`Many`].
pub trait Decode<'a>: Sized {
    /// Takes the next value.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`] if it is malformed, or of another type.
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self>;
}

impl<'a, T: Deserialize<'a>> Decode<'a> for T {
    #[inline]
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self> {
        let mut reader = decoder.reader.clone();
        if let Ok(value) = T::deserialize(Quick { reader: &mut reader, known: decoder.known }) {
            decoder.reader = reader;
            return Ok(value);
        }
        decode_any(decoder)
    }
}

/// Takes the next value, of whatever type.
#[cold]
fn decode_any<'a, T: Deserialize<'a>>(decoder: &mut Decoder<'a>) -> Result<T> {
    let value = decoder.reader.value().map_err(|fault| malformed(format!("{MALFORMED}: {fault}")))?;
    rmp_serde::from_slice(value).map_err(|error| malformed(fault::<T>(&error)))
}

/// A whole value, if it is a scalar that makes a `T`; whatever else it is is for the decoder of any type.
#[inline]
pub(crate) fn scalar<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    if !bytes.first().is_some_and(|head| is_scalar(*head)) {
        return None;
    }
    let mut reader = Reader::new(bytes);
    let value = T::deserialize(Quick { reader: &mut reader, known: false }).ok()?;
    reader.rest().is_empty().then_some(value)
}

/// What is wrong with a value, without what serde quotes of it.
pub(crate) fn fault<T>(error: &rmp_serde::decode::Error) -> String {
    let message = error.to_string();
    let name = plain_name::<T>();
    if message.starts_with(MALFORMED) {
        return message; // Written by `Encoded`.
    }
    if message.starts_with("missing field") {
        return format!("not a {name}: {message}"); // Names what the type has.
    }
    match message.rsplit_once("expected ") {
        Some((_, expected)) if expected != name => format!("not a {name}: expected {expected}"),
        Some(_) | None => format!("not a {name}"),
    }
}

/// The name of a type without its modules.
fn plain_name<T>() -> String {
    let name = std::any::type_name::<T>();
    let pieces = name.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    pieces.map(|piece| piece.rsplit_once("::").map_or(piece, |(_, last)| last)).collect()
}

impl<'a, T: Deserialize<'a> + Send + 'a> Decode<'a> for Many<'a, T> {
    /// Decodes every item once, to be sure of it, and again when it is asked for; none is kept.
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self> {
        let Ok(Token::Array(len)) = decoder.reader.token() else {
            return Err(malformed("not an array"));
        };
        let items = decoder.reader.rest();
        for index in 0..len {
            T::decode(decoder).map_err(|error| error.during(format_args!("item {index}")))?;
        }
        let length = items.len() - decoder.reader.rest().len();
        Ok(Self::known(&items[..length], len as usize))
    }
}

/// What can be written as an argument: every serde type, and [`Many`].
pub trait Encode {
    /// Appends the encoded value.
    fn encode(self, out: &mut Vec<u8>);
}

impl<T: Serialize> Encode for T {
    fn encode(self, out: &mut Vec<u8>) {
        write_item(out, &self);
    }
}

impl<T: Serialize> Encode for Many<'_, T> {
    fn encode(self, out: &mut Vec<u8>) {
        write_array(out, self.count_u32());
        match self.0 {
            Items::Made(items) => items.for_each(|item| write_item(out, &item)),
            Items::Encoded { decoder, .. } => out.extend_from_slice(decoder.reader.rest()),
        }
    }
}

impl<T> Many<'_, T> {
    /// How many items, as the head of an array has it.
    ///
    /// # Panics
    /// If there are 2^32 items or more; limits on objects and messages are far below.
    #[must_use]
    pub fn count_u32(&self) -> u32 {
        u32::try_from(self.len()).expect("limits keep sequences below 2^32 items")
    }
}

/// Where the server writes a reply.
pub trait Sink {
    /// Takes a reply that is one value; it may be encoded later, a part at a time.
    fn value<T: Serialize + Send + 'static>(&mut self, version: u64, value: T);

    /// Takes a reply that is a sequence; it may be encoded later, a part at a time.
    fn many<T: Serialize + Send + 'static>(&mut self, version: u64, items: Many<'static, T>);
}

/// What an operation may reply with: every serde type, and [`Many`].
pub trait Reply {
    /// Hands the reply to the sink.
    fn send(self, version: u64, sink: &mut impl Sink);
}

impl<T: Serialize + Send + 'static> Reply for T {
    fn send(self, version: u64, sink: &mut impl Sink) {
        sink.value(version, self);
    }
}

impl<T: Serialize + Send + 'static> Reply for Many<'static, T> {
    fn send(self, version: u64, sink: &mut impl Sink) {
        sink.many(version, self);
    }
}

/// Appends one encoded value.
pub fn write_item<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    rmp_serde::encode::write(out, value).expect("the protocol's own types always serialise into memory");
}

/// How the faults that [`Encoded`](crate::Encoded) finds begin.
pub(crate) const MALFORMED: &str = "malformed MessagePack";

fn malformed(message: impl Into<String>) -> Error {
    Error::new(Code::MalformedRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_round_trips() {
        let mut bytes = Vec::new();
        Many::new([1_u64, 2, 300].into_iter()).encode(&mut bytes);
        let many = Many::<u64>::decode(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(many.collect::<Vec<_>>(), [1, 2, 300]);
    }

    #[test]
    fn a_fault_names_the_argument_and_the_item_but_quotes_nothing() {
        let mut bytes = vec![0x91];
        Many::new([Encoded::Borrowed(&[0x01]), Encoded::Borrowed(&[0xc1])].into_iter()).encode(&mut bytes);
        let mut decoder = Decoder::array(&bytes, 1).unwrap();
        let error = decoder.argument::<Many<'_, Encoded<'_>>>("values").unwrap_err();
        assert_eq!(error.message, "argument `values`: item 1: malformed MessagePack: the reserved byte 0xc1");

        let mut decoder = Decoder::array(&[0x91, 0xa6, b's', b'e', b'c', b'r', b'e', b't'], 1).unwrap();
        let error = decoder.argument::<u64>("index").unwrap_err();
        assert_eq!(error.message, "argument `index`: not a u64");
        assert_eq!(plain_name::<Option<(Encoded<'_>, &str)>>(), "Option<(Encoded<'_>, &str)>");
    }

    #[test]
    fn the_number_of_arguments_is_checked_before_them() {
        assert!(Decoder::array(&[0x92, 0, 0], 1).is_err_and(|error| error.message.contains("found 2")));
    }
}
