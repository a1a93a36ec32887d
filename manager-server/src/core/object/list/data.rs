//! A list as data: what it tells of itself, the values at its places, and taking back.

use manager_protocol::{Encoded, Result, list};

use super::{List, Sequence, index};
use crate::core::data::Data;
use crate::core::lifetime::Lifetimes;
use crate::core::moment::Moment;
use crate::core::object::{Discards, Transactional};
use crate::core::value::Limit;

impl Data for List {
    fn version(&self) -> u64 {
        self.version
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn attend(&mut self, moment: &Moment) {
        self.moment = moment.clone();
    }

    fn contents(&self) -> Sequence {
        self.snapshot()
    }

    fn is_heavy(&self, request: &list::Request<'_>) -> bool {
        if !request.row().scans {
            return false;
        }
        let times = if let list::Request::RepeatInPlace(operation) = request { operation.times } else { 1 };
        self.is_large(usize::try_from(times).unwrap_or(0))
    }

    fn copy(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn value_at(&self, at: &Encoded<'_>) -> Result<Option<Encoded<'static>>> {
        Ok(Some(self.at(self.position(index(at)?)?).shared()))
    }

    fn put_at(&mut self, at: &Encoded<'_>, value: &[u8]) -> Result<()> {
        let at = self.position(index(at)?)?;
        let changed = self.at(at).changed_to(value, &self.moment);
        self.put(at, changed);
        Ok(())
    }

    fn remove_at(&mut self, at: &Encoded<'_>) -> Result<()> {
        let at = self.position(index(at)?)?;
        self.take_at(at);
        Ok(())
    }

    fn value_limit(&self) -> Limit {
        Limit(self.max_bytes)
    }

    fn exchange(&mut self, copy: &mut Self) {
        let has_changed = self.version != copy.version;
        std::mem::swap(self, copy);
        std::mem::swap(&mut self.slot, &mut copy.slot);
        if has_changed {
            self.tell_all();
            if let Some(watchers) = self.slot.get_mut() {
                watchers.settle(self.version, self.values.len());
            }
        }
    }
}

impl Lifetimes for List {}

/// A list large enough to matter is cleared on a copy, outside of the lock.
impl Discards for List {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        self.moment.pass();
        None
    }
}

impl Transactional for List {
    fn begin(&mut self) {
        if let Some(watchers) = self.slot.get_mut() {
            watchers.keep();
        }
        self.before = Some(Box::new(self.clone()));
    }

    fn commit(&mut self) {
        self.before = None;
    }

    fn roll_back(&mut self) {
        if let Some(before) = self.before.take() {
            let slot = std::mem::take(&mut self.slot);
            *self = Self { slot, ..*before };
            if let Some(watchers) = self.slot.get_mut() {
                watchers.forget(self.values.len());
            }
        }
    }
}
