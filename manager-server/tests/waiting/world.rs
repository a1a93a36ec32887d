//! A core and its model, to both of which the same is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use manager_protocol::{Acknowledge, Code, Effect, SessionChoice, SessionToken, manager};
use manager_server::core::{Client, Core, Departure, Limits, Outcome, Time};

use super::model::Model;
use super::objects::{Key, Objects, Reply, Said};
use super::wire::{Heard, Message, TOKEN, heard};

/// How long a session lives without a connection.
const GRACE: u64 = 60;

/// Most sessions of one sequence.
const SESSIONS: usize = 6;

/// What is done. Numbers are taken modulo of what there is.
#[derive(Debug, Clone)]
pub(crate) enum Action<O> {
    Ask {
        connection: usize,
        operation: O,
    },
    /// Sends a request of the session again.
    Again {
        connection: usize,
        which: u64,
    },
    /// Sends something under an id that was used before.
    Other {
        connection: usize,
        which: u64,
        operation: O,
    },
    Cancel {
        connection: usize,
        which: u64,
    },
    Disconnect {
        connection: usize,
        left: bool,
    },
    Leave {
        connection: usize,
    },
    Abandon {
        connection: usize,
    },
    Hear {
        connection: usize,
    },
    /// The client has all answers, but for those that the bits say, and knows of fewer requests than were sent.
    Acknowledge {
        connection: usize,
        lacks: u64,
        back: u64,
    },
    Advance {
        milliseconds: u64,
    },
    Join {
        session: usize,
    },
    /// Joins with another token, or as another user.
    Intrude {
        session: usize,
        other_user: bool,
    },
    Connect {
        has_token: bool,
    },
    Delete {
        at: usize,
    },
}

/// What a wrapper of the core does wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    LosesCancels,
    TimesOutLate,
    HidesDeaths,
    RunsAgain,
    CountsTheLostAsHad,
    LosesAcknowledgements,
    ForgetsWaitsOfTheLost,
    RepeatsTokens,
}

pub(crate) struct World<K: Objects> {
    core: Core,
    fault: Option<Fault>,
    admin: Client,
    clients: Vec<Client>,
    /// Which connections know that their session has ended.
    told: BTreeSet<usize>,
    model: Model<K>,
    now: u64,
    /// What was sent under each id of each session.
    sent: Vec<BTreeMap<u64, K::Op>>,
    /// The answers that must be repeated.
    answered: BTreeMap<Key, Vec<u8>>,
    /// What the last action was answered at once.
    heard: Vec<(usize, Heard)>,
}

