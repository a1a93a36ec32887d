//! Those who watch a dict and keep a copy of it; what they were told, change by change.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use manager_client::{DictChange, DictUpdate, KeyUpdate, UpdateTarget, Versioned};
use manager_tests::history::History;

use crate::changes::{Change, Datum, told, told_all};
use crate::writer::DICT;

/// What somebody who watches the dict was told.
pub(crate) struct Followed {
    /// Its copy, at each version that it was told of.
    pub(crate) seen: History<Change>,
    /// The changes, by version.
    pub(crate) changes: BTreeMap<u64, Vec<DictChange<u64, Datum>>>,
    /// The versions between which changes were missed, and all was told anew.
    pub(crate) gaps: Vec<(u64, u64)>,
    /// The version that it was told first.
    pub(crate) first: u64,
    /// And last.
    pub(crate) last: u64,
}

/// A copy of the dict, in the order that the changes make.
#[derive(Default)]
struct Copy(IndexMap<u64, Datum>);

impl UpdateTarget<u64, Datum> for Copy {
    fn put(&mut self, key: u64, value: Datum) {
        self.0.insert(key, value);
    }

    fn take(&mut self, key: &u64) {
        self.0.shift_remove(key);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// Follows the dict until there is a last value under a key. `next` is told the version that is known, if any is.
pub(crate) fn follow(
    name: &str,
    end: (u64, i64),
    mut next: impl FnMut(Option<u64>) -> DictUpdate<u64, Datum>,
) -> Followed {
    let (mut seen, mut changes, mut gaps) = (History::new(name), BTreeMap::new(), Vec::new());
    let (mut copy, mut first, mut last) = (Copy::default(), None, 0);
    while copy.0.get(&end.0) != Some(&Datum::Number(end.1)) {
        match next(first.map(|_| last)) {
            DictUpdate::Snapshot { version, entries, resync } => {
                assert_eq!(resync, first.is_some(), "{name}: a snapshot behind version {last}");
                // Without a change in between nothing was missed.
                assert!(version > last || first.is_none(), "{name}: version {version} after {last}, all anew");
                gaps.extend(first.map(|_| (last, version)));
                first.get_or_insert(version);
                last = version;
                DictUpdate::Snapshot { version, entries, resync }.apply_to(&mut copy);
                note(&mut seen, Change::Look, version, told_all(&copy.0));
            }
            DictUpdate::Changes(told) => {
                assert!(first.is_some() && !told.is_empty(), "{name}: changes of what was not told");
                // All of a version come together, and each once.
                for group in told.chunk_by(|one, other| one.version() == other.version()) {
                    let version = group[0].version();
                    assert!(version > last, "{name}: version {version} after {last}");
                    last = version;
                    changes.insert(version, group.to_vec());
                    DictUpdate::Changes(group.to_vec()).apply_to(&mut copy);
                    note(&mut seen, Change::Look, version, told_all(&copy.0));
                }
            }
        }
    }
    Followed { seen, changes, gaps, first: first.unwrap(), last }
}

/// Follows a key until its last value; each value by its version.
pub(crate) fn follow_key(
    name: &str,
    end: (u64, i64),
    mut next: impl FnMut() -> KeyUpdate<Datum>,
) -> (History<Change>, Vec<(u64, Option<Datum>)>) {
    let (mut seen, mut values) = (History::new(name), Vec::<(u64, Option<Datum>)>::new());
    while values.last().and_then(|(_, value)| value.as_ref()) != Some(&Datum::Number(end.1)) {
        let KeyUpdate { version, value, resync } = next();
        assert!(!resync, "{name}: no change need be missed");
        let last = values.last().map(|(version, _)| *version);
        assert!(last.is_none_or(|last| version > last), "{name}: version {version} after {last:?}");
        note(&mut seen, Change::LookAt(end.0), version, told(value.as_ref()));
        values.push((version, value));
    }
    (seen, values)
}

fn note(seen: &mut History<Change>, look: Change, version: u64, value: manager_tests::history::Outcome) {
    seen.note(DICT, look, &Ok(Versioned { value, version }));
}
