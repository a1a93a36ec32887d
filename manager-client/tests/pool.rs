//! Pools against a real server, with real processes.

#![allow(clippy::exit, reason = "what becomes of a worker that exits is to be seen")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use manager_client::{Error, Manager, ManagerDict, ManagerEvent, ManagerList, ManagerValue, Pool, TaskError, task};

manager_client::enable_tests!();

#[task]
fn square(x: i64) -> i64 {
    x * x
}

#[task]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

#[task]
fn odd_panics(x: i64) -> i64 {
    assert!(x % 2 == 0, "{x} is odd");
    x
}

#[task]
fn checked(x: i64) -> Result<i64, String> {
    if x < 0 { Err(format!("{x} is negative")) } else { Ok(x) }
}

#[task]
fn pid() -> u32 {
    std::process::id()
}

#[task]
fn pid_of(_item: u32) -> u32 {
    std::process::id()
}

#[task]
fn wait_for(event: ManagerEvent) -> bool {
    event.wait_timeout(Duration::from_secs(60)).expect("the server answers")
}

#[task]
fn announce_and_wait(begun: ManagerEvent, event: ManagerEvent) {
    begun.set().expect("the server answers");
    event.wait_timeout(Duration::from_secs(60)).expect("the server answers");
}

#[task]
#[expect(clippy::exit, reason = "the worker is to end")]
fn leave(code: i32) {
    std::process::exit(code);
}

#[task]
fn abort() {
    std::process::abort();
}

#[task]
fn kill_itself() {
    let _sent = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

#[task]
fn overflow(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { overflow(std::hint::black_box(depth + 1)) + std::hint::black_box(depth) }
}

/// Ends its worker the first time that it is run with 13.
#[task]
fn unlucky(runs: ManagerDict<i64, u64>, x: i64) -> i64 {
    if runs.add(&x, 1).expect("the server answers") == 1 && x == 13 {
        std::process::abort();
    }
    x
}

/// Ends its worker whenever it is run with 13.
#[task]
fn killer(x: i64) -> i64 {
    if x == 13 {
        std::process::abort();
    }
    x
}

#[task]
fn prepare(count: ManagerValue<u64>) {
    count.add(1_u64).expect("the server answers");
}

#[task]
fn fail() {
    panic!("there is nothing to prepare");
}

#[task]
fn fail_with_error() -> Result<(), TaskError> {
    Err(TaskError::new("nothing"))
}

#[task]
#[expect(clippy::exit, reason = "the worker is to end")]
fn end_early() {
    std::process::exit(9);
}

#[task]
fn list_of(item: String) -> ManagerList<String> {
    let manager = Manager::from_env().expect("the environment tells the server");
    let list = manager.new_list().expect("the server answers");
    list.push(&item).expect("the server answers");
    list
}

#[task]
fn serve(name: String) {
    Manager::from_env().and_then(|manager| manager.serve_pool(&name)).expect("the pool is served");
}

#[task]
fn many(count: usize) -> String {
    "x".repeat(count)
}

fn not_registered(x: i64) -> i64 {
    x
}

type Outcome = Result<(), Error>;

/// Waits for a condition.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn calls_return_what_their_tasks_do() -> Outcome {
    let pool = Pool::new(2)?;
    assert_eq!(pool.apply(square, (12,))?, 144);
    assert_eq!(pool.map(square, 0..1000)?, (0..1000).map(|x| x * x).collect::<Vec<_>>());
    assert!(pool.map(square, Vec::new())?.is_empty());
    assert_eq!(pool.starmap(add, (0..10).map(|x| (x, 1)))?, (1..11).collect::<Vec<_>>());
    let squares: Vec<i64> = pool.imap(square, 0..100).collect::<Result<_, _>>()?;
    assert_eq!(squares, (0..100).map(|x| x * x).collect::<Vec<_>>());
    let mut squares: Vec<i64> = pool.chunk_size(7).imap_unordered(square, 0..100).collect::<Result<_, _>>()?;
    squares.sort_unstable();
    assert_eq!(squares, (0..100).map(|x| x * x).collect::<Vec<_>>());
    let result = pool.apply_async(add, (1, 2))?;
    assert_eq!((result.get()?, result.get_timeout(Duration::ZERO)?), (3, 3));
    assert!(result.ready() && result.successful()?);
    pool.close()?;
    pool.join()
}

