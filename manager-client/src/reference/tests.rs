//! What holds do, and what becomes of references in values, over links and peers that do what they are told.

#[cfg(feature = "aio")]
mod aio;

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, Weak};

use manager_protocol::{
    Bin, FrameKind, Held, ObjectId, Operation, RequestHeader, decode_value, dict, encode_value, manager, write_control,
    write_error_reply, write_item,
};
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;

use super::*;
use crate::blocking::finish;
use crate::fake::{Fake, Peer, reply};
use crate::faults::{DRIVERS, Driver, LONG};
use crate::handle::Handle;
use crate::link::{DirectLink, Link, Target};
use crate::scripted::{Scripted, now};
use crate::{Manager, ManagerDict, ManagerList, ManagerQueue};

/// Notes what goes back.
#[derive(Debug, Default)]
struct Noted(Mutex<Vec<(u32, ObjectId, u64)>>);

impl Outlet for Noted {
    fn release(&self, generation: u32, object: ObjectId, times: u64) {
        self.0.lock().unwrap().push((generation, object, times));
    }
}

/// An outlet that is no more.
pub(crate) fn nowhere() -> Weak<dyn Outlet> {
    Weak::<Noted>::new()
}

fn holds(pid: u32) -> (Arc<Holds>, Arc<Noted>) {
    let noted = Arc::new(Noted::default());
    let outlet: Weak<Noted> = Arc::downgrade(&noted);
    (Arc::new(Holds::new(pid, outlet)), noted)
}

#[test]
fn holds_of_one_object_are_one_and_go_back_together() {
    let (holds, noted) = holds(std::process::id());
    let first = holds.take(0, &[7, 9, 7]);
    assert_eq!(first.len(), 2);
    let again = holds.take(0, &[7]);
    assert!(Arc::ptr_eq(&first[0], &again[0]));
    drop(first);
    assert_eq!(*noted.0.lock().unwrap(), [(0, 9, 1)]);
    drop(again);
    assert_eq!(*noted.0.lock().unwrap(), [(0, 9, 1), (0, 7, 3)]);
    drop(holds.take(0, &[7]));
    assert_eq!(noted.0.lock().unwrap().last(), Some(&(0, 7, 1)), "what was given back is not counted again");
}

#[test]
fn each_of_many_proxies_has_its_own_hold_in_whatever_order_they_are() {
    let (holds, noted) = holds(std::process::id());
    let link = Scripted::new();
    let origin = Origin::new(&holds, 0, &[9, 7, 8]);
    let proxy = |object| {
        let target = Target::unnamed(object, Kind::List, link.epoch()).held(origin.adopt(object));
        ManagerList::<u64, Scripted>::of(link.clone(), target)
    };
    let lists = [9, 7, 8].map(proxy);
    drop(origin);
    let kept = Kept::encode(&lists, &link).unwrap();
    drop(lists);
    let mut lists: Vec<ManagerList<u64, Scripted>> = kept.decode().unwrap();
    drop(kept);
    assert_eq!(*noted.0.lock().unwrap(), []);
    for object in [7, 9, 8] {
        lists.retain(|list| list.reference().object() != object);
        assert_eq!(noted.0.lock().unwrap().pop(), Some((0, object, 1)));
    }
}

#[test]
fn nothing_goes_back_after_the_end_of_the_session_or_a_fork() {
    let (ended, noted) = holds(std::process::id());
    let before = ended.take(0, &[7]);
    ended.expire(1);
    assert!(ended.take(0, &[8]).is_empty(), "the answer of a session that has ended");
    let after = ended.take(1, &[7]);
    drop(before);
    assert_eq!(*noted.0.lock().unwrap(), []);
    drop(after);
    assert_eq!(*noted.0.lock().unwrap(), [(1, 7, 1)]);

    let (parents, noted) = holds(std::process::id() + 1);
    drop(parents.take(0, &[7]));
    assert_eq!(*noted.0.lock().unwrap(), []);
}

#[test]
fn a_reference_travels_as_text() {
    let reference = Reference::new(Kind::Semaphore, 0xf1, u64::MAX);
    assert_eq!(reference.to_string(), "semaphore:00000000000000f1:18446744073709551615");
    assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
    for text in
        ["", "list", "list:1:7", "tree:0000000000000001:7", "list:0000000000000001:-7", "list:000000000000000G:7"]
    {
        assert!(text.parse::<Reference>().is_err_and(|error| error.is_invalid_argument()), "{text}");
    }
    let encoded = encode_value(&reference).unwrap();
    assert_eq!(manager_protocol::references(&encoded).len(), 1, "the server finds it");
    assert_eq!(decode_value::<Reference>(&encoded).unwrap(), reference);
}

