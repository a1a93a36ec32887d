//! What can be watched: how it is read, and what its changes are.

use std::marker::PhantomData;

use manager_protocol::watch::{ChangesReply, EntryChange, Splice};
use manager_protocol::{Encoded, Operation, Row, dict, list};
use serde::de::DeserializeOwned;

use super::update::{DictChange, DictUpdate, KeyUpdate, ListChange, ListUpdate};
use crate::argument::cannot_decode;
use crate::error::Result;
use crate::link::Answer;

/// Something that can be watched.
pub trait Subject {
    /// What is told of it.
    type Update;

    /// The operation that reads it, and its arguments.
    fn reading(key: Option<Encoded<'_>>) -> (Row, Vec<u8>);

    /// What was read.
    fn snapshot(read: Answer<'_>, resync: bool) -> Result<Self::Update>;

    /// What was changed behind a version, none if nothing was.
    fn updates(changes: ChangesReply<'_>, after: u64) -> Result<Vec<Self::Update>>;
}

/// A dict.
#[derive(Debug)]
pub struct Entries<K, V>(PhantomData<fn() -> (K, V)>);

/// A key of a dict.
#[derive(Debug)]
pub struct Entry<V>(PhantomData<fn() -> V>);

/// A list.
#[derive(Debug)]
pub struct Values<T>(PhantomData<fn() -> T>);

impl<K: DeserializeOwned, V: DeserializeOwned> Subject for Entries<K, V> {
    type Update = DictUpdate<K, V>;

    fn reading(_: Option<Encoded<'_>>) -> (Row, Vec<u8>) {
        request(dict::Items {})
    }

    fn snapshot(read: Answer<'_>, resync: bool) -> Result<Self::Update> {
        let entries = read.reply::<dict::Items>()?;
        let entries = entries.map(|(key, value)| Ok((decoded(&key)?, decoded(&value)?))).collect::<Result<_>>()?;
        Ok(DictUpdate::Snapshot { version: read.version, entries, resync })
    }

    fn updates(changes: ChangesReply<'_>, after: u64) -> Result<Vec<Self::Update>> {
        let entries = changes.entries.into_iter().filter(|change| change.0 > after);
        let changes: Vec<_> = entries.map(entry_change).collect::<Result<_>>()?;
        Ok(if changes.is_empty() { Vec::new() } else { vec![DictUpdate::Changes(changes)] })
    }
}

impl<V: DeserializeOwned> Subject for Entry<V> {
    type Update = KeyUpdate<V>;

    fn reading(key: Option<Encoded<'_>>) -> (Row, Vec<u8>) {
        request(dict::Get { key: key.expect("the watch of a key has one") })
    }

    fn snapshot(read: Answer<'_>, resync: bool) -> Result<Self::Update> {
        let value = read.reply::<dict::Get<'_>>()?;
        Ok(KeyUpdate { version: read.version, value: optional(value.as_ref())?, resync })
    }

    fn updates(changes: ChangesReply<'_>, after: u64) -> Result<Vec<Self::Update>> {
        let entries = changes.entries.into_iter().filter(|change| change.0 > after);
        let update = |EntryChange(version, _, value): EntryChange<'_>| {
            Ok(KeyUpdate { version, value: optional(value.as_ref())?, resync: false })
        };
        entries.map(update).collect()
    }
}

impl<T: DeserializeOwned> Subject for Values<T> {
    type Update = ListUpdate<T>;

    fn reading(_: Option<Encoded<'_>>) -> (Row, Vec<u8>) {
        request(list::Values {})
    }

    fn snapshot(read: Answer<'_>, resync: bool) -> Result<Self::Update> {
        let values = read.reply::<list::Values>()?;
        let values = values.map(|value| decoded(&value)).collect::<Result<_>>()?;
        Ok(ListUpdate::Snapshot { version: read.version, values, resync })
    }

    fn updates(changes: ChangesReply<'_>, after: u64) -> Result<Vec<Self::Update>> {
        let splices = changes.splices.into_iter().filter(|splice| splice.0 > after);
        let changes: Vec<_> = splices.map(list_change).collect::<Result<_>>()?;
        Ok(if changes.is_empty() { Vec::new() } else { vec![ListUpdate::Changes(changes)] })
    }
}

fn request<O: Operation>(operation: O) -> (Row, Vec<u8>) {
    let mut arguments = Vec::new();
    operation.encode(&mut arguments);
    (O::ROW, arguments)
}

fn entry_change<K: DeserializeOwned, V: DeserializeOwned>(change: EntryChange<'_>) -> Result<DictChange<K, V>> {
    let EntryChange(version, key, value) = change;
    match (key, value) {
        (Some(key), Some(value)) => Ok(DictChange::Set { version, key: decoded(&key)?, value: decoded(&value)? }),
        (Some(key), None) => Ok(DictChange::Removed { version, key: decoded(&key)? }),
        (None, _) => Ok(DictChange::Cleared { version }),
    }
}

fn list_change<T: DeserializeOwned>(Splice(version, start, removed, values): Splice<'_>) -> Result<ListChange<T>> {
    let values = values.iter().map(decoded).collect::<Result<_>>()?;
    Ok(ListChange { version, start, removed, values })
}

fn decoded<T: DeserializeOwned>(value: &Encoded<'_>) -> Result<T> {
    value.decode().map_err(cannot_decode)
}

fn optional<T: DeserializeOwned>(value: Option<&Encoded<'_>>) -> Result<Option<T>> {
    value.map(decoded).transpose()
}
