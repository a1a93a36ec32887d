//! Waiting for data to change: watches, and conditions on one value.
//!
//! Data that somebody watches or waits for has [`Watchers`] and tells them what its operations change;
//! all other data pays for that with one look. When the data is let go of, those who wait and can go on
//! are answered: see [`rouse`]. A request that waits is noted under the same lock under which it found
//! nothing, so it misses no change.

mod log;
mod looks;
mod requests;
mod wanted;
mod watchers;

use std::sync::Arc;

use manager_protocol::watch::Condition;
use manager_protocol::{Encoded, RequestHeader, Result, Served, WATCH, watch};

use super::clients::Client;
use super::data::Data;
use super::dispatch::{Stop, wrong_kind};
use super::lifetime::{Attended, Lifetimes};
use super::moment::Moment;
use super::object::{Object, Shared, State};
use super::reference::Claims;
use super::registry::Registry;
use super::session::SessionId;
use super::sink::FrameSink;
use super::waitable::{Reversal, Waitable};
use super::waiting::{Caller, Effects, Ended, Ticket, WaitKey};
use super::{LARGE, LARGE_BYTES, Pace};
pub(super) use log::Key;
use looks::Looks;
use requests::Asking;
use watchers::Wants;
pub(super) use watchers::{Slot, Watchers};

/// Whether this is an operation of watches or waits for data.
pub(super) fn is_watch(operation: u16) -> bool {
    let [high, _] = operation.to_be_bytes();
    high == WATCH
}

/// What those who wait for data need of it.
pub(super) trait Watched {
    fn slot(&self) -> &Slot;

    fn slot_mut(&mut self) -> &mut Slot;

