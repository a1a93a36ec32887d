//! What a pool does, one behaviour at a time.

use std::sync::Arc;
use std::time::Duration;

use manager_protocol::pool::{self, Ending, Job, Outcome};
use manager_protocol::{Code, Encoded, Kind, Many, Reference, encode_value, manager};

use super::{Heard, Run, TASK, Taken, heard, job, many, taken};
use crate::core::Limits;
use crate::core::object::queue::tests::world::{Answer, refused, reply};

/// The keeper's seat, and the seats of workers.
const KEEPER: usize = 0;
const FIRST: usize = 1;
const SECOND: usize = 2;

fn own(jobs: &[Taken]) -> Vec<u64> {
    jobs.iter().map(|taken| taken.own).collect()
}

#[test]
fn a_job_goes_to_a_worker_and_its_outcome_to_the_member() {
    let mut run = Run::new(2);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    run.submit(KEEPER, member, &[job(1), Job { calls: 3, ..job(2) }]);
    let jobs = run.take(FIRST, worker, 10);
    assert_eq!(own(&jobs), [1, 2]);
    let status = run.status();
    assert_eq!((status.queued, status.running, status.members), (0, 4, 1));
    run.finish(FIRST, worker, &jobs);
    let finished = |own| Heard { value: Some(own), ..Heard::of(own, Ending::Finished, worker, 1) };
    assert_eq!(run.collect(KEEPER, member), [finished(1), finished(2)]);
    let status = run.status();
    assert_eq!((status.running, status.done, status.workers[0].done), (0, 4, 4));
    run.finish(FIRST, worker, &jobs);
    assert_eq!(run.call(KEEPER, pool::Collect { member, limit: 1, timeout_ms: Some(0) }), refused(Code::Empty));
}

#[test]
fn who_waits_gets_the_jobs_that_its_worker_knows_in_the_order_of_coming() {
    let mut run = Run::new(4);
    let member = run.enter(KEEPER);
    let first = run.employ(KEEPER, member, FIRST);
    let second = run.employ(KEEPER, member, SECOND);
    let other = run.hire(KEEPER, member, &[TASK + 1]);
    run.done(3, pool::Attach { worker: other, pid: 103 });
    let [third_take, second_take, first_take] =
        [(3, other), (SECOND, second), (FIRST, first)].map(|(seat, worker)| run.await_jobs(seat, worker));
    run.submit(KEEPER, member, &[job(1), job(2), Job { task: TASK + 1, ..job(3) }]);
    let late: Vec<_> =
        run.world.collect().into_iter().map(|(request, answer)| (request, own(&taken(&answer)))).collect();
    assert_eq!(late, [(first_take, vec![2]), (second_take, vec![1]), (third_take, vec![3])]);
}

