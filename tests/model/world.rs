//! The reference: two objects of each kind, and what every operation and transaction must do to them.

use std::marker::PhantomData;

use manager_protocol::Code;
use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;

use super::array::{ArrayModel, ArrayOperation, array_operation};
use super::cell::{CellModel, CellOperation, cell_operation};
use super::dict::DictModel;
use super::generate::{dict_operation, index, list_operation, version_near};
use super::list::ListModel;
use super::operation::{DictOperation, ListOperation, Outcome, Reply};
use super::path::{nested, path_operation, place, place_keys};
use super::set::{SetModel, SetOperation, set_operation};
use super::value::Value;

/// What happens next.
#[derive(Clone, Debug)]
pub(super) enum Transition {
    /// One operation.
    One(Operation),
    /// Several as one, if the objects have these versions.
    Transaction(Vec<(Object, u64)>, Vec<Operation>),
}

/// An operation on one of the objects.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Dict(usize, DictOperation),
    List(usize, ListOperation),
    Set(usize, SetOperation),
    Cell(usize, CellOperation),
    Array(usize, ArrayOperation),
}

/// One of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    Dict(usize),
    List(usize),
    Set(usize),
    Cell(usize),
    Array(usize),
}

/// Every object that there is.
pub(super) const OBJECTS: [Object; 10] = [
    Object::Dict(0),
    Object::Dict(1),
    Object::List(0),
    Object::List(1),
    Object::Set(0),
    Object::Set(1),
    Object::Cell(0),
    Object::Cell(1),
    Object::Array(0),
    Object::Array(1),
];

/// All objects, and what the last transition must have replied.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) dicts: [DictModel; 2],
    pub(super) lists: [ListModel; 2],
    pub(super) sets: [SetModel; 2],
    pub(super) cells: [CellModel; 2],
    pub(super) arrays: [ArrayModel; 2],
    /// The most that an object may hold.
    pub(super) max_items: usize,
    pub(super) last: Result<Vec<Seen>, Code>,
}

/// A reply together with the object's version after it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) reply: Reply,
    pub(super) version: u64,
}

impl World {
    /// Objects that are as empty as they can be, and may grow so far.
    pub(super) fn new(max_items: usize) -> Self {
        let (dict, list, set) = (DictModel::new(max_items), ListModel::new(max_items), SetModel::new(max_items));
        Self {
            dicts: [dict.clone(), dict],
            lists: [list.clone(), list],
            sets: [set.clone(), set],
            cells: [0, 1].map(|at| CellModel::new(at.into())),
            arrays: [5, 3].map(|len| ArrayModel::new((0..len).map(Value::from).collect())),
            max_items,
            last: Ok(Vec::new()),
        }
    }

    /// How many changes an object has seen.
    pub(super) fn version(&self, object: Object) -> u64 {
        match object {
            Object::Dict(at) => self.dicts[at].version,
            Object::List(at) => self.lists[at].version,
            Object::Set(at) => self.sets[at].version,
            Object::Cell(at) => self.cells[at].version,
            Object::Array(at) => self.arrays[at].0.version,
        }
    }

    /// Carries out a transition.
    pub(super) fn apply(mut self, transition: &Transition) -> Self {
        self.last = match transition {
            Transition::One(operation) => self.carry_out(operation).map(|seen| vec![seen]),
            Transition::Transaction(checks, operations) => self.transact(checks, operations),
        };
        self
    }

    fn transact(&mut self, checks: &[(Object, u64)], operations: &[Operation]) -> Result<Vec<Seen>, Code> {
        if operations.iter().any(Operation::is_refused_by_the_client) {
            return Err(Code::InvalidArgument);
        }
        if checks.iter().any(|(object, version)| self.version(*object) != *version) {
            return Err(Code::Conflict);
        }
        let mut after = self.clone();
        let seen = operations.iter().map(|operation| after.carry_out(operation)).collect::<Result<_, _>>()?;
        *self = after;
        Ok(seen)
    }

    fn carry_out(&mut self, operation: &Operation) -> Result<Seen, Code> {
        let outcome: Outcome = match operation {
            Operation::Dict(at, operation) => {
                let other = self.dicts[operation.source().unwrap_or(*at)].clone();
                self.dicts[*at].apply(operation, &other)
            }
            Operation::List(at, operation) => {
                let other = self.lists[operation.source().unwrap_or(*at)].clone();
                self.lists[*at].apply(operation, &other)
            }
            Operation::Set(at, operation) => {
                let other = self.sets[operation.source().unwrap_or(*at)].clone();
                self.sets[*at].apply(operation, &other)
            }
            Operation::Cell(at, operation) => self.cells[*at].apply(operation),
            Operation::Array(at, operation) => self.arrays[*at].apply(operation),
        };
        Ok(Seen { reply: outcome?, version: self.version(operation.object()) })
    }
}

