//! What a session knows of its requests: which are under way, and what the others were answered.
//!
//! A change that is sent again is not done again: it is answered with the same bytes. So that this
//! needs no endless memory, the client says which answers it has; beyond a window the oldest are
//! forgotten, and then a repetition is refused.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use manager_protocol::{Acknowledge, Code, Error, ObjectId, RequestHeader};

use super::Pace;
use super::hashing::Seeded;
use super::mailbox::{Letter, Mailbox};
use super::object::Object;
use super::stream::Stream;
use super::timers::Time;
use super::waitable::Reversal;

/// Most answers that are remembered without having been acknowledged.
const WINDOW: usize = 512;

/// Most requests of which no more is remembered than that they were answered.
const FORGOTTEN: usize = 8 * WINDOW;

/// Most buffers that are kept for answers to come: as many as most clients leave unacknowledged.
const SPARE: usize = 64;

/// A larger one is not kept.
const SPARE_BYTES: usize = 256;

/// The requests of one session.
#[derive(Debug, Default)]
pub(super) struct Requests {
    known: HashMap<u64, Known, Seeded>,
    /// Those that were answered, in the order of that.
    answered: VecDeque<u64>,
    /// What is below and neither known nor awaited was answered, and the client has the answer.
    next: u64,
    awaited: Vec<u64>,
    /// Answered, not acknowledged, and not remembered any more.
    forgotten: BTreeSet<u64>,
    /// Cancelled before they came: another connection was faster.
    cancelled: BTreeSet<u64>,
    /// Until when those were to wait that lost their connection meanwhile: sent again, they wait no longer.
    interrupted: BTreeMap<u64, Time>,
    /// How many wait.
    waiting: usize,
    /// Waits are counted: each has a number of its own.
    waits: u64,
    /// What short answers were in that are not needed any more, for those to come.
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Known {
    operation: u16,
    object: ObjectId,
    /// Whether its answer is to be remembered.
    kept: bool,
    /// The connection that awaits the answer.
    mailbox: Arc<Mailbox>,
    /// Cancelled before there was an answer: what was done meanwhile is taken back.
    unwanted: bool,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// It is being carried out now.
    Running,
    /// It is about to be carried out on a thread that may be kept busy.
    Postponed,
    /// It waits, in this object and under this number.
    Waiting { object: Arc<Object>, number: u64 },
    Answered {
        answer: Answer,
        reversal: Option<Reversal>,
        /// Whether the client is known to have taken it off the connection.
        delivered: bool,
    },
}

/// What a request was answered.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// A whole frame.
    Frame(Vec<u8>),
    /// Parts, from the first.
    Stream(Stream),
}

impl Answer {
    fn is_whole(&self) -> bool {
        matches!(self, Self::Frame(_))
    }
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Wait {
    id: u64,
    /// The number of the wait.
    pub(super) number: u64,
    /// Where it waits.
    pub(super) object: Arc<Object>,
}

/// What is to be done with a request that arrives.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It is carried out.
    New,
    /// It was sent before and is under way; its answer will go to whoever sent it last.
    Joined,
    /// It was sent before and answered.
    Answered(Answer),
}

/// Where an answer went.
#[derive(Debug)]
pub(super) enum Delivery {
    /// To the connection whose thread has made it.
    Here,
    /// To another connection of the session, now or when it asks again.
    Elsewhere,
    /// To nobody: the session has ended.
    ToNobody,
}

/// What is to be done about a request that nobody wants any more.
#[derive(Debug)]
pub(super) enum Unwanted {
    /// Nothing: it is not known, or cannot be taken back.
    Nothing,
    /// Nothing now: it is being carried out, and will not wait, or will be taken back.
    Noted,
    /// It waits there under this number, and is to be stopped.
    Waiting(u64, Arc<Object>),
    /// It was carried out, which can be taken back.
    Reverse(Reversal),
}

impl Requests {
    /// Takes note of a request that is to be remembered or that may wait.
    ///
    /// # Errors
    /// If it must not be carried out: it was answered and forgotten, or is another one than before.
    pub(super) fn begin(
        &mut self,
        request: &RequestHeader<'_>,
        kept: bool,
        pace: Pace,
        mailbox: &Arc<Mailbox>,
    ) -> Result<Arrival, Error> {
        let free = match self.known.entry(request.id) {
            Entry::Occupied(known) => return again(known.into_mut(), request, pace, mailbox),
            Entry::Vacant(free) => free,
        };
        if kept && is_stale(&self.forgotten, self.next, &self.awaited, request.id) {
            return Err(Error::new(
                Code::StaleRequest,
                format!("request {} was answered before and its answer is not remembered", request.id),
            ));
        }
        // However often it comes: it is as if that had been its answer.
        if self.cancelled.contains(&request.id) {
            return Err(Error::new(Code::Cancelled, "the request was cancelled before it came"));
        }
        free.insert(Known {
            operation: request.operation,
            object: request.object,
            kept,
            mailbox: Arc::clone(mailbox),
            unwanted: false,
            progress: Progress::Running,
        });
        Ok(Arrival::New)
    }

