//! Servers and clients that are killed or stop answering: everybody else learns of it at once, or not at all.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use manager_client::{Error, Lane, Manager, ManagerDict};
use manager_protocol::SOCKET_VARIABLE;
use manager_tests::server;
use rustix::process::Signal;

use crate::child::{Place, Worker, eventually, serve, thread_state, worker};

/// Long before the 30 seconds that a call may take.
const AT_ONCE: Duration = Duration::from_secs(5);

#[test]
fn every_call_learns_at_once_that_the_server_was_killed() {
    let place = Place::new();
    let mut server = serve(&place.socket, &[]);
    let manager = Manager::connect(&place.socket).unwrap();
    let dict: ManagerDict<String, u64> = manager.dict("dict").unwrap();
    dict.set("key", &1).unwrap();
    // Each has a connection that is open already, so what it sends is on its way.
    let connect = |number| {
        let lane = if is_by_socket(number) { Lane::Socket } else { Lane::Auto };
        Manager::options().lane(lane).connect(&place.socket).unwrap().dict("dict").unwrap()
    };
    let dicts: Vec<ManagerDict<String, u64>> = (0..8).map(connect).collect();
    // It takes no more requests, so that all of these wait.
    server.stop();
    let (errors, died) = thread::scope(|scope| {
        let (started, starts) = mpsc::channel();
        let waiting: Vec<_> = dicts
            .iter()
            .enumerate()
            .map(|(number, dict)| {
                let started = started.clone();
                scope.spawn(move || {
                    started.send(fs::read_link("/proc/thread-self").unwrap()).unwrap();
                    let error = if changes(number) { dict.add("key", 1).map(drop) } else { dict.get("key").map(drop) };
                    (error.unwrap_err(), Instant::now())
                })
            })
            .collect();
        starts.iter().take(waiting.len()).for_each(await_sleep);
        let died = Instant::now();
        server.signal(Signal::KILL);
        let errors: Vec<(Error, Instant)> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
        (errors, died)
    });
    server.wait();
    for (number, (error, told)) in errors.iter().enumerate() {
        assert!(error.is_disconnected() && !error.is_timeout(), "{error:?}");
        assert!(changes(number) || !error.is_outcome_unknown(), "only of a change: {error:?}");
        // What was left in a lane is known not to be made.
        assert!(!changes(number) || !is_by_socket(number) || error.is_outcome_unknown(), "{error:?}");
        assert!(error.to_string().contains(" on \"dict\": "), "{error:?}");
        assert!(told.duration_since(died) < AT_ONCE, "told after {:?}", told.duration_since(died));
    }
    let next = Instant::now();
    let error = dict.set("key", &2).unwrap_err();
    assert!(error.is_disconnected() && !error.is_outcome_unknown(), "{error:?}");
    assert!(error.to_string().contains("no server is listening at"), "{error:?}");
    assert!(manager.ping().unwrap_err().is_disconnected() && next.elapsed() < AT_ONCE);
}

fn changes(number: usize) -> bool {
    number % 2 == 1
}

fn is_by_socket(number: usize) -> bool {
    number < 4
}

/// Waits until a thread, which has nothing but the server to wait for, waits.
fn await_sleep(thread: PathBuf) {
    let thread = PathBuf::from("/proc").join(thread);
    eventually("the call waits", || (thread_state(&thread) == Some('S')).then_some(()));
}

#[test]
fn a_server_that_was_restarted_is_not_mistaken_for_the_one_before() {
    let place = Place::new();
    let mut first = serve(&place.socket, &[]);
    let manager = Manager::connect(&place.socket).unwrap();
    let dict: ManagerDict<String, u64> = manager.dict("dict").unwrap();
    dict.set("key", &1).unwrap();
    first.signal(Signal::KILL);
    first.wait();
    let _second = serve(&place.socket, &[]);
    let anew = Manager::connect(&place.socket).unwrap();
    // It has the number that the other had.
    let other: ManagerDict<String, u64> = anew.dict("another").unwrap();
    other.set("key", &7).unwrap();
    // At first its connection is found broken, then the server is found to be another.
    for error in [dict.get("key").unwrap_err(), dict.set("key", &2).unwrap_err(), dict.clear().unwrap_err()] {
        assert!(error.is_disconnected() && !error.is_outcome_unknown(), "{error:?}");
        assert!(error.to_string().contains("was restarted and its objects are gone"), "{error:?}");
    }
    assert!(manager.dict::<u64, u64>("dict").unwrap_err().to_string().contains("was restarted"));
    assert_eq!(other.items().unwrap(), [("key".to_owned(), 7)], "nothing reached a stranger's object");
}

