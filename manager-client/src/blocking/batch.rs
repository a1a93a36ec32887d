//! Many calls of a blocking link: written together, so many at a time, and answered in any order.

use manager_protocol::Effect;

use super::Driver;
use crate::calls::{Calls, Outcomes};
use crate::connection::{Connection, Delivery};
use crate::deadline::Deadline;
use crate::error::{Error, Reason, Result};
use crate::link::Answer;
use crate::session::{Session, Share};
use crate::wire::Lost;

/// Carries out calls, each of which has an outcome of its own.
pub(super) fn carry_out<'a>(driver: &'a Driver, calls: &'a Calls, deadline: &'a Deadline) -> Outcomes {
    let session = driver.sessions.current();
    let mut batch = Batch {
        driver,
        session: &session,
        share: session.share(),
        calls,
        deadline,
        outcomes: Outcomes::new(calls.len()),
        next: 0,
        open: Vec::new(),
    };
    if let Err(error) = batch.run() {
        batch.fail(&error);
    }
    batch.outcomes
}

struct Batch<'a> {
    driver: &'a Driver,
    session: &'a Session,
    share: Share<'a>,
    calls: &'a Calls,
    deadline: &'a Deadline,
    outcomes: Outcomes,
    /// The first call that was not begun.
    next: usize,
    /// The calls that were begun and not settled, their ids rising.
    open: Vec<Open>,
}

/// A call that was begun.
struct Open {
    id: u64,
    index: usize,
    effect: Effect,
    /// Whether it may be answered much later.
    waits: bool,
    /// Where its frames begin in what is sent.
    start: usize,
    /// Whether any of it was sent, on whichever connection.
    sent: bool,
    answered: bool,
}

impl Open {
    fn is_change(&self) -> bool {
        self.effect != Effect::Read
    }
}

impl Batch<'_> {
    fn run(&mut self) -> Result<()> {
        let mut connection = self.driver.take(self.session, self.deadline)?;
        loop {
            connection.queue_news(self.session, !self.open.is_empty());
            self.fill(&mut connection);
            while let Err(lost) = self.exchange(&mut connection) {
                self.resume(&mut connection, &lost)?;
            }
            if self.next == self.calls.len() {
                self.driver.keep(connection, self.session);
                return Ok(());
            }
        }
    }

    /// Begins calls, until there are enough under way that do not wait.
    fn fill(&mut self, connection: &mut Connection) {
        let mut room = self.share.calls();
        while room > 0
            && let Some(call) = self.calls.get(self.next)
        {
            let id = self.session.begin(call.row.effect);
            let encode = |out: &mut Vec<u8>| out.extend_from_slice(call.arguments);
            match connection.queue(id, call.row, call.target.object(), encode) {
                Ok(start) => {
                    let (effect, waits) = (call.row.effect, call.row.waits);
                    let (sent, answered) = (false, false);
                    self.open.push(Open { id, index: self.next, effect, waits, start, sent, answered });
                    room -= usize::from(!waits);
                }
                Err(error) => {
                    self.session.finish(id);
                    self.outcomes.refuse(self.next, error);
                }
            }
            self.next += 1;
        }
    }

    /// Sends what is queued, and takes the outcomes of all calls that do not wait; of those too if no
    /// call is left to be begun.
    fn exchange(&mut self, connection: &mut Connection) -> Result<(), Lost> {
        let all = self.next == self.calls.len();
        let mut missing = self.open.iter().filter(|open| all || !open.waits).count();
        if missing == 0 {
            connection.unqueue(self.session);
            return Ok(());
        }
        let Self { open, outcomes, .. } = self;
        // Answers come in the order of the requests, save for those to requests that wait.
        let mut expected = 0;
        let mut deliver = |id: u64, outcome: Result<Answer<'_>>| {
            let place = match open.get(expected) {
                Some(open) if open.id == id => expected,
                Some(_) | None => match open.binary_search_by_key(&id, |open| open.id) {
                    Ok(place) => place,
                    Err(_) => return Delivery::Foreign,
                },
            };
            expected = place + 1;
            let open = &mut open[place];
            if std::mem::replace(&mut open.answered, true) {
                return Delivery::Foreign;
            }
            match outcome {
                Ok(answer) => outcomes.answer(open.index, answer),
                Err(error) => outcomes.refuse(open.index, error),
            };
            missing -= usize::from(all || !open.waits);
            if missing == 0 { Delivery::Last } else { Delivery::More }
        };
        let exchanged = connection.exchange(self.session, self.deadline, &mut deliver);
        let answered = self.open.iter().filter(|open| open.answered && open.is_change());
        self.session.finish_all(answered.map(|open| open.id));
        self.open.retain(|open| !open.answered);
        let written = exchanged.as_ref().map_or_else(|lost| lost.written, |()| usize::MAX);
        for open in &mut self.open {
            open.sent |= open.start < written;
        }
        exchanged
    }

    /// Puts a new connection in the place of a lost one, with what is unanswered to be sent again.
    fn resume(&mut self, connection: &mut Box<Connection>, lost: &Lost) -> Result<()> {
        let fresh = match self.driver.reopen(self.session, &lost.error, self.deadline) {
            Ok(fresh) => fresh,
            Err(error) => {
                if lost.written == lost.frames.len() {
                    connection.cancel(self.open.iter().map(|open| open.id));
                }
                return Err(error);
            }
        };
        let expired = fresh.generation() != connection.generation();
        *connection = fresh;
        if expired {
            for open in self.open.extract_if(.., |open| open.sent && open.is_change()) {
                let error = Error::new(Reason::SessionExpired).unanswered(open.effect);
                self.outcomes.refuse(open.index, error);
                self.session.finish(open.id);
            }
        }
        connection.queue_news(self.session, false);
        for open in &mut self.open {
            let call = self.calls.get(open.index).expect("a call that was begun is one of the batch's");
            let encode = |out: &mut Vec<u8>| out.extend_from_slice(call.arguments);
            open.start = connection.queue(open.id, call.row, call.target.object(), encode)?;
        }
        Ok(())
    }

    /// There will be no more outcomes.
    fn fail(&mut self, error: &Error) {
        let (sent, unsent): (Vec<_>, Vec<_>) = self.open.drain(..).partition(|open| open.sent);
        for open in &sent {
            self.outcomes.refuse(open.index, error.clone().unanswered(open.effect));
        }
        self.session.give_up(sent.iter().filter(|open| open.is_change()).map(|open| open.id));
        self.session.finish_all(unsent.iter().map(|open| open.id));
        self.outcomes.fail_rest(|_| error.clone());
    }
}
