//! Single cases.

use manager_protocol::queue::{self, Lease, Order, QueueSetup};
use manager_protocol::{Code, Kind, Many, manager};

use super::world::{Answer, World, bytes, encoded, refused, reply};
use crate::core::Limits;
use crate::core::moment::Moment;
use crate::core::object::queue::item::Item;
use crate::core::object::{PAGE_BYTES, PAGE_ITEMS};
use crate::core::value::Datum;

const USUAL: QueueSetup = QueueSetup { order: Order::Fifo, capacity: None, max_deliveries: None, dead_letters: None };

/// Two clients and a queue.
fn world(limits: Limits, setup: QueueSetup) -> (World, u64) {
    let mut world = World::new(limits, 2);
    world.connect(0);
    world.connect(1);
    let queue = world.open(0, manager::OpenQueue { name: Some("queue"), setup });
    (world, queue)
}

fn put(value: u64) -> queue::Put<'static> {
    queue::Put { value: encoded(value), priority: None, timeout_ms: Some(0) }
}

fn get() -> queue::Get {
    queue::Get { timeout_ms: Some(0) }
}

fn reserve(lease_ms: Option<i64>) -> queue::Reserve {
    queue::Reserve { lease_ms, timeout_ms: Some(0) }
}

fn leased(lease: u64, deliveries: u32, value: u64) -> Answer {
    reply(Lease { lease, deliveries, value: encoded(value) })
}

#[test]
fn numbers_that_make_no_sense_are_refused_even_if_nothing_has_to_wait() {
    let (mut world, queue) = world(Limits::default(), USUAL);
    let invalid = refused(Code::InvalidArgument);
    let late = |timeout_ms| queue::Put { value: encoded(1), priority: None, timeout_ms };
    assert_eq!(world.call(0, queue, late(Some(-1))), invalid);
    assert_eq!(world.call(0, queue, put(1)), reply(()));
    assert_eq!(world.call(0, queue, queue::Get { timeout_ms: Some(-1) }), invalid);
    assert_eq!(world.call(0, queue, queue::Join { timeout_ms: Some(-1) }), invalid);
    assert_eq!(world.call(0, queue, queue::GetMany { limit: 0, timeout_ms: None }), invalid);
    for lease_ms in [-1, 0] {
        assert_eq!(world.call(0, queue, reserve(Some(lease_ms))), invalid);
        assert_eq!(world.call(0, queue, queue::Extend { lease: 1, lease_ms: Some(lease_ms) }), invalid);
    }
    assert_eq!(world.call(0, queue, queue::Len {}), reply(1_u64));
}

#[test]
fn one_reply_has_a_page_of_items_at_most() {
    let (mut world, queue) = world(Limits::default(), USUAL);
    let large = Vec::from_iter(0..5_u64).into_iter().map(|_| "x".repeat(PAGE_BYTES / 2 - 10));
    let large: Vec<Vec<u8>> = large.map(|text| manager_protocol::encode_value(&text).unwrap()).collect();
    for value in &large {
        let put = queue::Put { value: value.into(), priority: None, timeout_ms: None };
        assert_eq!(world.call(0, queue, put), reply(()));
    }
    let many = || queue::GetMany { limit: u64::MAX, timeout_ms: None };
    let first = reply(Many::new(large[..3].iter().map(manager_protocol::Encoded::from)));
    assert_eq!(world.call(0, queue, many()), first, "the first, and what fits beside it");
    assert_eq!(world.call(0, queue, queue::Len {}), reply(2_u64));
    world.call(0, queue, queue::ShutDown { immediately: true });

    let queue = world.open(0, manager::Open { name: Some("small"), kind: Kind::Queue });
    let values = vec![bytes(1); PAGE_ITEMS as usize + 1];
    let values = Many::new(values.iter().map(manager_protocol::Encoded::from));
    world.call(0, queue, queue::PutMany { values, priority: None, timeout_ms: None });
    world.send_anyhow(0, queue, many());
    assert_eq!(world.call(0, queue, queue::Len {}), reply(1_u64));
}

