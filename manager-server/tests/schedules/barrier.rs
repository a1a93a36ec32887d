//! Barriers: all go through, or none.

use manager_protocol::{Code, barrier, manager};
use manager_server::core::Client;

use super::desk::{Answer, Desk, LATE, explore};
use super::wire::decode;

/// Two wait, one of them for a limited time, and the third comes while something breaks the barrier.
/// `is_first_told` says whether the first is answered in any case.
fn arrive_while(breaks: fn(&Desk, &Client, u64), is_first_told: bool) {
    explore(move || {
        let desk = Desk::new();
        let object = desk.make(manager::OpenBarrier { name: Some("barrier"), parties: 3 });
        let [one, two, three] = desk.clients();
        assert!(desk.ask(&one, 0, object, barrier::Wait { timeout_ms: Some(5) }).is_none());
        assert!(desk.ask(&two, 0, object, barrier::Wait { timeout_ms: None }).is_none());
        let (first, second) = (desk.clone(), desk.clone());
        let (arriving, breaking) = (three.clone(), one.clone());
        let arrival =
            shuttle::thread::spawn(move || first.ask(&arriving, 0, object, barrier::Wait { timeout_ms: None }));
        let breaker = shuttle::thread::spawn(move || breaks(&second, &breaking, object));
        breaker.join().unwrap();
        let third = arrival.join().unwrap().or_else(|| Desk::mail(&three)).unwrap();
        let answers = [Desk::mail(&one), Desk::mail(&two), Some(third)];
        let through = |answer: &Answer| answer.as_ref().map(|result| decode::<u64>(result)).map_err(|code| *code);
        let [first, second, third] = answers.map(|answer| answer.as_ref().map(through));
        assert!(first.is_some() || !is_first_told, "the first is told");
        match second.unwrap() {
            Ok(place) => {
                assert_eq!((place, third), (1, Some(Ok(2))));
                assert!(first.is_none_or(|first| first == Ok(0)), "{first:?}");
            }
            Err(code) => {
                assert_eq!((code, third), (Code::Broken, Some(Err(Code::Broken))));
                assert!(first.is_none_or(|first| matches!(first, Err(Code::Broken | Code::Cancelled))), "{first:?}");
            }
        }
        desk.close([&one, &two, &three]);
    });
}

#[test]
fn the_last_arrives_while_the_time_of_the_first_is_over() {
    arrive_while(|desk, _, _| desk.0.expire(LATE), true);
}

#[test]
fn the_last_arrives_while_the_first_cancels() {
    arrive_while(|desk, client, _| desk.cancel(client, 0), true);
}

#[test]
fn the_last_arrives_while_the_session_of_the_first_ends() {
    arrive_while(|desk, client, _| desk.abandon(client), false);
}

#[test]
fn the_last_arrives_while_the_barrier_is_aborted() {
    arrive_while(|desk, client, object| drop(desk.ask(client, 1, object, barrier::Abort {})), true);
}