impl Operation {
    /// What it is an operation on.
    pub(super) fn object(&self) -> Object {
        match self {
            Self::Dict(at, _) => Object::Dict(*at),
            Self::List(at, _) => Object::List(*at),
            Self::Set(at, _) => Object::Set(*at),
            Self::Cell(at, _) => Object::Cell(*at),
            Self::Array(at, _) => Object::Array(*at),
        }
    }

    /// The same, if it goes into a value, aimed at what is there.
    fn aimed_in(self, world: &World) -> Self {
        #[allow(clippy::wildcard_enum_match_arm, reason = "only these go into values")]
        match self {
            Self::Dict(at, DictOperation::At(key, inside)) => {
                let there = world.dicts[at].items().into_iter().find(|(other, _)| other.is_same(&key));
                let inside = inside.aimed_at(there.as_ref().map(|(_, value)| value));
                Self::Dict(at, DictOperation::At(key, inside))
            }
            Self::List(at, ListOperation::At(index, inside)) => {
                let there = world.lists[at].position(index).ok().map(|index| &world.lists[at].values[index]);
                Self::List(at, ListOperation::At(index, inside.aimed_at(there)))
            }
            Self::Array(at, ArrayOperation::AsList(ListOperation::At(index, inside))) => {
                let list = &world.arrays[at].0;
                let there = list.position(index).ok().map(|index| &list.values[index]);
                Self::Array(at, ArrayOperation::AsList(ListOperation::At(index, inside.aimed_at(there))))
            }
            Self::Cell(at, CellOperation::At(inside)) => {
                Self::Cell(at, CellOperation::At(inside.aimed_at(Some(&world.cells[at].value))))
            }
            other => other,
        }
    }

    /// Whether the client refuses it before anything is sent: there is no search in steps.
    fn is_refused_by_the_client(&self) -> bool {
        matches!(
            self,
            Self::List(_, ListOperation::IndexOfWithin(_, part))
            | Self::Array(_, ArrayOperation::AsList(ListOperation::IndexOfWithin(_, part))) if part.step != 1
        )
    }

    /// Versions that were generated before the true ones were known become such that are near them.
    fn with_versions_near(mut self, versions: &Versions) -> Self {
        let current = versions.of(self.object());
        match &mut self {
            Self::Dict(
                _,
                DictOperation::ReplaceIfVersion(_, _, version) | DictOperation::RemoveIfVersion(_, version),
            )
            | Self::List(_, ListOperation::ReplaceIfVersion(_, version)) => *version = version_near(current, *version),
            Self::Dict(..) | Self::List(..) | Self::Set(..) | Self::Cell(..) | Self::Array(..) => {}
        }
        self
    }
}

/// The versions of all objects, in the order of [`OBJECTS`].
#[derive(Clone)]
struct Versions([u64; OBJECTS.len()]);

impl Versions {
    fn of(&self, object: Object) -> u64 {
        let at = OBJECTS.iter().position(|other| *other == object).expect("an object is one of all");
        self.0[at]
    }
}

/// What a sequence begins with.
pub(super) trait Beginning: 'static {
    /// The objects before the first transition.
    fn world() -> BoxedStrategy<World>;

    /// What may happen next.
    fn transitions(_: &World) -> BoxedStrategy<Transition> {
        GENERATED.with(Clone::clone)
    }
}

/// Empty objects, which sometimes may not grow far.
#[derive(Debug)]
pub(super) struct Empty;

impl Beginning for Empty {
    fn world() -> BoxedStrategy<World> {
        prop_oneof![4 => Just(NO_LIMIT), 1 => Just(5_usize), 1 => Just(9)].prop_map(World::new).boxed()
    }
}

/// Objects so large that what visits all of their items is not done inline.
#[derive(Debug)]
pub(super) struct Large;

impl Beginning for Large {
    fn world() -> BoxedStrategy<World> {
        let mut world = World::new(NO_LIMIT);
        for at in 0..2 {
            let start = at as i64 * 3000;
            let numbers = || (start..start + LARGE).map(|n| Value::from(n * 7919 % LARGE));
            let entries = (start..start + LARGE).map(|n| (Value::from(n), Value::from(-n)));
            let filled = [
                Operation::Dict(at, DictOperation::InsertMany(entries.collect())),
                Operation::List(at, ListOperation::Extend(numbers().collect())),
                Operation::Set(at, SetOperation::Extend(numbers().collect())),
            ];
            world.arrays[at] = ArrayModel::new(numbers().collect());
            for operation in filled {
                world = world.apply(&Transition::One(operation));
            }
        }
        Just(world).boxed()
    }
}

/// Objects whose values have much inside of them; nothing happens but there.
#[derive(Debug)]
pub(super) struct Nested;

impl Beginning for Nested {
    fn world() -> BoxedStrategy<World> {
        let max_items = prop_oneof![2 => Just(NO_LIMIT), 1 => Just(3_usize)];
        (prop::collection::vec(nested(), 8), max_items)
            .prop_map(|(values, max_items)| Self::filled(&values, max_items))
            .boxed()
    }

