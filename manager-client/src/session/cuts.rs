//! A server that remembers answers, over connections that are cut again and again: each change is made once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use manager_protocol::{Acknowledge, Code, FrameKind, RequestHeader, decode_body, write_error_reply};

use crate::Manager;
use crate::fake::{Fake, Peer, reply};
use crate::faults::{DRIVERS, Driver, dict};

/// A counter, and the answers to requests that have counted.
#[derive(Default)]
struct Counter {
    count: u8,
    counted: usize,
    answers: BTreeMap<u64, Vec<u8>>,
    acknowledged: u64,
    exempt: BTreeSet<u64>,
}

impl Counter {
    fn answer(&mut self, id: u64) -> Vec<u8> {
        if let Some(answer) = self.answers.get(&id) {
            return answer.clone();
        }
        if id < self.acknowledged && !self.exempt.contains(&id) {
            let mut out = Vec::new();
            write_error_reply(&mut out, id, &manager_protocol::Error::new(Code::StaleRequest, "forgotten"));
            return out;
        }
        self.count = (self.count + 1) % 100;
        self.counted += 1;
        let answer = reply(id, &[self.count]);
        self.answers.insert(id, answer.clone());
        answer
    }

    fn forget(&mut self, told: &Acknowledge) {
        let awaited: BTreeSet<u64> = told.awaited.iter().copied().collect();
        self.answers.retain(|id, _| *id >= told.next || awaited.contains(id));
        assert!(self.answers.len() <= 512, "{} answers are remembered", self.answers.len());
        if told.next > self.acknowledged {
            (self.acknowledged, self.exempt) = (told.next, awaited);
        }
    }
}

/// Answers so many requests, and the last of them only in part.
fn serve(mut peer: Peer, counter: &Mutex<Counter>, mut requests: usize) {
    peer.greet(1);
    while let Some((kind, body)) = peer.message() {
        if kind == FrameKind::Acknowledge {
            counter.lock().unwrap().forget(&decode_body(kind, &body).unwrap());
        } else if kind == FrameKind::Request {
            let answer = counter.lock().unwrap().answer(RequestHeader::parse(&body).unwrap().id);
            if requests == 0 {
                return peer.send(&answer[..answer.len() / 2]);
            }
            requests -= 1;
            peer.send(&answer);
        }
    }
}

const THREADS: usize = 4;
const CALLS: usize = 300;

fn blocking(fake: &Fake) {
    let manager = Manager::connect(fake.path()).unwrap();
    let dict = dict(manager.link());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (manager, dict) = (&manager, &dict);
            scope.spawn(move || {
                if thread % 2 == 0 {
                    (0..CALLS).for_each(|_| assert!(dict.remove_many(["secret"]).unwrap() < 100));
                } else {
                    let pipeline = manager.pipeline();
                    (0..CALLS).for_each(|_| drop(dict.on(&pipeline).remove_many(["secret"])));
                    pipeline.send().unwrap();
                }
            });
        }
    });
}

#[cfg(feature = "aio")]
fn in_tasks(fake: &Fake) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let manager = crate::aio::Manager::connect(fake.path()).await.unwrap();
        let dict = dict(manager.link());
        let mut tasks = Vec::new();
        for task in 0..THREADS {
            let (manager, dict) = (manager.clone(), dict.clone());
            tasks.push(tokio::spawn(async move {
                if task % 2 == 0 {
                    for _ in 0..CALLS {
                        dict.remove_many(["secret"]).await.unwrap();
                    }
                } else {
                    let pipeline = manager.pipeline();
                    (0..CALLS).for_each(|_| drop(dict.on(&pipeline).remove_many(["secret"])));
                    pipeline.send().await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn each_change_is_made_once_however_often_the_connection_is_cut() {
    for &driver in DRIVERS {
        let counter = Arc::new(Mutex::new(Counter::default()));
        let of_server = counter.clone();
        let fake = Fake::start_parallel(move |index, peer| serve(peer, &of_server, (index * 37) % 101));
        match driver {
            Driver::Blocking => blocking(&fake),
            #[cfg(feature = "aio")]
            Driver::Async => in_tasks(&fake),
        }
        assert_eq!(counter.lock().unwrap().counted, THREADS * CALLS, "{driver:?}");
    }
}
