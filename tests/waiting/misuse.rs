//! What is asked wrongly of locks and queues is refused, saying what was wrong.

use std::time::Duration;

use manager_client::{DirectLink, Error, Holder, Manager, ManagerQueue, QueueOptions, SemaphoreOptions};
use manager_tests::{over_every_link, server, wait};

/// Checks what is refused: by a predicate, and by words.
#[track_caller]
fn refused<T>(outcome: Result<T, Error>, is_so: impl FnOnce(&Error) -> bool, words: &[&str]) {
    let error = outcome.err().expect("it is refused");
    assert!(is_so(&error), "{error:?}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} in {error:?}");
    }
}

fn locks<L: DirectLink>(manager: &Manager<L>) {
    let lock = wait::<L, _>(manager.lock("lock")).unwrap();
    let (one, other) = (Holder::new(), Holder::new());
    let guard = wait::<L, _>(lock.with_holder(one).acquire()).unwrap();
    refused(wait::<L, _>(lock.with_holder(one).acquire()), Error::is_deadlock, &["\"lock\"", "for ever"]);
    assert!(wait::<L, _>(lock.with_holder(other).try_acquire()).unwrap().is_none());
    drop(guard);

    let ownerless = wait::<L, _>(manager.ownerless_lock("ownerless")).unwrap();
    refused(wait::<L, _>(ownerless.release()), Error::is_not_held, &["lock.release on \"ownerless\"", "not held"]);
    refused(wait::<L, _>(manager.lock("ownerless")), Error::is_wrong_setup, &["ownerless", "owned"]);
    refused(wait::<L, _>(manager.rlock("lock")), Error::is_wrong_setup, &["reentrant"]);
    refused(wait::<L, _>(manager.event("lock")), Error::is_wrong_kind, &["\"lock\" is a lock, not an event"]);

    let rlock = wait::<L, _>(manager.rlock("rlock")).unwrap().with_holder(one);
    let outer = wait::<L, _>(rlock.acquire()).unwrap();
    let inner = wait::<L, _>(rlock.acquire()).unwrap();
    assert_eq!(outer.token(), inner.token());
    drop(inner);
    assert!(wait::<L, _>(rlock.with_holder(other).try_acquire()).unwrap().is_none(), "it is held once more");
    drop(outer);
}

#[test]
fn locks_are_let_go_by_their_holders_only() {
    over_every_link!(locks);
}

fn semaphores<L: DirectLink>(manager: &Manager<L>) {
    let bounded = wait::<L, _>(manager.bounded_semaphore("bounded", 1)).unwrap();
    refused(wait::<L, _>(bounded.release()), Error::is_over_release, &["semaphore.release on \"bounded\"", "1 permit"]);
    let other = SemaphoreOptions::new(2).bounded();
    refused(wait::<L, _>(manager.semaphore_with("bounded", other)), Error::is_wrong_setup, &["1 permit", "2 permit"]);
    let open = wait::<L, _>(manager.semaphore("open", 0)).unwrap();
    wait::<L, _>(open.release()).unwrap();
    assert!(wait::<L, _>(open.try_acquire()).unwrap().is_some());

    refused(wait::<L, _>(manager.barrier("barrier", 0)), |_| true, &["0 parties"]);
    let barrier = wait::<L, _>(manager.barrier("barrier", 2)).unwrap();
    refused(wait::<L, _>(manager.barrier("barrier", 3)), Error::is_wrong_setup, &["for 2", "for 3"]);
    wait::<L, _>(barrier.abort()).unwrap();
    refused(wait::<L, _>(barrier.wait()), Error::is_broken, &["barrier.wait on \"barrier\""]);
}

#[test]
fn permits_are_given_back_once() {
    over_every_link!(semaphores);
}

