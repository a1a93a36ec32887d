//! A worker that does all kinds of operations on one dict and one list, and notes what it is told.

use manager_client::{
    Batch, Blocking, Link, Manager, ManagerDict, ManagerList, Pending, Result, Slice, Versioned, VersionedLink,
};
use manager_tests::history::{DictOperation, History, ListOperation, Outcome, Part};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// The names of the objects, and of two that nobody changes.
pub(crate) const DICT: &str = "mixed dict";
pub(crate) const LIST: &str = "mixed list";
const CONSTANT_DICT: &str = "constant dict";
const CONSTANT_LIST: &str = "constant list";

const CONSTANT_ENTRIES: [(u64, i64); 3] = [(3, 300), (0, 100), (50, 500)];
const CONSTANT_VALUES: [i64; 3] = [7, -8, 7];

/// Makes what the workers only read.
pub(crate) fn prepare(manager: &Manager) {
    let entries: ManagerDict<u64, i64> = manager.dict(CONSTANT_DICT).unwrap();
    entries.insert_many(CONSTANT_ENTRIES).unwrap();
    let values: ManagerList<i64> = manager.list(CONSTANT_LIST).unwrap();
    values.extend(CONSTANT_VALUES).unwrap();
}

/// Does so many operations: alone, in pipelines and in transactions. The list has about `filling` values.
pub(crate) fn run(manager: &Manager, worker: String, seed: u64, operations: usize, filling: usize) -> History {
    let mut mixed = Mixed {
        manager,
        dict: manager.dict(DICT).unwrap(),
        list: manager.list(LIST).unwrap(),
        entries: manager.dict(CONSTANT_DICT).unwrap(),
        values: manager.list(CONSTANT_LIST).unwrap(),
        random: StdRng::seed_from_u64(seed),
        seen: 0,
        filling,
        history: History::new(worker),
    };
    let mut left = operations;
    while left > 0 {
        let batch: usize = match mixed.random.random_range(0..10) {
            0..5 => 1,
            _ => mixed.random.random_range(2..20),
        };
        let batch: Vec<Choice> = (0..batch.min(left)).map(|_| mixed.choose()).collect();
        left -= batch.len();
        if batch.len() == 1 {
            mixed.alone(&batch[0]);
        } else if batch.len() < 5 {
            mixed.transaction(&batch);
        } else {
            mixed.pipeline(&batch);
        }
    }
    mixed.history
}

/// The end of all histories: what is there when everybody is done.
pub(crate) fn last_look(manager: &Manager) -> History {
    let mut history = History::new("the last look");
    let dict: ManagerDict<u64, i64> = manager.dict(DICT).unwrap();
    let list: ManagerList<i64> = manager.list(LIST).unwrap();
    history.record(DICT, DictOperation::Items, || dict.versioned().items()).unwrap();
    history.record(LIST, ListOperation::Values, || list.versioned().values()).unwrap();
    history
}

/// What is done next.
enum Choice {
    Dict(DictOperation),
    List(ListOperation),
}

struct Mixed<'a> {
    manager: &'a Manager,
    dict: ManagerDict<u64, i64>,
    list: ManagerList<i64>,
    entries: ManagerDict<u64, i64>,
    values: ManagerList<i64>,
    random: StdRng,
    /// The version that was seen last, of either object: something for conditions to be about.
    seen: u64,
    filling: usize,
    history: History,
}

