//! What is recorded from a real server.

use manager_client::Manager;

use super::*;

#[test]
fn calls_are_recorded_with_what_they_returned() {
    let server = crate::server();
    let manager: Manager = server.manager();
    let (queue, set) = (manager.queue::<i64>("jobs").unwrap(), manager.set::<i64>("seen").unwrap());
    let (queue, set, value) = (queue.versioned(), set.versioned(), manager.value("total", &0_i64).unwrap().versioned());
    let mut history = History::new("w");
    history.record("jobs", QueueOperation::Put(7), || queue.put(&7)).unwrap();
    let job = history.record("jobs", QueueOperation::Get, || queue.get()).unwrap();
    assert_eq!(job, 7);
    let none = history.record("jobs", QueueOperation::Get, || queue.try_get());
    assert!(none.is_err_and(|error| error.is_empty()));
    assert!(history.record("seen", SetOperation::Insert(job), || set.insert(&job)).unwrap());
    assert_eq!(history.record("total", ValueOperation::Add(job), || value.add(job)).unwrap(), 7);
    let versions: Vec<Option<u64>> = history.events.iter().map(|event| event.version).collect();
    assert_eq!(versions, [Some(1), Some(2), None, Some(1), Some(1)]);
    assert_eq!(check(&[history]), Ok(Summary { changes: 4, reads: 0, refusals: 1 }));
}

#[test]
fn one_who_waited_has_the_version_of_the_change_that_served_it() {
    let server = crate::server();
    let (first, second) = (server.manager(), server.manager());
    let get = |manager: &Manager| manager.queue::<i64>("jobs").unwrap().versioned().get().unwrap();
    std::thread::scope(|scope| {
        let taker = scope.spawn(|| get(&first));
        let queue = second.queue::<i64>("jobs").unwrap();
        while queue.status().unwrap().takers == 0 {
            std::thread::yield_now();
        }
        assert_eq!(queue.versioned().put(&5).unwrap().version, 1);
        let taken = taker.join().unwrap();
        assert_eq!((taken.value, taken.version), (5, 2));
    });
}

#[test]
#[should_panic(expected = "not a refusal")]
fn what_became_of_a_call_must_be_known() {
    let server = crate::server();
    let value = server.manager().value("total", &0_i64).unwrap().versioned();
    server.stop();
    let mut history: History = History::new("w");
    drop(history.record("total", ValueOperation::Add(1), || value.add(1)));
}
