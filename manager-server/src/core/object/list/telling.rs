//! Changes of a list that those who watch it are told as they are, and what they are told of all others.

use std::ops::Range;

use manager_protocol::{Encoded, Result};

use super::{List, index};
use crate::core::value::Datum;
use crate::core::watch::{self, Seen, Slot, Watched};
use crate::core::{LARGE, LARGE_BYTES};

impl List {
    pub(super) fn put(&mut self, at: usize, value: Datum) {
        self.tell(at, 1, || vec![value.clone()]);
        self.values.set(at, value);
    }

    pub(super) fn add_last(&mut self, value: Datum) {
        self.tell(self.len(), 0, || vec![value.clone()]);
        self.values.push(value);
    }

    pub(super) fn insert_at(&mut self, at: usize, value: Datum) {
        self.tell(at, 0, || vec![value.clone()]);
        self.values.insert(at, value);
    }

    pub(super) fn take_at(&mut self, at: usize) -> Datum {
        self.tell(at, 1, Vec::new);
        let last = if at + 1 == self.len() { self.values.pop() } else { None };
        last.unwrap_or_else(|| self.values.remove(at))
    }

    pub(super) fn splice(&mut self, range: Range<usize>, values: Vec<Datum>) {
        self.tell(range.start, range.len(), || values.clone());
        if range.start == self.len() {
            values.into_iter().for_each(|value| self.values.push(value));
        } else {
            self.values.splice(range, values.into_iter());
        }
    }

    pub(super) fn tell(&mut self, start: usize, removed: usize, values: impl FnOnce() -> Vec<Datum>) {
        self.changed = true;
        if let Some(watchers) = self.slot.get_mut() {
            watchers.spliced(start, removed, values);
        }
    }

    /// Tells those who watch all values, or that they have lost some changes if there are many.
    pub(super) fn tell_all(&mut self) {
        let Some(watchers) = self.slot.get_mut() else { return };
        let is_small =
            self.values.len() <= LARGE && self.values.iter().map(|value| value.len()).sum::<usize>() <= LARGE_BYTES;
        watchers.replaced(is_small.then_some(|| self.values.iter().cloned().collect()));
    }
}

impl Watched for List {
    fn slot(&self) -> &Slot {
        &self.slot
    }

    fn slot_mut(&mut self) -> &mut Slot {
        &mut self.slot
    }

    fn place(at: &Encoded<'_>) -> Result<Option<watch::Key>> {
        index(at).map(|_| None)
    }

    fn look(&self, at: &Encoded<'_>) -> Option<Seen> {
        let at = self.position(index(at).ok()?).ok()?;
        Some(Seen { value: self.at(at).shared(), version: self.version })
    }
}
