//! Pipes that are driven as clients drive them, with a clock that goes when it is told to.

mod cases;
mod model;

use std::time::Duration;

use manager_protocol::manager;
use manager_protocol::pipe::{self, Side};
use proptest::prelude::*;

use crate::core::Limits;
use crate::core::object::queue::tests::world::{Answer, World, encoded, reply};
use model::Model;

const SEATS: usize = 3;
const GRACE_MS: u64 = 10;

/// What one client does, or what happens to it.
#[derive(Debug, Clone, Copy)]
enum Act {
    Attach,
    /// Attaches with a ticket.
    Claim(usize),
    Close,
    HandOver,
    Send,
    Receive(Option<u64>),
    Poll(Option<u64>),
    Cancel {
        back: u64,
    },
    Acknowledge,
    Hear,
    Break,
    End,
    Pass(u64),
}

fn timeout() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), Just(Some(0)), Just(Some(4)), Just(Some(15))]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => Just(Act::Attach),
        2 => any::<u16>().prop_map(|nth| Act::Claim(nth.into())),
        3 => Just(Act::Close),
        2 => Just(Act::HandOver),
        12 => Just(Act::Send),
        12 => timeout().prop_map(Act::Receive),
        4 => timeout().prop_map(Act::Poll),
        4 => (0_u64..6).prop_map(|back| Act::Cancel { back }),
        2 => Just(Act::Acknowledge),
        2 => Just(Act::Hear),
        2 => Just(Act::Break),
        1 => Just(Act::End),
        4 => (1_u64..8).prop_map(Act::Pass),
    ]
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Left), Just(Side::Right)]
}

/// A pipe, and what it should be.
struct Run {
    world: World,
    model: Model,
    pipe: u64,
    duplex: bool,
}

fn milliseconds(number: Option<u64>) -> Option<i64> {
    number.map(|number| i64::try_from(number).unwrap())
}

impl Run {
    fn new(duplex: bool) -> Self {
        let limits = Limits { grace: Duration::from_millis(GRACE_MS), ..Limits::default() };
        let mut world = World::new(limits, SEATS);
        let mut model = Model::new(duplex, SEATS, world.now);
        world.connect(0);
        model.connect(0);
        let pipe = world.open(0, manager::OpenPipe { name: Some("pipe"), duplex });
        Self { world, model, pipe, duplex }
    }

    fn connect(&mut self, seat: usize) {
        if !self.world.is_connected(seat) {
            self.world.connect(seat);
            self.model.connect(seat);
        }
    }

    fn attach(&mut self, seat: usize, side: Side, ticket: Option<u64>) {
        let attach = pipe::Attach { side, ticket };
        assert_eq!(self.world.call(seat, self.pipe, attach), self.model.attach(seat, side, ticket));
    }

    fn act(&mut self, seat: usize, side: Side, act: Act) {
        self.connect(seat);
        match act {
            Act::Attach => self.attach(seat, side, None),
            Act::Claim(nth) => self.attach(seat, side, Some(self.model.pick_ticket(nth))),
            Act::Close => {
                assert_eq!(self.world.call(seat, self.pipe, pipe::Close { side }), self.model.close(seat, side));
            }
            Act::HandOver => {
                let answer = self.world.call(seat, self.pipe, pipe::HandOver { side });
                assert_eq!(answer, self.model.hand_over(seat, side));
            }
            Act::Send => {
                let value = self.model.sent.len() as u64;
                let send = pipe::Send { side, value: encoded(value) };
                assert_eq!(self.world.call(seat, self.pipe, send), self.model.send(seat, side, value));
            }
            Act::Receive(timeout) => {
                let receive = pipe::Receive { side, timeout_ms: milliseconds(timeout) };
                let (request, answer) = self.world.send(seat, self.pipe, receive);
                assert_eq!(answer, self.model.receive(request, side, true, timeout));
            }
            Act::Poll(timeout) => {
                let poll = pipe::Poll { side, timeout_ms: milliseconds(timeout) };
                let (request, answer) = self.world.send(seat, self.pipe, poll);
                assert_eq!(answer, self.model.receive(request, side, false, timeout));
            }
            Act::Cancel { back } => {
                let request = (seat, self.world.last_request(seat).saturating_sub(back));
                assert_eq!(self.world.cancel(request), self.model.cancel(request));
            }
            Act::Acknowledge => {
                let mut awaited = self.model.awaited(seat);
                awaited.sort_unstable();
                self.world.acknowledge(seat, awaited);
                self.model.acknowledge(seat);
            }
            Act::Hear => {
                self.world.client(seat).heard();
                self.model.hear(seat);
            }
            Act::Break => {
                self.world.disconnect(seat);
                self.model.disconnect(seat, GRACE_MS);
            }
            Act::End => {
                self.world.abandon(seat);
                self.model.disconnect(seat, GRACE_MS);
                self.model.end(seat);
            }
            Act::Pass(milliseconds) => {
                self.world.pass(milliseconds);
                self.model.pass(milliseconds);
            }
        }
        self.check();
    }

    /// Compares all that can be seen.
    fn check(&mut self) {
        let mut late = std::mem::take(&mut self.model.late);
        late.sort_unstable();
        let mut found = self.world.collect();
        found.sort_unstable();
        assert_eq!(found, late);
        let census = self.world.census();
        let expected = (self.model.waiting(), self.model.held(), self.model.timers());
        assert_eq!((census.waiting, census.held, census.timers), expected);
    }

    /// Ends all sessions, and looks for every value that was ever sent.
    fn finish(mut self) {
        for seat in 0..SEATS {
            self.act(seat, Side::Left, Act::End);
        }
        let census = self.world.census();
        assert_eq!((census.sessions, census.waiting, census.held, census.timers), (0, 0, 0, 0));
        self.world.connect(0);
        let sides: &[Side] = if self.duplex { &[Side::Left, Side::Right] } else { &[Side::Left] };
        let mut all = self.model.received.clone();
        for &side in sides {
            assert_eq!(self.world.call(0, self.pipe, pipe::Attach { side, ticket: None }), reply(()));
            for value in self.model.inbox(side) {
                assert_eq!(self.receive_now(side), reply(Some(encoded(value))));
                all.push(value);
            }
        }
        all.sort_unstable();
        let mut sent = self.model.sent.clone();
        sent.sort_unstable();
        assert_eq!(all, sent, "each was received once, or is there");
    }

    fn receive_now(&mut self, side: Side) -> Answer {
        self.world.call(0, self.pipe, pipe::Receive { side, timeout_ms: Some(0) })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]
    #[test]
    fn a_pipe_does_what_its_model_does(
        (duplex, opened) in (any::<bool>(), 0_usize..3),
        acts in prop::collection::vec((0..SEATS, side(), act()), 1..80),
    ) {
        let mut run = Run::new(duplex);
        for (seat, side) in [Side::Left, Side::Right].into_iter().enumerate().take(opened) {
            run.act(seat, side, Act::Attach);
        }
        for (seat, side, act) in acts {
            run.act(seat, side, act);
        }
        run.finish();
    }
}
