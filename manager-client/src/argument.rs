//! Arguments of a call in their encoded form, before it is known that all could be encoded.

use std::borrow::Borrow;
use std::sync::Arc;

use manager_protocol::{Encoded, Many, PairBins, ValueBins, encode_value};
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

/// Many values, encoded as the request has them, and what is held because they refer to it.
pub(crate) struct Arguments(Result<ValueBins>, Vec<Arc<Hold>>);

impl Arguments {
    pub(crate) fn new<T, A>(values: impl IntoIterator<Item = A>) -> Self
    where
        T: Serialize + ?Sized,
        A: Borrow<T>,
    {
        let (bins, held) = collect(|| {
            let (mut bins, mut values) = (ValueBins::default(), values.into_iter());
            while let Some(value) = values.next() {
                bins.push::<T>(value.borrow()).map_err(cannot_encode)?;
                bins.expect(values.size_hint().0);
            }
            Ok(bins)
        });
        Self(bins, held)
    }

    pub(crate) fn get(&self) -> Result<Many<'_, Encoded<'_>>> {
        note_all(&self.1);
        self.0.as_ref().map(ValueBins::many).map_err(Clone::clone)
    }
}

/// Many pairs of values, as [`Arguments`].
pub(crate) struct Pairs(Result<PairBins>, Vec<Arc<Hold>>);

impl Pairs {
    pub(crate) fn new<K, V, A, B>(entries: impl IntoIterator<Item = (A, B)>) -> Self
    where
        K: Serialize,
        V: Serialize,
        A: Borrow<K>,
        B: Borrow<V>,
    {
        let (bins, held) = collect(|| {
            let (mut bins, mut entries) = (PairBins::default(), entries.into_iter());
            while let Some((key, value)) = entries.next() {
                bins.push::<K, V>(key.borrow(), value.borrow()).map_err(cannot_encode)?;
                bins.expect(entries.size_hint().0);
            }
            Ok(bins)
        });
        Self(bins, held)
    }

    pub(crate) fn get(&self) -> Result<Many<'_, (Encoded<'_>, Encoded<'_>)>> {
        note_all(&self.1);
        self.0.as_ref().map(PairBins::many).map_err(Clone::clone)
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
