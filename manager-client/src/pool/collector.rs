//! The collector: a thread that waits for what a member is told, and puts up the results.

use std::time::Duration;

use manager_protocol::Code;
use manager_protocol::pool::Ending;

use super::member::Member;
use crate::error::Error;
use crate::task::Fault;

/// Collects until the membership is over; `condemn` is told of workers whose processes are to end.
pub(super) fn run(member: &Member, condemn: impl Fn(u64)) {
    // However this ends, nobody waits in vain.
    let mut last_words = LastWords { member, error: Error::work(Fault::Terminated) };
    loop {
        match member.proxy.collect(member.number, MOST, WAIT) {
            Ok(mut events) => {
                let condemned = events.extract_if(.., |told| told.ending == Ending::Condemned);
                condemned.filter_map(|told| told.worker).for_each(&condemn);
                member.tell(events);
            }
            Err(error) if error.is_empty() || error.is_timeout() => {}
            Err(error) if error.is_no_such_object() => return,
            Err(error) => {
                last_words.error = ended(error);
                return;
            }
        }
    }
}

/// A server that is about to go is as good as gone.
pub(super) fn ended(error: Error) -> Error {
    match error.code() {
        Some(code @ Code::ShuttingDown) => Error::goodbye(code.number(), error.to_string()),
        Some(_) | None => error,
    }
}

struct LastWords<'a> {
    member: &'a Member,
    error: Error,
}

impl Drop for LastWords<'_> {
    fn drop(&mut self) {
        self.member.fail(&self.error);
    }
}

/// Most to collect at a time.
const MOST: u64 = 4096;

/// How long to wait for something; then again.
const WAIT: Duration = Duration::from_secs(3600);
