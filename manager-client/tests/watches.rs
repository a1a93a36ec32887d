//! Paths, entries that end, watches and waits for values against a real server.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use manager_client::{DictUpdate, Error, ListUpdate, Manager, ManagerDict, ManagerList, Ttl, Until, aio};

/// The key and the value that say that nothing more comes.
const LAST: u64 = u64::MAX;

/// Changes a dict in every way, differently for each seed.
fn change_dict(dict: &ManagerDict<u64, u64>, seed: u64) -> Result<(), Error> {
    for step in 0..60 {
        let key = (seed * 31 + step * 7) % 13;
        match (seed + step) % 9 {
            0 => dict.remove(&key).map(drop)?,
            1 => dict.insert_many([(key, step), (key + 1, step)])?,
            2 => dict.pop_first().map(drop)?,
            3 => dict.add(&key, 1).map(drop)?,
            4 if step % 20 == 4 => dict.clear()?,
            5 => dict.update_with(&key, |value| value.map(|value| value / 2)).map(drop)?,
            6 => dict.remove_many([&key, &(key + 2)]).map(drop)?,
            7 => dict.at(&key).set(&step)?,
            _ => dict.set(&key, &step)?,
        }
    }
    Ok(())
}

fn change_list(list: &ManagerList<u64>, seed: u64) -> Result<(), Error> {
    for step in 0..60 {
        match (seed + step) % 8 {
            0 => list.pop().map(drop)?,
            1 => list.extend([step, seed, step])?,
            2 => list.insert(1, &step)?,
            3 => list.pop_front().map(drop)?,
            4 if step % 20 == 4 => list.reverse()?,
            5 => list.sort()?,
            6 => list.remove_value(&step).map(drop)?,
            7 => list.set_slice(0..1, [seed, step])?,
            _ => list.push_front(&step)?,
        }
    }
    Ok(())
}

#[test]
fn a_map_that_follows_a_dict_is_like_it_in_the_end() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<u64, u64>("dict")?;
    dict.set(&1, &1)?;
    std::thread::scope(|scope| {
        let follow = || {
            let mut mine = HashMap::new();
            let mut latest = 0;
            for update in dict.watch() {
                let update = update.unwrap();
                if let DictUpdate::Changes(changes) = &update {
                    for change in changes {
                        assert!(change.version() >= latest, "changes come in order");
                        latest = change.version();
                    }
                }
                update.apply_to(&mut mine);
                if mine.contains_key(&LAST) {
                    break;
                }
            }
            mine
        };
        let followers: Vec<_> = (0..3).map(|_| scope.spawn(follow)).collect();
        let writers: Vec<_> = (0..3).map(|seed| (seed, &dict)).collect();
        let writers = writers.into_iter().map(|(seed, dict)| scope.spawn(move || change_dict(dict, seed).unwrap()));
        writers.collect::<Vec<_>>().into_iter().for_each(|writer| writer.join().unwrap());
        dict.set(&LAST, &0).unwrap();
        let there: HashMap<u64, u64> = dict.items().unwrap().into_iter().collect();
        for follower in followers {
            assert_eq!(follower.join().unwrap(), there);
        }
    });
    Ok(())
}

#[test]
fn a_vector_that_follows_a_list_is_like_it_in_the_end() -> Result<(), Error> {
    let manager = Manager::start()?;
    let list = manager.list::<u64>("list")?;
    list.extend([3, 1, 2])?;
    std::thread::scope(|scope| {
        let follow = || {
            let mut mine = Vec::new();
            for update in list.watch() {
                update.unwrap().apply_to(&mut mine);
                if mine.last() == Some(&LAST) {
                    break;
                }
            }
            mine
        };
        let followers: Vec<_> = (0..3).map(|_| scope.spawn(follow)).collect();
        let writers: Vec<_> = (0..3).map(|seed| (seed, &list)).collect();
        let writers = writers.into_iter().map(|(seed, list)| scope.spawn(move || change_list(list, seed).unwrap()));
        writers.collect::<Vec<_>>().into_iter().for_each(|writer| writer.join().unwrap());
        list.push(&LAST).unwrap();
        let there = list.values().unwrap();
        for follower in followers {
            assert_eq!(follower.join().unwrap(), there);
        }
    });
    Ok(())
}

#[test]
fn a_watch_of_a_key_sees_that_key_only() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, u64>("dict")?;
    let mut watch = dict.watch_key("ann");
    let mut next = || watch.next_timeout(Duration::from_millis(20)).map(|update| update.map(|update| update.value));
    assert_eq!(next()?, Some(None));
    dict.set("bob", &1)?;
    assert_eq!(next()?, None);
    dict.set("ann", &31)?;
    dict.add("ann", 1)?;
    dict.remove("ann")?;
    assert_eq!((next()?, next()?, next()?), (Some(Some(31)), Some(Some(32)), Some(None)));
    dict.set("ann", &5)?;
    dict.clear()?;
    assert_eq!((next()?, next()?, next()?), (Some(Some(5)), Some(None), None));
    manager.delete("dict")?;
    assert!(next().is_err_and(|error| error.is_no_such_object()));
    Ok(())
}

