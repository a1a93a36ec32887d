//! The changes of a piece of data, kept for its watches until they have read them.
//!
//! There is one log for all watches. Those of the whole read all of it; those of a key have a line of
//! places in it, one line for each key that is watched. What nobody watches is not kept.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use manager_protocol::Encoded;
use manager_protocol::watch::{ChangesReply, EntryChange, Splice};

use crate::core::object::{PAGE_BYTES, PAGE_ITEMS};
use crate::core::reference::Links;
use crate::core::value::Datum;

/// Most bytes that are kept for the watches of one object.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What a change costs besides its bytes.
const CHANGE_BYTES: usize = 64;

/// A key in its canonical form.
pub(in crate::core) type Key = Arc<[u8]>;

/// One change.
#[derive(Debug)]
pub(in crate::core) enum Change {
    /// A value was put under a key.
    Put { key: Encoded<'static>, value: Encoded<'static>, links: Links },
    /// An entry was removed.
    Removed { key: Encoded<'static> },
    /// All entries were removed.
    Cleared,
    /// From an index on, so many values were replaced by these.
    Splice { start: usize, removed: usize, values: Vec<Datum> },
}

/// A change, and the watched keys that it is of.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) change: Change,
    pub(super) keys: Vec<Key>,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    /// Most entries and values that are kept.
    max_items: usize,
    records: VecDeque<Record>,
    /// The place of the first record: places are counted from the beginning of the log.
    first: u64,
    items: usize,
    bytes: usize,
    whole: Readers,
    keys: HashMap<Key, Line>,
}

#[derive(Debug)]
struct Record {
    version: u64,
    note: Note,
    /// How many lines have it.
    lines: usize,
}

/// The places of the changes of one key.
#[derive(Debug, Default)]
struct Line {
    places: VecDeque<u64>,
    readers: Readers,
}

/// How far those have read who read the same changes.
#[derive(Debug, Default)]
struct Readers {
    /// How many have read up to a version.
    reads: BTreeMap<u64, usize>,
    /// Changes up to this version are kept no more.
    gone: u64,
}

impl Readers {
    fn add(&mut self, read: u64) {
        *self.reads.entry(read).or_default() += 1;
    }

