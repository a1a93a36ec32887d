//! From the hash of a key to the place of its entry.
//!
//! A hash table that doubles stops everybody: at ten million entries for a third of a second. This
//! one is many small tables that split one at a time (Litwin's linear hashing, VLDB 1980), so no
//! insert moves more than some thousand places. In a table the places are in the order of their hashes,
//! each at the slot that its hash points to or a little behind it: a look reads one cache line as a rule,
//! also for a key that is not there, and few slots are empty, since a table grows by a quarter.

/// Entries per table before another table is added, on average: at most twice as many are in one.
const TABLE_ENTRIES: usize = 2048;

#[derive(Debug)]
pub(super) struct Index {
    tables: Vec<Table>,
    len: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self { tables: vec![Table::default()], len: 0 }
    }
}

impl Index {
    /// The place of the entry with this hash for which `is_it` holds.
    pub(super) fn find(&self, hash: u64, is_it: impl FnMut(u64) -> bool) -> Option<u64> {
        let hash = short(hash);
        self.tables[self.table(hash)].find(hash, is_it)
    }

    /// Adds a place that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, seq: u64) {
        if self.len >= self.tables.len() * TABLE_ENTRIES {
            self.split();
        }
        let hash = short(hash);
        let table = self.table(hash);
        self.tables[table].insert(Slot::new(hash, seq));
        self.len += 1;
    }

    /// Removes a place that is there.
    pub(super) fn remove(&mut self, hash: u64, seq: u64) {
        let hash = short(hash);
        let table = self.table(hash);
        if self.tables[table].remove(Slot::new(hash, seq)) {
            self.len -= 1;
        }
        if self.len == 0 {
            *self = Self::default();
        }
    }

    /// The tables pick by the low bits of the hash; in a table the high ones decide.
    fn table(&self, hash: u32) -> usize {
        let wide = self.tables.len().next_power_of_two() - 1;
        let table = hash as usize & wide;
        if table < self.tables.len() { table } else { table & (wide >> 1) }
    }

    /// Adds a table and moves into it those places of one older table that now belong there.
    fn split(&mut self) {
        let new = self.tables.len();
        self.tables.push(Table::default());
        let older = new & ((new + 1).next_power_of_two() / 2 - 1);
        let split = std::mem::take(&mut self.tables[older]);
        let (stay, go): (Vec<Slot>, Vec<Slot>) = split.places().partition(|slot| self.table(slot.hash) == older);
        self.tables[older] = Table::of(stay.len(), stay.into_iter());
        self.tables[new] = Table::of(go.len(), go.into_iter());
    }
}

/// As much of a hash as is kept: enough to tell nearly all keys of a table apart, and to grow without
/// looking at a key.
fn short(hash: u64) -> u32 {
    // The greatest is that of free slots.
    ((hash >> 32) as u32).min(Slot::FREE.hash - 1)
}

/// Twelve bytes: the number in halves, so that none is lost to alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    hash: u32,
    low: u32,
    high: u32,
}

impl Slot {
    const FREE: Self = Self { hash: u32::MAX, low: 0, high: 0 };

    fn new(hash: u32, seq: u64) -> Self {
        Self { hash, low: seq as u32, high: (seq >> 32) as u32 }
    }

    fn seq(&self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }

    fn is_free(&self) -> bool {
        self.hash == Self::FREE.hash
    }
}

/// Places in the order of their hashes. From the slot that its hash points to up to where a place is, no
/// slot is free.
#[derive(Debug, Default)]
struct Table {
    /// Those that hashes point to, and some more, which the last places may need.
    slots: Vec<Slot>,
    /// How many slots hashes point to.
    homes: usize,
    len: usize,
}

impl Table {
    /// A table of these places, which come in the order of their hashes. So many have room in it, and a
    /// quarter more.
    fn of(room: usize, places: impl Iterator<Item = Slot>) -> Self {
        // At most seven eighths of the slots are taken.
        let homes = ((room + room / 4) * 8 / 7 + 1).next_multiple_of(8);
        let mut table = Self { slots: Vec::with_capacity(homes + SPARE), homes, len: 0 };
        for place in places {
            let home = table.home(place.hash);
            if table.slots.len() < home {
                table.slots.resize(home, Slot::FREE);
            }
            table.slots.push(place);
            table.len += 1;
        }
        let slots = table.slots.len().max(homes + SPARE);
        table.slots.resize(slots, Slot::FREE);
        table
    }

    fn places(&self) -> impl Iterator<Item = Slot> {
        self.slots.iter().filter(|slot| !slot.is_free()).copied()
    }