    fn transitions(state: &World) -> BoxedStrategy<Transition> {
        let state = state.clone();
        let aimed = move |operation: Operation| operation.aimed_in(&state);
        INSIDE
            .with(Clone::clone)
            .prop_map(move |transition| match transition {
                Transition::One(operation) => Transition::One(aimed(operation)),
                Transition::Transaction(checks, operations) => {
                    Transition::Transaction(checks, operations.into_iter().map(&aimed).collect())
                }
            })
            .boxed()
    }
}

impl Nested {
    fn filled(values: &[Value], max_items: usize) -> World {
        let mut world = World::new(max_items);
        let entries = place_keys().into_iter().zip(values.iter().cloned()).collect();
        let filled = [
            Operation::Dict(0, DictOperation::InsertMany(entries)),
            Operation::List(0, ListOperation::Extend(values[4..7].to_vec())),
        ];
        for operation in filled {
            world = world.apply(&Transition::One(operation));
        }
        world.arrays[0] = ArrayModel::new(values[4..7].to_vec());
        world.cells = [0, 1].map(|at| CellModel::new(values[at].clone()));
        world
    }
}

/// More than the server visits inline.
const LARGE: i64 = 4200;

/// The server's own limit, which is never reached.
const NO_LIMIT: usize = 1 << 27;

/// The state machine of the world from this beginning on.
#[derive(Debug)]
pub(super) struct From<B>(PhantomData<B>);

impl<B: Beginning> ReferenceStateMachine for From<B> {
    type State = World;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<World> {
        B::world()
    }

    fn transitions(state: &World) -> BoxedStrategy<Transition> {
        let versions = Versions(OBJECTS.map(|object| state.version(object)));
        B::transitions(state).prop_map(move |transition| with_versions_near(transition, &versions)).boxed()
    }

    fn apply(state: World, transition: &Transition) -> World {
        state.apply(transition)
    }
}

thread_local! {
    /// Made once for each thread: it is large, and costs far more than what it generates.
    static GENERATED: BoxedStrategy<Transition> = transition(|in_transaction| operation(in_transaction).boxed());
    static INSIDE: BoxedStrategy<Transition> = transition(|_| inside().boxed());
}

fn transition(operation: impl Fn(bool) -> BoxedStrategy<Operation>) -> BoxedStrategy<Transition> {
    let check =
        (select(OBJECTS.to_vec()), prop::bool::weighted(0.1)).prop_map(|(object, wrong)| (object, wrong.into()));
    let checks = prop::collection::vec(check, 0..3);
    let steps = prop::collection::vec(operation(true), 0..6);
    let transaction = (checks, steps).prop_map(|(checks, steps)| Transition::Transaction(checks, steps));
    prop_oneof![6 => operation(false).prop_map(Transition::One), 1 => transaction].boxed()
}

fn operation(in_transaction: bool) -> impl Strategy<Value = Operation> {
    // The first of each is chosen more often, so that more happens to it.
    let at = || prop_oneof![3 => Just(0_usize), 1 => Just(1)];
    prop_oneof![
        4 => (at(), dict_operation(in_transaction)).prop_map(|(at, operation)| Operation::Dict(at, operation)),
        4 => (at(), list_operation(in_transaction)).prop_map(|(at, operation)| Operation::List(at, operation)),
        3 => (at(), set_operation(in_transaction)).prop_map(|(at, operation)| Operation::Set(at, operation)),
        1 => (at(), cell_operation(in_transaction)).prop_map(|(at, operation)| Operation::Cell(at, operation)),
        2 => (at(), array_operation(in_transaction)).prop_map(|(at, operation)| Operation::Array(at, operation)),
    ]
}

/// An operation on what is inside of a value.
fn inside() -> impl Strategy<Value = Operation> {
    let index = || prop_oneof![12 => -4_i64..4, 1 => index()];
    prop_oneof![
        2 => (place(), path_operation()).prop_map(|(key, inside)| Operation::Dict(0, DictOperation::At(key, inside))),
        1 => (index(), path_operation()).prop_map(|(at, inside)| Operation::List(0, ListOperation::At(at, inside))),
        1 => path_operation().prop_map(|inside| Operation::Cell(0, CellOperation::At(inside))),
        1 => (index(), path_operation()).prop_map(|(at, inside)| {
            Operation::Array(0, ArrayOperation::AsList(ListOperation::At(at, inside)))
        }),
    ]
}

fn with_versions_near(transition: Transition, versions: &Versions) -> Transition {
    match transition {
        Transition::One(operation) => Transition::One(operation.with_versions_near(versions)),
        Transition::Transaction(checks, operations) => {
            let mut near: Vec<(Object, u64)> = Vec::new();
            for (object, off) in checks {
                // One check for each object: the client finds two that disagree before the server does.
                if near.iter().all(|(other, _)| *other != object) {
                    near.push((object, versions.of(object) + off));
                }
            }
            Transition::Transaction(
                near,
                operations.into_iter().map(|step| step.with_versions_near(versions)).collect(),
            )
        }
    }
}
