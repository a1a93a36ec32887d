//! The real objects: carries out transitions through the proxies, over any link.

use manager_client::{
    Batch, DirectLink, Link, Manager, ManagerArray, ManagerDict, ManagerList, ManagerSet, ManagerValue, Pending,
    Transaction, Versioned, VersionedLink,
};
use manager_protocol::Code;
use manager_tests::wait;
use serde::Serialize;

use super::array::ArrayOperation;
use super::cell::CellOperation;
use super::operation::{Delta, DictOperation, ListOperation, Reply, code_of, sort_key};
use super::run::{run_on_array, run_on_cell, run_on_path, run_on_set};
use super::set::SetOperation;
use super::value::Value;
use super::world::{Object, Operation, Seen, Transition, World};

/// Two objects of each kind in a server.
#[derive(Clone, Debug)]
pub(super) struct Real<L> {
    pub(super) manager: Manager<L>,
    pub(super) dicts: [ManagerDict<Value, Value, L>; 2],
    pub(super) lists: [ManagerList<Value, L>; 2],
    pub(super) sets: [ManagerSet<Value, L>; 2],
    pub(super) cells: [ManagerValue<Value, L>; 2],
    pub(super) arrays: [ManagerArray<Value, L>; 2],
    /// How long the arrays are.
    lens: [usize; 2],
}

impl<L: DirectLink> Real<L> {
    /// Opens the objects; those that must hold something hold what the model's do.
    pub(super) fn open(manager: &Manager<L>, world: &World) -> Self {
        let dicts = [0, 1].map(|at| wait::<L, _>(manager.dict(DICTS[at])).unwrap());
        let lists = [0, 1].map(|at| wait::<L, _>(manager.list(LISTS[at])).unwrap());
        let sets = [0, 1].map(|at| wait::<L, _>(manager.set(SETS[at])).unwrap());
        let cells = [0, 1].map(|at| wait::<L, _>(manager.value(CELLS[at], &world.cells[at].value)).unwrap());
        let values = |at: usize| world.arrays[at].0.values.clone();
        let arrays = [0, 1].map(|at| wait::<L, _>(manager.array(ARRAYS[at], values(at))).unwrap());
        let lens = [0, 1].map(|at| values(at).len());
        Self { manager: manager.clone(), dicts, lists, sets, cells, arrays, lens }
    }

    /// An object's version, asked for.
    pub(super) fn version(&self, object: Object) -> u64 {
        match object {
            Object::Dict(at) => wait::<L, _>(self.dicts[at].version()).unwrap(),
            Object::List(at) => wait::<L, _>(self.lists[at].version()).unwrap(),
            Object::Set(at) => wait::<L, _>(self.sets[at].version()).unwrap(),
            Object::Cell(at) => wait::<L, _>(self.cells[at].version()).unwrap(),
            Object::Array(at) => wait::<L, _>(self.arrays[at].version()).unwrap(),
        }
    }

    /// Carries out a transition: what it replied, or the code by which it was refused.
    pub(super) fn apply(&self, transition: &Transition) -> Result<Vec<Seen>, Code> {
        match transition {
            Transition::One(operation) => self.carry_out(operation).map(|seen| vec![seen]),
            Transition::Transaction(checks, operations) => self.transact(checks, operations),
        }
    }

    fn carry_out(&self, operation: &Operation) -> Result<Seen, Code> {
        if let Some(reply) = self.carry_out_several_calls(operation) {
            return Ok(Seen { reply: reply?, version: self.version(operation.object()) });
        }
        One(self).run(operation)
    }

