//! One who changes a dict in every way there is, and notes what it is told.

use std::time::Duration;

use manager_client::{DirectLink, Manager, ManagerDict, Ttl, VersionedLink};
use manager_tests::history::{History, Outcome};
use manager_tests::wait;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::asking::{Asking, Take};
use crate::changes::{Change, Datum, told, told_all};

/// The dict that everybody changes.
pub(crate) const DICT: &str = "dict";
/// Its keys are smaller than this.
pub(crate) const KEYS: u64 = 12;

/// How a writer writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// So many calls or transactions.
    pub(crate) rounds: usize,
    /// Some of the entries end by the clock.
    pub(crate) ends: bool,
}

/// Makes changes; what it was told.
pub(crate) fn write<L>(manager: &Manager<L>, number: u64, habits: Habits) -> History<Change>
where
    L: DirectLink,
    VersionedLink<L>: Asking,
{
    let (data, numbers) = open(manager);
    let (random, seen) = (StdRng::seed_from_u64(number), History::new(format!("writer {number}")));
    let mut writer = Writer { random, number, times: 0, ends: habits.ends, seen };
    for _ in 0..habits.rounds {
        if writer.random.random_bool(0.2) {
            writer.transact(manager, &data, &numbers);
        } else {
            let change = writer.choose();
            let outcome = call(&data.versioned(), &numbers.versioned(), &change)();
            writer.seen.note(DICT, change, &outcome);
        }
    }
    writer.seen
}

/// Puts a last value under a key, by which those who watch know the end. No entry ends by the clock behind it.
pub(crate) fn write_last<L>(manager: &Manager<L>, key: u64, last: i64) -> History<Change>
where
    L: DirectLink,
    VersionedLink<L>: Asking,
{
    let (data, numbers) = open(manager);
    let mut seen = History::new("the last writer");
    for key in 0..KEYS {
        while let Some(Ttl::Left(_)) = wait::<L, _>(data.ttl(&key)).unwrap() {
            std::thread::yield_now();
        }
    }
    let change = Change::Set(key, Datum::Number(last));
    let outcome = call(&data.versioned(), &numbers.versioned(), &change)();
    seen.note(DICT, change, &outcome);
    seen
}

/// The dict as it is, and as one of numbers.
type Proxies<L> = (ManagerDict<u64, Datum, L>, ManagerDict<u64, i64, L>);

fn open<L: DirectLink>(manager: &Manager<L>) -> Proxies<L> {
    (wait::<L, _>(manager.dict(DICT)).unwrap(), wait::<L, _>(manager.dict(DICT)).unwrap())
}

struct Writer {
    random: StdRng,
    number: u64,
    /// How many times to live it has chosen.
    times: u64,
    ends: bool,
    seen: History<Change>,
}

impl Writer {
    /// Several changes as one. Refused, they have done nothing, and nothing is noted.
    fn transact<L: DirectLink>(
        &mut self,
        manager: &Manager<L>,
        data: &ManagerDict<u64, Datum, L>,
        numbers: &ManagerDict<u64, i64, L>,
    ) {
        let transaction = manager.transaction();
        let (data, numbers) = (data.on(&transaction).versioned(), numbers.on(&transaction).versioned());
        let changes: Vec<Change> = (0..self.random.random_range(2..5)).map(|_| self.choose()).collect();
        let takes: Vec<Take> = changes.iter().map(|change| call(&data, &numbers, change)).collect();
        if let Err(error) = wait::<L, _>(transaction.commit()) {
            assert!(error.code().is_some() && !error.is_disconnected(), "{error:?}");
            return;
        }
        for (change, take) in changes.into_iter().zip(takes) {
            self.seen.note(DICT, change, &take());
        }
    }