    fn is_stale(&self, id: u64) -> bool {
        is_stale(&self.forgotten, self.next, &self.awaited, id)
    }

    /// The request waits from now on.
    ///
    /// # Errors
    /// `Cancelled`, if that came while it was carried out.
    pub(super) fn wait(&mut self, id: u64, object: Arc<Object>) -> Result<u64, Error> {
        self.waits += 1;
        let number = self.waits;
        if let Some(known) = self.known.get_mut(&id) {
            if known.unwanted {
                return Err(Error::new(Code::Cancelled, "the request was cancelled"));
            }
            known.progress = Progress::Waiting { object, number };
            self.waiting += 1;
        }
        Ok(number)
    }

    /// A request was to wait until then, and lost its connection. Nobody acknowledges a read, so that is known
    /// until it is sent again; of too many the oldest are forgotten, and would wait from the beginning.
    pub(super) fn interrupt(&mut self, id: u64, until: Time) {
        self.interrupted.insert(id, until);
        while self.interrupted.len() > FORGOTTEN {
            self.interrupted.pop_first();
        }
    }

    /// Until when a request was to wait that was interrupted.
    pub(super) fn take_interrupted(&mut self, id: u64) -> Option<Time> {
        self.interrupted.remove(&id)
    }

    /// The request will be carried out at another pace.
    pub(super) fn postpone(&mut self, id: u64) {
        if let Some(known) = self.known.get_mut(&id) {
            known.progress = Progress::Postponed;
        }
    }

    /// Takes note of an answer, and delivers it unless it is for `here`, whose caller has it already.
    /// `wait` is the number of the wait that it ends, if it ends one.
    /// Gives back what must be taken back: nobody is there to be answered, or nobody wants it.
    pub(super) fn answer(
        &mut self,
        id: u64,
        wait: Option<u64>,
        answer: Letter<'_>,
        mut reversal: Option<Reversal>,
        here: Option<&Arc<Mailbox>>,
    ) -> (Delivery, Option<Reversal>) {
        let Some(known) = self.known.get_mut(&id).filter(|known| known.wait() == wait) else {
            return (Delivery::ToNobody, reversal); // The session has ended, or the wait has.
        };
        let undone = if known.unwanted { reversal.take() } else { None };
        self.waiting -= usize::from(wait.is_some());
        let is_here = here.is_some_and(|here| Arc::ptr_eq(here, &known.mailbox));
        // Of a reply in parts it is known that it was sent when its last part was.
        let is_whole = matches!(answer, Letter::Frame(_));
        let revocable = reversal.as_ref().filter(|_| is_whole).map(|_| id);
        if !known.kept {
            let delivered = is_here || known.mailbox.deliver(answer, revocable);
            self.known.remove(&id);
            if !delivered {
                return (Delivery::ToNobody, undone.or(reversal));
            }
            return (if is_here { Delivery::Here } else { Delivery::Elsewhere }, undone);
        }
        let remembered = match &answer {
            Letter::Frame(frame) => {
                let mut bytes = self.spare.pop().unwrap_or_default();
                bytes.extend_from_slice(frame);
                Answer::Frame(bytes)
            }
            Letter::Stream(stream) => Answer::Stream(stream.clone()),
        };
        if !is_here {
            known.mailbox.deliver(answer, revocable);
        } else if revocable.is_some() {
            known.mailbox.sent(id);
        }
        known.progress = Progress::Answered { answer: remembered, reversal, delivered: false };
        self.answered.push_back(id);
        self.keep_to_the_window();
        (if is_here { Delivery::Here } else { Delivery::Elsewhere }, undone)
    }

    fn keep_to_the_window(&mut self) {
        while self.answered.len() > WINDOW
            && let Some(oldest) = self.answered.pop_front()
        {
            forget(&mut self.known, &mut self.spare, oldest);
            self.forgotten.insert(oldest);
        }
        // Of a client that never acknowledges, not even that is remembered for ever.
        while self.forgotten.len() > FORGOTTEN
            && let Some(lowest) = self.forgotten.pop_first()
        {
            self.next = self.next.max(lowest + 1);
        }
    }