    /// Judges what names a value; its key in canonical form, if it is an entry with one.
    fn place(at: &Encoded<'_>) -> Result<Option<Key>>;

    /// The value that `at` names, if there is one.
    fn look(&self, at: &Encoded<'_>) -> Option<Seen>;
}

/// A value as it is now.
pub(super) struct Seen {
    pub(super) value: Encoded<'static>,
    /// The version with which it came, as far as that is known.
    pub(super) version: u64,
}

/// Runs a request to watch an object, or to wait for it.
pub(super) fn run(
    registry: &Registry,
    client: &Client,
    request: &RequestHeader<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
    effects: &Effects<'_>,
) -> Result<Served, Stop> {
    let operation = watch::Request::decode(request.operation, request.arguments)?;
    let row = operation.row();
    let object = registry.object(request.object).map_err(|error| error.during(row.name))?;
    let claims = Claims::of(registry, request.arguments).map_err(|error| error.during(row.name))?;
    let moment = Moment { session: client.session.id, claims };
    let caller = Caller { session: &client.session, request: request.id, object: &object, moment: &moment };
    let served = match &object.state {
        State::Dict(dict) => serve(dict, operation, &caller, pace, sink, effects),
        State::List(list) => serve(list, operation, &caller, pace, sink, effects),
        State::Value(value) => serve(value, operation, &caller, pace, sink, effects),
        State::Array(array) => serve(array, operation, &caller, pace, sink, effects),
        State::Set(_)
        | State::Queue(_)
        | State::Pipe(_)
        | State::Lock(_)
        | State::Semaphore(_)
        | State::Event(_)
        | State::Condition(_)
        | State::Barrier(_)
        | State::Pool(_) => Err(wrong_kind(&object).into()),
    };
    served.map_err(|stop| match stop {
        Stop::Refused(error) => Stop::Refused(error.during(format_args!("{} on {:?}", row.name, object.name))),
        Stop::Postponed => Stop::Postponed,
    })
}

fn serve<D: Data>(
    shared: &Shared<D>,
    operation: watch::Request<'_>,
    caller: &Caller<'_>,
    pace: Pace,
    sink: &mut FrameSink<'_>,
    effects: &Effects<'_>,
) -> Result<Served, Stop> {
    let data = Attended::new(shared, caller.object, effects, pace, caller.moment).ok_or(Stop::Postponed)?;
    caller.object.check_alive()?;
    if pace == Pace::Inline && is_heavy(&*data, &operation) {
        return Err(Stop::Postponed);
    }
    // In a box, so that who lets go of it lets go of the lock: the reply is encoded after that.
    Ok(operation.serve(Box::new(Asking { data, caller, effects }), None, sink)?)
}

/// Whether there is much to be looked into.
fn is_heavy<D: Data>(data: &D, operation: &watch::Request<'_>) -> bool {
    let watch::Request::WaitFor(operation) = operation else { return false };
    let compares = match operation.condition {
        Condition::Equals | Condition::AtLeast => true,
        Condition::Exists | Condition::Absent | Condition::ChangedSince => false,
    };
    (compares || !operation.path.is_empty())
        && D::place(&operation.at).is_ok()
        && data.look(&operation.at).is_some_and(|seen| seen.value.as_slice().len() > LARGE_BYTES)
}

/// Whether those who wait would have much to look into after a change that came in so many bytes.
pub(super) fn is_costly<D: Data>(data: &D, bytes: usize) -> bool {
    data.slot().get().is_some_and(|watchers| watchers.cost(bytes) > LARGE_BYTES)
}

/// Tells those who wait what has changed, and answers those who have what they wanted. To be called when
/// operations are over, before the data is let go of.
pub(super) fn rouse<D: Data>(data: &mut D, effects: &Effects<'_>) {
    let Some(mut watchers) = data.slot_mut().take() else { return };
    watchers.keep();
    let now = data.version();
    let mut looks = Looks::default();
    for wait in watchers.take_news() {
        match watchers.wants(wait) {
            Some(&Wants::Changes { watch, after }) => {
                if let Some(changes) = watchers.changes(watch, after, now)
                    && let Some((ticket, _)) = watchers.remove(wait)
                {
                    effects.complete::<watch::Changes>(ticket, now, changes, None);
                }
            }
            Some(Wants::Value(wanted)) => {
                let seen = data.look(&wanted.at);
                if let Some(met) = watchers.check(wait, seen, now, &mut looks)
                    && let Some((ticket, _)) = watchers.remove(wait)
                {
                    effects.complete::<watch::WaitFor<'_>>(ticket, now, Some(met), None);
                }
            }
            None => {}
        }
    }
    data.slot_mut().put_back(watchers);
}

/// Sessions wait in data, and hold watches and items of it.
impl<D: Data> Waitable for D {
    fn is_waiting(&self, wait: WaitKey) -> bool {
        self.slot().get().is_some_and(|watchers| watchers.is_waiting(wait))
    }

    fn end_wait(&mut self, wait: WaitKey, ended: Ended, _: &Arc<Object>, effects: &mut Effects<'_>) {
        let now = self.version();
        let Some(watchers) = self.slot_mut().get_mut() else { return };
        let Some((ticket, wants)) = watchers.remove(wait) else { return };
        self.slot_mut().tidy();
        if let Some(ticket) = effects.dismiss(ticket, ended) {
            match wants {
                Wants::Changes { .. } => {
                    effects.complete::<watch::Changes>(ticket, now, log::nothing(now), None);
                }
                Wants::Value(_) => effects.complete::<watch::WaitFor<'_>>(ticket, now, None, None),
            }
        }
    }

    fn end_session(&mut self, session: SessionId, _: &Arc<Object>, effects: &mut Effects<'_>) {
        if let Some(watchers) = self.slot_mut().get_mut() {
            watchers.end_session(session, effects);
            self.slot_mut().tidy();
        }
        Lifetimes::end_session(self, session);
        rouse(self, effects);
    }

    fn holds_much(&self, session: SessionId) -> bool {
        self.has_more_of(session, LARGE)
    }

    /// What is read gives nothing that could be taken back.
    fn take_back(&mut self, _: Reversal, _: &Arc<Object>, _: &mut Effects<'_>) {}

    fn drain(&mut self, _: &Arc<Object>, effects: &Effects<'_>) -> Vec<Ticket> {
        if let Some(alarm) = self.alarm() {
            alarm.stop(&effects.core.timers);
        }
        self.slot_mut().take().into_iter().flat_map(|watchers| watchers.drain_tickets()).collect()
    }

    fn waiting(&self) -> usize {
        self.slot().get().map_or(0, Watchers::waiting)
    }

    fn held(&self) -> usize {
        self.slot().get().map_or(0, Watchers::watching) + self.owned()
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
