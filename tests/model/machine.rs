//! Generated sequences of operations and transactions, carried out by the model and for real.

use std::fmt::Debug;
use std::marker::PhantomData;

use manager_client::aio::Async;
use manager_client::{Blocking, Manager};
use manager_protocol::Code;
use manager_server::core::{Limits, Pace};
use manager_tests::{InProcess, TestServer, block_on, server_with, wait};
use proptest::test_runner::{Config, FileFailurePersistence};
use proptest_state_machine::{StateMachineTest, prop_state_machine};

use super::contents::Iterate;
use super::real::Real;
use super::world::{Beginning, Empty, From, Large, Nested, OBJECTS, Object, Seen, Transition, World};

/// What can be compared with the model.
pub(super) trait System {
    /// A system whose objects hold what the model's do, and have seen as many changes.
    fn start(world: &World) -> Self;

    /// Carries out a transition.
    fn apply(&mut self, transition: &Transition) -> Result<Vec<Seen>, Code>;

    /// How many changes an object has seen.
    fn version(&self, object: Object) -> u64;

    /// Whether all contents should be compared now, which is done now and then and at the end.
    fn is_time_to_look(&self) -> bool;

    /// The first difference between what there is and what there must be.
    fn difference(&self, world: &World) -> Option<String>;
}

/// Sees whether a transition did as the model did: its replies or its refusal, and the versions.
pub(super) fn difference_after<S: System>(system: &mut S, world: &World, transition: &Transition) -> Option<String> {
    let found = system.apply(transition);
    if found != world.last {
        return Some(format!("{transition:?} gave {found:?} instead of {:?}", world.last));
    }
    // A reply has the version after its operation; after a refusal it must be asked for.
    match transition {
        Transition::One(operation) if found.is_err() => difference_of_versions(system, world, &[operation.object()]),
        Transition::One(_) => None,
        Transition::Transaction(..) => difference_of_versions(system, world, &OBJECTS),
    }
}

/// Objects over a link, compared in every way there is to read them.
pub(super) struct Over<L: Reach> {
    real: Real<L>,
    /// The same objects by a link that does everything at leisure, if there is such.
    patient: Option<Real<L>>,
    applied: u32,
    // Dropped last: a server outlives its clients.
    _server: Option<TestServer>,
}

/// A link that can be had to empty objects.
pub(super) trait Reach: Iterate {
    /// A manager, another one that does everything at leisure, and the server, as far as there are such.
    fn reach(max_items: usize) -> (Manager<Self>, Option<Manager<Self>>, Option<TestServer>);
}

impl Reach for InProcess {
    fn reach(max_items: usize) -> (Manager<Self>, Option<Manager<Self>>, Option<TestServer>) {
        // Small frames: all but the smallest replies are sent in parts.
        let link = Self::new(Limits { max_items, max_frame: 256, ..Limits::default() });
        (link.manager(), Some(link.at_pace(Pace::Patient).manager()), None)
    }
}

impl Reach for Blocking {
    fn reach(max_items: usize) -> (Manager, Option<Manager>, Option<TestServer>) {
        let server = small_server(max_items);
        (server.manager(), None, Some(server))
    }
}

impl Reach for Async {
    fn reach(max_items: usize) -> (Manager<Self>, Option<Manager<Self>>, Option<TestServer>) {
        let server = small_server(max_items);
        (Manager::clone(&*block_on(server.aio())), None, Some(server))
    }
}

fn small_server(max_items: usize) -> TestServer {
    server_with(|config| {
        config.limits.max_items = max_items;
        config.workers = 1;
    })
}

impl<L: Reach> System for Over<L> {
    fn start(world: &World) -> Self {
        let (manager, patient, server) = L::reach(world.max_items);
        let open = |manager| Real::open(manager, world);
        let real = open(&manager);
        for (dict, model) in real.dicts.iter().zip(&world.dicts) {
            wait::<L, _>(dict.insert_many(model.items())).unwrap();
        }
        for (list, model) in real.lists.iter().zip(&world.lists) {
            wait::<L, _>(list.extend(&model.values)).unwrap();
        }
        for (set, model) in real.sets.iter().zip(&world.sets) {
            wait::<L, _>(set.extend(model.values())).unwrap();
        }
        Self { real, patient: patient.as_ref().map(open), applied: 0, _server: server }
    }

    fn apply(&mut self, transition: &Transition) -> Result<Vec<Seen>, Code> {
        self.applied += 1;
        match &self.patient {
            Some(patient) if self.applied.is_multiple_of(2) => patient.apply(transition),
            Some(_) | None => self.real.apply(transition),
        }
    }

    fn version(&self, object: Object) -> u64 {
        self.real.version(object)
    }

    fn is_time_to_look(&self) -> bool {
        self.applied.is_multiple_of(8)
    }

