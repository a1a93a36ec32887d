//! Pools: a job is neither lost nor doubled, and its member is told once.

use manager_protocol::pool::{self, Assignment, Ending, Event, Job, Outcome, PoolStatus};
use manager_protocol::{Encoded, Kind, Many};
use manager_server::core::Client;

use super::desk::{Answer, Desk, LATE, at_once, explore};
use super::wire::decode;

const VALUE: Encoded<'static> = Encoded::Borrowed(&[0x2a]);

const TASK: u64 = 7;

const JOB: Job<'static> = Job { job: 5, task: TASK, calls: 1, attempts: 1, time_limit_ms: None, arguments: VALUE };

/// A pool with a member and a worker that it keeps, each with a session.
#[derive(Clone)]
struct Site {
    desk: Desk,
    pool: u64,
    keeper: Client,
    member: u64,
    hand: Client,
    worker: u64,
}

impl Site {
    /// These use the ids of requests up to 9.
    fn new() -> Self {
        let desk = Desk::new();
        let pool = desk.open("pool", Kind::Pool);
        let [keeper, hand] = desk.clients();
        let member = desk.get(&keeper, 0, pool, pool::Enter {});
        let tasks = Many::new([TASK].into_iter());
        let worker = desk.get(&keeper, 1, pool, pool::Hire { member, name: "", tasks });
        desk.get::<_, ()>(&hand, 0, pool, pool::Attach { worker, pid: 100 });
        Self { desk, pool, keeper, member, hand, worker }
    }

    fn submit(&self, job: Job<'static>) {
        let submit = pool::Submit { member: self.member, jobs: Many::new([job].into_iter()) };
        self.desk.ask(&self.keeper, 10, self.pool, submit).unwrap().unwrap();
    }

    fn take(&self, timeout_ms: Option<i64>) -> Option<Answer> {
        self.desk.ask(&self.hand, 10, self.pool, pool::Take { worker: self.worker, limit: 9, timeout_ms })
    }

    /// Takes the job, of which the client hears.
    fn take_it(&self) -> u64 {
        let answer = self.take(None).unwrap().unwrap();
        self.hand.heard();
        decode::<Vec<Assignment<'_>>>(&answer)[0].job
    }

    fn finish(&self, job: u64) {
        let outcomes = Many::new([Outcome { job, failed: 0, value: VALUE }].into_iter());
        let answer = self.desk.ask(&self.hand, 11, self.pool, pool::Finish { worker: self.worker, outcomes });
        answer.unwrap().unwrap();
    }

    fn cancel(&self) {
        let jobs = Many::new([JOB.job].into_iter());
        assert_eq!(self.desk.get::<_, u64>(&self.keeper, 11, self.pool, pool::Cancel { member: self.member, jobs }), 1);
    }

    fn bury(&self) {
        let bury = pool::Bury { worker: self.worker, exit: Some(-9) };
        self.desk.get::<_, ()>(&self.keeper, 12, self.pool, bury);
    }

    fn collect(&self, client: &Client, timeout_ms: Option<i64>) -> Option<Answer> {
        self.desk.ask(client, 13, self.pool, pool::Collect { member: self.member, limit: 9, timeout_ms })
    }

    /// What the member was told.
    fn told(&self) -> Vec<(u64, Ending, Option<i32>)> {
        self.collect(&self.keeper, Some(0)).map_or_else(Vec::new, events)
    }

    fn status(&self) -> PoolStatus {
        self.desk.get(&self.keeper, 14, self.pool, pool::Status {})
    }

    fn close(&self) {
        self.desk.close([&self.keeper, &self.hand]);
    }
}

fn events(answer: Answer) -> Vec<(u64, Ending, Option<i32>)> {
    let Ok(bytes) = answer else { return Vec::new() };
    decode::<Vec<Event<'_>>>(&bytes).iter().map(|event| (event.job, event.ending, event.exit)).collect()
}