impl<K: Objects> World<K> {
    /// Two sessions that can be joined, the first with two connections, and one that cannot.
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        let core = Core::new(Limits { grace: Duration::from_millis(GRACE), ..Limits::default() });
        let admin = core.connect(0, SessionChoice::Own, TOKEN).unwrap();
        for message in K::open() {
            message.send(&core, &admin, 0, Time::ZERO, &mut Vec::new());
        }
        let mut world = Self {
            core,
            fault,
            admin,
            clients: Vec::new(),
            told: BTreeSet::new(),
            model: Model::new(GRACE),
            now: 0,
            sent: Vec::new(),
            answered: BTreeMap::new(),
            heard: Vec::new(),
        };
        for has_token in [true, true, false] {
            world.connect(has_token);
        }
        world.join(0);
        for (connection, operation) in K::beginning() {
            let id = world.sent[world.session(connection)].len() as u64;
            world.ask(connection, id, &operation);
        }
        world
    }

    /// Does something to both; the first difference.
    pub(crate) fn apply(&mut self, action: &Action<K::Op>) -> Option<String> {
        let fault = self.act(action);
        let differs = fault.or_else(|| self.difference());
        differs.map(|difference| format!("after {action:?}: {difference}"))
    }

    /// Ends all sessions; nothing must be left of them.
    pub(crate) fn finish(&mut self) -> Option<String> {
        for connection in 0..self.clients.len() {
            let session = self.model.connections[connection].session;
            if !self.model.sessions[session].ended && self.model.connections[connection].open {
                self.leave(connection);
                if let Some(difference) = self.difference() {
                    return Some(difference);
                }
            }
        }
        self.advance(GRACE);
        self.difference().or_else(|| {
            let census = self.core.census();
            let left = (census.waiting, census.watched, census.timers, census.sessions);
            (left != (0, 0, 0, 1)).then(|| format!("in the end there is {census:?}"))
        })
    }

    fn act(&mut self, action: &Action<K::Op>) -> Option<String> {
        match action {
            Action::Ask { connection, operation } => {
                let connection = self.open(*connection)?;
                let session = self.session(connection);
                let operation = self.model.objects.fit(session, operation);
                self.ask(connection, self.sent[session].len() as u64, &operation);
            }
            Action::Again { connection, which } => {
                let connection = self.open(*connection)?;
                let (id, operation) = self.sent_before(connection, *which)?;
                self.ask(connection, id, &operation);
            }
            Action::Other { connection, which, operation } => {
                let connection = self.open(*connection)?;
                let (id, _) = self.sent_before(connection, *which)?;
                let is_known = self.model.is_known((self.session(connection), id));
                if is_known && self.is_noted(connection, operation) {
                    self.ask(connection, id, operation);
                }
            }
            Action::Cancel { connection, which } => {
                let connection = self.open(*connection)?;
                let (id, _) = self.sent_before(connection, *which)?;
                let expected = self.model.cancel(self.session(connection), id);
                let loses = self.fault == Some(Fault::LosesCancels);
                let found = if loses { expected } else { self.core.cancel(&self.clients[connection], id, self.time()) };
                return (found != expected).then(|| format!("it gave {found} instead of {expected}"));
            }
            Action::Disconnect { connection, left } => {
                let connection = self.open(*connection)?;
                self.disconnect(connection, *left);
            }
            Action::Leave { connection } => {
                let connection = self.open(*connection)?;
                self.leave(connection);
            }
            Action::Abandon { connection } => {
                let connection = self.open(*connection)?;
                self.model.end(self.session(connection));
                self.core.abandon(&self.clients[connection].watch(), self.time());
            }
            Action::Hear { connection } => {
                let connection = self.open(*connection)?;
                self.model.hear(connection);
                self.clients[connection].heard();
            }
            Action::Acknowledge { connection, lacks, back } => {
                let connection = self.open(*connection)?;
                self.acknowledge(connection, *lacks, *back);
            }
            Action::Advance { milliseconds } => self.advance(*milliseconds),
            Action::Join { session } => self.join(session % self.model.sessions.len()),
            Action::Intrude { session, other_user } => return self.intrude(*session, *other_user),
            Action::Connect { has_token } if self.model.sessions.len() < SESSIONS => self.connect(*has_token),
            Action::Connect { .. } => {}
            Action::Delete { at } => self.delete(at % K::open().len()),
        }
        None
    }

    fn time(&self) -> Time {
        Duration::from_millis(self.now)
    }

    fn session(&self, connection: usize) -> usize {
        self.model.connections[connection].session
    }

    /// One of the connections that are open.
    fn open(&self, number: usize) -> Option<usize> {
        let open: Vec<usize> = (0..self.clients.len()).filter(|place| self.model.connections[*place].open).collect();
        open.get(number.checked_rem(open.len())?).copied()
    }

    fn sent_before(&self, connection: usize, which: u64) -> Option<(u64, K::Op)> {
        let sent = &self.sent[self.session(connection)];
        let id = which.checked_rem(sent.len() as u64)?;
        Some((id, sent[&id].clone()))
    }

    fn connect(&mut self, has_token: bool) {
        let choice = if has_token { SessionChoice::New(true) } else { SessionChoice::Own };
        self.clients.push(self.core.connect(7, choice, TOKEN).unwrap());
        self.model.connect(has_token);
        self.sent.push(BTreeMap::new());
    }

    /// The number that the core gave to a session: the administrator has the first.
    fn number(session: usize) -> u64 {
        session as u64 + 2
    }

    fn join(&mut self, session: usize) {
        if !self.model.sessions[session].has_token {
            return;
        }
        let joined = self.core.connect(7, SessionChoice::Join(Self::number(session), TOKEN), TOKEN);
        if self.model.join(session) {
            self.clients.push(joined.unwrap());
        } else {
            assert_eq!(joined.unwrap_err().code, Code::SessionExpired);
        }
    }

    fn intrude(&mut self, session: usize, other_user: bool) -> Option<String> {
        let session = session % self.model.sessions.len();
        let (uid, token) = if other_user { (8, TOKEN) } else { (7, SessionToken([8; 16])) };
        let joined = self.core.connect(uid, SessionChoice::Join(Self::number(session), token), TOKEN);
        let expected = if self.model.sessions[session].ended { Code::SessionExpired } else { Code::NotAuthorised };
        let found = joined.map_err(|error| error.code).err();
        (found != Some(expected)).then(|| format!("it gave {found:?} instead of {expected:?}"))
    }

    /// Whether the session takes note of it: else it is carried out each time.
    fn is_noted(&self, connection: usize, operation: &K::Op) -> bool {
        let row = K::message(operation).row;
        row.waits || (self.model.sessions[self.session(connection)].has_token && row.effect != Effect::Read)
    }

    fn ask(&mut self, connection: usize, id: u64, operation: &K::Op) {
        let message = K::message(operation);
        let session = self.session(connection);
        if self.model.sessions[session].ended && !self.is_noted(connection, operation) {
            return;
        }
        self.sent[session].entry(id).or_insert_with(|| operation.clone());
        self.model.ask(connection, id, operation);
        let mut out = Vec::new();
        let repeated = self.fault == Some(Fault::RunsAgain) && self.answered.contains_key(&(session, id));
        let sent_id = if repeated { id + 1_000 } else { id };
        let outcome = message.send(&self.core, &self.clients[connection], sent_id, self.time(), &mut out);
        assert_eq!(out.is_empty(), matches!(outcome, Outcome::Waiting), "{outcome:?}");
        let answers = heard(&out).into_iter().map(|heard| (connection, Heard { id: heard.id % 1_000, ..heard }));
        self.heard.extend(answers);
    }

    fn disconnect(&mut self, connection: usize, left: bool) {
        self.model.disconnect(connection, left);
        let departure =
            if left || self.fault == Some(Fault::CountsTheLostAsHad) { Departure::Left } else { Departure::Broke };
        if self.fault == Some(Fault::ForgetsWaitsOfTheLost) && self.model.connections.iter().any(|other| other.open) {
            return;
        }
        self.core.disconnect(&self.clients[connection], departure, self.time());
    }

    fn leave(&mut self, connection: usize) {
        self.model.leave(connection);
        self.core.leave(&self.clients[connection], self.time());
    }

    fn acknowledge(&mut self, connection: usize, lacks: u64, back: u64) {
        let session = self.session(connection);
        let next = (self.sent[session].len() as u64).saturating_sub(back);
        let awaited: BTreeSet<u64> =
            (0..next).filter(|id| self.model.is_awaited((session, *id), lacks >> (id % 64) & 1 == 1)).collect();
        self.model.acknowledge(session, next, awaited.clone());
        if self.fault != Some(Fault::LosesAcknowledgements) {
            let awaited = awaited.into_iter().rev().collect();
            self.core.acknowledge(&self.clients[connection], Acknowledge { next, awaited });
        }
    }

    fn advance(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        self.model.advance(milliseconds);
        let late = if self.fault == Some(Fault::TimesOutLate) { 3 } else { 0 };
        self.core.expire(Duration::from_millis(self.now.saturating_sub(late)));
    }

    fn delete(&mut self, at: usize) {
        self.model.delete(at);
        // The objects are named in the order of the alphabet.
        let name = ["a", "b", "c", "d"][at];
        Message::new(0, manager::Delete { name }).send(&self.core, &self.admin, 0, self.time(), &mut Vec::new());
    }

    /// What the core said otherwise than the model, or holds otherwise.
    fn difference(&mut self) -> Option<String> {
        self.collect()
            .or_else(|| self.difference_of_answers())
            .or_else(|| self.difference_of_census())
            .or_else(|| self.difference_of_looks())
    }

    /// Takes what is in the mailboxes.
    fn collect(&mut self) -> Option<String> {
        for (connection, client) in self.clients.iter().enumerate() {
            if !self.model.connections[connection].open {
                continue;
            }
            let mut out = Vec::new();
            let mail = client.mailbox().collect(&mut out);
            self.heard.extend(heard(&out).into_iter().map(|heard| (connection, heard)));
            let must_end =
                self.model.sessions[self.model.connections[connection].session].ended && self.told.insert(connection);
            if mail.ending.is_some() != must_end {
                return Some(format!("connection {connection} was told {:?} of its end", mail.ending));
            }
        }
        None
    }

    fn difference_of_answers(&mut self) -> Option<String> {
        let mut found = Vec::new();
        for (connection, heard) in std::mem::take(&mut self.heard) {
            let key = (self.session(connection), heard.id);
            let reply = self.reply(key, &heard);
            let refused = matches!(reply, Err(Code::StaleRequest | Code::RequestMismatch | Code::SessionExpired));
            let row = K::message(&self.sent[key.0][&key.1]).row;
            if !refused && row.effect != Effect::Read && self.model.sessions[key.0].has_token {
                let first = self.answered.entry(key).or_insert_with(|| heard.bytes.clone());
                if *first != heard.bytes {
                    return Some(format!("request {key:?} was answered {:?} after {first:?}", heard.bytes));
                }
            }
            found.push((connection, heard.id, reply));
        }
        let mut expected = std::mem::take(&mut self.model.said);
        for said in [&mut found, &mut expected] {
            said.sort_by_key(|(connection, id, _)| (*connection, *id));
        }
        (found != expected).then(|| format!("{found:?} was heard instead of {expected:?}"))
    }

    fn reply(&self, key: Key, heard: &Heard) -> Reply {
        let said = match &heard.answer {
            Ok(result) => K::decode(&self.sent[key.0][&key.1], result),
            Err((code, _)) => return Err(*code),
        };
        Ok(match (self.fault, said) {
            (Some(Fault::HidesDeaths), Said::Grant { token, .. }) => Said::Grant { token, died: false },
            (Some(Fault::RepeatsTokens), Said::Grant { token, died }) if token > 3 => {
                Said::Grant { token: token - 1, died }
            }
            (_, said) => said,
        })
    }

    fn difference_of_looks(&mut self) -> Option<String> {
        K::looks().iter().find_map(|operation| {
            let expected = self.model.look(operation)?;
            let mut out = Vec::new();
            K::message(operation).send(&self.core, &self.admin, 0, self.time(), &mut out);
            let found = heard(&out).pop()?.answer.map(|result| K::decode(operation, &result));
            (found.as_ref() != Ok(&expected)).then(|| format!("there is {found:?} instead of {expected:?}"))
        })
    }

    fn difference_of_census(&self) -> Option<String> {
        let census = self.core.census();
        let found = (census.waiting, census.sessions - 1, census.timers, census.held);
        let (waiting, sessions, timers) = self.model.census();
        let expected = (waiting, sessions, timers, self.model.objects.held());
        (found != expected)
            .then(|| format!("there are (waiting, sessions, timers, held) {found:?} instead of {expected:?}"))
    }
}