#[test]
fn failures_stay_with_their_calls() -> Outcome {
    let pool = Pool::new(2)?;
    let result = pool.chunk_size(4).map_async(odd_panics, [0, 2, 3, 4, 6, 7, 8])?;
    let each = result.results()?;
    let failed: Vec<usize> = (0..each.len()).filter(|index| each[*index].is_err()).collect();
    assert_eq!(failed, [2, 5]);
    let panic = each[2].as_ref().unwrap_err();
    let told = panic.task_error().expect("it is a panic");
    assert_eq!(told.message(), "3 is odd");
    assert!(told.location().is_some_and(|place| place.contains("pool.rs")) && told.backtrace().is_some());
    assert!(result.get().unwrap_err().to_string().contains("3 is odd"));
    assert!(!result.successful()?);
    let progress = result.progress();
    assert_eq!((progress.done, progress.failed, progress.total), (7, 2, 7));

    let negative = pool.apply_async(checked, (-1,))?;
    assert_eq!(negative.get()?, Err("-1 is negative".to_owned()));
    assert!(!negative.successful()?, "an `Err` is no success");
    assert!(pool.map_async(checked, 0..3)?.get()?.iter().all(Result::is_ok));

    let each: Vec<bool> = pool.imap(odd_panics, 0..6).map(|outcome| outcome.is_ok()).collect();
    assert_eq!(each, [true, false, true, false, true, false]);
    let status = pool.status()?;
    assert_eq!((status.done, status.failed, status.lost), (11, 6, 0));
    Ok(())
}

#[test]
fn what_cannot_be_done_is_an_error_at_once() -> Outcome {
    assert!(Pool::new(0).unwrap_err().to_string().contains("0 workers"));
    let pool = Pool::new(1)?;
    assert!(pool.apply(not_registered, (1,)).is_err_and(|error| error.is_unknown_task()));
    let each: Vec<_> = pool.imap(not_registered, [1, 2]).collect();
    assert!(each.len() == 1 && each[0].as_ref().is_err_and(Error::is_unknown_task));
    assert!(pool.join().is_err_and(|error| error.is_out_of_turn()));
    assert!(pool.join_timeout(Duration::ZERO).is_err_and(|error| error.is_out_of_turn()));
    pool.close()?;
    pool.close()?;
    assert!(pool.map(square, 0..3).is_err_and(|error| error.is_pool_closed() && !error.is_pool_terminated()));
    assert!(pool.imap(square, 0..3).next().is_some_and(|first| first.is_err_and(|error| error.is_pool_closed())));
    pool.join()?;
    assert!(pool.join_timeout(Duration::ZERO)?);
    Ok(())
}

#[test]
fn what_was_submitted_before_the_close_is_done() -> Outcome {
    let pool = Pool::builder().workers(2).max_tasks_per_child(3).start()?;
    let results: Vec<_> = (0..20).map(|x| pool.apply_async(square, (x,))).collect::<Result<_, _>>()?;
    pool.close()?;
    pool.join()?;
    assert!(results.iter().all(|result| result.ready()));
    assert_eq!(results[19].get()?, 361);
    assert_eq!(pool.status()?.workers, []);
    Ok(())
}

#[test]
fn a_terminated_pool_ends_every_wait() -> Outcome {
    let manager = Manager::start()?;
    let (begun, never) = (manager.new_event()?, manager.new_event()?);
    let pool = manager.pool(1)?;
    let running = pool.apply_async(announce_and_wait, (begun.clone(), never.clone()))?;
    let queued = pool.map_async(square, 0..10)?;
    begun.wait()?;
    assert!(running.successful().is_err_and(|error| error.is_not_ready()));
    assert!(running.get_timeout(Duration::ZERO).is_err_and(|error| error.is_timeout()));
    pool.terminate()?;
    assert!(running.get().is_err_and(|error| error.is_pool_terminated()));
    assert!(queued.get().is_err_and(|error| error.is_pool_terminated()));
    assert!(pool.apply(square, (1,)).is_err_and(|error| error.is_pool_terminated()));
    pool.terminate()?;
    pool.join()?;

    let pool = manager.pool(1)?;
    let running = pool.apply_async(wait_for, (never,))?;
    let imap = pool.imap(square, 0..3);
    drop(pool.clone());
    assert!(!running.ready());
    drop((imap, pool));
    assert!(running.get().is_err_and(|error| error.is_pool_terminated()));
    assert!(!running.cancel()?);
    Ok(())
}