#[test]
fn what_no_worker_knows_and_what_makes_no_sense_is_refused() {
    let mut run = Run::with(Limits { max_items: 2, ..Limits::default() }, 2);
    let member = run.enter(KEEPER);
    let submit = |run: &mut Run, jobs: &[Job<'static>]| run.call(KEEPER, pool::Submit { member, jobs: many(jobs) });
    assert_eq!(submit(&mut run, &[job(1)]), refused(Code::UnknownTask));
    run.hire(KEEPER, member, &[TASK]);
    let wrong = [
        Job { attempts: 0, ..job(1) },
        Job { calls: 0, ..job(1) },
        Job { time_limit_ms: Some(0), ..job(1) },
        Job { time_limit_ms: Some(-1), ..job(1) },
    ];
    for job in wrong {
        assert_eq!(submit(&mut run, &[job]), refused(Code::InvalidArgument));
    }
    assert_eq!(submit(&mut run, &[job(1), job(1)]), refused(Code::InvalidArgument));
    assert_eq!(submit(&mut run, &[job(1), job(2), job(3)]), refused(Code::LimitExceeded));
    assert_eq!(submit(&mut run, &[job(1)]), reply(()));
    assert_eq!(submit(&mut run, &[job(1)]), refused(Code::InvalidArgument));
    assert_eq!(run.call(FIRST, pool::Leave { member }), refused(Code::NotHeld));
    run.done(KEEPER, pool::Close {});
    assert_eq!(submit(&mut run, &[job(2)]), refused(Code::ShutDown));
}

#[test]
fn a_dead_worker_s_jobs_return_or_are_lost_with_its_exit() {
    let mut run = Run::new(3);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    let second = run.employ(KEEPER, member, SECOND);
    run.submit(KEEPER, member, &[Job { attempts: 2, ..job(1) }, job(2), job(3)]);
    assert_eq!(own(&run.take(FIRST, worker, 2)), [1, 2]);
    run.world.client(FIRST).heard();
    run.world.abandon(FIRST);
    let jobs = run.take(SECOND, second, 1);
    assert_eq!((own(&jobs), jobs[0].attempt), (vec![1], 2));
    assert_eq!(run.call(KEEPER, pool::Collect { member, limit: 1, timeout_ms: Some(0) }), refused(Code::Empty));
    run.done(KEEPER, pool::Bury { worker, exit: Some(-9) });
    let lost = Heard { exit: Some(-9), ..Heard::of(2, Ending::Lost, worker, 1) };
    assert_eq!(run.collect(KEEPER, member), [lost]);
    assert_eq!(run.call(KEEPER, pool::Bury { worker, exit: None }), refused(Code::NotHeld));
}

#[test]
fn a_worker_whose_keeper_has_left_loses_its_jobs_at_once() {
    let mut run = Run::new(3);
    let (keeper, member) = (run.enter(KEEPER), run.enter(SECOND));
    let worker = run.employ(KEEPER, keeper, FIRST);
    run.submit(SECOND, member, &[job(1), job(2)]);
    run.take(FIRST, worker, 1);
    run.world.client(FIRST).heard();
    run.done(KEEPER, pool::Leave { member: keeper });
    run.world.abandon(FIRST);
    let gone = [Heard::of(1, Ending::Lost, worker, 1), Heard::untouched(2, Ending::Unserved)];
    assert_eq!(run.collect(SECOND, member), gone);
    assert_eq!((run.status().lost, run.status().workers), (2, vec![]));
}

#[test]
fn what_a_dead_worker_had_is_lost_when_its_keeper_leaves() {
    let mut run = Run::new(3);
    let (keeper, member) = (run.enter(KEEPER), run.enter(SECOND));
    let worker = run.employ(KEEPER, keeper, FIRST);
    run.submit(SECOND, member, &[job(1)]);
    run.take(FIRST, worker, 1);
    run.world.client(FIRST).heard();
    run.world.abandon(FIRST);
    run.world.abandon(KEEPER);
    assert_eq!(run.collect(SECOND, member), [Heard::of(1, Ending::Lost, worker, 1)]);
}

#[test]
fn a_replacement_that_is_hired_before_the_burial_serves_what_waits() {
    let mut run = Run::new(3);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    run.submit(KEEPER, member, &[job(1)]);
    run.world.abandon(FIRST);
    let second = run.hire(KEEPER, member, &[TASK]);
    run.done(KEEPER, pool::Bury { worker, exit: None });
    run.done(SECOND, pool::Attach { worker: second, pid: 102 });
    assert_eq!(own(&run.take(SECOND, second, 1)), [1]);
    run.submit(KEEPER, member, &[job(2)]);
    run.done(KEEPER, pool::Bury { worker: second, exit: Some(0) });
    let lost = Heard { exit: Some(0), ..Heard::of(1, Ending::Lost, second, 2) };
    assert_eq!(run.collect(KEEPER, member), [lost, Heard::untouched(2, Ending::Unserved)]);
    assert_eq!(run.call(SECOND, pool::Take { worker: second, limit: 1, timeout_ms: None }), refused(Code::NotHeld));
}

#[test]
fn a_time_limit_that_is_over_condemns_the_worker() {
    let mut run = Run::new(2);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    run.submit(KEEPER, member, &[Job { time_limit_ms: Some(20), ..job(1) }, job(2)]);
    let jobs = run.take(FIRST, worker, 10);
    assert_eq!(own(&jobs), [1]);
    let waits = run.await_jobs(FIRST, worker);
    run.world.pass(19);
    assert_eq!(run.world.collect(), []);
    run.world.pass(1);
    assert_eq!(run.world.collect(), [(waits, refused(Code::NotHeld))]);
    let condemned = Heard { attempts: 0, ..Heard::of(0, Ending::Condemned, worker, 1) };
    assert_eq!(run.collect(KEEPER, member), [Heard::of(1, Ending::TimedOut, worker, 1), condemned]);
    run.finish(FIRST, worker, &jobs);
    assert_eq!(run.call(FIRST, pool::Take { worker, limit: 1, timeout_ms: None }), refused(Code::NotHeld));
    assert_eq!(run.world.census().timers, 0);
}

#[test]
fn who_has_a_job_waits_for_the_next_one_with_a_time_limit_until_it_is_finished() {
    let mut run = Run::new(2);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    run.submit(KEEPER, member, &[job(1), Job { time_limit_ms: Some(20), ..job(2) }, job(3)]);
    let jobs = run.take(FIRST, worker, 10);
    let waits = run.await_jobs(FIRST, worker);
    run.finish(FIRST, worker, &jobs);
    let late = run.world.collect();
    assert_eq!((late[0].0, own(&taken(&late[0].1))), (waits, vec![2]));
}

#[test]
fn a_cancelled_job_is_over_and_condemns_who_has_it_alone() {
    let mut run = Run::new(3);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    let second = run.employ(KEEPER, member, SECOND);
    run.submit(KEEPER, member, &[job(1), job(2), job(3), job(4)]);
    let both = run.take(FIRST, worker, 2);
    run.take(SECOND, second, 1);
    let cancelled = run.number(KEEPER, pool::Cancel { member, jobs: many(&[1, 3, 4, 9, 1]) });
    assert_eq!(cancelled, 3);
    let condemned = Heard { attempts: 0, ..Heard::of(0, Ending::Condemned, second, 2) };
    let told = [
        Heard::of(1, Ending::Cancelled, worker, 1),
        Heard::of(3, Ending::Cancelled, second, 2),
        condemned,
        Heard::untouched(4, Ending::Cancelled),
    ];
    assert_eq!(run.collect(KEEPER, member), told);
    run.finish(FIRST, worker, &both);
    let finished = Heard { value: Some(2), ..Heard::of(2, Ending::Finished, worker, 1) };
    assert_eq!(run.collect(KEEPER, member), [finished]);
    let status = run.status();
    assert_eq!((status.done, status.lost, status.running, status.queued), (1, 3, 0, 0));
}

#[test]
fn what_was_taken_and_never_arrived_returns_as_if_it_had_not_been_taken() {
    let mut run = Run::new(3);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    let second = run.employ(KEEPER, member, SECOND);
    run.submit(KEEPER, member, &[Job { time_limit_ms: Some(20), ..job(1) }, job(2)]);
    assert_eq!(own(&run.take(FIRST, worker, 1)), [1]);
    run.world.abandon(FIRST);
    assert_eq!(run.world.census().timers, 0);
    let jobs = run.take(SECOND, second, 1);
    assert_eq!((own(&jobs), jobs[0].attempt), (vec![1], 1));
}

#[test]
fn jobs_that_are_given_back_return_to_their_places() {
    let mut run = Run::new(2);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    run.submit(KEEPER, member, &[job(1), job(2), job(3), job(4)]);
    let jobs = run.take(FIRST, worker, 3);
    run.done(FIRST, pool::GiveBack { worker, jobs: many(&[jobs[2].job, jobs[1].job, 999]) });
    let jobs = run.take(FIRST, worker, 9);
    assert_eq!((own(&jobs), jobs[0].attempt), (vec![2, 3, 4], 1));
}

#[test]
fn events_that_never_arrived_are_told_again_in_their_order() {
    let mut run = Run::new(3);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    run.submit(KEEPER, member, &[job(1), job(2)]);
    let jobs = run.take(FIRST, worker, 2);
    run.finish(FIRST, worker, &jobs);
    let (request, answer) = run.world.send(KEEPER, run.pool, pool::Collect { member, limit: 1, timeout_ms: None });
    assert_eq!(heard(&answer.unwrap())[0].job, 1);
    run.world.cancel(request);
    let jobs: Vec<u64> = run.collect(KEEPER, member).iter().map(|heard| heard.job).collect();
    assert_eq!(jobs, [1, 2]);
}

#[test]
fn a_closed_pool_turns_takers_away_once_nothing_can_come_back() {
    let mut run = Run::new(3);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    let second = run.employ(KEEPER, member, SECOND);
    run.submit(KEEPER, member, &[job(1)]);
    let jobs = run.take(FIRST, worker, 1);
    run.done(KEEPER, pool::Close {});
    let waits = run.await_jobs(SECOND, second);
    assert_eq!(run.world.collect(), []);
    run.finish(FIRST, worker, &jobs);
    assert_eq!(run.world.collect(), [(waits, refused(Code::ShutDown))]);
    assert_eq!(run.call(FIRST, pool::Take { worker, limit: 1, timeout_ms: None }), refused(Code::ShutDown));
    assert_eq!(run.collect(KEEPER, member).len(), 1);
}

#[test]
fn a_pool_that_breaks_tells_everybody_why() {
    let mut run = Run::new(3);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    let hired = run.hire(KEEPER, member, &[TASK]);
    run.submit(KEEPER, member, &[Job { time_limit_ms: Some(5), ..job(1) }, job(2)]);
    run.take(FIRST, worker, 1);
    run.done(KEEPER, pool::Terminate { reason: Some("it does not start") });
    run.done(KEEPER, pool::Terminate { reason: None });
    let reason = Some("it does not start".to_owned());
    let condemned = |worker, pid| Heard { worker: Some(worker), pid, ..Heard::untouched(0, Ending::Condemned) };
    let told = [
        Heard { reason: reason.clone(), ..Heard::of(1, Ending::Broken, worker, 1) },
        Heard { reason: reason.clone(), ..Heard::untouched(2, Ending::Broken) },
        condemned(worker, Some(101)),
        condemned(hired, None),
    ];
    assert_eq!(run.collect(KEEPER, member), told);
    assert_eq!(run.call(FIRST, pool::Take { worker, limit: 1, timeout_ms: None }), refused(Code::ShutDown));
    let hire = pool::Hire { member, name: "", tasks: Many::new([].into_iter()) };
    assert_eq!(run.call(KEEPER, hire), refused(Code::ShutDown));
    let status = run.status();
    assert_eq!((status.terminated, status.reason, status.lost, status.running), (true, reason, 2, 0));
    assert_eq!(run.world.census().timers, 0);
}

#[test]
fn what_a_member_submitted_goes_with_it() {
    let mut run = Run::new(3);
    let (keeper, member) = (run.enter(KEEPER), run.enter(SECOND));
    let worker = run.employ(KEEPER, keeper, FIRST);
    run.submit(SECOND, member, &[job(1), job(2)]);
    let jobs = run.take(FIRST, worker, 1);
    run.world.abandon(SECOND);
    run.finish(FIRST, worker, &jobs);
    let status = run.status();
    assert_eq!((status.queued, status.running, status.lost, status.members), (0, 0, 2, 1));
    run.world.abandon(FIRST);
    run.world.abandon(KEEPER);
    let census = run.world.census();
    assert_eq!((census.held, census.waiting, census.timers), (0, 0, 0));
}

#[test]
fn a_pool_that_is_deleted_turns_everybody_away() {
    let mut run = Run::new(2);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    run.submit(KEEPER, member, &[Job { time_limit_ms: Some(5), ..job(1) }]);
    run.take(FIRST, worker, 1);
    let takes = run.await_jobs(FIRST, worker);
    let (collects, _) = run.world.send(KEEPER, run.pool, pool::Collect { member, limit: 1, timeout_ms: Some(9) });
    let deleted = run.world.call(KEEPER, 0, manager::Delete { name: "pool" });
    assert_eq!(deleted, reply(true));
    let gone: Answer = refused(Code::NoSuchObject);
    assert_eq!(run.world.collect(), [(collects, gone.clone()), (takes, gone)]);
    assert_eq!(run.world.census().timers, 0);
    run.world.abandon(FIRST);
    run.world.abandon(KEEPER);
    assert_eq!(run.world.now, Duration::from_secs(1));
}

/// A value that refers to an object.
fn reference(run: &Run, kind: Kind, object: u64) -> Encoded<'static> {
    let bytes = encode_value(&Reference { kind, epoch: run.world.core.epoch(), object }).unwrap();
    Encoded::from(Arc::<[u8]>::from(bytes))
}

