//! The proxies against a real server: what one process can show of them, blocking and async.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use manager_client::{Error, Holder, Manager, Swap, aio};

#[test]
fn no_update_is_lost_by_closures_that_race() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, u64>("dict")?;
    let list = manager.list::<u64>("list")?;
    list.push(&0)?;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    dict.update_with("n", |n| Some(n.unwrap_or(0) + 1)).unwrap();
                    list.update_with(0, |n| n + 1).unwrap();
                }
            });
        }
    });
    assert_eq!((dict.get("n")?, list.get(0)?), (Some(400), 400));
    assert_eq!(dict.update_with("n", |_| None)?, None);
    assert!(!dict.contains_key("n")?);
    Ok(())
}

#[test]
fn transfers_that_race_keep_the_sum() -> Result<(), Error> {
    let manager = Manager::start()?;
    let (ours, theirs) = (manager.dict::<String, i64>("ours")?, manager.dict::<String, i64>("theirs")?);
    ours.set("n", &1000)?;
    theirs.set("n", &1000)?;
    std::thread::scope(|scope| {
        for amount in 1..4 {
            let (manager, ours, theirs) = (&manager, &ours, &theirs);
            scope.spawn(move || {
                for _ in 0..50 {
                    let moved = manager.transact(|attempt| {
                        let from = attempt.read(ours).get("n")?.unwrap_or(0);
                        let to = attempt.read(theirs).get("n")?.unwrap_or(0);
                        attempt.write(ours).set("n", &(from - amount));
                        attempt.write(theirs).set("n", &(to + amount));
                        Ok(amount)
                    });
                    assert_eq!(moved.unwrap(), amount);
                }
            });
        }
    });
    assert_eq!((ours.get("n")?, theirs.get("n")?), (Some(700), Some(1300)));
    Ok(())
}

#[test]
fn retain_judges_again_what_was_changed_meanwhile() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<u64, u64>("dict")?;
    dict.insert_many((0..2500).map(|n| (n, n)))?;
    let mut judged = 0;
    dict.retain(|&key, &value| {
        judged += 1;
        if key == 4 && value == 4 {
            dict.set(&4, &1).unwrap();
        }
        value % 2 == 1
    })?;
    assert_eq!(judged, 2501);
    assert_eq!(dict.len()?, 1251);
    assert_eq!(dict.get(&4)?, Some(1));

    let list = manager.list::<u64>("list")?;
    list.extend([1, 2, 3, 4])?;
    let mut changed = false;
    list.retain(|value| {
        if !std::mem::replace(&mut changed, true) {
            list.push(&6).unwrap();
        }
        value % 2 == 0
    })?;
    assert_eq!(list.values()?, [2, 4, 6]);
    Ok(())
}

#[test]
fn iteration_goes_through_all_pages_both_ways() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<u64, String>("dict")?;
    let list = manager.list::<u64>("list")?;
    dict.insert_many((0..2501).map(|n| (n, n.to_string())))?;
    list.extend(0..2501)?;
    let forward: Vec<u64> = (0..2501).collect();
    let backward: Vec<u64> = (0..2501).rev().collect();
    assert_eq!(dict.iter().map(|entry| entry.unwrap().0).collect::<Vec<_>>(), forward);
    assert_eq!(dict.iter_rev().map(|entry| entry.unwrap().0).collect::<Vec<_>>(), backward);
    assert_eq!(list.iter().map(Result::unwrap).collect::<Vec<_>>(), forward);
    assert_eq!(list.iter_rev().map(Result::unwrap).collect::<Vec<_>>(), backward);
    Ok(())
}

#[test]
fn values_larger_than_a_frame_go_both_ways() -> Result<(), Error> {
    let manager = Manager::start()?;
    let list = manager.list::<String>("list")?;
    let values: Vec<String> = (0..20).map(|n| n.to_string().repeat(1 << 20)).collect();
    list.extend(&values)?;
    assert!(list.values()? == values);
    Ok(())
}

#[test]
fn a_pipeline_larger_than_the_sockets_buffers_does_not_stall() -> Result<(), Error> {
    let manager = Manager::start()?;
    let list = manager.list::<String>("list")?;
    let value = "x".repeat(10_000);
    let pipeline = manager.pipeline();
    let gets: Vec<_> = (0..2000)
        .map(|_| {
            list.on(&pipeline).push(&value);
            list.on(&pipeline).get(-1)
        })
        .collect();
    let early = list.on(&pipeline).len().take();
    assert!(early.is_err_and(|error| error.is_not_sent()));
    pipeline.send()?;
    for get in gets {
        assert_eq!(get.take()?, value);
    }
    Ok(())
}

