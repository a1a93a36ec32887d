//! Locks: handed over, waited for in a circle, deleted.

use manager_protocol::lock::{self, Grant, LockStatus};
use manager_protocol::{Code, Kind, manager};
use manager_server::core::Client;

use super::desk::{Answer, Desk, LATE, at_once, explore};
use super::wire::decode;

fn acquire(desk: &Desk, client: &Client, id: u64, object: u64) -> Option<Answer> {
    desk.ask(client, id, object, lock::Acquire { holder: 0, timeout_ms: None })
}

fn grant(answer: Answer) -> Grant {
    decode::<Option<Grant>>(&answer.unwrap()).unwrap()
}

/// The first has the lock; the second and the third wait for it, in this order.
fn queued(desk: &Desk) -> (u64, [Client; 3]) {
    let object = desk.open("lock", Kind::Lock);
    let clients = desk.clients();
    assert_eq!(grant(acquire(desk, &clients[0], 0, object).unwrap()).token, 1);
    clients[0].heard();
    for client in &clients[1..] {
        assert!(acquire(desk, client, 0, object).is_none());
    }
    (object, clients)
}

/// Lets the first let go in one of several ways while the second goes in another; the third has the
/// lock once both are over.
fn hand_over(let_go: fn(&Desk, &Client, u64), go: fn(&Desk, &Client), died: bool) {
    explore(move || {
        let desk = Desk::new();
        let (object, [holder, waiter, last]) = queued(&desk);
        let (first, second) = (desk.clone(), desk.clone());
        let (held, waited) = (holder.clone(), waiter.clone());
        at_once([Box::new(move || let_go(&first, &held, object)), Box::new(move || go(&second, &waited))]);
        desk.0.expire(LATE);
        let granted = grant(Desk::mail(&last).unwrap());
        assert!(granted.token > 1);
        assert!(!granted.owner_died || died, "nobody died who had the lock");
        let status: LockStatus = desk.get(&last, 1, object, lock::Status {});
        assert_eq!(status, LockStatus { held: true, token: granted.token, waiting: 0 });
        desk.close([&holder, &waiter, &last]);
    });
}

fn release(desk: &Desk, client: &Client, object: u64) {
    assert!(desk.ask(client, 1, object, lock::Release { holder: 0 }).unwrap().is_ok());
}

#[test]
fn a_lock_is_released_while_the_next_is_lost() {
    hand_over(release, Desk::broke, false);
}

#[test]
fn a_lock_is_released_while_the_session_of_the_next_ends() {
    // One that has it on the way is told of as dead: whether it knew cannot be said.
    hand_over(release, Desk::abandon, true);
}

#[test]
fn the_holder_dies_while_the_next_is_lost() {
    hand_over(|desk, client, _| desk.abandon(client), Desk::broke, true);
}

#[test]
fn the_holder_dies_while_the_session_of_the_next_ends() {
    hand_over(|desk, client, _| desk.abandon(client), Desk::abandon, true);
}

#[test]
fn a_lock_is_released_while_the_next_cancels() {
    hand_over(release, |desk, client| desk.cancel(client, 0), false);
}

#[test]
fn a_connection_is_lost_while_its_request_begins_to_wait() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("lock", Kind::Lock);
        let [holder, waiter] = desk.clients();
        acquire(&desk, &holder, 0, object).unwrap().unwrap();
        let (first, second) = (desk.clone(), desk.clone());
        let (asking, lost) = (waiter.clone(), waiter.clone());
        at_once([Box::new(move || drop(acquire(&first, &asking, 0, object))), Box::new(move || second.broke(&lost))]);
        release(&desk, &holder, object);
        desk.0.expire(LATE);
        let status: LockStatus = desk.get(&holder, 2, object, lock::Status {});
        assert!(!status.held && status.waiting == 0, "{status:?}");
        desk.close([&holder]);
    });
}

#[test]
fn of_two_waits_that_close_a_circle_one_is_refused() {
    explore(|| {
        let desk = Desk::new();
        let objects = [desk.open("left", Kind::Lock), desk.open("right", Kind::Lock)];
        let [left, right] = desk.clients();
        acquire(&desk, &left, 0, objects[0]).unwrap().unwrap();
        acquire(&desk, &right, 0, objects[1]).unwrap().unwrap();
        let asks = |client: &Client, object: u64| {
            let (desk, client) = (desk.clone(), client.clone());
            shuttle::thread::spawn(move || acquire(&desk, &client, 1, object))
        };
        let threads = [asks(&left, objects[1]), asks(&right, objects[0])];
        let answers = threads.map(|thread| thread.join().unwrap());
        assert!(
            matches!(&answers, [None, Some(Err(Code::Deadlock))] | [Some(Err(Code::Deadlock)), None]),
            "{answers:?}"
        );
        desk.close([&left, &right]);
    });
}

#[test]
fn nobody_is_left_waiting_in_a_lock_that_is_deleted() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("lock", Kind::Lock);
        let [holder, waiter] = desk.clients();
        acquire(&desk, &holder, 0, object).unwrap().unwrap();
        let (first, second) = (desk.clone(), desk.clone());
        let (asking, deleting) = (waiter.clone(), holder.clone());
        let asked = shuttle::thread::spawn(move || {
            first.ask(&asking, 0, object, lock::Acquire { holder: 0, timeout_ms: Some(5) })
        });
        second.ask(&deleting, 1, 0, manager::Delete { name: "lock" }).unwrap().unwrap();
        let answer = asked.join().unwrap().or_else(|| Desk::mail(&waiter));
        assert_eq!(answer, Some(Err(Code::NoSuchObject)));
        desk.close([&holder, &waiter]);
    });
}

#[test]
fn a_session_ends_while_it_takes_a_lock_for_which_another_waits() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("lock", Kind::Lock);
        let [ending, other] = desk.clients();
        let asks = |client: &Client| {
            let (desk, client) = (desk.clone(), client.clone());
            shuttle::thread::spawn(move || acquire(&desk, &client, 0, object))
        };
        let threads = [asks(&ending), asks(&other)];
        desk.abandon(&ending);
        let [_, answer] = threads.map(|thread| thread.join().unwrap());
        let granted = grant(answer.or_else(|| Desk::mail(&other)).unwrap());
        let status: LockStatus = desk.get(&other, 1, object, lock::Status {});
        assert_eq!(status, LockStatus { held: true, token: granted.token, waiting: 0 });
        desk.close([&other]);
    });
}

#[test]
fn a_wait_is_cancelled_while_it_is_asked_for_again_on_another_connection() {
    explore(|| {
        let desk = Desk::new();
        let (object, [holder, waiter, last]) = queued(&desk);
        let second = desk.join(&waiter).unwrap();
        let (first, again, cancelling) = (desk.clone(), desk.clone(), waiter.clone());
        let asking = second.clone();
        let asked = shuttle::thread::spawn(move || acquire(&again, &asking, 0, object));
        let cancelled = shuttle::thread::spawn(move || first.cancel(&cancelling, 0));
        release(&desk, &holder, object);
        cancelled.join().unwrap();
        let answers = [asked.join().unwrap(), Desk::mail(&waiter), Desk::mail(&second)];
        assert!(answers.iter().any(Option::is_some), "it is answered, whichever way");
        assert!(grant(Desk::mail(&last).unwrap()).token > 1);
        desk.close([&holder, &waiter, &last]);
    });
}
