//! A core and what is known of it: all that it says is compared.

use std::collections::BTreeMap;
use std::time::Duration;

use manager_protocol::{Bin, Code, Encoded, Kind, Many, SessionChoice, dict, list, manager};
use manager_server::core::{Client, Core, Departure, Limits, Outcome, Pace, Time};

use super::answers::{answer, state};
use super::history::{History, Value, Want, Which};
use super::objects::{Change, key};
use super::wire::{Message, TOKEN, decode, heard};

/// How many changes are kept.
pub(super) const KEPT: usize = 16;

/// How long a session lives without a connection.
const GRACE: Duration = Duration::from_millis(30);

/// More bytes are not put into an object: all replies are to have one part.
const ROOM: usize = 200_000;

/// What is done. Numbers are taken modulo of what there is.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Change {
        change: Change,
        patient: bool,
    },
    /// Changes one entry many times.
    Burst {
        key: u8,
        times: u8,
    },
    Transaction {
        changes: Vec<Change>,
        fails: bool,
    },
    /// Puts an entry that ends.
    PutEnding {
        session: usize,
        key: u8,
        value: Value,
        ttl_ms: Option<i64>,
        own: bool,
    },
    Begin {
        session: usize,
        which: Which,
        key: Option<u8>,
    },
    /// Asks for the changes behind what is known, or behind what was known earlier.
    Follow {
        watch: usize,
        back: u64,
        timeout_ms: Option<i64>,
    },
    /// Asks for those of a watch of another session, or of a version that is yet to come.
    Intrude {
        session: usize,
        watch: usize,
        early: bool,
    },
    End {
        watch: usize,
    },
    Wait {
        session: usize,
        which: Which,
        want: Want,
        timeout_ms: Option<i64>,
    },
    Cancel {
        request: usize,
    },
    Reconnect {
        session: usize,
    },
    Leave {
        session: usize,
    },
    Advance {
        milliseconds: u64,
    },
    Delete {
        which: Which,
    },
}

/// What a wrapper of the core does wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    DropsAChange,
    RepeatsAChange,
    SplitsAVersion,
    HidesALoss,
    LosesTooMuch,
    OverstatesTheVersion,
    TellsTheOldValue,
    WakesNobody,
    TimesOutEarly,
    ForgetsTheEndOfSessions,
}

struct Session {
    client: Client,
    sent: u64,
}

pub(super) struct Watch {
    pub(super) session: u64,
    pub(super) number: u64,
    pub(super) which: Which,
    pub(super) key: Option<u8>,
    pub(super) began: u64,
    /// The version up to which it has said to know everything.
    pub(super) read: u64,
    /// The version to go on from.
    pub(super) after: u64,
}

/// A request that waits.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) which: Which,
    pub(super) until: Option<u64>,
    pub(super) wants: Wants,
}

#[derive(Debug, Clone)]
pub(super) enum Wants {
    Changes { watch: u64, after: u64 },
    Value(Want),
}

/// An answer: the version, and the encoded result or the refusal.
pub(super) type Answer = Result<(u64, Vec<u8>), Code>;

pub(crate) struct World {
    core: Core,
    pub(super) fault: Option<Fault>,
    admin: Client,
    sessions: BTreeMap<u64, Session>,
    pub(super) watches: Vec<Watch>,
    pub(super) pending: BTreeMap<(u64, u64), Pending>,
    dict: History,
    list: History,
    names: usize,
    pub(super) now: u64,
}

/// A difference from what is right.
pub(super) type Differs = Result<(), String>;