#[test]
fn items_on_loan_count_for_the_limit_for_they_may_return() {
    let (mut world, queue) = world(Limits { max_items: 2, ..Limits::default() }, USUAL);
    let full = refused(Code::LimitExceeded);
    for expected in [reply(()), reply(()), full.clone()] {
        assert_eq!(world.call(0, queue, put(1)), expected);
    }
    assert_eq!(world.call(0, queue, reserve(None)), leased(1, 1, 1));
    assert_eq!(world.call(0, queue, put(2)), full);
    assert_eq!(world.call(0, queue, queue::Ack { lease: 1 }), reply(()));
    assert_eq!(world.call(0, queue, put(2)), reply(()));
}

#[test]
fn a_lease_that_is_extended_outlives_its_first_deadline() {
    let (mut world, queue) = world(Limits::default(), USUAL);
    world.call(0, queue, put(7));
    assert_eq!(world.call(0, queue, reserve(Some(10))), leased(1, 1, 7));
    let (waits, _) = world.send(1, queue, queue::Reserve { lease_ms: None, timeout_ms: None });
    world.pass(9);
    assert_eq!(world.call(1, queue, queue::Extend { lease: 1, lease_ms: Some(10) }), refused(Code::LeaseLost));
    assert_eq!(world.call(0, queue, queue::Extend { lease: 1, lease_ms: Some(10) }), reply(()));
    world.pass(9);
    assert_eq!(world.collect(), []);
    world.pass(1);
    assert_eq!(world.collect(), [(waits, leased(2, 2, 7))]);
    assert_eq!(world.call(0, queue, queue::Ack { lease: 1 }), refused(Code::LeaseLost));
}

#[test]
fn a_dead_letter_that_its_queue_does_not_take_is_not_lost() {
    let setup = QueueSetup { max_deliveries: Some(1), dead_letters: Some("dead".to_owned()), ..USUAL };
    let (mut world, queue) = world(Limits::default(), setup);
    let dead = world.open(0, manager::Open { name: Some("dead"), kind: Kind::Queue });
    world.call(0, dead, queue::ShutDown { immediately: false });
    world.call(0, queue, put(7));
    assert_eq!(world.call(0, queue, reserve(None)), leased(1, 1, 7));
    assert_eq!(world.call(0, queue, queue::Release { lease: 1 }), reply(()));
    assert_eq!(world.call(0, queue, reserve(None)), leased(2, 2, 7), "it has returned to its place");
    world.call(0, 0, manager::Delete { name: "dead" });
    let (joins, _) = world.send(1, queue, queue::Join { timeout_ms: None });
    assert_eq!(world.call(0, queue, queue::Release { lease: 2 }), reply(()));
    assert_eq!(world.collect(), [(joins, reply(true))], "it is dealt with");
    let dead = world.open(0, manager::Open { name: Some("dead"), kind: Kind::Queue });
    assert_eq!(world.call(0, dead, get()), reply(encoded(7)), "the queue was made anew");
}

#[test]
fn dead_letters_come_whatever_the_capacity() {
    let mut world = World::new(Limits::default(), 1);
    world.connect(0);
    let narrow = QueueSetup { capacity: Some(1), ..USUAL };
    let dead = world.open(0, manager::OpenQueue { name: Some("dead"), setup: narrow });
    let setup = QueueSetup { max_deliveries: Some(1), dead_letters: Some("dead".to_owned()), ..USUAL };
    let queue = world.open(0, manager::OpenQueue { name: Some("queue"), setup });
    for value in 0..3 {
        world.call(0, queue, put(value));
        world.call(0, queue, reserve(Some(1)));
    }
    world.pass(1);
    assert_eq!(world.call(0, dead, queue::Len {}), reply(3_u64));
    assert_eq!(world.call(0, dead, put(9)), refused(Code::Full));
    assert_eq!(world.call(0, queue, queue::Join { timeout_ms: None }), reply(true));
}

