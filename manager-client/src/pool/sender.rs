//! The sender: a thread that submits what a member has put up, so that nobody else waits for the server.

use super::collector::ended;
use super::member::{Errand, Member};
use super::proxy::Outgoing;
use crate::error::Error;
use crate::task::Fault;

/// Submits jobs until the membership is over.
pub(super) fn run(member: &Member) {
    loop {
        match member.next_errand() {
            Errand::Submit(jobs) => submit(member, &jobs),
            Errand::Close => member.was_closed(member.proxy.close()),
            Errand::End => return,
        }
    }
}

fn submit(member: &Member, jobs: &[Outgoing]) {
    let Err(error) = member.proxy.submit(member.number, jobs) else { return };
    if error.is_shut_down() {
        let refusal = member.learn();
        jobs.iter().for_each(|job| member.fail_one(job.job, &refusal));
    } else if error.is_lost() || error.is_shutting_down() || jobs.len() == 1 {
        let error = ended(error);
        let error = if error.is_no_such_object() { explained(member, error) } else { error };
        jobs.iter().for_each(|job| member.fail_one(job.job, &error));
    } else {
        // One that the server does not take is not to keep it from the others.
        jobs.chunks(1).for_each(|job| submit(member, job));
    }
}

/// Who is missing: an object among the arguments, or the pool. A deleted pool is one that was terminated.
fn explained(member: &Member, error: Error) -> Error {
    match member.proxy.status() {
        Err(status) if status.is_no_such_object() => Error::work(Fault::Terminated),
        Ok(_) | Err(_) => error,
    }
}