#[tokio::test]
async fn an_async_watch_misses_nothing_when_its_futures_are_dropped() -> Result<(), Error> {
    let manager = aio::Manager::start().await?;
    let list = manager.list::<u64>("list").await?;
    let mut watch = list.watch();
    let mut mine = Vec::new();
    for value in 0..20 {
        {
            let mut next = pin!(watch.next());
            let polled = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
            if let Poll::Ready(update) = polled {
                update.expect("never the end")?.apply_to(&mut mine);
            }
        }
        list.push(&value).await?;
    }
    while mine.len() < 20 {
        watch.next().await.expect("never the end")?.apply_to(&mut mine);
    }
    assert_eq!(mine, (0..20).collect::<Vec<_>>());
    drop(watch);
    let mut again = list.watch();
    let first = again.next().await.expect("never the end")?;
    assert!(matches!(first, ListUpdate::Snapshot { values, resync: false, .. } if values.len() == 20));
    Ok(())
}

#[test]
fn who_waits_for_a_change_misses_none() -> Result<(), Error> {
    let manager = Manager::start()?;
    let value = manager.value("value", &0_u64)?;
    let dict = manager.dict::<String, BTreeMap<String, u64>>("dict")?;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let versioned = value.versioned();
            let mut seen = versioned.get()?;
            while seen.value < 200 {
                seen = versioned.wait_for(Until::changed_since(seen.version))?;
            }
            Ok::<_, Error>(seen.value)
        });
        let deep = scope.spawn(|| dict.at("a").field("b").wait_for::<u64>(Until::at_least(&200)));
        for _ in 0..200 {
            value.add(1)?;
            dict.at("a").field("b").create().add(1_u64)?;
        }
        assert_eq!(waiting.join().unwrap()?, 200);
        assert_eq!(deep.join().unwrap()?, Some(200));
        Ok::<_, Error>(())
    })?;
    let late = dict.wait_for_timeout("a", Until::absent(), Duration::from_millis(10));
    assert!(late.is_err_and(|error| error.is_timeout()));
    dict.remove("a")?;
    assert_eq!(dict.wait_for("a", Until::absent())?, None);
    Ok(())
}

#[test]
fn paths_are_for_pipelines_and_transactions_too() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, BTreeMap<String, u64>>("dict")?;
    dict.set("a", &BTreeMap::new())?;
    let pipeline = manager.pipeline();
    let sum = dict.on(&pipeline).at("a").field("n").create().add(2_u64);
    let len = dict.on(&pipeline).at("a").len();
    pipeline.send()?;
    assert_eq!((sum.take()?, len.take()?), (2, 1));
    let doubled = manager.transact(|attempt| {
        let n = attempt.read(&dict).at("a").field("n").get::<u64>()?.unwrap_or(0);
        attempt.write(&dict).at("a").field("n").set(&(n * 2));
        Ok(n * 2)
    })?;
    assert_eq!((doubled, dict.get("a")?), (4, Some(BTreeMap::from([("n".to_owned(), 4)]))));
    let seen = dict.versioned().at("a").field("n").get::<u64>()?;
    assert_eq!((seen.value, seen.version), (Some(4), dict.version()?));
    assert!(dict.at("a").field("n").push(&1).is_err_and(|error| error.is_path_mismatch()));
    Ok(())
}

#[test]
fn entries_end_with_their_time_or_their_session() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, u64>("dict")?;
    assert!(dict.insert_with_ttl("ann", &1, Duration::ZERO).is_err_and(|error| error.is_invalid_argument()));
    assert!(dict.expire("ann", Duration::MAX).is_err_and(|error| error.is_invalid_argument()));
    dict.insert_with_ttl("ann", &1, Duration::from_millis(30))?;
    assert!(matches!(dict.ttl("ann")?, Some(Ttl::Left(_)) | None));
    assert_eq!(dict.wait_for("ann", Until::absent())?, None);

    let other = Manager::connect(manager.socket())?;
    other.dict::<String, u64>("dict")?.insert_for_session("bob", &2)?;
    assert_eq!((dict.get("bob")?, dict.ttl("bob")?), (Some(2), Some(Ttl::Endless)));
    drop(other);
    assert_eq!(dict.wait_for("bob", Until::absent())?, None);
    Ok(())
}
