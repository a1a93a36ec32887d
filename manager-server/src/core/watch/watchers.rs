//! Those who watch a piece of data or wait for it to change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use manager_protocol::Encoded;
use manager_protocol::watch::{ChangesReply, Met};

use super::Seen;
use super::log::{self, Change, Key, Log, Note};
use super::looks::Looks;
use super::wanted::Wanted;
use crate::core::reference::Links;
use crate::core::session::SessionId;
use crate::core::value::Datum;
use crate::core::waiting::{Effects, Ticket, WaitKey, Waiters};

/// Where data keeps those who watch it, if there are any. A copy is watched by nobody.
#[derive(Debug, Default)]
pub(in crate::core) struct Slot(Option<Box<Watchers>>);

impl Clone for Slot {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl Slot {
    pub(in crate::core) fn get(&self) -> Option<&Watchers> {
        self.0.as_deref()
    }

    pub(in crate::core) fn get_mut(&mut self) -> Option<&mut Watchers> {
        self.0.as_deref_mut()
    }

    /// Those who watch, perhaps nobody yet, of data that has so many items. So many changes are kept for
    /// them.
    pub(super) fn get_or_new(&mut self, len: usize, max_kept: usize) -> &mut Watchers {
        self.0.get_or_insert_with(|| Box::new(Watchers { len, log: Log::new(max_kept), ..Watchers::default() }))
    }

    pub(super) fn take(&mut self) -> Option<Box<Watchers>> {
        self.0.take()
    }

    pub(super) fn put_back(&mut self, watchers: Box<Watchers>) {
        self.0 = Some(watchers).filter(|watchers| !watchers.is_idle());
    }

    /// Lets go of what nobody needs any more.
    pub(super) fn tidy(&mut self) {
        self.0.take_if(|watchers| watchers.is_idle());
    }
}

#[derive(Debug, Default)]
pub(in crate::core) struct Watchers {
    log: Log,
    /// By their numbers.
    watches: BTreeMap<u64, Watch>,
    waiters: Waiters<Waiting>,
    /// How many of them look into values, and how large those are that they have seen.
    lookers: usize,
    looked_into: usize,
    /// Those of them to whom any change matters.
    anywhere: BTreeSet<WaitKey>,
    /// And those to whom the changes of a key do.
    at_keys: HashMap<Key, BTreeSet<WaitKey>>,
    /// What the running operation has changed.
    pending: Pending,
    /// What operations have changed since the lock was taken, or the transaction began, by version.
    staged: Vec<(u64, Note)>,
    /// How much of both there is.
    items: usize,
    bytes: usize,
    /// The last version of which not all changes are known.
    lost: Option<u64>,
    /// The keys that changed and are waited for.
    touched: BTreeSet<Key>,
    /// Whether anything has changed since those who wait were told.
    has_news: bool,
    /// How many items there were after the last operation.
    len: usize,
}

/// What an operation has changed so far.
#[derive(Debug, Default)]
struct Pending {
    notes: Vec<Note>,
    /// More than is kept.
    is_lost: bool,
}

#[derive(Debug)]
struct Watch {
    session: SessionId,
    key: Option<Key>,
    /// It sees what comes behind this version.
    began: u64,
    /// What comes behind this version it has not read.
    read: u64,
}

/// A request that waits.
#[derive(Debug)]
struct Waiting {
    wants: Wants,
    /// It matters to it what happens to this key; any change does, if there is none.
    key: Option<Key>,
}

/// What a request waits for.
#[derive(Debug)]
pub(super) enum Wants {
    /// Changes behind a version.
    Changes { watch: u64, after: u64 },
    /// A value that is as wanted.
    Value(Box<Wanted>),
}

/// To look into a value of so many bytes costs no more than to find who waits for it.
const SMALL: usize = 128;

impl Wants {
    fn looks_inside(&self) -> bool {
        match self {
            Self::Changes { .. } => false,
            Self::Value(wanted) => wanted.looks_inside(),
        }
    }

    /// How many bytes are looked into to see whether it has come; nothing for what is small.
    fn looked_into(&self) -> usize {
        match self {
            Self::Changes { .. } => 0,
            Self::Value(wanted) => Some(wanted.size()).filter(|size| self.looks_inside() && *size > SMALL).unwrap_or(0),
        }
    }
}

impl Watchers {
    // What has changed. To be told by data while an operation runs.

    /// A value was put under a key.
    pub(in crate::core) fn put(
        &mut self,
        canonical: &[u8],
        entry: impl FnOnce() -> (Encoded<'static>, Encoded<'static>, Links),
    ) {
        self.note_at(canonical, || {
            let (key, value, links) = entry();
            Change::Put { key, value, links }
        });
    }

