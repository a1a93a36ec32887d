//! Many who wait for the same: all of them come to an end, and nobody is favoured.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use manager_client::{Error, Manager, Result, aio};
use manager_tests::{TestServer, block_on, server};
use tokio::task::JoinSet;

use crate::child::eventually;

const CROWD: usize = 1000;

/// Starts the same work so many times, each in a task of its own.
fn crowd<T, W>(mut work: impl FnMut() -> W) -> JoinSet<T>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..CROWD {
            tasks.spawn(work());
        }
        tasks
    })
}

fn until_waiting(server: &TestServer, count: usize) {
    eventually("the crowd waits", || (server.census().waiting == count).then_some(()));
}

#[test]
fn a_crowd_gets_a_lock_one_after_the_other() {
    let server = server();
    let manager = block_on(server.aio());
    let lock = block_on(manager.lock("lock")).unwrap();
    let counts: aio::ManagerDict<String, usize> = block_on(manager.dict("counts")).unwrap();
    let held = block_on(lock.acquire()).unwrap();
    let tasks = crowd(|| {
        let (lock, counts) = (lock.clone(), counts.clone());
        async move {
            let guard = lock.acquire().await?;
            let before = counts.get("grants").await?.unwrap_or(0);
            counts.set("grants", &(before + 1)).await?;
            guard.release().await
        }
    });
    until_waiting(&server, CROWD);
    drop(held);
    let ended: Vec<Result<()>> = block_on(tasks.join_all());
    ended.into_iter().for_each(Result::unwrap);
    assert_eq!(block_on(counts.get("grants")).unwrap(), Some(CROWD));
}

#[test]
fn a_crowd_goes_through_a_barrier_together_and_breaks_together() {
    let server = server();
    let manager = block_on(server.aio());
    let barrier = block_on(manager.barrier("barrier", CROWD as u64)).unwrap();
    let wait = || {
        let barrier = barrier.clone();
        async move { barrier.wait().await }
    };
    let passes = block_on(crowd(wait).join_all());
    let mut places: Vec<u64> = passes.into_iter().map(|pass| pass.unwrap().index()).collect();
    places.sort_unstable();
    assert_eq!(places, (0..CROWD as u64).collect::<Vec<_>>());

    let larger = block_on(manager.barrier("larger", CROWD as u64 + 1)).unwrap();
    let tasks = crowd(|| {
        let larger = larger.clone();
        async move { larger.wait().await }
    });
    until_waiting(&server, CROWD);
    block_on(larger.abort()).unwrap();
    assert!(block_on(tasks.join_all()).into_iter().all(|pass| pass.is_err_and(|error| error.is_broken())));
}

#[test]
fn a_crowd_at_a_condition_is_woken_and_each_has_the_lock() {
    let server = server();
    let manager = block_on(server.aio());
    let condition = block_on(manager.condition("condition")).unwrap();
    let inside = std::sync::Arc::new(AtomicUsize::new(0));
    let tasks = crowd(|| {
        let (condition, inside) = (condition.clone(), inside.clone());
        async move {
            let mut guard = condition.acquire().await?;
            guard.wait().await?;
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else has the lock");
            assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
            guard.release().await
        }
    });
    eventually("all wait for a notification", || {
        (block_on(condition.status()).unwrap().waiting == CROWD as u64).then_some(())
    });
    block_on(async {
        let guard = condition.acquire().await?;
        assert_eq!(guard.notify(1).await?, 1);
        assert_eq!(guard.notify_all().await?, CROWD as u64 - 1);
        guard.release().await
    })
    .unwrap();
    let ended: Vec<Result<()>> = block_on(tasks.join_all());
    ended.into_iter().for_each(Result::unwrap);
}

#[test]
fn a_crowd_is_told_that_the_server_shuts_down() {
    let server = server();
    let manager = block_on(server.aio());
    let event = block_on(manager.event("event")).unwrap();
    let queue = block_on(manager.queue::<u64>("queue")).unwrap();
    let waits = crowd(|| {
        let event = event.clone();
        async move { event.wait().await }
    });
    let takes = crowd(|| {
        let queue = queue.clone();
        async move { queue.get().await }
    });
    until_waiting(&server, 2 * CROWD);
    server.stop();
    let errors: Vec<Error> = block_on(async {
        let waits = waits.join_all().await.into_iter().map(Result::unwrap_err);
        waits.chain(takes.join_all().await.into_iter().map(Result::unwrap_err)).collect()
    });
    assert!(errors.iter().all(Error::is_shutting_down), "{:?}", errors.iter().find(|error| !error.is_shutting_down()));
}

#[test]
fn fifty_clients_get_a_lock_equally_often() {
    const CLIENTS: usize = 50;
    const GRANTS: usize = 5000;
    let server = server();
    let grants = AtomicUsize::new(0);
    let first = server.manager().lock("lock").unwrap();
    let held = first.acquire().unwrap();
    let client = || {
        let lock = server.manager().lock("lock").unwrap();
        let mut mine = 0;
        loop {
            let _guard = lock.acquire().unwrap();
            if grants.fetch_add(1, Ordering::Relaxed) >= GRANTS {
                return mine;
            }
            mine += 1;
        }
    };
    let counts: Vec<usize> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        until_waiting(&server, CLIENTS);
        drop(held);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(most * 10 < least * 12, "between {least} and {most} grants: {counts:?}");
}

/// The same through the async client, whose tasks share one connection.
#[test]
fn a_dropped_wait_leaves_its_place_to_the_next() {
    let server = server();
    let manager: aio::Manager = block_on(server.aio());
    let direct: Manager = server.manager();
    let queue = block_on(manager.queue::<u64>("queue")).unwrap();
    let tasks = crowd(|| {
        let queue = queue.clone();
        async move { queue.get().await }
    });
    until_waiting(&server, CROWD);
    drop(tasks);
    until_waiting(&server, 0);
    let queue = direct.queue::<u64>("queue").unwrap();
    queue.put(&7).unwrap();
    assert_eq!(queue.get().unwrap(), 7);
}