#[test]
fn a_job_is_submitted_while_the_session_of_the_worker_that_waits_ends() {
    explore(|| {
        let site = Site::new();
        assert!(site.take(None).is_none());
        let (first, second) = (site.clone(), site.clone());
        at_once([Box::new(move || first.submit(JOB)), Box::new(move || second.desk.abandon(&second.hand))]);
        let status = site.status();
        assert_eq!((status.queued, status.running, status.lost), (1, 0, 0), "nobody ever had it");
        site.bury();
        assert_eq!(site.told(), [(JOB.job, Ending::Unserved, None)]);
        site.close();
    });
}

#[test]
fn a_worker_takes_while_its_session_ends() {
    explore(|| {
        let site = Site::new();
        site.submit(JOB);
        let (first, second) = (site.clone(), site.clone());
        at_once([Box::new(move || drop(first.take(None))), Box::new(move || second.desk.abandon(&second.hand))]);
        let status = site.status();
        assert_eq!((status.queued, status.running, status.lost), (1, 0, 0), "it is as if it had not been taken");
        site.close();
    });
}

#[test]
fn a_worker_is_buried_while_its_session_ends() {
    explore(|| {
        let site = Site::new();
        site.submit(JOB);
        site.take_it();
        let (first, second) = (site.clone(), site.clone());
        at_once([Box::new(move || first.bury()), Box::new(move || second.desk.abandon(&second.hand))]);
        assert_eq!(site.told(), [(JOB.job, Ending::Lost, Some(-9))]);
        assert_eq!(site.status().workers, []);
        site.close();
    });
}

#[test]
fn a_job_is_finished_while_its_time_is_over() {
    explore(|| {
        let site = Site::new();
        site.submit(Job { time_limit_ms: Some(5), ..JOB });
        let job = site.take_it();
        let (first, second) = (site.clone(), site.clone());
        at_once([Box::new(move || first.finish(job)), Box::new(move || second.desk.0.expire(LATE))]);
        let (finished, timed_out) =
            ([(JOB.job, Ending::Finished, None)], [(JOB.job, Ending::TimedOut, None), (0, Ending::Condemned, None)]);
        let told = site.told();
        assert!(told == finished || told == timed_out, "{told:?}");
        site.close();
    });
}

#[test]
fn a_job_is_cancelled_while_it_is_taken() {
    explore(|| {
        let site = Site::new();
        site.submit(JOB);
        let (first, second) = (site.clone(), site.clone());
        let taking = shuttle::thread::spawn(move || first.take(Some(0)).unwrap().is_ok());
        second.cancel();
        let mut expected = vec![(JOB.job, Ending::Cancelled, None)];
        if taking.join().unwrap() {
            expected.push((0, Ending::Condemned, None));
        }
        assert_eq!(site.told(), expected);
        let status = site.status();
        assert_eq!((status.queued, status.running, status.lost), (0, 0, 1));
        site.close();
    });
}

#[test]
fn a_job_is_finished_while_the_member_that_collects_is_cut_off() {
    explore(|| {
        let site = Site::new();
        site.submit(JOB);
        let job = site.take_it();
        assert!(site.collect(&site.keeper, None).is_none());
        let (first, second) = (site.clone(), site.clone());
        at_once([Box::new(move || first.finish(job)), Box::new(move || second.desk.broke(&second.keeper))]);
        let resumed = site.desk.join(&site.keeper).unwrap();
        let told = site.collect(&resumed, None).map_or_else(Vec::new, events);
        assert_eq!(told, [(JOB.job, Ending::Finished, None)]);
        site.close();
    });
}

#[test]
fn a_member_collects_while_it_cancels_that() {
    explore(|| {
        let site = Site::new();
        site.submit(JOB);
        let job = site.take_it();
        assert!(site.collect(&site.keeper, None).is_none());
        let (first, second) = (site.clone(), site.clone());
        at_once([Box::new(move || first.finish(job)), Box::new(move || second.desk.cancel(&second.keeper, 13))]);
        let collect = pool::Collect { member: site.member, limit: 9, timeout_ms: Some(0) };
        let told = site.desk.ask(&site.keeper, 15, site.pool, collect).map_or_else(Vec::new, events);
        assert_eq!(told, [(JOB.job, Ending::Finished, None)], "what was given and not wanted is told again");
        site.close();
    });
}