/// Releases an object that the seat holds so often, and has what nobody needs removed; how many there are.
fn release(run: &mut Run, seat: usize, object: u64, times: u64) -> usize {
    let objects = Many::new([(object, times)].into_iter());
    run.world.call(seat, 0, manager::Release { objects });
    run.world.core.bury(run.world.now);
    run.world.census().objects
}

#[test]
fn what_arguments_and_outcomes_refer_to_lives_as_long_as_they_do() {
    let mut run = Run::new(2);
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    let list = run.world.open(KEEPER, manager::Open { name: None, kind: Kind::List });
    let value = reference(&run, Kind::List, list);
    run.submit(KEEPER, member, &[Job { arguments: value.clone(), ..job(1) }]);
    assert_eq!(release(&mut run, KEEPER, list, 1), 2, "the job waits");
    run.call(FIRST, pool::Take { worker, limit: 1, timeout_ms: None });
    let outcome = Outcome { job: 1, failed: 0, value };
    run.done(FIRST, pool::Finish { worker, outcomes: many(&[outcome]) });
    assert_eq!(release(&mut run, FIRST, list, 1), 2, "the outcome waits");
    run.call(KEEPER, pool::Collect { member, limit: 1, timeout_ms: None });
    run.world.acknowledge(KEEPER, vec![]);
    assert_eq!(release(&mut run, KEEPER, list, 1), 1, "nobody has it");
}

#[test]
fn a_pool_that_only_its_own_jobs_refer_to_is_removed() {
    let mut run = Run::new(2);
    run.pool = run.world.open(KEEPER, manager::Open { name: None, kind: Kind::Pool });
    let member = run.enter(KEEPER);
    let worker = run.employ(KEEPER, member, FIRST);
    let value = reference(&run, Kind::Pool, run.pool);
    let limited = Job { time_limit_ms: Some(9), arguments: value.clone(), ..job(1) };
    run.submit(KEEPER, member, &[limited, Job { arguments: value, ..job(2) }]);
    run.call(FIRST, pool::Take { worker, limit: 1, timeout_ms: None });
    let pool = run.pool;
    assert_eq!(release(&mut run, FIRST, pool, 1), 2, "it may be part of a circle");
    run.world.acknowledge(FIRST, vec![]);
    assert_eq!(release(&mut run, KEEPER, pool, 1), 2);
    assert_eq!(run.world.core.break_circles(), 1);
    run.world.core.bury(run.world.now);
    let census = run.world.census();
    assert_eq!((census.objects, census.held, census.timers), (1, 0, 0));
    for seat in [FIRST, KEEPER] {
        run.world.abandon(seat);
    }
}
