//! From the hash of a key to the place of its entry.
//!
//! A hash table that doubles stops everybody: at ten million entries for a third of a second. This
//! one is many small tables that split one at a time (Litwin's linear hashing, VLDB 1980), so no
//! insert moves more than some ten thousand places.

use hashbrown::HashTable;

/// Entries per table before another table is added.
const TABLE_ENTRIES: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Index {
    tables: Vec<HashTable<Place>>,
    len: usize,
}

/// The whole hash is kept, so that growing never has to look at a key.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    seq: u64,
}

impl Default for Index {
    fn default() -> Self {
        Self { tables: vec![HashTable::new()], len: 0 }
    }
}

impl Index {
    /// The place of the entry with this hash for which `is_it` holds.
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u64) -> bool) -> Option<u64> {
        let found = self.tables[self.table(hash)].find(hash, |place| place.hash == hash && is_it(place.seq));
        found.map(|place| place.seq)
    }

    /// Adds a place that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, seq: u64) {
        if self.len >= self.tables.len() * TABLE_ENTRIES {
            self.split();
        }
        let table = self.table(hash);
        self.tables[table].insert_unique(hash, Place { hash, seq }, |place| place.hash);
        self.len += 1;
    }

    /// Removes a place that is there.
    pub(super) fn remove(&mut self, hash: u64, seq: u64) {
        let table = self.table(hash);
        let table = &mut self.tables[table];
        if let Ok(place) = table.find_entry(hash, |place| place.seq == seq) {
            place.remove();
            self.len -= 1;
        }
        if table.capacity() > 64 && table.len() < table.capacity() / 8 {
            let keep = table.len() * 2;
            table.shrink_to(keep, |place| place.hash);
        }
        if self.len == 0 && self.tables.len() > 1 {
            *self = Self::default();
        }
    }

    /// The tables pick by the middle of the hash: hashbrown uses both of its ends.
    fn table(&self, hash: u64) -> usize {
        let wide = self.tables.len().next_power_of_two() - 1;
        let table = (hash >> 24) as usize & wide;
        if table < self.tables.len() { table } else { table & (wide >> 1) }
    }

    /// Adds a table and moves into it those places of one older table that now belong there.
    fn split(&mut self) {
        let new = self.tables.len();
        self.tables.push(HashTable::new());
        let older = new & ((new + 1).next_power_of_two() / 2 - 1);
        for place in std::mem::take(&mut self.tables[older]) {
            let table = self.table(place.hash);
            self.tables[table].insert_unique(place.hash, place, |place| place.hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cheap, well spread hash (the finaliser of SplitMix64).
    fn hash(seq: u64) -> u64 {
        let mut z = seq.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[test]
    fn places_are_found_through_every_split_and_after_removal() {
        let mut index = Index::default();
        let count = 5 * TABLE_ENTRIES as u64 + 7;
        for seq in 0..count {
            index.insert(hash(seq), seq);
        }
        assert!(index.tables.len() > 4);
        assert!(index.tables.iter().all(|table| table.len() < 3 * TABLE_ENTRIES), "tables share the load");
        for seq in (0..count).step_by(2) {
            index.remove(hash(seq), seq);
        }
        for seq in 0..count {
            let found = index.find(hash(seq), |found| found == seq);
            assert_eq!(found, (seq % 2 == 1).then_some(seq));
        }
    }

    #[test]
    fn equal_hashes_are_told_apart_by_the_caller() {
        let mut index = Index::default();
        index.insert(7, 1);
        index.insert(7, 2);
        assert_eq!(index.find(7, |seq| seq == 2), Some(2));
        index.remove(7, 1);
        assert_eq!(index.find(7, |_| true), Some(2));
    }
}