    fn carry_out_several_calls(&self, operation: &Operation) -> Option<Result<Reply, Code>> {
        let reply = match operation {
            Operation::Dict(at, DictOperation::UpdateWith(key, change)) => {
                let updated = self.dicts[*at].update_with(key, |value| change.apply(value));
                wait::<L, _>(updated).map(Reply::MaybeValue)
            }
            Operation::Dict(at, DictOperation::Retain(unwanted)) => {
                wait::<L, _>(self.dicts[*at].retain(|_, value: &Value| !value.is_same(unwanted))).map(Reply::unit)
            }
            Operation::List(at, ListOperation::UpdateWith(index, change)) => {
                let updated = self.lists[*at].update_with(*index, |value| change.apply_to_item(value));
                wait::<L, _>(updated).map(Reply::Value)
            }
            Operation::List(at, ListOperation::SortByKey) => {
                wait::<L, _>(self.lists[*at].sort_by_key(sort_key)).map(Reply::unit)
            }
            Operation::List(at, ListOperation::Retain(unwanted)) => {
                wait::<L, _>(self.lists[*at].retain(|value: &Value| !value.is_same(unwanted))).map(Reply::unit)
            }
            Operation::Set(at, SetOperation::Retain(unwanted)) => {
                wait::<L, _>(self.sets[*at].retain(|value: &Value| !value.is_same(unwanted))).map(Reply::unit)
            }
            Operation::Cell(at, CellOperation::UpdateWith(change)) => {
                let updated = self.cells[*at].update_with(|value| change.apply_to_item(value));
                wait::<L, _>(updated).map(Reply::Value)
            }
            Operation::Array(at, ArrayOperation::UpdateWith(index, change)) => {
                let updated = self.arrays[*at].update_with(*index, |value| change.apply_to_item(value));
                wait::<L, _>(updated).map(Reply::Value)
            }
            Operation::Dict(..)
            | Operation::List(..)
            | Operation::Set(..)
            | Operation::Cell(..)
            | Operation::Array(..) => return None,
        };
        Some(reply.map_err(|error| code_of(&error)))
    }

    fn transact(&self, checks: &[(Object, u64)], operations: &[Operation]) -> Result<Vec<Seen>, Code> {
        let transaction = self.manager.transaction();
        for (object, version) in checks {
            match object {
                Object::Dict(at) => transaction.check(&self.dicts[*at], *version),
                Object::List(at) => transaction.check(&self.lists[*at], *version),
                Object::Set(at) => transaction.check(&self.sets[*at], *version),
                Object::Cell(at) => transaction.check(&self.cells[*at], *version),
                Object::Array(at) => transaction.check(&self.arrays[*at], *version),
            }
        }
        let queue = Queued { real: self, transaction: &transaction };
        let pending: Vec<_> = operations.iter().map(|operation| queue.run(operation)).collect();
        let committed = wait::<L, _>(transaction.commit());
        let seen: Vec<_> = pending.into_iter().map(|take| take()).collect();
        match committed {
            Ok(()) => Ok(seen.into_iter().map(|seen| seen.expect("a committed call has its result")).collect()),
            Err(error) => {
                assert!(seen.iter().all(Result::is_err), "a result of what was not carried out");
                Err(code_of(&error))
            }
        }
    }
}

/// The names of the objects.
pub(super) const DICTS: [&str; 2] = ["first dict", "second dict"];
pub(super) const LISTS: [&str; 2] = ["first list", "second list"];
pub(super) const SETS: [&str; 2] = ["first set", "second set"];
pub(super) const CELLS: [&str; 2] = ["first cell", "second cell"];
pub(super) const ARRAYS: [&str; 2] = ["first array", "second array"];

/// A way to carry out an operation that is one call.
pub(super) trait Run {
    type Link: Link;
    type Out;

    fn dict<V>(&self, at: usize) -> ManagerDict<Value, V, Self::Link>;
    fn list<T>(&self, at: usize) -> ManagerList<T, Self::Link>;
    fn set<T>(&self, at: usize) -> ManagerSet<T, Self::Link>;
    /// The cell, as one of any type; what is given is not put there.
    fn cell<T: Serialize>(&self, at: usize, any: T) -> ManagerValue<T, Self::Link>;
    /// The array, as one of any type; what is given is not put there.
    fn array<T: Serialize + Clone>(&self, at: usize, any: T) -> ManagerArray<T, Self::Link>;
    fn array_len(&self, at: usize) -> usize;
    fn finish<T: Send + 'static>(
        call: <Self::Link as Link>::Wait<'_, T>,
        reply: impl FnOnce(T) -> Reply + 'static,
    ) -> Self::Out;

    fn run(&self, operation: &Operation) -> Self::Out {
        match operation {
            Operation::Dict(at, operation) => run_on_dict(self, *at, operation),
            Operation::List(at, operation) => run_on_list(self, *at, operation),
            Operation::Set(at, operation) => run_on_set(self, *at, operation),
            Operation::Cell(at, operation) => run_on_cell(self, *at, operation),
            Operation::Array(at, operation) => run_on_array(self, *at, operation),
        }
    }
}