    fn remove(&mut self, read: u64) {
        if let Some(count) = self.reads.get_mut(&read) {
            *count -= 1;
            if *count == 0 {
                self.reads.remove(&read);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.reads.is_empty()
    }

    /// Whether one of them is yet to read what has this version.
    fn want(&self, version: u64) -> bool {
        version > self.gone && self.reads.first_key_value().is_some_and(|(slowest, _)| *slowest < version)
    }
}

impl Change {
    pub(super) fn items(&self) -> usize {
        match self {
            Self::Put { .. } | Self::Removed { .. } | Self::Cleared => 1,
            Self::Splice { values, .. } => values.len() + 1,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let bytes = match self {
            Self::Put { key, value, .. } => key.as_slice().len() + value.as_slice().len(),
            Self::Removed { key } => key.as_slice().len(),
            Self::Cleared => 0,
            Self::Splice { values, .. } => values.iter().map(|value| value.len() + CHANGE_BYTES).sum(),
        };
        bytes + CHANGE_BYTES
    }

    fn links(&self) -> impl Iterator<Item = &Links> {
        let (put, values) = match self {
            Self::Put { links, .. } => (Some(links), &[][..]),
            Self::Splice { values, .. } => (None, values.as_slice()),
            Self::Removed { .. } | Self::Cleared => (None, &[][..]),
        };
        put.into_iter().chain(values.iter().map(Datum::links)).filter(|links| !links.is_empty())
    }
}

impl Log {
    pub(super) fn new(max_items: usize) -> Self {
        Self { max_items, ..Self::default() }
    }

    /// Whether so much is more than is kept.
    pub(super) fn is_too_much(&self, items: usize, bytes: usize) -> bool {
        items > self.max_items || bytes > MAX_BYTES
    }

    /// Whether a change of a key is to be kept, and for which key's watches.
    pub(super) fn wants(&self, key: &[u8]) -> Option<Option<Key>> {
        let watched = self.keys.get_key_value(key).map(|(key, _)| Arc::clone(key));
        (watched.is_some() || self.wants_all()).then_some(watched)
    }

    /// Whether every change is to be kept.
    pub(super) fn wants_all(&self) -> bool {
        !self.whole.is_empty()
    }

    /// The keys that are watched.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.keys()
    }

    /// Somebody reads from here on, who has read up to a version.
    pub(super) fn begin(&mut self, key: Option<&Key>, read: u64) {
        match key {
            Some(key) => self.keys.entry(Arc::clone(key)).or_default().readers.add(read),
            None => self.whole.add(read),
        }
    }

    /// Somebody who had read up to a version has read up to another.
    pub(super) fn advance(&mut self, key: Option<&Key>, before: u64, read: u64) {
        if let Some(readers) = self.readers_mut(key) {
            readers.remove(before);
            readers.add(read);
            self.tidy(key);
        }
    }

    /// Somebody who had read up to a version reads no more.
    pub(super) fn end(&mut self, key: Option<&Key>, read: u64) {
        if let Some(readers) = self.readers_mut(key) {
            readers.remove(read);
            self.tidy(key);
        }
    }

    fn readers(&self, key: Option<&Key>) -> Option<&Readers> {
        match key {
            Some(key) => self.keys.get(key).map(|line| &line.readers),
            None => Some(&self.whole),
        }
    }

    fn readers_mut(&mut self, key: Option<&Key>) -> Option<&mut Readers> {
        match key {
            Some(key) => self.keys.get_mut(key).map(|line| &mut line.readers),
            None => Some(&mut self.whole),
        }
    }

    /// Forgets what nobody of these is yet to read.
    fn tidy(&mut self, key: Option<&Key>) {
        if let Some(key) = key
            && let Some(line) = self.keys.get_mut(key)
        {
            while let Some(place) = line.places.front()
                && let Some(record) = self.records.get_mut((place - self.first) as usize)
                && !line.readers.want(record.version)
            {
                record.lines -= 1;
                line.readers.gone = line.readers.gone.max(record.version);
                line.places.pop_front();
            }
            if line.readers.is_empty() {
                self.keys.remove(key);
            }
        }
        self.trim();
    }

    /// Forgets the oldest changes that nobody is yet to read.
    fn trim(&mut self) {
        while let Some(record) = self.records.front()
            && record.lines == 0
            && !self.whole.want(record.version)
        {
            self.pop();
        }
    }

    /// Forgets the oldest change: those who have not read it have lost it.
    fn pop(&mut self) {
        let Some(record) = self.records.pop_front() else { return };
        self.items -= record.note.change.items();
        self.bytes -= record.note.change.bytes();
        self.whole.gone = record.version;
        if record.lines > 0 {
            for key in &record.note.keys {
                if let Some(line) = self.keys.get_mut(key)
                    && line.places.front() == Some(&self.first)
                {
                    line.places.pop_front();
                    line.readers.gone = record.version;
                }
            }
        }
        self.first += 1;
    }

    /// Keeps a change. The oldest go if it is one too many.
    pub(super) fn push(&mut self, version: u64, note: Note) {
        let place = self.first + self.records.len() as u64;
        let mut lines = 0;
        for key in &note.keys {
            if let Some(line) = self.keys.get_mut(key) {
                line.places.push_back(place);
                lines += 1;
            }
        }
        self.items += note.change.items();
        self.bytes += note.change.bytes();
        self.records.push_back(Record { version, note, lines });
        while self.is_too_much(self.items, self.bytes) {
            self.pop();
        }
        // Others of the operation that the oldest was of are of no use to anybody.
        self.trim();
    }

    /// Keeps no change up to a version: whoever has not read that far has lost some. What was kept is
    /// given back, to be freed.
    pub(super) fn lose(&mut self, version: u64) -> impl Send + use<> {
        let records = std::mem::take(&mut self.records);
        self.first += records.len() as u64;
        (self.items, self.bytes, self.whole.gone) = (0, 0, version);
        for line in self.keys.values_mut() {
            line.places.clear();
            line.readers.gone = version;
        }
        records
    }

    /// Whether changes behind a version are kept no more.
    fn has_lost(&self, key: Option<&Key>, after: u64) -> bool {
        self.readers(key).is_none_or(|readers| after < readers.gone)
    }

    /// A page of the changes behind a version; `None` if there is none.
    pub(super) fn page(&self, key: Option<&Key>, after: u64, now: u64) -> Option<ChangesReply<'static>> {
        if self.has_lost(key, after) {
            return Some(lost(now));
        }
        match key {
            Some(key) => {
                let places = &self.keys.get(key)?.places;
                let record = |place: &u64| &self.records[(place - self.first) as usize];
                let read = places.partition_point(|place| record(place).version <= after);
                page(places.range(read..).map(record), Some(key), now)
            }
            None => {
                let read = self.records.partition_point(|record| record.version <= after);
                page(self.records.range(read..), None, now)
            }
        }
    }

    /// The links of what is kept.
    pub(super) fn links(&self) -> impl Iterator<Item = &Links> {
        self.records.iter().flat_map(|record| record.note.change.links())
    }
}

/// No changes up to a version.
pub(super) fn nothing(through: u64) -> ChangesReply<'static> {
    ChangesReply { entries: Vec::new(), splices: Vec::new(), through, lost: false }
}

