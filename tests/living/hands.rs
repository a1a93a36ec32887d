//! Workers that hand objects without names to each other, and tie them together.

use manager_client::{Manager, ManagerDict, ManagerList, ManagerQueue};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// What they take from, and put to: a queue, a dict, and a list.
pub(crate) const TRAY: &str = "tray";
pub(crate) const SHELF: &str = "shelf";
pub(crate) const BENCH: &str = "bench";
/// How many steps all of them made, and whether they are to stop.
pub(crate) const COUNTS: &str = "counts";
pub(crate) const STEPS: &str = "steps";
pub(crate) const STOP: &str = "stop";

/// Places on the shelf.
const PLACES: u64 = 8;
/// More than this is not kept on the bench, nor in one thing.
const MANY: u64 = 12;

/// An object without a name, or one of the two marks that each has in front.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Thing {
    Mark(u64),
    List(ManagerList<Self>),
    Dict(ManagerDict<u64, Self>),
}

/// A new list with a mark.
pub(crate) fn new_list(manager: &Manager, mark: u64) -> ManagerList<Thing> {
    let list = manager.new_list().unwrap();
    list.extend(marks(mark)).unwrap();
    list
}

fn new_dict(manager: &Manager, mark: u64) -> ManagerDict<u64, Thing> {
    let dict = manager.new_dict().unwrap();
    dict.insert_many((0..).zip(marks(mark))).unwrap();
    dict
}

/// A mark, and what shows that it is one.
fn marks(mark: u64) -> [Thing; 2] {
    [Thing::Mark(mark), Thing::Mark(shown(mark))]
}

fn shown(mark: u64) -> u64 {
    mark.wrapping_mul(31) ^ 0x5a5a
}

/// What is in a thing, behind the marks, which must be there.
pub(crate) fn inside(thing: &Thing) -> Vec<Thing> {
    let mut all = match thing {
        Thing::List(list) => list.values().unwrap(),
        Thing::Dict(dict) => dict.values().unwrap(),
        Thing::Mark(_) => panic!("a mark is no object"),
    };
    let rest = all.split_off(2);
    let [Thing::Mark(mark), Thing::Mark(second)] = all[..] else { panic!("{all:?} in front") };
    assert_eq!(second, shown(mark));
    rest
}

/// Makes steps until it is told to stop.
pub(crate) fn work(manager: &Manager, seed: u64) {
    let counts: ManagerDict<String, u64> = manager.dict(COUNTS).unwrap();
    let mut hands = Hands {
        manager,
        tray: manager.queue(TRAY).unwrap(),
        shelf: manager.dict(SHELF).unwrap(),
        bench: manager.list(BENCH).unwrap(),
        random: StdRng::seed_from_u64(seed),
    };
    while !counts.contains_key(STOP).unwrap() {
        hands.step();
        counts.add(STEPS, 1).unwrap();
    }
}

struct Hands<'a> {
    manager: &'a Manager,
    tray: ManagerQueue<Thing>,
    shelf: ManagerDict<u64, Thing>,
    bench: ManagerList<Thing>,
    random: StdRng,
}

impl Hands<'_> {
    fn step(&mut self) {
        match self.random.random_range(0..12) {
            0..3 => {
                let thing = self.make();
                self.tray.put(&thing).unwrap();
            }
            3..6 => {
                let Ok(thing) = self.tray.try_get() else { return };
                self.put_somewhere(&thing);
            }
            6 => {
                // On loan until it is somewhere else: or it comes back.
                let Ok(lease) = self.tray.try_reserve() else { return };
                self.put_somewhere(lease.value());
                lease.ack().unwrap();
            }
            7 => {
                let taken = self.shelf.remove(&self.random.random_range(0..PLACES)).unwrap();
                taken.iter().for_each(|thing| self.tray.put(thing).unwrap());
            }
            8 => drop(self.bench.pop_front().unwrap()),
            9 => {
                let Some((_, thing)) = self.shelf.pop_first().unwrap() else { return };
                self.tie(&thing, &thing);
                self.put_somewhere(&thing);
            }
            10 => {
                let (one, other) = (self.make(), self.make());
                self.tie(&one, &other);
                self.tie(&other, &one);
                if self.random.random() {
                    self.put_somewhere(&one);
                }
            }
            _ => {
                let (one, other) =
                    (self.shelf.get(&self.random.random_range(0..PLACES)).unwrap(), self.bench.pop().unwrap());
                let (Some(one), Some(other)) = (one, other) else { return };
                inside(&one).iter().for_each(|thing| drop(inside(thing)));
                self.tie(&one, &other);
                self.tie(&other, &one);
            }
        }
    }

    fn make(&mut self) -> Thing {
        let mark = self.random.random();
        if self.random.random() {
            Thing::List(new_list(self.manager, mark))
        } else {
            Thing::Dict(new_dict(self.manager, mark))
        }
    }

    fn put_somewhere(&mut self, thing: &Thing) {
        inside(thing);
        match self.random.random_range(0..4) {
            0 => self.tray.put(thing).unwrap(),
            1 if self.bench.len().unwrap() < MANY => self.bench.push(thing).unwrap(),
            _ => {
                let before = self.shelf.insert(&self.random.random_range(0..PLACES), thing).unwrap();
                before.iter().for_each(|before| drop(inside(before)));
            }
        }
    }

    /// Puts a thing into another. What has many gets rid of one.
    fn tie(&mut self, thing: &Thing, to: &Thing) {
        match to {
            Thing::List(list) if list.len().unwrap() < MANY => list.push(thing).unwrap(),
            Thing::List(list) => match list.remove(2) {
                Ok(removed) => drop(inside(&removed)),
                Err(error) => assert!(error.is_out_of_range(), "somebody else was faster: {error}"),
            },
            Thing::Dict(dict) => drop(dict.insert(&self.random.random_range(2..MANY), thing).unwrap()),
            Thing::Mark(_) => panic!("a mark is no object"),
        }
    }
}