#[test]
fn callbacks_are_run_once_and_may_panic() -> Outcome {
    let pool = Pool::new(1)?;
    let (sender, told) = channel();
    let tell = |what: &'static str| {
        let sender = sender.clone();
        move |value: String| sender.send((what, value)).unwrap()
    };
    let (good, bad) = (tell("good"), tell("bad"));
    let result = pool.apply_async(square, (3,))?;
    result.callback(|_| panic!("on purpose"));
    result.callback(move |square| good(square.to_string()));
    result.error_callback(move |error| bad(error.to_string()));
    assert_eq!(told.recv().unwrap(), ("good", "9".to_owned()));
    result.get()?;
    let late = tell("late");
    result.callback(move |square| late(square.to_string()));
    assert_eq!(told.recv().unwrap(), ("late", "9".to_owned()));

    let (good, bad) = (tell("good"), tell("bad"));
    let results = pool.map_async(odd_panics, 0..4)?;
    results.callback(move |each| good(format!("{each:?}")));
    results.error_callback(move |error| bad(error.to_string()));
    let (what, error) = told.recv().unwrap();
    assert!(what == "bad" && error.contains("1 is odd"), "{what}: {error}");
    let good = tell("good");
    pool.map_async(square, 0..3)?.callback(move |each| good(format!("{each:?}")));
    assert_eq!(told.recv().unwrap(), ("good", "[0, 1, 4]".to_owned()));
    Ok(())
}

#[test]
fn a_callback_may_drop_the_pool() -> Outcome {
    let pool = Pool::new(1)?;
    let (sender, told) = channel();
    let result = pool.apply_async(square, (3,))?;
    result.callback(move |square| {
        drop(pool);
        sender.send(square).unwrap();
    });
    assert_eq!(told.recv().unwrap(), 9);
    Ok(())
}

#[test]
fn each_worker_is_initialised_before_its_first_task() -> Outcome {
    let manager = Manager::start()?;
    let count = manager.value("count", &0_u64)?;
    let builder = Pool::builder().workers(2).manager(&manager);
    let pool = builder.initializer(prepare, (count.clone(),)).max_tasks_per_child(1).start()?;
    let mut pids: Vec<u32> = pool.chunk_size(1).map(pid_of, 0..6)?;
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 6, "each task has a worker of its own");
    assert!(count.get()? >= 6);
    Ok(())
}

#[test]
fn a_pool_whose_workers_cannot_begin_is_broken() -> Outcome {
    let pool = Pool::builder().workers(2).initializer(fail, ()).start()?;
    let error = pool.apply(square, (1,)).unwrap_err();
    assert!(error.is_pool_broken(), "{error}");
    let text = error.to_string();
    assert!(text.contains("there is nothing to prepare") && text.contains("pool.rs"), "{text}");
    assert!(pool.apply(square, (1,)).is_err_and(|error| error.is_pool_broken()));
    assert!(pool.join().is_err_and(|error| error.is_pool_broken()));
    drop(pool);

    let pool = Pool::builder().workers(1).initializer(fail_with_error, ()).start()?;
    let text = pool.apply(square, (1,)).unwrap_err().to_string();
    assert!(text.contains("fail_with_error returned an error: nothing"), "{text}");
    let pool = Pool::builder().workers(1).initializer(end_early, ()).start()?;
    let text = pool.apply(square, (1,)).unwrap_err().to_string();
    assert!(text.contains("exited with code 9"), "{text}");
    Ok(())
}

#[test]
fn a_worker_that_ends_is_replaced_and_its_task_is_lost() -> Outcome {
    let pool = Pool::new(1)?;
    let first = pool.apply(pid, ())?;
    let lost = pool.apply(leave, (3,)).unwrap_err();
    assert!(lost.is_process_lost(), "{lost}");
    assert_eq!((lost.pid(), lost.exit_code(), lost.attempts()), (Some(first), Some(3), Some(1)));
    let second = pool.apply(pid, ())?;
    assert_ne!(first, second);
    let lost = pool.retries(2).apply(abort, ()).unwrap_err();
    assert_eq!((lost.exit_code(), lost.attempts()), (Some(-6), Some(3)));
    let lost = pool.apply(kill_itself, ()).unwrap_err();
    assert!(lost.exit_code() == Some(-9) && lost.to_string().contains("SIGKILL"), "{lost}");
    let lost = pool.apply(overflow, (0,)).unwrap_err();
    assert!(lost.to_string().contains("its stack overflowed"), "{lost}");
    assert_eq!(pool.apply(square, (2,))?, 4);
    let status = pool.status()?;
    assert_eq!((status.lost, status.workers.len()), (4, 1));
    Ok(())
}