/// Changes up to a version that are kept no more.
pub(super) fn lost(through: u64) -> ChangesReply<'static> {
    ChangesReply { lost: true, ..nothing(through) }
}

/// As many versions as a page may have, all changes of each. The first may be more than a page alone: it
/// is no more than is kept.
fn page<'a>(records: impl Iterator<Item = &'a Record>, key: Option<&Key>, now: u64) -> Option<ChangesReply<'static>> {
    let mut reply = nothing(now);
    let (mut items, mut bytes) = (0, 0);
    let mut last: Option<u64> = None;
    // Where the version that comes last begins, and which one is before it.
    let mut whole = None;
    for record in records {
        if let Some(before) = last.filter(|last| *last != record.version) {
            whole = Some((before, reply.entries.len(), reply.splices.len()));
        }
        last = Some(record.version);
        items += record.note.change.items();
        bytes += record.note.change.bytes();
        if let Some((before, entries, splices)) = whole
            && (items > PAGE_ITEMS as usize || bytes > PAGE_BYTES)
        {
            reply.entries.truncate(entries);
            reply.splices.truncate(splices);
            reply.through = before;
            break;
        }
        tell(&mut reply, record, key);
    }
    last.map(|_| reply)
}

fn tell(reply: &mut ChangesReply<'static>, record: &Record, key: Option<&Key>) {
    match &record.note.change {
        Change::Put { key, value, .. } => {
            reply.entries.push(EntryChange(record.version, Some(key.clone()), Some(value.clone())));
        }
        Change::Removed { key } => reply.entries.push(EntryChange(record.version, Some(key.clone()), None)),
        // To who knows one key, that is what has gone.
        Change::Cleared => {
            let key = key.map(|key| Encoded::from(Arc::clone(key)));
            reply.entries.push(EntryChange(record.version, key, None));
        }
        Change::Splice { start, removed, values } => {
            let values = values.iter().map(Datum::shared).collect();
            reply.splices.push(Splice(record.version, *start as u64, *removed as u64, values));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: u8) -> Key {
        Arc::from([name])
    }

    fn put(log: &Log, name: u8, value: &[u8]) -> Note {
        let (key, value) = (Encoded::from(key(name)), Encoded::from(Arc::<[u8]>::from(value)));
        Note {
            change: Change::Put { key, value, links: Links::default() },
            keys: log.wants(&[name]).flatten().into_iter().collect(),
        }
    }

    fn versions(reply: Option<&ChangesReply<'_>>) -> Vec<u64> {
        reply.iter().flat_map(|reply| reply.entries.iter().map(|change| change.0)).collect()
    }

    #[test]
    fn what_all_have_read_is_forgotten_and_nothing_else() {
        let mut log = Log::new(1_000);
        log.begin(None, 0);
        log.begin(Some(&key(1)), 0);
        for version in 1..=6 {
            let note = put(&log, (version % 2) as u8, b"value");
            log.push(version, note);
        }
        assert_eq!(versions(log.page(None, 2, 6).as_ref()), [3, 4, 5, 6]);
        assert_eq!(versions(log.page(Some(&key(1)), 1, 6).as_ref()), [3, 5]);
        log.advance(None, 0, 4);
        assert_eq!((log.first, log.records.len()), (0, 6), "the other has not read the first yet");
        log.advance(Some(&key(1)), 0, 3);
        assert_eq!((log.first, log.records.len()), (4, 2));
        log.advance(Some(&key(1)), 3, 6);
        log.end(None, 4);
        assert_eq!((log.first, log.records.len(), log.items, log.bytes), (6, 0, 0, 0));
        log.end(Some(&key(1)), 6);
        assert!(log.keys.is_empty() && log.wants(&[1]).is_none());
    }

    #[test]
    fn the_oldest_go_over_the_limit_and_only_those_who_lack_them_have_lost_them() {
        let mut log = Log::new(1_000);
        log.begin(None, 0);
        log.begin(Some(&key(1)), 0);
        for version in 1..=1_001 {
            let note = put(&log, if version == 2 { 1 } else { 0 }, b"");
            log.push(version, note);
        }
        assert!(log.page(None, 0, 20_000).unwrap().lost && !log.page(None, 1, 20_000).unwrap().lost);
        assert_eq!(versions(log.page(Some(&key(1)), 0, 20_000).as_ref()), [2]);
        let note = put(&log, 0, b"");
        log.push(20_000, note);
        assert!(log.page(Some(&key(1)), 0, 20_000).unwrap().lost);
        assert!(log.page(Some(&key(1)), 2, 20_000).is_none());
    }

    #[test]
    fn a_page_has_whole_versions_and_at_least_one() {
        let mut log = Log::new(1_000);
        log.begin(None, 0);
        let large = vec![0; PAGE_BYTES / 2];
        for version in [1, 1, 1, 2, 3, 3] {
            let note = put(&log, 0, &large);
            log.push(version, note);
        }
        for (after, expected, through) in [(0, &[1, 1, 1][..], 1), (1, &[2], 2), (2, &[3, 3], 9)] {
            let page = log.page(None, after, 9).unwrap();
            assert_eq!((&*versions(Some(&page)), page.through), (expected, through));
        }
        log.push(10, Note { change: Change::Cleared, keys: Vec::new() });
        assert_eq!(log.page(None, 2, 10).unwrap().through, 3);
        assert_eq!(versions(log.page(None, 3, 10).as_ref()), [10]);
    }

    #[test]
    fn a_large_version_does_not_come_behind_others() {
        let mut log = Log::new(100_000);
        log.begin(None, 0);
        for version in std::iter::once(1).chain([2; PAGE_ITEMS as usize]) {
            let note = put(&log, 0, b"");
            log.push(version, note);
        }
        let page = log.page(None, 0, 2).unwrap();
        assert_eq!((versions(Some(&page)), page.through), (vec![1], 1));
        let page = log.page(None, 1, 2).unwrap();
        assert_eq!((page.entries.len(), page.through), (PAGE_ITEMS as usize, 2));
    }

    #[test]
    fn even_the_only_change_is_lost_if_it_is_too_large() {
        let mut log = Log::new(1_000);
        log.begin(None, 0);
        let note = put(&log, 0, &vec![0; MAX_BYTES]);
        log.push(1, note);
        assert!(log.page(None, 0, 1).unwrap().lost);
        assert_eq!((log.records.len(), log.items, log.bytes), (0, 0, 0));
        let note = put(&log, 0, b"");
        log.push(2, note);
        assert_eq!(versions(log.page(None, 1, 2).as_ref()), [2]);
    }
}
