//! A core that several threads use, and what is asked of it.

use std::sync::Arc;
use std::time::Duration;

use manager_protocol::{Code, Decode, Kind, Operation, SessionChoice, manager};
use manager_server::core::{Client, Core, Departure, Limits, Time};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

use super::wire::{Message, TOKEN, decode, heard};

/// How many orders are tried, at random.
const SCHEDULES: usize = 10_000;

/// And how many more with few changes between the threads.
const PRIORITIES: usize = 2_000;

/// How long a session lives without a connection.
pub(crate) const GRACE: Time = Duration::from_millis(10);

/// When everything is over that takes time.
pub(crate) const LATE: Time = Duration::from_secs(10);

/// An answer: the encoded result, or the refusal's code.
pub(crate) type Answer = Result<Vec<u8>, Code>;

/// Tries a story in many orders of execution.
pub(crate) fn explore(story: impl Fn() + Send + Sync + 'static) {
    let story = Arc::new(story);
    let config = || {
        let mut config = Config::new();
        // Encoding and decoding take more of the stack than shuttle gives, in debug builds.
        config.stack_size = 0x4_0000;
        config
    };
    let random = Arc::clone(&story);
    Runner::new(RandomScheduler::new(SCHEDULES), config()).run(move || random());
    Runner::new(PctScheduler::new(3, PRIORITIES), config()).run(move || story());
}

/// Runs these on a thread each.
pub(crate) fn at_once<const N: usize>(acts: [Box<dyn FnOnce() + Send>; N]) {
    let threads = acts.map(thread::spawn);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A core with clients, each with a session of its own that can be joined.
#[derive(Clone)]
pub(crate) struct Desk(pub(crate) Arc<Core>);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Core::new(Limits { grace: GRACE, ..Limits::default() })))
    }

    pub(crate) fn clients<const N: usize>(&self) -> [Client; N] {
        [(); N].map(|()| self.0.connect(7, SessionChoice::New(true), TOKEN).unwrap())
    }

    /// Another connection to a session, unless it has ended.
    pub(crate) fn join(&self, client: &Client) -> Option<Client> {
        let joined = self.0.connect(7, SessionChoice::Join(client.session(), TOKEN), TOKEN);
        joined.map_err(|error| assert_eq!(error.code, Code::SessionExpired)).ok()
    }

    pub(crate) fn open(&self, name: &str, kind: Kind) -> u64 {
        self.make(manager::Open { name: Some(name), kind })
    }

    /// Makes an object with an operation of the manager.
    pub(crate) fn make<O: Operation>(&self, operation: O) -> u64 {
        let maker = self.0.connect(7, SessionChoice::Own, TOKEN).unwrap();
        let answer = self.ask(&maker, 0, 0, operation);
        self.0.disconnect(&maker, Departure::Left, Time::ZERO);
        decode(&answer.unwrap().unwrap())
    }

    /// Sends a request; what it is answered at once.
    pub(crate) fn ask<O: Operation>(&self, client: &Client, id: u64, object: u64, operation: O) -> Option<Answer> {
        let mut out = Vec::new();
        Message::new(object, operation).send(&self.0, client, id, Time::ZERO, &mut out);
        let mut answers = heard(&out);
        assert!(answers.len() <= 1);
        answers.pop().map(|heard| {
            assert_eq!(heard.id, id);
            judge(heard.answer)
        })
    }

    /// Sends a request that is answered at once, and decodes the result.
    pub(crate) fn get<O: Operation, T: for<'a> Decode<'a>>(
        &self,
        client: &Client,
        id: u64,
        object: u64,
        operation: O,
    ) -> T {
        decode(&self.ask(client, id, object, operation).unwrap().unwrap())
    }

    /// What is in the mailbox: one answer at most.
    pub(crate) fn mail(client: &Client) -> Option<Answer> {
        let mut out = Vec::new();
        client.mailbox().collect(&mut out);
        let mut answers = heard(&out);
        assert!(answers.len() <= 1, "{answers:?}");
        answers.pop().map(|heard| judge(heard.answer))
    }

    pub(crate) fn cancel(&self, client: &Client, id: u64) {
        self.0.cancel(client, id, Time::ZERO);
    }

    pub(crate) fn broke(&self, client: &Client) {
        self.0.disconnect(client, Departure::Broke, Time::ZERO);
    }

    pub(crate) fn abandon(&self, client: &Client) {
        self.0.abandon(&client.watch(), Time::ZERO);
    }

    /// Ends all sessions; nothing must be left of them.
    pub(crate) fn close<const N: usize>(&self, clients: [&Client; N]) {
        for client in clients {
            self.abandon(client);
        }
        let census = self.0.census();
        let left = (census.sessions, census.waiting, census.watched, census.held, census.timers);
        assert_eq!(left, (0, 0, 0, 0, 0), "{census:?}");
    }
}

fn judge(answer: Result<Vec<u8>, (Code, String)>) -> Answer {
    answer.map_err(|(code, message)| {
        assert_ne!(code, Code::Internal, "{message}");
        code
    })
}
