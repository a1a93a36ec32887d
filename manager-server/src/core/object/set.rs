//! A set: what each of its operations does to its values.
//!
//! A set is a [`Table`] whose keys are the values. Every operation judges its arguments first and then
//! applies itself, so a refused one changes nothing.

use std::collections::HashSet;

use manager_protocol::set::{self, PageReply, SetOperator, SetRelation};
use manager_protocol::{Encoded, Many, Result};

use super::table::{Snapshot, Table, keys};
use super::{Discards, Transactional};
use crate::core::data::Data;
use crate::core::lifetime::Lifetimes;
use crate::core::moment::Moment;
use crate::core::value::Key;
use crate::core::watch::{self, Seen, Slot, Watched};
use crate::core::{LARGE, LARGE_BYTES, Limits};

/// The state of one set.
#[derive(Debug)]
pub(in crate::core) struct Set {
    table: Table,
}

/// Other values beside those of the set.
struct Others<'a> {
    /// The places of those that the set has.
    common: HashSet<u64>,
    /// Those that it has not, each once, in order.
    new: Vec<Key<'a>>,
}

impl Set {
    pub(in crate::core) fn new(limits: &Limits) -> Self {
        Self { table: Table::new(("set", "values"), limits) }
    }

    fn others<'a>(&self, others: &'a [Encoded<'_>]) -> Result<Others<'a>> {
        let (mut common, mut new) = (HashSet::new(), Vec::new());
        for other in keys(others)? {
            match self.table.find(&other) {
                Some(seq) => drop(common.insert(seq)),
                None => new.push(other),
            }
        }
        let mut seen = HashSet::new();
        let first_of_its_kind: Vec<bool> = new.iter().map(|key: &Key<'_>| seen.insert(&*key.canonical)).collect();
        let mut first_of_its_kind = first_of_its_kind.into_iter();
        new.retain(|_| first_of_its_kind.next() == Some(true));
        Ok(Others { common, new })
    }

    /// Checks that the set may become what an operator makes of it; how long it is then.
    fn check_combined(&self, operator: SetOperator, others: &Others<'_>) -> Result<usize> {
        let (len, common, new) = (self.table.len(), others.common.len(), others.new.len());
        match operator {
            SetOperator::Union => self.table.check_room(new).map(|()| len + new),
            SetOperator::Intersection => Ok(common),
            SetOperator::Difference => Ok(len - common),
            // What is removed makes room.
            SetOperator::SymmetricDifference => {
                self.table.check_room(new.saturating_sub(common)).map(|()| len - common + new)
            }
        }
    }

    fn combined(&self, operator: SetOperator, others: &[Encoded<'_>]) -> Result<Many<'static, Encoded<'static>>> {
        let others = self.others(others)?;
        let len = self.check_combined(operator, &others)?;
        let (_, adds) = parts(operator);
        let new: Vec<Encoded<'static>> = others
            .new
            .iter()
            .filter(|_| adds)
            .map(|key| Encoded::from(std::sync::Arc::<[u8]>::from(key.original)))
            .collect();
        let common = others.common;
        let kept = self.table.snapshot().filter(move |(seq, _)| keeps(operator, common.contains(seq)));
        Ok(Many::counted(kept.map(|(_, entry)| entry.shared_key()).chain(new), len))
    }

    fn combine(&mut self, operator: SetOperator, others: &[Encoded<'_>]) -> Result<u64> {
        let others = self.others(others)?;
        let len = self.check_combined(operator, &others)?;
        let (removes, adds) = parts(operator);
        if removes {
            let gone =
                self.table.snapshot().map(|(seq, _)| seq).filter(|seq| !keeps(operator, others.common.contains(seq)));
            let gone: Vec<u64> = gone.collect();
            if gone.len() == self.table.len() {
                self.table.take_all();
            } else {
                gone.into_iter().for_each(|seq| drop(self.table.take(seq)));
            }
        }
        if adds {
            others.new.iter().for_each(|key| self.table.add(key));
        }
        Ok(len as u64)
    }

    fn relates(&self, relation: SetRelation, others: &[Encoded<'_>]) -> Result<bool> {
        let others = self.others(others)?;
        let (within, around) = (others.common.len() == self.table.len(), others.new.is_empty());
        Ok(match relation {
            SetRelation::Subset => within,
            SetRelation::Superset => around,
            SetRelation::Disjoint => others.common.is_empty(),
            SetRelation::Equal => within && around,
        })
    }

    fn pop(&mut self, seq: Option<u64>) -> Option<Encoded<'static>> {
        seq.map(|seq| self.table.take(seq).shared_key())
    }
}

/// Whether an operator removes values of the first set, and whether it adds others.
fn parts(operator: SetOperator) -> (bool, bool) {
    match operator {
        SetOperator::Union => (false, true),
        SetOperator::Intersection | SetOperator::Difference => (true, false),
        SetOperator::SymmetricDifference => (true, true),
    }
}

/// Whether an operator keeps a value of the first set.
fn keeps(operator: SetOperator, is_common: bool) -> bool {
    match operator {
        SetOperator::Union => true,
        SetOperator::Intersection => is_common,
        SetOperator::Difference | SetOperator::SymmetricDifference => !is_common,
    }
}

fn read(source: Snapshot) -> Vec<Encoded<'static>> {
    source.map(|(_, entry)| entry.shared_key()).collect()
}

impl set::Serve for Set {
    type Source = Snapshot;

    fn settle(&mut self) -> u64 {
        self.table.settle()
    }

    fn len(&self, _: set::Len) -> Result<u64> {
        Ok(self.table.len() as u64)
    }

    fn contains(&self, operation: set::Contains<'_>) -> Result<bool> {
        Ok(self.table.find(&Key::new(&operation.value)?).is_some())
    }

    fn add(&mut self, operation: set::Add<'_>) -> Result<bool> {
        let key = Key::new(&operation.value)?;
        let is_new = self.table.find(&key).is_none();
        if is_new {
            self.table.check_room(1)?;
            self.table.add(&key);
        }
        Ok(is_new)
    }

    fn remove(&mut self, operation: set::Remove<'_>) -> Result<bool> {
        let found = self.table.find(&Key::new(&operation.value)?);
        Ok(self.pop(found).is_some())
    }

    fn pop_first(&mut self, _: set::PopFirst) -> Result<Option<Encoded<'static>>> {
        Ok(self.pop(self.table.first()))
    }

    fn pop_last(&mut self, _: set::PopLast) -> Result<Option<Encoded<'static>>> {
        Ok(self.pop(self.table.last()))
    }

    fn clear(&mut self, _: set::Clear) -> Result<()> {
        self.table.take_all();
        Ok(())
    }

    fn values(&self, _: set::Values) -> Result<Many<'static, Encoded<'static>>> {
        Ok(Many::new(self.table.snapshot().looked(|entry| entry.shared_key())))
    }

    fn page(&self, operation: set::Page) -> Result<PageReply<'static>> {
        let set::Page { after, limit, backward } = operation;
        let (page, next) = self.table.page(after, limit, backward);
        Ok(PageReply { values: page.into_iter().map(|entry| entry.shared_key()).collect(), next })
    }