#[test]
fn a_call_that_ends_its_worker_does_not_take_its_neighbours_with_it() -> Outcome {
    let manager = Manager::start()?;
    let runs = manager.new_dict::<i64, u64>()?;
    let pool = manager.pool(2)?;
    let calls = (0..30).map(|x| (runs.clone(), x));
    assert_eq!(pool.retries(1).chunk_size(10).starmap(unlucky, calls)?, (0..30).collect::<Vec<_>>());
    assert_eq!(runs.get(&13)?, Some(2));

    let results = pool.retries(1).chunk_size(10).map_async(killer, 0..30)?;
    pool.close()?;
    let each = results.results()?;
    let lost: Vec<usize> = (0..30).filter(|index| each[*index].is_err()).collect();
    assert_eq!(lost, [13]);
    assert!(each[13].as_ref().is_err_and(Error::is_process_lost));
    pool.join()?;
    assert!(pool.status()?.closed);
    Ok(())
}

#[test]
fn a_task_that_takes_too_long_is_stopped() -> Outcome {
    let manager = Manager::start()?;
    let never = manager.new_event()?;
    let pool = manager.pool(1)?;
    let limited = pool.time_limit(Duration::from_millis(50));
    let late = limited.apply(wait_for, (never,)).unwrap_err();
    assert!(late.is_timeout(), "{late}");
    assert_eq!(pool.time_limit(Duration::from_secs(60)).map(square, 0..3)?, [0, 1, 4]);
    Ok(())
}

#[test]
fn calls_are_cancelled_whether_they_wait_or_run() -> Outcome {
    let manager = Manager::start()?;
    let (begun, never) = (manager.new_event()?, manager.new_event()?);
    let pool = manager.pool(1)?;
    let running = pool.apply_async(announce_and_wait, (begun.clone(), never))?;
    begun.wait()?;
    let queued = pool.apply_async(square, (1,))?;
    let mapped = pool.map_async(square, 0..10)?;
    let imap = pool.imap(square, 0..10);
    assert!(queued.cancel()? && mapped.cancel()?);
    drop(imap);
    assert!(queued.get().is_err_and(|error| error.is_cancelled()));
    assert!(mapped.get().is_err_and(|error| error.is_cancelled()));
    assert_eq!(pool.status()?.queued, 0);
    assert!(running.cancel()? && running.get().is_err_and(|error| error.is_cancelled()));
    assert!(!running.cancel()?);
    assert_eq!(pool.apply(square, (3,))?, 9);
    Ok(())
}

#[test]
fn imap_asks_for_no_more_items_than_its_window() -> Outcome {
    let pool = Pool::new(1)?;
    let pulled = AtomicUsize::new(0);
    let items = (0..).inspect(|_| {
        pulled.fetch_add(1, Ordering::Relaxed);
    });
    let mut squares = pool.window(5).imap(square, items);
    assert_eq!(pulled.load(Ordering::Relaxed), 5);
    for x in 0..20 {
        assert_eq!(squares.next().expect("there is no end")?, x * x);
        let ahead = pulled.load(Ordering::Relaxed) - usize::try_from(x).unwrap();
        assert!(ahead <= 6, "{ahead}");
    }
    Ok(())
}

#[tokio::test]
async fn results_are_awaited() -> Outcome {
    let pool = Pool::new(2)?;
    let result = pool.apply_async(square, (3,))?;
    assert_eq!((&result).await?, 9);
    assert_eq!(result.await?, 9);
    let (one, many) = tokio::join!(pool.apply_async(square, (4,))?, pool.map_async(square, 0..3)?);
    assert_eq!((one?, many?), (16, vec![0, 1, 4]));
    let mut squares = pool.imap(square, 0..20);
    let mut sum = 0;
    while let Some(square) =
        std::future::poll_fn(|context| futures_core::Stream::poll_next(std::pin::Pin::new(&mut squares), context)).await
    {
        sum += square?;
    }
    assert_eq!(sum, (0..20).map(|x| x * x).sum::<i64>());
    drop(squares);
    assert!(pool.joined().await.is_err_and(|error| error.is_out_of_turn()));
    pool.close()?;
    pool.joined().await
}

#[test]
fn proxies_travel_in_arguments_and_results() -> Outcome {
    let manager = Manager::start()?;
    let pool = manager.pool(2)?;
    let lists = pool.chunk_size(2).map(list_of, ["a", "b", "c"].map(str::to_owned))?;
    assert_eq!(lists[2].get(0)?, "c");
    lists[0].push("d")?;
    assert_eq!(lists[0].len()?, 2);
    Ok(())
}

