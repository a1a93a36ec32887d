//! Tests of what proxies do with waits, guards and leases, over a link that has no server.

use std::time::Duration;

use manager_protocol::condition::Wake;
use manager_protocol::lock::Grant;
use manager_protocol::{Code, Encoded, decode_value, encode_value, queue};

use crate::handle::MARGIN;
use crate::link::DirectLink;
use crate::lock::ManagerLock;
use crate::manager::Manager;
use crate::rlock::ManagerRLock;
use crate::scripted::{Scripted, now, poll_once};
use crate::{Blocking, ConditionGuard, Holder, Lease, LockGuard, Permit, PipeEnd};

const GRANT: Grant = Grant { token: 3, owner_died: false };

fn manager() -> (Manager<Scripted>, Scripted) {
    let link = Scripted::new();
    (Manager::over(link.clone()), link)
}

/// A lock that was opened, and the link with nothing noted.
fn lock() -> (ManagerLock<Scripted>, Scripted) {
    let (manager, link) = manager();
    link.answer(&5_u64);
    let lock = now(manager.lock("report")).unwrap();
    link.asked();
    (lock, link)
}

fn rlock() -> (ManagerRLock<Scripted>, Scripted) {
    let (manager, link) = manager();
    link.answer(&5_u64);
    let lock = now(manager.rlock("settings")).unwrap();
    link.asked();
    (lock, link)
}

#[test]
fn the_call_may_take_longer_than_the_wait() {
    let (lock, link) = lock();
    let waits = [
        (Duration::ZERO, Some(0), MARGIN),
        (Duration::from_micros(1500), Some(2), MARGIN + Duration::from_micros(1500)),
        (Duration::MAX, None, Duration::MAX),
    ];
    for (wait, limit, timeout) in waits {
        link.answer(&None::<Grant>);
        assert!(now(lock.acquire_timeout(wait)).unwrap().is_none());
        let asked = link.asked().pop().unwrap();
        assert_eq!(decode_value::<(u64, Option<i64>)>(&asked.arguments).unwrap(), (7, limit));
        assert_eq!(asked.timeout, Some(timeout));
    }
}

#[test]
fn a_wait_without_a_time_has_that_of_the_proxy() {
    let (lock, link) = lock();
    link.answer(&None::<Grant>);
    let error = now(lock.acquire()).unwrap_err();
    assert!(error.is_timeout() && !error.is_outcome_unknown());
    assert!(error.to_string().starts_with("lock.acquire on \"report\": "), "{error}");
    assert_eq!(link.asked()[0].timeout, Some(Duration::from_secs(5) + MARGIN));
    link.refuse(Code::Deadlock);
    assert!(now(lock.acquire()).is_err_and(|error| error.is_deadlock()));
}

#[test]
fn a_guard_goes_back_once() {
    let (lock, link) = lock();
    link.answer(&Some(GRANT));
    let guard = now(lock.acquire()).unwrap();
    assert_eq!((guard.token(), guard.owner_died()), (3, false));
    drop(guard);
    let asked = link.asked();
    assert_eq!(decode_value::<(u64,)>(&asked[1].arguments).unwrap(), (7,));
    assert_eq!((asked.len(), asked[1].timeout), (2, None));

    link.answer(&Some(GRANT));
    link.refuse(Code::NotHeld);
    let guard = now(lock.acquire()).unwrap();
    assert!(now(guard.release()).is_err_and(|error| error.is_not_held()));
    assert_eq!(link.operations(), ["lock.acquire", "lock.release (insisted)"]);
}

#[test]
fn a_release_that_is_dropped_is_made_once() {
    let (lock, link) = lock();
    link.answer(&Some(GRANT));
    let guard = now(lock.acquire()).unwrap();
    drop(guard.release());
    assert_eq!(link.operations(), ["lock.acquire", "lock.release (detached)"], "it was never sent");

    link.answer(&Some(GRANT));
    let mut release = now(lock.acquire()).unwrap().release();
    assert!(poll_once(release.as_mut()).is_pending());
    drop(release);
    assert_eq!(link.operations(), ["lock.acquire", "lock.release (insisted)"]);

    let (rlock, link) = rlock();
    link.answer(&Some(GRANT));
    let mut release = now(rlock.acquire()).unwrap().release();
    assert!(poll_once(release.as_mut()).is_pending());
    drop(release);
    let once = ["lock.acquire", "lock.release (insisted)"];
    assert_eq!(link.operations(), once, "a second would let go of an outer guard");
}

#[test]
fn a_holder_stands_for_whoever_asks() {
    let holders = [Holder::new(), Holder::new()].map(|holder| {
        let (rlock, link) = rlock();
        link.answer(&Some(GRANT));
        drop(now(rlock.with_holder(holder).acquire()).unwrap());
        let holders = link.asked().iter().map(|asked| asked.arguments.clone()).collect::<Vec<_>>();
        let (acquired, _) = decode_value::<(u64, Option<i64>)>(&holders[0]).unwrap();
        assert_eq!(decode_value::<(u64,)>(&holders[1]).unwrap(), (acquired,));
        acquired
    });
    assert_ne!(holders[0], holders[1]);
    assert!(holders.iter().all(|holder| holder >> 60 == 1));

    let (rlock, link) = rlock();
    link.answer(&Some(GRANT));
    drop(now(rlock.acquire()).unwrap());
    assert_eq!(decode_value::<(u64, Option<i64>)>(&link.asked()[0].arguments).unwrap().0, 8);
}