/// Each operation for itself.
struct One<'a, L>(&'a Real<L>);

impl<L: DirectLink> Run for One<'_, L> {
    type Link = VersionedLink<L>;
    type Out = Result<Seen, Code>;

    fn dict<V>(&self, at: usize) -> ManagerDict<Value, V, VersionedLink<L>> {
        wait::<L, _>(self.0.manager.dict(DICTS[at])).unwrap().versioned()
    }

    fn list<T>(&self, at: usize) -> ManagerList<T, VersionedLink<L>> {
        wait::<L, _>(self.0.manager.list(LISTS[at])).unwrap().versioned()
    }

    fn set<T>(&self, at: usize) -> ManagerSet<T, VersionedLink<L>> {
        wait::<L, _>(self.0.manager.set(SETS[at])).unwrap().versioned()
    }

    fn cell<T: Serialize>(&self, at: usize, any: T) -> ManagerValue<T, VersionedLink<L>> {
        wait::<L, _>(self.0.manager.value(CELLS[at], &any)).unwrap().versioned()
    }

    fn array<T: Serialize + Clone>(&self, at: usize, any: T) -> ManagerArray<T, VersionedLink<L>> {
        let values = vec![any; self.0.lens[at]];
        wait::<L, _>(self.0.manager.array(ARRAYS[at], values)).unwrap().versioned()
    }

    fn array_len(&self, at: usize) -> usize {
        self.0.lens[at]
    }

    fn finish<T: Send + 'static>(
        call: L::Wait<'_, Versioned<T>>,
        reply: impl FnOnce(T) -> Reply + 'static,
    ) -> Result<Seen, Code> {
        let done = wait::<L, _>(call).map_err(|error| code_of(&error))?;
        Ok(Seen { reply: reply(done.value), version: done.version })
    }
}

/// As a step of a transaction.
struct Queued<'a, L> {
    real: &'a Real<L>,
    transaction: &'a Transaction<L>,
}

/// Takes a step's result once the transaction was committed.
type Take = Box<dyn FnOnce() -> manager_client::Result<Seen>>;

impl<L: DirectLink> Run for Queued<'_, L> {
    type Link = VersionedLink<Batch>;
    type Out = Take;

    fn dict<V>(&self, at: usize) -> ManagerDict<Value, V, VersionedLink<Batch>> {
        wait::<L, _>(self.real.manager.dict(DICTS[at])).unwrap().on(self.transaction).versioned()
    }

    fn list<T>(&self, at: usize) -> ManagerList<T, VersionedLink<Batch>> {
        wait::<L, _>(self.real.manager.list(LISTS[at])).unwrap().on(self.transaction).versioned()
    }

    fn set<T>(&self, at: usize) -> ManagerSet<T, VersionedLink<Batch>> {
        wait::<L, _>(self.real.manager.set(SETS[at])).unwrap().on(self.transaction).versioned()
    }

    fn cell<T: Serialize>(&self, at: usize, any: T) -> ManagerValue<T, VersionedLink<Batch>> {
        wait::<L, _>(self.real.manager.value(CELLS[at], &any)).unwrap().on(self.transaction).versioned()
    }

    fn array<T: Serialize + Clone>(&self, at: usize, any: T) -> ManagerArray<T, VersionedLink<Batch>> {
        let values = vec![any; self.real.lens[at]];
        wait::<L, _>(self.real.manager.array(ARRAYS[at], values)).unwrap().on(self.transaction).versioned()
    }

    fn array_len(&self, at: usize) -> usize {
        self.real.lens[at]
    }

    fn finish<T: Send + 'static>(call: Pending<Versioned<T>>, reply: impl FnOnce(T) -> Reply + 'static) -> Take {
        Box::new(|| call.take().map(|done| Seen { reply: reply(done.value), version: done.version }))
    }
}

