//! Whether the comparison finds anything: systems with a fault, which it must tell from the model.

use manager_protocol::Code;
use manager_tests::InProcess;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proptest_state_machine::ReferenceStateMachine;

use super::array::ArrayOperation;
use super::cell::CellOperation;
use super::machine::{Over, System, difference_after};
use super::operation::{DictOperation, ListOperation, Reply};
use super::path::{Action, Step};
use super::set::SetOperation;
use super::world::{Beginning, Empty, From, Nested, Object, Operation, Seen, Transition, World};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Every seventh push is acknowledged and not done.
    DropsPushes,
    /// Of a transaction that is refused, the first operation is done.
    DoesHalfATransaction,
    /// A replaced entry moves to the end.
    MovesWhatIsReplaced,
    /// A read counts as a change in the version it replies.
    CountsReads,
    /// 1 and 1.0 are two values.
    ComparesTypes,
    /// What is added to a set though it is there moves to the end.
    MovesWhatIsAdded,
    /// A compare-and-set of a cell does not compare.
    SwapsBlindly,
    /// A slice of an array is filled from the wrong end.
    SetsSlicesBackwards,
    /// What is missing on a path is made though it may not be.
    AlwaysCreates,
    /// On a path, -1 is the first element.
    CountsFromTheWrongEnd,
    /// What is removed from inside of a value stays there.
    KeepsWhatItRemoves,
    /// What changes nothing inside of a value counts as a change.
    CountsWhatIsNoChange,
}

/// The core with a fault in front of it.
struct Faulty {
    inner: Over<InProcess>,
    fault: Option<Fault>,
    pushes: u32,
}

impl System for Faulty {
    fn start(world: &World) -> Self {
        Self { inner: Over::start(world), fault: None, pushes: 0 }
    }

    fn apply(&mut self, transition: &Transition) -> Result<Vec<Seen>, Code> {
        match (self.fault, transition) {
            (Some(Fault::DropsPushes), Transition::One(Operation::List(at, ListOperation::Push(_)))) => {
                self.pushes += 1;
                if self.pushes.is_multiple_of(7) {
                    return Ok(vec![Seen { reply: Reply::Unit, version: self.version(Object::List(*at)) + 1 }]);
                }
                self.inner.apply(transition)
            }
            (Some(Fault::DoesHalfATransaction), Transition::Transaction(_, operations)) => {
                let replies = self.inner.apply(transition);
                if let (Err(_), Some(first)) = (&replies, operations.first()) {
                    let _ = self.inner.apply(&Transition::One(first.clone()));
                }
                replies
            }
            (Some(Fault::MovesWhatIsReplaced), Transition::One(Operation::Dict(at, DictOperation::Set(key, _)))) => {
                let removal = Operation::Dict(*at, DictOperation::Remove(key.clone()));
                let _ = self.inner.apply(&Transition::Transaction(Vec::new(), vec![removal]));
                self.inner.apply(transition)
            }
            (Some(Fault::CountsReads), Transition::One(Operation::Dict(_, DictOperation::Get(_)))) => {
                let mut seen = self.inner.apply(transition)?;
                seen[0].version += 1;
                Ok(seen)
            }
            (Some(Fault::ComparesTypes), Transition::One(Operation::List(at, ListOperation::Count(value)))) => {
                let mut seen = self.inner.apply(&Transition::One(Operation::List(*at, ListOperation::Values)))?;
                if let Reply::Values(values) = &seen[0].reply {
                    let count = values.iter().filter(|other| *other == value).count();
                    seen[0].reply = Reply::Count(count as u64);
                }
                Ok(seen)
            }
            (Some(Fault::MovesWhatIsAdded), Transition::One(Operation::Set(at, SetOperation::Insert(value)))) => {
                let mut replies = self.inner.apply(transition)?;
                if replies[0].reply == Reply::Bool(false) {
                    let removal = Operation::Set(*at, SetOperation::Remove(value.clone()));
                    let _ = self.inner.apply(&Transition::One(removal));
                    replies = self.inner.apply(transition)?;
                    replies[0].reply = Reply::Bool(false);
                    replies[0].version -= 2;
                }
                Ok(replies)
            }
            (Some(Fault::SwapsBlindly), Transition::One(Operation::Cell(at, CellOperation::CompareAndSet(_, new)))) => {
                let set = Operation::Cell(*at, CellOperation::Set(new.clone()));
                let mut replies = self.inner.apply(&Transition::One(set))?;
                replies[0].reply = Reply::Swapped;
                Ok(replies)
            }
            (
                Some(Fault::SetsSlicesBackwards),
                Transition::One(Operation::Array(at, ArrayOperation::SetSlice(part, values, off))),
            ) => {
                let values = values.iter().rev().cloned().collect();
                let set = Operation::Array(*at, ArrayOperation::SetSlice(*part, values, *off));
                self.inner.apply(&Transition::One(set))
            }
            (
                Some(Fault::AlwaysCreates | Fault::CountsFromTheWrongEnd | Fault::KeepsWhatItRemoves),
                Transition::One(Operation::Cell(at, CellOperation::At(inside))),
            ) => {
                let mut inside = inside.clone();
                match self.fault {
                    Some(Fault::AlwaysCreates) => inside.create = true,
                    Some(Fault::KeepsWhatItRemoves) if matches!(inside.action, Action::Remove) => {
                        inside.action = Action::Get;
                    }
                    Some(_) | None => {}
                }
                for step in &mut inside.steps {
                    if let (Some(Fault::CountsFromTheWrongEnd), Step::Index(index @ -1)) = (self.fault, step) {
                        *index = 0;
                    }
                }
                self.inner.apply(&Transition::One(Operation::Cell(*at, CellOperation::At(inside))))
            }
            (
                Some(Fault::CountsWhatIsNoChange),
                Transition::One(operation @ Operation::Dict(_, DictOperation::At(..))),
            ) => {
                let before = self.version(operation.object());
                let mut seen = self.inner.apply(transition)?;
                seen[0].version = before + 1;
                Ok(seen)
            }
            (Some(_) | None, _) => self.inner.apply(transition),
        }
    }

