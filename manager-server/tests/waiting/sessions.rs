//! What the models compare in passing, told one story at a time.

use std::time::Duration;

use manager_protocol::lock::{self, Grant};
use manager_protocol::semaphore::{self, SemaphoreSetup, SemaphoreStatus};
use manager_protocol::{Code, Kind, Operation, SessionChoice, manager};
use manager_server::core::{Client, Core, Departure, Limits, Time};

use super::wire::{Message, TOKEN, decode, heard};

type Answer = Result<Vec<u8>, (Code, String)>;

/// A core whose time stands still.
struct Desk(Core);

impl Desk {
    fn new() -> Self {
        Self(Core::new(Limits { grace: Duration::from_millis(10), ..Limits::default() }))
    }

    fn client(&self) -> Client {
        self.0.connect(7, SessionChoice::New(true), TOKEN).unwrap()
    }

    fn join(&self, client: &Client) -> Client {
        self.0.connect(7, SessionChoice::Join(client.session(), TOKEN), TOKEN).unwrap()
    }

    fn open_lock(&self, name: &str) -> u64 {
        let answer = self.ask(&self.client(), 0, 0, manager::Open { name: Some(name), kind: Kind::Lock });
        decode(&answer.unwrap().unwrap())
    }

    fn ask<O: Operation>(&self, client: &Client, id: u64, object: u64, operation: O) -> Option<Answer> {
        let mut out = Vec::new();
        Message::new(object, operation).send(&self.0, client, id, Time::ZERO, &mut out);
        heard(&out).pop().map(|heard| heard.answer)
    }

    fn acquire(&self, client: &Client, id: u64, object: u64) -> Option<Result<Option<Grant>, (Code, String)>> {
        let answer = self.ask(client, id, object, lock::Acquire { holder: 0, timeout_ms: None });
        answer.map(|answer| answer.map(|result| decode(&result)))
    }

    /// The grant that is in the mailbox.
    fn granted(client: &Client) -> Option<Grant> {
        let mut out = Vec::new();
        client.mailbox().collect(&mut out);
        decode(heard(&out).pop()?.answer.as_ref().unwrap())
    }
}

#[test]
fn the_next_learns_of_a_death_that_the_one_before_was_never_told_of() {
    let desk = Desk::new();
    let object = desk.open_lock("lock");
    let [first, second, third] = [(); 3].map(|()| desk.client());
    desk.acquire(&first, 0, object);
    first.heard();
    assert!(desk.acquire(&second, 0, object).is_none());
    assert!(desk.acquire(&third, 0, object).is_none());
    desk.0.leave(&first, Time::ZERO);
    desk.0.abandon(&second.watch(), Time::ZERO);
    assert_eq!(Desk::granted(&third), Some(Grant { token: 3, owner_died: true }));
}

#[test]
fn a_grant_that_was_never_had_is_no_death_though_another_of_the_session_waits() {
    let desk = Desk::new();
    let object = desk.open_lock("lock");
    let [first, second] = [(); 2].map(|()| desk.client());
    desk.acquire(&first, 0, object);
    assert!(desk.ask(&first, 1, object, lock::Acquire { holder: 1, timeout_ms: None }).is_none());
    assert!(desk.acquire(&second, 0, object).is_none());
    desk.0.abandon(&first.watch(), Time::ZERO);
    assert_eq!(Desk::granted(&second).map(|grant| grant.owner_died), Some(false));
}

#[test]
fn a_grant_that_arrived_when_it_was_asked_for_again_was_had() {
    let desk = Desk::new();
    let object = desk.open_lock("lock");
    let [first, second] = [(); 2].map(|()| desk.client());
    desk.acquire(&first, 0, object);
    desk.0.disconnect(&first, Departure::Broke, Time::ZERO);
    let resumed = desk.join(&first);
    assert!(desk.acquire(&resumed, 0, object).is_some());
    resumed.heard();
    assert!(desk.acquire(&second, 0, object).is_none());
    desk.0.abandon(&resumed.watch(), Time::ZERO);
    assert_eq!(Desk::granted(&second).map(|grant| grant.owner_died), Some(true));
}

#[test]
fn a_bounded_semaphore_never_has_more_permits_than_at_first() {
    let desk = Desk::new();
    let [holder, giver] = [(); 2].map(|()| desk.client());
    let setup = SemaphoreSetup { permits: 1, bounded: true, ownerless: false };
    let opened = desk.ask(&giver, 0, 0, manager::OpenSemaphore { name: Some("semaphore"), setup });
    let object = decode(&opened.unwrap().unwrap());
    desk.ask(&holder, 0, object, semaphore::Acquire { timeout_ms: None }).unwrap().unwrap();
    desk.ask(&giver, 1, object, semaphore::Release {}).unwrap().unwrap();
    desk.0.leave(&holder, Time::ZERO);
    let status: SemaphoreStatus = decode(&desk.ask(&giver, 2, object, semaphore::Status {}).unwrap().unwrap());
    assert_eq!(status.available, 1);
}

#[test]
fn a_request_that_was_cancelled_before_it_came_is_not_carried_out_the_second_time_either() {
    let desk = Desk::new();
    let object = desk.open_lock("lock");
    let client = desk.client();
    desk.0.cancel(&client, 0, Time::ZERO);
    for _ in 0..2 {
        let answer = desk.acquire(&client, 0, object).unwrap();
        assert_eq!(answer.unwrap_err().0, Code::Cancelled);
    }
}

#[test]
fn the_wait_that_would_close_a_circle_is_refused_by_the_names_of_the_locks() {
    let desk = Desk::new();
    let names = ["red", "green", "blue"];
    let objects = names.map(|name| desk.open_lock(name));
    let clients = names.map(|_| desk.client());
    for (client, object) in clients.iter().zip(objects) {
        desk.acquire(client, 0, object).unwrap().unwrap();
    }
    assert!(desk.acquire(&clients[0], 1, objects[1]).is_none());
    assert!(desk.acquire(&clients[1], 1, objects[2]).is_none());
    let (code, message) = desk.acquire(&clients[2], 1, objects[0]).unwrap().unwrap_err();
    assert_eq!(code, Code::Deadlock);
    assert!(names.iter().all(|name| message.contains(&format!("{name:?}"))), "{message}");
}