    fn difference(&self, world: &World) -> Option<String> {
        let link = self.real.manager.link();
        for (at, dict) in self.real.dicts.iter().enumerate() {
            let ways =
                [wait::<L, _>(dict.items()).unwrap(), link.entries(dict, false), reversed(link.entries(dict, true))];
            if let Some(difference) = first_difference(ways, &world.dicts[at].items()) {
                return Some(format!("dict {at}: {difference}"));
            }
        }
        for (at, list) in self.real.lists.iter().enumerate() {
            let ways =
                [wait::<L, _>(list.values()).unwrap(), link.values(list, false), reversed(link.values(list, true))];
            if let Some(difference) = first_difference(ways, &world.lists[at].values) {
                return Some(format!("list {at}: {difference}"));
            }
        }
        for (at, set) in self.real.sets.iter().enumerate() {
            let ways = [wait::<L, _>(set.values()).unwrap(), link.set(set, false), reversed(link.set(set, true))];
            if let Some(difference) = first_difference(ways, &world.sets[at].values()) {
                return Some(format!("set {at}: {difference}"));
            }
        }
        for (at, array) in self.real.arrays.iter().enumerate() {
            let ways =
                [wait::<L, _>(array.values()).unwrap(), link.array(array, false), reversed(link.array(array, true))];
            if let Some(difference) = first_difference(ways, &world.arrays[at].0.values) {
                return Some(format!("array {at}: {difference}"));
            }
        }
        for (at, cell) in self.real.cells.iter().enumerate() {
            let (found, expected) = (wait::<L, _>(cell.get()).unwrap(), &world.cells[at].value);
            if found != *expected {
                return Some(format!("cell {at}: it holds {found:?} instead of {expected:?}"));
            }
        }
        difference_of_versions(self, world, &OBJECTS)
    }
}

fn reversed<T>(mut items: Vec<T>) -> Vec<T> {
    items.reverse();
    items
}

fn first_difference<T: PartialEq + Debug>(ways: [Vec<T>; 3], expected: &[T]) -> Option<String> {
    let (way, found) = ["at once", "forward", "backward"].into_iter().zip(ways).find(|(_, found)| found != expected)?;
    Some(format!("read {way} it holds {found:?} instead of {expected:?}"))
}

fn difference_of_versions<S: System>(system: &S, world: &World, objects: &[Object]) -> Option<String> {
    let wrong = objects.iter().copied().find(|object| system.version(*object) != world.version(*object))?;
    Some(format!("{wrong:?} has version {} instead of {}", system.version(wrong), world.version(wrong)))
}

/// The comparison of a system with the model, from one of the model's beginnings.
struct Compare<S, B = Empty>(PhantomData<(S, B)>);

impl<S: System, B: Beginning> StateMachineTest for Compare<S, B> {
    type SystemUnderTest = S;
    type Reference = From<B>;

    fn init_test(world: &World) -> S {
        S::start(world)
    }

    fn apply(mut system: S, world: &World, transition: Transition) -> S {
        assert_eq!(difference_after(&mut system, world, &transition), None);
        system
    }

    fn check_invariants(system: &S, world: &World) {
        if system.is_time_to_look() {
            assert_eq!(system.difference(world), None);
        }
    }

    fn teardown(system: S, world: World) {
        assert_eq!(system.difference(&world), None);
    }
}

/// So many cases, or as many as the environment's `PROPTEST_CASES` says.
fn config(cases: u32) -> Config {
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().expect("a number of cases"));
    let persistence = FileFailurePersistence::WithSource("regressions");
    Config { cases, failure_persistence: Some(Box::new(persistence)), ..Config::default() }
}

type OverCore = Compare<Over<InProcess>>;
type OverBlocking = Compare<Over<Blocking>>;
type OverAsync = Compare<Over<Async>>;
type NestedOverCore = Compare<Over<InProcess>, Nested>;
type NestedOverBlocking = Compare<Over<Blocking>, Nested>;
type LargeOverCore = Compare<Over<InProcess>, Large>;
type LargeOverBlocking = Compare<Over<Blocking>, Large>;

prop_state_machine! {
    #![proptest_config(config(6_000))]

    #[test]
    fn the_core_does_what_the_model_does_in_many_short_sequences(sequential 1..10 => OverCore);
}

prop_state_machine! {
    #![proptest_config(config(4_000))]

    #[test]
    fn the_core_does_what_the_model_does_in_sequences(sequential 1..20 => OverCore);
}

prop_state_machine! {
    #![proptest_config(config(10_000))]

    #[test]
    fn the_core_does_what_the_model_does_inside_of_values(sequential 1..16 => NestedOverCore);
}

prop_state_machine! {
    #![proptest_config(config(150))]

    #[test]
    fn a_server_does_what_the_model_does_inside_of_values(sequential 1..40 => NestedOverBlocking);

    #[test]
    fn the_core_does_what_the_model_does_in_long_sequences(sequential 80..160 => OverCore);

    #[test]
    fn a_server_does_what_the_model_does_for_the_blocking_client(sequential 1..40 => OverBlocking);

    #[test]
    fn a_server_does_what_the_model_does_for_the_async_client(sequential 1..40 => OverAsync);
}

prop_state_machine! {
    #![proptest_config(config(8))]

    #[test]
    fn the_core_does_what_the_model_does_in_large_objects(sequential 4..8 => LargeOverCore);

    #[test]
    fn a_server_does_what_the_model_does_in_large_objects(sequential 4..8 => LargeOverBlocking);
}