    fn choose(&mut self) -> Change {
        let (key, number) = (self.key(), self.random.random_range(-9..9));
        match self.random.random_range(0..if self.ends { 31 } else { 24 }) {
            0..3 => Change::Set(key, self.datum()),
            3..5 => Change::Insert(key, self.datum()),
            5..8 => Change::Add(key, number),
            8 => Change::Remove(key),
            9 => Change::PopFirst,
            10 => Change::PopLast,
            11 if self.random.random_bool(0.3) => Change::Clear,
            11..13 => {
                let many = self.random.random_range(0..4);
                Change::InsertMany((key..key + many).map(|key| (key % KEYS, self.datum())).collect())
            }
            13 => Change::RemoveMany((0..self.random.random_range(0..3)).map(|_| self.key()).collect()),
            14..16 => Change::SetAt(key, self.index(), number),
            16..18 => Change::AddAt(key, self.index(), number),
            18..20 => Change::RemoveAt(key, self.index()),
            20..24 => Change::Push(key, number),
            24..27 => Change::InsertFor(key, self.datum(), self.time()),
            27..30 => Change::Expire(key, self.time()),
            _ => Change::Persist(key),
        }
    }

    /// Another one than before, and than others choose: given the same time once more, an entry would not be changed.
    fn time(&mut self) -> u64 {
        self.times += 1;
        1 + self.number + 8 * (self.times % 4)
    }

    fn key(&mut self) -> u64 {
        self.random.random_range(0..KEYS)
    }

    fn index(&mut self) -> i64 {
        *[0, 0, 1, -1, -1, 2, -3].choose(&mut self.random).unwrap()
    }

    fn datum(&mut self) -> Datum {
        if self.random.random_bool(0.4) {
            return Datum::Number(self.random.random_range(-9..9));
        }
        Datum::Numbers((0..self.random.random_range(0..4)).map(|_| self.random.random_range(-9..9)).collect())
    }
}

fn call<L: Asking>(data: &ManagerDict<u64, Datum, L>, numbers: &ManagerDict<u64, i64, L>, change: &Change) -> Take {
    let time = |ms: &u64| Duration::from_millis(*ms);
    let at = |key: &u64, index: &i64| data.at(key).index(*index);
    match change {
        Change::Set(key, datum) => L::asked(data.set(key, datum), Outcome::from),
        Change::Insert(key, datum) => L::asked(data.insert(key, datum), |before| told(before.as_ref())),
        Change::InsertFor(key, datum, ms) => {
            L::asked(data.insert_with_ttl(key, datum, time(ms)), |before| told(before.as_ref()))
        }
        Change::Expire(key, ms) => L::asked(data.expire(key, time(ms)), Outcome::from),
        Change::Persist(key) => L::asked(data.persist(key), Outcome::from),
        Change::Add(key, delta) => L::asked(numbers.add(key, *delta), Outcome::from),
        Change::Remove(key) => L::asked(data.remove(key), |removed| told(removed.as_ref())),
        Change::PopFirst => L::asked(data.pop_first(), told_popped),
        Change::PopLast => L::asked(data.pop_last(), told_popped),
        Change::Clear => L::asked(data.clear(), Outcome::from),
        Change::InsertMany(entries) => L::asked(data.insert_many(entries.iter().cloned()), Outcome::from),
        Change::RemoveMany(keys) => L::asked(data.remove_many(keys), Outcome::from),
        Change::SetAt(key, index, number) => L::asked(at(key, index).set(number), Outcome::from),
        Change::AddAt(key, index, delta) => L::asked(at(key, index).add(*delta), Outcome::from),
        Change::RemoveAt(key, index) => L::asked(at(key, index).remove::<i64>(), Outcome::from),
        Change::Push(key, number) => L::asked(data.at(key).create().push(number), Outcome::from),
        Change::End(_) | Change::Look | Change::LookAt(_) => unreachable!("nobody asks for that"),
    }
}

fn told_popped(popped: Option<(u64, Datum)>) -> Outcome {
    told_all(popped.iter().map(|(key, datum)| (key, datum)))
}