    fn find(&self, hash: u32, mut is_it: impl FnMut(u64) -> bool) -> Option<u64> {
        let alike = self.slots[self.first(hash)..].iter().take_while(|slot| slot.hash == hash);
        alike.map(Slot::seq).find(|seq| is_it(*seq))
    }

    fn insert(&mut self, place: Slot) {
        if (self.len + 1) * 8 > self.homes * 7 {
            *self = Self::of(self.len.max(4), self.places());
        }
        let at = self.first(place.hash);
        let free = match self.slots[at..].iter().position(Slot::is_free) {
            Some(steps) => at + steps,
            None => {
                self.slots.reserve_exact(SPARE);
                self.slots.push(Slot::FREE);
                self.slots.len() - 1
            }
        };
        self.slots.copy_within(at..free, at + 1);
        self.slots[at] = place;
        self.len += 1;
    }

    /// Removes a place, and moves back those behind it that are not where their hashes point to.
    fn remove(&mut self, place: Slot) -> bool {
        let first = self.first(place.hash);
        let Some(at) = self.slots[first..].iter().position(|slot| *slot == place).map(|steps| first + steps) else {
            return false;
        };
        let stays = |(next, slot): (usize, &Slot)| slot.is_free() || self.home(slot.hash) == at + 1 + next;
        let moved = self.slots[at + 1..].iter().enumerate().position(stays);
        let end = moved.map_or(self.slots.len(), |moved| at + 1 + moved);
        self.slots.copy_within(at + 1..end, at);
        self.slots[end - 1] = Slot::FREE;
        self.len -= 1;
        if self.slots.len() > 64 && self.len < self.homes / 4 {
            *self = Self::of(self.len, self.places());
        }
        true
    }

    /// The first slot of those with this hash, if there are any; else where one would be.
    fn first(&self, hash: u32) -> usize {
        let home = self.home(hash);
        let smaller = self.slots[home..].iter().position(|slot| slot.hash >= hash);
        smaller.map_or(self.slots.len(), |smaller| home + smaller)
    }

    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.homes as u64) >> 32) as usize
    }
}

/// Slots behind those that hashes point to, at first.
const SPARE: usize = 8;

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
        assert!(index.tables.iter().all(|table| table.len < 3 * TABLE_ENTRIES), "tables share the load");
        for seq in (0..count).step_by(2) {
            index.remove(hash(seq), seq);
        }
        for seq in 0..count {
            let found = index.find(hash(seq), |found| found == seq);
            assert_eq!(found, (seq % 2 == 1).then_some(seq));
        }
    }

    #[test]
    fn places_crowd_at_the_end_of_a_table() {
        let mut index = Index::default();
        let hashes: Vec<u64> = (0..500).map(|step| u64::MAX - ((step % 7) << 33)).collect();
        for (seq, hash) in hashes.iter().enumerate() {
            index.insert(*hash, seq as u64);
        }
        for (seq, hash) in hashes.iter().enumerate() {
            assert_eq!(index.find(*hash, |found| found == seq as u64), Some(seq as u64));
            assert_eq!(index.find(*hash, |_| false), None);
        }
        for (seq, hash) in hashes.iter().enumerate() {
            index.remove(*hash, seq as u64);
            assert_eq!(index.find(*hash, |found| found == seq as u64), None);
            let next = seq as u64 + 1;
            assert_eq!(
                hashes.get(seq + 1).and_then(|hash| index.find(*hash, |found| found == next)),
                (next < 500).then_some(next)
            );
        }
        assert_eq!(index.len, 0);
    }

    proptest::proptest! {
        #[test]
        fn an_index_finds_what_a_map_does(steps in proptest::collection::vec((proptest::bool::weighted(0.6), 0_u64..40), 0..600)) {
            let (mut index, mut map) = (Index::default(), std::collections::HashMap::new());
            for (seq, (adds, key)) in (0_u64..).zip(steps) {
                // Some have one hash, and others its neighbours.
                let hash = hash(key / 3) | (key % 3) << 32;
                if let Some(old) = map.remove(&key) {
                    index.remove(hash, old);
                }
                if adds {
                    index.insert(hash, seq);
                    map.insert(key, seq);
                }
                for key in 0..40 {
                    let expected = map.get(&key).copied();
                    let hash = self::hash(key / 3) | (key % 3) << 32;
                    proptest::prop_assert_eq!(index.find(hash, |seq| Some(seq) == expected), expected);
                }
            }
            proptest::prop_assert_eq!(index.len, map.len());
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