    /// An entry was removed.
    pub(in crate::core) fn removed(&mut self, canonical: &[u8], key: &[u8]) {
        self.note_at(canonical, || Change::Removed { key: Encoded::from(Arc::<[u8]>::from(key)) });
    }

    /// All entries were removed, among them those of which `was_there` says so.
    pub(in crate::core) fn cleared(&mut self, was_there: impl Fn(&[u8]) -> bool) {
        let gone = self.at_keys.keys().filter(|key| was_there(key)).map(Arc::clone);
        self.touched.extend(gone);
        let keys: Vec<Key> = self.log.keys().filter(|key| was_there(key)).map(Arc::clone).collect();
        if self.log.wants_all() || !keys.is_empty() {
            self.note(Note { change: Change::Cleared, keys });
        }
    }

    /// Values of a list were replaced.
    pub(in crate::core) fn spliced(&mut self, start: usize, removed: usize, values: impl FnOnce() -> Vec<Datum>) {
        if self.log.wants_all() && !self.pending.is_lost {
            self.note(Note { change: Change::Splice { start, removed, values: values() }, keys: Vec::new() });
        }
    }

    /// A list has changed in a way that was not told, or not all of it: it is now these values, if they
    /// are few.
    pub(in crate::core) fn replaced(&mut self, values: Option<impl FnOnce() -> Vec<Datum>>) {
        self.pending.notes.clear();
        match values {
            Some(values) => self.spliced(0, self.len, values),
            None => self.pending.is_lost = true,
        }
    }

    fn note_at(&mut self, canonical: &[u8], change: impl FnOnce() -> Change) {
        if let Some((key, _)) = self.at_keys.get_key_value(canonical) {
            self.touched.insert(Arc::clone(key));
        }
        if let Some(key) = self.log.wants(canonical) {
            self.note(Note { change: change(), keys: key.into_iter().collect() });
        }
    }

    fn note(&mut self, note: Note) {
        self.items += note.change.items();
        self.bytes += note.change.bytes();
        self.pending.is_lost |= self.log.is_too_much(self.items, self.bytes);
        if self.pending.is_lost {
            self.pending.notes.clear();
        } else {
            self.pending.notes.push(note);
        }
    }

    /// The operation is over, and this is the version that it has made, of so many items.
    pub(in crate::core) fn settle(&mut self, version: u64, len: usize) {
        (self.has_news, self.len) = (true, len);
        if std::mem::take(&mut self.pending.is_lost) {
            self.lost = Some(version);
            self.staged.clear();
            (self.items, self.bytes) = (0, 0);
        }
        self.staged.extend(self.pending.notes.drain(..).map(|note| (version, note)));
    }

    /// What was changed is not taken back from here on.
    pub(in crate::core) fn keep(&mut self) {
        if let Some(version) = self.lost.take() {
            drop(self.log.lose(version));
        }
        for (version, note) in self.staged.drain(..) {
            self.log.push(version, note);
        }
        (self.items, self.bytes) = (0, 0);
    }

    /// What was changed since the last [`keep`](Self::keep) was taken back; there are so many items.
    pub(in crate::core) fn forget(&mut self, len: usize) {
        self.staged.clear();
        (self.pending, self.lost, self.items, self.bytes, self.len) = (Pending::default(), None, 0, 0, len);
    }

    // Who watches.

    pub(super) fn begin(&mut self, number: u64, session: SessionId, key: Option<Key>, now: u64) {
        self.log.begin(key.as_ref(), now);
        self.watches.insert(number, Watch { session, key, began: now, read: now });
    }

    /// The key of a session's watch, if there is the watch.
    pub(super) fn key(&self, number: u64, session: SessionId) -> Option<Option<Key>> {
        self.watches.get(&number).filter(|watch| watch.session == session).map(|watch| watch.key.clone())
    }

    /// What comes up to a version was read.
    pub(super) fn read(&mut self, number: u64, after: u64) {
        if let Some(watch) = self.watches.get_mut(&number).filter(|watch| watch.read < after) {
            self.log.advance(watch.key.as_ref(), watch.read, after);
            watch.read = after;
        }
    }

    /// The changes behind a version, which it is not to wait for.
    pub(super) fn changes(&self, number: u64, after: u64, now: u64) -> Option<ChangesReply<'static>> {
        let watch = self.watches.get(&number)?;
        if after < watch.began { Some(log::lost(now)) } else { self.log.page(watch.key.as_ref(), after, now) }
    }

