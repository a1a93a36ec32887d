//! References against a real server: proxies in values of every kind of object, and when objects go.

#![cfg(all(feature = "aio", feature = "embedded"))]

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use manager_client::{
    DictChange, DictUpdate, Error, Kind, Manager, ManagerArray, ManagerDict, ManagerList, ManagerQueue, ManagerValue,
    PipeTicket, Reference, aio,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    number: u64,
    items: ManagerList<String>,
    more: Option<Box<Self>>,
    by_day: Vec<ManagerDict<String, u64>>,
    state: State,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum State {
    Open,
    Waiting(ManagerQueue<u64>),
    Done { log: ManagerList<String> },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Dict { dict: ManagerDict<String, u64> },
    List(ManagerList<u64>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Lists { one: ManagerList<u64>, all: Vec<ManagerList<u64>> },
}

#[derive(Debug, Serialize, Deserialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, ManagerList<u64>>,
}

fn order(manager: &Manager, number: u64) -> Result<Order, Error> {
    let by_day = vec![manager.new_dict()?, manager.new_dict()?];
    Ok(Order { number, items: manager.new_list()?, more: None, by_day, state: State::Open })
}

/// Whether the object is there still.
fn is_there(manager: &Manager, reference: Reference) -> bool {
    match manager.resolve::<ManagerList<u64>>(&reference) {
        Ok(_) => true,
        Err(error) => {
            assert!(error.is_no_such_object(), "{error}");
            false
        }
    }
}

#[test]
fn a_proxy_comes_back_live_from_every_kind_of_object() -> Result<(), Error> {
    let manager = Manager::start()?;
    let list = manager.new_list::<u64>()?;
    assert_eq!(list.name(), None);

    let dict = manager.dict::<String, ManagerList<u64>>("dict")?;
    dict.set("ann", &list)?;
    dict.get("ann")?.expect("it was set").push(&1)?;
    for entry in dict.iter() {
        entry?.1.push(&2)?;
    }
    dict.items()?[0].1.push(&3)?;
    assert_eq!(dict.versioned().get("ann")?.value.expect("it was set").len()?, 3);
    dict.update_with("ann", |old| old)?.expect("it was set").push(&4)?;
    let other = manager.new_list::<u64>()?;
    dict.update_with("ann", |_| manager.new_list::<u64>().ok())?.expect("a new one").push(&7)?;
    assert_eq!(dict.get("ann")?.expect("it was set").values()?, [7]);
    dict.set("ann", &list)?;
    dict.retain(|_, list| list.len().is_ok_and(|len| len == 4))?;
    assert_eq!(dict.len()?, 1);

    let lists = manager.list::<ManagerList<u64>>("lists")?;
    lists.extend([&list, &other])?;
    lists.get(0)?.push(&5)?;
    lists.sort_by_key(|list| list.len().unwrap_or(0))?;
    assert_eq!(lists.get(0)?.reference(), other.reference());
    assert_eq!(lists.iter().count(), 2);

    let queue = manager.queue::<ManagerList<u64>>("queue")?;
    queue.put(&list)?;
    queue.put(&list)?;
    let lease = queue.reserve()?;
    lease.push(&6)?;
    lease.ack()?;
    assert_eq!(queue.get()?.len()?, 6);

    let (left, right) = manager.pipe::<ManagerList<u64>, u64>("pipe")?;
    left.send(&list)?;
    assert_eq!(right.recv()?.len()?, 6);

    let value: ManagerValue<Option<ManagerList<u64>>> = manager.value("value", &Some(list.clone()))?;
    assert_eq!(value.get()?.expect("some").len()?, 6);
    let array: ManagerArray<ManagerList<u64>> = manager.array("array", [list.clone(), list.clone()])?;
    assert_eq!(array.get(1)?.len()?, 6);
    assert!(list.values()?.iter().copied().eq(1..=6));
    Ok(())
}

#[test]
fn a_proxy_keeps_the_time_that_a_call_may_take() -> Result<(), Error> {
    let manager = Manager::start()?;
    let queue = manager.queue::<ManagerQueue<u64>>("queue")?.with_timeout(Duration::from_millis(20));
    queue.put(&manager.new_queue()?)?;
    let inner = queue.get_timeout(Duration::MAX)?;
    // With the time of the wait it would never be over.
    assert!(inner.get().is_err_and(|error| error.is_empty()));
    Ok(())
}

#[test]
fn proxies_can_be_anywhere_in_a_value() -> Result<(), Error> {
    let manager = Manager::start()?;
    let orders = manager.dict::<String, Order>("orders")?;
    let inner = order(&manager, 2)?;
    let mut outer = order(&manager, 1)?;
    outer.more = Some(Box::new(Order { state: State::Waiting(manager.new_queue()?), ..inner }));
    outer.state = State::Done { log: manager.new_list()? };
    orders.set("ann", &outer)?;
    drop(outer);

    let found = orders.get("ann")?.expect("it was set");
    found.items.push("wash")?;
    found.by_day[1].set("monday", &3)?;
    let State::Done { log } = &found.state else { panic!("another state") };
    log.push("begun")?;
    let more = found.more.expect("it has one");
    let State::Waiting(queue) = &more.state else { panic!("another state") };
    queue.put(&5)?;

    let again = orders.get("ann")?.expect("it was set");
    assert_eq!((again.items.values()?, again.by_day[1].get("monday")?), (vec!["wash".to_owned()], Some(3)));
    Ok(())
}

#[test]
fn proxies_survive_the_buffers_of_serde() -> Result<(), Error> {
    let manager = Manager::start()?;
    let list = manager.new_list::<u64>()?;
    let untagged = manager.list::<Untagged>("untagged")?;
    untagged.push(&Untagged::List(list.clone()))?;
    untagged.push(&Untagged::Dict { dict: manager.new_dict()? })?;
    untagged.push(&Untagged::Number(3))?;
    let found = untagged.values()?;
    let (Untagged::List(one), Untagged::Dict { dict }, Untagged::Number(3)) = (&found[0], &found[1], &found[2]) else {
        panic!("{found:?}")
    };
    one.push(&1)?;
    dict.set("ann", &1)?;

    let tagged = manager.value("tagged", &Tagged::Lists { one: list.clone(), all: vec![list.clone()] })?;
    let Tagged::Lists { one, all } = tagged.get()?;
    one.push(&2)?;
    all[0].push(&3)?;

    let flat = Flat { name: "flat".into(), rest: [("list".to_owned(), list.clone())].into() };
    let flat = manager.value("flat", &flat)?.get()?;
    flat.rest["list"].push(&4)?;
    assert_eq!((flat.name.as_str(), list.values()?), ("flat", vec![1, 2, 3, 4]));
    Ok(())
}

#[test]
fn pipelines_transactions_and_attempts_carry_proxies() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, ManagerList<u64>>("dict")?;
    let pipeline = manager.pipeline();
    // Nothing else keeps the new list until the pipeline was sent.
    let _ = dict.on(&pipeline).set("ann", &manager.new_list()?);
    let found = dict.on(&pipeline).get("ann");
    pipeline.send()?;
    drop(pipeline);
    dict.clear()?;
    let list = found.take()?.expect("it was set");
    list.push(&1)?;

    let transaction = manager.transaction();
    let _ = dict.on(&transaction).set("bob", &manager.new_list()?);
    let _ = dict.on(&transaction).set("ann", &list);
    let found = dict.on(&transaction).remove("bob");
    transaction.commit()?;
    found.take()?.expect("it was set").push(&2)?;

    let len = manager.transact(|attempt| {
        let list = attempt.read(&dict).get("ann")?.expect("it was set");
        attempt.write(&dict).set("carl", &list);
        list.len()
    })?;
    assert_eq!(len, 1);
    assert_eq!(dict.get("carl")?.expect("it was set").values()?, [1]);
    Ok(())
}

