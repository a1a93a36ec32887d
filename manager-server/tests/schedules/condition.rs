//! Conditions: a notification, the end of the time and a cancel, all at once.

use manager_protocol::condition::{self, ConditionStatus, Wake};
use manager_protocol::lock::Grant;
use manager_protocol::{Code, Kind};
use manager_server::core::Client;

use super::desk::{Desk, LATE, at_once, explore};
use super::wire::decode;

/// One waits for a notification, for a limited time; another notifies it and lets the lock go, while
/// this happens. The answer, if there is one, and whether the lock is held then.
fn notify_while(happens: fn(&Desk, &Client), judge: fn(Option<Result<Wake, Code>>, ConditionStatus)) {
    explore(move || {
        let desk = Desk::new();
        let object = desk.open("condition", Kind::Condition);
        let [waiter, notifier] = desk.clients();
        for client in [&waiter, &notifier] {
            let grant: Option<Grant> = desk.get(client, 0, object, condition::Acquire { holder: 0, timeout_ms: None });
            assert!(grant.is_some());
            client.heard();
            if client.session() == waiter.session() {
                assert!(desk.ask(client, 1, object, condition::Wait { holder: 0, timeout_ms: Some(5) }).is_none());
            }
        }
        let (first, second) = (desk.clone(), desk.clone());
        let (notifying, waiting) = (notifier.clone(), waiter.clone());
        at_once([
            Box::new(move || {
                first.ask(&notifying, 1, object, condition::Notify { holder: 0, count: None }).unwrap().unwrap();
                first.ask(&notifying, 2, object, condition::Release { holder: 0 }).unwrap().unwrap();
            }),
            Box::new(move || happens(&second, &waiting)),
        ]);
        let answer = Desk::mail(&waiter).map(|answer| answer.map(|result| decode::<Wake>(&result)));
        judge(answer, desk.get(&notifier, 3, object, condition::Status {}));
        desk.close([&waiter, &notifier]);
    });
}

#[test]
fn a_notification_comes_while_the_time_is_over() {
    notify_while(
        |desk, _| desk.0.expire(LATE),
        |answer, status| {
            answer.unwrap().unwrap();
            assert_eq!(status, ConditionStatus { held: true, acquiring: 0, waiting: 0 });
        },
    );
}

#[test]
fn a_notification_comes_while_the_wait_is_cancelled() {
    notify_while(
        |desk, client| desk.cancel(client, 1),
        |answer, status| {
            assert!(matches!(answer, Some(Ok(_) | Err(Code::Cancelled))));
            assert_eq!(status, ConditionStatus { held: false, acquiring: 0, waiting: 0 });
        },
    );
}

#[test]
fn a_notification_comes_while_the_session_ends() {
    notify_while(
        |desk, client| desk.abandon(client),
        |_, status| assert_eq!(status, ConditionStatus { held: false, acquiring: 0, waiting: 0 }),
    );
}

#[test]
fn a_notification_comes_while_the_connection_is_lost_and_the_wait_goes_on() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("condition", Kind::Condition);
        let [waiter, notifier] = desk.clients();
        let wait =
            |desk: &Desk, client: &Client| desk.ask(client, 1, object, condition::Wait { holder: 0, timeout_ms: None });
        let acquire = || condition::Acquire { holder: 0, timeout_ms: None };
        desk.ask(&waiter, 0, object, acquire()).unwrap().unwrap();
        assert!(wait(&desk, &waiter).is_none());
        desk.ask(&notifier, 0, object, acquire()).unwrap().unwrap();
        let (first, second) = (desk.clone(), desk.clone());
        let (notifying, lost) = (notifier.clone(), waiter.clone());
        let notified = shuttle::thread::spawn(move || {
            first.ask(&notifying, 1, object, condition::Notify { holder: 0, count: None }).unwrap().unwrap();
            first.ask(&notifying, 2, object, condition::Release { holder: 0 }).unwrap().unwrap();
        });
        let again = shuttle::thread::spawn(move || {
            second.broke(&lost);
            let client = second.join(&lost).unwrap();
            let answer = second.ask(&client, 1, object, condition::Wait { holder: 0, timeout_ms: None });
            (client, answer)
        });
        notified.join().unwrap();
        let (client, answer) = again.join().unwrap();
        let answer = answer.or_else(|| Desk::mail(&client)).unwrap().unwrap();
        assert!(decode::<Wake>(&answer).notified);
        desk.close([&waiter, &notifier]);
    });
}
