//! Queues that are driven as clients drive them, with a clock that goes when it is told to.

mod cases;
mod model;
pub(in crate::core::object) mod world;

use std::time::Duration;

use manager_protocol::queue::{self, Order, QueueSetup};
use manager_protocol::{Code, Many, manager};
use proptest::prelude::*;

use crate::core::Limits;
use model::{Model, Take};
use world::{Request, World, encoded, refused, reply};

const SEATS: usize = 3;
const GRACE_MS: u64 = 10;

/// What one client does, or what happens to it.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Puts many, or just one.
    Put {
        many: Option<usize>,
        priority: Option<i64>,
        timeout: Option<u64>,
    },
    Take {
        take: Take,
        timeout: Option<u64>,
    },
    Ack(usize),
    Release(usize),
    Extend(usize, Option<u64>),
    TaskDone,
    Join {
        timeout: Option<u64>,
    },
    ShutDown {
        immediately: bool,
    },
    Happens(Event),
}

/// What happens to a client, beside its requests.
#[derive(Debug, Clone, Copy)]
enum Event {
    Cancel { back: u64 },
    Acknowledge,
    Hear,
    Break,
    End,
    Pass(u64),
}

fn timeout() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), Just(Some(0)), Just(Some(4)), Just(Some(15))]
}

fn term() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![2 => Just(None), 1 => Just(Some(3)), 1 => Just(Some(12))]
}

fn take() -> impl Strategy<Value = Take> {
    prop_oneof![Just(Take::One), (1_usize..4).prop_map(Take::Many), term().prop_map(Take::Lease)]
}

fn priority() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![3 => Just(None), 1 => (-1_i64..2).prop_map(Some)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (prop::option::weighted(0.3, 0_usize..5), priority(), timeout())
            .prop_map(|(many, priority, timeout)| Act::Put { many, priority, timeout }),
        12 => (take(), timeout()).prop_map(|(take, timeout)| Act::Take { take, timeout }),
        3 => any::<u16>().prop_map(|nth| Act::Ack(nth.into())),
        4 => any::<u16>().prop_map(|nth| Act::Release(nth.into())),
        1 => (any::<u16>(), term()).prop_map(|(nth, term)| Act::Extend(nth.into(), term)),
        2 => Just(Act::TaskDone),
        1 => timeout().prop_map(|timeout| Act::Join { timeout }),
        1 => prop::bool::weighted(0.3).prop_map(|immediately| Act::ShutDown { immediately }),
        15 => event().prop_map(Act::Happens),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u64..6).prop_map(|back| Event::Cancel { back }),
        2 => Just(Event::Acknowledge),
        2 => Just(Event::Hear),
        2 => Just(Event::Break),
        1 => Just(Event::End),
        4 => (1_u64..8).prop_map(Event::Pass),
    ]
}

fn setup() -> impl Strategy<Value = QueueSetup> {
    let order = prop_oneof![Just(Order::Fifo), Just(Order::Lifo), Just(Order::Priority)];
    let (capacity, max_deliveries) = (prop::option::of(1_u64..5), prop::option::of(1_u32..3));
    (order, capacity, max_deliveries, any::<bool>()).prop_map(|(order, capacity, max_deliveries, has_dead)| {
        QueueSetup { order, capacity, max_deliveries, dead_letters: has_dead.then(|| "dead".to_owned()) }
    })
}

/// A queue, and what it should be.
struct Run {
    world: World,
    model: Model,
    queue: u64,
    next_value: u64,
}

fn milliseconds(number: Option<u64>) -> Option<i64> {
    number.map(|number| i64::try_from(number).unwrap())
}

impl Run {
    fn new(setup: &QueueSetup) -> Self {
        let limits = Limits { grace: Duration::from_millis(GRACE_MS), ..Limits::default() };
        let mut world = World::new(limits, SEATS);
        let mut model = Model::new(setup.clone(), SEATS, world.now);
        world.connect(0);
        model.connect(0);
        let queue = world.open(0, manager::OpenQueue { name: Some("queue"), setup: setup.clone() });
        Self { world, model, queue, next_value: 0 }
    }

    fn connect(&mut self, seat: usize) {
        if !self.world.is_connected(seat) {
            self.world.connect(seat);
            self.model.connect(seat);
        }
    }

    fn values(&mut self, items: usize) -> Vec<u64> {
        let first = self.next_value;
        self.next_value += items as u64;
        (first..self.next_value).collect()
    }

    fn request(&self, seat: usize) -> Request {
        (seat, self.world.last_request(seat))
    }

    fn act(&mut self, seat: usize, act: Act) {
        self.connect(seat);
        match act {
            Act::Put { many, priority, timeout } => self.put(seat, many, priority, timeout),
            Act::Take { take, timeout } => self.take(seat, take, timeout),
            Act::Ack(nth) => {
                let lease = self.model.pick_lease(nth);
                assert_eq!(self.world.call(seat, self.queue, queue::Ack { lease }), self.model.ack(seat, lease));
            }
            Act::Release(nth) => {
                let lease = self.model.pick_lease(nth);
                assert_eq!(
                    self.world.call(seat, self.queue, queue::Release { lease }),
                    self.model.release(seat, lease)
                );
            }
            Act::Extend(nth, term) => {
                let lease = self.model.pick_lease(nth);
                let extend = queue::Extend { lease, lease_ms: milliseconds(term) };
                assert_eq!(self.world.call(seat, self.queue, extend), self.model.extend(seat, lease, term));
            }
            Act::TaskDone => {
                assert_eq!(self.world.call(seat, self.queue, queue::TaskDone {}), self.model.task_done());
            }
            Act::Join { timeout } => {
                let join = queue::Join { timeout_ms: milliseconds(timeout) };
                let (request, answer) = self.world.send(seat, self.queue, join);
                assert_eq!(answer, self.model.join(request, timeout));
            }
            Act::ShutDown { immediately } => {
                let shut_down = queue::ShutDown { immediately };
                assert_eq!(self.world.call(seat, self.queue, shut_down), self.model.shut_down(immediately));
            }
            Act::Happens(event) => self.happen(seat, event),
        }
    }