#[test]
fn what_was_taken_and_not_wanted_returns_to_the_head() {
    let (mut world, queue) = world(Limits::default(), USUAL);
    for value in 0..3 {
        world.call(0, queue, put(value));
    }
    let (taken, answer) = world.send(0, queue, queue::GetMany { limit: 2, timeout_ms: None });
    assert_eq!(answer, Some(reply(Many::new([encoded(0), encoded(1)].into_iter()))));
    assert!(world.cancel(taken));
    let (lent, answer) = world.send(0, queue, reserve(None));
    assert_eq!(answer, Some(leased(1, 1, 0)));
    assert!(world.cancel(lent));
    assert_eq!(world.call(0, queue, reserve(None)), leased(2, 1, 0), "it was never delivered");
}

#[test]
fn a_deleted_queue_sends_away_who_waits_and_ends_its_leases() {
    let (mut world, queue) = world(Limits::default(), USUAL);
    world.call(0, queue, put(1));
    world.call(0, queue, reserve(Some(50)));
    let (waits, _) = world.send(1, queue, queue::Get { timeout_ms: Some(5) });
    let (joins, _) = world.send(0, queue, queue::Join { timeout_ms: None });
    assert_eq!(world.call(0, 0, manager::Delete { name: "queue" }), reply(true));
    let gone = refused(Code::NoSuchObject);
    assert_eq!(world.collect(), [(joins, gone.clone()), (waits, gone.clone())]);
    assert_eq!(world.census().timers, 0);
    assert_eq!(world.call(0, queue, queue::Ack { lease: 1 }), gone);
}

#[test]
fn nothing_shows_what_an_item_holds() {
    let item = Item::new((0, 5), Datum::new(bytes(0x1234_5678), &Moment::default()));
    assert_eq!(format!("{item:?}"), "Item(5 bytes at (0, 5), delivered 0 times)");
}

#[test]
fn what_a_dying_session_gets_back_is_not_given_to_its_own_waits() {
    let setup = QueueSetup { max_deliveries: Some(1), ..USUAL };
    let (mut world, queue) = world(Limits::default(), setup);
    world.call(1, queue, put(7));
    assert_eq!(world.call(0, queue, get()), reply(encoded(7)));
    let (_, answer) = world.send(0, queue, queue::Reserve { lease_ms: None, timeout_ms: None });
    assert_eq!(answer, None);
    let watch = world.client(0).watch();
    world.core.abandon(&watch, world.now);
    assert_eq!(world.call(1, queue, reserve(None)), leased(1, 1, 7));
}

#[test]
fn what_was_sent_again_and_has_arrived_is_not_taken_back() {
    let (mut world, queue) = world(Limits::default(), USUAL);
    world.call(1, queue, put(7));
    let (request, answer) = world.send(0, queue, get());
    assert_eq!(answer, Some(reply(encoded(7))));
    world.disconnect(0);
    world.connect(0);
    assert_eq!(world.resend(request, queue, get()), Some(reply(encoded(7))));
    world.client(0).heard();
    world.abandon(0);
    assert_eq!(world.call(1, queue, queue::Len {}), reply(0_u64));
}

#[test]
fn takers_wait_for_a_dead_letter_that_may_return() {
    let setup = QueueSetup { max_deliveries: Some(1), dead_letters: Some("dead".into()), ..USUAL };
    let (mut world, queue) = world(Limits::default(), setup);
    let dead = world.open(0, manager::Open { name: Some("dead"), kind: Kind::Queue });
    world.call(1, dead, queue::ShutDown { immediately: false });
    world.call(1, queue, put(7));
    assert_eq!(world.call(0, queue, reserve(None)), leased(1, 1, 7));
    world.call(1, queue, queue::ShutDown { immediately: false });
    let (taker, answer) = world.send(1, queue, queue::Get { timeout_ms: None });
    assert_eq!(answer, None);
    world.call(0, queue, queue::Release { lease: 1 });
    assert_eq!(world.collect(), [(taker, reply(encoded(7)))]);
}
