//! Whether what was said is right.

use manager_protocol::watch::{ChangesReply, EntryChange, Met, Splice};
use manager_protocol::{Encoded, Many, ReplyHeader, split_frame};

use super::history::{History, State, Which};
use super::objects::key_number;
use super::wire::{Heard, decode};
use super::world::{Answer, Differs, Fault, KEPT, Pending, Wants, Watch, World};

impl World {
    pub(super) fn check(&mut self, pending: &Pending, answer: Answer) -> Differs {
        let (version, result) = answer.map_err(|code| format!("{pending:?} was refused with {code:?}"))?;
        let is_over = pending.until.is_some_and(|until| until <= self.now);
        match &pending.wants {
            Wants::Changes { watch, after } => {
                let at = self.watches.iter().position(|found| found.number == *watch).unwrap();
                let reply = spoil(self.fault, decode::<ChangesReply<'_>>(&result));
                self.watches[at].after = self.watches[at].after.max(reply.through);
                self.check_changes(&self.watches[at], *after, &reply, version, is_over)
            }
            Wants::Value(want) => {
                let history = self.history(pending.which);
                let met = decode::<Option<Met<'_>>>(&result);
                let mut found = met.map(|met| met.value.map(|value| value.as_slice().to_vec()));
                if self.fault == Some(Fault::TellsTheOldValue) {
                    let before = History::at(history, history.version().saturating_sub(1)).get(want.at);
                    found = found.map(|_| before.cloned());
                }
                let expected = history.check(want);
                match found {
                    None if is_over && (expected.is_none() || version < history.version()) => Ok(()),
                    Some(_) if found == expected && version == history.version() => Ok(()),
                    found => Err(format!("{found:?} was said at {version} to {want:?} instead of {expected:?}")),
                }
            }
        }
    }

    /// Carries out the changes that a watch was told of.
    fn check_changes(&self, watch: &Watch, after: u64, reply: &ChangesReply<'_>, version: u64, over: bool) -> Differs {
        let (history, through) = (self.history(watch.which), reply.through);
        if version > history.version() || through > version || through < after {
            return Err(format!("version {version}, through {through}, of {}", history.version()));
        }
        if reply.lost {
            let may = after < watch.began || after < watch.read || history.may_have_lost(after, KEPT);
            return if may && through == version { Ok(()) } else { Err(format!("what is behind {after} was lost")) };
        }
        if after < watch.began {
            return Err("what was before it began was not lost".into());
        }
        let has_news = (after + 1..=through).any(|version| history.concerns(version, watch.key));
        if !has_news && !over {
            return Err(format!("it was told nothing behind {after} through {through}"));
        }
        let mut known = history.at(after).only(watch.key);
        let mut last = after;
        let mut step = |next: u64, known: &State| {
            if next < last || next > through {
                return Err(format!("a change has version {next} behind {last}"));
            }
            if (last..next).any(|version| *known != history.at(version).only(watch.key)) {
                return Err(format!("it would be {known:?} at {last} to {next}"));
            }
            last = next;
            Ok(())
        };
        for EntryChange(version, key, value) in &reply.entries {
            step(*version, &known)?;
            let key = key.as_ref().map(|key| key_number(key.as_slice()));
            if !history.concerns(*version, watch.key) || (watch.key.is_some() && key != watch.key) {
                return Err(format!("it was told of a change of {key:?}"));
            }
            match (key, value) {
                (Some(key), Some(value)) => known.put(key, value.as_slice().to_vec()),
                (Some(key), None) => known.remove(key),
                (None, _) => known = State::empty(Which::Dict),
            }
        }
        for Splice(version, start, removed, values) in &reply.splices {
            step(*version, &known)?;
            let State::List(known) = &mut known else { return Err("a dict was spliced".into()) };
            let (start, end) = (*start as usize, (*start + *removed) as usize);
            if end > known.len() {
                return Err(format!("{start}..{end} of {} values were replaced", known.len()));
            }
            known.splice(start..end, values.iter().map(|value| value.as_slice().to_vec()));
        }
        step(through, &known)?;
        if known == history.at(through).only(watch.key) {
            Ok(())
        } else {
            Err(format!("it would be {known:?} at {through}"))
        }
    }
}

/// What a core with a fault would say.
fn spoil(fault: Option<Fault>, mut reply: ChangesReply<'_>) -> ChangesReply<'_> {
    match fault {
        Some(Fault::DropsAChange) => drop((reply.entries.pop(), reply.splices.pop())),
        Some(Fault::RepeatsAChange) => {
            let again = reply.splices.last().cloned();
            reply.splices.extend(again);
        }
        Some(Fault::SplitsAVersion) if reply.entries.len() > 1 => {
            reply.entries.pop();
            reply.through = reply.entries.last().unwrap().0;
        }
        Some(Fault::HidesALoss) => reply.lost = false,
        Some(Fault::LosesTooMuch) => reply.lost |= reply.entries.len() > 1,
        Some(Fault::OverstatesTheVersion) => reply.through += 1,
        _ => {}
    }
    reply
}

/// What an object is that was read.
pub(super) fn state(which: Which, contents: &[u8]) -> State {
    let owned = |value: Encoded<'_>| value.as_slice().to_vec();
    match which {
        Which::Dict => {
            let entries = decode::<Many<'_, (Encoded<'_>, Encoded<'_>)>>(contents);
            State::Dict(entries.map(|(key, value)| (key_number(key.as_slice()), owned(value))).collect())
        }
        Which::List => State::List(decode::<Many<'_, Encoded<'_>>>(contents).map(owned).collect()),
    }
}

/// The id and the answer.
pub(super) fn answer(heard: Heard) -> (u64, Answer) {
    let answer = match heard.answer {
        Ok(result) => {
            let (frame, _) = split_frame(&heard.bytes, usize::MAX).unwrap().unwrap();
            Ok((ReplyHeader::parse(frame.body).unwrap().version, result))
        }
        Err((code, _)) => Err(code),
    };
    (heard.id, answer)
}