/// In both forms: nothing of a batch overtakes a request that is larger than a frame.
#[tokio::test(flavor = "current_thread")]
async fn a_pipeline_keeps_its_order_around_a_large_value() -> Result<(), Error> {
    let large = "x".repeat(20_000_000);
    let manager = Manager::start()?;
    let dict = manager.dict::<String, String>("dict")?;
    let pipeline = manager.pipeline();
    let calls =
        (dict.on(&pipeline).set("k", &large), dict.on(&pipeline).set("k", "small"), dict.on(&pipeline).get("k"));
    pipeline.send()?;
    assert_eq!((calls.0.take()?, calls.1.take()?, calls.2.take()?), ((), (), Some("small".to_owned())));

    let manager = aio::Manager::connect(manager.socket()).await?;
    let dict = manager.dict::<String, String>("dict").await?;
    let pipeline = manager.pipeline();
    let calls =
        (dict.on(&pipeline).set("k", &large), dict.on(&pipeline).set("k", "small"), dict.on(&pipeline).get("k"));
    pipeline.send().await?;
    assert_eq!((calls.0.take()?, calls.1.take()?, calls.2.take()?), ((), (), Some("small".to_owned())));
    assert_eq!(dict.get("k").await?.as_deref(), Some("small"));
    Ok(())
}

#[test]
fn debug_output_is_short_and_tells_nothing_that_was_received() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, String>("dict")?;
    dict.set("password", "hunter2")?;
    dict.get("password")?;
    let pipeline = manager.pipeline();
    let pending = dict.on(&pipeline).set("password", "hunter2");
    let shown = format!("{manager:?} {dict:?} {pipeline:?} {pending:?} {:?}", manager.transaction());
    for secret in ["hunter2", "password", &format!("{:?}", b"hunter2").replace(['[', ']'], "")] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.len() < 10_000, "{} bytes", shown.len());
    Ok(())
}

#[test]
fn a_refused_transaction_does_nothing_at_all() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, u8>("dict")?;
    dict.set("n", &250)?;
    let transaction = manager.transaction();
    let removed = dict.on(&transaction).remove("n");
    dict.on(&transaction).set("m", &250);
    let sum = dict.on(&transaction).add("m", 10);
    let error = transaction.commit().unwrap_err();
    assert!(error.is_overflow(), "{error}");
    assert!(removed.take().is_err() && sum.take().is_err());
    assert_eq!(dict.items()?, [("n".to_owned(), 250)]);
    Ok(())
}

#[test]
fn objects_of_two_servers_do_not_mix() -> Result<(), Error> {
    let (one, other) = (Manager::start()?, Manager::start()?);
    let (ours, theirs) = (one.dict::<String, u64>("dict")?, other.dict::<String, u64>("dict")?);
    assert!(ours.update_from(&theirs).is_err_and(|error| error.is_other_server()));
    let transaction = one.transaction();
    theirs.on(&transaction).set("n", &1);
    assert!(transaction.commit().is_err_and(|error| error.is_other_server()));
    let again = Manager::connect(one.socket())?.dict::<String, u64>("dict")?;
    ours.update_from(&again)
}

#[test]
fn a_value_of_another_type_is_an_error_and_the_connection_goes_on() -> Result<(), Error> {
    let manager = Manager::start()?;
    manager.dict::<String, String>("dict")?.set("n", "secret")?;
    let dict = manager.dict::<String, u64>("dict")?;
    let error = dict.get("n").unwrap_err();
    assert!(error.is_wrong_type() && !error.to_string().contains("secret"), "{error}");
    assert!(dict.add("n", 1).is_err_and(|error| error.is_not_a_number()));
    assert_eq!(dict.len()?, 1);
    Ok(())
}

#[test]
fn the_server_lives_as_long_as_a_proxy() -> Result<(), Error> {
    let manager = Manager::start()?;
    let socket = manager.socket().to_owned();
    let dict = manager.dict::<String, u64>("dict")?;
    drop(manager);
    dict.add("n", 1)?;
    drop(dict);
    assert!(Manager::connect(socket).is_err_and(|error| error.is_disconnected()));
    Ok(())
}

