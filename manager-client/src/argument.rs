//! Arguments of a call in their encoded form, before it is known that all could be encoded.

use std::borrow::Borrow;
use std::sync::Arc;

use manager_protocol::{Encoded, Many, append_value, encode_value};
use serde::Serialize;

use crate::error::{Error, Reason, Result};
use crate::reference::{Hold, collect, note_all};

/// One value, and what is held because it refers to it.
#[derive(Clone)]
pub(crate) struct Argument(Result<Vec<u8>>, Vec<Arc<Hold>>);

impl Argument {
    pub(crate) fn new<T: Serialize + ?Sized>(value: &T) -> Self {
        let (bytes, held) = collect(|| encode_value(value));
        Self(bytes.map_err(cannot_encode), held)
    }

    pub(crate) fn get(&self) -> Result<Encoded<'_>> {
        note_all(&self.1);
        self.0.as_ref().map(Encoded::from).map_err(Clone::clone)
    }
}

/// Many values, one behind the other in one allocation, and what is held because they refer to it.
pub(crate) struct Arguments(Result<Encodings>, Vec<Arc<Hold>>);

#[derive(Default)]
struct Encodings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Encodings {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        append_value(&mut self.bytes, value).map_err(cannot_encode)?;
        self.ends.push(self.bytes.len());
        Ok(())
    }

    fn at(&self, index: usize) -> Encoded<'_> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Encoded::Borrowed(&self.bytes[start..self.ends[index]])
    }
}

impl Arguments {
    pub(crate) fn new<T, A>(values: impl IntoIterator<Item = A>) -> Self
    where
        T: Serialize + ?Sized,
        A: Borrow<T>,
    {
        let mut encodings = Encodings::default();
        let (pushed, held) = collect(|| values.into_iter().try_for_each(|value| encodings.push(value.borrow())));
        Self(pushed.map(|()| encodings), held)
    }

    /// Keys and values by turns.
    pub(crate) fn pairs<K, V, A, B>(entries: impl IntoIterator<Item = (A, B)>) -> Self
    where
        K: Serialize,
        V: Serialize,
        A: Borrow<K>,
        B: Borrow<V>,
    {
        let mut encodings = Encodings::default();
        let mut push = |(key, value): (A, B)| {
            encodings.push::<K>(key.borrow())?;
            encodings.push::<V>(value.borrow())
        };
        let (pushed, held) = collect(|| entries.into_iter().try_for_each(&mut push));
        Self(pushed.map(|()| encodings), held)
    }

    pub(crate) fn get(&self) -> Result<Many<'_, Encoded<'_>>> {
        note_all(&self.1);
        let encodings = self.0.as_ref().map_err(Clone::clone)?;
        Ok(Many::new((0..encodings.ends.len()).map(|index| encodings.at(index))))
    }

    pub(crate) fn get_pairs(&self) -> Result<Many<'_, (Encoded<'_>, Encoded<'_>)>> {
        note_all(&self.1);
        let encodings = self.0.as_ref().map_err(Clone::clone)?;
        let pair = |index| (encodings.at(2 * index), encodings.at(2 * index + 1));
        Ok(Many::new((0..encodings.ends.len() / 2).map(pair)))
    }
}

/// Values that are encoded already, as an argument.
pub(crate) fn many(values: &[Vec<u8>]) -> Many<'_, Encoded<'_>> {
    Many::new(values.iter().map(Encoded::from))
}

/// As [`many`], for values that are still in a reply.
pub(crate) fn slices<'a>(values: &'a [Encoded<'_>]) -> Many<'a, Encoded<'a>> {
    Many::new(values.iter().map(|value| Encoded::Borrowed(value.as_slice())))
}

pub(crate) fn cannot_encode(error: manager_protocol::Error) -> Error {
    Error::with_source(Reason::Encode, error)
}

pub(crate) fn cannot_decode(error: manager_protocol::Error) -> Error {
    Error::with_source(Reason::Decode, error)
}