fn queues<L: DirectLink>(manager: &Manager<L>) {
    let queue: ManagerQueue<u64, L> = wait::<L, _>(manager.queue("queue")).unwrap();
    refused(wait::<L, _>(queue.task_done()), Error::is_over_release, &["queue.task_done on \"queue\""]);
    refused(wait::<L, _>(queue.put_with_priority(&1, 5)), |_| true, &["priorities"]);
    refused(wait::<L, _>(queue.get_many(0)), |_| true, &["queue.get_many on \"queue\""]);
    let small: ManagerQueue<u64, L> =
        wait::<L, _>(manager.queue_with("small", QueueOptions::new().capacity(2))).unwrap();
    refused(wait::<L, _>(small.put_many(0..3)), |_| true, &["2"]);
    let other = QueueOptions::new().capacity(3).lifo();
    refused(wait::<L, _>(manager.queue_with::<u64>("small", other)), Error::is_wrong_setup, &["2", "3"]);
    let none = QueueOptions::new().capacity(0);
    refused(wait::<L, _>(manager.queue_with::<u64>("none", none)), |_| true, &["capacity"]);

    // The time of a lease is over before it is acknowledged.
    wait::<L, _>(queue.put(&1)).unwrap();
    let lease = wait::<L, _>(queue.with_lease(Duration::from_millis(1)).reserve()).unwrap();
    let again = wait::<L, _>(queue.reserve()).unwrap();
    assert_eq!((lease.deliveries(), again.deliveries()), (1, 2));
    refused(wait::<L, _>(lease.ack()), Error::is_lease_lost, &["queue.ack on \"queue\""]);
    wait::<L, _>(again.ack()).unwrap();

    wait::<L, _>(queue.shut_down()).unwrap();
    refused(wait::<L, _>(queue.put(&1)), Error::is_shut_down, &["queue.put on \"queue\""]);
    refused(wait::<L, _>(queue.get()), Error::is_shut_down, &["queue.get on \"queue\""]);
}

#[test]
fn queues_refuse_what_makes_no_sense() {
    over_every_link!(queues);
}

#[test]
fn a_circle_of_two_clients_is_refused_and_named() {
    let server = server();
    let (one, other) = (server.manager(), server.manager());
    let open = |manager: &Manager| (manager.lock("first").unwrap(), manager.lock("second").unwrap());
    let ((first, _), (_, second)) = (open(&one), open(&other));
    let _first = first.acquire().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let guard = second.acquire().unwrap();
            let error = open(&other).0.acquire().map(drop);
            drop(guard);
            error
        });
        crate::child::eventually("one waits", || (server.census().waiting == 1).then_some(()));
        let error = open(&one).1.acquire().map(drop).unwrap_err();
        assert!(error.is_deadlock(), "{error}");
        for lock in ["\"first\"", "\"second\""] {
            assert!(error.to_string().contains(lock), "{error}");
        }
        drop(_first);
        waiting.join().unwrap().unwrap();
    });
}

fn pipes<L: DirectLink>(manager: &Manager<L>) {
    let (left, right) = wait::<L, _>(manager.pipe::<u64, u64>("pipe")).unwrap();
    wait::<L, _>(left.send(&1)).unwrap();
    wait::<L, _>(left.close()).unwrap();
    assert_eq!(wait::<L, _>(right.recv()).unwrap(), 1, "what was sent before can be taken");
    refused(wait::<L, _>(right.recv()), Error::is_closed, &["pipe.receive on \"pipe\""]);
    refused(wait::<L, _>(right.send(&1)), Error::is_closed, &["pipe.send on \"pipe\""]);
    let ticket = wait::<L, _>(right.hand_over()).unwrap();
    let _right = wait::<L, _>(manager.pipe_end::<u64, u64>(&ticket)).unwrap();
    refused(wait::<L, _>(manager.pipe_end::<u64, u64>(&ticket)), Error::is_no_such_ticket, &["pipe.attach"]);
}

#[test]
fn pipes_end_and_tickets_are_good_once() {
    over_every_link!(pipes);
}
