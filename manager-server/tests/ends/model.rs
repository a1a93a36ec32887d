//! A dict as a plain list of entries with deadlines.

use manager_protocol::Code;

use super::operation::{KEYS, Op, SEVERAL, Said};

/// The longest time to live, in milliseconds.
const LONGEST: i64 = 315_576_000_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    key: u64,
    value: u64,
    /// In microseconds.
    ends: Option<u64>,
    session: Option<usize>,
    /// When it was inserted or replaced, in changes of this model.
    changed: u64,
}

/// In the order of insertion.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    entries: Vec<Entry>,
    /// How many operations have changed it.
    pub(crate) changes: u64,
}

impl Model {
    /// Removes what has ended; how much.
    pub(crate) fn expire(&mut self, now: u64) -> u64 {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.ends.is_none_or(|ends| ends > now));
        (before - self.entries.len()) as u64
    }

    /// A session is over; how many entries it had.
    pub(crate) fn end_session(&mut self, session: usize) -> u64 {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.session != Some(session));
        (before - self.entries.len()) as u64
    }

    /// How many entries belong to sessions.
    pub(crate) fn owned(&self) -> usize {
        self.entries.iter().filter(|entry| entry.session.is_some()).count()
    }

    fn find(&self, key: u64) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == key)
    }

    pub(crate) fn value(&self, key: u64) -> Option<u64> {
        self.find(key).map(|at| self.entries[at].value)
    }

    fn put(&mut self, entry: Entry) -> Option<u64> {
        match self.find(entry.key) {
            Some(at) => Some(std::mem::replace(&mut self.entries[at], entry).value),
            None => {
                self.entries.push(entry);
                None
            }
        }
    }

    fn plain(&self, key: u64, value: u64) -> Entry {
        Entry { key, value, ends: None, session: None, changed: self.changes + 1 }
    }

    /// Changes the value under a key, and nothing else of an entry that is there.
    fn change(&mut self, key: u64, value: u64) {
        let changed = self.changes + 1;
        match self.find(key) {
            Some(at) => {
                let old = self.entries[at].clone();
                self.entries[at] = Entry { value, changed, ..old };
            }
            None => drop(self.put(self.plain(key, value))),
        }
    }

    fn pairs(&self) -> Vec<(u64, u64)> {
        self.entries.iter().map(|entry| (entry.key, entry.value)).collect()
    }

    /// What the operation is answered, for a session at a time; `since` is the number of changes
    /// that the caller knows of.
    pub(crate) fn apply(&mut self, op: &Op, session: usize, now: u64, source: &Self, since: u64) -> Said {
        let before = self.entries.clone();
        let said = self.answer(op, session, now, source, since);
        // Whatever puts a value counts, the same value as well.
        self.changes += u64::from(before != self.entries);
        said
    }

    fn answer(&mut self, op: &Op, session: usize, now: u64, source: &Self, since: u64) -> Said {
        match *op {
            Op::Len => Said::Number(self.entries.len() as u64),
            Op::Get { key } => Said::Value(self.value(key)),
            Op::GetMany => Said::Values(SEVERAL.map(|key| self.value(key)).to_vec()),
            Op::Set { key, value } => {
                self.put(self.plain(key, value));
                Said::Nothing
            }
            Op::Insert { key, value } => Said::Value(self.put(self.plain(key, value))),
            Op::InsertWith { ttl_ms, .. } | Op::Expire { ttl_ms, .. } if ttl_ms.is_some_and(is_wrong) => {
                Said::Refused(Code::InvalidArgument)
            }
            Op::InsertWith { key, value, ttl_ms, session: bound } => {
                let session = bound.then_some(session);
                Said::Value(self.put(Entry { ends: end(now, ttl_ms), session, ..self.plain(key, value) }))
            }
            Op::InsertMany { value } => {
                for key in SEVERAL {
                    self.put(self.plain(key, value));
                }
                Said::Nothing
            }
            Op::Expire { key, ttl_ms } => {
                let found = self.find(key);
                if let Some(at) = found {
                    self.entries[at].ends = end(now, ttl_ms);
                }
                Said::Yes(found.is_some())
            }
            Op::Ttl { key } => Said::Left(self.find(key).map(|at| {
                let left = |ends: u64| (ends - now).div_ceil(1000);
                self.entries[at].ends.map(left)
            })),
            Op::GetOrInsert { key, value } => Said::Number(self.value(key).unwrap_or_else(|| {
                self.put(self.plain(key, value));
                value
            })),
            Op::Add { key } => {
                let sum = self.value(key).unwrap_or(0) + 1;
                self.change(key, sum);
                Said::Number(sum)
            }
            Op::CompareAndSet { key, expected, new } => {
                let current = self.value(key);
                if current != expected {
                    return Said::Swapped(false, current);
                }
                match new {
                    Some(new) => self.change(key, new),
                    None => self.entries.retain(|entry| entry.key != key),
                }
                Said::Swapped(true, None)
            }
            Op::ReplaceIfVersion { key, value } => {
                let unchanged = self.find(key).is_some_and(|at| self.entries[at].changed <= since);
                if unchanged {
                    self.change(key, value);
                }
                Said::Yes(unchanged)
            }
            Op::RemoveIfVersion { key } => {
                let before = self.entries.len();
                self.entries.retain(|entry| entry.key != key || entry.changed > since);
                Said::Yes(before != self.entries.len())
            }
            Op::Remove { key } => Said::Value(self.find(key).map(|at| self.entries.remove(at).value)),
            Op::PopFirst => {
                let first = (!self.entries.is_empty()).then(|| self.entries.remove(0));
                Said::Entry(first.map(|entry| (entry.key, entry.value)))
            }
            Op::PopLast => Said::Entry(self.entries.pop().map(|entry| (entry.key, entry.value))),
            Op::Clear => {
                self.entries.clear();
                Said::Nothing
            }
            Op::Items => Said::Entries(self.pairs()),
            Op::Page { limit, backward } => {
                let mut pairs = self.pairs();
                if backward {
                    pairs.reverse();
                }
                let more = pairs.len() > limit as usize;
                pairs.truncate(limit as usize);
                Said::Page(pairs, more)
            }
            Op::UpdateFrom => {
                for Entry { key, value, .. } in &source.entries {
                    self.put(self.plain(*key, *value));
                }
                Said::Nothing
            }
            Op::UnionFrom => {
                let mut union = self.clone();
                union.answer(&Op::UpdateFrom, session, now, source, since);
                Said::Entries(union.pairs())
            }
        }
    }

    /// Operations that read all that there is.
    pub(crate) fn looks() -> Vec<Op> {
        let ttls = (0..KEYS).map(|key| Op::Ttl { key });
        let wholes =
            [Op::Len, Op::Items, Op::Page { limit: 2, backward: false }, Op::Page { limit: 2, backward: true }];
        wholes.into_iter().chain(ttls).collect()
    }
}

fn is_wrong(ttl_ms: i64) -> bool {
    !(1..=LONGEST).contains(&ttl_ms)
}

fn end(now: u64, ttl_ms: Option<i64>) -> Option<u64> {
    ttl_ms.map(|ttl| now + ttl.unsigned_abs() * 1000)
}