    fn put(&mut self, seat: usize, many: Option<usize>, priority: Option<i64>, timeout: Option<u64>) {
        let values = self.values(many.unwrap_or(1));
        let timeout_ms = milliseconds(timeout);
        let (request, answer) = if many.is_some() {
            let values = Many::new(values.clone().into_iter().map(encoded));
            self.world.send(seat, self.queue, queue::PutMany { values, priority, timeout_ms })
        } else {
            self.world.send(seat, self.queue, queue::Put { value: encoded(values[0]), priority, timeout_ms })
        };
        assert_eq!(answer, self.model.put(request, &values, priority, timeout));
    }

    fn take(&mut self, seat: usize, take: Take, timeout: Option<u64>) {
        let timeout_ms = milliseconds(timeout);
        let (request, answer) = match take {
            Take::One => self.world.send(seat, self.queue, queue::Get { timeout_ms }),
            Take::Many(limit) => self.world.send(seat, self.queue, queue::GetMany { limit: limit as u64, timeout_ms }),
            Take::Lease(term) => {
                self.world.send(seat, self.queue, queue::Reserve { lease_ms: milliseconds(term), timeout_ms })
            }
        };
        assert_eq!(answer, self.model.take(request, take, timeout));
    }

    fn happen(&mut self, seat: usize, event: Event) {
        match event {
            Event::Cancel { back } => {
                let request = (seat, self.request(seat).1.saturating_sub(back));
                assert_eq!(self.world.cancel(request), self.model.cancel(request));
            }
            Event::Acknowledge => {
                let mut awaited = self.model.awaited(seat);
                awaited.sort_unstable();
                self.world.acknowledge(seat, awaited);
                self.model.acknowledge(seat);
            }
            Event::Hear => {
                self.world.client(seat).heard();
                self.model.hear(seat);
            }
            Event::Break => {
                self.world.disconnect(seat);
                self.model.disconnect(seat, GRACE_MS);
            }
            Event::End => {
                self.world.abandon(seat);
                self.model.disconnect(seat, GRACE_MS);
                self.model.end(seat);
            }
            Event::Pass(milliseconds) => {
                self.world.pass(milliseconds);
                self.model.pass(milliseconds);
            }
        }
    }

    /// Compares all that can be seen.
    fn check(&mut self) {
        let mut late = std::mem::take(&mut self.model.late);
        // What was done while the connection broke is answered when the client asks again.
        late.retain(|(request, _)| self.world.is_connected(request.0));
        late.sort_unstable();
        let mut found = self.world.collect();
        found.sort_unstable();
        assert_eq!(found, late);
        let census = self.world.census();
        let leased = self.model.status().leased as usize;
        assert_eq!((census.waiting, census.held, census.timers), (self.model.waiting(), leased, self.model.timers()));
        let Some(seat) = (0..SEATS).find(|seat| self.world.is_connected(*seat)) else { return };
        assert_eq!(self.world.call(seat, self.queue, queue::Status {}), reply(self.model.status()));
    }

    /// Ends all sessions, and looks for every value that was ever put.
    fn finish(mut self) {
        for seat in 0..SEATS {
            self.act(seat, Act::Happens(Event::End));
            self.check();
        }
        let census = self.world.census();
        assert_eq!((census.sessions, census.waiting, census.held, census.timers), (0, 0, 0, 0));
        self.world.connect(0);
        let left = self.model.values();
        for &value in &left {
            assert_eq!(self.world.call(0, self.queue, queue::Get { timeout_ms: Some(0) }), reply(encoded(value)));
        }
        assert_eq!(self.world.call(0, self.queue, queue::Len {}), reply(0_u64));
        let dead = self.world.open(0, manager::Open { name: Some("dead"), kind: manager_protocol::Kind::Queue });
        for &value in &self.model.dead {
            assert_eq!(self.world.call(0, dead, queue::Get { timeout_ms: Some(0) }), reply(encoded(value)));
        }
        assert_eq!(self.world.call(0, dead, queue::Get { timeout_ms: Some(0) }), refused(Code::Empty));
        let Model { taken, acknowledged, dead, dropped, put, .. } = self.model;
        let mut all = [left, taken, acknowledged, dead, dropped].concat();
        all.sort_unstable();
        let mut put = put;
        put.sort_unstable();
        assert_eq!(all, put, "each has one fate");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]
    #[test]
    fn a_queue_does_what_its_model_does(
        setup in setup(),
        acts in prop::collection::vec((0..SEATS, act()), 1..80),
    ) {
        let mut run = Run::new(&setup);
        for (seat, act) in acts {
            run.act(seat, act);
            run.check();
        }
        run.finish();
    }
}
