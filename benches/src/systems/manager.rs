//! This project's blocking client.

use std::collections::HashMap;
use std::path::Path;

use manager_client::{Lane, Manager, ManagerDict, ManagerList, ManagerQueue};

use crate::client::{self, Outcome, expect};
use crate::keys::{Keys, Random, key, value, values, write_key};
use crate::order::Report;
use crate::stopwatch::Stopwatch;
use crate::work::{BATCH, KEYS, MILLION, STREAMED, Stock, VALUE, Work, batch_of, keys_of};

pub(crate) struct Client {
    manager: Manager,
    keys: Keys,
    random: Random,
}

impl Client {
    pub(crate) fn connect(socket: &Path, index: usize, lane: Lane) -> Outcome<Self> {
        Ok(Self {
            manager: Manager::options().lane(lane).connect(socket)?,
            keys: Keys::of(index),
            random: Random::new(index),
        })
    }

    /// The client of a thread, over the same manager.
    pub(crate) fn of(manager: &Manager, index: usize) -> Self {
        Self { manager: manager.clone(), keys: Keys::of(index), random: Random::new(index) }
    }

    fn entries(&self, name: &str) -> Outcome<ManagerDict<String, String>> {
        Ok(self.manager.dict(name)?)
    }

    fn sized(&self, size: usize) -> Outcome<ManagerDict<String, String>> {
        self.entries(&sized(size))
    }

    fn list(&self) -> Outcome<ManagerList<String>> {
        Ok(self.manager.list("list")?)
    }

    /// Fills a dict with this part of so many entries.
    fn fill(&self, dict: &ManagerDict<String, String>, entries: usize, part: usize, parts: usize) -> Outcome {
        let value = value(VALUE);
        let (mut first, end) = (entries * part / parts, entries * (part + 1) / parts);
        while first < end {
            let next = end.min(first + BATCH);
            let keys: Vec<String> = (first..next).map(|index| key(0, index)).collect();
            dict.insert_many(keys.iter().map(|key| (key, &value)))?;
            first = next;
        }
        Ok(())
    }

    fn pipelined(&mut self, depth: usize, mut watch: Stopwatch) -> Outcome<Report> {
        let dict = self.sized(VALUE)?;
        watch.start();
        while watch.goes_on() {
            let pipeline = self.manager.pipeline();
            let queued = dict.on(&pipeline);
            let pending: Vec<_> = (0..depth).map(|_| queued.get(self.keys.any(KEYS))).collect();
            pipeline.send()?;
            for found in pending {
                expect(found.take()?.is_some_and(|value| value.len() == VALUE))?;
            }
            watch.lap(depth);
        }
        Ok(watch.report())
    }

    fn pipelined_inserts(&mut self, depth: usize, mut watch: Stopwatch) -> Outcome<Report> {
        let (dict, value) = (self.sized(VALUE)?, value(VALUE));
        watch.start();
        while watch.goes_on() {
            let pipeline = self.manager.pipeline();
            let queued = dict.on(&pipeline);
            let pending: Vec<_> = (0..depth).map(|_| queued.set(self.keys.any(KEYS), value.as_str())).collect();
            pipeline.send()?;
            for set in pending {
                set.take()?;
            }
            watch.lap(depth);
        }
        Ok(watch.report())
    }

    /// Sorts again and again what is in no order: each time a copy of it, made in the server.
    fn sort(&self, mut watch: Stopwatch) -> Outcome<Report> {
        let numbers: ManagerList<u64> = self.manager.list("numbers")?;
        let sorted: ManagerList<u64> = self.manager.list("sorted")?;
        watch.start();
        while watch.goes_on() {
            sorted.clear()?;
            sorted.extend_from(&numbers)?;
            sorted.sort()?;
            watch.lap(1);
        }
        Ok(watch.report())
    }
}

impl client::Client for Client {
    fn prepare(&mut self, stock: Stock, part: usize, parts: usize) -> Outcome {
        match stock {
            Stock::Entries { size } => {
                let dict = self.sized(size)?;
                for keys in self.keys.all()[..keys_of(size)].chunks(batch_of(size)) {
                    dict.insert_many(keys.iter().zip(values(keys, size)))?;
                }
                Ok(())
            }
            Stock::Counters => {
                let dict: ManagerDict<String, u64> = self.manager.dict("counters")?;
                Ok(dict.insert_many(self.keys.all().iter().map(|key| (key, &0)))?)
            }
            Stock::List => {
                let (list, value) = (self.list()?, value(VALUE));
                list.clear()?;
                Ok(list.extend(std::iter::repeat_n(&value, KEYS))?)
            }
            Stock::Grown { entries } => self.fill(&self.entries(&grown(entries))?, entries, part, parts),
            Stock::Numbers => {
                let numbers: ManagerList<u64> = self.manager.list("numbers")?;
                for _ in 0..MILLION / KEYS / parts {
                    let some: Vec<u64> = (0..KEYS).map(|_| self.random.below(1 << 40) as u64).collect();
                    numbers.extend(some.iter())?;
                }
                Ok(())
            }
        }
    }