impl Mixed<'_> {
    fn alone(&mut self, operation: &Choice) {
        let (dict, list) = (self.dict.versioned(), self.list.versioned());
        let outcome = match operation {
            Choice::Dict(operation) => dict_call(&dict, &self.entries, operation)(),
            Choice::List(operation) => list_call(&list, &self.values, operation)(),
        };
        self.note(operation, outcome);
    }

    fn pipeline(&mut self, operations: &[Choice]) {
        let pipeline = self.manager.pipeline();
        let (dict, list) = (self.dict.on(&pipeline).versioned(), self.list.on(&pipeline).versioned());
        let pending = self.queue(&dict, &list, operations);
        pipeline.send().unwrap();
        let outcomes: Vec<_> = pending.into_iter().map(|take| take()).collect();
        operations.iter().zip(outcomes).for_each(|(operation, outcome)| self.note(operation, outcome));
    }

    /// A transaction that is refused has done nothing, so nothing is noted.
    fn transaction(&mut self, operations: &[Choice]) {
        let transaction = self.manager.transaction();
        let (dict, list) = (self.dict.on(&transaction).versioned(), self.list.on(&transaction).versioned());
        let pending = self.queue(&dict, &list, operations);
        if let Err(error) = transaction.commit() {
            assert!(error.code().is_some() && !error.is_disconnected(), "{error:?}");
            return;
        }
        let outcomes: Vec<_> = pending.into_iter().map(|take| take().unwrap()).collect();
        for kind in [true, false] {
            let own =
                operations.iter().zip(&outcomes).filter(|(operation, _)| matches!(operation, Choice::Dict(_)) == kind);
            let versions: Vec<u64> = own.map(|(_, outcome)| outcome.version).collect();
            let apart = versions.windows(2).find(|pair| !(pair[0]..=pair[0] + 1).contains(&pair[1]));
            assert_eq!(apart, None, "somebody came between two operations of a transaction");
        }
        operations.iter().zip(outcomes).for_each(|(operation, outcome)| self.note(operation, Ok(outcome)));
    }

    fn queue<'a>(
        &self,
        dict: &'a ManagerDict<u64, i64, VersionedLink<Batch>>,
        list: &'a ManagerList<i64, VersionedLink<Batch>>,
        operations: &[Choice],
    ) -> Vec<Take<'a>> {
        let queue = |operation: &Choice| match operation {
            Choice::Dict(operation) => dict_call(dict, &self.entries, operation),
            Choice::List(operation) => list_call(list, &self.values, operation),
        };
        operations.iter().map(queue).collect()
    }

    fn note(&mut self, operation: &Choice, outcome: Result<Versioned<Outcome>>) {
        self.seen = outcome.as_ref().map_or(self.seen, |outcome| outcome.version);
        match operation {
            Choice::Dict(operation) => self.history.note(DICT, operation.clone(), &outcome),
            Choice::List(operation) => self.history.note(LIST, operation.clone(), &outcome),
        }
    }

    fn choose(&mut self) -> Choice {
        if self.random.random() { Choice::Dict(self.choose_for_dict()) } else { Choice::List(self.choose_for_list()) }
    }

    fn key(&mut self) -> u64 {
        self.random.random_range(0..16)
    }

    fn keys(&mut self) -> Vec<u64> {
        (0..self.random.random_range(0..5)).map(|_| self.key()).collect()
    }

    fn value(&mut self) -> i64 {
        // Some so large that sums overflow.
        *[1, 2, 3, -1, -2, self.seen as i64, i64::MAX - 2].choose(&mut self.random).unwrap()
    }

    fn values(&mut self) -> Vec<i64> {
        (0..self.random.random_range(0..5)).map(|_| self.value()).collect()
    }

    fn pairs(&mut self) -> Vec<(u64, i64)> {
        (0..self.random.random_range(0..5)).map(|_| (self.key(), self.value())).collect()
    }

    fn version(&mut self) -> u64 {
        self.seen.saturating_sub(self.random.random_range(0..30))
    }

    fn choose_for_dict(&mut self) -> DictOperation {
        match self.random.random_range(0..29) {
            0 => DictOperation::Len,
            1 => DictOperation::Get(self.key()),
            2 => DictOperation::ContainsKey(self.key()),
            3 => DictOperation::Set(self.key(), self.value()),
            4 => DictOperation::Insert(self.key(), self.value()),
            5 => DictOperation::GetOrInsert(self.key(), self.value()),
            6 => DictOperation::Remove(self.key()),
            7 => DictOperation::PopFirst,
            8 => DictOperation::PopLast,
            9 if self.random.random_bool(0.3) => DictOperation::Clear,
            9 | 10 => DictOperation::Items,
            11 => DictOperation::Keys,
            12 => DictOperation::Values,
            13 => DictOperation::GetMany(self.keys()),
            14 => DictOperation::InsertMany(self.pairs()),
            15 => DictOperation::InsertKeys(self.keys(), self.value()),
            16 => DictOperation::RemoveMany(self.keys()),
            17 => DictOperation::UpdateFrom(CONSTANT_ENTRIES.to_vec()),
            18 => DictOperation::UpdateFromItself,
            19 => DictOperation::Union(self.pairs()),
            20 => DictOperation::UnionFrom(CONSTANT_ENTRIES.to_vec()),
            21..24 => DictOperation::Add(self.key(), self.value()),
            24 | 25 => {
                let [expected, new] = [(); 2].map(|()| self.random.random_bool(0.7).then(|| self.value()));
                DictOperation::CompareAndSet(self.key(), expected, new)
            }
            26 | 27 => DictOperation::ReplaceIfVersion(self.key(), self.value(), self.version()),
            _ => DictOperation::RemoveIfVersion(self.keys(), self.version()),
        }
    }

    fn index(&mut self) -> i64 {
        self.random.random_range(-12..12)
    }

    fn part(&mut self) -> Part {
        let step = *[1, 1, 1, 2, -1, -3].choose(&mut self.random).unwrap();
        self.part_by(step)
    }

    fn part_by(&mut self, step: i64) -> Part {
        let [start, stop] = [(); 2].map(|()| self.random.random_bool(0.7).then(|| self.index()));
        Part { start, stop, step }
    }

    fn choose_for_list(&mut self) -> ListOperation {
        match self.random.random_range(0..40) {
            0 => ListOperation::Len,
            1 => ListOperation::Get(self.index()),
            2 => ListOperation::Set(self.index(), self.value()),
            3 => ListOperation::Push(self.value()),
            4 => ListOperation::PushFront(self.value()),
            5 => ListOperation::Pop,
            6 => ListOperation::PopFront,
            7 => ListOperation::Insert(self.index(), self.value()),
            8 => ListOperation::Remove(self.index()),
            9 => ListOperation::RemoveValue(self.value()),
            10 => ListOperation::Extend(self.values()),
            11 => ListOperation::ExtendFrom(CONSTANT_VALUES.to_vec()),
            12 if self.random.random_bool(0.3) => ListOperation::ExtendFromItself,
            12 | 13 => ListOperation::Values,
            14 => ListOperation::Slice(self.part()),
            15 => ListOperation::SetSlice(self.part(), self.values()),
            16 => ListOperation::RemoveSlice(self.part()),
            17 => ListOperation::Contains(self.value()),
            18 => ListOperation::IndexOf(self.value()),
            19 => ListOperation::IndexOfWithin(self.value(), self.part_by(1)),
            20 => ListOperation::Count(self.value()),
            21 => ListOperation::Reverse,
            22 => ListOperation::Sort,
            23 => ListOperation::SortDescending,
            24 => ListOperation::Concat(self.values()),
            25 => ListOperation::ConcatFrom(CONSTANT_VALUES.to_vec()),
            26 => ListOperation::Repeat(self.random.random_range(-1..3)),
            27 if self.random.random_bool(0.3) => ListOperation::RepeatInPlace(self.random.random_range(0..3)),
            27 | 28 => ListOperation::Add(self.index(), self.value()),
            29..32 => ListOperation::CompareAndSet(self.index(), self.value(), self.value()),
            32 | 33 => ListOperation::ReplaceIfVersion(self.values(), self.seen),
            34 if self.random.random_bool(0.3) => ListOperation::Clear,
            // What makes the list longer is held back by what cuts it.
            34..37 => ListOperation::RemoveSlice(Part { start: Some(20 + self.filling as i64), stop: None, step: 1 }),
            37 | 38 => ListOperation::Push(self.value()),
            _ => ListOperation::Extend((0..self.filling as i64).collect()),
        }
    }
}