fn run_on_dict<R: Run + ?Sized>(run: &R, at: usize, operation: &DictOperation) -> R::Out {
    let dict = run.dict::<Value>(at);
    match operation {
        DictOperation::Len => R::finish(dict.len(), Reply::Count),
        DictOperation::IsEmpty => R::finish(dict.is_empty(), Reply::Bool),
        DictOperation::Get(key) => R::finish(dict.get(key), Reply::MaybeValue),
        DictOperation::ContainsKey(key) => R::finish(dict.contains_key(key), Reply::Bool),
        DictOperation::Set(key, value) => R::finish(dict.set(key, value), Reply::unit),
        DictOperation::Insert(key, value) => R::finish(dict.insert(key, value), Reply::MaybeValue),
        DictOperation::GetOrInsert(key, value) => R::finish(dict.get_or_insert(key, value), Reply::Value),
        DictOperation::Remove(key) => R::finish(dict.remove(key), Reply::MaybeValue),
        DictOperation::PopFirst => R::finish(dict.pop_first(), Reply::MaybeEntry),
        DictOperation::PopLast => R::finish(dict.pop_last(), Reply::MaybeEntry),
        DictOperation::Clear => R::finish(dict.clear(), Reply::unit),
        DictOperation::Items => R::finish(dict.items(), Reply::Entries),
        DictOperation::Keys => R::finish(dict.keys(), Reply::Values),
        DictOperation::Values => R::finish(dict.values(), Reply::Values),
        DictOperation::GetMany(keys) => R::finish(dict.get_many(keys), Reply::MaybeValues),
        DictOperation::InsertMany(entries) => R::finish(dict.insert_many(entries.iter().cloned()), Reply::unit),
        DictOperation::InsertKeys(keys, value) => R::finish(dict.insert_keys(keys, value), Reply::unit),
        DictOperation::RemoveMany(keys) => R::finish(dict.remove_many(keys), Reply::Count),
        DictOperation::UpdateFrom(other) => R::finish(dict.update_from(&run.dict::<Value>(*other)), Reply::unit),
        DictOperation::Union(entries) => R::finish(dict.union(entries.iter().cloned()), Reply::Entries),
        DictOperation::UnionFrom(other) => R::finish(dict.union_from(&run.dict::<Value>(*other)), Reply::Entries),
        DictOperation::Add(key, delta) => match *delta {
            Delta::I8(delta) => R::finish(run.dict(at).add(key, delta), |sum: i8| Reply::Value(sum.into())),
            Delta::U64(delta) => R::finish(run.dict(at).add(key, delta), |sum: u64| Reply::Value(sum.into())),
            Delta::I64(delta) => R::finish(run.dict(at).add(key, delta), |sum: i64| Reply::Value(sum.into())),
            Delta::F32(delta) => R::finish(run.dict(at).add(key, delta), |sum: f32| Reply::Value(sum.into())),
            Delta::F64(delta) => R::finish(run.dict(at).add(key, delta), |sum: f64| Reply::Value(sum.into())),
        },
        DictOperation::CompareAndSet(key, expected, new) => {
            R::finish(dict.compare_and_set(key, expected.as_ref(), new.as_ref()), Reply::swap)
        }
        DictOperation::ReplaceIfVersion(key, value, version) => {
            R::finish(dict.replace_if_version(key, value, *version), Reply::Bool)
        }
        DictOperation::RemoveIfVersion(keys, version) => {
            R::finish(dict.remove_if_version(keys, *version), Reply::Bools)
        }
        DictOperation::At(key, operation) => run_on_path::<R>(&dict.at(key), operation),
        DictOperation::UpdateWith(..) | DictOperation::Retain(_) => unreachable!("made of several calls"),
    }
}