/// The dict number 1 of a server, not opened.
fn lists<V, L: Link>(link: &L) -> ManagerDict<String, V, L> {
    ManagerDict::new(Handle { link: link.clone(), target: Target::new(1, Some("lists".into()), link.epoch()) })
}

fn list(object: ObjectId) -> Reference {
    Reference::new(Kind::List, 1, object)
}

/// What a `dict.get` is answered with.
fn found(value: &impl Serialize) -> Vec<u8> {
    let mut result = Vec::new();
    write_item(&mut result, &Some(Bin(encode_value(value).unwrap().into())));
    result
}

#[test]
fn a_reference_that_makes_no_proxy_says_why() {
    let link = Scripted::new();
    let answer = |value: Reference| link.answer(&Some(Bin(encode_value(&value).unwrap().into())));
    answer(list(7));
    assert_eq!(now(lists::<ManagerList<u64, Scripted>, _>(&link).get("ann")).unwrap().unwrap().reference(), list(7));
    answer(list(7));
    let error = now(lists::<ManagerQueue<u64, Scripted>, _>(&link).get("ann")).unwrap_err();
    assert!(error.is_wrong_type() && error.to_string().contains("a reference to a list, not to a queue"), "{error}");
    answer(Reference::new(Kind::List, 2, 7));
    let error = now(lists::<ManagerList<u64, Scripted>, _>(&link).get("ann")).unwrap_err();
    assert!(error.is_foreign_reference(), "{error}");
    answer(list(7));
    let error = now(lists::<ManagerList<u64>, _>(&link).get("ann")).unwrap_err();
    assert!(error.is_wrong_type() && error.to_string().contains("link"), "{error}");
    let text: StrDeserializer<'_, de::value::Error> = "list:0000000000000001:7".into_deserializer();
    let outside = ManagerList::<u64>::deserialize(text).unwrap_err().to_string();
    assert!(outside.contains("decode a `Reference`"), "{outside}");
}

/// A frame that tells what is held by the answer to a request.
fn held(id: u64, objects: &[ObjectId]) -> Vec<u8> {
    let mut out = Vec::new();
    write_control(&mut out, FrameKind::Held, &Held { id, objects: objects.to_vec() });
    out
}

/// What went back: the request's id, and what it released.
type Released = (u64, Vec<(ObjectId, u64)>);

