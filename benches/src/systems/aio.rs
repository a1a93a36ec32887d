//! This project's async client: tasks on a runtime of one thread, all over one connection.

use std::path::Path;

use manager_client::aio::{Manager, ManagerDict};
use tokio::runtime::{Builder, Runtime};

use super::manager::sized;
use crate::client::{self, Outcome, expect, not_done};
use crate::keys::Keys;
use crate::order::Report;
use crate::stopwatch::Stopwatch;
use crate::work::{Stock, VALUE, Work, keys_of};

pub(crate) struct Client {
    runtime: Runtime,
    manager: Manager,
    /// Of which all tasks take some.
    keys: Keys,
    tasks: usize,
}

impl Client {
    pub(crate) fn connect(socket: &Path, index: usize, tasks: usize) -> Outcome<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let manager = runtime.block_on(Manager::connect(socket))?;
        Ok(Self { runtime, manager, keys: Keys::of(index), tasks })
    }
}

impl client::Client for Client {
    fn prepare(&mut self, stock: Stock, _part: usize, _parts: usize) -> Outcome {
        if stock != (Stock::Entries { size: VALUE }) {
            return Err(format!("this client does not make {stock:?}").into());
        }
        self.runtime.block_on(async {
            let (dict, value) = (self.manager.dict::<String, String>(&sized(VALUE)).await?, crate::keys::value(VALUE));
            Ok(dict.insert_many(self.keys.all().iter().map(|key| (key, &value))).await?)
        })
    }

    fn run(&mut self, work: Work, watch: Stopwatch) -> Outcome<Report> {
        let change = work == Work::Insert { size: VALUE };
        if !change && work != (Work::Get { size: VALUE }) {
            return not_done(work);
        }
        self.runtime.block_on(async {
            let dict: ManagerDict<String, String> = self.manager.dict(&sized(VALUE)).await?;
            let task = |nth| {
                let (dict, keys, watch) = (dict.clone(), self.keys.for_task(nth), watch.clone());
                tokio::spawn(async move {
                    if change { insert(dict, keys, watch).await } else { get(dict, keys, watch).await }
                })
            };
            let running: Vec<_> = (0..self.tasks).map(task).collect();
            let mut watches = Vec::with_capacity(self.tasks);
            for task in running {
                watches.push(task.await??);
            }
            Ok(Stopwatch::report_all(&watches))
        })
    }
}

async fn get(dict: ManagerDict<String, String>, mut keys: Keys, mut watch: Stopwatch) -> Outcome<Stopwatch> {
    watch.start();
    while watch.goes_on() {
        let found = dict.get(keys.any(keys_of(VALUE))).await?;
        expect(found.is_some_and(|value| value.len() == VALUE))?;
        watch.lap(1);
    }
    Ok(watch)
}

async fn insert(dict: ManagerDict<String, String>, mut keys: Keys, mut watch: Stopwatch) -> Outcome<Stopwatch> {
    let value = crate::keys::value(VALUE);
    watch.start();
    while watch.goes_on() {
        dict.set(keys.any(keys_of(VALUE)), value.as_str()).await?;
        watch.lap(1);
    }
    Ok(watch)
}
