//! Objects without names: given away, let go of, and looked for as garbage at the same time.

use manager_protocol::{Code, Encoded, Kind, Many, Reference, dict, encode_value, list, manager};
use manager_server::core::{Client, Time};

use super::desk::{Answer, Desk, at_once, explore};
use super::wire::decode;

const NO_SUCH: Answer = Err(Code::NoSuchObject);

/// A new list without a name, which the client's session holds.
fn new_list(desk: &Desk, client: &Client, id: u64) -> u64 {
    let answer = desk.ask(client, id, 0, manager::Open { name: None, kind: Kind::List });
    decode(&answer.unwrap().unwrap())
}

fn reference(desk: &Desk, object: u64) -> Vec<u8> {
    encode_value(&Reference { kind: Kind::List, epoch: desk.0.epoch(), object }).unwrap()
}

fn push(desk: &Desk, client: &Client, id: u64, list: u64, target: u64) -> Answer {
    let value = reference(desk, target);
    desk.ask(client, id, list, list::Push { value: (&value).into() }).unwrap()
}

fn release(desk: &Desk, client: &Client, id: u64, object: u64) {
    let objects = Many::new([(object, 1)].into_iter());
    desk.ask(client, id, 0, manager::Release { objects }).unwrap().unwrap();
}

fn tidy(desk: &Desk) {
    desk.0.bury(Time::ZERO);
    desk.0.break_circles();
    desk.0.bury(Time::ZERO);
}

/// Whether an object lives.
fn lives(desk: &Desk, client: &Client, id: u64, object: u64) -> bool {
    desk.ask(client, id, object, list::Len {}).unwrap() != NO_SUCH
}

/// All sessions end: everything without a name must be gone after that.
fn close<const N: usize>(desk: &Desk, clients: [&Client; N], named: usize) {
    desk.close(clients);
    tidy(desk);
    assert_eq!(desk.0.census().objects, named);
}

#[test]
fn what_is_taken_out_of_a_circle_lives_on_with_all_that_it_refers_to() {
    explore(|| {
        let desk = Desk::new();
        let dict = desk.open("dict", Kind::Dict);
        let [maker, taker] = desk.clients();
        let (first, second) = (new_list(&desk, &maker, 0), new_list(&desk, &maker, 1));
        push(&desk, &maker, 2, first, second).unwrap();
        push(&desk, &maker, 3, second, first).unwrap();
        let (key, value) = (encode_value("key").unwrap(), reference(&desk, first));
        let set = dict::Set { key: Encoded::from(&key[..]), value: (&value).into() };
        desk.ask(&maker, 4, dict, set).unwrap().unwrap();
        desk.abandon(&maker);
        let (taking, tidying, client) = (desk.clone(), desk.clone(), taker.clone());
        at_once([
            Box::new(move || {
                let taken = taking.ask(&client, 0, dict, dict::Remove { key: Encoded::from(&key[..]) });
                assert!(matches!(taken, Some(Ok(_))));
                // What it is told that it holds it can use.
                assert!(taking.ask(&client, 1, first, list::Get { index: 0 }).unwrap().is_ok());
                assert_eq!(taking.get::<_, u64>(&client, 2, second, list::Len {}), 1);
            }),
            Box::new(move || tidy(&tidying)),
        ]);
        tidy(&desk);
        assert!(lives(&desk, &taker, 3, first) && lives(&desk, &taker, 4, second));
        close(&desk, [&taker], 1);
    });
}

#[test]
fn what_is_let_go_of_while_it_is_stored_is_stored_or_refused() {
    explore(|| {
        let desk = Desk::new();
        let named = desk.open("list", Kind::List);
        let [client] = desk.clients();
        let other = desk.join(&client).unwrap();
        let object = new_list(&desk, &client, 0);
        let (storing, releasing, tidying) = (desk.clone(), desk.clone(), desk.clone());
        let (one, two) = (client.clone(), other);
        let stored = shuttle::thread::spawn(move || push(&storing, &one, 1, named, object));
        at_once([Box::new(move || release(&releasing, &two, 2, object)), Box::new(move || tidy(&tidying))]);
        let stored = stored.join().unwrap();
        tidy(&desk);
        match stored {
            Ok(_) => assert!(lives(&desk, &client, 3, object)),
            Err(code) => {
                assert_eq!(code, Code::NoSuchObject);
                assert!(!lives(&desk, &client, 3, object));
            }
        }
        let objects = 1 + usize::from(lives(&desk, &client, 4, object));
        close(&desk, [&client], objects);
    });
}

#[test]
fn a_circle_goes_with_the_last_of_the_sessions_that_hold_it() {
    explore(|| {
        let desk = Desk::new();
        let [first, second] = desk.clients();
        let object = new_list(&desk, &first, 0);
        push(&desk, &first, 1, object, object).unwrap();
        desk.ask(&second, 0, 0, manager::Hold { object, kind: Kind::List }).unwrap().unwrap();
        let (one, two, tidying) = (desk.clone(), desk.clone(), desk.clone());
        let (leaving, releasing) = (first.clone(), second.clone());
        at_once([
            Box::new(move || one.abandon(&leaving)),
            Box::new(move || release(&two, &releasing, 1, object)),
            Box::new(move || tidy(&tidying)),
        ]);
        close(&desk, [&first, &second], 0);
    });
}

#[test]
fn a_circle_that_is_closed_while_circles_are_looked_for_is_left_to_who_holds_it() {
    explore(|| {
        let desk = Desk::new();
        let [client] = desk.clients();
        let (first, second) = (new_list(&desk, &client, 0), new_list(&desk, &client, 1));
        // Once more and once less, so that it is looked at.
        desk.ask(&client, 2, 0, manager::Hold { object: first, kind: Kind::List }).unwrap().unwrap();
        push(&desk, &client, 3, second, first).unwrap();
        desk.ask(&client, 4, second, list::Clear {}).unwrap().unwrap();
        let (closing, tidying, holder) = (desk.clone(), desk.clone(), client.clone());
        at_once([
            Box::new(move || {
                push(&closing, &holder, 5, first, second).unwrap();
                push(&closing, &holder, 6, second, first).unwrap();
                release(&closing, &holder, 7, second);
            }),
            Box::new(move || tidy(&tidying)),
        ]);
        assert_eq!(desk.get::<_, u64>(&client, 8, first, list::Len {}), 1);
        assert_eq!(desk.get::<_, u64>(&client, 9, second, list::Len {}), 1);
        close(&desk, [&client], 0);
    });
}

#[test]
fn what_is_held_by_its_number_is_whole_or_gone() {
    explore(|| {
        let desk = Desk::new();
        let [maker, guesser] = desk.clients();
        let object = new_list(&desk, &maker, 0);
        push(&desk, &maker, 1, object, object).unwrap();
        desk.abandon(&maker);
        let (holding, tidying, client) = (desk.clone(), desk.clone(), guesser.clone());
        let held = shuttle::thread::spawn(move || {
            holding.ask(&client, 0, 0, manager::Hold { object, kind: Kind::List }).unwrap()
        });
        at_once([Box::new(move || tidy(&tidying))]);
        match held.join().unwrap() {
            Ok(_) => assert_eq!(desk.get::<_, u64>(&guesser, 1, object, list::Len {}), 1),
            Err(code) => assert_eq!(code, Code::NoSuchObject),
        }
        close(&desk, [&guesser], 0);
    });
}
