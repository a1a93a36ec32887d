//! Chunks against a map of the same entries, each in an allocation of its own.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::core::object::table::entry::Life;
use crate::core::reference::Links;
use crate::core::timers::Time;

#[derive(Debug, Clone)]
enum Step {
    /// At a number, or at the first free one after it.
    Insert(u8, Stored),
    /// A plain value.
    Replace(u8, Vec<u8>, u64),
    /// Any entry, which may have an end.
    Exchange(u8, Stored),
    Remove(u8),
}

#[derive(Debug, Clone, PartialEq)]
struct Stored {
    key: Vec<u8>,
    value: Vec<u8>,
    canonical: bool,
    version: u64,
    ends: bool,
}

impl Stored {
    fn of(entry: Entry<'_>) -> Self {
        let (key, value) = (entry.key().to_vec(), entry.value().to_vec());
        let ends = entry.life() != Life::default();
        Self { key, value, canonical: entry.canonical, version: entry.version, ends }
    }

    fn lone(&self) -> Lone {
        let lone = Lone::new(&self.key, self.canonical, &self.value, self.version);
        let life = Life { expires: self.ends.then_some(Time::from_secs(9)), session: None };
        lone.with(Links::default(), life)
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // So that some are too large for a record, and many together too large for a chunk.
    let len = prop_oneof![6 => 0_usize..40, 4 => 200_usize..500, 1 => 500_usize..700];
    (len, any::<u8>()).prop_map(|(len, byte)| vec![byte; len])
}

fn stored() -> impl Strategy<Value = Stored> {
    let version = prop_oneof![0_u64..200, any::<u64>()];
    (prop::collection::vec(any::<u8>(), 0..200), bytes(), any::<bool>(), version, prop::bool::weighted(0.05))
        .prop_map(|(key, value, canonical, version, ends)| Stored { key, value, canonical, version, ends })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (any::<u8>(), stored()).prop_map(|(at, entry)| Step::Insert(at, entry)),
        // Most come one behind the other.
        6 => stored().prop_map(|entry| Step::Insert(0, entry)),
        4 => (any::<u8>(), bytes(), 0_u64..200).prop_map(|(at, value, version)| Step::Replace(at, value, version)),
        1 => (any::<u8>(), stored()).prop_map(|(at, entry)| Step::Exchange(at, entry)),
        2 => any::<u8>().prop_map(Step::Remove),
    ]
}

/// The number of an entry that is there, at or after this one.
fn near(model: &BTreeMap<u8, Stored>, at: u8) -> Option<u8> {
    model.range(at..).next().or_else(|| model.iter().next()).map(|(at, _)| *at)
}

fn take(chunk: &mut Chunk, model: &mut BTreeMap<u8, Stored>, step: Step) {
    match step {
        Step::Insert(at, entry) => {
            let Some(free) = (at..=u8::MAX).find(|at| !model.contains_key(at)) else { return };
            chunk.insert(free, entry.lone().entry());
            model.insert(free, entry);
        }
        Step::Replace(at, value, version) => {
            let Some(at) = near(model, at) else { return };
            chunk.replace(at, Content::Plain { value: &value, version });
            let entry = model.get_mut(&at).unwrap();
            (entry.value, entry.version, entry.ends) = (value, version, false);
        }
        Step::Exchange(at, mut entry) => {
            let Some(at) = near(model, at) else { return };
            entry.key.clone_from(&model[&at].key);
            chunk.replace(at, Content::Lone(entry.lone()));
            model.insert(at, entry);
        }
        Step::Remove(at) => {
            let Some(at) = near(model, at) else { return };
            assert_eq!(Some(Stored::of(chunk.remove(at).entry())), model.remove(&at));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_chunk_has_what_was_put_there(steps in prop::collection::vec(step(), 1..600)) {
        let (mut chunk, mut model) = (Chunk::default(), BTreeMap::new());
        for step in steps {
            take(&mut chunk, &mut model, step);
            prop_assert_eq!(chunk.len(), model.len());
        }
        let offsets: Vec<u8> = chunk.offsets().collect();
        prop_assert!(offsets.iter().eq(model.keys()));
        for (rank, (at, entry)) in model.iter().enumerate() {
            prop_assert_eq!(&Stored::of(chunk.get(*at).unwrap()), entry);
            prop_assert_eq!(&Stored::of(chunk.at(*at, rank)), entry);
        }
    }
}