/// Takes the outcome of a call, at once or when its batch was sent.
type Take<'a> = Box<dyn FnOnce() -> Result<Versioned<Outcome>> + 'a>;

/// A link over which every kind of outcome can be taken alike.
trait Noting: Link {
    fn take<'a, T: Into<Outcome> + 'a>(wait: Self::Wait<'a, T>) -> Take<'a>;
}

impl Noting for VersionedLink<Blocking> {
    fn take<'a, T: Into<Outcome> + 'a>(wait: Result<Versioned<T>>) -> Take<'a> {
        Box::new(move || wait.map(noted))
    }
}

impl Noting for VersionedLink<Batch> {
    fn take<'a, T: Into<Outcome> + 'a>(wait: Pending<Versioned<T>>) -> Take<'a> {
        Box::new(move || wait.take().map(noted))
    }
}

fn noted<T: Into<Outcome>>(outcome: Versioned<T>) -> Versioned<Outcome> {
    Versioned { value: outcome.value.into(), version: outcome.version }
}

fn dict_call<'a, L: Noting>(
    dict: &'a ManagerDict<u64, i64, L>,
    constant: &ManagerDict<u64, i64>,
    operation: &DictOperation,
) -> Take<'a> {
    match operation {
        DictOperation::Len => L::take(dict.len()),
        DictOperation::Get(key) => L::take(dict.get(key)),
        DictOperation::ContainsKey(key) => L::take(dict.contains_key(key)),
        DictOperation::Set(key, value) => L::take(dict.set(key, value)),
        DictOperation::Insert(key, value) => L::take(dict.insert(key, value)),
        DictOperation::GetOrInsert(key, value) => L::take(dict.get_or_insert(key, value)),
        DictOperation::Remove(key) => L::take(dict.remove(key)),
        DictOperation::PopFirst => L::take(dict.pop_first()),
        DictOperation::PopLast => L::take(dict.pop_last()),
        DictOperation::Clear => L::take(dict.clear()),
        DictOperation::Items => L::take(dict.items()),
        DictOperation::Keys => L::take(dict.keys()),
        DictOperation::Values => L::take(dict.values()),
        DictOperation::GetMany(keys) => L::take(dict.get_many(keys)),
        DictOperation::InsertMany(entries) => L::take(dict.insert_many(entries.iter().copied())),
        DictOperation::InsertKeys(keys, value) => L::take(dict.insert_keys(keys, value)),
        DictOperation::RemoveMany(keys) => L::take(dict.remove_many(keys)),
        DictOperation::UpdateFrom(_) => L::take(dict.update_from(constant)),
        DictOperation::UpdateFromItself => L::take(dict.update_from(dict)),
        DictOperation::Union(entries) => L::take(dict.union(entries.iter().copied())),
        DictOperation::UnionFrom(_) => L::take(dict.union_from(constant)),
        DictOperation::Add(key, delta) => L::take(dict.add(key, *delta)),
        DictOperation::CompareAndSet(key, expected, new) => {
            L::take(dict.compare_and_set(key, expected.as_ref(), new.as_ref()))
        }
        DictOperation::ReplaceIfVersion(key, value, version) => L::take(dict.replace_if_version(key, value, *version)),
        DictOperation::RemoveIfVersion(keys, version) => L::take(dict.remove_if_version(keys, *version)),
    }
}

