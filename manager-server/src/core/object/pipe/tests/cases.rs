//! Single cases.

use manager_protocol::pipe::{self, Side};
use manager_protocol::{Code, manager};

use crate::core::Limits;
use crate::core::object::queue::tests::world::{World, encoded, refused, reply};

/// Two clients, who have an end each.
fn world(limits: Limits) -> (World, u64) {
    let mut world = World::new(limits, 2);
    world.connect(0);
    world.connect(1);
    let pipe = world.open(0, manager::OpenPipe { name: Some("pipe"), duplex: true });
    for (seat, side) in [(0, Side::Left), (1, Side::Right)] {
        assert_eq!(world.call(seat, pipe, pipe::Attach { side, ticket: None }), reply(()));
    }
    (world, pipe)
}

#[test]
fn the_end_of_the_messages_is_not_the_end_of_the_other_process_alone() {
    let (mut world, pipe) = world(Limits::default());
    let receive = || pipe::Receive { side: Side::Left, timeout_ms: None };
    assert_eq!(world.call(1, pipe, pipe::HandOver { side: Side::Right }), reply(1_u64));
    let (waits, answer) = world.send(0, pipe, receive());
    assert_eq!(answer, None, "the other end is on its way");
    assert_eq!(world.call(0, pipe, pipe::Attach { side: Side::Right, ticket: Some(1) }), reply(()));
    let again = world.call(1, pipe, pipe::Attach { side: Side::Right, ticket: Some(1) });
    assert_eq!(again, refused(Code::NoSuchTicket));
    world.abandon(1);
    assert_eq!(world.collect(), [], "whoever claimed it has it");
    assert_eq!(world.call(0, pipe, pipe::Close { side: Side::Right }), reply(()));
    assert_eq!(world.collect(), [(waits, refused(Code::Closed))]);
    let poll = world.call(0, pipe, pipe::Poll { side: Side::Left, timeout_ms: None });
    assert_eq!(poll, reply(true), "a read would not block");
    let sent = world.call(0, pipe, pipe::Send { side: Side::Left, value: encoded(1) });
    assert_eq!(sent, refused(Code::Closed));
}

#[test]
fn who_closes_an_end_waits_there_no_more() {
    let (mut world, pipe) = world(Limits::default());
    let (waits, _) = world.send(0, pipe, pipe::Receive { side: Side::Left, timeout_ms: None });
    assert_eq!(world.call(0, pipe, pipe::Close { side: Side::Left }), reply(()));
    assert_eq!(world.collect(), [(waits, refused(Code::NotHeld))]);
    assert_eq!(world.call(0, pipe, pipe::Close { side: Side::Left }), refused(Code::NotHeld));
}

#[test]
fn there_are_not_more_messages_than_the_limit() {
    let (mut world, pipe) = world(Limits { max_items: 2, ..Limits::default() });
    for expected in [reply(()), reply(()), refused(Code::LimitExceeded)] {
        let send = pipe::Send { side: Side::Left, value: encoded(1) };
        assert_eq!(world.call(0, pipe, send), expected);
    }
    let negative = pipe::Receive { side: Side::Right, timeout_ms: Some(-1) };
    assert_eq!(world.call(1, pipe, negative), refused(Code::InvalidArgument));
}

#[test]
fn a_deleted_pipe_sends_away_who_waits() {
    let (mut world, pipe) = world(Limits::default());
    let (waits, _) = world.send(0, pipe, pipe::Poll { side: Side::Left, timeout_ms: Some(5) });
    assert_eq!(world.call(1, 0, manager::Delete { name: "pipe" }), reply(true));
    assert_eq!(world.collect(), [(waits, refused(Code::NoSuchObject))]);
    assert_eq!(world.census().timers, 0);
}