    fn extend(&mut self, operation: set::Extend<'_>) -> Result<u64> {
        let values: Vec<_> = operation.values.collect();
        let keys = keys(&values)?;
        self.table.check_room_for(&keys)?;
        let before = self.table.len();
        for key in keys {
            if self.table.find(&key).is_none() {
                self.table.add(&key);
            }
        }
        Ok((self.table.len() - before) as u64)
    }

    fn remove_many(&mut self, operation: set::RemoveMany<'_>) -> Result<u64> {
        let values: Vec<_> = operation.values.collect();
        Ok(self.table.take_many(&keys(&values)?))
    }

    fn combine(&self, operation: set::Combine<'_>) -> Result<Many<'static, Encoded<'static>>> {
        self.combined(operation.operator, &operation.values.collect::<Vec<_>>())
    }

    fn combine_from(&self, operation: set::CombineFrom, source: Snapshot) -> Result<Many<'static, Encoded<'static>>> {
        self.combined(operation.operator, &read(source))
    }

    fn combine_in_place(&mut self, operation: set::CombineInPlace<'_>) -> Result<u64> {
        self.combine(operation.operator, &operation.values.collect::<Vec<_>>())
    }

    fn combine_in_place_from(&mut self, operation: set::CombineInPlaceFrom, source: Snapshot) -> Result<u64> {
        self.combine(operation.operator, &read(source))
    }

    fn compare(&self, operation: set::Compare<'_>) -> Result<bool> {
        self.relates(operation.relation, &operation.values.collect::<Vec<_>>())
    }

    fn compare_from(&self, operation: set::CompareFrom, source: Snapshot) -> Result<bool> {
        self.relates(operation.relation, &read(source))
    }
}

impl Data for Set {
    fn version(&self) -> u64 {
        self.table.version()
    }

    fn len(&self) -> usize {
        self.table.len()
    }

    fn attend(&mut self, moment: &Moment) {
        self.table.attend(moment);
    }

    fn contents(&self) -> Snapshot {
        self.table.snapshot()
    }

    fn is_heavy(&self, request: &set::Request<'_>) -> bool {
        use set::Request::{CombineInPlace, PopFirst, PopLast};
        let looked_into = if let PopFirst(_) = request {
            self.table.key_size(self.table.first())
        } else if let PopLast(_) = request {
            self.table.key_size(self.table.last())
        } else if let CombineInPlace(_) = request
            && self.table.len() <= LARGE
        {
            self.table.snapshot().map(|(_, entry)| entry.entry().size()).sum()
        } else {
            0
        };
        looked_into > LARGE_BYTES || request.row().scans && self.table.len() > LARGE
    }
}

impl Lifetimes for Set {}

/// Nobody watches a set: it has no operation for that.
impl Watched for Set {
    fn slot(&self) -> &Slot {
        self.table.slot()
    }

    fn slot_mut(&mut self) -> &mut Slot {
        self.table.slot_mut()
    }

    fn place(_: &Encoded<'_>) -> Result<Option<watch::Key>> {
        Ok(None)
    }

    fn look(&self, _: &Encoded<'_>) -> Option<Seen> {
        None
    }
}

impl Discards for Set {
    fn discarded(&mut self) -> Option<Box<dyn Send>> {
        self.table.discarded()
    }
}

impl Transactional for Set {
    fn begin(&mut self) {
        self.table.begin();
    }

    fn commit(&mut self) {
        self.table.commit();
    }

    fn roll_back(&mut self) {
        self.table.roll_back();
    }
}