#[test]
fn an_object_goes_with_its_last_proxy() -> Result<(), Error> {
    let manager = Manager::start()?;
    let list = manager.new_list::<u64>()?;
    let reference = list.reference();
    let clone = list.clone();
    drop(list);
    assert!(is_there(&manager, reference));
    let dict = manager.dict::<String, ManagerList<u64>>("dict")?;
    dict.set("ann", &clone)?;
    drop(clone);
    assert!(is_there(&manager, reference));
    let found: Vec<_> = (0..100).map(|_| dict.get("ann")).collect::<Result<_, _>>()?;
    dict.clear()?;
    assert!(is_there(&manager, reference));
    drop(found);
    assert!(!is_there(&manager, reference));
    let values = (0..1000).map(|_| manager.new_list::<u64>()).collect::<Result<Vec<_>, _>>()?;
    let references: Vec<_> = values.iter().map(ManagerList::reference).collect();
    drop(values);
    assert!(!references.iter().any(|reference| is_there(&manager, *reference)));
    Ok(())
}

#[test]
fn what_is_read_and_not_made_a_proxy_of_is_not_held() -> Result<(), Error> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, ManagerList<u64>>("dict")?;
    dict.set("ann", &manager.new_list()?)?;
    let references = manager.dict::<String, Reference>("dict")?;
    let reference = references.get("ann")?.expect("it was set");
    assert_eq!(reference.kind(), Kind::List);
    let wrong = manager.dict::<String, ManagerQueue<u64>>("dict")?.get("ann").unwrap_err();
    assert!(wrong.is_wrong_type(), "{wrong}");
    assert!(wrong.to_string().contains("a reference to a list, not to a queue"), "{wrong}");
    dict.clear()?;
    assert!(!is_there(&manager, reference));
    Ok(())
}

#[test]
fn an_error_names_an_object_without_a_name_by_its_number() -> Result<(), Error> {
    let manager = Manager::start()?;
    let list = manager.new_list::<u64>()?;
    let error = list.get(3).unwrap_err().to_string();
    let number = list.reference().to_string();
    let number = number.rsplit(':').next().expect("it has a number");
    assert!(error.starts_with(&format!("list.get on list {number}: ")), "{error}");
    assert_eq!(error.matches(number).count(), 1, "{error}");
    Ok(())
}

