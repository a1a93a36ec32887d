//! Entries that go with their session, while the session ends.

use manager_protocol::{Code, Encoded, Kind, dict};

use super::desk::{Desk, LATE, at_once, explore};

#[test]
fn no_entry_is_given_to_a_session_that_ends_meanwhile() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("dict", Kind::Dict);
        let [owner, other] = desk.clients();
        let insert = |key: &'static [u8]| dict::InsertWith {
            key: Encoded::Borrowed(key),
            value: Encoded::Borrowed(&[0x01]),
            ttl_ms: None,
            session: true,
        };
        desk.ask(&owner, 0, object, insert(&[0x00])).unwrap().unwrap();
        let (first, second, third) = (desk.clone(), desk.clone(), desk.clone());
        let (inserting, leaving, looking) = (owner.clone(), owner.clone(), other.clone());
        at_once([
            Box::new(move || {
                let answer = first.ask(&inserting, 1, object, insert(&[0x01])).unwrap();
                assert!(matches!(answer, Ok(_) | Err(Code::SessionExpired)), "{answer:?}");
            }),
            Box::new(move || second.abandon(&leaving)),
            Box::new(move || {
                let len: u64 = third.get(&looking, 0, object, dict::Len {});
                assert!(len <= 2);
            }),
        ]);
        // What was not done at once, as somebody held the dict, is done now.
        desk.0.expire(LATE);
        assert_eq!(desk.get::<_, u64>(&other, 1, object, dict::Len {}), 0);
        desk.close([&owner, &other]);
    });
}

#[test]
fn an_entry_that_ends_while_it_is_put_again_lives_on() {
    explore(|| {
        let desk = Desk::new();
        let object = desk.open("dict", Kind::Dict);
        let [owner, other] = desk.clients();
        let key = || Encoded::Borrowed(&[0x00]);
        let value = || Encoded::Borrowed(&[0x01]);
        let insert = dict::InsertWith { key: key(), value: value(), ttl_ms: Some(1), session: true };
        desk.ask(&owner, 0, object, insert).unwrap().unwrap();
        let (first, second, third) = (desk.clone(), desk.clone(), desk.clone());
        let (setting, leaving) = (other.clone(), owner.clone());
        at_once([
            Box::new(move || {
                first.ask(&setting, 0, object, dict::Set { key: key(), value: value() }).unwrap().unwrap();
            }),
            Box::new(move || second.abandon(&leaving)),
            Box::new(move || third.0.expire(LATE)),
        ]);
        desk.0.expire(LATE);
        assert_eq!(desk.get::<_, u64>(&other, 1, object, dict::Len {}), 1);
        desk.close([&owner, &other]);
    });
}