#[test]
fn a_permit_can_be_forgotten() {
    let (manager, link) = manager();
    link.answer(&5_u64);
    let semaphore = now(manager.semaphore("downloads", 2)).unwrap();
    link.answer(&true);
    link.answer(&true);
    link.answer(&false);
    now(semaphore.acquire()).unwrap().forget();
    drop(now(semaphore.acquire()).unwrap());
    assert!(now(semaphore.try_acquire()).unwrap().is_none());
    let acquire = "semaphore.acquire";
    let expected = ["manager.open_semaphore", acquire, acquire, "semaphore.release (detached)", acquire];
    assert_eq!(link.operations(), expected);
}

#[test]
fn an_item_on_loan_comes_back_unless_it_is_acknowledged() {
    let (manager, link) = manager();
    link.answer(&5_u64);
    let jobs = now(manager.queue::<String>("jobs")).unwrap();
    link.asked();
    let reserve = |value: Vec<u8>| {
        link.answer(&queue::Lease { lease: 9, deliveries: 2, value: Encoded::from(&value) });
        now(jobs.reserve())
    };
    let wash = || encode_value("wash").unwrap();

    let lease = reserve(wash()).unwrap();
    assert_eq!((lease.as_str(), lease.deliveries()), ("wash", 2));
    assert!(!format!("{lease:?}").contains("wash"));
    drop(lease);
    assert_eq!(link.operations(), ["queue.reserve", "queue.release (detached)"]);

    let lease = reserve(wash()).unwrap();
    link.answer(&());
    assert_eq!(now(lease.into_value()).unwrap(), "wash");
    assert_eq!(link.operations(), ["queue.reserve", "queue.ack"]);

    let mut ack = reserve(wash()).unwrap().ack();
    assert!(poll_once(ack.as_mut()).is_pending());
    drop(ack);
    assert_eq!(link.operations(), ["queue.reserve", "queue.ack", "queue.release (detached)"]);

    let other = reserve(encode_value(&1).unwrap());
    assert!(other.is_err_and(|error| error.is_wrong_type()));
    assert_eq!(link.operations(), ["queue.reserve", "queue.release (detached)"]);
}

#[test]
fn a_condition_is_waited_for_until_the_closure_is_content() {
    let (manager, link) = manager();
    link.answer(&5_u64);
    let changed = now(manager.condition("changed")).unwrap();
    link.answer(&Some(GRANT));
    let mut guard = now(changed.acquire()).unwrap();
    link.asked();

    for (token, notified) in [(4, true), (5, false), (6, true)] {
        link.answer(&Wake { notified, grant: Grant { token, owner_died: false } });
    }
    let mut looks = 0;
    let three_times = || {
        looks += 1;
        Ok(looks <= 3)
    };
    now(guard.wait_while(three_times)).unwrap();
    assert_eq!((looks, guard.token()), (4, 6));
    let asked = link.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].timeout.unwrap() > Duration::from_secs(5) + MARGIN, "the lock may take as long to come back");

    link.answer(&Wake { notified: false, grant: GRANT });
    let error = now(guard.wait()).unwrap_err();
    assert!(error.is_timeout() && error.to_string().starts_with("condition.wait on \"changed\": "), "{error}");
    assert!(!now(guard.wait_while_timeout(Duration::ZERO, || Ok(true))).unwrap());
    drop(guard);
    assert_eq!(link.operations(), ["condition.wait", "condition.release (detached)"]);
}

#[test]
fn an_end_of_a_pipe_is_closed_or_given_away() {
    let (manager, link) = manager();
    link.answer(&5_u64);
    link.answer(&());
    link.answer(&());
    let (left, right): (PipeEnd<String, u8, _>, _) = now(manager.pipe("letters")).unwrap();
    assert_eq!(link.operations(), ["manager.open_pipe", "pipe.attach", "pipe.attach"]);
    drop(left);
    let closed = link.asked().pop().unwrap();
    assert_eq!((closed.operation, closed.arguments, closed.timeout), ("pipe.close", vec![0x91, 0], None));
    link.answer(&17_u64);
    assert_eq!(now(right.hand_over()).unwrap().to_string(), "right:17:letters");
    assert_eq!(link.operations(), ["pipe.hand_over"]);

    link.answer(&5_u64);
    link.answer(&());
    link.refuse(Code::LimitExceeded);
    assert!(now(manager.pipe::<u8, u8>("letters")).is_err_and(|error| error.is_limit_exceeded()));
    assert_eq!(link.operations().last().unwrap(), "pipe.close (detached)", "half a pipe is not kept");
}

#[test]
fn guards_and_leases_can_go_to_other_threads() {
    fn sent<T: Send + Sync + 'static>() {}
    fn all<L: DirectLink>() {
        sent::<LockGuard<L>>();
        sent::<ConditionGuard<L>>();
        sent::<Permit<L>>();
        sent::<Lease<String, L>>();
        sent::<PipeEnd<String, std::rc::Rc<u8>, L>>();
    }
    all::<Blocking>();
    #[cfg(feature = "aio")]
    all::<crate::aio::Async>();
}