fn list_call<'a, L: Noting>(
    list: &'a ManagerList<i64, L>,
    constant: &ManagerList<i64>,
    operation: &ListOperation,
) -> Take<'a> {
    match operation {
        ListOperation::Len => L::take(list.len()),
        ListOperation::Get(index) => L::take(list.get(*index)),
        ListOperation::Set(index, value) => L::take(list.set(*index, value)),
        ListOperation::Push(value) => L::take(list.push(value)),
        ListOperation::PushFront(value) => L::take(list.push_front(value)),
        ListOperation::Pop => L::take(list.pop()),
        ListOperation::PopFront => L::take(list.pop_front()),
        ListOperation::Insert(index, value) => L::take(list.insert(*index, value)),
        ListOperation::Remove(index) => L::take(list.remove(*index)),
        ListOperation::RemoveValue(value) => L::take(list.remove_value(value)),
        ListOperation::Extend(values) => L::take(list.extend(values)),
        ListOperation::ExtendFrom(_) => L::take(list.extend_from(constant)),
        ListOperation::ExtendFromItself => L::take(list.extend_from(list)),
        ListOperation::Clear => L::take(list.clear()),
        ListOperation::Values => L::take(list.values()),
        ListOperation::Slice(part) => L::take(list.slice(slice(*part))),
        ListOperation::SetSlice(part, values) => L::take(list.set_slice(slice(*part), values)),
        ListOperation::RemoveSlice(part) => L::take(list.remove_slice(slice(*part))),
        ListOperation::Contains(value) => L::take(list.contains(value)),
        ListOperation::IndexOf(value) => L::take(list.index_of(value)),
        ListOperation::IndexOfWithin(value, part) => L::take(list.index_of_within(value, slice(*part))),
        ListOperation::Count(value) => L::take(list.count(value)),
        ListOperation::Reverse => L::take(list.reverse()),
        ListOperation::Sort => L::take(list.sort()),
        ListOperation::SortDescending => L::take(list.sort_descending()),
        ListOperation::Concat(values) => L::take(list.concat(values)),
        ListOperation::ConcatFrom(_) => L::take(list.concat_from(constant)),
        ListOperation::Repeat(times) => L::take(list.repeat(*times)),
        ListOperation::RepeatInPlace(times) => L::take(list.repeat_in_place(*times)),
        ListOperation::Add(index, delta) => L::take(list.add(*index, *delta)),
        ListOperation::CompareAndSet(index, expected, new) => L::take(list.compare_and_set(*index, expected, new)),
        ListOperation::ReplaceIfVersion(values, version) => L::take(list.replace_if_version(values, *version)),
    }
}

fn slice(part: Part) -> Slice {
    Slice::new(part.start, part.stop, part.step)
}