#[test]
fn large_results_come_whole() -> Outcome {
    let pool = Pool::new(1)?;
    let sizes = [1_usize, 2_000_000, 3, 20_000_000];
    assert_eq!(pool.map(many, sizes)?.iter().map(String::len).collect::<Vec<_>>(), sizes);
    Ok(())
}

#[test]
fn other_programs_serve_and_use_a_pool_by_its_name() -> Outcome {
    let manager = Manager::start()?;
    let server = manager.process(serve, ("shared".to_owned(),)).as_daemon();
    server.start()?;
    let guest = manager.open_pool("shared")?;
    until("the worker", || guest.status().is_ok_and(|status| status.workers.iter().any(|worker| worker.pid.is_some())));
    assert_eq!(guest.workers(), 0);
    assert_eq!(guest.apply(pid, ())?, server.pid().expect("it runs"));
    assert_eq!(guest.map(square, 0..5)?, [0, 1, 4, 9, 16]);
    let other = manager.open_pool("shared")?;
    other.close()?;
    assert!(guest.apply(square, (1,)).is_err_and(|error| error.is_pool_closed()));
    server.join()?;
    guest.join()?;

    let keeper = Pool::builder().workers(1).manager(&manager).name("kept").start()?;
    let guest = manager.open_pool("kept")?;
    assert_eq!(guest.apply(square, (3,))?, 9);
    let result = guest.apply_async(square, (4,))?;
    assert_eq!(result.get()?, 16);
    drop(guest);
    let guest = manager.open_pool("kept")?;
    let (begun, never) = (manager.new_event()?, manager.new_event()?);
    let running = guest.apply_async(announce_and_wait, (begun.clone(), never))?;
    begun.wait()?;
    drop(keeper);
    let error = running.get().unwrap_err();
    assert!(error.is_pool_terminated(), "{error}");
    assert!(manager.objects()?.iter().all(|object| object.name != "kept"));
    Ok(())
}

#[test]
fn a_guest_that_goes_leaves_the_pool_to_the_others() -> Outcome {
    let manager = Manager::start()?;
    let keeper = Pool::builder().workers(1).manager(&manager).name("kept").start()?;
    let (begun, go_on) = (manager.new_event()?, manager.new_event()?);
    let running = keeper.apply_async(announce_and_wait, (begun.clone(), go_on.clone()))?;
    begun.wait()?;
    let guest = manager.open_pool("kept")?;
    let waiting = guest.apply_async(square, (3,))?;
    drop(guest);
    assert!(waiting.get().is_err_and(|error| error.is_cancelled()));
    go_on.set()?;
    running.get()?;
    assert_eq!(keeper.apply(square, (3,))?, 9);
    Ok(())
}

#[test]
fn a_server_that_ends_ends_every_wait() -> Outcome {
    let server = manager_server::Server::start(manager_server::Config::private().unwrap()).unwrap();
    let manager = Manager::connect(server.socket())?;
    let (begun, never) = (manager.new_event()?, manager.new_event()?);
    let pool = manager.pool(1)?;
    let running = pool.apply_async(announce_and_wait, (begun.clone(), never))?;
    let queued = pool.map_async(square, 0..10)?;
    begun.wait()?;
    drop(server);
    let error = running.get().unwrap_err();
    assert!(error.is_disconnected(), "{error}");
    assert!(queued.get().is_err());
    assert!(pool.apply(square, (1,)).is_err());
    assert!(pool.join().is_err());
    Ok(())
}

#[test]
fn a_program_without_the_task_is_told_by_its_name() -> Outcome {
    let manager = Manager::start()?;
    let guest = manager.open_pool("empty")?;
    assert!(guest.apply(square, (1,)).is_err_and(|error| error.is_unknown_task()));
    Ok(())
}

/// Many threads use one pool, and each has its own results.
#[test]
fn a_pool_is_used_by_many_threads() -> Outcome {
    let pool = Pool::new(2)?;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let pool = pool.clone();
            scope.spawn(move || {
                let results: Vec<_> = (0..200).map(|x| pool.apply_async(add, (x, thread)).unwrap()).collect();
                for (x, result) in (0..200).zip(results) {
                    assert_eq!(result.get().unwrap(), x + thread);
                }
            });
        }
    });
    assert_eq!(pool.status()?.done, 800);
    Ok(())
}
