//! One entry of a table: a key, its value, and how long it lives.
//!
//! Most entries are records in a chunk, and an [`Entry`] is a look at one. An entry that is large, ends,
//! refers to objects, or is not in a table (any more) stands alone: [`Lone`].

use std::cell::RefCell;
use std::sync::Arc;

use manager_protocol::{Encoded, SharedBytes};

use super::chunk::RECORD;
use crate::core::reference::Links;
use crate::core::session::SessionId;
use crate::core::timers::Time;

/// An entry where it is stored.
#[derive(Debug, Clone, Copy)]
pub(in crate::core) struct Entry<'a> {
    key: &'a [u8],
    value: &'a [u8],
    /// Whether the key is written in its canonical form.
    pub(in crate::core) canonical: bool,
    /// The object's version when the entry was inserted or replaced.
    pub(in crate::core) version: u64,
    lone: Option<&'a Lone>,
}

impl<'a> Entry<'a> {
    /// One that refers to nothing and lives without end.
    pub(super) fn new(key: &'a [u8], canonical: bool, value: &'a [u8], version: u64) -> Self {
        Self { key, value, canonical, version, lone: None }
    }

    pub(in crate::core) fn key(&self) -> &'a [u8] {
        self.key
    }

    pub(in crate::core) fn value(&self) -> &'a [u8] {
        self.value
    }

    pub(in crate::core) fn links(&self) -> Option<&'a Links> {
        self.lone.and_then(Lone::links)
    }

    pub(in crate::core) fn life(&self) -> Life {
        self.lone.map(Lone::life).unwrap_or_default()
    }

    /// How many bytes its key and value have.
    pub(in crate::core) fn size(&self) -> usize {
        self.key.len() + self.value.len()
    }

    /// Whether it has more than a record can hold.
    pub(super) fn has_extra(&self) -> bool {
        self.lone.is_some_and(|lone| lone.extra.is_some())
    }

    pub(in crate::core) fn shared_key(&self) -> Encoded<'static> {
        self.lone.map_or_else(|| copied(self.key, &[]).0, Lone::shared_key)
    }

    /// The value as a reply has it: few bytes are copied, many are shared.
    pub(in crate::core) fn shared_value(&self) -> Encoded<'static> {
        self.lone.map_or_else(|| copied(self.value, &[]).0, Lone::shared_value)
    }

    pub(in crate::core) fn shared(&self) -> (Encoded<'static>, Encoded<'static>) {
        self.lone.map_or_else(|| copied(self.key, self.value), Lone::shared)
    }

    /// The same entry, independent of where it is stored.
    pub(in crate::core) fn to_lone(self) -> Lone {
        self.lone.cloned().unwrap_or_else(|| Lone::new(self.key, self.canonical, self.value, self.version))
    }
}

/// The few bytes of a record, in two parts. Most are encoded into a reply and dropped before the next are asked for,
/// so the same memory is used again and again.
fn copied(first: &[u8], second: &[u8]) -> (Encoded<'static>, Encoded<'static>) {
    let (middle, end) = (first.len(), first.len() + second.len());
    let parts = |bytes: &Arc<[u8]>| {
        let part = |range| Encoded::Shared(SharedBytes::new(Arc::clone(bytes), range));
        (part(0..middle), if second.is_empty() { Encoded::Borrowed(&[]) } else { part(middle..end) })
    };
    SPARE.with_borrow_mut(|spare| {
        let Some(room) = Arc::get_mut(&mut spare.room).and_then(|room| room.get_mut(..end)) else {
            spare.missed += 1;
            if spare.missed == PATIENCE {
                // Somebody keeps it.
                *spare = Spare::default();
            }
            return parts(&joined(first, second));
        };
        room[..middle].copy_from_slice(first);
        room[middle..].copy_from_slice(second);
        parts(&spare.room)
    })
}

/// Two pieces of bytes in one allocation.
fn joined(first: &[u8], second: &[u8]) -> Arc<[u8]> {
    let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, first.len() + second.len()).collect();
    let parts = Arc::get_mut(&mut bytes).expect("the allocation was just made").split_at_mut(first.len());
    parts.0.copy_from_slice(first);
    parts.1.copy_from_slice(second);
    bytes
}

/// Memory for the bytes of one record.
struct Spare {
    room: Arc<[u8]>,
    /// How often it was still in use.
    missed: u32,
}

impl Default for Spare {
    fn default() -> Self {
        Self { room: Arc::new([0; RECORD]), missed: 0 }
    }
}

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// After so many misses another spare takes the place of one that is kept.
const PATIENCE: u32 = 64;

/// An entry in an allocation of its own, which copies of it share.
#[derive(Debug, Clone)]
pub(in crate::core) struct Lone {
    bytes: Arc<[u8]>,
    key_len: u32,
    canonical: bool,
    version: u64,
    /// What few entries have.
    extra: Option<Arc<Extra>>,
}

/// What an entry has besides its key and value, if it has any of it.
#[derive(Debug)]
struct Extra {
    links: Links,
    life: Life,
}

/// How long an entry lives, if not without end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::core) struct Life {
    /// Until then.
    pub(in crate::core) expires: Option<Time>,
    /// As long as this session.
    pub(in crate::core) session: Option<SessionId>,
}

impl Lone {
    pub(in crate::core) fn new(key: &[u8], canonical: bool, value: &[u8], version: u64) -> Self {
        let bytes = joined(key, value);
        let key_len = u32::try_from(key.len()).expect("messages are limited far below 4 GiB");
        Self { bytes, key_len, canonical, version, extra: None }
    }

    /// The same entry with links for its value, and an end.
    pub(in crate::core) fn with(mut self, links: Links, life: Life) -> Self {
        let has_extra = !links.is_empty() || life != Life::default();
        self.extra = has_extra.then(|| Arc::new(Extra { links, life }));
        self
    }

    pub(in crate::core) fn entry(&self) -> Entry<'_> {
        let (key, value) = self.bytes.split_at(self.key_len as usize);
        Entry { key, value, canonical: self.canonical, version: self.version, lone: Some(self) }
    }

    pub(in crate::core) fn links(&self) -> Option<&Links> {
        self.extra.as_ref().map(|extra| &extra.links).filter(|links| !links.is_empty())
    }

    pub(in crate::core) fn life(&self) -> Life {
        self.extra.as_ref().map(|extra| extra.life).unwrap_or_default()
    }

    pub(in crate::core) fn shared_key(&self) -> Encoded<'static> {
        Encoded::Shared(SharedBytes::new(Arc::clone(&self.bytes), 0..self.key_len as usize))
    }

    pub(in crate::core) fn shared_value(&self) -> Encoded<'static> {
        let bytes = SharedBytes::new(Arc::clone(&self.bytes), self.key_len as usize..self.bytes.len());
        Encoded::Shared(match &self.extra {
            Some(extra) => extra.links.keep(bytes),
            None => bytes,
        })
    }

    pub(in crate::core) fn shared(&self) -> (Encoded<'static>, Encoded<'static>) {
        (self.shared_key(), self.shared_value())
    }
}