#[test]
fn a_proxy_of_another_server_is_refused() -> Result<(), Error> {
    let (one, other) = (Manager::start()?, Manager::start()?);
    let dict = one.dict::<String, ManagerList<u64>>("dict")?;
    let foreign = other.new_list::<u64>()?;
    assert!(dict.set("ann", &foreign).is_err_and(|error| error.is_foreign_reference()));
    let resolved = one.resolve::<ManagerList<u64>>(&foreign.reference());
    assert!(resolved.is_err_and(|error| error.is_foreign_reference()));
    Ok(())
}

#[tokio::test]
async fn async_proxies_come_back_live() -> Result<(), Error> {
    let manager = aio::Manager::start().await?;
    let dict = manager.dict::<String, aio::ManagerList<u64>>("dict").await?;
    let list = manager.new_list::<u64>().await?;
    let setting = dict.set("ann", &list);
    // The call keeps what it refers to.
    drop(list);
    setting.await?;
    let list = dict.get("ann").await?.expect("it was set");
    list.push(&1).await?;
    let mut entries = dict.iter();
    while let Some(entry) = entries.next().await {
        entry?.1.push(&2).await?;
    }
    let pipeline = manager.pipeline();
    let found = dict.on(&pipeline).get("ann");
    pipeline.send().await?;
    assert_eq!(found.take()?.expect("it was set").values().await?, [1, 2]);
    let queue = manager.queue::<aio::ManagerList<u64>>("queue").await?;
    queue.put(&list).await?;
    let lease = queue.reserve().await?;
    assert_eq!(lease.len().await?, 2);
    lease.ack().await?;

    let reference = list.reference();
    dict.clear().await?;
    manager.resolve::<aio::ManagerList<u64>>(&reference).await?;
    drop(list);
    let gone = manager.resolve::<aio::ManagerList<u64>>(&reference).await;
    assert!(gone.is_err_and(|error| error.is_no_such_object()));
    Ok(())
}

/// Polls a future once, and lets others run a few times before it is dropped.
async fn drop_after(turns: usize, mut future: impl Future + Unpin) {
    let _ = poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context).is_ready())).await;
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_dropped_calls_made_or_held_goes() -> Result<(), Error> {
    let manager = aio::Manager::start().await?;
    let kept = manager.new_list::<u64>().await?;
    for index in 0..1000 {
        drop_after(index % 7, manager.new_list::<u64>()).await;
        drop_after(index % 5, manager.resolve::<aio::ManagerList<u64>>(&kept.reference())).await;
    }
    let last = manager.new_list::<u64>().await?;
    let [first, last] = [&kept, &last].map(|list| list.reference().to_string());
    let (server, first) = first.rsplit_once(':').expect("it has a number");
    let (_, last) = last.rsplit_once(':').expect("it has a number");
    let [first, last] = [first, last].map(|number| number.parse::<u64>().expect("it is a number"));
    assert!(last > first + 100, "some were made");
    drop(kept);
    let all_gone = async {
        for number in first..last {
            let reference = format!("{server}:{number}").parse()?;
            // Each call lets what is given back go first.
            while !manager.resolve::<aio::ManagerList<u64>>(&reference).await.is_err_and(|e| e.is_no_such_object()) {}
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), all_gone).await.expect("all go")
}

#[test]
fn paths_and_watches_carry_proxies() -> Result<(), Error> {
    let manager = Manager::start()?;
    let orders = manager.dict::<String, BTreeMap<String, ManagerList<u64>>>("orders")?;
    orders.set("ann", &BTreeMap::new())?;
    let mut watch = orders.watch();
    assert!(matches!(watch.next(), Some(Ok(DictUpdate::Snapshot { .. }))));
    orders.at("ann").field("open").set(&manager.new_list::<u64>()?)?;
    let list = orders.at("ann").field("open").get::<ManagerList<u64>>()?.expect("it was set");
    list.push(&1)?;
    let Some(Ok(DictUpdate::Changes(changes))) = watch.next() else { panic!("no changes") };
    let DictChange::Set { value, .. } = &changes[0] else { panic!("another change") };
    value["open"].push(&2)?;
    assert_eq!(list.values()?, [1, 2]);
    Ok(())
}

#[test]
fn a_pipe_without_a_name_lives_by_its_ends_and_tickets() -> Result<(), Error> {
    let manager = Manager::start()?;
    let tickets = manager.dict::<String, PipeTicket>("tickets")?;
    let (caller, callee) = manager.new_pipe::<String, u64>()?;
    assert_eq!(caller.name(), None);
    caller.send("wash")?;
    let ticket = callee.hand_over()?;
    tickets.set("ann", &ticket)?;
    drop((caller, ticket));
    let ticket = tickets.remove("ann")?.expect("it was set");
    let callee = manager.pipe_end::<u64, String>(&ticket)?;
    assert_eq!(callee.recv()?, "wash");
    assert!(callee.recv().is_err_and(|error| error.is_closed()));
    let text = callee.hand_over()?.to_string();
    drop(ticket);
    let gone = manager.pipe_end::<u64, String>(&text.parse()?);
    assert!(gone.is_err_and(|error| error.is_no_such_object()));
    Ok(())
}
