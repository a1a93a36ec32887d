//! References, times to live, watches and waits that make no sense, or are for what is gone: each is refused in
//! words that say what was found, and changes nothing.

use std::thread;
use std::time::Duration;

use manager_client::{
    Error, Manager, ManagerDict, ManagerList, ManagerQueue, ManagerSet, ManagerValue, Reference, Result, Until,
};
use manager_tests::{TestServer, block_on, server};
use rmpv::Value as Data;

use crate::child::eventually;
use crate::refused::{MARKER, refused};

/// Something in each kind of object that can have values.
struct Table {
    manager: Manager,
    dict: ManagerDict<String, Data>,
    list: ManagerList<Data>,
    cell: ManagerValue<Data>,
    set: ManagerSet<String>,
    before: [u64; 4],
    server: TestServer,
}

impl Table {
    fn new() -> Self {
        let server = server();
        let manager = server.manager();
        let dict = manager.dict("dict").unwrap();
        dict.set(MARKER, &Data::from(MARKER)).unwrap();
        let list = manager.list("list").unwrap();
        list.push(&Data::from(MARKER)).unwrap();
        let cell = manager.value("cell", &Data::from(MARKER)).unwrap();
        let set = manager.set("set").unwrap();
        set.insert(MARKER).unwrap();
        let mut table = Self { manager, dict, list, cell, set, before: [0; 4], server };
        table.before = table.versions();
        table
    }

    fn versions(&self) -> [u64; 4] {
        let Self { dict, list, cell, set, .. } = self;
        [dict.version(), list.version(), cell.version(), set.version()].map(Result::unwrap)
    }

    /// A proxy of a list that was deleted.
    fn deleted(&self) -> ManagerList<Data> {
        let list = self.manager.list("deleted").unwrap();
        list.push(&Data::from(MARKER)).unwrap();
        assert!(self.manager.delete("deleted").unwrap());
        list
    }

    #[track_caller]
    fn is_unchanged(&self) {
        assert_eq!(self.versions(), self.before);
        assert_eq!(self.dict.items().unwrap(), [(MARKER.to_owned(), Data::from(MARKER))]);
        assert_eq!(self.list.values().unwrap(), [Data::from(MARKER)]);
        assert_eq!(self.cell.get().unwrap(), Data::from(MARKER));
        assert_eq!(self.set.values().unwrap(), [MARKER]);
    }
}

/// Stores a proxy in every way that there is.
fn stored<T>(table: &Table, proxy: &ManagerList<T>, is_so: fn(&Error) -> bool, said: &str) {
    let manager = &table.manager;
    let dict: ManagerDict<String, ManagerList<T>> = manager.dict("dict").unwrap();
    refused(dict.set("new", proxy), is_so, &["dict.set on \"dict\": ", said]);
    refused(dict.insert(MARKER, proxy), is_so, &["dict.insert on \"dict\": ", said]);
    refused(dict.get_or_insert(MARKER, proxy), is_so, &["dict.get_or_insert on \"dict\": ", said]);
    let minute = Duration::from_secs(60);
    refused(dict.insert_with_ttl("new", proxy, minute), is_so, &["dict.insert_with on \"dict\": ", said]);
    refused(dict.insert_for_session("new", proxy), is_so, &["dict.insert_with on \"dict\": ", said]);
    let entries = [("one".to_owned(), proxy), ("two".to_owned(), proxy)];
    refused(dict.insert_many(entries), is_so, &["dict.insert_many on \"dict\": ", said]);
    refused(dict.at(MARKER).set(proxy), is_so, &["path.set on \"dict\": ", said]);
    refused(dict.at("new").create().push(proxy), is_so, &["path.extend on \"dict\": ", said]);

    let list: ManagerList<ManagerList<T>> = manager.list("list").unwrap();
    refused(list.push(proxy), is_so, &["list.push on \"list\": ", said]);
    refused(list.set(0, proxy), is_so, &["list.set on \"list\": ", said]);
    refused(list.extend([proxy, proxy]), is_so, &["list.extend on \"list\": ", said]);
    let cell: ManagerValue<Vec<ManagerList<T>>> = manager.value("cell", &vec![]).unwrap();
    refused(cell.set([proxy.clone()].as_slice()), is_so, &["value.set on \"cell\": ", said]);

    let queue: ManagerQueue<ManagerList<T>> = manager.queue("queue").unwrap();
    refused(queue.put(proxy), is_so, &["queue.put on \"queue\": ", said]);
    assert_eq!(queue.len().unwrap(), 0);
    let (left, right) = manager.pipe::<ManagerList<T>, u64>("pipe").unwrap();
    refused(left.send(proxy), is_so, &["pipe.send on \"pipe\": ", said]);
    assert!(!right.poll(Duration::ZERO).unwrap());

    // One that is refused takes the others with it.
    let transaction = manager.transaction();
    let cleared = dict.on(&transaction).clear();
    let pushed = list.on(&transaction).push(proxy);
    refused(transaction.commit(), is_so, &["manager.transaction: ", said]);
    assert!(cleared.take().is_err() && pushed.take().is_err());
    table.is_unchanged();
}