    fn version(&self, object: Object) -> u64 {
        self.inner.version(object)
    }

    fn is_time_to_look(&self) -> bool {
        self.inner.is_time_to_look()
    }

    fn difference(&self, world: &World) -> Option<String> {
        self.inner.difference(world)
    }
}

/// Compares the same sequences each time; the first difference that is found.
fn first_difference<B: Beginning>(fault: Option<Fault>) -> Option<String> {
    let mut runner = TestRunner::deterministic();
    let sequences = From::<B>::sequential_strategy(80..160);
    (0..200).find_map(|_| {
        let (mut world, transitions, _) = sequences.new_tree(&mut runner).unwrap().current();
        let mut system = Faulty { fault, ..Faulty::start(&world) };
        let differs = transitions.iter().find_map(|transition| {
            world = world.clone().apply(transition);
            difference_after(&mut system, &world, transition)
        });
        differs.or_else(|| system.difference(&world))
    })
}

#[test]
fn every_fault_is_found_and_none_where_there_is_none() {
    assert_eq!(first_difference::<Empty>(None), None);
    for fault in [
        Fault::DropsPushes,
        Fault::DoesHalfATransaction,
        Fault::MovesWhatIsReplaced,
        Fault::CountsReads,
        Fault::ComparesTypes,
        Fault::MovesWhatIsAdded,
        Fault::SwapsBlindly,
        Fault::SetsSlicesBackwards,
    ] {
        assert!(first_difference::<Empty>(Some(fault)).is_some(), "{fault:?} was not found");
    }
}

#[test]
fn every_fault_inside_of_values_is_found_and_none_where_there_is_none() {
    assert_eq!(first_difference::<Nested>(None), None);
    for fault in
        [Fault::AlwaysCreates, Fault::CountsFromTheWrongEnd, Fault::KeepsWhatItRemoves, Fault::CountsWhatIsNoChange]
    {
        assert!(first_difference::<Nested>(Some(fault)).is_some(), "{fault:?} was not found");
    }
}
