//! What many workers do at once to one dict and one list is what some sequence of changes explains.

use std::thread;
use std::time::Instant;

use manager_client::ManagerDict;
use manager_tests::history::{self, History, Summary};
use manager_tests::server;

use crate::child::{Worker, worker};
use crate::mixed;

const PROCESSES: u64 = 16;
const OPERATIONS: usize = 10_000;

#[test]
fn sixteen_processes_with_ten_thousand_operations_each_leave_one_history() {
    let server = server();
    let manager = server.manager();
    mixed::prepare(&manager);
    let folder = tempfile::tempdir().unwrap();
    let file = |seed: u64| folder.path().join(format!("history-{seed}"));
    let mut workers: Vec<Worker> = (0..PROCESSES)
        .map(|seed| {
            let mut command = worker("mixed");
            command.env(manager_protocol::SOCKET_VARIABLE, server.socket());
            command.args([seed.to_string(), OPERATIONS.to_string()]).arg(file(seed));
            Worker::start(command)
        })
        .collect();
    for worker in &mut workers {
        assert_eq!(worker.line(), "ready");
    }
    let begun = Instant::now();
    workers.iter_mut().for_each(|worker| worker.tell("go"));
    for worker in &mut workers {
        assert_eq!(worker.line(), "done");
        assert!(worker.wait().success());
    }
    println!("{PROCESSES} processes took {:?}", begun.elapsed());
    let mut histories: Vec<History> = (0..PROCESSES).map(|seed| History::read(&file(seed)).unwrap()).collect();
    histories.push(mixed::last_look(&manager));
    let begun = Instant::now();
    let summary = history::check(&histories).unwrap_or_else(|fault| panic!("{fault}"));
    println!("checked in {:?}: {summary:?}", begun.elapsed());
    // All but the transactions that were refused.
    assert!(events(summary) > PROCESSES * OPERATIONS as u64 * 9 / 10, "{summary:?}");
    assert!(summary.changes > 1000 && summary.reads > 1000 && summary.refusals > 100, "{summary:?}");
}

#[test]
fn threads_that_share_a_manager_leave_one_history() {
    let server = server();
    let manager = server.manager();
    mixed::prepare(&manager);
    // More than the manager keeps connections for.
    let mut histories: Vec<History> = thread::scope(|scope| {
        let manager = &manager;
        let threads: Vec<_> = (0..48)
            .map(|seed| scope.spawn(move || mixed::run(manager, format!("thread {seed}"), seed, 200, 0)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    histories.push(mixed::last_look(&manager));
    let summary = history::check(&histories).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(summary.changes > 1000 && summary.reads > 100, "{summary:?}");
}

#[test]
fn a_list_so_long_that_work_on_it_is_done_apart_has_one_history_too() {
    let server = server();
    let manager = server.manager();
    mixed::prepare(&manager);
    let mut histories: Vec<History> = thread::scope(|scope| {
        let manager = &manager;
        let run = move |seed| mixed::run(manager, format!("thread {seed}"), seed, 200, 6000);
        let threads: Vec<_> = (0..8).map(|seed| scope.spawn(move || run(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    histories.push(mixed::last_look(&manager));
    let summary = history::check(&histories).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(summary.changes > 500 && summary.reads > 500, "{summary:?}");
}

#[test]
fn a_seeded_fault_in_a_real_history_is_found() {
    let server = server();
    let manager = server.manager();
    mixed::prepare(&manager);
    let honest = [mixed::run(&manager, "honest".into(), 1, 500, 0), mixed::last_look(&manager)];
    history::check(&honest).unwrap_or_else(|fault| panic!("{fault}"));
    let change = |events: &[history::Event]| {
        let object = &events[0].object;
        let next =
            |at: usize| events[at + 1..].iter().find(|event| event.object == *object).and_then(|event| event.version);
        (1..events.len() - 1).find(|&at| {
            let event = &events[at];
            event.object == *object
                && event.version.is_some()
                && next(at) > event.version
                && events[..at].iter().rev().find(|event| event.object == *object).unwrap().version < event.version
        })
    };
    let at = change(&honest[0].events).expect("some change stands between two others");
    let mut forgotten = honest.clone();
    forgotten[0].events.remove(at);
    assert_eq!(history::check(&forgotten).unwrap_err().kind, history::FaultKind::MissingVersion);
}

#[test]
fn a_value_that_is_updated_by_many_loses_no_update() {
    let server = server();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let dict: ManagerDict<String, u64> = server.manager().dict("counts").unwrap();
                for _ in 0..100 {
                    dict.update_with("all", |count| Some(count.unwrap_or(0) + 1)).unwrap();
                }
            });
        }
    });
    let dict: ManagerDict<String, u64> = server.manager().dict("counts").unwrap();
    let seen = dict.versioned().get("all").unwrap();
    assert_eq!((seen.value, seen.version), (Some(800), 800));
}

fn events(summary: Summary) -> u64 {
    summary.changes + summary.reads + summary.refusals
}
