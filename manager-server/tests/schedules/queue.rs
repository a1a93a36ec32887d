//! Queues: an item is neither lost nor doubled.

use manager_protocol::{Code, Encoded, Kind, queue};
use manager_server::core::Client;

use super::desk::{Desk, LATE, at_once, explore};
use super::wire::decode;

const ITEM: Encoded<'static> = Encoded::Borrowed(&[0x2a]);

/// One waits for an item, which another puts while the wait ends in this way; the item is there for
/// somebody else.
fn put_while(end: fn(&Desk, &Client)) {
    explore(move || {
        let desk = Desk::new();
        let object = desk.open("queue", Kind::Queue);
        let [putter, taker] = desk.clients();
        assert!(desk.ask(&taker, 0, object, queue::Get { timeout_ms: Some(5) }).is_none());
        let (first, second) = (desk.clone(), desk.clone());
        let (putting, ending) = (putter.clone(), taker.clone());
        at_once([
            Box::new(move || {
                let put = queue::Put { value: ITEM, priority: None, timeout_ms: None };
                first.ask(&putting, 0, object, put).unwrap().unwrap();
            }),
            Box::new(move || end(&second, &ending)),
        ]);
        desk.0.expire(LATE);
        assert_eq!(desk.get::<_, u64>(&putter, 1, object, queue::Len {}), 1);
        desk.close([&putter, &taker]);
    });
}

#[test]
fn an_item_is_put_while_the_taker_cancels() {
    put_while(|desk, client| desk.cancel(client, 0));
}

#[test]
fn an_item_is_put_while_the_taker_is_lost() {
    put_while(Desk::broke);
}

#[test]
fn an_item_is_put_while_the_session_of_the_taker_ends() {
    put_while(Desk::abandon);
}

#[test]
fn of_two_items_and_two_takers_each_has_one_or_it_is_left() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("queue", Kind::Queue);
        let [putter, one, two] = desk.clients();
        assert!(desk.ask(&one, 0, object, queue::Get { timeout_ms: Some(5) }).is_none());
        let (first, second, third) = (desk.clone(), desk.clone(), desk.clone());
        let (putting, taking) = (putter.clone(), two.clone());
        let direct = shuttle::thread::spawn(move || second.ask(&taking, 0, object, queue::Get { timeout_ms: Some(5) }));
        at_once([
            Box::new(move || {
                for id in 0..2 {
                    let put = queue::Put { value: ITEM, priority: None, timeout_ms: None };
                    first.ask(&putting, id, object, put).unwrap().unwrap();
                }
            }),
            Box::new(move || third.0.expire(LATE)),
        ]);
        let answers = [Desk::mail(&one), direct.join().unwrap().or_else(|| Desk::mail(&two))];
        let taken = answers.iter().flatten().filter(|answer| answer.is_ok()).count() as u64;
        assert_eq!(taken + desk.get::<_, u64>(&putter, 2, object, queue::Len {}), 2);
        desk.close([&putter, &one, &two]);
    });
}

/// An item on loan is acknowledged while its lease ends in this way: it is gone, or it is back.
fn acknowledge_while(end: fn(&Desk, &Client)) {
    explore(move || {
        let desk = Desk::new();
        let object = desk.open("queue", Kind::Queue);
        let [putter, taker] = desk.clients();
        let put = queue::Put { value: ITEM, priority: None, timeout_ms: None };
        desk.ask(&putter, 0, object, put).unwrap().unwrap();
        let lease = {
            let answer = desk.ask(&taker, 0, object, queue::Reserve { lease_ms: Some(5), timeout_ms: None });
            decode::<queue::Lease<'_>>(&answer.unwrap().unwrap()).lease
        };
        taker.heard();
        let (first, second) = (desk.clone(), desk.clone());
        let (acknowledging, ending) = (taker.clone(), taker.clone());
        let acknowledged = shuttle::thread::spawn(move || first.ask(&acknowledging, 1, object, queue::Ack { lease }));
        end(&second, &ending);
        let is_gone = match acknowledged.join().unwrap().unwrap() {
            Ok(_) => 1,
            Err(code) => {
                assert!(matches!(code, Code::LeaseLost | Code::SessionExpired), "{code:?}");
                0
            }
        };
        assert_eq!(is_gone + desk.get::<_, u64>(&putter, 1, object, queue::Len {}), 1);
        desk.close([&putter, &taker]);
    });
}

#[test]
fn a_lease_is_acknowledged_while_its_time_is_over() {
    acknowledge_while(|desk, _| desk.0.expire(LATE));
}

#[test]
fn a_lease_is_acknowledged_while_its_session_ends() {
    acknowledge_while(Desk::abandon);
}