    /// Forgets the answers that the client says it has.
    pub(super) fn acknowledge(&mut self, mut acknowledged: Acknowledge) {
        if acknowledged.next < self.next {
            return; // Overtaken by a later one, on another connection.
        }
        acknowledged.awaited.sort_unstable();
        if acknowledged.next == self.next {
            // Which of the two is the later one cannot be told; what one says is answered is.
            acknowledged.awaited.retain(|id| self.awaited.binary_search(id).is_ok());
        }
        let has = |id: u64| id < acknowledged.next && acknowledged.awaited.binary_search(&id).is_err();
        self.answered.retain(|id| {
            let done = has(*id);
            if done {
                forget(&mut self.known, &mut self.spare, *id);
            }
            !done
        });
        self.forgotten.retain(|id| !has(*id));
        self.cancelled.retain(|id| !has(*id));
        (self.next, self.awaited) = (acknowledged.next, acknowledged.awaited);
    }

    /// The client has taken these answers off the connection.
    pub(super) fn delivered(&mut self, ids: &[u64]) {
        for id in ids {
            if let Some(Known { progress: Progress::Answered { delivered, .. }, .. }) = self.known.get_mut(id) {
                *delivered = true;
            }
        }
    }

    /// Takes note of the cancel of a request that has not come, if it has not: it may come yet, on a
    /// slower connection.
    pub(super) fn expect_cancelled(&mut self, id: u64) {
        if !self.known.contains_key(&id) && !self.is_stale(id) && self.cancelled.len() < WINDOW {
            self.cancelled.insert(id);
        }
    }

    /// What is to be done when a request is cancelled.
    pub(super) fn cancel(&mut self, id: u64) -> Unwanted {
        let Some(known) = self.known.get_mut(&id) else { return Unwanted::Nothing };
        match &mut known.progress {
            Progress::Running | Progress::Postponed => {
                known.unwanted = true;
                Unwanted::Noted
            }
            // It may have been taken out of the object already, to be answered in a moment.
            Progress::Waiting { object, number } => {
                known.unwanted = true;
                Unwanted::Waiting(*number, Arc::clone(object))
            }
            Progress::Answered { reversal, .. } => reversal.take().map_or(Unwanted::Nothing, Unwanted::Reverse),
        }
    }

    /// What waits for the sake of a connection.
    pub(super) fn waits_of(&self, mailbox: &Arc<Mailbox>) -> Vec<Wait> {
        self.waits_where(|known| Arc::ptr_eq(&known.mailbox, mailbox))
    }

    /// All that waits.
    pub(super) fn waits(&self) -> Vec<Wait> {
        self.waits_where(|_| true)
    }

    fn waits_where(&self, wanted: impl Fn(&Known) -> bool) -> Vec<Wait> {
        let wait = |(id, known): (&u64, &Known)| match &known.progress {
            Progress::Waiting { object, number } => Some(Wait { id: *id, number: *number, object: Arc::clone(object) }),
            Progress::Running | Progress::Postponed | Progress::Answered { .. } => None,
        };
        let mut waits: Vec<Wait> = self.known.iter().filter(|(_, known)| wanted(known)).filter_map(wait).collect();
        waits.sort_unstable_by_key(|wait| wait.id);
        waits
    }

    /// As if a request that waits had never come, if it waits for the sake of this connection; false if
    /// another has asked for it meanwhile.
    pub(super) fn let_go(&mut self, wait: &Wait, mailbox: &Arc<Mailbox>) -> bool {
        let is_it = |known: &Known| known.wait() == Some(wait.number) && Arc::ptr_eq(&known.mailbox, mailbox);
        if !self.known.get(&wait.id).is_some_and(is_it) {
            return false;
        }
        self.waiting -= 1;
        if let Some(known) = self.known.remove(&wait.id)
            && known.unwanted
            && known.kept
        {
            self.expect_cancelled(wait.id);
        }
        true
    }