#[test]
fn a_server_that_stops_answering_costs_a_call_its_deadline_and_no_more() {
    let place = Place::new();
    let server = serve(&place.socket, &[]);
    // Connections that are open already: what is asked for is on its way.
    let [patient, reading, changing, sending] = [(); 4]
        .map(|()| -> ManagerDict<String, u64> { Manager::connect(&place.socket).unwrap().dict("dict").unwrap() });
    let hurried = |dict: &ManagerDict<String, u64>| dict.with_timeout(Duration::from_millis(400));
    patient.set("key", &1).unwrap();
    // More than a socket holds: it cannot even be sent whole.
    let large = "x".repeat(5_000_000);
    server.stop();
    let timed = |call: &dyn Fn() -> Result<(), Error>, limit: u64| {
        let begun = Instant::now();
        let error = call().unwrap_err();
        let (limit, took) = (Duration::from_millis(limit), begun.elapsed());
        assert!(error.is_timeout() && !error.is_disconnected(), "{error:?}");
        assert!((limit..limit + AT_ONCE).contains(&took), "{took:?} of {limit:?}");
        error
    };
    assert!(!timed(&|| hurried(&reading).get("key").map(drop), 400).is_outcome_unknown());
    assert!(timed(&|| hurried(&changing).add("key", 1).map(drop), 400).is_outcome_unknown());
    // These have no connection left, and a new one is not answered either.
    assert!(!timed(&|| hurried(&reading).add("key", 1).map(drop), 400).is_outcome_unknown());
    timed(&|| reading.with_timeout(Duration::from_millis(50)).len().map(drop), 50);
    timed(&|| reading.with_timeout(Duration::ZERO).len().map(drop), 0);
    timed(&|| hurried(&sending).remove(&large).map(drop), 400);
    timed(&|| Manager::options().timeout(Duration::from_millis(100)).connect(&place.socket).map(drop), 100);

    server.signal(Signal::CONT);
    // What was asked for may have been done, once.
    let seen = patient.versioned().get("key").unwrap();
    assert!([(Some(1), 1), (Some(2), 2)].contains(&(seen.value, seen.version)), "{seen:?}");
    eventually("what was asked for in vain comes to its end", || {
        (patient.get("key").unwrap() == Some(2)).then_some(())
    });
    assert_eq!(patient.add("key", 1).unwrap(), 3);
}

#[test]
fn a_client_that_is_killed_in_the_middle_of_a_request_harms_nobody() {
    let server = server();
    let manager = server.manager();
    let dict: ManagerDict<String, Vec<u64>> = manager.dict("uploads").unwrap();
    let counts: ManagerDict<String, u64> = manager.dict("counts").unwrap();
    let mut count = 0;
    for role in ["half-a-frame", "half-a-message", "upload", "upload", "upload"] {
        let mut command = worker(role);
        command.env(SOCKET_VARIABLE, server.socket());
        let mut victim = Worker::start(command);
        assert_eq!(victim.line(), if role == "upload" { "uploading" } else { "halfway" });
        count += 1;
        assert_eq!(counts.add("count", 1).unwrap(), count, "others are served meanwhile");
        victim.signal(Signal::KILL);
        assert!(!victim.wait().success());
        count += 1;
        assert_eq!(counts.add("count", 1).unwrap(), count);
        // All of it, or nothing.
        let large = dict.get("large").unwrap();
        assert!(large.is_none_or(|value| value.len() == 1_000_000 && value.iter().all(|word| *word == u64::MAX)));
    }
    assert!(dict.len().unwrap() <= 1);
}
