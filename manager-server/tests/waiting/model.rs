//! What a core must do with sessions, connections and requests, whatever the objects are.

use std::collections::{BTreeMap, BTreeSet};

use manager_protocol::{Code, Effect, Row};

use super::objects::{Alarm, Key, Objects, Others, Reply, Said, Turn, Undo, Why};
use super::wire::Message;

type Timer = (u64, u64);

enum Due {
    Wait(Key),
    Grace(usize),
    Alarm(Alarm),
}

pub(crate) struct Model<K: Objects> {
    pub(crate) objects: K,
    pub(crate) sessions: Vec<Session<K::Op>>,
    pub(crate) connections: Vec<Connection>,
    now: u64,
    grace: u64,
    timers: BTreeMap<Timer, Due>,
    next_timer: u64,
    alarms: BTreeMap<Alarm, Timer>,
    deleted: BTreeSet<usize>,
    /// What is to be heard: on which connection, of which request.
    pub(crate) said: Vec<(usize, u64, Reply)>,
}

pub(crate) struct Session<O> {
    pub(crate) has_token: bool,
    pub(crate) ended: bool,
    requests: BTreeMap<u64, Request<O>>,
    next: u64,
    awaited: BTreeSet<u64>,
    /// Cancelled before they came.
    cancelled: BTreeSet<u64>,
    /// Until when those were to wait that lost their connection.
    interrupted: BTreeMap<u64, u64>,
    grace: Option<Timer>,
}

pub(crate) struct Connection {
    pub(crate) session: usize,
    pub(crate) open: bool,
    unconfirmed: Vec<u64>,
}

struct Request<O> {
    operation: O,
    connection: usize,
    progress: Progress,
}

enum Progress {
    Waiting(Option<Timer>),
    Answered { reply: Reply, undo: Option<Undo>, delivered: bool },
}

impl<O> Session<O> {
    /// The client has had the answer.
    fn is_stale(&self, id: u64) -> bool {
        id < self.next && !self.awaited.contains(&id)
    }
}