/// Answers requests, those that release by noting them.
fn serve(peer: &mut Peer, released: &Sender<Released>, mut answer: impl FnMut(&mut Peer, &RequestHeader<'_>) -> bool) {
    while let Some((kind, body)) = peer.message() {
        if kind != FrameKind::Request {
            continue;
        }
        let request = RequestHeader::parse(&body).unwrap();
        if request.operation == manager::Release::ROW.number {
            let (objects,) = decode_value::<(Vec<(ObjectId, u64)>,)>(request.arguments).unwrap();
            peer.send(&reply(request.id, &[0xc0]));
            released.send((request.id, objects)).unwrap();
        } else if !answer(peer, &request) {
            return;
        }
    }
}

/// A server that answers each request in the same way.
fn answering(answer: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static) -> (Fake, Receiver<Released>) {
    let (sender, released) = mpsc::channel();
    let fake = Fake::start_parallel(move |_, mut peer| {
        peer.greet(1);
        serve(&mut peer, &sender.clone(), |peer, request| {
            peer.send(&answer(request.id));
            true
        });
    });
    (fake, released)
}

/// So many releases, counted by object.
fn sum(released: &Receiver<Released>, times: u64) -> BTreeMap<ObjectId, u64> {
    let mut sum = BTreeMap::new();
    while sum.values().sum::<u64>() < times {
        for (object, times) in released.recv_timeout(LONG).unwrap().1 {
            *sum.entry(object).or_default() += times;
        }
    }
    sum
}

/// Runs the same work over the link of a driver.
macro_rules! drive {
    ($driver:expr, $fake:expr, $work:ident($($argument:expr),*)) => {
        match $driver {
            Driver::Blocking => finish($work(Manager::connect($fake.path()).unwrap(), $($argument),*)),
            #[cfg(feature = "aio")]
            Driver::Async => {
                // The task must run while the work waits for the server.
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
                runtime.block_on(async {
                    let manager = crate::aio::Manager::connect($fake.path()).await.unwrap();
                    $work(Manager::from(manager), $($argument),*).await
                })
            }
        }
    };
}

#[test]
fn what_is_told_before_a_reply_goes_back_with_the_last_proxy() {
    async fn work<L: DirectLink>(manager: Manager<L>, released: &Receiver<Released>) {
        let dict = lists::<Vec<ManagerList<u64, L>>, L>(manager.link());
        let found = L::future(dict.get("ann")).await.unwrap().unwrap();
        let kept = found[1].clone();
        drop(found);
        assert_eq!(sum(released, 1), [(9, 1)].into());
        // Joins the living one.
        for _ in 0..10 {
            L::future(dict.get("ann")).await.unwrap().unwrap().truncate(1);
            assert_eq!(sum(released, 1), [(9, 1)].into());
        }
        drop(kept);
        assert_eq!(sum(released, 22), [(7, 22)].into());
    }
    for &driver in DRIVERS {
        let (fake, released) = answering(|id| {
            let told = [held(id, &[7]), held(id, &[7, 9])].concat();
            [told, reply(id, &found(&[list(7), list(7), list(9)]))].concat()
        });
        drive!(driver, fake, work(&released));
    }
}

#[test]
fn what_no_proxy_took_goes_back_at_once() {
    async fn work<L: DirectLink>(manager: Manager<L>, released: &Receiver<Released>) {
        L::future(lists::<Reference, L>(manager.link()).get("ann")).await.unwrap();
        assert_eq!(sum(released, 1), [(7, 1)].into());
        L::future(lists::<ManagerQueue<u64, L>, L>(manager.link()).get("ann")).await.unwrap_err();
        assert_eq!(sum(released, 1), [(7, 1)].into());
        L::future(lists::<u64, L>(manager.link()).version()).await.unwrap();
        assert_eq!(sum(released, 1), [(7, 1)].into());
    }
    for &driver in DRIVERS {
        let (fake, released) = answering(|id| [held(id, &[7]), reply(id, &found(&list(7)))].concat());
        drive!(driver, fake, work(&released));
    }
}

#[test]
fn what_is_told_before_a_refusal_goes_back() {
    async fn work<L: DirectLink>(manager: Manager<L>, released: &Receiver<Released>) {
        L::future(lists::<ManagerList<u64, L>, L>(manager.link()).get("ann")).await.unwrap_err();
        assert_eq!(sum(released, 1), [(7, 1)].into());
    }
    for &driver in DRIVERS {
        let (fake, released) = answering(|id| {
            let mut out = held(id, &[7]);
            write_error_reply(&mut out, id, &manager_protocol::Error::new(Code::Cancelled, "cancelled"));
            out
        });
        drive!(driver, fake, work(&released));
    }
}

#[test]
fn each_promise_of_a_batch_has_its_own() {
    async fn work<L: DirectLink>(manager: Manager<L>, released: &Receiver<Released>) {
        let dict = lists::<ManagerList<u64, L>, L>(manager.link());
        let pipeline = manager.pipeline();
        let [one, other] = [(); 2].map(|()| dict.on(&pipeline).get("ann"));
        L::future(pipeline.send()).await.unwrap();
        drop(pipeline);
        let one = one.take().unwrap().unwrap();
        drop(other);
        drop(one);
        let sum = sum(released, 2);
        assert_eq!(sum.values().copied().collect::<Vec<_>>(), [1, 1]);
    }
    for &driver in DRIVERS {
        let (fake, released) = answering(|id| [held(id, &[id]), reply(id, &found(&list(id)))].concat());
        drive!(driver, fake, work(&released));
    }
}

/// A server whose first connection ends after what is held was told, and before the reply.
fn cut() -> (Fake, Receiver<Released>) {
    let (sender, released) = mpsc::channel();
    let fake = Fake::start(move |index, mut peer| {
        peer.greet(1);
        serve(&mut peer, &sender, |peer, request| {
            peer.send(&held(request.id, &[7]));
            if index > 0 {
                peer.send(&reply(request.id, &found(&list(7))));
            }
            index > 0
        });
    });
    (fake, released)
}

#[test]
fn a_read_that_was_sent_again_holds_once_for_each_answer() {
    async fn work<L: DirectLink>(manager: Manager<L>, released: &Receiver<Released>) {
        let dict = lists::<ManagerList<u64, L>, L>(manager.link());
        let list = L::future(dict.get("ann")).await.unwrap().unwrap();
        assert_eq!(sum(released, 1), [(7, 1)].into(), "that of the answer that was lost");
        drop(list);
        assert_eq!(sum(released, 1), [(7, 1)].into());
    }
    for &driver in DRIVERS {
        let (fake, released) = cut();
        drive!(driver, fake, work(&released));
    }
}

#[test]
fn a_change_that_was_sent_again_holds_once() {
    async fn work<L: DirectLink>(manager: Manager<L>, released: &Receiver<Released>) {
        let dict = lists::<ManagerList<u64, L>, L>(manager.link());
        drop(L::future(dict.remove("ann")).await.unwrap().unwrap());
        assert_eq!(sum(released, 1), [(7, 1)].into());
        // Behind it nothing more went back.
        L::future(dict.remove("ann")).await.unwrap().unwrap();
        assert_eq!(sum(released, 1), [(7, 1)].into());
        assert!(released.try_recv().is_err());
    }
    for &driver in DRIVERS {
        let (fake, released) = cut();
        drive!(driver, fake, work(&released));
    }
}

#[test]
fn a_release_whose_answer_was_lost_is_sent_again_under_its_id() {
    async fn work<L: DirectLink>(manager: Manager<L>, released: &Receiver<Released>) {
        let dict = lists::<ManagerList<u64, L>, L>(manager.link());
        drop(L::future(dict.get("ann")).await.unwrap().unwrap());
        let first = released.recv_timeout(LONG).unwrap();
        let second = L::future(dict.get("ann")).await.unwrap().unwrap();
        assert_eq!(released.recv_timeout(LONG).unwrap(), first);
        drop(second);
        let last = released.recv_timeout(LONG).unwrap();
        assert_eq!((last.0 > first.0, last.1), (true, vec![(7, 1)]));
    }
    for &driver in DRIVERS {
        let (sender, released) = mpsc::channel();
        let fake = Fake::start(move |index, mut peer| {
            peer.greet(1);
            let sender = sender.clone();
            while let Some((kind, body)) = peer.message() {
                if kind != FrameKind::Request {
                    continue;
                }
                let request = RequestHeader::parse(&body).unwrap();
                if request.operation == dict::Get::ROW.number {
                    peer.send(&[held(request.id, &[7]), reply(request.id, &found(&list(7)))].concat());
                    continue;
                }
                let (objects,) = decode_value::<(Vec<(ObjectId, u64)>,)>(request.arguments).unwrap();
                if index > 0 {
                    peer.send(&reply(request.id, &[0xc0]));
                }
                sender.send((request.id, objects)).unwrap();
                if index == 0 {
                    break;
                }
            }
        });
        drive!(driver, fake, work(&released));
    }
}

#[test]
fn nothing_is_released_in_the_next_session() {
    async fn work<L: DirectLink>(manager: Manager<L>, released: &Receiver<Released>) {
        let dict = lists::<ManagerList<u64, L>, L>(manager.link());
        let old = L::future(dict.get("ann")).await.unwrap().unwrap();
        // Finds out that the session has ended.
        let new = L::future(dict.get("ann")).await.unwrap().unwrap();
        drop(old);
        drop(new);
        assert_eq!(released.recv_timeout(LONG).unwrap().1, [(7, 1)]);
        L::future(dict.len()).await.unwrap();
        assert!(released.try_recv().is_err());
    }
    for &driver in DRIVERS {
        let (sender, released) = mpsc::channel();
        let fake = Fake::start(move |index, mut peer| {
            let answer = |peer: &mut Peer, id| {
                peer.send(&[held(id, &[7]), reply(id, &found(&list(7)))].concat());
            };
            match index {
                0 => {
                    peer.greet(1);
                    let id = peer.request().unwrap();
                    answer(&mut peer, id);
                    peer.request();
                }
                1 => {
                    peer.hello();
                    peer.goodbye(Code::SessionExpired);
                }
                _ => {
                    peer.welcome(1, 2);
                    serve(&mut peer, &sender, |peer, request| {
                        if request.operation == dict::Get::ROW.number {
                            answer(peer, request.id);
                        } else {
                            peer.send(&reply(request.id, &[3]));
                        }
                        true
                    });
                }
            }
        });
        drive!(driver, fake, work(&released));
    }
}

#[test]
fn many_drops_wait_for_no_answer() {
    async fn work<L: DirectLink>(manager: Manager<L>, released: &Receiver<u64>) {
        let dict = lists::<Vec<ManagerList<u64, L>>, L>(manager.link());
        let lists = L::future(dict.get("ann")).await.unwrap().unwrap();
        assert_eq!(lists.len(), 1000);
        drop(lists);
        assert!(released.recv_timeout(LONG).is_ok());
        // It takes the answers that were not waited for, whenever they come.
        L::future(dict.get("bob")).await.unwrap().unwrap();
    }
    for &driver in DRIVERS {
        let (sender, released) = mpsc::channel();
        let fake = Fake::start(move |_, mut peer| {
            peer.greet(1);
            let (mut gets, mut releases) = (0, Vec::new());
            while let Some(id) = peer.message().and_then(|(kind, body)| {
                (kind == FrameKind::Request).then(|| RequestHeader::parse(&body).map(|head| (head.id, head.operation)))
            }) {
                let (id, operation) = id.unwrap();
                if operation == manager::Release::ROW.number {
                    releases.push(id);
                    sender.send(id).unwrap();
                    continue;
                }
                gets += 1;
                for id in releases.drain(..) {
                    peer.send(&reply(id, &[0xc0]));
                }
                let objects: Vec<ObjectId> = if gets == 1 { (1..=1000).collect() } else { vec![1] };
                let references: Vec<Reference> = objects.iter().copied().map(list).collect();
                peer.send(&[held(id, &objects), reply(id, &found(&references))].concat());
            }
        });
        drive!(driver, fake, work(&released));
    }
}