async fn async_calls() -> Result<(), Error> {
    let manager = aio::Manager::start().await?;
    let dict = manager.dict::<String, u64>("dict").await?;
    let list = manager.list::<String>("list").await?;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (manager, dict) = (manager.clone(), dict.clone());
            tokio::spawn(async move {
                dict.add("sum", 1).await?;
                dict.update_with("closure", |n| Some(n.unwrap_or(0) + 1)).await?;
                let written = manager.transact(|attempt| {
                    let dict = dict.clone();
                    async move {
                        let n = attempt.read(&dict).get("transaction").await?.unwrap_or(0);
                        attempt.write(&dict).set("transaction", &(n + 1));
                        Ok(())
                    }
                });
                written.await
            })
        })
        .collect();
    for task in tasks {
        task.await.expect(NO_PANIC)?;
    }
    assert_eq!(dict.get_many(["sum", "closure", "transaction"]).await?, [Some(50), Some(50), Some(50)]);
    assert_eq!(dict.compare_and_set("sum", Some(&50), None).await?, Swap::Swapped);

    let values: Vec<String> = (0..20).map(|n| n.to_string().repeat(1 << 20)).collect();
    let small = tokio::spawn({
        let dict = dict.clone();
        async move { dict.len().await }
    });
    list.extend(&values).await?;
    small.await.expect(NO_PANIC)?;
    assert!(list.values().await? == values);

    let pipeline = manager.pipeline();
    let sums: Vec<_> = (0..3000).map(|_| dict.on(&pipeline).add("pipeline", 1)).collect();
    pipeline.send().await?;
    for (sum, expected) in sums.into_iter().zip(1..) {
        assert_eq!(sum.take()?, expected);
    }

    let many = manager.dict::<u64, u64>("many").await?;
    many.insert_many((0..2500).map(|n| (n, n))).await?;
    many.retain(|key, _| key % 2 == 0).await?;
    let mut stream = many.iter_rev();
    let mut seen = Vec::new();
    while let Some(entry) = stream.next().await {
        seen.push(entry?.0);
    }
    assert_eq!(seen, (0..2500).filter(|n| n % 2 == 0).rev().collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn async_calls_on_one_thread() -> Result<(), Error> {
    async_calls().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_calls_on_several_threads() -> Result<(), Error> {
    async_calls().await
}

/// Polls a call once and drops it, as `select!` does when another branch is ready.
async fn begin_and_drop(mut call: aio::BoxFuture<'_, ()>) {
    assert!(poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await);
}

/// How a guard is let go: by a release that is dropped, or by one that has no time.
const HASTES: [(bool, Duration); 2] = [(true, Duration::from_secs(30)), (false, Duration::ZERO)];

async fn let_go(is_dropped: bool, release: aio::BoxFuture<'_, ()>) {
    if is_dropped {
        begin_and_drop(release).await;
    } else if let Err(error) = release.await {
        assert!(error.is_timeout() && error.is_outcome_unknown(), "{error}");
    }
}

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_permit_whose_release_is_dropped_is_available_again() -> Result<(), Error> {
    let manager = aio::Manager::start().await?;
    let downloads = manager.semaphore("downloads", 1).await?;
    for (is_dropped, timeout) in HASTES {
        let permit = downloads.with_timeout(timeout).acquire().await?;
        let_go(is_dropped, permit.release()).await;
        let permit = downloads.acquire_timeout(LONG).await?.expect("the permit is back");
        permit.release().await?;
        assert_eq!(downloads.status().await?.available, 1, "given back once");
    }
    Ok(())
}

#[tokio::test]
async fn a_reentrant_lock_whose_release_is_dropped_goes_back_once() -> Result<(), Error> {
    let manager = aio::Manager::start().await?;
    let (mine, other) = (Holder::new(), Holder::new());
    let settings = manager.rlock("settings").await?;
    for (is_dropped, timeout) in HASTES {
        let ours = settings.with_timeout(timeout).with_holder(mine);
        let (outer, inner) = (ours.acquire().await?, ours.acquire().await?);
        let_go(is_dropped, inner.release()).await;
        assert!(settings.with_holder(other).try_acquire().await?.is_none(), "the outer guard has it");
        let_go(is_dropped, outer.release()).await;
        let guard = settings.with_holder(other).acquire_timeout(LONG).await?.expect("the lock is free");
        guard.release().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_ownerless_lock_whose_release_is_dropped_is_free_again() -> Result<(), Error> {
    let manager = aio::Manager::start().await?;
    let turn = manager.ownerless_lock("turn").await?;
    for (is_dropped, timeout) in HASTES {
        let guard = turn.with_timeout(timeout).guard().await?;
        let_go(is_dropped, guard.release()).await;
        turn.guard_timeout(LONG).await?.expect("the lock is free").release().await?;
    }
    Ok(())
}

#[test]
fn an_async_manager_outlives_the_runtime_that_it_was_made_on() -> Result<(), Error> {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = Manager::start()?;
    let manager = runtime().block_on(aio::Manager::connect(server.socket()))?;
    let started = Instant::now();
    runtime().block_on(manager.ping())?;
    assert!(started.elapsed() < Duration::from_secs(5));
    Ok(())
}

const NO_PANIC: &str = "the task does not panic";