    fn run(&mut self, work: Work, mut watch: Stopwatch) -> Outcome<Report> {
        match work {
            Work::Get { size } => {
                let dict = self.sized(size)?;
                watch.start();
                while watch.goes_on() {
                    let found = dict.get(self.keys.any(keys_of(size)))?;
                    expect(found.is_some_and(|value| value.len() == size))?;
                    watch.lap(1);
                }
            }
            Work::Insert { size } => {
                let (dict, value) = (self.sized(size)?, value(size));
                watch.start();
                while watch.goes_on() {
                    dict.set(self.keys.any(keys_of(size)), value.as_str())?;
                    watch.lap(1);
                }
            }
            Work::Add => {
                let dict: ManagerDict<String, u64> = self.manager.dict("counters")?;
                watch.start();
                while watch.goes_on() {
                    expect(dict.add(self.keys.any(KEYS), 1)? > 0)?;
                    watch.lap(1);
                }
            }
            Work::ListPush => {
                let (list, value) = (self.manager.list::<String>("pushed")?, value(VALUE));
                list.clear()?;
                watch.start();
                while watch.goes_on() {
                    list.push(value.as_str())?;
                    watch.lap(1);
                }
            }
            Work::ListIndex => {
                let list = self.list()?;
                watch.start();
                while watch.goes_on() {
                    expect(list.get(self.random.below(KEYS) as i64)?.len() == VALUE)?;
                    watch.lap(1);
                }
            }
            Work::Lock => {
                let lock = self.manager.lock("lock")?;
                watch.start();
                while watch.goes_on() {
                    lock.acquire()?.release()?;
                    watch.lap(1);
                }
            }
            Work::Queue => {
                let queue: ManagerQueue<String> = self.manager.queue("queue")?;
                let value = value(VALUE);
                watch.start();
                while watch.goes_on() {
                    queue.put(value.as_str())?;
                    expect(queue.get()?.len() == VALUE)?;
                    watch.lap(1);
                }
            }
            Work::PipelineGet { depth } => return self.pipelined(depth, watch),
            Work::PipelineInsert { depth } => return self.pipelined_inserts(depth, watch),
            Work::Bulk { entries } => {
                let (dict, keys) = (self.entries("bulk")?, &self.keys.all()[..entries]);
                let values = values(keys, VALUE);
                watch.start();
                while watch.goes_on() {
                    dict.insert_many(keys.iter().zip(&values))?;
                    watch.lap(entries);
                }
            }
            Work::Snapshot => {
                let dict = self.sized(VALUE)?;
                watch.start();
                while watch.goes_on() {
                    let copy: HashMap<String, String> = dict.items()?.into_iter().collect();
                    expect(copy.len() == KEYS)?;
                    watch.lap(1);
                }
            }
            Work::GrownGet { entries } => {
                let (dict, mut key) = (self.entries(&grown(entries))?, String::new());
                watch.start();
                while watch.goes_on() {
                    write_key(&mut key, 0, self.random.below(entries));
                    expect(dict.get(key.as_str())?.is_some_and(|value| value.len() == VALUE))?;
                    watch.lap(1);
                }
            }
            Work::GrownInsert { entries } => {
                let (dict, mut key) = (self.entries(&grown(entries))?, String::new());
                let value = value(VALUE);
                watch.start();
                while watch.goes_on() {
                    write_key(&mut key, 0, self.random.below(entries));
                    dict.set(key.as_str(), value.as_str())?;
                    watch.lap(1);
                }
            }
            Work::Copy => {
                let dict = self.entries(&grown(MILLION))?;
                watch.start();
                while watch.goes_on() {
                    expect(dict.items()?.len() == MILLION)?;
                    watch.lap(1);
                }
            }
            Work::Sort => return self.sort(watch),
            Work::Compute => {
                watch.start();
                while watch.goes_on() {
                    let _sum: u64 = (0..COMPUTED).map(std::hint::black_box).sum();
                    watch.lap(1);
                }
            }
            Work::Stream => {
                let (dict, values) = (self.entries("stream")?, STREAMED.map(value));
                watch.start();
                while watch.goes_on() {
                    for value in &values {
                        dict.set("value", value.as_str())?;
                        watch.lap(1);
                    }
                }
            }
        }
        Ok(watch.report())
    }
}

/// Steps of a computation between two looks at the clock.
const COMPUTED: u64 = 100_000;

/// The name of the dict of values of this size.
pub(crate) fn sized(size: usize) -> String {
    format!("values of {size}")
}

/// The name of the dict of so many entries.
pub(crate) fn grown(entries: usize) -> String {
    format!("{entries} entries")
}