    /// What was done for answers that the client never got, in the order of the requests.
    pub(super) fn take_undelivered(&mut self) -> Vec<Reversal> {
        self.answered.clear();
        self.waiting = 0;
        let known = std::mem::take(&mut self.known);
        let undelivered = |(id, known): (u64, Known)| match known.progress {
            Progress::Answered { reversal, delivered: false, .. } => Some((id, reversal?)),
            Progress::Answered { .. } | Progress::Running | Progress::Postponed | Progress::Waiting { .. } => None,
        };
        let in_order: BTreeMap<u64, Reversal> = known.into_iter().filter_map(undelivered).collect();
        in_order.into_values().collect()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

/// What is to be done with a request that has come before.
fn again(known: &mut Known, request: &RequestHeader<'_>, pace: Pace, mailbox: &Arc<Mailbox>) -> Result<Arrival, Error> {
    if (known.operation, known.object) != (request.operation, request.object) {
        return Err(Error::new(
            Code::RequestMismatch,
            format!("request {} was sent before as another operation, or on another object", request.id),
        ));
    }
    // What was sent on a connection that is no more may be read later than its repetition.
    if mailbox.is_newer(&known.mailbox) {
        known.mailbox = Arc::clone(mailbox);
    }
    Ok(match &known.progress {
        Progress::Postponed if pace == Pace::Patient => {
            known.progress = Progress::Running;
            Arrival::New
        }
        Progress::Running | Progress::Postponed | Progress::Waiting { .. } => Arrival::Joined,
        Progress::Answered { answer, reversal, .. } => {
            if reversal.is_some() && answer.is_whole() {
                mailbox.sent(request.id);
            }
            Arrival::Answered(answer.clone())
        }
    })
}

fn is_stale(forgotten: &BTreeSet<u64>, next: u64, awaited: &[u64], id: u64) -> bool {
    forgotten.contains(&id) || (id < next && awaited.binary_search(&id).is_err())
}

/// Forgets an answer, but not the buffer it was in.
fn forget(known: &mut HashMap<u64, Known, Seeded>, spare: &mut Vec<Vec<u8>>, id: u64) {
    if let Some(Known { progress: Progress::Answered { answer: Answer::Frame(mut bytes), .. }, .. }) = known.remove(&id)
        && spare.len() < SPARE
        && bytes.capacity() <= SPARE_BYTES
    {
        bytes.clear();
        spare.push(bytes);
    }
}

impl Known {
    /// The number of its wait, if it waits.
    fn wait(&self) -> Option<u64> {
        match self.progress {
            Progress::Waiting { number, .. } => Some(number),
            Progress::Running | Progress::Postponed | Progress::Answered { .. } => None,
        }
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    fn header(id: u64, operation: u16) -> RequestHeader<'static> {
        RequestHeader { id, operation, object: 7, arguments: &[0x90] }
    }

    fn frame(bytes: &[u8]) -> Letter<'_> {
        Letter::Frame(bytes)
    }

    #[test]
    fn a_request_sent_again_is_answered_with_the_same_bytes_until_that_is_acknowledged() {
        let (mut requests, mailbox) = (Requests::default(), Arc::new(Mailbox::new(0)));
        let arrive = |requests: &mut Requests| requests.begin(&header(5, 1), true, Pace::Inline, &mailbox);
        assert!(matches!(arrive(&mut requests), Ok(Arrival::New)));
        assert!(matches!(arrive(&mut requests), Ok(Arrival::Joined)));
        assert!(matches!(requests.answer(5, None, frame(&[9]), None, Some(&mailbox)), (Delivery::Here, None)));
        assert!(matches!(arrive(&mut requests), Ok(Arrival::Answered(Answer::Frame(bytes))) if *bytes == [9]));
        requests.acknowledge(Acknowledge { next: 7, awaited: vec![6] });
        assert_eq!(arrive(&mut requests).unwrap_err().code, Code::StaleRequest);
        assert!(
            matches!(requests.begin(&header(6, 1), true, Pace::Inline, &mailbox), Ok(Arrival::New)),
            "it is awaited still"
        );
    }

    #[test]
    fn an_id_cannot_be_used_for_another_operation() {
        let (mut requests, mailbox) = (Requests::default(), Arc::new(Mailbox::new(0)));
        requests.begin(&header(5, 1), true, Pace::Inline, &mailbox).unwrap();
        assert_eq!(
            requests.begin(&header(5, 2), true, Pace::Inline, &mailbox).unwrap_err().code,
            Code::RequestMismatch
        );
    }

    #[test]
    fn beyond_the_window_the_oldest_answers_are_forgotten_and_refused() {
        let (mut requests, mailbox) = (Requests::default(), Arc::new(Mailbox::new(0)));
        for id in 0..=WINDOW as u64 {
            requests.begin(&header(id, 1), true, Pace::Inline, &mailbox).unwrap();
            requests.answer(id, None, frame(&[1]), None, Some(&mailbox));
        }
        assert_eq!(requests.begin(&header(0, 1), true, Pace::Inline, &mailbox).unwrap_err().code, Code::StaleRequest);
        assert!(matches!(requests.begin(&header(1, 1), true, Pace::Inline, &mailbox), Ok(Arrival::Answered(_))));
        assert_eq!(requests.known.len(), WINDOW);
    }

    #[test]
    fn an_answer_goes_to_the_connection_that_asked_last() {
        let mut requests = Requests::default();
        let [first, second] = [0, 1].map(|number| Arc::new(Mailbox::new(number)));
        requests.begin(&header(5, 1), true, Pace::Inline, &first).unwrap();
        requests.begin(&header(5, 1), true, Pace::Inline, &second).unwrap();
        assert!(matches!(requests.answer(5, None, frame(&[9]), None, Some(&first)), (Delivery::Elsewhere, None)));
        let mut out = Vec::new();
        second.collect(&mut out);
        assert_eq!(out, [9]);
    }
}
