//! What sessions ask for: watches, their changes, and values.

use manager_protocol::path::Step;
use manager_protocol::{Code, Encoded, watch};

use super::history::{Want, Which};
use super::objects::key;
use super::wire::{Message, decode};
use super::world::{Differs, Pending, Wants, Watch, World};

impl World {
    pub(super) fn begin(&mut self, session: u64, which: Which, watched: Option<u8>) -> Differs {
        let encoded = watched.map(key);
        let operation = watch::Begin { key: encoded.as_ref().map(Encoded::from) };
        let (_, answer) = self.ask(session, &Message::new(self.history(which).object, operation));
        let key = if which == Which::Dict { watched } else { None };
        match answer.unwrap() {
            Ok((version, number)) => {
                let version_is_right = version == self.history(which).version() && key == watched;
                let number = decode(&number);
                self.watches.push(Watch { session, number, which, key, began: version, read: version, after: version });
                if version_is_right { Ok(()) } else { Err(format!("a watch began at {version}")) }
            }
            Err(Code::InvalidArgument) if key != watched => Ok(()),
            Err(code) => Err(format!("a watch was refused with {code:?}")),
        }
    }

    pub(super) fn follow(&mut self, watch: usize, back: u64, timeout_ms: Option<i64>) -> Differs {
        let Some(at) = watch.checked_rem(self.watches.len()) else { return Ok(()) };
        let (watch, now) = (&mut self.watches[at], self.now);
        let after = watch.after.saturating_sub(back);
        watch.read = watch.read.max(after);
        let (session, which, number, key) = (watch.session, watch.which, watch.number, watch.key);
        let operation = watch::Changes { watch: number, after, timeout_ms };
        let until = timeout_ms.map(|time| now + time as u64);
        let pending = Pending { which, until, wants: Wants::Changes { watch: number, after } };
        let (id, answer) = self.ask(session, &Message::new(self.history(which).object, operation));
        match answer {
            Some(answer) => self.check(&pending, answer),
            None if self.history(which).has_news(after, key) => Err(format!("it waits behind {after}")),
            None => {
                self.pending.insert((session, id), pending);
                Ok(())
            }
        }
    }

    pub(super) fn intrude(&mut self, session: usize, watch: usize, early: bool) -> Differs {
        let Some(watch) = watch.checked_rem(self.watches.len()).map(|at| &self.watches[at]) else { return Ok(()) };
        let session = if early { watch.session } else { self.session(session) };
        let after = self.history(watch.which).version() + u64::from(early);
        let expected = if session == watch.session { Code::InvalidArgument } else { Code::NoSuchWatch };
        if !early && session == watch.session {
            return Ok(());
        }
        let operation = watch::Changes { watch: watch.number, after, timeout_ms: Some(0) };
        let (_, answer) = self.ask(session, &Message::new(self.history(watch.which).object, operation));
        let found = answer.unwrap().err();
        if found == Some(expected) { Ok(()) } else { Err(format!("{found:?} was said to an intruder")) }
    }

    pub(super) fn end(&mut self, watch: usize) -> Differs {
        let Some(at) = watch.checked_rem(self.watches.len()) else { return Ok(()) };
        let ended = self.watches.remove(at);
        let message = Message::new(self.history(ended.which).object, watch::End { watch: ended.number });
        let (_, answer) = self.ask(ended.session, &message);
        assert!(decode::<bool>(&answer.unwrap().unwrap().1));
        let its = |pending: &Pending| matches!(pending.wants, Wants::Changes { watch, .. } if watch == ended.number);
        self.refused_all(its, Code::NoSuchWatch)?;
        let (_, answer) = self.ask(ended.session, &message);
        if decode::<bool>(&answer.unwrap().unwrap().1) { Err("it ended twice".into()) } else { Ok(()) }
    }

    pub(super) fn wait(&mut self, session: u64, which: Which, want: &Want, timeout_ms: Option<i64>) -> Differs {
        let want = Want { at: if which == Which::Dict { want.at.rem_euclid(5) } else { want.at }, ..want.clone() };
        let at = if which == Which::Dict { key(want.at as u8) } else { vec![want.at as u8] };
        let operand = want.operand.map(|operand| vec![operand as u8]);
        let operation = watch::WaitFor {
            at: (&at).into(),
            path: want.step.map(Step::Index).into_iter().collect(),
            condition: want.condition,
            operand: operand.as_ref().map(Encoded::from),
            timeout_ms,
        };
        let until = timeout_ms.map(|time| self.now + time as u64);
        let pending = Pending { which, until, wants: Wants::Value(want) };
        match self.ask(session, &Message::new(self.history(which).object, operation)) {
            (_, Some(answer)) => self.check(&pending, answer),
            (id, None) => {
                self.pending.insert((session, id), pending);
                Ok(())
            }
        }
    }
}
