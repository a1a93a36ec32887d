//! What many do at once to one queue, one value and one set, some of them over connections that are cut,
//! is what one sequence of changes explains: each was made exactly once.

use std::{iter, thread};

use manager_client::{Blocking, Manager, ManagerQueue, ManagerSet, ManagerValue, QueueOptions, VersionedLink};
use manager_tests::history::{
    Fault, History, Operation, QueueOperation, QueueState, SetOperation, State, Summary, ValueOperation, check_from,
};
use manager_tests::server;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::cutter::Cutter;

const JOBS: &str = "jobs";
const SEEN: &str = "seen";
const TOTAL: &str = "total";

/// So few that those who put must wait for those who take.
const CAPACITY: usize = 3;
/// As many as there are who take, and each puts so many items.
const PUTTERS: u64 = 4;
const ITEMS: i64 = 150;
/// What each puts in the end, and what ends one who takes.
const END: i64 = -1;
/// Enough for a session to be resumed and a request answered.
const MOST: usize = 600;

/// One client, and what it was told.
struct Worker {
    queue: ManagerQueue<i64, VersionedLink<Blocking>>,
    set: ManagerSet<i64, VersionedLink<Blocking>>,
    value: ManagerValue<i64, VersionedLink<Blocking>>,
    random: StdRng,
    history: History,
    taken: Vec<i64>,
    /// Kept to the end: what was taken last could be taken back when the session ends.
    _manager: Manager,
}

impl Worker {
    fn new(manager: Manager, name: String, seed: u64) -> Self {
        let queue = manager.queue_with(JOBS, QueueOptions::new().capacity(CAPACITY as u64)).unwrap();
        Self {
            queue: queue.versioned(),
            set: manager.set(SEEN).unwrap().versioned(),
            value: manager.value(TOTAL, &0).unwrap().versioned(),
            random: StdRng::seed_from_u64(seed),
            history: History::new(name),
            taken: Vec::new(),
            _manager: manager,
        }
    }

    /// Puts numbers that nobody else puts, and then the end.
    fn put_all(mut self, number: i64) -> Self {
        for item in number * ITEMS..(number + 1) * ITEMS {
            let (queue, random) = (&self.queue, &mut self.random);
            let eager = random.random_bool(0.3)
                && self.history.record(JOBS, QueueOperation::Put(item), || queue.try_put(&item)).is_ok();
            if !eager {
                self.put(item);
            }
            self.count(item);
        }
        self.put(END);
        self.last_look()
    }

    /// Takes until it has got an end; more ends than that are for others.
    fn take_all(mut self) -> Self {
        loop {
            let (ends, items): (Vec<i64>, Vec<i64>) = self.take().into_iter().partition(|item| *item == END);
            items.iter().for_each(|item| self.meet(*item));
            self.taken.extend(items);
            if let Some((_, others)) = ends.split_first() {
                others.iter().for_each(|end| self.put(*end));
                return self.last_look();
            }
        }
    }

    fn put(&mut self, item: i64) {
        self.history.record(JOBS, QueueOperation::Put(item), || self.queue.put(&item)).unwrap();
    }

    fn take(&mut self) -> Vec<i64> {
        let (history, queue) = (&mut self.history, &self.queue);
        match self.random.random_range(0..10) {
            0..2 => history.record(JOBS, QueueOperation::Get, || queue.try_get()).map_or(vec![], |item| vec![item]),
            2..5 => history.record(JOBS, QueueOperation::GetMany(2), || queue.get_many(2)).unwrap(),
            _ => vec![history.record(JOBS, QueueOperation::Get, || queue.get()).unwrap()],
        }
    }

    /// Does something with the value that leaves its mark.
    fn count(&mut self, item: i64) {
        let (history, value) = (&mut self.history, &self.value);
        match self.random.random_range(0..6) {
            0 => history.record(TOTAL, ValueOperation::Set(item), || value.set(&item)).unwrap(),
            1 => drop(history.record(TOTAL, ValueOperation::Replace(item), || value.replace(&item)).unwrap()),
            2 => {
                let seen = history.record(TOTAL, ValueOperation::Get, || value.get()).unwrap();
                let operation = ValueOperation::CompareAndSet(seen, item);
                let _swap = history.record(TOTAL, operation, || value.compare_and_set(&seen, &item)).unwrap();
            }
            _ => drop(history.record(TOTAL, ValueOperation::Add(1), || value.add(1)).unwrap()),
        }
    }

    /// Does something with the set, in which there are always a few of some.
    fn meet(&mut self, item: i64) {
        let (history, set, item) = (&mut self.history, &self.set, item % 40);
        history.record(SEEN, SetOperation::Insert(item), || set.insert(&item)).unwrap();
        match self.random.random_range(0..6) {
            0 => drop(history.record(SEEN, SetOperation::PopFirst, || set.pop_first()).unwrap()),
            1 => drop(history.record(SEEN, SetOperation::PopLast, || set.pop_last()).unwrap()),
            2 => drop(history.record(SEEN, SetOperation::Contains(3), || set.contains(&3)).unwrap()),
            3 => drop(history.record(SEEN, SetOperation::Len, || set.len()).unwrap()),
            _ => drop(history.record(SEEN, SetOperation::Remove(item / 2), || set.remove(&(item / 2))).unwrap()),
        }
        self.count(item);
    }

    /// Looks at everything.
    fn last_look(mut self) -> Self {
        self.history.record(JOBS, QueueOperation::Len, || self.queue.len()).unwrap();
        self.history.record(SEEN, SetOperation::Values, || self.set.values()).unwrap();
        self.history.record(TOTAL, ValueOperation::Get, || self.value.get()).unwrap();
        self
    }
}

fn check(histories: &[History]) -> Result<Summary, Fault> {
    check_from(histories, |object, first: &Operation| match object {
        JOBS => QueueState::with_capacity(CAPACITY).into(),
        _ => State::before(first),
    })
}

#[test]
fn those_who_put_and_take_leave_one_history_though_connections_are_cut() {
    let server = server();
    let cutter = Cutter::at_random(server.socket(), 1, MOST);
    // Every other one is cut.
    let worker = |name: &str, number: u64| {
        let socket = if number.is_multiple_of(2) { server.socket() } else { cutter.socket() };
        // A connection that is cut before it has a session is nobody's to be resumed.
        let manager = iter::repeat_with(|| Manager::connect(socket)).find_map(Result::ok).unwrap();
        Worker::new(manager, format!("{name} {number}"), number)
    };
    let mut workers: Vec<Worker> = thread::scope(|scope| {
        let worker = &worker;
        let putters = (0..PUTTERS).map(|n| scope.spawn(move || worker("putter", n).put_all(n as i64)));
        let takers = (0..PUTTERS).map(|n| scope.spawn(move || worker("taker", n).take_all()));
        let workers: Vec<_> = putters.chain(takers).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    workers.push(Worker::new(server.manager(), "the last look".to_owned(), 0).last_look());
    let histories: Vec<History> = workers.iter().map(|worker| worker.history.clone()).collect();
    let summary = check(&histories).unwrap_or_else(|fault| panic!("{fault}"));
    println!("{summary:?}, {} cuts", cutter.cuts());
    assert!(summary.changes > 3 * PUTTERS * ITEMS as u64 && summary.reads > 100, "{summary:?}");
    assert!(cutter.cuts() > 100, "{} cuts", cutter.cuts());
    let mut taken: Vec<i64> = workers.iter().flat_map(|worker| worker.taken.iter().copied()).collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..PUTTERS as i64 * ITEMS).collect::<Vec<_>>());
}