    /// Ends a watch, and gives those who wait for its changes.
    pub(super) fn end(&mut self, number: u64) -> Vec<Ticket> {
        let Some(watch) = self.watches.remove(&number) else { return Vec::new() };
        self.log.end(watch.key.as_ref(), watch.read);
        let at = match &watch.key {
            Some(key) => self.at_keys.get(key),
            None => Some(&self.anywhere),
        };
        let is_its = |wants: &Wants| matches!(wants, Wants::Changes { watch, .. } if *watch == number);
        let its = at.into_iter().flatten().filter(|wait| self.wants(**wait).is_some_and(is_its));
        let its: Vec<WaitKey> = its.copied().collect();
        its.into_iter().filter_map(|wait| self.remove(wait)).map(|(ticket, _)| ticket).collect()
    }

    /// A session is over: its watches end, and it waits no more.
    pub(super) fn end_session(&mut self, session: SessionId, effects: &Effects<'_>) {
        let its = |(number, watch): (&u64, &Watch)| (watch.session == session).then_some(*number);
        let numbers: Vec<u64> = self.watches.iter().filter_map(its).collect();
        for ticket in numbers.into_iter().flat_map(|number| self.end(number)) {
            effects.forget(ticket);
        }
        for (ticket, waiting) in self.waiters.remove_session(session) {
            self.unplace(ticket.key(), &waiting.wants, waiting.key.as_ref());
            effects.forget(ticket);
        }
    }

    // Who waits.

    /// A request waits for the changes of a key, or for any.
    pub(super) fn wait(&mut self, ticket: Ticket, wants: Wants, key: Option<Key>) {
        let at = match &key {
            Some(key) => self.at_keys.entry(Arc::clone(key)).or_default(),
            None => &mut self.anywhere,
        };
        at.insert(ticket.key());
        self.lookers += usize::from(wants.looks_inside());
        self.looked_into += wants.looked_into();
        self.waiters.push(ticket, Waiting { wants, key });
    }

    pub(super) fn is_waiting(&self, wait: WaitKey) -> bool {
        self.waiters.contains(wait)
    }

    pub(super) fn wants(&self, wait: WaitKey) -> Option<&Wants> {
        self.waiters.get(wait).map(|waiting| &waiting.wants)
    }

    /// A request waits no more.
    pub(super) fn remove(&mut self, wait: WaitKey) -> Option<(Ticket, Wants)> {
        let (ticket, Waiting { wants, key }) = self.waiters.remove(wait)?;
        self.unplace(wait, &wants, key.as_ref());
        Some((ticket, wants))
    }

    /// Whether a request has now what it waits for: a value that is as wanted.
    pub(super) fn check(
        &mut self,
        wait: WaitKey,
        seen: Option<Seen>,
        now: u64,
        looks: &mut Looks,
    ) -> Option<Met<'static>> {
        let wants = &mut self.waiters.get_mut(wait)?.wants;
        self.looked_into -= wants.looked_into();
        let met = match wants {
            Wants::Value(wanted) => wanted.check(seen, now, looks),
            Wants::Changes { .. } => None,
        };
        self.looked_into += wants.looked_into();
        met
    }

    /// At most how many bytes are looked into if a change comes that has so many.
    pub(in crate::core) fn cost(&self, bytes: usize) -> usize {
        let new = if bytes > SMALL { bytes.saturating_mul(self.lookers) } else { 0 };
        self.looked_into.saturating_add(new).saturating_add(self.anywhere.len() * SMALL)
    }

    fn unplace(&mut self, wait: WaitKey, wants: &Wants, key: Option<&Key>) {
        self.lookers -= usize::from(wants.looks_inside());
        self.looked_into -= wants.looked_into();
        let Some(key) = key else {
            self.anywhere.remove(&wait);
            return;
        };
        if let Some(at) = self.at_keys.get_mut(key) {
            at.remove(&wait);
            if at.is_empty() {
                self.at_keys.remove(key);
            }
        }
    }

    /// The requests to which it may matter what has changed since this was asked last.
    pub(super) fn take_news(&mut self) -> Vec<WaitKey> {
        let news = std::mem::take(&mut self.has_news);
        let touched = std::mem::take(&mut self.touched);
        let at_keys = touched.iter().filter_map(|key| self.at_keys.get(key)).flatten();
        let anywhere = self.anywhere.iter().filter(|_| news);
        at_keys.chain(anywhere).copied().collect()
    }

    /// Takes out all who wait: nothing changes any more.
    pub(super) fn drain_tickets(mut self) -> impl Iterator<Item = Ticket> {
        self.waiters.drain_tickets()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// How many watches there are.
    pub(super) fn watching(&self) -> usize {
        self.watches.len()
    }

    fn is_idle(&self) -> bool {
        self.watches.is_empty() && self.waiters.is_empty()
    }

    /// The links of what is kept for watches.
    pub(in crate::core) fn links(&self) -> impl Iterator<Item = &Links> {
        self.log.links()
    }

    /// Lets go of what is kept for watches, to be freed.
    pub(in crate::core) fn lose_all(&mut self) -> impl Send + use<> {
        self.log.lose(u64::MAX)
    }
}