#[test]
fn a_proxy_of_what_was_deleted_is_stored_nowhere() {
    let table = Table::new();
    let deleted = table.deleted();
    stored(&table, &deleted, Error::is_no_such_object, "which was deleted or never was");
}

#[test]
fn a_proxy_of_another_server_is_stored_nowhere() {
    let (table, other) = (Table::new(), server());
    let foreign = other.manager().list::<u64>("foreign").unwrap();
    stored(&table, &foreign, Error::is_foreign_reference, "an object of another server, or of an earlier run");
    let reference = foreign.reference();
    let said = ["manager.hold: ", "an object of another server, or of an earlier run of this one"];
    refused(table.manager.resolve::<ManagerList<u64>>(&reference), Error::is_foreign_reference, &said);
    assert_eq!(foreign.len().unwrap(), 0);
}

#[test]
fn what_was_deleted_cannot_be_used_by_a_stored_reference() {
    let table = Table::new();
    let dict: ManagerDict<String, ManagerList<Data>> = table.manager.dict("references").unwrap();
    let deleted: ManagerList<Data> = table.manager.list("deleted").unwrap();
    dict.set("one", &deleted).unwrap();
    let known = dict.get("one").unwrap().unwrap();
    assert!(table.manager.delete("deleted").unwrap());
    let reference = deleted.reference();
    for proxy in [known, dict.get("one").unwrap().unwrap(), deleted] {
        let gone: fn(&Error) -> bool = Error::is_no_such_object;
        refused(proxy.len(), gone, &["list.len on ", "was deleted"]);
        refused(proxy.push(&Data::from(MARKER)), gone, &["list.push on ", "was deleted"]);
        refused(proxy.at(0).get::<Data>(), gone, &["path.get on ", "was deleted"]);
        refused(proxy.watch().next().unwrap(), gone, &["watch.begin on ", "was deleted"]);
        refused(proxy.at(0).wait_for::<Data>(Until::exists()), gone, &["watch.wait_for on ", "was deleted"]);
    }
    let said = ["manager.hold: ", "was deleted"];
    refused(table.manager.resolve::<ManagerList<Data>>(&reference), Error::is_no_such_object, &said);
    // It is what is stored, and can be read and moved away.
    assert_eq!(dict.remove("one").unwrap().unwrap().reference(), reference);
    table.is_unchanged();
}

#[test]
fn a_reference_is_resolved_as_what_it_is_and_while_it_is() {
    let table = Table::new();
    let manager = &table.manager;
    let list = manager.new_list::<Data>().unwrap();
    let reference = list.reference();
    let said = ["manager.hold: ", "the reference is to a list, not to a dict"];
    refused(manager.resolve::<ManagerDict<u64, u64>>(&reference), Error::is_wrong_kind, &said);
    // One that claims to be to something else is found out by the server.
    let claimed: Reference = reference.to_string().replace("list:", "dict:").parse().unwrap();
    let said = ["manager.hold: ", "is a list, not a dict"];
    refused(manager.resolve::<ManagerDict<u64, u64>>(&claimed), Error::is_wrong_kind, &said);
    let claims = manager.list::<Reference>("list").unwrap();
    refused(claims.push(&claimed), Error::is_wrong_kind, &["list.push on \"list\": ", "is a list, not a dict"]);
    drop(list);
    eventually("the list goes", || manager.resolve::<ManagerList<Data>>(&reference).is_err().then_some(()));
    let said = ["manager.hold: ", "was deleted"];
    refused(manager.resolve::<ManagerList<Data>>(&reference), Error::is_no_such_object, &said);
    let said = ["list.push on \"list\": ", "which was deleted or never was"];
    refused(claims.push(&reference), Error::is_no_such_object, &said);
    let value = manager.dict::<String, ManagerQueue<Data>>("dict").unwrap();
    let said = ["dict.get on \"dict\": ", "what the server holds is not of the proxy's type"];
    refused(value.get(MARKER), Error::is_wrong_type, &said);
    for bad in ["", "list", "list:1:1", "list:0000000000000001:-1", "bag:0000000000000001:1", "list:000000000000000g:1"]
    {
        assert!(bad.parse::<Reference>().is_err_and(|error| error.is_invalid_argument()), "{bad:?}");
    }
    table.is_unchanged();
}

