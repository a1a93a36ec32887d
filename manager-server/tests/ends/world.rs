//! A core and its model, to both of which the same is done.

use std::borrow::Cow;
use std::task::{Context, Waker};
use std::time::Duration;

use manager_protocol::{
    Bin, Code, ErrorReply, FrameKind, Kind, Many, ReplyHeader, RequestHeader, SessionChoice, decode_body, manager,
    split_frame,
};
use manager_server::core::{Client, Core, Limits, Outcome, Pace, Time};

use super::model::Model;
use super::operation::{Op, Said};
use super::wire::{Message, TOKEN, decode};

/// What is done. Numbers are taken modulo of what there is.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Ask {
        client: usize,
        dict: usize,
        op: Op,
        /// So many changes ago the client has seen the dict.
        ago: u64,
    },
    /// All of them or, if the last one is to fail, none.
    Transaction { client: usize, steps: Vec<(usize, Op)>, fails: bool },
    /// Time goes by; the core may be told late.
    Advance { microseconds: u64, tell: bool },
    /// A session ends, and another begins in its place.
    Leave { client: usize },
    /// The second dict is deleted, and another made.
    Delete,
}

/// What a wrapper of the core does wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ForgetsTtls,
    ForgetsSessions,
    LagsBehind,
    HidesEndsOfSessions,
    SetsByChanging,
    ChangesBySetting,
    ExpiresForEver,
    RoundsDown,
    MixesSessions,
    CommitsFailures,
    TellsNoTimers,
}

pub(crate) struct World {
    core: Core,
    fault: Option<Fault>,
    clients: Vec<Client>,
    /// The numbers of the sessions, in the model.
    sessions: Vec<usize>,
    next_session: usize,
    dicts: [u64; 2],
    models: [Model; 2],
    /// For each dict, its version in the core after each number of changes in the model.
    versions: [Vec<u64>; 2],
    /// How many entries have ended in each model since the last reply.
    ended: [u64; 2],
    now: u64,
    next_id: u64,
}

const CLIENTS: usize = 3;

