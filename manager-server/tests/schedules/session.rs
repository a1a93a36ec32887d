//! Sessions: lost, resumed and expired, and their answers asked for again.

use manager_protocol::Kind;
use manager_protocol::lock::{self, Grant, LockStatus};
use manager_server::core::{Client, Time};

use super::desk::{Answer, Desk, GRACE, LATE, explore};
use super::wire::decode;

fn acquire(desk: &Desk, client: &Client, id: u64, object: u64) -> Option<Answer> {
    desk.ask(client, id, object, lock::Acquire { holder: 0, timeout_ms: None })
}

fn grant(answer: Answer) -> Grant {
    decode::<Option<Grant>>(&answer.unwrap()).unwrap()
}

#[test]
fn a_session_is_resumed_or_has_expired() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("lock", Kind::Lock);
        let [holder, waiter] = desk.clients();
        acquire(&desk, &holder, 0, object).unwrap().unwrap();
        assert!(acquire(&desk, &waiter, 0, object).is_none());
        desk.broke(&holder);
        let (first, second, lost) = (desk.clone(), desk.clone(), holder.clone());
        let expiry = shuttle::thread::spawn(move || first.0.expire(GRACE));
        let resumed = shuttle::thread::spawn(move || {
            let client = second.join(&lost)?;
            acquire(&second, &client, 0, object)
        });
        expiry.join().unwrap();
        let waited = Desk::mail(&waiter);
        match resumed.join().unwrap() {
            // What is asked again is answered as before.
            Some(answer) => assert!(grant(answer).token == 1 && waited.is_none()),
            None => assert_eq!(grant(waited.unwrap()).token, 2),
        }
        desk.close([&holder, &waiter]);
    });
}

#[test]
fn a_session_that_is_lost_twice_is_given_its_time_twice_and_leaves_no_timer() {
    explore(|| {
        let desk = Desk::new();
        let [client] = desk.clients();
        let second = desk.join(&client).unwrap();
        let (losing, resuming) = (desk.clone(), desk.clone());
        let (lost, known) = (client.clone(), client.clone());
        let first = shuttle::thread::spawn(move || losing.broke(&lost));
        let again = shuttle::thread::spawn(move || {
            resuming.broke(&second);
            let third = resuming.join(&known).unwrap();
            resuming.broke(&third);
        });
        first.join().unwrap();
        again.join().unwrap();
        assert_eq!(desk.0.census().timers, 1, "that of the session's end");
        desk.0.expire(LATE);
        assert_eq!((desk.0.census().sessions, desk.0.census().timers), (0, 0));
    });
}

#[test]
fn a_session_that_was_resumed_in_time_and_lost_again_lives_on() {
    explore(|| {
        let desk = Desk::new();
        let [client] = desk.clients();
        desk.broke(&client);
        let (first, second, lost) = (desk.clone(), desk.clone(), client.clone());
        let expiry = shuttle::thread::spawn(move || first.0.expire(GRACE));
        let resumed = shuttle::thread::spawn(move || {
            let joined = second.join(&lost);
            if let Some(client) = &joined {
                second.0.disconnect(client, manager_server::core::Departure::Broke, GRACE);
            }
            joined.is_some()
        });
        expiry.join().unwrap();
        let was_resumed = resumed.join().unwrap();
        assert_eq!(desk.join(&client).is_some(), was_resumed, "its time is not over yet");
        desk.close([&client]);
    });
}

#[test]
fn a_late_answer_arrives_once_though_it_is_asked_for_again_meanwhile() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("lock", Kind::Lock);
        let [holder, waiter] = desk.clients();
        acquire(&desk, &holder, 0, object).unwrap().unwrap();
        assert!(acquire(&desk, &waiter, 0, object).is_none());
        let (first, second) = (desk.clone(), desk.clone());
        let (releasing, lost) = (holder.clone(), waiter.clone());
        let release = shuttle::thread::spawn(move || {
            first.ask(&releasing, 1, object, lock::Release { holder: 0 }).unwrap().unwrap();
        });
        let again = shuttle::thread::spawn(move || {
            second.broke(&lost);
            let client = second.join(&lost).unwrap();
            let answer = acquire(&second, &client, 0, object);
            (client, answer)
        });
        release.join().unwrap();
        let (client, answer) = again.join().unwrap();
        let mail = Desk::mail(&client);
        assert!(answer.is_none() || mail.is_none(), "one answer");
        let granted = grant(answer.or(mail).unwrap());
        let status: LockStatus = desk.get(&client, 1, object, lock::Status {});
        assert_eq!(status, LockStatus { held: true, token: granted.token, waiting: 0 });
        desk.close([&holder, &waiter]);
    });
}

#[test]
fn a_request_that_two_connections_send_at_once_is_done_once_and_answered() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("lock", Kind::Lock);
        let [one] = desk.clients();
        let two = desk.join(&one).unwrap();
        let asks = |client: &Client| {
            let (desk, client) = (desk.clone(), client.clone());
            shuttle::thread::spawn(move || acquire(&desk, &client, 0, object))
        };
        let threads = [asks(&one), asks(&two)];
        let answers = threads.map(|thread| thread.join().unwrap());
        let answers = answers.into_iter().chain([Desk::mail(&one), Desk::mail(&two)]).flatten();
        let tokens: Vec<u64> = answers.map(|answer| grant(answer).token).collect();
        assert!(!tokens.is_empty() && tokens.iter().all(|token| *token == 1), "{tokens:?}");
        assert!(!desk.0.cancel(&one, 5, Time::ZERO));
        desk.close([&one]);
    });
}