impl<K: Objects> Model<K> {
    pub(crate) fn new(grace: u64) -> Self {
        Self {
            objects: K::new(),
            sessions: Vec::new(),
            connections: Vec::new(),
            now: 0,
            grace,
            timers: BTreeMap::new(),
            next_timer: 0,
            alarms: BTreeMap::new(),
            deleted: BTreeSet::new(),
            said: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self, has_token: bool) {
        let session = Session {
            has_token,
            ended: false,
            requests: BTreeMap::new(),
            next: 0,
            awaited: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            interrupted: BTreeMap::new(),
            grace: None,
        };
        self.sessions.push(session);
        self.add_connection(self.sessions.len() - 1);
    }

    /// Adds a connection to a session that can be joined; false if it has ended.
    pub(crate) fn join(&mut self, session: usize) -> bool {
        if self.sessions[session].ended {
            return false;
        }
        if let Some(timer) = self.sessions[session].grace.take() {
            self.timers.remove(&timer);
        }
        self.add_connection(session);
        true
    }

    fn add_connection(&mut self, session: usize) {
        self.connections.push(Connection { session, open: true, unconfirmed: Vec::new() });
    }

    fn is_kept(&self, session: usize, row: Row) -> bool {
        self.sessions[session].has_token && row.effect != Effect::Read
    }

    pub(crate) fn ask(&mut self, connection: usize, id: u64, operation: &K::Op) {
        let session = self.connections[connection].session;
        let message = K::message(operation);
        let kept = self.is_kept(session, message.row);
        let noted = kept || message.row.waits;
        if noted && let Some(answer) = self.known(connection, id, &message, kept) {
            self.said.extend(answer.map(|reply| (connection, id, reply)));
            return;
        }
        let mut others = Others::default();
        let at = message.object as usize - 1;
        let turn = if self.deleted.contains(&at) {
            Turn::Refused(Code::NoSuchObject)
        } else {
            self.objects.ask((session, id), operation, &mut others)
        };
        let (progress, reply) = match turn {
            Turn::Wait(time) => {
                // One that is sent again ends when it was to end at first.
                let before = self.sessions[session].interrupted.remove(&id);
                let until =
                    time.map(|time| self.now + time as u64).map(|until| before.map_or(until, |at| at.min(until)));
                let timer = until.map(|until| self.set(until, Due::Wait((session, id))));
                (Progress::Waiting(timer), None)
            }
            Turn::Now(said, undo) => {
                (Progress::Answered { reply: Ok(said.clone()), undo, delivered: false }, Some(Ok(said)))
            }
            Turn::Refused(code) => {
                (Progress::Answered { reply: Err(code), undo: None, delivered: false }, Some(Err(code)))
            }
        };
        if kept || reply.is_none() {
            let request = Request { operation: operation.clone(), connection, progress };
            self.note_unconfirmed(connection, id, &request.progress);
            self.sessions[session].requests.insert(id, request);
        }
        self.said.extend(reply.map(|reply| (connection, id, reply)));
        self.settle(others);
    }

    /// What is answered to a request that is not to be carried out, or not again: perhaps nothing.
    fn known(&mut self, connection: usize, id: u64, message: &Message, kept: bool) -> Option<Option<Reply>> {
        let session = &mut self.sessions[self.connections[connection].session];
        if session.ended {
            return Some(Some(Err(Code::SessionExpired)));
        }
        let Some(request) = session.requests.get_mut(&id) else {
            let cancelled = session.cancelled.contains(&id).then_some(Some(Err(Code::Cancelled)));
            return if kept && session.is_stale(id) { Some(Some(Err(Code::StaleRequest))) } else { cancelled };
        };
        let before = K::message(&request.operation);
        if (before.row, before.object) != (message.row, message.object) {
            return Some(Some(Err(Code::RequestMismatch)));
        }
        // The later connection is that of the higher number.
        request.connection = request.connection.max(connection);
        let Progress::Answered { reply, undo, delivered } = &request.progress else { return Some(None) };
        if undo.is_some() && !delivered {
            self.connections[connection].unconfirmed.push(id);
        }
        Some(Some(reply.clone()))
    }

    fn note_unconfirmed(&mut self, connection: usize, id: u64, progress: &Progress) {
        if matches!(progress, Progress::Answered { undo: Some(_), .. }) {
            self.connections[connection].unconfirmed.push(id);
        }
    }

    /// Answers those who waited; what cannot be answered is taken back.
    fn settle(&mut self, mut others: Others) {
        for key in others.untimed.drain(..) {
            self.stop_timer(key);
        }
        self.set_alarms(&mut others);
        while let Some((key, reply, undo)) = others.answered.pop_front() {
            self.stop_timer(key);
            let (session, id) = key;
            let Some(request) = self.sessions[session].requests.get(&id) else {
                if let Some(undo) = undo {
                    self.objects.undo(undo, &mut others);
                    self.set_alarms(&mut others);
                }
                continue;
            };
            let connection = request.connection;
            self.said.push((connection, id, reply.clone()));
            if self.is_kept(session, K::message(&request.operation).row) {
                let progress = Progress::Answered { reply, undo, delivered: false };
                self.note_unconfirmed(connection, id, &progress);
                self.sessions[session].requests.get_mut(&id).unwrap().progress = progress;
            } else {
                self.sessions[session].requests.remove(&id);
            }
        }
    }

    fn set(&mut self, at: u64, due: Due) -> Timer {
        self.next_timer += 1;
        self.timers.insert((at, self.next_timer), due);
        (at, self.next_timer)
    }

    fn set_alarms(&mut self, others: &mut Others) {
        for (alarm, time) in others.alarms.drain(..) {
            if let Some(timer) = self.alarms.remove(&alarm) {
                self.timers.remove(&timer);
            }
            if let Some(time) = time {
                let timer = self.set(self.now + time, Due::Alarm(alarm));
                self.alarms.insert(alarm, timer);
            }
        }
    }

    fn stop_timer(&mut self, (session, id): Key) {
        if let Some(Request { progress: Progress::Waiting(timer), .. }) = self.sessions[session].requests.get_mut(&id)
            && let Some(timer) = timer.take()
        {
            self.timers.remove(&timer);
        }
    }

    /// Where a request waits, if it does.
    fn waits_at(&self, (session, id): Key) -> Option<usize> {
        let request = self.sessions[session].requests.get(&id)?;
        matches!(request.progress, Progress::Waiting(_)).then(|| K::message(&request.operation).object as usize - 1)
    }

    fn end_wait(&mut self, key: Key, why: Why) {
        let Some(at) = self.waits_at(key) else { return };
        let mut others = Others::default();
        self.objects.end_wait(at, key, why, &mut others);
        if why == Why::Lost {
            let session = &mut self.sessions[key.0];
            if let Some(Request { progress: Progress::Waiting(Some((until, _))), .. }) = session.requests.get(&key.1) {
                session.interrupted.insert(key.1, *until);
            }
            self.stop_timer(key);
            self.sessions[key.0].requests.remove(&key.1);
        }
        self.settle(others);
    }

    /// Whether the request was known.
    pub(crate) fn cancel(&mut self, session: usize, id: u64) -> bool {
        match self.sessions[session].requests.get_mut(&id).map(|request| &mut request.progress) {
            None => {
                self.expect_cancelled(session, id);
                false
            }
            Some(Progress::Waiting(_)) => {
                self.end_wait((session, id), Why::Cancelled);
                true
            }
            Some(Progress::Answered { undo, .. }) => {
                let Some(undo) = undo.take() else { return false };
                let mut others = Others::default();
                self.objects.undo(undo, &mut others);
                self.settle(others);
                true
            }
        }
    }

    /// A request that is not known is not to be carried out when it comes.
    fn expect_cancelled(&mut self, session: usize, id: u64) {
        let session = &mut self.sessions[session];
        if session.has_token && !session.requests.contains_key(&id) && !session.is_stale(id) {
            session.cancelled.insert(id);
        }
    }

    pub(crate) fn hear(&mut self, connection: usize) {
        let session = self.connections[connection].session;
        for id in std::mem::take(&mut self.connections[connection].unconfirmed) {
            if let Some(Request { progress: Progress::Answered { delivered, .. }, .. }) =
                self.sessions[session].requests.get_mut(&id)
            {
                *delivered = true;
            }
        }
    }

    pub(crate) fn disconnect(&mut self, connection: usize, left: bool) {
        if left {
            self.hear(connection);
        }
        let session = self.connections[connection].session;
        self.connections[connection].open = false;
        let of = |request: &Request<K::Op>| {
            request.connection == connection && matches!(request.progress, Progress::Waiting(_))
        };
        let lost: Vec<u64> =
            self.sessions[session].requests.iter().filter(|(_, request)| of(request)).map(|(id, _)| *id).collect();
        for id in lost {
            self.end_wait((session, id), Why::Lost);
        }
        if self.sessions[session].ended || self.connections.iter().any(|other| other.open && other.session == session) {
            return;
        }
        if self.sessions[session].has_token {
            self.sessions[session].grace = Some(self.set(self.now + self.grace, Due::Grace(session)));
        } else {
            self.end(session);
        }
    }

    pub(crate) fn leave(&mut self, connection: usize) {
        self.hear(connection);
        self.end(self.connections[connection].session);
    }

    pub(crate) fn end(&mut self, session: usize) {
        if std::mem::replace(&mut self.sessions[session].ended, true) {
            return;
        }
        if let Some(timer) = self.sessions[session].grace.take() {
            self.timers.remove(&timer);
        }
        let mut undelivered = Vec::new();
        for (_, request) in std::mem::take(&mut self.sessions[session].requests) {
            match request.progress {
                Progress::Waiting(Some(timer)) => drop(self.timers.remove(&timer)),
                Progress::Answered { undo: Some(undo), delivered: false, .. } => undelivered.push(undo),
                Progress::Waiting(None) | Progress::Answered { .. } => {}
            }
        }
        let mut others = Others::default();
        self.objects.end_session(session, undelivered, &mut others);
        self.settle(others);
    }

    pub(crate) fn acknowledge(&mut self, session: usize, next: u64, mut awaited: BTreeSet<u64>) {
        let session = &mut self.sessions[session];
        if next < session.next {
            return;
        }
        if next == session.next {
            awaited.retain(|id| session.awaited.contains(id));
        }
        session.requests.retain(|id, request| {
            *id >= next || awaited.contains(id) || matches!(request.progress, Progress::Waiting(_))
        });
        session.cancelled.retain(|id| *id >= next || awaited.contains(id));
        (session.next, session.awaited) = (next, awaited);
    }

    pub(crate) fn is_known(&self, (session, id): Key) -> bool {
        self.sessions[session].requests.contains_key(&id)
    }

    /// Whether the client awaits the answer, if it `lacks` it though it was given.
    pub(crate) fn is_awaited(&self, (session, id): Key, lacks: bool) -> bool {
        let session = &self.sessions[session];
        let answered = matches!(session.requests.get(&id), Some(Request { progress: Progress::Answered { .. }, .. }));
        !session.is_stale(id) && (lacks || !answered)
    }

    pub(crate) fn advance(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        let later = self.timers.split_off(&(self.now + 1, 0));
        for (timer, due) in std::mem::replace(&mut self.timers, later) {
            match due {
                Due::Wait(key) => self.end_wait(key, Why::TimedOut),
                Due::Grace(session) => self.end(session),
                Due::Alarm(alarm) if self.alarms.get(&alarm) == Some(&timer) => {
                    self.alarms.remove(&alarm);
                    let mut others = Others::default();
                    self.objects.ring(alarm, &mut others);
                    self.settle(others);
                }
                Due::Alarm(_) => {}
            }
        }
    }

    pub(crate) fn delete(&mut self, at: usize) {
        if !self.deleted.insert(at) {
            return;
        }
        let mut others = Others::default();
        for (place, session) in self.sessions.iter().enumerate() {
            for id in session.requests.keys().filter(|id| self.waits_at((place, **id)) == Some(at)) {
                others.answer((place, *id), Err(Code::NoSuchObject), None);
            }
        }
        others.alarms.extend(self.alarms.keys().filter(|alarm| alarm.0 == at).map(|alarm| (*alarm, None)));
        self.objects.delete(at);
        self.settle(others);
    }

    /// What there is to see, unless the object was deleted.
    pub(crate) fn look(&mut self, operation: &K::Op) -> Option<Said> {
        let at = K::message(operation).object as usize - 1;
        match self.objects.ask((usize::MAX, 0), operation, &mut Others::default()) {
            Turn::Now(said, None) if !self.deleted.contains(&at) => Some(said),
            Turn::Now(..) | Turn::Refused(_) | Turn::Wait(_) => None,
        }
    }

    /// Requests that wait, sessions, and timers.
    pub(crate) fn census(&self) -> (usize, usize, usize) {
        let waits = |request: &&Request<K::Op>| matches!(request.progress, Progress::Waiting(_));
        let waiting = self.sessions.iter().map(|session| session.requests.values().filter(waits).count()).sum();
        (waiting, self.sessions.iter().filter(|session| !session.ended).count(), self.timers.len())
    }
}