impl World {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        let core = Core::new(Limits::default());
        let clients = (0..CLIENTS).map(|_| connect(&core)).collect();
        let mut world = Self {
            core,
            fault,
            clients,
            sessions: (0..CLIENTS).collect(),
            next_session: CLIENTS,
            dicts: [0; 2],
            models: Default::default(),
            versions: [vec![0], vec![0]],
            ended: [0; 2],
            now: 0,
            next_id: 0,
        };
        world.dicts = [world.open("a"), world.open("b")];
        world
    }

    /// Does something to both; the first difference.
    pub(crate) fn apply(&mut self, action: &Action) -> Option<String> {
        let fault = match action {
            Action::Ask { client, dict, op, ago } => self.ask(client % CLIENTS, dict % 2, op, *ago),
            Action::Transaction { client, steps, fails } => self.transaction(client % CLIENTS, steps, *fails),
            Action::Advance { microseconds, tell } => {
                self.now += microseconds;
                if *tell && self.fault != Some(Fault::TellsNoTimers) {
                    self.core.expire(self.time());
                }
                None
            }
            Action::Leave { client } => {
                self.leave(client % CLIENTS);
                None
            }
            Action::Delete => {
                self.delete();
                None
            }
        };
        fault.map(|fault| format!("after {action:?}: {fault}"))
    }

    /// Looks at everything, ends all sessions, and lets all time go by: nothing may be left then.
    pub(crate) fn finish(&mut self) -> Option<String> {
        let held = self.core.census().held;
        self.expire();
        let owned: usize = self.models.iter().map(Model::owned).sum();
        if held < owned {
            return Some(format!("sessions hold {held} entries instead of {owned}"));
        }
        for dict in 0..2 {
            if let Some(fault) = Model::looks().iter().find_map(|op| self.ask(0, dict, op, 0)) {
                return Some(fault);
            }
        }
        self.now += 400_000_000_000_000;
        if self.fault != Some(Fault::TellsNoTimers) {
            self.core.expire(self.time());
        }
        let next = self.core.next_due(&mut Context::from_waker(Waker::noop()));
        if next.is_some() {
            return Some(format!("there is still a timer at {next:?}"));
        }
        (0..CLIENTS).for_each(|client| self.leave(client));
        let census = self.core.census();
        let left = (census.held, census.timers, census.sessions);
        (left != (0, 0, CLIENTS)).then(|| format!("in the end there is {census:?}"))
    }

    fn time(&self) -> Time {
        Duration::from_micros(self.now)
    }

    fn open(&mut self, name: &str) -> u64 {
        let open = Message::new(0, manager::Open { name: Some(name), kind: Kind::Dict });
        decode(&self.send(&open, 0).unwrap().1)
    }

    fn leave(&mut self, client: usize) {
        let session = std::mem::replace(&mut self.sessions[client], self.next_session);
        self.next_session += 1;
        let left = std::mem::replace(&mut self.clients[client], connect(&self.core));
        if self.fault != Some(Fault::HidesEndsOfSessions) {
            self.core.leave(&left, self.time());
        }
        // An entry that has ended and was not removed yet goes with its session.
        for (model, ended) in self.models.iter_mut().zip(&mut self.ended) {
            *ended += model.end_session(session);
        }
    }

    fn delete(&mut self) {
        let delete = Message::new(0, manager::Delete { name: "b" });
        self.send(&delete, 0).unwrap();
        self.dicts[1] = self.open("b");
        self.models[1] = Model::default();
        self.versions[1] = vec![0];
        self.ended[1] = 0;
    }

    fn expire(&mut self) {
        for (model, ended) in self.models.iter_mut().zip(&mut self.ended) {
            *ended += model.expire(self.now);
        }
    }

    /// Asks both; the first difference.
    fn ask(&mut self, client: usize, dict: usize, op: &Op, ago: u64) -> Option<String> {
        self.expire();
        let since = self.models[dict].changes.saturating_sub(ago);
        let version = self.versions[dict][since as usize];
        let wrong = self.wrong(dict, op);
        let message = wrong.as_ref().unwrap_or(op).message(self.dicts[dict], self.dicts[1 - dict], version);
        let (expected, changed) = self.expect(client, dict, op, since);
        match self.send(&message, client) {
            Err(code) if expected == Said::Refused(code) => None,
            Err(code) => Some(format!("{op:?} was refused with {code:?} instead of {expected:?}")),
            // What is asked wrongly is seen by what comes of it.
            Ok((version, _)) if wrong.is_some() => {
                self.note(dict, version, changed);
                None
            }
            Ok((version, result)) => self.compare(dict, op, (version, &result), &expected, changed),
        }
    }

    fn transaction(&mut self, client: usize, steps: &[(usize, Op)], fails: bool) -> Option<String> {
        self.expire();
        let failing = Op::Expire { key: 0, ttl_ms: Some(0) };
        let commits = self.fault == Some(Fault::CommitsFailures);
        let asked: Vec<(usize, &Op)> = steps.iter().map(|(dict, op)| (dict % 2, op)).collect();
        let last = fails.then_some((0, &failing));
        let sent = asked.iter().copied().chain(last.filter(|_| !commits));
        let operations: Vec<manager::Step<'_>> = sent.map(|(dict, op)| self.step(dict, op)).collect();
        let operations = Many::new(operations.into_iter());
        let message = Message::new(0, manager::Transaction { checks: Many::new([].into_iter()), operations });

        let models = self.models.clone();
        let expected: Vec<(Said, u64)> = asked
            .iter()
            .copied()
            .chain(last)
            .map(|(dict, op)| self.expect(client, dict, op, models[dict].changes))
            .collect();
        let refused =
            expected.iter().find_map(|(said, _)| if let Said::Refused(code) = said { Some(*code) } else { None });
        if refused.is_some() {
            self.models = models;
        }
        match (self.send(&message, client), refused) {
            (Err(code), Some(expected)) if code == expected => None,
            (Err(code), _) => Some(format!("it was refused with {code:?} instead of {refused:?}")),
            (Ok(_), Some(_)) if commits => None,
            (Ok(_), Some(expected)) => Some(format!("it was not refused with {expected:?}")),
            (Ok((_, result)), None) => {
                let replies: Vec<manager::StepReply<'_>> =
                    decode::<Many<'_, manager::StepReply<'_>>>(&result).collect();
                assert_eq!(replies.len(), expected.len());
                asked.iter().zip(replies).zip(&expected).find_map(|(((dict, op), reply), (said, changed))| {
                    self.compare(*dict, op, (reply.version, &reply.result.0), said, *changed)
                })
            }
        }
    }

    fn step(&self, dict: usize, op: &Op) -> manager::Step<'static> {
        let version = *self.versions[dict].last().unwrap();
        let Message { row, object, arguments } = op.message(self.dicts[dict], self.dicts[1 - dict], version);
        manager::Step { object, operation: row.number, arguments: Bin(Cow::Owned(arguments)) }
    }

    /// What the model says, and how many changes it made of it.
    fn expect(&mut self, client: usize, dict: usize, op: &Op, since: u64) -> (Said, u64) {
        let source = self.models[1 - dict].clone();
        let before = self.models[dict].changes;
        let said = self.models[dict].apply(op, self.sessions[client], self.now, &source, since);
        (said, self.models[dict].changes - before)
    }

    /// Another operation than was asked for, with a fault that is tried.
    fn wrong(&self, dict: usize, op: &Op) -> Option<Op> {
        match (self.fault?, op.clone()) {
            (Fault::ForgetsTtls, Op::InsertWith { key, value, ttl_ms: Some(1..=1_000_000), session }) => {
                Some(Op::InsertWith { key, value, ttl_ms: None, session })
            }
            (Fault::ForgetsSessions, Op::InsertWith { key, value, ttl_ms, session: true }) => {
                Some(Op::InsertWith { key, value, ttl_ms, session: false })
            }
            (Fault::ExpiresForEver, Op::Expire { key, ttl_ms: Some(1..=1_000_000) }) => {
                Some(Op::Expire { key, ttl_ms: None })
            }
            (Fault::SetsByChanging, Op::Set { key, value }) => {
                let expected = Some(self.models[dict].value(key)?);
                Some(Op::CompareAndSet { key, expected, new: Some(value) })
            }
            (Fault::ChangesBySetting, Op::Add { key }) => {
                Some(Op::Set { key, value: self.models[dict].value(key)? + 1 })
            }
            _ => None,
        }
    }

    fn send(&mut self, message: &Message, client: usize) -> Result<(u64, Vec<u8>), Code> {
        let Message { row, object, arguments } = message;
        self.next_id += 1;
        let request = RequestHeader { id: self.next_id, operation: row.number, object: *object, arguments };
        let late = if self.fault == Some(Fault::LagsBehind) { 1_500 } else { 0 };
        let now = Duration::from_micros(self.now.saturating_sub(late));
        let by = if self.fault == Some(Fault::MixesSessions) { 0 } else { client };
        let mut out = Vec::new();
        let mut dispatch = |pace| self.core.dispatch(&self.clients[by], request, pace, now, &mut out);
        let mut outcome = dispatch(Pace::Inline);
        if matches!(outcome, Outcome::Postponed) {
            outcome = dispatch(Pace::Patient);
        }
        assert!(matches!(outcome, Outcome::Replied), "{outcome:?}");
        let (frame, used) = split_frame(&out, usize::MAX).unwrap().unwrap();
        assert_eq!(used, out.len());
        if frame.kind == FrameKind::Error {
            let error: ErrorReply = decode_body(frame.kind, frame.body).unwrap();
            return Err(Code::from_number(error.code).unwrap());
        }
        let reply = ReplyHeader::parse(frame.body).unwrap();
        Ok((reply.version, reply.result.to_vec()))
    }

    /// What differs in a reply. What has ended is a change of its own; whether it was removed at once or
    /// in several steps is the core's business.
    fn compare(
        &mut self,
        dict: usize,
        op: &Op,
        (version, result): (u64, &[u8]),
        expected: &Said,
        changed: u64,
    ) -> Option<String> {
        let mut found = op.decode(result);
        if let Said::Left(Some(Some(left))) = &mut found
            && self.fault == Some(Fault::RoundsDown)
        {
            *left -= 1;
        }
        if found != *expected {
            return Some(format!("{op:?} gave {found:?} instead of {expected:?}"));
        }
        let before = *self.versions[dict].last().unwrap();
        let ended = std::mem::take(&mut self.ended[dict]);
        let least = before + changed + u64::from(ended > 0);
        if !(least..=before + changed + ended).contains(&version) && !self.has_wrong_versions() {
            return Some(format!(
                "{op:?} gave version {version} after {before}, with {changed} changes and {ended} ends"
            ));
        }
        self.note(dict, version, changed);
        None
    }

    fn note(&mut self, dict: usize, version: u64, changed: u64) {
        if changed == 0 {
            self.versions[dict].pop();
        }
        self.versions[dict].push(version);
    }

    /// A fault that is tried must be seen by what there is, not by how often it was changed.
    fn has_wrong_versions(&self) -> bool {
        self.fault.is_some()
    }
}

fn connect(core: &Core) -> Client {
    core.connect(7, SessionChoice::New(true), TOKEN).unwrap()
}