fn run_on_list<R: Run + ?Sized>(run: &R, at: usize, operation: &ListOperation) -> R::Out {
    let list = run.list::<Value>(at);
    match operation {
        ListOperation::Len => R::finish(list.len(), Reply::Count),
        ListOperation::IsEmpty => R::finish(list.is_empty(), Reply::Bool),
        ListOperation::Get(index) => R::finish(list.get(*index), Reply::Value),
        ListOperation::Set(index, value) => R::finish(list.set(*index, value), Reply::unit),
        ListOperation::Push(value) => R::finish(list.push(value), Reply::unit),
        ListOperation::PushFront(value) => R::finish(list.push_front(value), Reply::unit),
        ListOperation::Pop => R::finish(list.pop(), Reply::MaybeValue),
        ListOperation::PopFront => R::finish(list.pop_front(), Reply::MaybeValue),
        ListOperation::Insert(index, value) => R::finish(list.insert(*index, value), Reply::unit),
        ListOperation::Remove(index) => R::finish(list.remove(*index), Reply::Value),
        ListOperation::RemoveValue(value) => R::finish(list.remove_value(value), Reply::Bool),
        ListOperation::Extend(values) => R::finish(list.extend(values), Reply::unit),
        ListOperation::ExtendFrom(other) => R::finish(list.extend_from(&run.list::<Value>(*other)), Reply::unit),
        ListOperation::Clear => R::finish(list.clear(), Reply::unit),
        ListOperation::Values => R::finish(list.values(), Reply::Values),
        ListOperation::Slice(part) => R::finish(list.slice(*part), Reply::Values),
        ListOperation::SetSlice(part, values) => R::finish(list.set_slice(*part, values), Reply::unit),
        ListOperation::RemoveSlice(part) => R::finish(list.remove_slice(*part), Reply::unit),
        ListOperation::Contains(value) => R::finish(list.contains(value), Reply::Bool),
        ListOperation::IndexOf(value) => R::finish(list.index_of(value), Reply::Index),
        ListOperation::IndexOfWithin(value, part) => R::finish(list.index_of_within(value, *part), Reply::Index),
        ListOperation::Count(value) => R::finish(list.count(value), Reply::Count),
        ListOperation::Reverse => R::finish(list.reverse(), Reply::unit),
        ListOperation::Sort => R::finish(list.sort(), Reply::unit),
        ListOperation::SortDescending => R::finish(list.sort_descending(), Reply::unit),
        ListOperation::Concat(values) => R::finish(list.concat(values), Reply::Values),
        ListOperation::ConcatFrom(other) => R::finish(list.concat_from(&run.list::<Value>(*other)), Reply::Values),
        ListOperation::Repeat(times) => R::finish(list.repeat(*times), Reply::Values),
        ListOperation::RepeatInPlace(times) => R::finish(list.repeat_in_place(*times), Reply::unit),
        ListOperation::Add(index, delta) => match *delta {
            Delta::I8(delta) => R::finish(run.list(at).add(*index, delta), |sum: i8| Reply::Value(sum.into())),
            Delta::U64(delta) => R::finish(run.list(at).add(*index, delta), |sum: u64| Reply::Value(sum.into())),
            Delta::I64(delta) => R::finish(run.list(at).add(*index, delta), |sum: i64| Reply::Value(sum.into())),
            Delta::F32(delta) => R::finish(run.list(at).add(*index, delta), |sum: f32| Reply::Value(sum.into())),
            Delta::F64(delta) => R::finish(run.list(at).add(*index, delta), |sum: f64| Reply::Value(sum.into())),
        },
        ListOperation::CompareAndSet(index, expected, new) => {
            R::finish(list.compare_and_set(*index, expected, new), Reply::item_swap)
        }
        ListOperation::ReplaceIfVersion(values, version) => {
            R::finish(list.replace_if_version(values, *version), Reply::Bool)
        }
        ListOperation::At(index, operation) => run_on_path::<R>(&list.at(*index), operation),
        ListOperation::UpdateWith(..) | ListOperation::SortByKey | ListOperation::Retain(_) => {
            unreachable!("made of several calls")
        }
    }
}