impl World {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        let core = Core::new(Limits { grace: GRACE, max_kept: KEPT, ..Limits::default() });
        let admin = core.connect(0, SessionChoice::Own, TOKEN).unwrap();
        let mut world = Self {
            core,
            fault,
            admin,
            sessions: BTreeMap::new(),
            watches: Vec::new(),
            pending: BTreeMap::new(),
            dict: History::new(Which::Dict, 0),
            list: History::new(Which::List, 0),
            names: 0,
            now: 0,
        };
        world.open(Which::Dict);
        world.open(Which::List);
        (0..3).for_each(|_| world.connect());
        world
    }

    /// Does something; the first difference.
    pub(crate) fn apply(&mut self, action: &Action) -> Differs {
        self.act(action).and_then(|()| self.settle()).map_err(|fault| format!("after {action:?}: {fault}"))
    }

    /// Ends all sessions; nothing must be left of them.
    pub(crate) fn finish(&mut self) -> Differs {
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.leave(session);
            self.settle()?;
        }
        let census = self.core.census();
        let left = (census.sessions, census.waiting, census.held);
        if left == (1, 0, 0) { Ok(()) } else { Err(format!("in the end there is {census:?}")) }
    }

    fn time(&self) -> Time {
        Duration::from_millis(self.now)
    }

    pub(super) fn history(&self, which: Which) -> &History {
        match which {
            Which::Dict => &self.dict,
            Which::List => &self.list,
        }
    }

    fn history_mut(&mut self, which: Which) -> &mut History {
        match which {
            Which::Dict => &mut self.dict,
            Which::List => &mut self.list,
        }
    }

    fn open(&mut self, which: Which) {
        self.names += 1;
        let kind = if which == Which::Dict { Kind::Dict } else { Kind::List };
        let name = format!("{which:?} {}", self.names);
        let (_, opened) = self.call(&Message::new(0, manager::Open { name: Some(&name), kind })).unwrap();
        *self.history_mut(which) = History::new(which, decode(&opened));
    }

    fn connect(&mut self) {
        let client = self.core.connect(7, SessionChoice::New(true), TOKEN).unwrap();
        self.sessions.insert(client.session(), Session { client, sent: 0 });
    }

    pub(super) fn session(&self, number: usize) -> u64 {
        *self.sessions.keys().nth(number % self.sessions.len()).unwrap()
    }

    /// Asks as the administrator, who is answered at once.
    fn call(&self, message: &Message) -> Answer {
        let mut out = Vec::new();
        message.send(&self.core, &self.admin, 0, self.time(), &mut out);
        answer(heard(&out).pop().unwrap()).1
    }

    fn call_inline(&self, message: &Message) -> Answer {
        let mut out = Vec::new();
        let request = manager_protocol::RequestHeader {
            id: 0,
            operation: message.row.number,
            object: message.object,
            arguments: &message.arguments,
        };
        match self.core.dispatch(&self.admin, request, Pace::Inline, self.time(), &mut out) {
            Outcome::Replied => answer(heard(&out).pop().unwrap()).1,
            Outcome::Postponed | Outcome::Waiting | Outcome::Streaming(_) => self.call(message),
        }
    }

    /// Asks as a session; what is answered at once.
    pub(super) fn ask(&mut self, session: u64, message: &Message) -> (u64, Option<Answer>) {
        let time = self.time();
        let state = self.sessions.get_mut(&session).unwrap();
        state.sent += 1;
        let (id, mut out) = (state.sent, Vec::new());
        message.send(&self.core, &state.client, id, time, &mut out);
        (id, heard(&out).pop().map(|heard| answer(heard).1))
    }

    fn act(&mut self, action: &Action) -> Differs {
        match action {
            Action::Change { change, patient } => {
                let is_full = change.which() == Which::List && self.list.now().bytes() > ROOM;
                let change = if is_full { &Change::ClearList } else { change };
                let message = change.message(self.history(change.which()).object);
                let answer = if *patient { self.call(&message) } else { self.call_inline(&message) };
                if let Ok((version, _)) = answer {
                    self.note(change.which(), version, &change.puts());
                }
            }
            Action::Burst { key, times } => {
                for value in 0..*times {
                    let change = Change::Set(*key, vec![value % 5]);
                    let (version, _) = self.call_inline(&change.message(self.dict.object)).unwrap();
                    self.note(Which::Dict, version, &[*key]);
                    self.settle()?;
                }
            }
            Action::Transaction { changes, fails } => self.transaction(changes, *fails),
            Action::PutEnding { session, key: at, value, ttl_ms, own } => {
                let (key, value) = (key(*at), Encoded::from(value));
                let put = dict::InsertWith { key: (&key).into(), value, ttl_ms: *ttl_ms, session: *own };
                let (_, answer) = self.ask(self.session(*session), &Message::new(self.dict.object, put));
                let (version, _) = answer.unwrap().unwrap();
                self.note(Which::Dict, version, &[*at]);
            }
            Action::Begin { session, which, key } => self.begin(self.session(*session), *which, *key)?,
            Action::Follow { watch, back, timeout_ms } => return self.follow(*watch, *back, *timeout_ms),
            Action::Intrude { session, watch, early } => return self.intrude(*session, *watch, *early),
            Action::End { watch } => return self.end(*watch),
            Action::Wait { session, which, want, timeout_ms } => {
                return self.wait(self.session(*session), *which, want, *timeout_ms);
            }
            Action::Cancel { request } if !self.pending.is_empty() => {
                let (session, id) = *self.pending.keys().nth(request % self.pending.len()).unwrap();
                assert!(self.core.cancel(&self.sessions[&session].client, id, self.time()));
                self.pending.remove(&(session, id));
                let said = self.mail(session);
                if !matches!(&said[..], [(found, Err(Code::Cancelled))] if *found == id) {
                    return Err(format!("{said:?} was said to a cancel"));
                }
            }
            Action::Cancel { .. } => {}
            Action::Reconnect { session } => {
                let session = self.session(*session);
                let time = self.time();
                let state = self.sessions.get_mut(&session).unwrap();
                self.core.disconnect(&state.client, Departure::Broke, time);
                state.client = self.core.connect(7, SessionChoice::Join(session, TOKEN), TOKEN).unwrap();
                self.pending.retain(|key, _| key.0 != session);
            }
            Action::Leave { session } => {
                self.leave(self.session(*session));
                self.connect();
            }
            Action::Advance { milliseconds } => {
                self.now += milliseconds;
                let late = if self.fault == Some(Fault::TimesOutEarly) { 2 } else { 0 };
                self.core.expire(self.time() + Duration::from_millis(late));
                self.note_all();
            }
            Action::Delete { which } => return self.delete(*which),
        }
        Ok(())
    }

    /// Takes note of what an object is after a change.
    fn note(&mut self, which: Which, version: u64, puts: &[u8]) {
        let (read, contents) = self.call(&Change::read(which, self.history(which).object)).unwrap();
        assert_eq!(read, version);
        self.history_mut(which).note(version, state(which, &contents), puts);
    }

    /// Takes note of what has changed by itself.
    fn note_all(&mut self) {
        for which in [Which::Dict, Which::List] {
            let (version, contents) = self.call(&Change::read(which, self.history(which).object)).unwrap();
            self.history_mut(which).note(version, state(which, &contents), &[]);
        }
    }

    fn transaction(&mut self, changes: &[Change], fails: bool) {
        let bytes = self.dict.now().bytes() + self.list.now().bytes();
        if bytes + changes.iter().map(|change| change.message(1).arguments.len()).sum::<usize>() > ROOM {
            return;
        }
        let mut steps = Vec::new();
        for change in changes {
            let object = self.history(change.which()).object;
            steps.extend([change.message(object), Change::read(change.which(), object)]);
        }
        if fails {
            steps.push(Message::new(self.list.object, list::Get { index: 1_000 }));
        }
        let steps: Vec<manager::Step<'_>> = steps
            .iter()
            .map(|step| manager::Step {
                object: step.object,
                operation: step.row.number,
                arguments: Bin(step.arguments.as_slice().into()),
            })
            .collect();
        let operation =
            manager::Transaction { checks: Many::new([].into_iter()), operations: Many::new(steps.into_iter()) };
        let Ok((_, replies)) = self.call(&Message::new(0, operation)) else { return self.note_all() };
        assert!(!fails);
        let replies: Vec<manager::StepReply<'_>> = decode::<Many<'_, manager::StepReply<'_>>>(&replies).collect();
        for (change, reply) in changes.iter().zip(replies.iter().skip(1).step_by(2)) {
            let (which, version) = (change.which(), reply.version);
            self.history_mut(which).note(version, state(which, &reply.result.0), &change.puts());
        }
    }

    fn leave(&mut self, session: u64) {
        let state = self.sessions.remove(&session).unwrap();
        if self.fault != Some(Fault::ForgetsTheEndOfSessions) {
            self.core.leave(&state.client, self.time());
        }
        self.pending.retain(|key, _| key.0 != session);
        self.watches.retain(|watch| watch.session != session);
        self.note_all();
    }

    fn delete(&mut self, which: Which) -> Differs {
        let name = format!("{which:?} {}", self.name_of(which));
        let (_, deleted) = self.call(&Message::new(0, manager::Delete { name: &name })).unwrap();
        assert!(decode::<bool>(&deleted));
        self.refused_all(|pending| pending.which == which, Code::NoSuchObject)?;
        self.watches.retain(|watch| watch.which != which);
        self.open(which);
        Ok(())
    }

    /// The number in an object's name: objects are opened in the order of their ids.
    fn name_of(&self, which: Which) -> u64 {
        self.history(which).object
    }

    /// These requests, and no others, were just refused.
    pub(super) fn refused_all(&mut self, which: impl Fn(&Pending) -> bool, code: Code) -> Differs {
        let refused: Vec<(u64, u64)> =
            self.pending.iter().filter(|(_, pending)| which(pending)).map(|(key, _)| *key).collect();
        self.pending.retain(|key, _| !refused.contains(key));
        let mut found = Vec::new();
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            for (id, answer) in self.mail(session) {
                if answer != Err(code) {
                    return Err(format!("{answer:?} was said instead of {code:?}"));
                }
                found.push((session, id));
            }
        }
        found.sort_unstable();
        if found == refused { Ok(()) } else { Err(format!("{found:?} were refused instead of {refused:?}")) }
    }

    fn mail(&self, session: u64) -> Vec<(u64, Answer)> {
        let mut out = Vec::new();
        self.sessions[&session].client.mailbox().collect(&mut out);
        heard(&out).into_iter().map(answer).collect()
    }

    /// Compares what was said to those who waited. Whoever waits on must have nothing to be told.
    fn settle(&mut self) -> Differs {
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            for (id, answer) in self.mail(session) {
                let Some(pending) = self.pending.remove(&(session, id)) else {
                    return Err(format!("{answer:?} was said to nobody"));
                };
                if self.fault == Some(Fault::WakesNobody) && pending.until.is_none() {
                    self.pending.insert((session, id), pending);
                    continue;
                }
                self.check(&pending, answer)?;
            }
        }
        for pending in self.pending.values() {
            let is_due = match &pending.wants {
                Wants::Changes { watch, after } => {
                    let key = self.watches.iter().find(|found| found.number == *watch).unwrap().key;
                    self.history(pending.which).has_news(*after, key)
                }
                Wants::Value(want) => self.history(pending.which).check(want).is_some(),
            };
            if is_due || pending.until.is_some_and(|until| until <= self.now) {
                return Err(format!("{pending:?} still waits"));
            }
        }
        let (census, watches) = (self.core.census(), self.watches.len());
        let counted = (census.waiting, census.sessions);
        if counted == (self.pending.len(), self.sessions.len() + 1) && census.held >= watches {
            return Ok(());
        }
        Err(format!("there is {census:?} for {} requests, {watches} watches", self.pending.len()))
    }
}
