//! This project's blocking client in many threads of one process.

use std::path::Path;
use std::thread;

use manager_client::Manager;

use super::manager;
use crate::client::{self, Outcome, expect, not_done};
use crate::keys::Keys;
use crate::order::Report;
use crate::stopwatch::Stopwatch;
use crate::work::{Stock, VALUE, Work, keys_of};

pub(crate) struct Client {
    manager: Manager,
    lanes: usize,
}

impl Client {
    pub(crate) fn connect(socket: &Path, lanes: usize) -> Outcome<Self> {
        Ok(Self { manager: Manager::connect(socket)?, lanes })
    }
}

impl client::Client for Client {
    fn prepare(&mut self, stock: Stock, part: usize, parts: usize) -> Outcome {
        for lane in 0..self.lanes {
            manager::Client::of(&self.manager, lane).prepare(stock, part, parts)?;
        }
        Ok(())
    }

    fn run(&mut self, work: Work, watch: Stopwatch) -> Outcome<Report> {
        let Work::Get { size: VALUE } = work else { return not_done(work) };
        let lanes: Vec<Keys> = (0..self.lanes).map(Keys::of).collect();
        let ran: Outcome<Vec<Stopwatch>> = thread::scope(|scope| {
            let manager = &self.manager;
            let lane = |keys: Keys| {
                let watch = watch.clone();
                scope.spawn(move || get(manager, keys, watch))
            };
            let running: Vec<_> = lanes.into_iter().map(lane).collect();
            running.into_iter().map(|lane| lane.join().unwrap_or_else(|_| Err("a thread panicked".into()))).collect()
        });
        Ok(Stopwatch::report_all(&ran?))
    }
}

fn get(manager: &Manager, mut keys: Keys, mut watch: Stopwatch) -> Outcome<Stopwatch> {
    let dict = manager.dict::<String, String>(&manager::sized(VALUE))?;
    watch.start();
    while watch.goes_on() {
        let found = dict.get(keys.any(keys_of(VALUE)))?;
        expect(found.is_some_and(|value| value.len() == VALUE))?;
        watch.lap(1);
    }
    Ok(watch)
}