#[test]
fn a_reference_is_no_key_and_in_no_set() {
    let table = Table::new();
    let manager = &table.manager;
    let list = manager.new_list::<Data>().unwrap();
    let said = "a reference cannot be a key, nor be inside of one";
    let is_so: fn(&Error) -> bool = Error::is_invalid_argument;
    let dict: ManagerDict<Vec<ManagerList<Data>>, Data> = manager.dict("dict").unwrap();
    let (key, value) = (vec![list.clone()], Data::from(MARKER));
    refused(dict.set(&key, &value), is_so, &["dict.set on \"dict\": ", said]);
    refused(dict.get(&key), is_so, &["dict.get on \"dict\": ", said]);
    refused(dict.insert_many([(&key, &value)]), is_so, &["dict.insert_many on \"dict\": ", said]);
    refused(dict.insert_for_session(&key, &value), is_so, &["dict.insert_with on \"dict\": ", said]);
    refused(dict.expire(&key, Duration::from_secs(1)), is_so, &["dict.expire on \"dict\": ", said]);
    refused(dict.ttl(&key), is_so, &["dict.ttl on \"dict\": ", said]);
    refused(dict.at(&key).set(&value), is_so, &["path.set on \"dict\": ", said]);
    refused(dict.watch_key(&key).next().unwrap(), is_so, &["watch.begin on \"dict\": ", said]);
    refused(dict.wait_for(&key, Until::exists()), is_so, &["watch.wait_for on \"dict\": ", said]);
    let set: ManagerSet<ManagerList<Data>> = manager.set("set").unwrap();
    refused(set.insert(&list), is_so, &["set.add on \"set\": ", said]);
    refused(set.contains(&list), is_so, &["set.contains on \"set\": ", said]);
    refused(set.union_in_place([&list]), is_so, &["set.combine_in_place on \"set\": ", said]);

    let nan = manager.dict::<Data, Data>("dict").unwrap();
    let (key, said) = (Data::from(f64::NAN), "NaN cannot be a key, nor be inside of one");
    refused(
        nan.insert_with_ttl(&key, &value, Duration::from_secs(1)),
        is_so,
        &["dict.insert_with on \"dict\": ", said],
    );
    refused(nan.watch_key(&key).next().unwrap(), is_so, &["watch.begin on \"dict\": ", said]);
    refused(nan.wait_for(&key, Until::exists()), is_so, &["watch.wait_for on \"dict\": ", said]);
    table.is_unchanged();
}

#[test]
fn no_entry_lives_for_no_time_or_for_more_than_ten_years() {
    let Table { dict, .. } = &Table::new();
    let (version, value) = (dict.version().unwrap(), Data::from(MARKER));
    let ten_years = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    for ttl in [Duration::ZERO, 2 * ten_years, Duration::MAX] {
        let (is_so, said): (fn(&Error) -> bool, _) = (Error::is_invalid_argument, "a time to live is 1 to ");
        refused(
            dict.insert_with_ttl("new", &value, ttl),
            is_so,
            &["dict.insert_with on \"dict\": ", said, "ten years"],
        );
        refused(dict.insert_with_ttl(MARKER, &value, ttl), is_so, &["dict.insert_with on \"dict\": ", said]);
        refused(
            dict.insert_for_session_with_ttl(MARKER, &value, ttl),
            is_so,
            &["dict.insert_with on \"dict\": ", said],
        );
        refused(dict.expire(MARKER, ttl), is_so, &["dict.expire on \"dict\": ", said]);
        refused(dict.expire("new", ttl), is_so, &["dict.expire on \"dict\": ", said]);
    }
    assert_eq!((dict.version().unwrap(), dict.len().unwrap()), (version, 1));
    assert_eq!(dict.ttl(MARKER).unwrap(), Some(manager_client::Ttl::Endless));
    assert!(dict.expire(MARKER, ten_years).unwrap());
}

#[test]
fn watches_and_waits_end_when_what_they_are_of_is_deleted() {
    let table = Table::new();
    let (manager, server) = (&table.manager, &table.server);
    let asynchronous = block_on(server.aio());
    let open = || (manager.dict::<String, Data>("gone").unwrap(), manager.list::<Data>("gone too").unwrap());
    let (dict, list) = open();
    let cell = manager.value("gone as well", &Data::from(MARKER)).unwrap();
    let stream_of = block_on(asynchronous.dict::<String, Data>("gone")).unwrap();
    let gone: fn(&Error) -> bool = Error::is_no_such_object;
    thread::scope(|scope| {
        let both = scope.spawn(|| {
            let (mut watch, mut of_list) = (dict.watch(), list.watch());
            watch.next().unwrap().unwrap();
            of_list.next().unwrap().unwrap();
            refused(watch.next().unwrap(), gone, &["watch.changes on \"gone\": ", "was deleted"]);
            refused(of_list.next().unwrap(), gone, &["watch.changes on \"gone too\": ", "was deleted"]);
            assert!(watch.next().is_none() && of_list.next().is_none(), "that was the last item");
        });
        let key = scope.spawn(|| {
            let mut watch = dict.watch_key(MARKER);
            watch.next().unwrap().unwrap();
            refused(watch.next().unwrap(), gone, &["watch.changes on \"gone\": ", "was deleted"]);
        });
        let stream = scope.spawn(|| {
            let mut stream = stream_of.watch();
            block_on(stream.next()).unwrap().unwrap();
            refused(block_on(stream.next()).unwrap(), gone, &["watch.changes on \"gone\": ", "was deleted"]);
            assert!(block_on(stream.next()).is_none());
        });
        let waits = [
            scope.spawn(|| dict.wait_for(MARKER, Until::exists()).map(drop)),
            scope.spawn(|| dict.at(MARKER).field("x").wait_for(Until::equals(MARKER)).map(|_: Option<String>| ())),
            scope.spawn(|| list.at(0).wait_for(Until::exists()).map(|_: Option<Data>| ())),
            scope.spawn(|| cell.wait_for(Until::equals(&Data::Nil)).map(drop)),
            scope.spawn(|| block_on(stream_of.wait_for(MARKER, Until::exists())).map(drop)),
        ];
        eventually("all wait", || (server.census().waiting == 8).then_some(()));
        for name in ["gone", "gone too", "gone as well"] {
            assert!(manager.delete(name).unwrap());
        }
        for wait in waits {
            refused(wait.join().unwrap(), gone, &["watch.wait_for on \"gone", "was deleted"]);
        }
        for watch in [both, key, stream] {
            watch.join().unwrap();
        }
    });
    refused(dict.watch().next().unwrap(), gone, &["watch.begin on \"gone\": ", "was deleted"]);
    refused(dict.watch_key(MARKER).next().unwrap(), gone, &["watch.begin on \"gone\": ", "was deleted"]);
    refused(dict.wait_for(MARKER, Until::absent()), gone, &["watch.wait_for on \"gone\": ", "was deleted"]);
    refused(cell.wait_for(Until::exists()), gone, &["watch.wait_for on \"gone as well\": ", "was deleted"]);
    refused(block_on(stream_of.watch().next()).unwrap(), gone, &["watch.begin on \"gone\": ", "was deleted"]);
    // Another one of that name is another one.
    open().0.set(MARKER, &Data::from(MARKER)).unwrap();
    refused(dict.watch().next().unwrap(), gone, &["watch.begin on \"gone\": ", "was deleted"]);
    table.is_unchanged();
}

#[test]
fn what_is_told_is_of_the_types_or_an_error_that_holds_nothing_of_it() {
    let table = Table::new();
    let said = "what the server holds is not of the proxy's type";
    let wrong: fn(&Error) -> bool = Error::is_wrong_type;
    let dict = table.manager.dict::<String, u64>("dict").unwrap();
    refused(dict.watch().next().unwrap(), wrong, &["dict.items on \"dict\": ", said]);
    refused(dict.watch_key(MARKER).next().unwrap(), wrong, &["dict.get on \"dict\": ", said]);
    refused(dict.wait_for(MARKER, Until::exists()), wrong, &["watch.wait_for on \"dict\": ", said]);
    refused(dict.at(MARKER).get::<u64>(), wrong, &["path.get on \"dict\": ", said]);
    refused(dict.at(MARKER).wait_for::<bool>(Until::exists()), wrong, &["watch.wait_for on \"dict\": ", said]);
    let list = table.manager.list::<u64>("list").unwrap();
    refused(list.watch().next().unwrap(), wrong, &["list.values on \"list\": ", said]);
    refused(list.at(0).get::<Vec<u64>>(), wrong, &["path.get on \"list\": ", said]);
    // Where nothing is as wanted there is no error, but the time is over.
    let short = Duration::from_millis(5);
    let late = dict.at(MARKER).field("x").index(7).wait_for_timeout::<u64>(Until::exists(), short);
    refused(late, Error::is_timeout, &["watch.wait_for on \"dict\": ", "what was waited for did not come within 5ms"]);
    let late = list.at(99).wait_for_timeout::<u64>(Until::at_least(&1), short);
    refused(late, Error::is_timeout, &["watch.wait_for on \"list\": ", "did not come within 5ms"]);
    table.is_unchanged();
}
